#include "core/machine.h"

#include <algorithm>
#include <limits>

namespace core {
namespace {

// A start that failed through a fault of ours is tried again after this.
constexpr Nanos kDeferral = std::chrono::milliseconds(500);

// A count in a row, which a state file may have begun near its end.
template <typename T>
void count(T& number) {
  if (number < std::numeric_limits<T>::max()) ++number;
}

}  // namespace

std::string_view to_text(State state) {
  switch (state) {
    case State::kStopped: return "STOPPED";
    case State::kStarting: return "STARTING";
    case State::kRunning: return "RUNNING";
    case State::kBackoff: return "BACKOFF";
    case State::kStopping: return "STOPPING";
    case State::kExited: return "EXITED";
    case State::kFatal: return "FATAL";
  }
  return "";
}

std::string_view to_text(Reason reason) {
  switch (reason) {
    case Reason::kNone: return "";
    case Reason::kStartFailed: return "cannot be started";
    case Reason::kStartDeferred: return "cannot be started now";
    case Reason::kExitedTooQuickly: return "exited too quickly";
    case Reason::kExpectedExit: return "exited as expected";
    case Reason::kNoRestart: return "exited, and autorestart is false";
    case Reason::kOnce: return "ran once";
    case Reason::kPacing: return "one start a second";
    case Reason::kHook: return "waiting for the restart script";
    case Reason::kTree: return "waiting for the processes that it left behind";
    case Reason::kNoHeartbeat: return "heartbeat timeout";
    case Reason::kNoWatchdog: return "watchdog timeout";
    case Reason::kNotReady: return "not ready in time";
    case Reason::kStopsItself: return "stops of its own accord";
    case Reason::kTooManyExits: return "max_tries reached";
    case Reason::kTooManyCoreDumps: return "max_tries_if_coredumped reached";
    case Reason::kTooManyRestarts: return "max_restarts reached";
  }
  return "";
}

Reason parse_reason(std::string_view text) {
  for (int i = 0; i <= static_cast<int>(Reason::kTooManyRestarts); ++i)
    if (to_text(static_cast<Reason>(i)) == text) return static_cast<Reason>(i);
  return Reason::kNone;
}

Machine::Machine(const Policy& policy, Now now, std::uint32_t seed)
    : policy_(policy), stamp_(now.wall), since_(now.wall), random_(seed | 1), now_(now) {}

Snapshot Machine::snapshot() const {
  Snapshot snapshot;
  snapshot.facts = facts();
  snapshot.failures = failures_;
  snapshot.restarts = restarts_;
  snapshot.window_opened = window_.opened();
  snapshot.started = started_;
  snapshot.kill_due = kill_due_;
  snapshot.next_start = next_start_;
  snapshot.hook_runs = hook_runs_;
  snapshot.last_exit = last_exit_.value_or(kNever);
  return snapshot;
}

void Machine::restore(const Snapshot& snapshot, Now now) {
  now_ = now;
  const auto& facts = snapshot.facts;
  state_ = facts.state;
  want_ = facts.want;
  pid_ = facts.pid;
  paused_ = facts.paused;
  alarms_on_ = facts.alarms_on;
  stamp_ = facts.stamp;
  started_wall_ = facts.started;
  since_ = facts.since;
  exit_ = facts.exit;
  starts_ = facts.starts;
  exits_ = facts.exits;
  exits_nonzero_ = facts.exits_nonzero;
  exits_signal_ = facts.exits_signal;
  exits_core_ = facts.exits_core;
  failures_ = snapshot.failures;
  restarts_ = snapshot.restarts;
  // No moment of the past is later than now, whatever the file says.
  window_ = Window::restored(snapshot.window_opened == kNever ? kNever : std::min(snapshot.window_opened, now.mono), facts.tries, facts.coredumps);
  ever_started_ = snapshot.started != kNever;
  if (ever_started_) started_ = std::min(snapshot.started, now.mono);
  hook_runs_ = snapshot.hook_runs;
  if (snapshot.last_exit <= now.mono) last_exit_ = snapshot.last_exit;
  reason_ = facts.reason;
  // Who ended that is gone.
  if (state_ == State::kStopped) reason_ = Reason::kNone;
  if (state_ == State::kStarting || state_ == State::kRunning) {
    liveness_.begin(policy_, now.mono);
    if (facts.ready != WallTime{}) liveness_.ready({now.mono, facts.ready});
  }
  good_run_ = state_ != State::kStarting && reason_ != Reason::kNotReady && now.mono >= running_due() && !liveness_.owes_readiness();
  if (state_ == State::kBackoff) next_start_ = std::min(snapshot.next_start, after(now.mono, policy_.backoff_max + policy_.pacing));
  const bool retries = snapshot.next_start != kNever && policy_.fatal_retry != Nanos::zero();
  if (state_ == State::kFatal && retries) next_start_ = std::min(snapshot.next_start, after(now.mono, policy_.fatal_retry));
  if (state_ == State::kStopping) kill_due_ = policy_.stopwaitsecs == Nanos::zero() ? kNever : std::min(snapshot.kill_due, after(now.mono, policy_.stopwaitsecs));
  // It had been told x, which is no wish for the next one.
  if (state_ == State::kStopped && want_ != Want::kDown) schedule(Nanos::zero(), Reason::kPacing);
}

Actions Machine::step(const Event& event, Now now) {
  now_ = now;
  actions_.clear();
  window_.expire(policy_, now.mono);
  std::visit([this](const auto& e) { on(e); }, event);
  return actions_;
}

Instant Machine::deadline() const {
  switch (state_) {
    case State::kStarting: return std::min(running_due(), liveness_due());
    case State::kRunning: return liveness_due();
    case State::kStopping: return kill_due_;
    case State::kBackoff: return start_is_held() ? kNever : next_start_;
    case State::kFatal: return next_start_;
    case State::kStopped:
    case State::kExited: break;
  }
  return kNever;
}

Facts Machine::facts() const {
  Facts facts;
  facts.state = state_;
  facts.want = want_;
  facts.pid = pid_;
  facts.paused = paused_;
  facts.alarms_on = alarms_on_;
  facts.stamp = stamp_;
  facts.since = since_;
  facts.started = started_wall_;
  facts.ready = liveness_.ready_since();
  if (facts.ready == WallTime{} && !liveness_.tells_ready() && state_ == State::kRunning) facts.ready = since_;
  facts.exit = exit_;
  facts.starts = starts_;
  facts.exits = exits_;
  facts.exits_nonzero = exits_nonzero_;
  facts.exits_signal = exits_signal_;
  facts.exits_core = exits_core_;
  facts.tries = window_.tries();
  facts.coredumps = window_.coredumps();
  if ((state_ == State::kBackoff || state_ == State::kFatal) && next_start_ != kNever) facts.next_start = next_start_;
  facts.reason = reason_;
  if (state_ == State::kBackoff && start_is_held()) facts.reason = tree_running_ ? Reason::kTree : Reason::kHook;
  if (state_ == State::kStopped && tree_running_) facts.reason = Reason::kTree;
  facts.failure = failure_;
  return facts;
}

void Machine::on(const event::Commanded& event) {
  promote();
  switch (event.verb) {
    case Verb::kUp:
      return want_up(Want::kUp);
    case Verb::kOnce:
      return want_up(Want::kOnce);
    case Verb::kDown:
      want_ = Want::kDown;
      return stop();
    case Verb::kExit:
      exiting_ = true;
      if (pid_ != 0) return;
      next_start_ = kNever;
      if (state_ == State::kBackoff) enter(State::kStopped);
      return act(Action::Kind::kExit);
    case Verb::kSignal:
      return send(event.signal, false);
    case Verb::kPause:
    case Verb::kContinue:
      if (paused_) liveness_.resume(policy_, now_.mono);
      paused_ = event.verb == Verb::kPause && pid_ != 0;
      return send(event.signal, false);
    case Verb::kAlarmsOff:
    case Verb::kAlarmsOn:
      alarms_on_ = event.verb == Verb::kAlarmsOn;
      return;
    case Verb::kReload:
      return act(Action::Kind::kReload);
    case Verb::kRotate:
      return act(Action::Kind::kRotate);
    case Verb::kUpgrade:
      return act(Action::Kind::kUpgrade);
  }
}

void Machine::want_up(Want want) {
  want_ = want;
  if (want == Want::kUp) forget_failures();
  if (exiting_) return;
  switch (state_) {
    case State::kStopped:
    case State::kExited:
    case State::kFatal:
    case State::kBackoff:
      return schedule(Nanos::zero(), Reason::kPacing);
    case State::kStarting:
    case State::kRunning:
    case State::kStopping:
      return;
  }
}

void Machine::forget_failures() {
  failures_ = 0;
  restarts_ = 0;
  window_.reset();
}

void Machine::stop() {
  switch (state_) {
    case State::kStarting:
    case State::kRunning:
      send_stop();
      return begin_stop(Reason::kNone);
    case State::kBackoff:
    case State::kExited:
    case State::kFatal:
      return enter(State::kStopped);
    case State::kStopping:
      // It stopped for another reason; from now on because it was asked to.
      if (reason_ == Reason::kStopsItself) send_stop();
      return enter(State::kStopping);
    case State::kStopped:
      return;
  }
}

void Machine::send_stop() {
  send(policy_.stopsignal, policy_.stopasgroup);
  send(SIGCONT, policy_.stopasgroup);
  paused_ = false;
}

void Machine::begin_stop(Reason reason) {
  kill_due_ = policy_.stopwaitsecs == Nanos::zero() ? kNever : after(now_.mono, policy_.stopwaitsecs);
  liveness_.end();
  enter(State::kStopping, reason);
}

void Machine::hang(Reason reason) {
  send_stop();
  begin_stop(reason);
}

void Machine::on(const event::Started& event) {
  pid_ = event.pid;
  good_run_ = false;
  ++starts_;
  ever_started_ = true;
  started_ = now_.mono;
  started_wall_ = stamp_ = now_.wall;
  liveness_.begin(policy_, now_.mono);
  enter(State::kStarting);
  promote();
}

void Machine::on(const event::MainChanged& event) {
  if (pid_ == 0) return;
  pid_ = event.pid;
  paused_ = false;
  if (state_ != State::kStopping) return;
  // The one that was told to stop, or even killed, is no longer the one that has to.
  if (kill_due_ == kNever && policy_.stopwaitsecs != Nanos::zero()) kill_due_ = after(now_.mono, policy_.stopwaitsecs);
  if (reason_ != Reason::kStopsItself) send_stop();
}

void Machine::on(const event::Ready&) {
  promote();
  if (state_ == State::kStarting || state_ == State::kRunning) liveness_.ready(now_);
  prove();
}

void Machine::on(const event::Notified& event) {
  promote();
  const auto& message = event.message;
  if (state_ == State::kStarting || state_ == State::kRunning) take_signs(message);
  if (state_ == State::kStopping && message.extension && kill_due_ != kNever)
    kill_due_ = std::max(kill_due_, after(now_.mono, *message.extension));
}

void Machine::take_signs(const Notification& message) {
  if (message.ready) liveness_.ready(now_);
  prove();
  if (message.watchdog_timeout) liveness_.set_watchdog(now_.mono, *message.watchdog_timeout);
  if (message.watchdog) liveness_.watchdog(now_.mono);
  if (message.extension) liveness_.extend(now_.mono, *message.extension);
  if (message.watchdog_trigger) return hang(Reason::kNoWatchdog);
  if (message.stopping) begin_stop(Reason::kStopsItself);
}

void Machine::on(const event::HeartbeatChecked& event) {
  if (state_ != State::kStarting && state_ != State::kRunning) return;
  if (event.last) liveness_.heartbeat(*event.last);
  if (liveness_.verdict(now_.mono) == Liveness::Verdict::kLookAtFile) hang(Reason::kNoHeartbeat);
}

void Machine::check_liveness() {
  if (paused_) return;
  switch (liveness_.verdict(now_.mono)) {
    case Liveness::Verdict::kAlive: return;
    case Liveness::Verdict::kLookAtFile: return act(Action::Kind::kCheckHeartbeat);
    case Liveness::Verdict::kNotReady: return hang(Reason::kNotReady);
    case Liveness::Verdict::kNoWatchdog: return hang(Reason::kNoWatchdog);
  }
}

void Machine::on(const event::StartFailed& event) {
  if (state_ != State::kStarting && state_ != State::kRunning && state_ != State::kBackoff) return;
  if (state_ == State::kBackoff) {
    ever_started_ = true;
    started_ = now_.mono;
    ++starts_;
  }
  pid_ = 0;
  paused_ = false;
  good_run_ = false;
  stamp_ = now_.wall;
  failure_ = event.failure;
  state_ = State::kStarting;
  ended(Outcome{}, Reason::kStartFailed);
}

void Machine::on(const event::StartDeferred& event) {
  pid_ = 0;
  paused_ = false;
  liveness_.end();
  failure_ = event.failure;
  next_start_ = deferred_until_ = after(now_.mono, kDeferral);
  enter(State::kBackoff, Reason::kStartDeferred);
}

void Machine::on(const event::Exited& event) {
  if (pid_ == 0) return;
  promote();
  pid_ = 0;
  paused_ = false;
  ++exits_;
  const auto& outcome = event.outcome;
  if (outcome.kind == Outcome::Kind::kSignal) ++(outcome.core ? exits_core_ : exits_signal_);
  if (outcome.kind == Outcome::Kind::kCode && outcome.value != 0) ++exits_nonzero_;
  exit_ = event.outcome;
  stamp_ = now_.wall;
  clear_up();
  run_hook();
  ended(event.outcome, Reason::kExitedTooQuickly);
}

void Machine::clear_up() {
  if (!policy_.kill_tree) return;
  tree_running_ = true;
  act(Action::Kind::kEndTree);
}

void Machine::run_hook() {
  const bool pause_was_long = last_exit_ && hook_reset_ != Nanos::zero() && now_.mono - *last_exit_ >= hook_reset_;
  if (pause_was_long) hook_runs_ = 0;
  last_exit_ = now_.mono;
  count(hook_runs_);
  if (!hook_wanted_) return;
  hook_running_ = true;
  act(Action::Kind::kHook, hook_runs_);
}

void Machine::ended(const Outcome& outcome, Reason young_reason) {
  const bool asked = state_ == State::kStopping && reason_ == Reason::kNone;
  kill_due_ = kNever;
  liveness_.end();
  const auto verdict = asked ? Window::Verdict::kCounted : window_.count(policy_, now_.mono, outcome.core);
  const bool too_many = verdict == Window::Verdict::kTooManyExits || verdict == Window::Verdict::kTooManyCoreDumps;
  if (too_many && want_ == Want::kUp && !exiting_) {
    enter(State::kFatal, verdict == Window::Verdict::kTooManyExits ? Reason::kTooManyExits : Reason::kTooManyCoreDumps);
    next_start_ = kNever;
    exiting_ = true;
    act(Action::Kind::kGiveUp);
    return act(Action::Kind::kExit);
  }
  if (exiting_) {
    enter(State::kStopped);
    act(Action::Kind::kExit);
  } else if (want_ == Want::kDown) {
    enter(State::kStopped);
  } else if (asked) {
    schedule(Nanos::zero(), Reason::kPacing);
  } else if (want_ == Want::kOnce) {
    const bool tells_more = young_reason == Reason::kStartFailed || is_hanging();
    enter(State::kExited, !tells_more ? Reason::kOnce : is_hanging() ? reason_ : young_reason);
  } else {
    restart(outcome, young_reason);
  }
  if (verdict == Window::Verdict::kOpened && state_ != State::kFatal) act(Action::Kind::kAlarm);
}

void Machine::restart(const Outcome& outcome, Reason young_reason) {
  const bool young = !good_run_;
  const bool hung = state_ == State::kStopping && is_hanging();
  if (hung) young_reason = reason_;
  const bool must_retry = (young && policy_.startretries != kUnlimited) || (hung && policy_.autorestart != Autorestart::kFalse);
  if (!must_retry && !restart_wanted(policy_, outcome)) {
    const bool refused = policy_.autorestart == Autorestart::kFalse;
    return enter(State::kExited, hung || young_reason == Reason::kStartFailed ? young_reason
                                 : refused                            ? Reason::kNoRestart
                                                                      : Reason::kExpectedExit);
  }
  if (young)
    count(failures_);
  else
    failures_ = 0;
  if (young && policy_.startretries != kUnlimited && failures_ > static_cast<unsigned>(policy_.startretries))
    return fail(young_reason);
  if (policy_.max_restarts != kUnlimited && restarts_ >= policy_.max_restarts) return fail(Reason::kTooManyRestarts);
  count(restarts_);
  const bool delayed = young || policy_.always_back_off;
  schedule(delayed ? backoff_delay(policy_, std::max(failures_, 1U), draw()) : Nanos::zero(), young || hung ? young_reason : Reason::kPacing);
}

void Machine::fail(Reason reason) {
  enter(State::kFatal, reason);
  next_start_ = policy_.fatal_retry == Nanos::zero() ? kNever : after(now_.mono, policy_.fatal_retry);
  act(Action::Kind::kGiveUp);
}

void Machine::schedule(Nanos delay, Reason reason) {
  next_start_ = std::max(after(now_.mono, delay), deferred_until_);
  if (ever_started_) next_start_ = std::max(next_start_, after(started_, policy_.pacing));
  enter(State::kBackoff, reason);
}

void Machine::on(const event::HookEnded&) { hook_running_ = false; }
void Machine::on(const event::TreeEnded&) { tree_running_ = false; }
void Machine::on(const event::Resumed&) { liveness_.resume(policy_, now_.mono); }

void Machine::on(const event::Due&) {
  promote();
  if (now_.mono < deadline()) return;
  switch (state_) {
    case State::kStopping:
      kill_due_ = kNever;
      return send(SIGKILL, policy_.killasgroup || policy_.stopasgroup);
    case State::kFatal:
      forget_failures();
      return schedule(Nanos::zero(), reason_);
    case State::kBackoff:
      return act(Action::Kind::kStart);
    case State::kStarting:
    case State::kRunning:
      return check_liveness();
    case State::kStopped:
    case State::kExited:
      return;
  }
}

void Machine::on(const event::Reconfigured& event) {
  policy_ = event.policy;
  hook_wanted_ = event.hook;
  hook_reset_ = event.hook_reset;
  if (state_ == State::kStarting || state_ == State::kRunning) liveness_.reconfigure(policy_, now_.mono);
}

// A service that was up for startsecs counts as started even if nobody looked at that moment.
void Machine::promote() {
  if (state_ != State::kStarting || now_.mono < running_due()) return;
  enter(State::kRunning);
  prove();
}

// A run that has a limited time to become ready is no good one before it is.
void Machine::prove() {
  if (state_ != State::kRunning || good_run_ || liveness_.owes_readiness()) return;
  failures_ = 0;
  restarts_ = 0;
  good_run_ = true;
}

void Machine::enter(State state, Reason reason) {
  if (state != state_) since_ = now_.wall;
  if (state != State::kBackoff && state != State::kFatal) next_start_ = kNever;
  state_ = state;
  reason_ = reason;
}

void Machine::send(int signal, bool to_group) {
  if (pid_ != 0) act(to_group ? Action::Kind::kSignalGroup : Action::Kind::kSignal, signal);
}

// xorshift32 (Marsaglia 2003): spreading a fleet needs no better.
double Machine::draw() {
  random_ ^= random_ << 13;
  random_ ^= random_ >> 17;
  random_ ^= random_ << 5;
  return static_cast<double>(random_) / 4294967296.0;
}

}  // namespace core
