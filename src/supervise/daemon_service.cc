// The daemon's dealings with processes: making, following, signalling and reaping them.
#include <algorithm>
#include <array>
#include <cerrno>

#include "core/number.h"
#include "core/strings.h"
#include "supervise/daemon.h"
#include "sys/faults.h"

namespace supervise {
namespace {

using sys::Level;

constexpr core::Nanos kPause = std::chrono::milliseconds(100);
constexpr core::Nanos kFollow = core::seconds(1);
constexpr std::size_t kMaxPidFile = 64;
constexpr core::Nanos kPidFileLook = std::chrono::milliseconds(100);
constexpr core::Nanos kPidFileWait = core::seconds(5);
constexpr core::Nanos kLeftoverDelay = core::seconds(1);
constexpr std::size_t kMaxLeftovers = 8;
constexpr core::Nanos kNotifyPause = std::chrono::milliseconds(50);
constexpr int kMaxNotifications = 16;

}  // namespace

void Daemon::start_service() {
  auto spawn = service_.spawn();
  spawn.input = null_.get();
  spawn.output = directory_.service_output();
  spawn.errors = directory_.service_errors();
  spawn.context = this;
  // In the new process, so that no instruction of the service runs before its pid is in status.
  spawn.before_exec = [](void* self, std::int32_t pid) { static_cast<Daemon*>(self)->started(pid); };
  if (const auto failure = signs_.prepare(service_, spawn, now_)) {
    report(starting_, failure);
    return step(core::event::StartDeferred{{core::Stage::kDescriptor, failure.error.number}});
  }
  follow_until_ = pidfile_look_ = core::kNever;
  const auto spawned = system_.spawn(spawn);
  signs_.made();
  if (!spawned.failure) {
    report(starting_, {});
    core::Text<64> text;
    text << "service started, pid " << spawned.pid;
    return note(Level::kNotice, text.view());
  }
  process_ = {};
  signs_.ended();
  if (sys::is_shortage(*spawned.failure)) {
    report(starting_, {"cannot start", "the service", sys::Errno{spawned.failure->cause}});
    return step(core::event::StartDeferred{*spawned.failure});
  }
  last_end_.clear();
  last_end_ << service_.explain(system_, *spawned.failure).view();
  note(Level::kWarning, last_end_.view());
  step(core::event::StartFailed{*spawned.failure});
}

// Runs in the new process: memory is shared with it, descriptors are not, so nothing may be opened and kept here.
void Daemon::started(std::int32_t pid) {
  process_ = {pid, sys::start_time(system_, pid)};
  step(core::event::Started{pid});
  const auto facts = machine_.facts();
  if (!write_status(facts, sys::StatusDir::Means::kExchange)) published_ = facts;
}

void Daemon::send_signal(int signal, bool to_group) {
  publish();
  if (ended_) return;
  const auto pid = machine_.pid();
  auto sent = system_.kill(to_group ? -pid : pid, signal);
  // It may have left its group.
  if (!sent && to_group && sent.error().number == ESRCH) sent = system_.kill(pid, signal);
  // ESRCH: it is dead and about to be reaped.
  if (sent || sent.error().number == ESRCH) return report(signalling_, {});
  report(signalling_, {"cannot send a signal to", "the service", sent.error()});
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
  spawn.output = directory_.service_output();
  spawn.errors = directory_.service_errors();
  const auto failure = helpers_.start(HelperKind::kHook, spawn, service_.settings().hook_timeout, now_);
  if (!failure) return;
  core::Text<256> text;
  text << "restart script ";
  text.printable(identity_.hook) << " cannot be run: " << sys::error_text(failure->cause);
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
      main_exited(child.outcome);
    else if (const auto end = helpers_.ended(child.pid, child.outcome))
      helper_ended(*end);
  }
}

void Daemon::main_exited(const core::Outcome& outcome) {
  ended_ = outcome;
  const auto followed = follow(outcome);
  // Nothing can be said while there is no descriptor to look with.
  if (!followed) return wake_up_in(kPause);
  ended_.reset();
  if (!*followed) service_exited(outcome);
}

// The command of a forking service has ended well: what it has left is the service now. A daemon that forks twice does so in
// two steps, and only just after its start.
sys::Result<bool> Daemon::follow(const core::Outcome& outcome) {
  const auto& policy = service_.settings().policy;
  if (!policy.forking || outcome != core::Outcome::code(0) || now_.mono >= follow_until_) return false;
  const auto candidates = tree_.orphans(machine_.pid(), process_.start);
  if (!candidates && candidates.error().number != ENOSYS) return candidates.error();
  if (candidates->empty()) return false;
  // Its children are ours by now, and not yet in the list.
  if (std::any_of(candidates->begin(), candidates->end(), [](const Process& p) { return p.info.dead; })) return sys::Errno{EAGAIN};
  follow_until_ = core::after(now_.mono, std::max<core::Nanos>(policy.startsecs, kFollow));
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
  const auto text = sys::read_file(system_, path.c_str(), kMaxPidFile);
  const auto pid = text ? core::parse_number<std::int32_t>(core::trim(text->substr(0, text->find('\n')))) : std::nullopt;
  const auto* named = std::find_if(orphans.begin(), orphans.end(), [&](const Process& p) { return pid == p.pid && !p.info.dead; });
  return named == orphans.end() ? nullptr : named;
}

void Daemon::set_main(const Process& process) {
  process_ = {process.pid, process.info.start};
  main_ = {};
  if (process.info.parent != self_.pid) {
    auto watch = sys::owned(system_, system_.watch_process(process.pid));
    if (watch) main_ = std::move(*watch);
  }
  core::Text<128> text;
  text << "the service goes on as pid " << process.pid << ' ';
  text.printable(process.info.name.view());
  note(Level::kNotice, text.view());
  step(core::event::MainChanged{process.pid});
}

// Its parent, which is not us, learns how it ended.
void Daemon::main_ended() {
  main_ = {};
  if (machine_.pid() != 0) service_exited(core::Outcome{});
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
    text.printable(orphan.info.name.view());
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
  if (tree_.advance(now_)) step(core::event::TreeEnded{});
}

// Kept out of turn(): its buffer would be on the stack of every wait.
[[gnu::noinline]] void Daemon::read_notifications() {
  std::array<char, core::kMaxNotification> buffer;
  while (now_.mono >= notify_hold_) {
    const auto datagram = system_.receive(signs_.socket(), buffer);
    if (!datagram) break;
    // However much is sent, so much is read in a while and no more.
    if (now_.mono >= core::after(notify_since_, kNotifyPause)) {
      notify_since_ = now_.mono;
      notify_count_ = 0;
    }
    if (++notify_count_ >= kMaxNotifications) notify_hold_ = core::after(notify_since_, kNotifyPause);
    const auto message = core::parse_notification({buffer.data(), std::min(datagram->size, buffer.size())});
    // BARRIER=1 is answered by being received, and who sent it may be gone by then.
    if (message.says_nothing()) continue;
    core::Text<160> refusal;
    if (datagram->size > buffer.size())
      refusal << "it is longer than " << buffer.size() << " bytes";
    else if (!tree_.contains(datagram->sender))
      refusal << "that is not a living process of the service";
    if (refusal.view().empty()) {
      notified(message);
    } else if (refusal_notes_.allow(now_.mono)) {
      core::Text<200> text;
      text << "notification from pid " << datagram->sender << " refused: " << refusal.view();
      note(Level::kWarning, text.view());
    }
  }
}

void Daemon::notified(const core::Notification& message) {
  if (machine_.pid() == 0) return;
  if (message.status && *message.status != status_text_.view()) {
    status_text_.clear();
    status_text_ << *message.status;
    status_told_ = false;
  }
  step(core::event::Notified{message});
  if (!message.main_pid || *message.main_pid == machine_.pid()) return;
  const Process main{*message.main_pid, system_.process(*message.main_pid)};
  if (!main.info.dead && tree_.contains(main.pid)) return set_main(main);
  core::Text<128> text;
  text << "MAINPID=" << main.pid << " refused: that is not a living process of the service";
  if (refusal_notes_.allow(now_.mono)) note(Level::kWarning, text.view());
}

void Daemon::helper_ended(const HelperEnd& end) {
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
