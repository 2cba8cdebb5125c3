#include "core/policy.h"

#include <csignal>

#include "catch.h"

namespace {

using core::Autorestart;
using core::Backoff;
using core::Outcome;
using core::Policy;
using core::seconds;
using Verdict = core::Window::Verdict;

Policy with(Backoff backoff, core::Nanos factor, core::Nanos max, double jitter) {
  Policy policy;
  policy.backoff = backoff;
  policy.backoff_factor = factor;
  policy.backoff_max = max;
  policy.backoff_jitter = jitter;
  return policy;
}

TEST_CASE("the back-off grows as its kind says and never beyond its maximum") {
  struct Row {
    Policy policy;
    unsigned failures;
    core::Nanos delay;
  };
  const auto half = std::chrono::milliseconds(500);
  const Row rows[] = {
      {with(Backoff::kNone, seconds(9), seconds(60), 0), 1, seconds(0)},
      {with(Backoff::kNone, seconds(9), seconds(60), 0), 1000, seconds(0)},
      {with(Backoff::kLinear, seconds(9), seconds(60), 0), 1, seconds(1)},
      {with(Backoff::kLinear, seconds(9), seconds(60), 0), 7, seconds(7)},
      {with(Backoff::kLinear, seconds(9), seconds(60), 0), 61, seconds(60)},
      {with(Backoff::kLinear, seconds(9), seconds(60), 0), UINT32_MAX, seconds(60)},
      {with(Backoff::kExponential, seconds(1), seconds(60), 0), 1, seconds(1)},
      {with(Backoff::kExponential, seconds(1), seconds(60), 0), 2, seconds(2)},
      {with(Backoff::kExponential, seconds(1), seconds(60), 0), 6, seconds(32)},
      {with(Backoff::kExponential, seconds(1), seconds(60), 0), 7, seconds(60)},
      {with(Backoff::kExponential, seconds(1), seconds(60), 0), UINT32_MAX, seconds(60)},
      {with(Backoff::kExponential, half, seconds(3600), 0), 3, seconds(2)},
      {with(Backoff::kExponential, seconds(90), seconds(60), 0), 1, seconds(60)},
      {with(Backoff::kExponential, seconds(1), seconds(0), 0), 5, seconds(0)},
      {with(Backoff::kExponential, seconds(0), seconds(60), 0), 5, seconds(0)},
      {with(Backoff::kExponential, seconds(1), core::Nanos::max(), 0), 200, core::Nanos::max()},
  };
  for (const auto& row : rows) {
    INFO("failures " << row.failures << ", expected " << row.delay.count());
    CHECK(core::backoff_delay(row.policy, row.failures, 0.7).count() == row.delay.count());
  }
}

TEST_CASE("the jitter shortens the delay by at most its fraction") {
  const auto policy = with(Backoff::kLinear, seconds(1), seconds(60), 0.5);
  CHECK(core::backoff_delay(policy, 10, 0.0) == seconds(10));
  CHECK(core::backoff_delay(policy, 10, 0.5) == core::Nanos(7'500'000'000));
  CHECK(core::backoff_delay(policy, 10, 1.0) == seconds(5));
  CHECK(core::backoff_delay(with(Backoff::kLinear, seconds(1), seconds(60), 1.0), 10, 1.0) == seconds(0));
}

TEST_CASE("whether a service is started again depends on autorestart and its exit") {
  struct Row {
    Autorestart autorestart;
    Outcome outcome;
    bool wanted;
  };
  const Row rows[] = {
      {Autorestart::kTrue, Outcome::code(0), true},
      {Autorestart::kTrue, Outcome::signal(SIGTERM, false), true},
      {Autorestart::kTrue, Outcome{}, true},
      {Autorestart::kFalse, Outcome::code(1), false},
      {Autorestart::kFalse, Outcome::signal(SIGSEGV, true), false},
      {Autorestart::kUnexpected, Outcome::code(0), false},
      {Autorestart::kUnexpected, Outcome::code(2), false},
      {Autorestart::kUnexpected, Outcome::code(1), true},
      {Autorestart::kUnexpected, Outcome::code(255), true},
      {Autorestart::kUnexpected, Outcome::signal(2, false), true},
      {Autorestart::kUnexpected, Outcome{}, true},
  };
  for (const auto& row : rows) {
    Policy policy;
    policy.autorestart = row.autorestart;
    policy.exitcodes.set(2);
    INFO(core::to_text(row.outcome).view());
    CHECK(core::restart_wanted(policy, row.outcome) == row.wanted);
  }
}

core::Instant at(int second) { return core::Instant(seconds(second)); }

TEST_CASE("without an alarm interval the exits of a minute are counted and nothing follows") {
  Policy policy;
  policy.max_tries = 1;
  policy.max_tries_if_coredumped = 1;
  core::Window window;
  for (int i = 0; i < 10; ++i) CHECK(window.count(policy, at(i), true) == Verdict::kCounted);
  CHECK(window.tries() == 10);
  CHECK(window.end(policy) == at(60));
  window.expire(policy, at(59));
  CHECK(window.tries() == 10);
  window.expire(policy, at(60));
  CHECK(window.tries() == 0);
  CHECK(window.end(policy) == core::kNever);
}

TEST_CASE("the window opens at the first exit and then starts anew") {
  Policy policy;
  policy.alarm_interval = seconds(60);
  core::Window window;
  CHECK(window.count(policy, at(100), false) == Verdict::kOpened);
  CHECK(window.count(policy, at(100), true) == Verdict::kCounted);
  CHECK(window.count(policy, at(159), false) == Verdict::kCounted);
  CHECK(window.tries() == 3);
  CHECK(window.coredumps() == 1);
  CHECK(window.count(policy, at(160), false) == Verdict::kOpened);
  CHECK(window.tries() == 1);
  CHECK(window.coredumps() == 0);
  CHECK(window.count(policy, at(219), false) == Verdict::kCounted);
  CHECK(window.count(policy, at(500), false) == Verdict::kOpened);
}

TEST_CASE("more than max_tries exits in a window are too many") {
  Policy policy;
  policy.alarm_interval = seconds(60);
  policy.max_tries = 2;
  core::Window window;
  CHECK(window.count(policy, at(0), false) == Verdict::kOpened);
  CHECK(window.count(policy, at(1), false) == Verdict::kCounted);
  CHECK(window.count(policy, at(2), false) == Verdict::kTooManyExits);
  window.reset();
  CHECK(window.count(policy, at(3), false) == Verdict::kOpened);
  CHECK(window.count(policy, at(4), false) == Verdict::kCounted);
  CHECK(window.count(policy, at(70), false) == Verdict::kOpened);
}

TEST_CASE("as many core dumps as max_tries_if_coredumped are too many") {
  Policy policy;
  policy.alarm_interval = seconds(60);
  policy.max_tries_if_coredumped = 2;
  core::Window window;
  CHECK(window.count(policy, at(0), true) == Verdict::kOpened);
  CHECK(window.count(policy, at(1), false) == Verdict::kCounted);
  CHECK(window.count(policy, at(2), true) == Verdict::kTooManyCoreDumps);
  policy.max_tries_if_coredumped = 1;
  core::Window other;
  CHECK(other.count(policy, at(0), true) == Verdict::kTooManyCoreDumps);
}

}  // namespace
