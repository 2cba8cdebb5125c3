// The daemon's dealings with processes: making, following, signalling and reaping them.
#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include "core/number.h"
#include "core/strings.h"
#include "supervise/daemon.h"
#include "sys/faults.h"
#include "sys/platform.h"
#include "sys/signal.h"

namespace supervise {
namespace {

using sys::Level;

constexpr core::Nanos kPause = std::chrono::milliseconds(100);
constexpr core::Nanos kFollow = core::seconds(1), kLaunch = core::seconds(60);
constexpr std::size_t kMaxPidFile = 64;
constexpr core::Nanos kAnswerLimit = core::seconds(10);
constexpr core::Nanos kLook = core::seconds(1);
constexpr core::Nanos kEndLook = std::chrono::milliseconds(2);
constexpr int kMaxLooks = 10;
constexpr core::Nanos kPidFileLook = std::chrono::milliseconds(100);
constexpr core::Nanos kPidFileWait = core::seconds(5);
constexpr core::Nanos kLeftoverDelay = core::seconds(1);
constexpr std::size_t kMaxLeftovers = 8;
constexpr core::Nanos kNotifyPause = std::chrono::milliseconds(50);
constexpr int kMaxNotifications = 16, kMaxRefused = 1024;
constexpr core::Nanos kFloodGrace = core::seconds(1);

}  // namespace

void Daemon::start_service() {
  if (may_be_left()) return step(core::event::StartDeferred{{core::Stage::kFork, EBUSY}});
  // What was removed since the last look is not handed to the service.
  if (!directory_.is_watched() && retry_ != core::kNever) check_directory();
  directory_.prepare();
  opened(output_.renew(now_));
  auto spawn = service_.spawn();
  spawn.input = null_.get();
  spawn.output = output_.output();
  spawn.errors = output_.errors();
  spawn.context = this;
  // So that no instruction of the service runs before its pid is in status.
  spawn.before_exec = [](void* self, std::int32_t pid) { static_cast<Daemon*>(self)->started(pid); };
  if (const auto failure = signs_.prepare(service_, spawn, now_)) {
    report(starting_, failure);
    return step(core::event::StartDeferred{{core::Stage::kDescriptor, failure.error.number}});
  }
  lost_name_.clear();
  follow_until_ = pidfile_look_ = core::kNever;
  origin_ = {self_.pid, session_, spawn.credentials ? spawn.credentials->uid : system_.own_uid()};
  const auto spawned = system_.spawn(spawn);
  signs_.made();
  if (spawned.failure) return start_failed(*spawned.failure);
  report(starting_, {});
  core::Text<64> text;
  text << "service started, pid " << spawned.pid;
  note(Level::kNotice, text.view());
  if (spawned.pending < 0) return;
  pending_ = {system_, spawned.pending};
  published_.reset();
}

void Daemon::start_failed(const core::StartFailure& failure) {
  process_ = {};
  unsent_ = {};
  signs_.ended();
  if (sys::is_shortage(failure)) {
    report(starting_, {"cannot start", "the service", sys::Errno{failure.cause}});
    return step(core::event::StartDeferred{failure});
  }
  last_end_.clear();
  last_end_ << service_.explain(system_, failure).view();
  note(Level::kWarning, last_end_.view());
  step(core::event::StartFailed{failure});
}

// Why a start that was under way has come to nothing, if it has; told once.
std::optional<core::StartFailure> Daemon::take_late_failure() {
  if (!pending_) return std::nullopt;
  const auto end = sys::late_failure(system_, pending_.get());
  if (!end && end.error().number == EAGAIN) return std::nullopt;
  pending_ = {};
  published_.reset();
  return end && machine_.pid() != 0 ? *end : std::nullopt;
}

void Daemon::look_at_start() {
  const auto failure = take_late_failure();
  if (!failure) return;
  // It may be held before its end.
  (void)system_.kill(machine_.pid(), SIGKILL);
  if (machine_.facts().state != core::State::kStopping) start_failed(*failure);
}

// May run in the new process: memory is shared with it, descriptors are not, so nothing may be opened and kept here.
void Daemon::started(std::int32_t pid) {
  process_ = {pid, sys::start_time(system_, pid)};
  step(core::event::Started{pid});
  const auto facts = machine_.facts();
  if (!write_status(facts, sys::StatusDir::Means::kExchange)) published_ = facts;
}

void Daemon::send_signal(int signal, bool to_group) {
  publish();
  if (ended_) return;
  const auto sent = send(signal, to_group ? sys::Scope::kGroup : sys::Scope::kProcess);
  // ESRCH: it is dead and about to be reaped.
  if (sent || sent.error().number == ESRCH) return has_sent(signal);
  const Unsent unsent{signal, sent.error().number};
  kill_again_ = signal == SIGKILL ? core::after(now_.mono, kLook) : core::kNever;
  // That it may be told to go on says nothing of the signal before.
  if (unsent == unsent_ || (signal == SIGCONT && unsent_.signal != 0)) return;
  unsent_ = unsent;
  published_.reset();
  note(Level::kWarning, to_text(unsent_).view());
}

void Daemon::has_sent(int signal) {
  if (unsent_.signal == 0 || signal == SIGCONT) return;
  unsent_ = {};
  kill_again_ = core::kNever;
  published_.reset();
  note(Level::kNotice, "signals reach the service again");
}

sys::Status Daemon::send(int signal, sys::Scope scope) {
  const auto pid = machine_.pid();
  if (is_child_) return sys::kill(system_, pid, signal, scope);
  bool hidden = false;
  const auto is_it = [&] {
    const auto info = system_.process(pid);
    hidden = info.hidden;
    return is_service(info);
  };
  const auto sent = sys::signal_other(system_, main_known_ ? main_.get() : -1, pid, signal, scope, is_it);
  return hidden ? sys::Errno{EAGAIN} : sent;
}

// KILL that did not go may go later.
void Daemon::kill_again() {
  kill_again_ = core::kNever;
  if (unsent_.signal != SIGKILL || machine_.facts().state != core::State::kStopping) return;
  const auto& policy = service_.settings().policy;
  send_signal(SIGKILL, policy.killasgroup || policy.stopasgroup);
}

void Daemon::run_hook(int n) {
  publish();
  core::Text<24> number;
  number << n;
  const std::array arguments = {identity_.hook.c_str(), number.c_str(), static_cast<const char*>(nullptr)};
  sys::Spawn spawn{};
  spawn.arguments = arguments.data();
  spawn.environment = identity_.inherited.environment;
  spawn.input = null_.get();
  spawn.output = output_.output();
  spawn.errors = output_.errors();
  const auto failure = helpers_.start(HelperKind::kHook, spawn, service_.settings().hook_timeout, now_);
  if (!failure) return;
  core::Text<256> text;
  text << "restart script ";
  text.printable(identity_.hook) << " cannot be run: " << sys::why_not_run(failure->cause);
  note(Level::kWarning, text.view());
  step(core::event::HookEnded{});
}

void Daemon::reap() {
  while (true) {
    const auto dead = system_.reap();
    if (!dead) return wake_up_in(kPause);
    if (!*dead) return;
    const auto& child = **dead;
    if (child.pid == machine_.pid() && !ended_)
      main_reaped(child.outcome);
    else if (const auto logger = output_.ended(child.pid, child.outcome))
      logger_ended(child.outcome, *logger);
    else if (const auto end = helpers_.ended(child.pid, child.outcome))
      helper_ended(*end);
    helpers_.forget_sessions();
  }
}

// A start that was told to stop has done so, whatever it failed of.
void Daemon::main_reaped(const core::Outcome& outcome) {
  const auto failure = take_late_failure();
  failure && machine_.facts().state != core::State::kStopping ? start_failed(*failure) : main_exited(outcome);
}

void Daemon::logger_ended(const core::Outcome& outcome, Output::End end) {
  if (end == Output::End::kWanted || !logger_notes_.allow(now_.mono)) return;
  core::Text<128> text;
  text << "the logger ended (" << core::to_text(outcome).view() << ") and is started again; nothing is lost";
  note(Level::kWarning, text.view());
}

[[gnu::noinline]] void Daemon::run_logger() {
  const auto former = output_.logger();
  report(logging_, output_.run_logger(now_));
  if (output_.logger() != former) forget_waits();
}

void Daemon::main_exited(const core::Outcome& outcome) {
  ended_ = outcome;
  const auto followed = follow(outcome);
  // Nothing can be said while there is no descriptor to look with.
  if (!followed) return wake_up_in(kPause);
  ended_.reset();
  if (!*followed) service_exited(outcome);
}

// The command of a forking service has ended, well or by a signal that came too late: what it has left is the service now. A
// daemon that forks twice does so in two steps, and only just after its start.
sys::Result<bool> Daemon::follow(const core::Outcome& outcome) {
  const auto& policy = service_.settings().policy;
  const bool is_command_killed = outcome.kind == core::Outcome::Kind::kSignal && follow_until_ == core::kNever && machine_.uptime(now_) < kLaunch;
  if (!policy.forking || (outcome != core::Outcome::code(0) && !is_command_killed) || now_.mono >= follow_until_) return false;
  const auto candidates = tree_.orphans(machine_.pid(), process_.start);
  if (!candidates && candidates.error().number != ENOSYS) return candidates.error();
  if (candidates->empty()) return false;
  // Its children are ours by now, and not yet in the list.
  if (std::any_of(candidates->begin(), candidates->end(), [](const Process& p) { return p.info.dead; })) return sys::Errno{EAGAIN};
  const auto* main = choose_main(*candidates);
  if (!main) {
    pidfile_look_ = core::after(now_.mono, kPidFileLook);
    pidfile_until_ = core::after(now_.mono, kPidFileWait);
  }
  ended_.reset();
  const auto older = [](const Process& a, const Process& b) { return a.info.start < b.info.start; };
  set_main(main ? *main : *std::min_element(candidates->begin(), candidates->end(), older));
  return true;
}

// Several processes are in the background, and the pid file, which may not have been written yet, tells which is the service.
void Daemon::look_at_pidfile() {
  pidfile_look_ = core::kNever;
  if (machine_.pid() == 0) return;
  const auto candidates = tree_.orphans(0, process_.start);
  const auto* main = candidates ? choose_main(*candidates) : nullptr;
  if (main && main->pid != machine_.pid()) return set_main(*main);
  if (main) return;
  if (now_.mono < pidfile_until_) {
    pidfile_look_ = core::after(now_.mono, kPidFileLook);
    return;
  }
  note(Level::kWarning, "several processes are in the background, and no pidfile tells which of them is the service");
}

// The only one, or the one that the pid file names.
const Process* Daemon::choose_main(const Orphans& orphans) {
  if (orphans.size() == 1) return orphans.begin();
  const auto& path = service_.pidfile_path();
  if (path.empty()) return nullptr;
  const auto text = sys::read_file(system_, path, kMaxPidFile, sys::Trust::kPlace);
  const auto pid = text ? core::parse_number<std::int32_t>(core::trim(text->substr(0, text->find('\n')))) : std::nullopt;
  const auto* named = std::find_if(orphans.begin(), orphans.end(), [&](const Process& p) { return pid == p.pid && !p.info.dead; });
  return named == orphans.end() ? nullptr : named;
}

void Daemon::set_main(const Process& process) {
  follow_until_ = std::min(follow_until_, core::after(now_.mono, std::max<core::Nanos>(service_.settings().policy.startsecs, kFollow)));
  process_ = {process.pid, process.info.start};
  origin_.parent = process.info.parent;
  origin_.session = process.info.session;
  watch_main(process.info);
  core::Text<128> text;
  text << "the service goes on as pid " << process.pid << ' ';
  text.printable(process.info.name.view());
  note(Level::kNotice, text.view());
  step(core::event::MainChanged{process.pid});
}

// One that is not our child is watched, so that its end is noticed at once.
void Daemon::watch_main(const sys::ProcessInfo& info) {
  main_ = {};
  main_known_ = false;
  main_look_ = core::kNever;
  unsent_ = {};
  is_child_ = info.parent == self_.pid;
  if (is_child_) return;
  auto watch = sys::owned(system_, system_.watch_process(process_.pid));
  if (watch) main_ = std::move(*watch);
  // Only a look after that proves what is watched.
  main_known_ = main_ && is_service_there();
  // Where the kernel can't, or has no descriptor for it now; or it may be another process.
  if (!main_known_) main_look_ = core::after(now_.mono, kLook);
}

// A look at a service that is not our child and may have ended. Its parent, which is not us, learns how; we may be told.
void Daemon::look_at_main() {
  if (machine_.pid() == 0) return;
  const auto info = system_.process(process_.pid);
  main_look_ = info.hidden ? core::after(now_.mono, kLook) : core::kNever;
  if (info.hidden) return;
  const bool lives = is_service(info);
  main_known_ = main_known_ || (lives && main_);
  if (lives && !main_) return watch_main(info);
  if (lives) return;
  const auto end = main_ ? system_.end_of(main_.get()) : sys::Result<core::Outcome>(sys::Errno{ENOSYS});
  const bool may_come = !end && end.error().number == EAGAIN && ++main_looks_ < kMaxLooks;
  main_look_ = may_come ? core::after(now_.mono, kEndLook) : core::kNever;
  if (may_come) return;
  main_ = {};
  main_looks_ = 0;
  service_exited(end ? *end : core::Outcome{});
}

// Whether the pid of the service is the service's still, and not that of a stranger.
bool Daemon::is_service_there() {
  return is_service(system_.process(process_.pid));
}

bool Daemon::is_service(const sys::ProcessInfo& info) const {
  return process_.start != 0 && !info.dead && info.start == process_.start;
}

// Not the same as its not being there: a process that can't be looked at has neither ended nor is it known to be the service.
bool Daemon::has_service_ended() {
  const auto info = system_.process(process_.pid);
  return !info.hidden && !is_service(info);
}

// Whether the service may be running that a supervise left of which nothing tells it from a stranger, or that somebody else names.
// Without a start it is the leader of a group, in the session of that supervise, or in ours if both were started from one
// terminal. That is enough to start no second copy, and not enough to signal it.
bool Daemon::may_be_left() {
  if (left_.pid == 0) return false;
  const auto exists = system_.kill(left_.pid, 0);
  const auto info = system_.process(left_.pid);
  if (info.hidden && (info.group == 0 || left_.start != 0)) return true;
  const bool is_group = (exists || exists.error().number == EPERM) && info.group == left_.pid &&
                        (info.session == left_.session || info.session == system_.process(self_.pid).session);
  const bool may_be = !info.dead && (left_.start != 0 ? info.start == left_.start : is_group);
  if (!may_be) left_ = {};
  return may_be;
}

// Whether the service is the process that was started, and not one that it has left in the background: that has another
// session, or the process group of its parent.
bool Daemon::is_command() {
  const auto own = system_.process(self_.pid), info = system_.process(process_.pid);
  return info.start == process_.start && info.session == own.session && info.group == process_.pid;
}

// Whether that process, which has the pid and the start of the service, is like it in what a process can't choose: it can begin a
// session of its own, but not enter another; an orphan of a supervise goes to an ancestor, which is older; and who is not
// root does not become another user.
bool Daemon::is_as_recorded(const core::RecordedProcesses& recorded) {
  const auto& origin = recorded.origin;
  const auto info = system_.process(recorded.service.pid);
  if (info.hidden) return true;
  if (origin.session != 0 && info.session != origin.session && info.session != recorded.service.pid) return false;
  const bool is_orphan = origin.parent != 0 && origin.parent == recorded.supervise.pid && recorded.supervise.start != 0;
  if (is_orphan && sys::start_time(system_, info.parent) > recorded.supervise.start) return false;
  const auto user = origin.user.value_or(0) == 0 ? std::nullopt : sys::platform::user_of(system_, recorded.service.pid);
  return !user || user == origin.user;
}

// What a supervise that was killed knew of the service, which it has left running, or down, or which has ended meanwhile. What
// others may have written, or was recorded of another service, is not believed; but there is no second copy of what it names.
std::optional<core::Snapshot> Daemon::find_service(const sys::Recorded& found) {
  const auto recorded = core::recorded_processes(found.text.view());
  if (!is_of_this_boot(recorded) || is_elsewhere(recorded)) return std::nullopt;
  const bool is_ours = found.is_trusted && (recorded.directory.empty() || recorded.directory == directory_.path());
  auto snapshot = is_ours ? core::recorded_snapshot(found.text.view()) : std::nullopt;
  left_ = recorded.left;
  if (recorded.service.pid <= 0 || recorded.service.start == 0) return snapshot;
  process_ = recorded.service;
  const bool has_ended = has_service_ended();
  if (!has_ended && !(is_ours && is_as_recorded(recorded))) {
    left_ = {process_.pid, 0, process_.start};
    process_ = {};
    return std::nullopt;
  }
  origin_ = recorded.origin;
  if (snapshot) return snapshot;
  if (has_ended) {
    process_ = {};
    return std::nullopt;
  }
  // There is never a second copy, even if the rest of the file is not what we understand.
  snapshot.emplace();
  snapshot->facts.state = core::State::kRunning;
  snapshot->facts.want = core::Want::kUp;
  snapshot->facts.pid = process_.pid;
  snapshot->facts.starts = 1;
  snapshot->started = now_.mono;
  snapshot->facts.started = snapshot->facts.since = now_.wall;
  return snapshot;
}

// What the program that this process was before knew of the service, which may have ended meanwhile; we are told how.
std::optional<core::Snapshot> Daemon::own_snapshot(const core::RecordText& found) {
  // The file may be gone, or old.
  const auto text = identity_.record.empty() ? found.view() : std::string_view(identity_.record);
  const auto recorded = core::recorded_processes(text);
  process_ = recorded.service;
  origin_ = recorded.origin;
  if (process_.pid == 0) left_ = recorded.left;
  status_text_ << core::state_value(text, "status").value_or(std::string_view());
  return core::recorded_snapshot(text);
}

void Daemon::leave_alone() {
  core::Text<128> text;
  text << "pid " << left_.pid << " may be the service; it is left alone, and the service is started when it has ended";
  note(Level::kWarning, text.view());
}

void Daemon::adopt(const core::Snapshot& snapshot) {
  machine_.restore(snapshot, now_);
  // A command that is still on its way into the background may be followed.
  if (!is_command()) follow_until_ = snapshot.facts.state == core::State::kStarting ? core::after(now_.mono, kFollow) : core::Instant{};
  const auto handover = identity_.handover.value_or(Handover());
  signs_.adopt(service_, handover.notify, handover.ready, now_);
  core::Text<128> text;
  if (snapshot.facts.pid == 0) {
    text << "the last supervise was killed while the service was " << core::to_text(snapshot.facts.state) << ", which it still is";
    const bool still_is = machine_.facts().state == snapshot.facts.state;
    return identity_.handover || !still_is ? void() : note(Level::kNotice, text.view());
  }
  if (may_be_left()) {
    leave_alone();
    return step(core::event::Exited{core::Outcome{}});
  }
  watch_main(system_.process(process_.pid));
  const bool lives = !has_service_ended();
  if (lives) output_.adopt(process_.pid);
  if (lives && !lost_name_.empty()) {
    core::Notification no_watchdog;
    no_watchdog.watchdog_timeout = core::Nanos(0);
    step(core::event::Notified{no_watchdog});
    note(Level::kWarning, "another process has taken the name of the notification socket: until its next start the service is not heard, and has no watchdog");
  }
  if (identity_.handover) return;
  if (!lives) return service_exited(core::Outcome{});
  text << "adopted the service, which is running: pid " << process_.pid;
  note(Level::kNotice, text.view());
}

void Daemon::service_exited(const core::Outcome& outcome) {
  last_end_.clear();
  last_end_ << "pid " << machine_.pid() << ", " << core::to_text(outcome).view() << ", up ";
  last_end_.seconds(machine_.uptime(now_), 1) << " s";
  core::Text<256> text;
  text << (outcome.core ? "service exited with coredump! " : "service exited! ") << last_end_.view();
  note(Level::kNotice, text.view());
  if (leftovers_due_ == core::kNever) {
    leftovers_since_ = process_.start;
    leftovers_due_ = core::after(now_.mono, kLeftoverDelay);
  }
  process_ = {};
  main_ = {};
  main_known_ = false;
  pending_ = {};
  main_look_ = kill_again_ = core::kNever;
  unsent_ = {};
  is_child_ = true;
  signs_.ended();
  status_text_.clear();
  step(core::event::Exited{outcome});
}

// Those that live on a moment after the service are left behind; many end with it.
void Daemon::look_for_leftovers() {
  leftovers_due_ = core::kNever;
  const auto orphans = tree_.orphans(machine_.pid(), leftovers_since_);
  if (!orphans || tree_.is_ending()) return;
  std::size_t named = 0, left = 0;
  for (const auto& orphan : *orphans) {
    const bool of_present = process_.start != 0 && orphan.info.start >= process_.start;
    if (of_present || orphan.info.dead || ++left > kMaxLeftovers) continue;
    core::Text<128> text;
    text << "left behind: pid " << orphan.pid << ' ';
    text.printable(orphan.info.name.view()) << "; kill_tree would end it";
    note(Level::kWarning, text.view());
    ++named;
  }
  if (left == named) return;
  core::Text<64> text;
  text << "left behind: " << left - named << " more";
  note(Level::kWarning, text.view());
}

void Daemon::end_tree() {
  leftovers_due_ = core::kNever;
  const auto grace = service_.settings().policy.stopwaitsecs;
  // What holds the next start can't be waited for without end.
  tree_.end_all(grace == core::Nanos::zero() ? core::Policy().stopwaitsecs : grace, now_);
  advance_tree();
}

void Daemon::advance_tree() {
  const bool has_ended = tree_.advance(now_);
  while (const auto pid = tree_.take_spared()) {
    core::Text<128> text;
    text << "left behind: pid " << pid << ' ';
    text.printable(system_.process(pid).name.view()) << ", which supervise may not kill";
    note(Level::kWarning, text.view());
  }
  if (has_ended) step(core::event::TreeEnded{});
}

// Kept out of turn(): its buffer would be on the stack of every wait.
[[gnu::noinline]] void Daemon::read_notifications() {
  std::array<char, core::kMaxNotification> buffer;
  while (now_.mono >= notify_hold_) {
    const auto datagram = system_.receive(signs_.socket(), buffer);
    if (!datagram) {
      // One that can't be had now is not asked for again and again.
      if (datagram.error().number != EAGAIN) notify_hold_ = core::after(now_.mono, kPause);
      break;
    }
    // However much is sent, so much is read in a while and no more.
    if (now_.mono >= core::after(notify_since_, kNotifyPause)) {
      notify_since_ = now_.mono;
      notify_count_ = refused_count_ = 0;
      refused_.clear();
    }
    const auto message = core::parse_notification({buffer.data(), std::min(datagram->size, buffer.size())});
    if (is_refused(datagram->sender, message, datagram->size > buffer.size())) {
      if (++refused_count_ >= kMaxRefused || refused_.size() == kMaxRefusers) hold_notifications();
      continue;
    }
    if (++notify_count_ >= kMaxNotifications) notify_hold_ = core::after(notify_since_, kNotifyPause);
    notified(message);
  }
}

// Those of strangers are thrown away as fast as they can be: as long as they fill the queue the service has no place in it. To
// look who they are costs more than to read them, so it is done once for each in a while.
bool Daemon::is_refused(std::int32_t sender, const core::Notification& message, bool too_long) {
  // BARRIER=1 is answered by being received, and who sent it may be gone by then.
  if (message.says_nothing() || std::find(refused_.begin(), refused_.end(), sender) != refused_.end()) return true;
  const bool ours = tree_.contains(sender, machine_.pid());
  if (ours && !too_long) return false;
  if (!ours) (void)refused_.push_back(sender);
  if (!refusal_notes_.allow(now_.mono)) return true;
  core::Text<200> text;
  text << "notification from pid " << sender << " refused: ";
  if (too_long)
    text << "it is longer than " << core::kMaxNotification << " bytes";
  else
    text << "that is not a living process of the service";
  note(Level::kWarning, text.view());
  return true;
}

// So many come from strangers that those of the service may find no place: its silence says nothing.
void Daemon::hold_notifications() {
  notify_hold_ = core::after(notify_since_, kNotifyPause);
  if (machine_.facts().state == core::State::kStopping) return;
  core::Notification more_time;
  more_time.extension = kFloodGrace;
  step(core::event::Notified{more_time});
}

void Daemon::notified(const core::Notification& message) {
  if (machine_.pid() == 0) return;
  if (message.status && *message.status != status_text_.view()) {
    status_text_.clear();
    status_text_ << *message.status;
    texts_told_ = false;
  }
  step(core::event::Notified{message});
  if (!message.main_pid || *message.main_pid == machine_.pid()) return;
  const Process main{*message.main_pid, system_.process(*message.main_pid)};
  if (main.info.start != 0 && !main.info.dead && tree_.contains(main.pid, machine_.pid())) return set_main(main);
  core::Text<128> text;
  text << "MAINPID=" << main.pid << " refused: that is not a living process of the service";
  if (refusal_notes_.allow(now_.mono)) note(Level::kWarning, text.view());
}

// The program on disk is asked first whether it can take over: once it has our place there is no way back.
void Daemon::ask_program() {
  upgrade_wanted_ = false;
  const auto asked = question();
  std::vector<const char*> arguments = {identity_.program.c_str(), asked.c_str()};
  for (const auto& argument : identity_.arguments) arguments.push_back(argument.c_str());
  arguments.push_back(nullptr);
  sys::Spawn spawn{};
  spawn.arguments = arguments.data();
  spawn.environment = identity_.inherited.environment;
  spawn.input = spawn.output = spawn.errors = null_.get();
  const auto failure = helpers_.start(HelperKind::kUpgrade, spawn, kAnswerLimit, now_);
  if (!failure) return;
  no_upgrade("cannot be executed", sys::Errno{failure->cause});
}

// Nothing may be under way that only we know of.
bool Daemon::may_hand_over() const {
  return upgrade_ready_ && !exit_ && !ended_ && !pending_ && output_.is_kept() && helpers_.none_run() && !tree_.is_ending() && !pending_alarm_ && alarm_->deadline() == core::kNever;
}

void Daemon::hand_over() {
  upgrade_ready_ = false;
  note(Level::kNotice, "handing over to the program on disk");
  published_.reset();
  publish();
  flush_notes();
  const auto state = system_.pipe_with(record(machine_.facts()).view());
  if (!state) return no_upgrade("cannot be told what is known", state.error());
  const Handover handover{identity_.inherited.umask, directory_.control(), directory_.ok(), lost_name_.empty() ? signs_.socket() : -1, signs_.ready(), *state, output_.logger()};
  const auto resume = to_argument(handover);
  std::vector<const char*> arguments = {identity_.program.c_str(), resume.c_str()};
  for (const auto& argument : identity_.arguments) arguments.push_back(argument.c_str());
  arguments.push_back(nullptr);
  const auto done = system_.replace(identity_.program.c_str(), arguments.data(), identity_.inherited.environment, handover.descriptors());
  replaced_ = static_cast<bool>(done);    // in a simulated system, where there is a way back
  if (done) return;
  system_.close(*state);
  no_upgrade("cannot be executed", done.error());
}

void Daemon::no_upgrade(std::string_view why, sys::Errno error) {
  core::Text<300> text;
  text << "no upgrade: ";
  text.printable(identity_.program) << ' ' << why << ": " << sys::error_text(error.number);
  note(Level::kWarning, text.view());
}

void Daemon::helper_ended(const HelperEnd& end) {
  if (end.kind == HelperKind::kUpgrade) {
    upgrade_ready_ = end.outcome == core::Outcome::code(kCanResume);
    if (upgrade_ready_) return;
    core::Text<400> text;
    text << "no upgrade: ";
    text.printable(identity_.program) << ' ';
    if (end.timed_out)
      text << "did not answer";
    else if (end.outcome == core::Outcome::code(kOtherVersion))
      text << "is of a version that cannot go on from this one";
    else if (end.outcome == core::Outcome::code(kUsage))
      text << "finds the configuration faulty, see --check, or is no supervise that could";
    else
      text << "is no supervise that could (" << core::to_text(end.outcome).view() << ')';
    text << "; this one goes on";
    note(Level::kWarning, text.view());
    return;
  }
  if (end.kind == HelperKind::kHook) step(core::event::HookEnded{});
  if (end.outcome == core::Outcome::code(0)) return;
  core::Text<256> text;
  const bool hook = end.kind == HelperKind::kHook;
  text << (hook ? "restart script " : "alarm program ");
  text.printable(hook ? std::string_view(identity_.hook) : alarm_->program(end.kind));
  if (end.timed_out)
    text << " took too long and was killed";
  else
    text << " failed: " << core::to_text(end.outcome).view();
  note(Level::kWarning, text.view());
}

}  // namespace supervise
