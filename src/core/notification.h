// The messages of sd_notify(3): `KEY=VALUE` lines in one datagram.
// https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/time.h"

namespace core {

// No datagram that is longer is looked at; systemd takes no longer ones either.
inline constexpr std::size_t kMaxNotification = 4096;

// What one message says. Lines that are unknown, and values that are none, say nothing.
struct Notification {
  bool ready = false;
  bool stopping = false;
  bool watchdog = false;
  bool watchdog_trigger = false;
  std::optional<std::string_view> status;    // into the message
  std::optional<std::int32_t> main_pid;
  std::optional<Nanos> watchdog_timeout;
  std::optional<Nanos> extension;
  [[nodiscard]] bool says_nothing() const {
    return !ready && !stopping && !watchdog && !watchdog_trigger && !status && !main_pid && !watchdog_timeout && !extension;
  }
};

[[nodiscard]] Notification parse_notification(std::string_view message);

}  // namespace core
