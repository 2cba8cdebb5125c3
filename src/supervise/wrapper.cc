#include "supervise/wrapper.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <functional>

#include "sys/error_text.h"
#include "sys/faults.h"
#include "sys/trusted.h"

namespace supervise {
namespace {

using core::Action;
using core::State;

constexpr core::Nanos kPause = std::chrono::milliseconds(100);
constexpr core::Nanos kGoodRun = core::seconds(60);
constexpr int kLastSignal = 64;
constexpr int kSignalBase = 128, kNotFound = 127, kNotExecutable = 126, kHung = 1;

bool ends(int signal) { return signal == SIGTERM || signal == SIGINT || signal == SIGQUIT; }

}  // namespace

core::Settings wrapper_defaults() {
  core::Settings settings;
  auto& policy = settings.policy;
  policy.autorestart = core::Autorestart::kUnexpected;
  policy.backoff = core::Backoff::kExponential;
  policy.backoff_max = core::seconds(3600);
  policy.always_back_off = true;
  policy.stopwaitsecs = core::seconds(5);
  return settings;
}

void complete_wrapper(core::Settings& settings) {
  auto& policy = settings.policy;
  // Long enough for a service that hangs from the start not to pass for a good one.
  const bool beats = !settings.heartbeat_file.empty();
  policy.startsecs = kGoodRun;
  if (beats) policy.startsecs = std::max<core::Nanos>(kGoodRun, policy.heartbeat_delay + 2 * policy.heartbeat_timeout);
  const bool backs_off = policy.backoff_factor != core::Nanos::zero() && policy.backoff_max != core::Nanos::zero();
  if (backs_off) policy.pacing = core::Nanos::zero();
  // Zero means never for the machine, and at once here.
  policy.stopwaitsecs = std::max<core::Nanos>(policy.stopwaitsecs, std::chrono::milliseconds(1));
}

Wrapper::Wrapper(sys::System& system, Service service)
    : system_(system),
      service_(std::move(service)),
      now_(system.now()),
      machine_(service_.settings().policy, now_, static_cast<std::uint32_t>(system.own_pid())),
      signs_(system, {}) {}

void Wrapper::begin() {
  begun_ = true;
  claim_heartbeat();
  step(core::event::Commanded{core::Verb::kUp});
}

// The service makes the file, and may replace it at each beat, so no lock on it lasts. A name that one process has, and that ends
// with it, is that of a socket.
void Wrapper::claim_heartbeat() {
  const auto& path = service_.heartbeat_path();
  if (path.empty()) return;
  const auto slash = path.rfind('/');
  const auto directory = sys::look_at(system_, path.substr(0, std::max<std::size_t>(slash, 1)));
  if (!directory) return;
  core::Text<100> name;
  name << "supervise-heartbeat-" << directory->device << '-' << directory->inode << '-' << std::hash<std::string_view>()(std::string_view(path).substr(slash + 1));
  auto claim = sys::owned(system_, system_.receiver(name.view()));
  const bool is_shared = !claim && claim.error().number == EADDRINUSE;
  if (claim) heartbeat_claim_ = std::move(*claim);
  // Whoever has made it keeps it.
  heartbeat_is_ours_ = !is_shared && !sys::look_at(system_, path);
  if (!is_shared) return;
  core::Text<300> text;
  text << "warning: another wrapper watches ";
  text.printable(path) << " too, so a beat of one service passes for one of the other; name another file with --heartbeat-file";
  say(text.view());
}

bool Wrapper::turn() {
  if (!begun_) begin();
  if (machine_.deadline() > now_.mono && !system_.wait({}, machine_.deadline())) (void)system_.wait({}, core::after(now_.mono, kPause));
  now_ = system_.now();
  // First, so that what dies of a signal from the terminal is not taken for a crash.
  pass_on_signals();
  reap();
  if (!over_ && machine_.deadline() <= now_.mono) {
    const bool overdue = machine_.facts().state == State::kStopping;
    step(core::event::Due{});
    if (overdue) say(unsent_ == 0 ? "it does not end in the grace period and is killed" : "it does not end in the grace period");
  }
  if (!over_) return true;
  system_.restore_terminal();
  if (heartbeat_is_ours_) sys::remove_file(system_, service_.heartbeat_path());
  return false;
}

void Wrapper::reap() {
  while (true) {
    const auto dead = system_.reap();
    if (!dead || !*dead) return;
    if ((*dead)->pid != machine_.pid()) continue;    // an orphan that has come to us
    const auto late = pending_ ? sys::late_failure(system_, pending_.get()) : sys::Result(std::optional<core::StartFailure>());
    pending_ = {};
    if (late && *late && machine_.facts().state != State::kStopping) {
      start_failed(**late, machine_.facts().starts == 1);
      continue;
    }
    core::Text<160> text;
    text << "pid " << (*dead)->pid << " ended (" << core::to_text((*dead)->outcome).view() << ") after ";
    text.brief_seconds(machine_.uptime(now_), 1) << " s";
    say(text.view());
    step(core::event::Exited{(*dead)->outcome});
    say_what_follows();
  }
}

void Wrapper::pass_on_signals() {
  const auto signals = system_.take_signals();
  for (int signal = 1; signal <= kLastSignal; ++signal) {
    const auto bit = sys::bit_of(signal);
    if (((signals.sent | signals.typed) & bit) == 0) continue;
    // It was stopped together with the service, which had no chance to beat.
    if (signal == SIGCONT) {
      step(core::event::Resumed{});
      continue;
    }
    typed_ = (signals.typed & bit) != 0 && is_typed_for_both(signal) ? signal : 0;
    if (ends(signal) && !machine_.exiting())
      end(signal);
    else
      step(core::event::Commanded{core::Verb::kSignal, signal});
    typed_ = 0;
  }
}

// A terminal sends what is typed to its foreground group, in which we are; a service may have left that. One that hangs up tells
// the leader of the session alone.
bool Wrapper::is_typed_for_both(int signal) {
  const bool to_group = signal == SIGINT || signal == SIGQUIT || signal == SIGWINCH;
  return to_group && system_.process(machine_.pid()).group == system_.process(system_.own_pid()).group;
}

void Wrapper::end(int signal) {
  core::Text<80> text;
  text << core::signal_name(signal) << " received: ending";
  if (machine_.pid() != 0) text << " pid " << machine_.pid();
  say(text.view());
  auto policy = service_.settings().policy;
  policy.stopsignal = signal;
  step(core::event::Reconfigured{policy});
  step(core::event::Commanded{core::Verb::kExit});
  step(core::event::Commanded{core::Verb::kDown});
}

void Wrapper::step(const core::Event& event) {
  for (const auto& action : machine_.step(event, now_)) execute(action);
}

void Wrapper::execute(const Action& action) {
  switch (action.kind) {
    case Action::Kind::kStart: return start_service();
    case Action::Kind::kSignal:
    case Action::Kind::kSignalGroup:
      return action.value != typed_ ? send(action.value) : void();
    case Action::Kind::kCheckHeartbeat: {
      step(core::event::HeartbeatChecked{signs_.look_at_heartbeat(service_, now_)});
      if (machine_.facts().state != State::kStopping) return;
      hung_ = true;
      core::Text<96> text;
      text << "no heartbeat for ";
      text.brief_seconds(service_.settings().policy.heartbeat_timeout, 3) << " s: ending pid " << machine_.pid();
      return say(text.view());
    }
    case Action::Kind::kExit:
    case Action::Kind::kGiveUp: over_ = true; return;
    case Action::Kind::kHook:
    case Action::Kind::kEndTree:
    case Action::Kind::kAlarm:
    case Action::Kind::kUpgrade:
    case Action::Kind::kRotate:
    case Action::Kind::kReload: return;    // nothing here asks for them
  }
}

void Wrapper::send(int signal) {
  const auto sent = system_.kill(machine_.pid(), signal);
  const int error = sent || sent.error().number == ESRCH ? 0 : sent.error().number;
  // That it may be told to go on says nothing of the signal before.
  if (signal == SIGCONT) return;
  unsent_ = error;
  if (error == 0) return;
  core::Text<128> text;
  text << core::signal_name(signal) << " could not be sent to pid " << machine_.pid() << ": " << sys::error_text(error);
  say(text.view());
}

void Wrapper::start_service() {
  auto spawn = service_.spawn();
  spawn.input = 0;
  spawn.output = 1;
  spawn.errors = 2;
  spawn.leads = sys::Leads::kNothing;    // what is typed at the terminal reaches it
  (void)signs_.prepare(service_, spawn, now_);
  system_.restore_terminal();
  const bool first = machine_.facts().starts == 0;
  const auto spawned = system_.spawn(spawn);
  if (!spawned.failure) {
    start_deferred_ = hung_ = false;
    core::Text<200> text;
    text << "started ";
    text.printable(service_.settings().command.front()) << ", pid " << spawned.pid;
    say(text.view());
    if (spawned.pending >= 0) pending_ = {system_, spawned.pending};
    return step(core::event::Started{spawned.pid});
  }
  start_failed(*spawned.failure, first);
}

void Wrapper::start_failed(const core::StartFailure& failure, bool first) {
  const auto reason = service_.explain(system_, failure);
  if (sys::is_shortage(failure)) {
    if (!start_deferred_) say(reason.view());
    start_deferred_ = true;
    return step(core::event::StartDeferred{failure});
  }
  say(reason.view());
  step(core::event::StartFailed{failure});
  // What can't be executed at all is a mistake of the caller; what could be before may come back.
  over_ = over_ || first;
  if (!over_) say_what_follows();
}

void Wrapper::say_what_follows() {
  const auto facts = machine_.facts();
  core::Text<240> text;
  if (facts.state == State::kBackoff) {
    text << "restart " << machine_.restarts() << " in ";
    text.brief_seconds(*facts.next_start - now_.mono, 3) << " s (" << why().view() << ')';
  } else if (facts.state == State::kFatal) {
    text << "giving up after " << machine_.restarts() << (machine_.restarts() == 1 ? " restart (" : " restarts (") << why().view() << ')';
  } else {
    text << "done (" << why().view() << ')';
    over_ = true;
  }
  say(text.view());
}

core::Text<200> Wrapper::why() const {
  const auto facts = machine_.facts();
  core::Text<200> text;
  if (hung_ || !facts.exit)
    text << core::to_text(hung_ ? core::Reason::kNoHeartbeat : facts.reason);
  else
    text << (facts.exit->kind == core::Outcome::Kind::kCode ? "exit " : "") << core::to_text(*facts.exit).view();
  return text;
}

int Wrapper::status() const {
  const auto facts = machine_.facts();
  if (facts.reason == core::Reason::kStartFailed || !facts.exit) return facts.failure.cause == ENOENT ? kNotFound : kNotExecutable;
  // A service that hangs and then ends well has not done well.
  if (hung_ && *facts.exit == core::Outcome::code(0)) return kHung;
  return facts.exit->kind == core::Outcome::Kind::kSignal ? kSignalBase + facts.exit->value : facts.exit->value;
}

void Wrapper::say(std::string_view text) {
  core::Text<300> line;
  line << "[SUPERVISOR] ";
  line.printable(text) << '\n';
  (void)system_.write_unless_blocked(2, line.view());
}

}  // namespace supervise
