// Whether the service that runs is ready, and shows that it is alive: through its heartbeat file, and through what it says by
// sd_notify(3) or on its readiness descriptor. Times only; the shell looks at files and sockets.
#pragma once

#include "core/policy.h"
#include "core/time.h"

namespace core {

class Liveness {
 public:
  enum class Verdict { kAlive, kLookAtFile, kNotReady, kNoWatchdog };

  // The service has been started.
  void begin(const Policy& policy, Instant now);
  // There is no service, or it is stopping: nothing is due any more.
  void end();
  // New settings while it runs. Only those of the heartbeat file take effect before the next start.
  void reconfigure(const Policy& policy, Instant now);

  void heartbeat(Instant at);                          // the file was changed at that moment
  void ready(Now now);                                 // and the watchdog begins to count
  void watchdog(Instant now);                          // WATCHDOG=1
  void set_watchdog(Instant now, Nanos timeout);       // WATCHDOG_USEC=
  void extend(Instant now, Nanos time);                // EXTEND_TIMEOUT_USEC=: nothing is due before
  void resume(const Policy& policy, Instant now);      // after a pause, in which it could give no sign

  [[nodiscard]] Instant deadline() const;
  [[nodiscard]] Verdict verdict(Instant now) const;
  // Whether this run tells when it is ready, and when it became so; the epoch if it is not.
  [[nodiscard]] bool tells_ready() const { return tells_ready_; }
  [[nodiscard]] WallTime ready_since() const { return ready_; }
  // Whether it has a limited time to become ready, and is not.
  [[nodiscard]] bool owes_readiness() const { return ready_due_ != kNever; }

 private:
  bool tells_ready_ = false;
  Nanos heartbeat_timeout_{0}, watchdog_{0};
  Instant heartbeat_due_ = kNever, watchdog_due_ = kNever, ready_due_ = kNever;
  WallTime ready_{};
};

}  // namespace core
