#include "core/machine.h"

#include <csignal>

#include "catch.h"
#include "unit/driver.h"

namespace {

using core::Autorestart;
using core::Backoff;
using core::Outcome;
using core::Policy;
using core::Reason;
using core::seconds;
using core::State;
using core::Want;
using unit::Driver;
using unit::policy_with;

const Outcome kCrash = Outcome::signal(SIGSEGV, false);
const Outcome kCore = Outcome::signal(SIGSEGV, true);

// --- starting ---

TEST_CASE("a new machine is stopped and wants nothing") {
  Driver d;
  CHECK(d.state() == State::kStopped);
  CHECK(d.facts().want == Want::kDown);
  CHECK(d.ms_until_due() == -1);
  CHECK(d.due() == "");
}

TEST_CASE("up starts the service at once and startsecs later it is running") {
  Driver d;
  CHECK(d.command("u") == "");
  CHECK(d.state() == State::kBackoff);
  CHECK(d.ms_until_due() == 0);
  CHECK(d.due() == "start");
  CHECK(d.started() == "");
  CHECK(d.state() == State::kStarting);
  CHECK(d.facts().pid == Driver::kPid);
  CHECK(d.ms_until_due() == 1000);
  d.pass_ms(999);
  CHECK(d.due() == "");
  CHECK(d.state() == State::kStarting);
  d.pass_ms(1);
  CHECK(d.due() == "");
  CHECK(d.state() == State::kRunning);
  CHECK(d.ms_until_due() == -1);
}

TEST_CASE("with startsecs 0 a started service is running at once") {
  Driver d(policy_with([](Policy& p) { p.startsecs = seconds(0); }));
  d.start("u");
  CHECK(d.state() == State::kRunning);
}

TEST_CASE("a service that was up for startsecs counts as started even if nobody looked") {
  Driver d;
  d.start("u").pass_ms(5000);
  CHECK(d.exited(1) == "");
  CHECK(d.ms_until_due() == 0);
  CHECK(d.reason() == Reason::kPacing);
}

TEST_CASE("exits are counted by kind") {
  Driver d;
  d.start("u");
  const auto again = [&](const Outcome& outcome) {
    d.run_for(seconds(10));
    d.exited(outcome);
    d.due();
    d.started();
  };
  for (const auto& outcome : {Outcome::code(0), Outcome::code(1), Outcome::code(2), Outcome::signal(SIGKILL, false), Outcome::signal(SIGSEGV, true), Outcome{}}) again(outcome);
  CHECK(d.facts().exits == 6);
  CHECK(d.facts().exits_nonzero == 2);
  CHECK(d.facts().exits_signal == 1);
  CHECK(d.facts().exits_core == 1);
}

// --- death and pacing ---

TEST_CASE("a service that had been up for startsecs is restarted at once") {
  for (const auto& outcome : {Outcome::code(0), Outcome::code(1), kCrash, Outcome{}}) {
    Driver d;
    d.start("u").run_for(seconds(10));
    d.exited(outcome);
    CHECK(d.state() == State::kBackoff);
    CHECK(d.ms_until_due() == 0);
    CHECK(d.due() == "start");
  }
}

TEST_CASE("a service that dies young is restarted once a second") {
  Driver d;
  d.start("u");
  for (int i = 0; i < 20; ++i) {
    d.pass_ms(30);
    d.exited(1);
    CHECK(d.state() == State::kBackoff);
    CHECK(d.reason() == Reason::kExitedTooQuickly);
    CHECK(d.ms_until_due() == 970);
    d.pass_ms(969);
    CHECK(d.due() == "");
    d.pass_ms(1);
    CHECK(d.due() == "start");
    d.started();
  }
}

TEST_CASE("with a short startsecs starts are still a second apart") {
  Driver d(policy_with([](Policy& p) { p.startsecs = std::chrono::milliseconds(100); }));
  d.start("u").run_for(std::chrono::milliseconds(200));
  d.exited(1);
  CHECK(d.ms_until_due() == 800);
}

TEST_CASE("up while waiting for a restart pulls it forward but starts stay a second apart") {
  Driver d(policy_with([](Policy& p) { p.backoff = Backoff::kLinear; }));
  d.start("u");
  for (int i = 0; i < 5; ++i) {
    d.exited(1);
    d.start();
  }
  d.pass_ms(300).exited(1);
  CHECK(d.ms_until_due() == 6000);
  CHECK(d.command("u") == "");
  CHECK(d.ms_until_due() == 700);
  d.pass_ms(100).command("u");
  CHECK(d.ms_until_due() == 600);
  d.pass_ms(5000);
  CHECK(d.command("u") == "");
  CHECK(d.due() == "start");
}

TEST_CASE("down and up again keep starts a second apart") {
  Driver d;
  d.start("u").pass_ms(100);
  CHECK(d.command("d") == "TERM, CONT");
  CHECK(d.command("u") == "");
  CHECK(d.state() == State::kStopping);
  d.exited(0);
  CHECK(d.state() == State::kBackoff);
  CHECK(d.ms_until_due() == 900);
  d.command("dudududu");
  CHECK(d.ms_until_due() == 900);
}

TEST_CASE("a service told down and up is started again when it has died") {
  Driver d;
  d.start("u").run_for(seconds(10));
  CHECK(d.command("d") == "TERM, CONT");
  CHECK(d.command("u") == "");
  d.exited(kCrash);
  CHECK(d.due() == "start");
}

TEST_CASE("a flood of down and up costs no start") {
  Driver d;
  d.start("u").run_for(seconds(5));
  int signals = 0;
  for (int i = 0; i < 10'000; ++i) {
    if (!d.command("d").empty()) ++signals;
    CHECK(d.command("u").empty());
  }
  CHECK(signals == 1);
  CHECK(d.facts().starts == 1);
}

// --- back-off ---

TEST_CASE("the back-off lengthens with consecutive failed starts and a good run resets it") {
  Driver d(policy_with([](Policy& p) { p.backoff = Backoff::kExponential; }));
  d.start("u");
  for (const std::int64_t expected : {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000}) {
    d.exited(1);
    CHECK(d.ms_until_due() == expected);
    d.start();
    CHECK(d.start_asked());
  }
  d.run_for(seconds(2));
  d.exited(1);
  CHECK(d.ms_until_due() == 0);
  d.start();
  d.exited(1);
  CHECK(d.ms_until_due() == 1000);
}

TEST_CASE("the jitter stays within its fraction and differs between supervises") {
  std::vector<std::int64_t> delays;
  for (const std::uint32_t seed : {1U, 77U, 4711U, 0U, 0xFFFFFFFFU}) {
    const auto policy = policy_with([](Policy& p) {
      p.backoff = Backoff::kLinear;
      p.backoff_jitter = 0.5;
    });
    const core::Now now{core::Instant(seconds(9)), core::WallTime(seconds(9))};
    core::Machine machine(policy, now, seed);
    (void)machine.step(core::event::Commanded{core::Verb::kUp}, now);
    for (int i = 0; i < 5; ++i) {
      const core::Now then{machine.deadline(), now.wall};
      (void)machine.step(core::event::Due{}, then);
      (void)machine.step(core::event::Started{1}, then);
      (void)machine.step(core::event::Exited{kCrash}, then);
      const auto delay = machine.deadline() - then.mono;
      CHECK(delay <= std::max<core::Nanos>(seconds(i + 1), core::kStartPacing));
      CHECK(delay >= std::max<core::Nanos>(seconds(i + 1) / 2, core::kStartPacing));
      if (i == 4) delays.push_back(delay.count());
    }
  }
  std::sort(delays.begin(), delays.end());
  CHECK(std::unique(delays.begin(), delays.end()) - delays.begin() >= 4);
}

TEST_CASE("with always_back_off the first delay follows a good run as well") {
  Driver d(policy_with([](Policy& p) {
    p.always_back_off = true;
    p.pacing = seconds(0);
    p.backoff = Backoff::kExponential;
    p.backoff_factor = seconds(3);
    p.backoff_max = seconds(20);
    p.startsecs = seconds(60);
  }));
  d.start("u");
  for (int i = 0; i < 2; ++i) {
    for (const std::int64_t expected : {3000, 6000, 12000, 20000, 20000}) {
      d.pass(seconds(30)).exited(1);
      CHECK(d.ms_until_due() == expected);
      d.start();
      CHECK(d.start_asked());
    }
    for (int good = 0; good < 2; ++good) {
      d.pass(seconds(60)).exited(1);
      CHECK(d.ms_until_due() == 3000);
      CHECK(d.machine().restarts() == 1);
      d.start();
    }
  }
}

TEST_CASE("pacing is the shortest time between two starts") {
  struct Row {
    core::Nanos pacing;
    std::int64_t due;
  };
  const Row rows[] = {{seconds(0), 100}, {std::chrono::milliseconds(500), 470}, {seconds(1), 970}, {seconds(5), 4970}};
  for (const auto& row : rows) {
    Driver d(policy_with([&](Policy& p) {
      p.pacing = row.pacing;
      p.backoff = Backoff::kExponential;
      p.backoff_factor = std::chrono::milliseconds(100);
    }));
    d.start("u").pass_ms(30).exited(1);
    CHECK(d.ms_until_due() == row.due);
  }
}

TEST_CASE("commands are obeyed at every moment of every delay") {
  struct Row {
    const char* delay;
    Policy policy;
    void (*lead)(Driver&);
    std::int64_t millis;
  };
  const auto starts_badly = [](Driver& d) { d.start("u").exited(1); };
  const auto backing_off = [](Backoff backoff) { return policy_with([=](Policy& p) { p.backoff = backoff; p.backoff_factor = p.backoff_max = seconds(3600); }); };
  auto unpaced = backing_off(Backoff::kExponential);
  unpaced.pacing = seconds(0);
  auto always = backing_off(Backoff::kLinear);
  always.always_back_off = true;
  const Row rows[] = {
      {"pacing", {}, starts_badly, 1000},
      {"linear", backing_off(Backoff::kLinear), [](Driver& d) { d.start("u").exited(1); d.start().exited(1); }, 2000},
      {"exponential", backing_off(Backoff::kExponential), starts_badly, 3600000},
      {"without pacing", unpaced, starts_badly, 3600000},
      {"after a good run", always, [](Driver& d) { d.start("u").run_for(seconds(9)).exited(1); }, 1000},
      {"a start that fails", {}, [](Driver& d) { d.command("u"); d.due(); d.start_failed(); }, 1000},
      {"a fault of ours", {}, [](Driver& d) { d.command("u"); d.due(); d.deferred(); }, 500},
      {"fatal_retry", policy_with([](Policy& p) { p.startretries = 0; p.fatal_retry = seconds(600); }), starts_badly, 600000},
  };
  for (const auto& row : rows) {
    for (const int permille : {0, 1, 500, 999}) {
      INFO(row.delay << ' ' << permille);
      const auto waiting = [&] {
        Driver d(row.policy);
        row.lead(d);
        CHECK(d.ms_until_due() == row.millis);
        return d.pass(d.until_due() / 1000 * permille);
      };
      auto down = waiting();
      CHECK(down.command("d") == "");
      CHECK(down.state() == State::kStopped);
      CHECK(down.ms_until_due() == -1);
      auto exit = waiting();
      CHECK(exit.command("x") == "exit");
      for (const auto* again : {"u", "o", "du"}) {
        auto up = waiting();
        CHECK(up.command(again) == "");
        CHECK(up.ms_until_due() <= 1000);
        CHECK(up.pass(up.until_due()).due() == "start");
      }
    }
  }
}

// --- whether to restart ---

TEST_CASE("autorestart decides what follows an exit") {
  struct Row {
    Autorestart autorestart;
    int code;
    State next;
    Reason reason;
  };
  const Row rows[] = {
      {Autorestart::kTrue, 0, State::kBackoff, Reason::kPacing},
      {Autorestart::kTrue, 1, State::kBackoff, Reason::kPacing},
      {Autorestart::kFalse, 0, State::kExited, Reason::kNoRestart},
      {Autorestart::kFalse, 1, State::kExited, Reason::kNoRestart},
      {Autorestart::kUnexpected, 0, State::kExited, Reason::kExpectedExit},
      {Autorestart::kUnexpected, 1, State::kBackoff, Reason::kPacing},
  };
  for (const auto& row : rows) {
    Driver d(policy_with([&](Policy& p) { p.autorestart = row.autorestart; }));
    d.start("u").run_for(seconds(2));
    d.exited(row.code);
    CHECK(d.state() == row.next);
    CHECK(d.reason() == row.reason);
    CHECK(d.facts().exit == Outcome::code(row.code));
  }
}

TEST_CASE("without startretries autorestart alone decides on a young death") {
  Driver d(policy_with([](Policy& p) { p.autorestart = Autorestart::kFalse; }));
  d.start("u");
  d.exited(1);
  CHECK(d.state() == State::kExited);
}

TEST_CASE("with startretries a young death is retried whatever autorestart says") {
  Driver d(policy_with([](Policy& p) {
    p.autorestart = Autorestart::kFalse;
    p.startretries = 2;
  }));
  d.start("u");
  d.exited(0);
  CHECK(d.state() == State::kBackoff);
  d.start();
  CHECK(d.exited(0) == "");
  d.start();
  CHECK(d.exited(0) == "give up");
  CHECK(d.state() == State::kFatal);
}

TEST_CASE("once starts a service and does not restart it") {
  Driver d;
  d.start("o").run_for(seconds(2));
  CHECK(d.state() == State::kRunning);
  CHECK(d.facts().want == Want::kOnce);
  d.exited(1);
  CHECK(d.state() == State::kExited);
  CHECK(d.reason() == Reason::kOnce);
  CHECK(d.ms_until_due() == -1);
  d.start("u");
  CHECK(d.start_asked());
}

TEST_CASE("once for a running service lets it run and not restart and up makes it stay again") {
  Driver d;
  d.start("u").run_for(seconds(2));
  CHECK(d.command("o") == "");
  CHECK(d.state() == State::kRunning);
  CHECK(d.command("u") == "");
  d.exited(1);
  CHECK(d.state() == State::kBackoff);
  d.start("").command("o");
  d.exited(1);
  CHECK(d.state() == State::kExited);
}

// --- FATAL ---

TEST_CASE("startretries retries follow the first failed start and then it is FATAL") {
  for (const int retries : {0, 1, 3}) {
    Driver d(policy_with([&](Policy& p) { p.startretries = retries; }));
    d.start("u");
    for (int i = 0; i < retries; ++i) {
      CHECK(d.exited(1) == "");
      CHECK(d.state() == State::kBackoff);
      d.start();
    }
    CHECK(d.exited(1) == "give up");
    CHECK(d.state() == State::kFatal);
    CHECK(d.reason() == Reason::kExitedTooQuickly);
    CHECK(d.ms_until_due() == -1);
  }
}

TEST_CASE("a good run resets startretries and max_restarts") {
  Driver d(policy_with([](Policy& p) {
    p.startretries = 1;
    p.max_restarts = 2;
  }));
  d.start("u");
  for (int i = 0; i < 10; ++i) {
    CHECK(d.exited(1) == "");
    d.start().run_for(seconds(2));
  }
  CHECK(d.state() == State::kRunning);
}

TEST_CASE("max_restarts consecutive restarts and then it gives up") {
  Driver d(policy_with([](Policy& p) { p.max_restarts = 2; }));
  d.start("u");
  CHECK(d.exited(1) == "");
  d.start();
  CHECK(d.exited(1) == "");
  d.start();
  CHECK(d.exited(1) == "give up");
  CHECK(d.state() == State::kFatal);
  CHECK(d.reason() == Reason::kTooManyRestarts);
}

TEST_CASE("up leaves FATAL with clean counters") {
  Driver d(policy_with([](Policy& p) { p.startretries = 1; }));
  d.start("u");
  d.exited(1);
  d.start();
  d.exited(1);
  CHECK(d.state() == State::kFatal);
  d.start("u");
  CHECK(d.start_asked());
  CHECK(d.exited(1) == "");
  CHECK(d.state() == State::kBackoff);
}

TEST_CASE("a FATAL service is tried again after fatal_retry with clean counters") {
  Driver d(policy_with([](Policy& p) {
    p.startretries = 0;
    p.fatal_retry = seconds(30);
  }));
  d.start("u");
  d.exited(1);
  CHECK(d.state() == State::kFatal);
  CHECK(d.ms_until_due() == 30000);
  CHECK(d.facts().next_start.has_value());
  d.pass(seconds(30));
  d.due();
  CHECK(d.state() == State::kBackoff);
  CHECK(d.due() == "start");
  d.started();
  CHECK(d.state() == State::kStarting);
}

TEST_CASE("down in FATAL ends the waiting for fatal_retry") {
  Driver d(policy_with([](Policy& p) {
    p.startretries = 0;
    p.fatal_retry = seconds(30);
  }));
  d.start("u");
  d.exited(1);
  CHECK(d.command("d") == "");
  CHECK(d.state() == State::kStopped);
  CHECK(d.ms_until_due() == -1);
}

TEST_CASE("after fatal_retry the back-off begins again") {
  Driver d(policy_with([](Policy& p) {
    p.startretries = 2;
    p.fatal_retry = seconds(30);
    p.backoff = Backoff::kExponential;
  }));
  d.start("u");
  for (int i = 0; i < 3; ++i) {
    for (const std::int64_t expected : {1000, 2000}) {
      d.exited(1);
      CHECK(d.ms_until_due() == expected);
      d.start();
    }
    d.exited(1);
    CHECK(d.ms_until_due() == 30000);
    d.run_for(seconds(30)).start();
  }
}

// --- starts that fail ---

TEST_CASE("a service that cannot be executed is a failed start and is paced") {
  Driver d;
  d.command("u");
  CHECK(d.due() == "start");
  CHECK(d.start_failed() == "");
  CHECK(d.state() == State::kBackoff);
  CHECK(d.reason() == Reason::kStartFailed);
  CHECK(d.facts().failure.cause == 2);
  CHECK(d.facts().pid == 0);
  CHECK_FALSE(d.facts().exit.has_value());
  CHECK(d.ms_until_due() == 1000);
  d.command("u");
  CHECK(d.ms_until_due() == 1000);
}

TEST_CASE("a start that fails after its process was seen leaves no pid") {
  Driver d;
  d.command("u");
  d.due();
  d.started();
  CHECK(d.start_failed() == "");
  CHECK(d.facts().pid == 0);
  CHECK(d.state() == State::kBackoff);
  CHECK(d.ms_until_due() == 1000);
}

TEST_CASE("failed starts count for startretries and the window but are no exits") {
  Driver d(policy_with([](Policy& p) {
    p.startretries = 5;
    p.alarm_interval = seconds(60);
    p.max_tries = 2;
  }));
  d.command("u");
  d.due();
  CHECK(d.start_failed() == "alarm");
  CHECK(d.facts().tries == 1);
  CHECK(d.facts().exits == 0);
  d.pass(seconds(1)).due();
  CHECK(d.start_failed() == "");
  d.pass(seconds(1)).due();
  CHECK(d.start_failed() == "give up, exit");
  CHECK(d.state() == State::kFatal);
}

TEST_CASE("a fault of ours counts nothing and is retried within a second") {
  Driver d(policy_with([](Policy& p) {
    p.startretries = 0;
    p.max_restarts = 0;
    p.alarm_interval = seconds(60);
    p.max_tries = 1;
    p.backoff = Backoff::kExponential;
  }));
  d.command("u");
  for (int i = 0; i < 100; ++i) {
    CHECK(d.due() == "start");
    CHECK(d.deferred() == "");
    CHECK(d.state() == State::kBackoff);
    CHECK(d.reason() == Reason::kStartDeferred);
    CHECK(d.ms_until_due() > 0);
    CHECK(d.ms_until_due() <= 1000);
    d.pass(d.until_due());
  }
  CHECK(d.facts().tries == 0);
  CHECK(d.facts().exits == 0);
  CHECK(d.due() == "start");
  d.started();
  CHECK(d.state() == State::kStarting);
}

TEST_CASE("no letter makes a deferred start be tried again at once") {
  for (const auto* letters : {"u", "o", "du", "dudu"}) {
    INFO(letters);
    Driver d;
    d.command("u");
    d.due();
    d.deferred();
    d.command(letters);
    CHECK(d.ms_until_due() == 500);
  }
}

TEST_CASE("down while starts are deferred ends the trying") {
  Driver d;
  d.command("u");
  d.due();
  d.deferred();
  d.command("d");
  CHECK(d.state() == State::kStopped);
  CHECK(d.ms_until_due() == -1);
}

// --- stopping ---

TEST_CASE("down sends stopsignal and CONT and after stopwaitsecs KILL") {
  Driver d;
  d.start("u").run_for(seconds(5));
  CHECK(d.command("d") == "TERM, CONT");
  CHECK(d.state() == State::kStopping);
  CHECK(d.ms_until_due() == 10000);
  CHECK(d.command("d") == "");
  d.pass_ms(9999);
  CHECK(d.due() == "");
  CHECK(d.command("d") == "");
  CHECK(d.ms_until_due() == 1);
  d.pass_ms(1);
  CHECK(d.due() == "KILL");
  d.exited(Outcome::signal(SIGKILL, false));
  CHECK(d.state() == State::kStopped);
  CHECK(d.ms_until_due() == -1);
}

TEST_CASE("the stop settings are obeyed") {
  Driver d(policy_with([](Policy& p) {
    p.stopsignal = SIGINT;
    p.stopwaitsecs = seconds(3);
    p.stopasgroup = true;
  }));
  d.start("u");
  CHECK(d.command("d") == "group INT, group CONT");
  CHECK(d.ms_until_due() == 3000);
  d.pass(seconds(3));
  CHECK(d.due() == "group KILL");
}

TEST_CASE("killasgroup kills the group after a stop of the process alone") {
  Driver d(policy_with([](Policy& p) { p.killasgroup = true; }));
  d.start("u");
  CHECK(d.command("d") == "TERM, CONT");
  d.pass(seconds(10));
  CHECK(d.due() == "group KILL");
}

TEST_CASE("with stopwaitsecs 0 no KILL follows") {
  Driver d(policy_with([](Policy& p) { p.stopwaitsecs = seconds(0); }));
  d.start("u");
  CHECK(d.command("d") == "TERM, CONT");
  CHECK(d.ms_until_due() == -1);
  d.pass(seconds(1'000'000));
  CHECK(d.due() == "");
}

TEST_CASE("down in any state without a process makes it stopped") {
  Driver backoff;
  backoff.start("u");
  backoff.exited(1);
  CHECK(backoff.command("d") == "");
  CHECK(backoff.state() == State::kStopped);
  CHECK(backoff.ms_until_due() == -1);
  CHECK_FALSE(backoff.facts().next_start.has_value());
  Driver exited(policy_with([](Policy& p) { p.autorestart = Autorestart::kFalse; }));
  exited.start("u");
  exited.exited(1);
  CHECK(exited.command("d") == "");
  CHECK(exited.state() == State::kStopped);
}

TEST_CASE("an exit that was asked for counts no try and raises no alarm and does not give up") {
  Driver d(policy_with([](Policy& p) {
    p.alarm_interval = seconds(60);
    p.max_tries = 1;
    p.startretries = 0;
    p.max_restarts = 0;
  }));
  d.command("u");
  for (int i = 0; i < 5; ++i) {
    d.start();
    d.command("du");
    CHECK(d.exited(kCore) == "");
    CHECK(d.state() == State::kBackoff);
  }
  CHECK(d.facts().tries == 0);
  CHECK(d.facts().coredumps == 0);
  CHECK(d.facts().exits == 5);
}

// --- exit ---

TEST_CASE("exit waits for the death of the service") {
  Driver d;
  d.start("u").run_for(seconds(5));
  CHECK(d.command("x") == "");
  CHECK(d.state() == State::kRunning);
  CHECK(d.exited(1) == "exit");
  CHECK(d.state() == State::kStopped);
}

TEST_CASE("exit without a process is at once in every state") {
  Driver stopped;
  CHECK(stopped.command("x") == "exit");
  Driver backoff;
  backoff.start("u");
  backoff.exited(1);
  CHECK(backoff.command("x") == "exit");
  CHECK(backoff.state() == State::kStopped);
  CHECK(backoff.ms_until_due() == -1);
  Driver fatal(policy_with([](Policy& p) { p.startretries = 0; }));
  fatal.start("u");
  fatal.exited(1);
  CHECK(fatal.command("x") == "exit");
}

TEST_CASE("down and exit stop the service and end supervise") {
  Driver d;
  d.start("u");
  CHECK(d.command("d") == "TERM, CONT");
  CHECK(d.command("x") == "");
  d.pass(seconds(10));
  CHECK(d.due() == "KILL");
  CHECK(d.exited(Outcome::signal(SIGKILL, false)) == "exit");
}

TEST_CASE("no command takes an exit back") {
  Driver d;
  d.start("u").run_for(seconds(5));
  d.command("dx");
  CHECK(d.command("u") == "");
  CHECK(d.exited(0) == "exit");
  CHECK(d.state() == State::kStopped);
  CHECK(d.ms_until_due() == -1);
  Driver other;
  other.start("u").run_for(seconds(5));
  other.command("xuo");
  CHECK(other.exited(1) == "exit");
}

TEST_CASE("an unasked death during exit is an alarm still") {
  Driver d(policy_with([](Policy& p) { p.alarm_interval = seconds(60); }));
  d.start("u").run_for(seconds(5));
  d.command("x");
  CHECK(d.exited(kCrash) == "exit, alarm");
}

// --- signals and pause ---

TEST_CASE("signals go to the process and to nobody without one") {
  struct Row {
    const char* bytes;
    const char* actions;
  };
  const Row rows[] = {{"t", "TERM"}, {"k", "KILL"}, {"h", "HUP"},   {"i", "INT"},  {"a", "ALRM"}, {"q", "QUIT"},
                      {"1", "USR1"}, {"2", "USR2"}, {"w", "WINCH"}, {"p", "STOP"}, {"c", "CONT"}};
  for (const auto& row : rows) {
    INFO("byte: " << row.bytes);
    Driver d;
    CHECK(d.command(row.bytes) == "");
    d.start("u");
    CHECK(d.command(row.bytes) == row.actions);
    d.exited(1);
    CHECK(d.command(row.bytes) == "");
  }
}

TEST_CASE("a death by a signal from control counts as any other") {
  Driver d(policy_with([](Policy& p) { p.alarm_interval = seconds(60); }));
  d.start("u").run_for(seconds(5));
  CHECK(d.command("k") == "KILL");
  CHECK(d.exited(Outcome::signal(SIGKILL, false)) == "alarm");
  CHECK(d.facts().tries == 1);
  CHECK(d.due() == "start");
}

TEST_CASE("pause lasts until cont or stop or death") {
  Driver d;
  CHECK(d.command("p") == "");
  CHECK_FALSE(d.facts().paused);
  d.start("u").run_for(seconds(5));
  CHECK(d.command("p") == "STOP");
  CHECK(d.facts().paused);
  CHECK(d.command("c") == "CONT");
  CHECK_FALSE(d.facts().paused);
  d.command("p");
  CHECK(d.command("d") == "TERM, CONT");
  CHECK_FALSE(d.facts().paused);
  d.command("p");
  d.exited(0);
  CHECK_FALSE(d.facts().paused);
  d.start("u");
  CHECK_FALSE(d.facts().paused);
}

// --- alarms and giving up ---

TEST_CASE("only the first exit of a window raises an alarm") {
  Driver d(policy_with([](Policy& p) { p.alarm_interval = seconds(60); }));
  d.start("u").run_for(seconds(5));
  CHECK(d.exited(1) == "alarm");
  for (int i = 0; i < 5; ++i) {
    d.start().run_for(seconds(5));
    CHECK(d.exited(1) == "");
  }
  CHECK(d.facts().tries == 6);
  d.start().run_for(seconds(60));
  CHECK(d.exited(1) == "alarm");
  CHECK(d.facts().tries == 1);
}

TEST_CASE("alarms are switched off and on and the facts tell") {
  Driver d;
  CHECK(d.facts().alarms_on);
  CHECK(d.command("s") == "");
  CHECK_FALSE(d.facts().alarms_on);
  CHECK(d.command("n") == "");
  CHECK(d.facts().alarms_on);
}

TEST_CASE("an exit that ends for good raises its alarm too") {
  Driver d(policy_with([](Policy& p) {
    p.alarm_interval = seconds(60);
    p.autorestart = Autorestart::kFalse;
  }));
  d.start("u").run_for(seconds(5));
  CHECK(d.exited(1) == "alarm");
  CHECK(d.state() == State::kExited);
}

TEST_CASE("FATAL raises one alarm and not two") {
  Driver d(policy_with([](Policy& p) {
    p.alarm_interval = seconds(60);
    p.startretries = 0;
  }));
  d.start("u");
  CHECK(d.exited(1) == "give up");
}

TEST_CASE("more than max_tries exits in a window and supervise gives up and exits") {
  Driver d(policy_with([](Policy& p) {
    p.alarm_interval = seconds(60);
    p.max_tries = 2;
  }));
  d.start("u");
  CHECK(d.exited(1) == "alarm");
  d.start();
  CHECK(d.exited(1) == "");
  d.start();
  CHECK(d.exited(1) == "give up, exit");
  CHECK(d.state() == State::kFatal);
  CHECK(d.reason() == Reason::kTooManyExits);
  CHECK(d.facts().pid == 0);
  CHECK(d.ms_until_due() == -1);
}

TEST_CASE("max_tries_if_coredumped core dumps and supervise gives up") {
  Driver d(policy_with([](Policy& p) {
    p.alarm_interval = seconds(60);
    p.max_tries_if_coredumped = 2;
  }));
  d.start("u");
  CHECK(d.exited(kCore) == "alarm");
  d.start();
  CHECK(d.exited(kCrash) == "");
  d.start();
  CHECK(d.exited(kCore) == "give up, exit");
  CHECK(d.reason() == Reason::kTooManyCoreDumps);
}

TEST_CASE("up clears the counters of the window") {
  Driver d(policy_with([](Policy& p) {
    p.alarm_interval = seconds(60);
    p.max_tries = 1;
  }));
  d.start("u");
  for (int i = 0; i < 5; ++i) {
    CHECK(d.exited(1) == "alarm");
    d.start("u");
  }
}

TEST_CASE("without an alarm interval there are no limits and no alarms") {
  Driver d(policy_with([](Policy& p) {
    p.max_tries = 1;
    p.max_tries_if_coredumped = 1;
  }));
  d.start("u");
  for (int i = 0; i < 20; ++i) {
    CHECK(d.exited(kCore) == "");
    d.start();
  }
}

// --- the restart script ---

TEST_CASE("the restart script runs after every exit and before the restart") {
  Driver d({}, true);
  d.start("u").run_for(seconds(5));
  CHECK(d.exited(1) == "hook 1");
  CHECK(d.state() == State::kBackoff);
  CHECK(d.reason() == Reason::kHook);
  CHECK(d.ms_until_due() == -1);
  d.pass(seconds(3));
  CHECK(d.due() == "");
  CHECK(d.hook_ended() == "");
  CHECK(d.due() == "start");
  d.started();
  d.run_for(seconds(5));
  CHECK(d.exited(1) == "hook 2");
}

TEST_CASE("the number of the restart script starts again after a long pause between exits") {
  Driver d({}, true, seconds(60));
  d.start("u");
  for (const auto* expected : {"hook 1", "hook 2", "hook 3"}) {
    d.run_for(seconds(19));
    CHECK(d.exited(1) == expected);
    d.hook_ended();
    d.start();
  }
  d.run_for(seconds(60));
  CHECK(d.exited(1) == "hook 1");
}

TEST_CASE("commands are obeyed while the restart script runs") {
  Driver d({}, true);
  d.start("u").run_for(seconds(5));
  d.exited(1);
  CHECK(d.command("d") == "");
  CHECK(d.state() == State::kStopped);
  CHECK(d.command("u") == "");
  CHECK(d.ms_until_due() == -1);
  CHECK(d.command("x") == "exit");
  d.hook_ended();
  CHECK(d.hook_ended() == "");
}

TEST_CASE("the restart script runs after a stop as well and a failed start runs none") {
  Driver d({}, true);
  d.start("u").run_for(seconds(5));
  d.command("d");
  CHECK(d.exited(0) == "hook 1");
  d.hook_ended();
  d.command("u");
  CHECK(d.due() == "start");
  CHECK(d.start_failed() == "");
}

// --- what a service leaves behind ---

Policy ends_tree(auto change) {
  return policy_with([&](Policy& p) {
    p.kill_tree = true;
    change(p);
  });
}
Policy ends_tree() {
  return ends_tree([](Policy&) {});
}

TEST_CASE("with kill_tree the start waits for the end of what the service left behind") {
  Driver d(ends_tree());
  d.start("u").run_for(seconds(5));
  CHECK(d.exited(1) == "end tree");
  CHECK(d.state() == State::kBackoff);
  CHECK(d.reason() == Reason::kTree);
  CHECK(d.ms_until_due() == -1);
  CHECK(d.pass(seconds(100)).due() == "");
  CHECK(d.tree_ended() == "");
  CHECK(d.reason() == Reason::kPacing);
  CHECK(d.due() == "start");
}

TEST_CASE("the start waits for the restart script and the tree whichever ends first") {
  Driver tree_first(ends_tree(), true);
  tree_first.start("u").run_for(seconds(5));
  CHECK(tree_first.exited(1) == "end tree, hook 1");
  CHECK(tree_first.reason() == Reason::kTree);
  tree_first.tree_ended();
  CHECK(tree_first.reason() == Reason::kHook);
  CHECK(tree_first.due() == "");
  tree_first.hook_ended();
  CHECK(tree_first.due() == "start");
  Driver hook_first(ends_tree(), true);
  hook_first.start("u").run_for(seconds(5)).exited(1);
  hook_first.hook_ended();
  CHECK(hook_first.reason() == Reason::kTree);
  CHECK(hook_first.due() == "");
  hook_first.tree_ended();
  CHECK(hook_first.due() == "start");
}

TEST_CASE("a service that is STOPPED says so long as its tree is ended") {
  Driver d(policy_with([](Policy& p) { p.kill_tree = true; }));
  d.start("u").run_for(seconds(5)).command("d");
  d.exited(0);
  CHECK(d.state() == State::kStopped);
  CHECK(d.reason() == Reason::kTree);
  d.tree_ended();
  CHECK(d.reason() == Reason::kNone);
}

TEST_CASE("a start that failed late leaves no pause for the next one") {
  for (const bool is_fault_of_ours : {false, true}) {
    Driver d;
    d.start("u").command("p");
    REQUIRE(d.facts().paused);
    is_fault_of_ours ? d.deferred() : d.start_failed();
    CHECK_FALSE(d.facts().paused);
  }
}

TEST_CASE("tries end with their window and need no other event for it") {
  Driver d;
  d.start("u").run_for(seconds(5)).exited(1);
  d.start().run_for(seconds(5)).exited(1);
  d.start().run_for(seconds(5));
  CHECK(d.facts().tries == 2);
  CHECK(d.machine().window_end() == core::after(d.now().mono, seconds(60 - 10)));
  d.run_for(seconds(50));
  CHECK(d.facts().tries == 0);
  CHECK(d.machine().window_end() == core::kNever);
  CHECK(d.state() == State::kRunning);
}

TEST_CASE("a delay goes on while the tree is ended") {
  Driver d(ends_tree());
  d.start("u").exited(1);
  CHECK(d.facts().next_start.has_value());
  d.pass_ms(400).tree_ended();
  CHECK(d.reason() == Reason::kExitedTooQuickly);
  CHECK(d.ms_until_due() == 600);
}

TEST_CASE("commands are obeyed while the tree is ended") {
  Driver d(ends_tree());
  d.start("u").run_for(seconds(5)).exited(1);
  CHECK(d.command("u") == "");
  CHECK(d.ms_until_due() == -1);
  CHECK(d.command("d") == "");
  CHECK(d.state() == State::kStopped);
  CHECK(d.command("o") == "");
  CHECK(d.reason() == Reason::kTree);
  CHECK(d.pass(seconds(5)).due() == "");
  d.tree_ended();
  CHECK(d.due() == "start");
  Driver leaving(ends_tree());
  leaving.start("u").run_for(seconds(5)).exited(1);
  CHECK(leaving.command("x") == "exit");
  CHECK(leaving.tree_ended() == "");
  CHECK(leaving.ms_until_due() == -1);
}

TEST_CASE("the tree is ended after every exit and after nothing else") {
  Driver stopped(ends_tree());
  stopped.start("u").run_for(seconds(5)).command("d");
  CHECK(stopped.exited(0) == "end tree");
  CHECK(stopped.state() == State::kStopped);
  Driver once(ends_tree());
  once.start("o").run_for(seconds(5));
  CHECK(once.exited(0) == "end tree");
  CHECK(once.state() == State::kExited);
  Driver leaving(ends_tree());
  leaving.start("u").command("dx");
  CHECK(leaving.exited(0) == "end tree, exit");
  Driver given_up(ends_tree([](Policy& p) { p.startretries = 0; }));
  given_up.start("u");
  CHECK(given_up.exited(0) == "end tree, give up");
  Driver unable(ends_tree());
  unable.command("u");
  unable.due();
  CHECK(unable.deferred() == "");
  unable.pass(seconds(1)).due();
  CHECK(unable.start_failed() == "");
  Driver without;
  without.start("u");
  CHECK(without.exited(0) == "");
}

// --- another process becomes the service ---

TEST_CASE("when another process is the service the signals go to it and its end is the end") {
  Driver d;
  d.start("u").run_for(seconds(5));
  const auto before = d.facts();
  CHECK(d.main_changed(5000) == "");
  auto after = d.facts();
  CHECK(after.pid == 5000);
  CHECK(d.machine().pid() == 5000);
  after.pid = before.pid;
  CHECK((after == before));
  CHECK(d.command("d") == "TERM, CONT");
  d.exited(0);
  CHECK(d.facts().pid == 0);
  CHECK(d.state() == State::kStopped);
}

TEST_CASE("another process that is the service while it stops is told to stop as well") {
  struct Row {
    const char* what;
    std::string (*stop)(Driver&);
    const char* actions;
  };
  const Row rows[] = {
      {"down", [](Driver& d) { return d.command("d"); }, "group INT, group CONT"},
      {"a hang", [](Driver& d) { return d.notified("WATCHDOG=trigger"); }, "group INT, group CONT"},
      {"of its own accord", [](Driver& d) { return d.notified("STOPPING=1"); }, ""},
      {"of its own accord and down", [](Driver& d) { return d.notified("STOPPING=1"), d.command("d"); }, "group INT, group CONT"},
  };
  for (const auto& row : rows) {
    INFO(row.what);
    Driver d(policy_with([](Policy& p) {
      p.stopsignal = SIGINT;
      p.stopasgroup = true;
    }));
    d.start("u").run_for(seconds(5));
    CHECK(row.stop(d) == row.actions);
    CHECK(d.pass(seconds(4)).main_changed(5000) == row.actions);
    CHECK(d.state() == State::kStopping);
    CHECK(d.ms_until_due() == 6000);
    CHECK(d.pass(seconds(6)).due() == "group KILL");
  }
}

TEST_CASE("no process is the service of a machine without one") {
  Driver d;
  CHECK(d.main_changed(5000) == "");
  CHECK(d.facts().pid == 0);
  d.start("u").exited(1);
  d.main_changed(5000);
  CHECK(d.facts().pid == 0);
  CHECK(d.start().facts().pid == Driver::kPid);
}

// --- reload and facts ---

TEST_CASE("reload is asked for and new settings count from then on") {
  Driver d;
  CHECK(d.command("r") == "reload");
  d.start("u").run_for(seconds(5));
  const auto policy = policy_with([](Policy& p) {
    p.stopsignal = SIGQUIT;
    p.autorestart = Autorestart::kFalse;
  });
  CHECK(d.send(core::event::Reconfigured{policy}) == "");
  CHECK(d.state() == State::kRunning);
  CHECK(d.command("d") == "QUIT, CONT");
  Driver e;
  e.start("u").run_for(seconds(5));
  e.send(core::event::Reconfigured{policy});
  e.exited(1);
  CHECK(e.state() == State::kExited);
}

TEST_CASE("the facts follow the life of a service") {
  Driver d;
  const auto first = d.now().wall;
  CHECK((d.facts().stamp == first));
  d.pass(seconds(3)).start("u");
  CHECK(d.facts().starts == 1);
  CHECK((d.facts().started == first + seconds(3)));
  CHECK((d.facts().stamp == first + seconds(3)));
  d.run_for(seconds(4));
  CHECK((d.facts().since == first + seconds(7)));
  CHECK((d.facts().stamp == first + seconds(3)));
  d.pass(seconds(1)).exited(7);
  CHECK(d.facts().exits == 1);
  CHECK(d.facts().exit == Outcome::code(7));
  CHECK((d.facts().stamp == first + seconds(8)));
  CHECK((d.facts().started == first + seconds(3)));
  CHECK(d.facts().next_start.has_value());
  d.start_failed();
  CHECK(d.facts().exit == Outcome::code(7));
}

TEST_CASE("steps of the wall clock change no delay in any state") {
  for (const auto by : {seconds(-50LL * 365 * 86400), seconds(-365 * 86400), seconds(365 * 86400), seconds(50LL * 365 * 86400)}) {
    Driver d(policy_with([](Policy& p) {
      p.backoff = Backoff::kLinear;
      p.alarm_interval = seconds(60);
      p.startretries = 1;
      p.fatal_retry = seconds(30);
    }));
    const auto step = [&](std::int64_t expected) {
      CHECK(d.ms_until_due() == expected);
      d.step_wall_clock(by);
      CHECK(d.due() == "");
      CHECK(d.ms_until_due() == expected);
      d.step_wall_clock(-by);
    };
    d.start("u");
    step(1000);
    d.run_for(seconds(5));
    step(-1);
    d.exited(1);
    d.start();
    d.pass_ms(200).exited(1);
    step(1000);
    d.start().pass_ms(200).exited(1);
    CHECK(d.state() == State::kFatal);
    step(30000);
    d.start("u");
    d.command("d");
    step(10000);
  }
}

TEST_CASE("events that do not fit are taken without harm") {
  Driver d;
  CHECK(d.exited(1) == "");
  CHECK(d.facts().exits == 0);
  CHECK(d.hook_ended() == "");
  CHECK(d.tree_ended() == "");
  CHECK(d.start_failed() == "");
  CHECK(d.state() == State::kStopped);
  CHECK(d.due() == "");
}

TEST_CASE("every state and reason has words") {
  for (int i = 0; i <= static_cast<int>(State::kFatal); ++i) CHECK_FALSE(core::to_text(static_cast<State>(i)).empty());
  CHECK(core::to_text(Reason::kNone).empty());
  for (int i = 1; i <= static_cast<int>(Reason::kTooManyRestarts); ++i) CHECK_FALSE(core::to_text(static_cast<Reason>(i)).empty());
}

}  // namespace
