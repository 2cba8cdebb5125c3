#include "core/notification.h"

#include "core/number.h"
#include "core/strings.h"

namespace core {
namespace {

std::optional<Nanos> microseconds(std::string_view value) {
  constexpr auto kMax = static_cast<std::uint64_t>(Nanos::max().count() / 1000);
  const auto number = parse_number<std::uint64_t>(value);
  if (!number || *number > kMax) return std::nullopt;
  return std::chrono::microseconds(*number);
}

}  // namespace

Notification parse_notification(std::string_view message) {
  Notification out;
  // A client that sends its string with the end mark means no more by it.
  if (message.ends_with('\0')) message.remove_suffix(1);
  while (!message.empty()) {
    const auto line = take_line(message);
    const auto key = line.substr(0, line.find('='));
    if (key.size() == line.size()) continue;
    const auto value = line.substr(key.size() + 1);
    if (key == "READY") out.ready = value == "1";
    if (key == "STOPPING") out.stopping = value == "1";
    if (key == "STATUS") out.status = value;
    if (key == "WATCHDOG" && value == "1") out.watchdog = true;
    if (key == "WATCHDOG" && value == "trigger") out.watchdog_trigger = true;
    if (key == "WATCHDOG_USEC") out.watchdog_timeout = microseconds(value);
    if (key == "EXTEND_TIMEOUT_USEC") out.extension = microseconds(value);
    if (key == "MAINPID") {
      const auto pid = parse_number<std::int32_t>(value);
      if (pid && *pid > 0) out.main_pid = pid;
    }
  }
  return out;
}

}  // namespace core
