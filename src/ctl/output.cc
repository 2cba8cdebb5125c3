#include "ctl/output.h"

#include "core/strings.h"
#include "sys/process.h"

namespace ctl {

namespace {

sys::Errno g_failure;

}  // namespace

void say(const std::string& text) {
  if (g_failure.number != 0) return;
  if (const auto written = sys::write_all(1, text); !written) g_failure = written.error();
}

sys::Errno output_failure() { return g_failure; }

// Names in it are from outside, and this may be a terminal.
void complain(const std::string& text) { (void)sys::write_all(2, "supervisectl: " + core::printable(text) + "\n"); }

void Progress::show(const std::string& text) {
  constexpr std::size_t kWidth = 78;
  if (!terminal_) return;
  (void)sys::write_all(2, "\r\x1b[K" + std::string(core::first_columns(text, kWidth)));
  shown_ = true;
}

void Progress::clear() {
  if (shown_) (void)sys::write_all(2, "\r\x1b[K");
  shown_ = false;
}

}  // namespace ctl
