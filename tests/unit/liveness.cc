#include "core/liveness.h"

#include "catch.h"
#include "unit/driver.h"

namespace {

using core::Liveness;
using core::Nanos;
using core::Policy;
using core::seconds;
using unit::policy_with;
using Verdict = Liveness::Verdict;

// Moments are seconds since the start of the service.
core::Instant at(int second) { return core::Instant(seconds(1000 + second)); }
core::Now now_at(int second) { return {at(second), core::WallTime(seconds(1'795'197'787 + second))}; }

constexpr int kNever = -1;
int due(const Liveness& liveness) {
  return liveness.deadline() == core::kNever ? kNever : static_cast<int>(std::chrono::duration_cast<seconds>(liveness.deadline() - at(0)).count());
}

const Policy kHeartbeat = policy_with([](Policy& p) { p.heartbeat = true; });
const Policy kBoth = policy_with([](Policy& p) { p.heartbeat = p.tells_ready = true; p.ready_timeout = seconds(30); });
const Policy kWatchdog = policy_with([](Policy& p) { p.watchdog = seconds(3); });
const Policy kReadiness = policy_with([](Policy& p) { p.tells_ready = true; p.ready_timeout = seconds(30); });

// Just started.
Liveness started(const Policy& policy) {
  Liveness liveness;
  liveness.begin(policy, at(0));
  return liveness;
}

TEST_CASE("after the start a service owes what it was told to give") {
  struct Row {
    const char* what;
    Policy policy;
    int due;
    Verdict verdict;
  };
  const Row rows[] = {
      {"nothing", {}, kNever, Verdict::kAlive},
      {"a heartbeat", kHeartbeat, 20, Verdict::kLookAtFile},
      {"a heartbeat after a delay", policy_with([](Policy& p) { p.heartbeat = true; p.heartbeat_delay = seconds(5); }), 25, Verdict::kLookAtFile},
      {"a heartbeat some day", policy_with([](Policy& p) { p.heartbeat = true; p.heartbeat_timeout = Nanos::max(); }), kNever, Verdict::kAlive},
      {"a heartbeat after a very long delay", policy_with([](Policy& p) { p.heartbeat = true; p.heartbeat_delay = Nanos::max(); }), kNever, Verdict::kAlive},
      {"a first sign to the watchdog", kWatchdog, kNever, Verdict::kAlive},
      {"readiness", kReadiness, 30, Verdict::kNotReady},
      {"readiness some day", policy_with([](Policy& p) { p.tells_ready = true; }), kNever, Verdict::kAlive},
      {"no readiness that it has no way to tell", policy_with([](Policy& p) { p.ready_timeout = seconds(30); }), kNever, Verdict::kAlive},
      {"a heartbeat before readiness", kBoth, 20, Verdict::kLookAtFile},
      {"readiness before a heartbeat", policy_with([](Policy& p) { p.heartbeat = p.tells_ready = true; p.ready_timeout = seconds(10); }), 10, Verdict::kNotReady},
  };
  for (const auto& row : rows) {
    INFO(row.what);
    const auto liveness = started(row.policy);
    CHECK(due(liveness) == row.due);
    CHECK((liveness.verdict(at(0)) == Verdict::kAlive));
    if (row.due == kNever) continue;
    CHECK((liveness.verdict(at(row.due) - Nanos(1)) == Verdict::kAlive));
    CHECK((liveness.verdict(at(row.due)) == row.verdict));
  }
}

TEST_CASE("a heartbeat is due a timeout after the last one") {
  auto liveness = started(kHeartbeat);
  for (const int beat : {7, 20, 39}) {
    liveness.heartbeat(at(beat));
    CHECK(due(liveness) == beat + 20);
  }
}

TEST_CASE("the delay counts until the first heartbeat only") {
  const auto policy = policy_with([](Policy& p) {
    p.heartbeat = true;
    p.heartbeat_delay = seconds(100);
  });
  auto liveness = started(policy);
  CHECK(due(liveness) == 120);
  liveness.heartbeat(at(119));
  CHECK(due(liveness) == 139);
}

TEST_CASE("readiness ends the waiting for it and is told from its first moment on") {
  auto liveness = started(kReadiness);
  CHECK((liveness.ready_since() == core::WallTime{}));
  liveness.ready(now_at(12));
  CHECK(due(liveness) == kNever);
  CHECK((liveness.ready_since() == now_at(12).wall));
  liveness.ready(now_at(15));
  CHECK((liveness.ready_since() == now_at(12).wall));
}

TEST_CASE("the watchdog begins with readiness or its first sign and each sign winds it up") {
  auto ready = started(kWatchdog);
  ready.ready(now_at(5));
  CHECK(due(ready) == 8);
  CHECK((ready.verdict(at(8)) == Verdict::kNoWatchdog));
  auto fed = started(kWatchdog);
  for (const int sign : {1, 2, 4}) {
    fed.watchdog(at(sign));
    CHECK(due(fed) == sign + 3);
  }
  auto without = started({});
  without.ready(now_at(5));
  without.watchdog(at(6));
  CHECK(due(without) == kNever);
}

TEST_CASE("a service may set its watchdog") {
  auto liveness = started({});
  liveness.set_watchdog(at(1), seconds(9));
  CHECK(due(liveness) == 10);
  liveness.watchdog(at(4));
  CHECK(due(liveness) == 13);
  liveness.set_watchdog(at(5), seconds(2));
  CHECK(due(liveness) == 7);
  liveness.set_watchdog(at(6), seconds(0));
  CHECK(due(liveness) == kNever);
  liveness.watchdog(at(7));
  CHECK(due(liveness) == kNever);
}

TEST_CASE("an extension moves what is due and brings nothing forward and begins nothing") {
  auto armed = started(kHeartbeat);
  armed.extend(at(1), seconds(5));
  CHECK(due(armed) == 20);
  armed.extend(at(1), seconds(60));
  CHECK(due(armed) == 61);
  auto readiness = started(kReadiness);
  readiness.extend(at(1), seconds(60));
  CHECK(due(readiness) == 61);
  auto watchdog = started(kWatchdog);
  watchdog.extend(at(1), seconds(60));
  CHECK(due(watchdog) == kNever);
  watchdog.watchdog(at(2));
  watchdog.extend(at(3), seconds(60));
  CHECK(due(watchdog) == 63);
  watchdog.extend(at(4), Nanos::max());
  CHECK(due(watchdog) == kNever);
}

TEST_CASE("after a pause everything that is due gets its whole time again") {
  auto heartbeat = started(kHeartbeat);
  heartbeat.resume(kHeartbeat, at(500));
  CHECK(due(heartbeat) == 520);
  auto readiness = started(kReadiness);
  readiness.resume(kReadiness, at(500));
  CHECK(due(readiness) == 530);
  auto watchdog = started(kWatchdog);
  watchdog.resume(kWatchdog, at(500));
  CHECK(due(watchdog) == kNever);
  watchdog.watchdog(at(501));
  watchdog.resume(kWatchdog, at(600));
  CHECK(due(watchdog) == 603);
  auto delayed = started(policy_with([](Policy& p) { p.heartbeat = true; p.heartbeat_delay = seconds(100); }));
  delayed.resume(kHeartbeat, at(1));
  CHECK(due(delayed) == 120);
}

TEST_CASE("of several things that are due the first to be told is readiness and then the watchdog") {
  auto liveness = started(policy_with([](Policy& p) {
    p.heartbeat = p.tells_ready = true;
    p.watchdog = seconds(3);
    p.ready_timeout = seconds(30);
  }));
  liveness.watchdog(at(1));
  CHECK(due(liveness) == 4);
  CHECK((liveness.verdict(at(100)) == Verdict::kNotReady));
  liveness.ready(now_at(1));
  CHECK((liveness.verdict(at(100)) == Verdict::kNoWatchdog));
  liveness.set_watchdog(at(1), seconds(0));
  CHECK((liveness.verdict(at(100)) == Verdict::kLookAtFile));
}

TEST_CASE("at the end nothing is due and nothing is ready and a new run begins afresh") {
  const auto policy = policy_with([](Policy& p) {
    p.heartbeat = p.tells_ready = true;
    p.watchdog = seconds(3);
    p.ready_timeout = seconds(30);
  });
  auto unready = started(policy);
  unready.end();
  CHECK(due(unready) == kNever);
  auto liveness = started(policy);
  liveness.ready(now_at(1));
  liveness.set_watchdog(at(1), seconds(50));
  liveness.end();
  CHECK(due(liveness) == kNever);
  CHECK((liveness.ready_since() == core::WallTime{}));
  liveness.begin(policy, at(100));
  CHECK(due(liveness) == 120);
  liveness.watchdog(at(101));
  CHECK(due(liveness) == 104);
}

TEST_CASE("new settings switch the heartbeat on and off and leave the rest of a run alone") {
  auto liveness = started({});
  liveness.reconfigure(policy_with([](Policy& p) {
    p.heartbeat = true;
    p.heartbeat_delay = seconds(5);
    p.watchdog = seconds(1);
    p.tells_ready = true;
    p.ready_timeout = seconds(1);
  }), at(10));
  CHECK(due(liveness) == 35);
  CHECK_FALSE(liveness.tells_ready());
  liveness.watchdog(at(11));
  CHECK(due(liveness) == 35);
  liveness.reconfigure(kHeartbeat, at(20));
  CHECK(due(liveness) == 35);
  liveness.reconfigure({}, at(21));
  CHECK(due(liveness) == kNever);
  auto ready = started(kReadiness);
  ready.reconfigure({}, at(1));
  CHECK(due(ready) == 30);
  CHECK(ready.tells_ready());
}

}  // namespace
