#include "ctl/output.h"

namespace ctl {

void sys_error(const std::string& text) { sys::print_error(text + "\n"); }

void Progress::show(const std::string& text) {
  constexpr std::size_t kWidth = 78;
  if (!terminal_) return;
  sys::print_error("\r\x1b[K" + text.substr(0, kWidth));
  shown_ = true;
}

void Progress::clear() {
  if (shown_) sys::print_error("\r\x1b[K");
  shown_ = false;
}

}  // namespace ctl
