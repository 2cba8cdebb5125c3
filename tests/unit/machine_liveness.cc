// What the machine makes of the signs of life and readiness of a service, and of their absence.
#include <csignal>

#include "catch.h"
#include "core/machine.h"
#include "unit/driver.h"

namespace {

using core::Autorestart;
using core::Outcome;
using core::Policy;
using core::Reason;
using core::seconds;
using core::State;
using unit::Driver;
using unit::policy_with;

const Outcome kKilled = Outcome::signal(SIGKILL, false);

Policy beating(auto change) {
  return policy_with([&](Policy& p) {
    p.heartbeat = true;
    change(p);
  });
}
Policy beating() {
  return beating([](Policy&) {});
}

// Up for less than a timeout and then without a heartbeat until it is told to stop.
Driver& hang(Driver& d) {
  d.start("u").run_for(d.until_due());
  d.pass(d.until_due()).due();
  d.heartbeat_checked();
  return d;
}

// --- the heartbeat ---

TEST_CASE("a service without a heartbeat is stopped and killed and restarted") {
  Driver d(beating());
  d.start("u").run_for(seconds(1));
  CHECK(d.state() == State::kRunning);
  CHECK(d.ms_until_due() == 19000);
  d.pass_ms(18999);
  CHECK(d.due() == "");
  d.pass_ms(1);
  CHECK(d.due() == "check heartbeat");
  CHECK(d.heartbeat_checked() == "TERM, CONT");
  CHECK(d.state() == State::kStopping);
  CHECK(d.reason() == Reason::kNoHeartbeat);
  CHECK(d.ms_until_due() == 10000);
  d.pass(seconds(10));
  CHECK(d.due() == "KILL");
  CHECK(d.ms_until_due() == -1);
  CHECK(d.exited(kKilled) == "");
  CHECK(d.state() == State::kBackoff);
  CHECK(d.reason() == Reason::kNoHeartbeat);
  CHECK(d.due() == "start");
}

TEST_CASE("the stop settings are obeyed when a service hangs") {
  Driver d(beating([](Policy& p) {
    p.stopsignal = SIGINT;
    p.stopasgroup = true;
    p.stopwaitsecs = seconds(3);
  }));
  d.start("u").run_for(seconds(20));
  CHECK(d.heartbeat_checked() == "group INT, group CONT");
  CHECK(d.ms_until_due() == 3000);
  CHECK(d.pass(seconds(3)).due() == "group KILL");
}

TEST_CASE("a service that hung is restarted whatever it exits with unless autorestart is false") {
  struct Row {
    Autorestart autorestart;
    Outcome outcome;
    State next;
  };
  const Row rows[] = {
      {Autorestart::kTrue, Outcome::code(0), State::kBackoff},       {Autorestart::kTrue, kKilled, State::kBackoff},
      {Autorestart::kUnexpected, Outcome::code(0), State::kBackoff}, {Autorestart::kUnexpected, kKilled, State::kBackoff},
      {Autorestart::kFalse, Outcome::code(0), State::kExited},       {Autorestart::kFalse, kKilled, State::kExited},
  };
  for (const auto& row : rows) {
    Driver d(beating([&](Policy& p) { p.autorestart = row.autorestart; }));
    hang(d).exited(row.outcome);
    CHECK(d.state() == row.next);
    CHECK(d.reason() == Reason::kNoHeartbeat);
    CHECK(d.facts().exit == row.outcome);
  }
}

TEST_CASE("the first heartbeat is waited for from the start and its delay on") {
  for (const int delay : {0, 5, 100}) {
    Driver d(beating([&](Policy& p) { p.heartbeat_delay = seconds(delay); }));
    d.pass(seconds(77)).start("u").run_for(seconds(1));
    CHECK(d.ms_until_due() == (delay + 19) * 1000);
    CHECK(d.pass(d.until_due()).due() == "check heartbeat");
  }
}

TEST_CASE("a heartbeat moves the deadline to a timeout after it") {
  Driver d(beating());
  d.start("u").run_for(seconds(20));
  CHECK(d.heartbeat_checked(seconds(3)) == "");
  CHECK(d.state() == State::kRunning);
  CHECK(d.ms_until_due() == 17000);
  d.pass(seconds(17)).due();
  CHECK(d.heartbeat_checked(seconds(0)) == "");
  CHECK(d.ms_until_due() == 20000);
}

TEST_CASE("a heartbeat as old as the timeout comes too late") {
  Driver late(beating());
  late.start("u").run_for(seconds(20));
  CHECK(late.heartbeat_checked(seconds(20)) == "TERM, CONT");
  Driver just(beating());
  just.start("u").run_for(seconds(20));
  CHECK(just.heartbeat_checked(seconds(20) - core::Nanos(1)) == "");
}

TEST_CASE("the heartbeat is looked at once a deadline") {
  Driver d(beating());
  d.start("u").run_for(seconds(1));
  for (int i = 0; i < 100; ++i) {
    CHECK(d.pass(d.until_due()).due() == "check heartbeat");
    CHECK(d.heartbeat_checked(seconds(1)) == "");
    CHECK(d.due() == "");
    CHECK(d.ms_until_due() == 19000);
  }
}

TEST_CASE("a service that hangs before startsecs have passed has failed to start") {
  Driver d(beating([](Policy& p) {
    p.startsecs = seconds(60);
    p.startretries = 1;
    p.backoff = core::Backoff::kLinear;
  }));
  d.start("u");
  CHECK(d.ms_until_due() == 20000);
  d.run_for(seconds(20)).heartbeat_checked();
  // The time that stopping takes makes no good run of it.
  d.pass(seconds(100)).exited(0);
  CHECK(d.reason() == Reason::kNoHeartbeat);
  CHECK(d.ms_until_due() == 1000);
  d.start().run_for(seconds(20)).heartbeat_checked();
  CHECK(d.exited(0) == "give up");
  CHECK(d.state() == State::kFatal);
  CHECK(d.reason() == Reason::kNoHeartbeat);
}

TEST_CASE("the answer to a look at the heartbeat comes too late for a service that is gone or stopping") {
  Driver d(beating());
  CHECK(d.heartbeat_checked(seconds(100)) == "");
  CHECK(d.state() == State::kStopped);
  d.start("u").run_for(seconds(20));
  d.command("d");
  CHECK(d.heartbeat_checked(seconds(100)) == "");
  CHECK(d.reason() == Reason::kNone);
  d.exited(0);
  CHECK(d.heartbeat_checked(seconds(100)) == "");
  CHECK(d.state() == State::kStopped);
}

TEST_CASE("new settings switch the heartbeat of a running service on and off") {
  Driver d;
  d.start("u").run_for(seconds(5));
  CHECK(d.ms_until_due() == -1);
  d.send(core::event::Reconfigured{beating()});
  CHECK(d.ms_until_due() == 20000);
  d.send(core::event::Reconfigured{Policy()});
  CHECK(d.ms_until_due() == -1);
  d.command("d");
  d.send(core::event::Reconfigured{beating()});
  CHECK(d.ms_until_due() == 10000);
}

// --- what a hang counts ---

TEST_CASE("a hang is a try and an alarm and a stop that was asked for is neither") {
  const auto policy = beating([](Policy& p) { p.alarm_interval = seconds(60); });
  Driver hung(policy);
  CHECK(hang(hung).exited(0) == "alarm");
  CHECK(hung.facts().tries == 1);
  Driver asked(policy);
  asked.start("u").run_for(seconds(5));
  asked.command("d");
  CHECK(asked.exited(0) == "");
  CHECK(asked.facts().tries == 0);
}

TEST_CASE("hangs count for max_tries") {
  Driver d(beating([](Policy& p) {
    p.alarm_interval = seconds(60);
    p.max_tries = 1;
    p.heartbeat_timeout = seconds(5);
  }));
  CHECK(hang(d).exited(0) == "alarm");
  CHECK(hang(d).exited(0) == "alarm");    // `u` has cleared the counters
  d.start().run_for(seconds(5)).heartbeat_checked();
  CHECK(d.exited(0) == "give up, exit");
  CHECK(d.reason() == Reason::kTooManyExits);
}

TEST_CASE("hangs without a good run between them count for max_restarts") {
  Driver d(beating([](Policy& p) {
    p.startsecs = seconds(60);
    p.max_restarts = 2;
  }));
  d.start("u");
  for (int i = 0; i < 2; ++i) {
    d.run_for(seconds(20)).heartbeat_checked();
    CHECK(d.exited(0) == "");
    CHECK(d.machine().restarts() == i + 1);
    d.start();
  }
  d.run_for(seconds(20)).heartbeat_checked();
  CHECK(d.exited(0) == "give up");
  CHECK(d.state() == State::kFatal);
  CHECK(d.reason() == Reason::kTooManyRestarts);
}

TEST_CASE("down during a hang makes it a stop that was asked for") {
  for (const auto* then : {"", "u"}) {
    Driver d(beating([](Policy& p) { p.alarm_interval = seconds(60); }));
    hang(d).pass(seconds(4));
    CHECK(d.command("d") == "");
    CHECK(d.reason() == Reason::kNone);
    CHECK(d.ms_until_due() == 6000);
    d.command(then);
    CHECK(d.exited(0) == "");
    CHECK(d.facts().tries == 0);
    CHECK(d.state() == (*then ? State::kBackoff : State::kStopped));
    CHECK(d.reason() == (*then ? Reason::kPacing : Reason::kNone));
  }
}

TEST_CASE("a service that is to exit or ran once is not restarted after a hang") {
  Driver exiting(beating());
  hang(exiting);
  CHECK(exiting.command("x") == "");
  CHECK(exiting.exited(0) == "exit");
  Driver once(beating());
  hang(once).command("o");
  CHECK(once.exited(0) == "");
  CHECK(once.state() == State::kExited);
}

// --- the watchdog ---

TEST_CASE("the watchdog begins with READY or the first WATCHDOG") {
  struct Row {
    const char* message;
    std::int64_t due;
  };
  const Row rows[] = {{"READY=1", 3000},         {"WATCHDOG=1", 3000},          {"READY=1\nWATCHDOG=1", 3000},     {"STATUS=x", -1}, {"MAINPID=7", -1},
                      {"WATCHDOG_USEC=500000", 500}, {"READY=1\nWATCHDOG_USEC=0", -1}, {"EXTEND_TIMEOUT_USEC=9000000", -1}};
  for (const auto& row : rows) {
    INFO("message: " << row.message);
    Driver d(policy_with([](Policy& p) { p.watchdog = seconds(3); }));
    d.start("u").run_for(seconds(100));
    CHECK(d.ms_until_due() == -1);
    CHECK(d.notified(row.message) == "");
    CHECK(d.ms_until_due() == row.due);
  }
  Driver d(policy_with([](Policy& p) { p.watchdog = seconds(3); }));
  d.start("u").run_for(seconds(100));
  CHECK(d.ready() == "");
  CHECK(d.ms_until_due() == 3000);
}

TEST_CASE("a service whose watchdog runs down is stopped and restarted") {
  Driver d(policy_with([](Policy& p) {
    p.watchdog = seconds(3);
    p.autorestart = Autorestart::kUnexpected;
  }));
  d.start("u");
  for (int i = 0; i < 5; ++i) {
    d.notified("WATCHDOG=1");
    d.pass_ms(2999);
    CHECK(d.due() == "");
    CHECK(d.ms_until_due() == 1);
  }
  CHECK(d.pass_ms(1).due() == "TERM, CONT");
  CHECK(d.state() == State::kStopping);
  CHECK(d.reason() == Reason::kNoWatchdog);
  CHECK(d.notified("WATCHDOG=1") == "");
  CHECK(d.ms_until_due() == 10000);
  d.exited(0);
  CHECK(d.state() == State::kBackoff);
  CHECK(d.reason() == Reason::kNoWatchdog);
  d.start();
  CHECK(d.ms_until_due() == 1000);
}

TEST_CASE("a service may set its watchdog for this run") {
  Driver d(policy_with([](Policy& p) { p.watchdog = seconds(3); }));
  d.start("u").run_for(seconds(5));
  d.notified("WATCHDOG_USEC=8000000");
  CHECK(d.ms_until_due() == 8000);
  d.pass(seconds(2)).notified("WATCHDOG=1");
  CHECK(d.ms_until_due() == 8000);
  d.notified("WATCHDOG_USEC=0");
  CHECK(d.ms_until_due() == -1);
  d.exited(1);
  d.start().run_for(seconds(5));
  d.notified("WATCHDOG=1");
  CHECK(d.ms_until_due() == 3000);
}

TEST_CASE("a service that says that it has hung is stopped at once") {
  Driver d;
  d.start("u").run_for(seconds(5));
  CHECK(d.notified("WATCHDOG=trigger") == "TERM, CONT");
  CHECK(d.reason() == Reason::kNoWatchdog);
  CHECK(d.ms_until_due() == 10000);
  CHECK(d.notified("WATCHDOG=trigger") == "");
  d.exited(0);
  CHECK(d.state() == State::kBackoff);
  CHECK(d.reason() == Reason::kNoWatchdog);
}

// --- extensions ---

TEST_CASE("a running service may ask for more time but not for less") {
  Driver d(beating());
  d.start("u").run_for(seconds(1));
  d.notified("EXTEND_TIMEOUT_USEC=5000000");
  CHECK(d.ms_until_due() == 19000);
  d.notified("EXTEND_TIMEOUT_USEC=60000000");
  CHECK(d.ms_until_due() == 60000);
  CHECK(d.pass(seconds(60)).due() == "check heartbeat");
  CHECK(d.heartbeat_checked(seconds(30)) == "TERM, CONT");
}

TEST_CASE("a service that stops may ask for more time until the KILL but not for less") {
  for (const auto* stop : {"d", ""}) {
    Driver d(beating());
    if (*stop)
      d.start("u").command(stop);
    else
      hang(d);
    d.notified("EXTEND_TIMEOUT_USEC=5000000");
    CHECK(d.ms_until_due() == 10000);
    d.notified("EXTEND_TIMEOUT_USEC=60000000");
    CHECK(d.ms_until_due() == 60000);
    CHECK(d.state() == State::kStopping);
    CHECK(d.pass(seconds(60)).due() == "KILL");
    d.notified("EXTEND_TIMEOUT_USEC=60000000");
    CHECK(d.ms_until_due() == -1);
  }
  Driver never(policy_with([](Policy& p) { p.stopwaitsecs = seconds(0); }));
  never.start("u").command("d");
  never.notified("EXTEND_TIMEOUT_USEC=60000000");
  CHECK(never.ms_until_due() == -1);
}

// --- readiness ---

TEST_CASE("a service that is not ready in time is stopped and restarted") {
  for (const int startsecs : {1, 60}) {
    Driver d(policy_with([&](Policy& p) {
      p.tells_ready = true;
      p.ready_timeout = seconds(30);
      p.startsecs = seconds(startsecs);
    }));
    d.start("u").pass(seconds(30) - core::Nanos(1));
    CHECK(d.due() == "");
    CHECK(d.pass(core::Nanos(1)).due() == "TERM, CONT");
    CHECK(d.state() == State::kStopping);
    CHECK(d.reason() == Reason::kNotReady);
    d.exited(0);
    CHECK(d.state() == State::kBackoff);
    CHECK(d.reason() == Reason::kNotReady);
  }
}

TEST_CASE("a run that does not become ready in its time is a failed start however long it was") {
  const auto limited = policy_with([](Policy& p) {
    p.tells_ready = true;
    p.ready_timeout = seconds(30);
    p.startretries = 2;
  });
  for (const bool hangs : {true, false}) {
    Driver d(limited);
    d.start("u");
    for (int attempt = 0; attempt < 3; ++attempt) {
      d.run_for(seconds(20));
      if (hangs) CHECK(d.pass(seconds(10)).due() == "TERM, CONT");
      d.exited(1);
      if (attempt == 2) break;
      CHECK(d.state() == State::kBackoff);
      d.pass(seconds(1000)).due();
      d.started();
    }
    CHECK(d.state() == State::kFatal);
    CHECK(d.reason() == (hangs ? Reason::kNotReady : Reason::kExitedTooQuickly));
  }
  Driver good(limited);
  good.start("u");
  for (int attempt = 0; attempt < 5; ++attempt) {
    good.run_for(seconds(20));
    good.ready();
    good.exited(1);
    CHECK(good.ms_until_due() == 0);
    good.due();
    good.started();
  }
  CHECK(good.state() == State::kStarting);
}

TEST_CASE("a service that is ready in time is left alone") {
  for (const bool by_message : {false, true}) {
    Driver d(policy_with([](Policy& p) {
      p.tells_ready = true;
      p.ready_timeout = seconds(30);
    }));
    d.start("u").run_for(seconds(29));
    CHECK((by_message ? d.notified("READY=1") : d.ready()) == "");
    CHECK(d.ms_until_due() == -1);
    CHECK(d.pass(seconds(1000)).due() == "");
    CHECK(d.state() == State::kRunning);
  }
}

TEST_CASE("a service that tells is ready when it says so") {
  for (const bool by_message : {false, true}) {
    Driver d(policy_with([](Policy& p) {
      p.tells_ready = true;
      p.startsecs = seconds(10);
    }));
    const auto say = [&] { return by_message ? d.notified("READY=1") : d.ready(); };
    const auto ready = [&] { return d.facts().ready; };
    const core::WallTime not_ready{};
    say();
    CHECK((ready() == not_ready));
    d.start("u").run_for(seconds(5));
    CHECK((ready() == not_ready));
    d.notified("STATUS=loading");
    CHECK((ready() == not_ready));
    say();
    const auto said = d.now().wall;
    CHECK(d.state() == State::kStarting);
    CHECK((ready() == said));
    d.run_for(seconds(20));
    say();
    CHECK(d.state() == State::kRunning);
    CHECK((ready() == said));
    d.command("d");
    CHECK((ready() == not_ready));
    say();
    CHECK((ready() == not_ready));
    d.command("u");
    d.exited(0);
    d.start();
    say();
    d.exited(0);
    CHECK((ready() == not_ready));
    d.start().run_for(seconds(20));
    CHECK(d.state() == State::kRunning);
    CHECK((ready() == not_ready));
  }
}

TEST_CASE("whether a service tells that it is ready is settled at its start") {
  Driver d;
  d.start("u").run_for(seconds(5));
  const auto running = d.facts().ready;
  d.send(core::event::Reconfigured{policy_with([](Policy& p) {
    p.tells_ready = true;
    p.ready_timeout = seconds(30);
  })});
  CHECK((d.facts().ready == running));
  CHECK(d.ms_until_due() == -1);
  d.exited(1);
  d.start().run_for(seconds(5));
  CHECK((d.facts().ready == core::WallTime{}));
  CHECK(d.ms_until_due() == 25000);
}

TEST_CASE("a service that need not tell and tells is ready when it says so") {
  Driver d;
  d.start("u").pass_ms(300).notified("READY=1");
  const auto said = d.now().wall;
  CHECK((d.facts().ready == said));
  d.run_for(seconds(5));
  CHECK((d.facts().ready == said));
  d.exited(1);
  CHECK((d.facts().ready == core::WallTime{}));
}

TEST_CASE("a service that does not tell is ready while it is running") {
  Driver d;
  const auto ready = [&] { return d.facts().ready; };
  const core::WallTime not_ready{};
  CHECK((ready() == not_ready));
  d.start("u");
  CHECK((ready() == not_ready));
  d.run_for(seconds(1));
  const auto running = d.now().wall;
  CHECK((ready() == running));
  d.run_for(seconds(5));
  CHECK((ready() == running));
  d.command("d");
  CHECK((ready() == not_ready));
  d.exited(0);
  CHECK((ready() == not_ready));
}

// --- STOPPING=1 ---

TEST_CASE("a service that stops itself gets no signal but the KILL when its time is over") {
  Driver d(beating([](Policy& p) { p.watchdog = seconds(3); }));
  d.start("u").run_for(seconds(5)).notified("WATCHDOG=1");
  CHECK(d.notified("STOPPING=1") == "");
  CHECK(d.state() == State::kStopping);
  CHECK(d.reason() == Reason::kStopsItself);
  CHECK(d.ms_until_due() == 10000);
  CHECK(d.notified("STOPPING=1") == "");
  d.pass(seconds(10) - core::Nanos(1));
  CHECK(d.due() == "");
  CHECK(d.pass(core::Nanos(1)).due() == "KILL");
}

TEST_CASE("the exit of a service that stopped itself counts as any other") {
  struct Row {
    Autorestart autorestart;
    int code;
    State next;
    Reason reason;
  };
  const Row rows[] = {
      {Autorestart::kTrue, 0, State::kBackoff, Reason::kPacing},
      {Autorestart::kUnexpected, 0, State::kExited, Reason::kExpectedExit},
      {Autorestart::kUnexpected, 1, State::kBackoff, Reason::kPacing},
      {Autorestart::kFalse, 1, State::kExited, Reason::kNoRestart},
  };
  for (const auto& row : rows) {
    Driver d(policy_with([&](Policy& p) {
      p.autorestart = row.autorestart;
      p.alarm_interval = seconds(60);
    }));
    d.start("u").run_for(seconds(5)).notified("STOPPING=1");
    CHECK(d.exited(row.code) == "alarm");
    CHECK(d.facts().tries == 1);
    CHECK(d.state() == row.next);
    CHECK(d.reason() == row.reason);
  }
}

TEST_CASE("down tells a service that stops itself and makes it a stop that was asked for") {
  Driver d(policy_with([](Policy& p) { p.alarm_interval = seconds(60); }));
  d.start("u").run_for(seconds(5)).notified("STOPPING=1");
  d.pass(seconds(4));
  CHECK(d.command("d") == "TERM, CONT");
  CHECK(d.reason() == Reason::kNone);
  CHECK(d.ms_until_due() == 6000);
  CHECK(d.command("d") == "");
  CHECK(d.pass(seconds(6)).due() == "KILL");
  CHECK(d.exited(kKilled) == "");
  CHECK(d.facts().tries == 0);
  CHECK(d.state() == State::kStopped);
}

TEST_CASE("STOPPING during a stop changes nothing") {
  Driver d;
  d.start("u").run_for(seconds(5)).command("d");
  CHECK(d.pass(seconds(4)).notified("STOPPING=1") == "");
  CHECK(d.reason() == Reason::kNone);
  CHECK(d.ms_until_due() == 6000);
}

// --- pause ---

TEST_CASE("a paused service owes no sign of life and afterwards has its whole time again") {
  struct Row {
    const char* what;
    Policy policy;
    const char* message;
    std::int64_t due;
  };
  const Row rows[] = {
      {"heartbeat", beating(), "", 20000},
      {"watchdog", policy_with([](Policy& p) { p.watchdog = seconds(3); }), "WATCHDOG=1", 3000},
      {"readiness", policy_with([](Policy& p) { p.tells_ready = true; p.ready_timeout = seconds(30); }), "", 30000},
      {"all", beating([](Policy& p) { p.tells_ready = true; p.watchdog = seconds(7); p.ready_timeout = seconds(9); }), "WATCHDOG=1", 7000},
  };
  for (const auto& row : rows) {
    INFO(row.what);
    Driver d(row.policy);
    d.start("u").run_for(seconds(1)).notified(row.message);
    d.pass(d.until_due() - core::Nanos(1));
    CHECK(d.command("p") == "STOP");
    CHECK(d.ms_until_due() == -1);
    CHECK(d.pass(seconds(1000)).due() == "");
    CHECK(d.command("c") == "CONT");
    CHECK(d.ms_until_due() == row.due);
    CHECK(d.due() == "");
  }
}

TEST_CASE("continue without a pause moves no deadline") {
  Driver d(beating());
  d.start("u").run_for(seconds(5));
  d.command("c");
  CHECK(d.ms_until_due() == 15000);
}

TEST_CASE("a service paused while it starts is running after startsecs and its timeout stands still") {
  Driver d(beating());
  d.start("u").command("p");
  CHECK(d.ms_until_due() == 1000);
  d.run_for(seconds(1));
  CHECK(d.state() == State::kRunning);
  CHECK(d.ms_until_due() == -1);
  d.pass(seconds(100)).command("c");
  CHECK(d.ms_until_due() == 20000);
}

TEST_CASE("a paused service is stopped and killed as any other") {
  Driver d(beating());
  d.start("u").run_for(seconds(5));
  d.command("p");
  CHECK(d.command("d") == "TERM, CONT");
  CHECK(d.command("p") == "STOP");
  CHECK(d.ms_until_due() == 10000);
  CHECK(d.pass(seconds(10)).due() == "KILL");
}

// --- all of them ---

TEST_CASE("signs of life without a process are nobody's") {
  for (const auto* message : {"READY=1", "STOPPING=1", "WATCHDOG=1", "WATCHDOG=trigger", "WATCHDOG_USEC=1", "EXTEND_TIMEOUT_USEC=9000000000"}) {
    INFO("message: " << message);
    Driver d(beating([](Policy& p) { p.watchdog = seconds(3); }));
    CHECK(d.notified(message) == "");
    CHECK(d.state() == State::kStopped);
    CHECK(d.ms_until_due() == -1);
    d.start("u").exited(1);
    CHECK(d.notified(message) == "");
    CHECK(d.state() == State::kBackoff);
    CHECK(d.ms_until_due() == 1000);
  }
}

}  // namespace
