#include "core/liveness.h"

#include <algorithm>

namespace core {

void Liveness::begin(const Policy& policy, Instant now) {
  end();
  watchdog_ = policy.watchdog;
  tells_ready_ = policy.tells_ready;
  if (tells_ready_ && policy.ready_timeout != Nanos::zero()) ready_due_ = after(now, policy.ready_timeout);
  reconfigure(policy, now);
}

void Liveness::end() {
  heartbeat_due_ = watchdog_due_ = ready_due_ = kNever;
  ready_ = {};
}

void Liveness::reconfigure(const Policy& policy, Instant now) {
  const auto last = heartbeat_due_ == kNever ? after(now, policy.heartbeat_delay) : heartbeat_due_ - heartbeat_timeout_;
  heartbeat_timeout_ = policy.heartbeat_timeout;
  heartbeat_due_ = policy.heartbeat ? after(last, heartbeat_timeout_) : kNever;
}

void Liveness::heartbeat(Instant at) { heartbeat_due_ = after(at, heartbeat_timeout_); }

void Liveness::ready(Now now) {
  if (ready_ == WallTime{}) ready_ = now.wall;
  ready_due_ = kNever;
  watchdog(now.mono);
}

void Liveness::watchdog(Instant now) {
  if (watchdog_ != Nanos::zero()) watchdog_due_ = after(now, watchdog_);
}

void Liveness::set_watchdog(Instant now, Nanos timeout) {
  watchdog_ = timeout;
  watchdog_due_ = kNever;
  watchdog(now);
}

void Liveness::extend(Instant now, Nanos time) {
  for (auto* due : {&heartbeat_due_, &watchdog_due_, &ready_due_}) *due = std::max(*due, after(now, time));
}

void Liveness::resume(const Policy& policy, Instant now) {
  if (heartbeat_due_ != kNever) heartbeat_due_ = std::max(heartbeat_due_, after(now, policy.heartbeat_timeout));
  if (ready_due_ != kNever) ready_due_ = std::max(ready_due_, after(now, policy.ready_timeout));
  if (watchdog_due_ != kNever) watchdog_due_ = std::max(watchdog_due_, after(now, watchdog_));
}

Instant Liveness::deadline() const { return std::min({heartbeat_due_, watchdog_due_, ready_due_}); }

Liveness::Verdict Liveness::verdict(Instant now) const {
  if (ready_due_ <= now) return Verdict::kNotReady;
  if (watchdog_due_ <= now) return Verdict::kNoWatchdog;
  return heartbeat_due_ <= now ? Verdict::kLookAtFile : Verdict::kAlive;
}

}  // namespace core
