// Random lives of core::Machine against what must hold in each of them. A failure prints the seed of its life, which
// reproduces it.
#include <algorithm>
#include <csignal>

#include "catch.h"
#include "core/machine.h"

namespace {

using core::Action;
using core::Instant;
using core::Nanos;
using core::State;

constexpr int kLives = 30'000;
constexpr int kEventsALife = 40;

// A linear congruential generator: the same numbers everywhere.
class Random {
 public:
  explicit Random(std::uint32_t seed) : state_(seed * 2654435761U + 12345U) {}
  std::uint32_t below(std::uint32_t n) {
    state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<std::uint32_t>(state_ >> 33) % n;
  }
  bool one_in(std::uint32_t n) { return below(n) == 0; }

 private:
  std::uint64_t state_;
};

core::Policy random_policy(Random& random) {
  core::Policy policy;
  policy.autorestart = static_cast<core::Autorestart>(random.below(3));
  policy.startsecs = std::chrono::milliseconds(random.below(4) * 700);
  policy.startretries = static_cast<int>(random.below(4)) - 1;
  policy.backoff = static_cast<core::Backoff>(random.below(3));
  policy.backoff_jitter = random.below(3) * 0.5;
  policy.max_restarts = static_cast<int>(random.below(6)) - 1;
  policy.fatal_retry = core::seconds(random.below(2) * 20);
  policy.stopwaitsecs = core::seconds(random.below(3) * 5);
  policy.stopasgroup = random.one_in(2);
  policy.killasgroup = random.one_in(2);
  policy.alarm_interval = core::seconds(random.below(2) * 60);
  policy.max_tries = random.below(4) * 2;
  policy.max_tries_if_coredumped = random.below(3);
  return policy;
}

class Life {
 public:
  explicit Life(std::uint32_t seed) : random_(seed), policy_(random_policy(random_)), machine_(policy_, now_, seed) {
    reconfigure();
  }

  // What was wrong; empty if nothing was.
  std::string live() {
    for (int i = 0; i < kEventsALife && wrong_.empty() && !exited_; ++i) {
      pass_time();
      random_event();
      settle();
      check();
    }
    return wrong_;
  }

 private:
  void pass_time() {
    const Nanos left = machine_.deadline() == core::kNever ? core::seconds(random_.below(100)) : machine_.deadline() - now_.mono;
    switch (random_.below(6)) {
      case 0: return;
      case 1: return advance(std::chrono::milliseconds(random_.below(400)));
      case 2: return advance(core::seconds(random_.below(90)));
      case 3: return advance(left - Nanos(1));
      default: return advance(left);
    }
  }
  // Time never passes a deadline without a look at the machine, as wait() returns there.
  void advance(Nanos time) {
    const Instant until = now_.mono + std::max(time, Nanos::zero());
    while (machine_.deadline() < until && wrong_.empty() && !exited_) {
      now_.mono = std::max(now_.mono, machine_.deadline());
      settle();
    }
    if (now_.mono < until) now_.mono = until;
    now_.wall += core::seconds(static_cast<std::int64_t>(random_.below(2'000'000)) - 1'000'000);
  }

  void random_event() {
    const auto commands = core::commands();
    switch (random_.below(8)) {
      case 0:
        if (pid_ != 0) return exit_service();
        break;
      case 1:
        if (hook_) {
          hook_ = false;
          return send(core::event::HookEnded{});
        }
        break;
      case 2:
        if (random_.one_in(4)) return reconfigure();
        break;
      case 3:
      case 4: return command(commands[random_.below(3)]);
      case 5: return command(commands[random_.below(static_cast<std::uint32_t>(commands.size()))]);
      default: break;
    }
    if (pid_ != 0 && random_.one_in(2)) exit_service();
  }

  void command(const core::Command& command) {
    if (command.verb == core::Verb::kExit && !random_.one_in(4)) return;
    if (command.verb == core::Verb::kDown && pid_ != 0 && !stop_) stop_ = Stop{now_.mono, policy_.stopwaitsecs, false, false};
    exiting_ = exiting_ || command.verb == core::Verb::kExit;
    send(core::event::Commanded{command.verb, command.signal});
    if (command.verb == core::Verb::kDown && stop_ && stop_->began == now_.mono && !stop_->told) fail("no stop signal after down");
  }

  void exit_service() {
    pid_ = 0;
    stop_.reset();
    const auto outcome = random_.one_in(2) ? core::Outcome::code(static_cast<int>(random_.below(2))) : core::Outcome::signal(SIGSEGV, random_.one_in(2));
    send(core::event::Exited{outcome});
  }

  void reconfigure() {
    if (!stop_) policy_ = random_policy(random_);
    hook_wanted_ = random_.one_in(3);
    send(core::event::Reconfigured{policy_, hook_wanted_, core::seconds(random_.below(2) * 60)});
  }

  // Due until nothing is due: this must come to an end.
  void settle() {
    for (int i = 0; wrong_.empty() && !exited_ && machine_.deadline() <= now_.mono; ++i) {
      if (i == 5) return fail("a spin: the deadline does not move");
      send(core::event::Due{});
    }
  }

  void send(const core::Event& event) {
    const auto actions = machine_.step(event, now_);
    if (actions.size() == 8) fail("too many actions to be sure that none was lost");
    for (const auto& action : actions)
      if (wrong_.empty()) execute(action);
  }

  void execute(const Action& action) {
    switch (action.kind) {
      case Action::Kind::kStart: return start();
      case Action::Kind::kSignal:
      case Action::Kind::kSignalGroup:
        if (pid_ == 0) return fail("a signal without a process");
        if (stop_ && action.value != SIGCONT) stop_->told = true;
        if (stop_ && action.value == SIGKILL) stop_->killed = true;
        return;
      case Action::Kind::kHook:
        if (hook_ || !hook_wanted_) fail("a restart script that was not to run");
        hook_ = true;
        return;
      case Action::Kind::kExit:
        if (pid_ != 0) fail("exit with a process");
        exited_ = true;
        return;
      case Action::Kind::kAlarm:
      case Action::Kind::kGiveUp:
        if (policy_.alarm_interval == Nanos::zero() && action.kind == Action::Kind::kAlarm) fail("an alarm without an interval");
        return;
      case Action::Kind::kReload: return reconfigure();
    }
  }

  void start() {
    if (pid_ != 0) return fail("a start beside a process");
    if (hook_) return fail("a start beside the restart script");
    if (machine_.facts().want == core::Want::kDown) return fail("a start that nobody wants");
    if (exiting_) return fail("a start while exiting");
    if (last_start_ && now_.mono - *last_start_ < core::kStartPacing) return fail("two starts within a second");
    if (last_deferred_ && *last_deferred_ == now_.mono && ++deferred_at_once_ > 3) return fail("a deferred start is tried at once");
    const auto kind = random_.below(8);
    if (kind == 0) {
      last_deferred_ = now_.mono;
      deferred_at_once_ = 0;
      return send(core::event::StartDeferred{{core::Stage::kFork, 11}});
    }
    last_start_ = now_.mono;
    if (kind == 1) return send(core::event::StartFailed{{core::Stage::kExec, 2}});
    pid_ = ++last_pid_;
    send(core::event::Started{pid_});
    if (kind != 2) return;
    pid_ = 0;
    send(core::event::StartFailed{{core::Stage::kExec, 13}});
  }

  void check() {
    if (!wrong_.empty()) return;
    const auto facts = machine_.facts();
    const bool waits = machine_.deadline() != core::kNever;
    if (machine_.pid() != pid_ || facts.pid != pid_) return fail("the process is lost");
    if (exited_) return;
    const bool has_process = facts.state == State::kStarting || facts.state == State::kRunning || facts.state == State::kStopping;
    if (has_process != (pid_ != 0)) return fail("a state that does not fit the process");
    if (facts.state == State::kBackoff && !hook_ && !waits) return fail("BACKOFF without a deadline");
    if (facts.state == State::kStarting && !waits) return fail("STARTING without a deadline");
    if (facts.state == State::kFatal && facts.next_start.has_value() != waits) return fail("FATAL that does not know its deadline");
    if (facts.state == State::kBackoff && !facts.next_start) return fail("BACKOFF without next_start");
    if (facts.want == core::Want::kDown && pid_ == 0 && facts.state != State::kStopped) return fail("wanted down and neither stopped nor stopping");
    if (facts.want == core::Want::kUp && pid_ == 0 && facts.state == State::kStopped && facts.starts != 0) return fail("wanted up and forgotten");
    if (facts.paused && pid_ == 0) return fail("paused without a process");
    if (!stop_ || stop_->limit == Nanos::zero() || stop_->killed) return;
    if (now_.mono >= stop_->began + stop_->limit) return fail("no KILL after stopwaitsecs");
    if (machine_.deadline() != stop_->began + stop_->limit) return fail("the deadline of the KILL was moved");
  }

  void fail(const char* what) {
    if (wrong_.empty()) wrong_ = what;
  }

  struct Stop {
    Instant began;
    Nanos limit;
    bool told, killed;
  };

  Random random_;
  core::Now now_{Instant(core::seconds(1000)), core::WallTime(core::seconds(1'795'197'787))};
  core::Policy policy_;
  core::Machine machine_;
  std::string wrong_;
  std::int32_t pid_ = 0, last_pid_ = 0;
  bool hook_ = false, hook_wanted_ = false, exited_ = false, exiting_ = false;
  std::optional<Stop> stop_;
  std::optional<Instant> last_start_, last_deferred_;
  int deferred_at_once_ = 0;
};

TEST_CASE("random lives of the machine keep its invariants") {
  for (std::uint32_t seed = 1; seed <= kLives; ++seed) {
    const auto wrong = Life(seed).live();
    if (wrong.empty()) continue;
    INFO("seed " << seed);
    REQUIRE(wrong == "");
  }
}

}  // namespace
