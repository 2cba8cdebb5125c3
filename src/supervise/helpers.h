// The helper processes of supervise: alarm programs and the restart script. Each has a session of its own and a time limit
// after which its process group is killed. Nothing ever waits for one.
#pragma once

#include <array>
#include <optional>

#include "core/text.h"
#include "sys/system.h"

namespace supervise {

enum class HelperKind { kAlarm, kHook };

struct HelperEnd {
  HelperKind kind;
  core::Text<32> name;
  core::Outcome outcome;
  bool timed_out;
};

class Helpers {
 public:
  explicit Helpers(sys::System& system) : system_(system) {}

  // Starts a helper that may run for `limit`. `name` is for messages. Returns why it could not be started.
  std::optional<core::StartFailure> start(HelperKind kind, std::string_view name, sys::Spawn spawn, core::Nanos limit, core::Now now);

  // Whether the dead child `pid` was a helper, and how it ended.
  [[nodiscard]] std::optional<HelperEnd> ended(std::int32_t pid, const core::Outcome& outcome);

  // Kills those whose limit is over.
  void expire(core::Now now);

  [[nodiscard]] core::Instant deadline() const;

 private:
  struct Helper {
    std::int32_t pid = 0;
    HelperKind kind = HelperKind::kAlarm;
    core::Text<32> name;
    core::Instant limit = core::kNever;
    bool timed_out = false;
  };
  sys::System& system_;
  // Alarms come at most once a minute and live at most a minute: 10 numbers, a mail, a command, and room for the next round.
  std::array<Helper, 32> helpers_{};
};

}  // namespace supervise
