// The helper processes of supervise: alarm programs and the restart script. Each has a session of its own and a time limit
// after which its process group is killed. Nothing ever waits for one.
#pragma once

#include <array>
#include <optional>

#include "core/text.h"
#include "sys/system.h"

namespace supervise {

enum class HelperKind : std::uint8_t { kMail, kAlarmCommand, kGsm, kHook, kUpgrade };

struct HelperEnd {
  HelperKind kind;
  core::Outcome outcome;
  bool timed_out;
};

class Helpers {
 public:
  // `umask` is what helpers get.
  Helpers(sys::System& system, unsigned umask) : system_(system), umask_(umask) {}

  // Starts a helper that may run for `limit`; zero: for ever. Returns why it could not be started.
  std::optional<core::StartFailure> start(HelperKind kind, sys::Spawn spawn, core::Nanos limit, core::Now now);

  // Whether the dead child `pid` was a helper, and how it ended.
  [[nodiscard]] std::optional<HelperEnd> ended(std::int32_t pid, const core::Outcome& outcome);

  // Forgets the sessions of those that have ended, and left nothing behind: another process may get that number. To be called when
  // children have been reaped, and so before it can.
  void forget_sessions();

  // A child that is no helper, leads a session, and is left alone as helpers are; 0: there is none.
  void set_companion(std::int32_t pid) { companion_ = pid; }

  // Whether the process `pid` of that session is the companion, which may not lead its session yet, or of a session that it or
  // a helper leads, or led and has left something in.
  [[nodiscard]] bool are(std::int32_t pid, std::int32_t session) const;

  [[nodiscard]] bool none_run() const;

  // Kills those whose limit is over.
  void expire(core::Now now);

  [[nodiscard]] core::Instant deadline() const;

 private:
  struct Helper {
    std::int32_t pid = 0;        // 0: it has ended
    std::int32_t session = 0;    // 0: nothing is left of it
    HelperKind kind = HelperKind::kHook;
    bool timed_out = false;
    core::Instant limit = core::kNever;
  };
  sys::System& system_;
  unsigned umask_;
  std::int32_t companion_ = 0;
  // Alarms come at most once a minute and live at most a minute: 10 numbers, a mail, a command, and room for the next round.
  std::array<Helper, 32> helpers_{};
};

}  // namespace supervise
