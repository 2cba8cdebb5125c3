#include "fault/machine_life.h"

#include <algorithm>
#include <csignal>
#include <optional>

#include "core/machine.h"

namespace sim {
namespace {

using core::Action;
using core::Instant;
using core::Nanos;
using core::Reason;
using core::State;

constexpr Nanos kDeferral = std::chrono::milliseconds(500);

// No heartbeat is waited for longer: the sum of the longest times below.
constexpr Nanos kLongestTrust = core::seconds(20 + 30 + 60);

// A supervise paces all its life, or backs off all its life.
core::Policy random_policy(Choices& random, bool paced) {
  core::Policy policy;
  policy.autorestart = static_cast<core::Autorestart>(random.below(3));
  policy.startsecs = std::chrono::milliseconds(random.below(4) * 700);
  if (random.one_in(4)) policy.startsecs = core::seconds(60);
  policy.startretries = static_cast<int>(random.below(4)) - 1;
  policy.backoff = static_cast<core::Backoff>(random.below(3));
  policy.backoff_jitter = random.below(3) * 0.5;
  if (!paced) {
    policy.pacing = Nanos::zero();
    policy.backoff = core::Backoff::kExponential;
    policy.backoff_factor = std::chrono::milliseconds(1 + random.below(3) * 500);
    policy.backoff_jitter = 0;
  }
  policy.always_back_off = !paced || random.one_in(4);
  policy.max_restarts = static_cast<int>(random.below(6)) - 1;
  policy.fatal_retry = core::seconds(random.below(2) * 20);
  policy.stopwaitsecs = core::seconds(random.below(3) * 5);
  policy.stopasgroup = random.one_in(2);
  policy.killasgroup = random.one_in(2);
  policy.kill_tree = random.one_in(3);
  policy.heartbeat = random.one_in(2);
  policy.heartbeat_timeout = core::seconds(1 + random.below(3) * 9);
  policy.heartbeat_delay = core::seconds(random.below(3) * 15);
  policy.tells_ready = random.one_in(2);
  policy.ready_timeout = core::seconds(random.below(3) * 10);
  policy.watchdog = core::seconds(random.below(3) * 4);
  policy.alarm_interval = core::seconds(random.below(2) * 60);
  policy.max_tries = random.below(4) * 2;
  policy.max_tries_if_coredumped = random.below(3);
  return policy;
}

core::Notification random_message(Choices& random) {
  core::Notification message;
  message.ready = random.one_in(4);
  message.stopping = random.one_in(12);
  message.watchdog = random.one_in(2);
  message.watchdog_trigger = random.one_in(16);
  if (random.one_in(6)) message.watchdog_timeout = core::seconds(random.below(3) * 5);
  if (random.one_in(6)) message.extension = core::seconds(random.below(3) * 30);
  return message;
}

class Life {
 public:
  explicit Life(Choices& choices)
      : random_(choices), paced_(!random_.one_in(4)), policy_(random_policy(random_, paced_)), machine_(policy_, now_, random_.below(256)) {
    reconfigure();
  }

  // What was wrong; empty if nothing was.
  std::string live(int events) {
    for (int i = 0; i < events && wrong_.empty() && !exited_ && !random_.ended(); ++i) {
      pass_time();
      random_event();
      settle();
      check();
    }
    return wrong_;
  }

 private:
  struct Stop {
    Instant kill_due;
    bool itself, killed;
  };

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
      check();
    }
    if (now_.mono < until) now_.mono = until;
    now_.wall += core::seconds(static_cast<std::int64_t>(random_.below(2'000'000)) - 1'000'000);
  }

  void random_event() {
    const auto commands = core::commands();
    switch (random_.below(13)) {
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
        if (tree_) {
          tree_ = false;
          return send(core::event::TreeEnded{});
        }
        break;
      case 3:
        if (random_.one_in(4)) return reconfigure();
        break;
      case 4:
      case 5: return command(commands[random_.below(3)]);
      case 6: return command(commands[random_.below(static_cast<std::uint32_t>(commands.size()))]);
      case 7:
        be_ready();
        return send(core::event::Ready{});
      case 8:
      case 9: return notify(random_message(random_));
      case 10: return change_main();
      default: break;
    }
    if (pid_ != 0 && random_.one_in(3)) exit_service();
  }

  void command(const core::Command& command) {
    if (command.verb == core::Verb::kExit && !random_.one_in(4)) return;
    const bool down = command.verb == core::Verb::kDown;
    const bool tells = down && pid_ != 0 && (!stop_ || stop_->itself);
    exiting_ = exiting_ || command.verb == core::Verb::kExit;
    const bool continues = command.verb == core::Verb::kPause || command.verb == core::Verb::kContinue;
    if (machine_.facts().paused && continues) {
      put_off(watchdog_due_, watchdog_);
      put_off(ready_due_, policy_.ready_timeout);
    }
    send(core::event::Commanded{command.verb, command.signal});
    if (tells && !told_) fail("no stop signal after down");
    if (down && stop_) stop_->itself = false;
  }

  void change_main() {
    const bool tells = stop_ && !stop_->itself;
    const bool anew = stop_ && stop_->killed && policy_.stopwaitsecs != Nanos::zero();
    if (pid_ != 0 && anew) stop_ = Stop{core::after(now_.mono, policy_.stopwaitsecs), stop_->itself, false};
    if (pid_ != 0) pid_ = ++last_pid_;
    send(core::event::MainChanged{pid_ != 0 ? pid_ : 4711});
    if (tells && !told_) fail("another process is the service and is not told to stop");
  }

  void notify(const core::Notification& message) {
    if (message.ready) be_ready();
    if (message.watchdog_timeout) watchdog_ = *message.watchdog_timeout;
    if (message.watchdog_timeout || message.watchdog) arm_watchdog();
    if (message.extension) put_off(watchdog_due_, *message.extension);
    if (message.extension) put_off(ready_due_, *message.extension);
    send(core::event::Notified{message});
    if (stop_ && !stop_->killed && stop_->kill_due != core::kNever && message.extension)
      stop_->kill_due = std::max(stop_->kill_due, core::after(now_.mono, *message.extension));
  }
  void be_ready() {
    ready_due_ = core::kNever;
    arm_watchdog();
  }
  void arm_watchdog() {
    const bool counts = pid_ != 0 && !stop_ && watchdog_ != Nanos::zero();
    watchdog_due_ = counts ? now_.mono + watchdog_ : core::kNever;
  }
  void put_off(Instant& due, Nanos time) const {
    if (due != core::kNever) due = std::max(due, now_.mono + time);
  }

  void exit_service() {
    pid_ = 0;
    forget_service();
    tree_wanted_ = policy_.kill_tree;
    const auto outcome = random_.one_in(2) ? core::Outcome::code(static_cast<int>(random_.below(2))) : core::Outcome::signal(SIGSEGV, random_.one_in(2));
    send(core::event::Exited{outcome});
    if (tree_wanted_) fail("what the service left behind is not ended");
  }

  void forget_service() {
    stop_.reset();
    watchdog_due_ = ready_due_ = core::kNever;
  }

  void reconfigure() {
    if (!stop_) policy_ = random_policy(random_, paced_);
    hook_wanted_ = random_.one_in(3);
    send(core::event::Reconfigured{policy_, hook_wanted_, core::seconds(random_.below(2) * 60)});
  }

  // Due until nothing is due: this must come to an end.
  void settle() {
    for (int i = 0; wrong_.empty() && !exited_ && machine_.deadline() <= now_.mono; ++i) {
      if (i == 5) return fail("a spin: the deadline does not move");
      settling_ = true;
      send(core::event::Due{});
      settling_ = false;
    }
  }

  void send(const core::Event& event) {
    told_ = false;
    const bool paused = machine_.facts().paused;
    const auto actions = machine_.step(event, now_);
    if (actions.size() == 8) fail("too many actions to be sure that none was lost");
    for (const auto& action : actions)
      if (wrong_.empty()) execute(action);
    const auto facts = machine_.facts();
    if (stop_ || facts.state != State::kStopping) return;
    // It was stopped by the machine, or stops itself.
    const auto limit = policy_.stopwaitsecs;
    stop_ = Stop{limit == Nanos::zero() ? core::kNever : now_.mono + limit, facts.reason == Reason::kStopsItself, false};
    watchdog_due_ = ready_due_ = core::kNever;
    if (!stop_->itself && !told_) fail("stopping without a stop signal");
    if (stop_->itself && told_) fail("a stop signal for a service that stops itself");
    if (paused && std::holds_alternative<core::event::Due>(event)) fail("a paused service is taken for one that hangs");
  }

  void execute(const Action& action) {
    switch (action.kind) {
      case Action::Kind::kStart: return start();
      case Action::Kind::kSignal:
      case Action::Kind::kSignalGroup:
        if (pid_ == 0) return fail("a signal without a process");
        if (action.value == SIGTERM) told_ = true;
        if (stop_ && action.value == SIGKILL) kill(*stop_);
        return;
      case Action::Kind::kHook:
        if (hook_ || !hook_wanted_) fail("a restart script that was not to run");
        hook_ = true;
        return;
      case Action::Kind::kEndTree:
        if (tree_ || !tree_wanted_) fail("a tree that was not to be ended");
        tree_ = true;
        tree_wanted_ = false;
        return;
      case Action::Kind::kCheckHeartbeat: return check_heartbeat();
      case Action::Kind::kExit:
        if (pid_ != 0) fail("exit with a process");
        exited_ = true;
        return;
      case Action::Kind::kAlarm:
      case Action::Kind::kGiveUp:
        if (policy_.alarm_interval == Nanos::zero() && action.kind == Action::Kind::kAlarm) fail("an alarm without an interval");
        return;
      case Action::Kind::kUpgrade:
      case Action::Kind::kRotate: return;
      case Action::Kind::kReload: return reconfigure();
    }
  }

  void kill(Stop& stop) {
    if (!settling_) return;    // it was asked for with `k`, and changes nothing about the other
    if (now_.mono < stop.kill_due) fail("a KILL before its time");
    stop.killed = true;
  }

  void check_heartbeat() {
    const auto facts = machine_.facts();
    if (!policy_.heartbeat || pid_ == 0 || stop_ || facts.paused) return fail("a look at a heartbeat that nobody owes");
    std::optional<Instant> last;
    if (!random_.one_in(4)) last = now_.mono - std::chrono::milliseconds(random_.below(4) * 700);
    send(core::event::HeartbeatChecked{last});
    if (!stop_ && last < now_.mono - policy_.heartbeat_timeout) fail("a hang is not seen");
    if (!stop_ && machine_.deadline() <= now_.mono) fail("a second look at once");
  }

  void start() {
    if (pid_ != 0) return fail("a start beside a process");
    if (hook_) return fail("a start beside the restart script");
    if (tree_) return fail("a start beside what the service left behind");
    if (machine_.facts().want == core::Want::kDown) return fail("a start that nobody wants");
    if (exiting_) return fail("a start while exiting");
    if (last_start_ && now_.mono - *last_start_ < policy_.pacing) return fail("two starts within a second");
    if (last_deferred_ && now_.mono < *last_deferred_ + kDeferral) return fail("a deferred start is tried at once");
    const auto kind = random_.below(8);
    if (kind == 0) {
      last_deferred_ = now_.mono;
      return send(core::event::StartDeferred{{core::Stage::kFork, 11}});
    }
    last_start_ = now_.mono;
    if (kind == 1) return send(core::event::StartFailed{{core::Stage::kExec, 2}});
    pid_ = ++last_pid_;
    watchdog_ = policy_.watchdog;
    tells_ready_ = policy_.tells_ready;
    if (tells_ready_ && policy_.ready_timeout != Nanos::zero()) ready_due_ = now_.mono + policy_.ready_timeout;
    send(core::event::Started{pid_});
    if (kind != 2) return;
    pid_ = 0;
    forget_service();
    send(core::event::StartFailed{{core::Stage::kExec, 13}});
  }

  void check() {
    if (!wrong_.empty()) return;
    const auto facts = machine_.facts();
    const bool waits = machine_.deadline() != core::kNever;
    if (machine_.pid() != pid_ || facts.pid != pid_) return fail("the process is lost");
    if (exited_) return;
    const bool alive = facts.state == State::kStarting || facts.state == State::kRunning;
    if ((alive || facts.state == State::kStopping) != (pid_ != 0)) return fail("a state that does not fit the process");
    if (facts.state == State::kBackoff && waits == (hook_ || tree_)) return fail("BACKOFF with the wrong thing to wait for");
    if (facts.state == State::kBackoff && (facts.reason == Reason::kTree) != tree_) return fail("BACKOFF with the wrong reason");
    if (facts.state == State::kStarting && !waits) return fail("STARTING without a deadline");
    if (facts.state == State::kFatal && facts.next_start.has_value() != waits) return fail("FATAL that does not know its deadline");
    if (facts.state == State::kBackoff && !facts.next_start) return fail("BACKOFF without next_start");
    if (facts.want == core::Want::kDown && pid_ == 0 && facts.state != State::kStopped) return fail("wanted down and neither stopped nor stopping");
    if (facts.want == core::Want::kUp && pid_ == 0 && facts.state == State::kStopped && facts.starts != 0) return fail("wanted up and forgotten");
    if (facts.paused && pid_ == 0) return fail("paused without a process");
    const bool ready = facts.ready != core::WallTime{};
    if (ready && !alive) return fail("ready without a service");
    if (!ready && facts.state == State::kRunning && !tells_ready_) return fail("running and not ready");
    if (alive) check_watch(facts);
    if (!stop_ || stop_->killed) return;
    if (now_.mono >= stop_->kill_due) return fail("no KILL after stopwaitsecs");
    if (machine_.deadline() != stop_->kill_due) return fail("the deadline of the KILL was moved");
  }

  void check_watch(const core::Facts& facts) {
    const auto deadline = machine_.deadline();
    if (facts.paused && facts.state == State::kRunning && deadline != core::kNever) return fail("a paused service owes something");
    if (facts.paused) return;
    if (deadline > watchdog_due_) return fail("the watchdog is forgotten");
    if (deadline > ready_due_) return fail("the readiness is forgotten");
    if (policy_.heartbeat && deadline > now_.mono + kLongestTrust) return fail("the heartbeat is forgotten");
  }

  void fail(const char* what) {
    if (wrong_.empty()) wrong_ = what;
  }

  Choices& random_;
  bool paced_;
  core::Now now_{Instant(core::seconds(1000)), core::WallTime(core::seconds(1'795'197'787))};
  core::Policy policy_;
  core::Machine machine_;
  std::string wrong_;
  std::int32_t pid_ = 0, last_pid_ = 0;
  bool hook_ = false, hook_wanted_ = false, tree_ = false, tree_wanted_ = false, exited_ = false, exiting_ = false, tells_ready_ = false;
  bool told_ = false;    // a stop signal was sent by the step under way
  bool settling_ = false;
  Nanos watchdog_{0};
  Instant watchdog_due_ = core::kNever, ready_due_ = core::kNever;    // at the latest
  std::optional<Stop> stop_;
  std::optional<Instant> last_start_, last_deferred_;
};

}  // namespace

std::string wrong_in_life(Choices& choices, int events) { return Life(choices).live(events); }

}  // namespace sim
