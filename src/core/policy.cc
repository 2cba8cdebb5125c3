#include "core/policy.h"

#include <algorithm>

namespace core {
namespace {

Nanos undrawn_delay(const Policy& policy, unsigned failures) {
  switch (policy.backoff) {
    case Backoff::kNone: return Nanos::zero();
    case Backoff::kLinear: return std::min<Nanos>(seconds(failures), policy.backoff_max);
    case Backoff::kExponential: break;
  }
  Nanos delay = policy.backoff_factor;
  if (delay == Nanos::zero()) return delay;
  for (unsigned i = 1; i < failures && delay < policy.backoff_max; ++i)
    delay = delay > policy.backoff_max / 2 ? policy.backoff_max : delay * 2;
  return std::min(delay, policy.backoff_max);
}

}  // namespace

Nanos backoff_delay(const Policy& policy, unsigned failures, double random) {
  const Nanos delay = undrawn_delay(policy, failures);
  return delay - Nanos(static_cast<Nanos::rep>(static_cast<double>(delay.count()) * policy.backoff_jitter * random));
}

bool restart_wanted(const Policy& policy, const Outcome& outcome) {
  switch (policy.autorestart) {
    case Autorestart::kFalse: return false;
    case Autorestart::kTrue: return true;
    case Autorestart::kUnexpected: break;
  }
  return outcome.kind != Outcome::Kind::kCode || outcome.value < 0 || outcome.value > 255 ||
         !policy.exitcodes[static_cast<std::size_t>(outcome.value)];
}

Window Window::restored(Instant opened, unsigned tries, unsigned coredumps) {
  Window window;
  window.open_ = opened != kNever;
  window.opened_ = opened;
  window.tries_ = tries;
  window.coredumps_ = coredumps;
  return window;
}

Instant Window::end(const Policy& policy) const {
  const bool limited = policy.alarm_interval != Nanos::zero();
  return open_ ? after(opened_, limited ? policy.alarm_interval : kPlainWindow) : kNever;
}

void Window::expire(const Policy& policy, Instant now) {
  if (now >= end(policy)) reset();
}

Window::Verdict Window::count(const Policy& policy, Instant now, bool core) {
  expire(policy, now);
  const bool opens = !open_;
  if (opens) opened_ = now;
  open_ = true;
  ++tries_;
  if (core) ++coredumps_;
  if (policy.alarm_interval == Nanos::zero()) return Verdict::kCounted;
  if (policy.max_tries_if_coredumped != 0 && coredumps_ >= policy.max_tries_if_coredumped)
    return Verdict::kTooManyCoreDumps;
  if (policy.max_tries != 0 && tries_ > policy.max_tries) return Verdict::kTooManyExits;
  return opens ? Verdict::kOpened : Verdict::kCounted;
}

}  // namespace core
