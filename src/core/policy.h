// The rules of restarting, as numbers: what the machine is told, and the two calculations in it that stand alone.
#pragma once

#include <bitset>
#include <csignal>

#include "core/outcome.h"
#include "core/time.h"

namespace core {

enum class Autorestart { kFalse, kTrue, kUnexpected };
enum class Backoff { kNone, kLinear, kExponential };
using ExitCodes = std::bitset<256>;

inline constexpr int kUnlimited = -1;

// Two starts are never closer than this, whatever the cause.
inline constexpr Nanos kStartPacing = seconds(1);

struct Policy {
  Autorestart autorestart = Autorestart::kTrue;
  ExitCodes exitcodes = 1;                  // bit N: exit code N is expected
  Nanos startsecs = seconds(1);             // up this long = started
  int startretries = kUnlimited;            // consecutive failed starts, after the first, before FATAL
  Backoff backoff = Backoff::kNone;
  Nanos backoff_factor = seconds(1);
  Nanos backoff_max = seconds(60);
  double backoff_jitter = 0;                // fraction of the delay, 0 to 1
  int max_restarts = kUnlimited;            // consecutive restarts before giving up
  Nanos fatal_retry{0};                     // 0 = never
  Nanos pacing = kStartPacing;
  bool always_back_off = false;             // the first delay of backoff also after a good run
  int stopsignal = SIGTERM;
  Nanos stopwaitsecs = seconds(10);         // 0 = never KILL
  bool stopasgroup = false;
  bool killasgroup = false;
  bool kill_tree = false;                   // what the service leaves behind is ended too
  bool forking = false;                     // the command puts itself into the background
  bool heartbeat = false;                   // there is a heartbeat file
  Nanos heartbeat_timeout = seconds(20);
  Nanos heartbeat_delay{0};                 // before the timeout begins to count
  bool tells_ready = false;                 // by sd_notify or on a descriptor; else it is ready when it is RUNNING
  Nanos ready_timeout{0};                   // 0 = never
  Nanos watchdog{0};                        // of sd_notify; 0 = none
  Nanos alarm_interval{0};                  // 0 = no alarms, no give-up limits
  unsigned max_tries = 0;                   // exits in the window beyond which to give up; 0 = no limit
  unsigned max_tries_if_coredumped = 0;     // core dumps in the window at which to give up; 0 = no limit
};

// The delay after the `failures`th (1, 2, ...) consecutive failed start, at most backoff_max. `random` (0 to 1) draws the
// jitter, which shortens the delay, so that a fleet at backoff_max is spread as well.
[[nodiscard]] Nanos backoff_delay(const Policy& policy, unsigned failures, double random);

// Whether a service that ended like this is to be started again.
[[nodiscard]] bool restart_wanted(const Policy& policy, const Outcome& outcome);

// The exits within alarm_interval of the first one, or without that within a minute, which has no consequences but that they can be
// seen. The window opens at an exit and then starts anew.
inline constexpr Nanos kPlainWindow = seconds(60);
class Window {
 public:
  enum class Verdict { kCounted, kOpened, kTooManyExits, kTooManyCoreDumps };

  // Counts one exit. kOpened: the first of a window, the one that raises the alarm. Always kCounted without an interval.
  Verdict count(const Policy& policy, Instant now, bool core);
  void reset() { *this = Window(); }
  // Closes it where its time is over.
  void expire(const Policy& policy, Instant now);
  // When its time is over; kNever if it is not open.
  [[nodiscard]] Instant end(const Policy& policy) const;

  [[nodiscard]] unsigned tries() const { return tries_; }
  [[nodiscard]] unsigned coredumps() const { return coredumps_; }
  // When it opened; kNever if it is not open.
  [[nodiscard]] Instant opened() const { return open_ ? opened_ : kNever; }
  // A window as it was.
  [[nodiscard]] static Window restored(Instant opened, unsigned tries, unsigned coredumps);

 private:
  bool open_ = false;
  Instant opened_{};
  unsigned tries_ = 0;
  unsigned coredumps_ = 0;
};

}  // namespace core
