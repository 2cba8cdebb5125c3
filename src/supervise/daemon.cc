#include "supervise/daemon.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <new>
#include <utility>

#include "core/version.h"
#include "sys/process.h"
#include "sys/trusted.h"

namespace supervise {
namespace {

using core::Action;
using sys::Level;

constexpr core::Nanos kRetry = core::seconds(1);
constexpr core::Nanos kMinCheckInterval = std::chrono::milliseconds(200), kOwnChangeDelay = std::chrono::milliseconds(500);
constexpr core::Nanos kPause = std::chrono::milliseconds(100);
constexpr core::Nanos kExitLimit = core::seconds(10);
constexpr std::size_t kControlChunk = 512;
constexpr core::Nanos kLockPatience = core::seconds(1);
constexpr core::Nanos kDying = std::chrono::milliseconds(100);
constexpr core::Nanos kUnwatchedLook = core::seconds(1);
constexpr core::Nanos kLockPause = std::chrono::milliseconds(20);

core::Machine new_machine(const Service& service, core::Now now, std::int32_t pid) {
  return {service.settings().policy, now, static_cast<std::uint32_t>(now.wall.time_since_epoch().count()) ^ static_cast<std::uint32_t>(pid)};
}

std::string in_words(const core::Changes& changes) {
  std::string text;
  const auto add = [&text](const char* what, const std::vector<std::string_view>& names) {
    if (names.empty()) return;
    text += (text.empty() ? "" : "; ") + std::string(what);
    for (const auto name : names) text += (name == names.front() ? "" : ", ") + std::string(name);
  };
  add("in force now: ", changes.in_force);
  add("needs a restart of the service: ", changes.needs_restart);
  return text.empty() ? "nothing has changed" : text;
}

}  // namespace

void take_command(const Identity& identity, Loaded& loaded, Level level) {
  auto& command = loaded.settings->command;
  if (!identity.command.empty()) command = identity.command;
  if (!command.empty()) return;
  const std::string looked = loaded.file.empty() ? "no configuration file was read" : loaded.file + " has none";
  loaded.problems.push_back({level, std::string(level == Level::kWarning ? "warning: " : "") + "no command for " + identity.name + ": " + looked + "; -f COMMAND, or `command` in a section [" + identity.name +
                                        "] of the file, would give one" + loaded.meant});
}

std::optional<Service> load_service(sys::System& system, const Identity& identity, Lines& problems) {
  const auto conf = read_configuration(system, identity.configuration(), problems);
  if (!conf) return std::nullopt;
  auto loaded = resolve_settings(*conf, identity.file(), identity.name);
  take_command(identity, loaded, Level::kFatal);
  problems.insert(problems.end(), loaded.problems.begin(), loaded.problems.end());
  if (has_errors(loaded.problems)) return std::nullopt;
  return Service::prepare(system, std::move(loaded), identity.inherited, problems);
}

Daemon::Daemon(sys::System& system, Identity identity, Service service)
    : system_(system),
      identity_(std::move(identity)),
      service_(std::move(service)),
      directory_(system, identity_.directory, service_.control_group()),
      machine_(new_machine(service_, system.now(), system.own_pid())),
      helpers_(system, identity_.inherited.umask),
      output_(system, helpers_, identity_.inherited.environment),
      tree_(system, helpers_),
      signs_(system, identity_.inherited.notify_name),
      now_(system.now()) {}

Daemon::Started Daemon::start(const Lines& problems) {
  const std::string prefix = identity_.directory;
  auto null = sys::owned(system_, system_.open(sys::kWorkingDirectory, "/dev/null", sys::OpenMode::kReadWrite, 0));
  if (!null) return {kSystemError, "cannot open /dev/null: " + std::string(sys::error_text(null.error().number)), {}};
  null_ = std::move(*null);
  self_ = {system_.own_pid(), 0};
  conf_time_ = conf_time();
  learn_start();
  if (const auto failure = open_directory()) {
    if (failure.error.number == EWOULDBLOCK) {
      const auto holder = refuse_second();
      return holder.status == kUsage ? holder : Started{kUsage, prefix + " is already supervised: its lock is held", {}};
    }
    if (failure.error.number == EEXIST) return {kUsage, prefix + ": " + failure.doing + " " + failure.object + "; name another one", {}};
    const auto text = std::string(sys::to_text(failure).view());
    return {kSystemError, failure.object == prefix ? text : prefix + ": " + text, {}};
  }
  auto refusal = refuse_second();
  const auto found = directory_.recorded();
  if (refusal.error.empty() && !identity_.handover) {
    // A service that runs gives its signs of life under the name that it was told, which was looked for before.
    const auto told = found && found->is_trusted ? core::recorded_notify_name(found->text.view()) : std::string_view();
    if (!found) refusal = unreadable_state(found.error());
    else if (!told.empty() && told != identity_.inherited.notify_name) refusal = unreadable_state(sys::Errno{EAGAIN});
  }
  if (refusal.error.empty() && !identity_.handover) refusal = refuse_unseen(core::recorded_processes(found->text.view()));
  if (!refusal.error.empty()) {
    directory_.abandon();
    return refusal;
  }
  if (!identity_.handover || identity_.handover->notify < 0) find_free_name();
  const auto left_running = identity_.handover ? own_snapshot(found ? found->text : core::RecordText()) : find_service(*found);
  directory_.log().to_stderr(identity_.foreground);
  alarm_.emplace(system_, helpers_, identity_.name, identity_.directory, identity_.host, identity_.inherited.environment, null_.get());
  alarm_->use(alarm_->targets_of(service_.settings()));
  opened(output_.open(service_, directory_.descriptor(), directory_.inner(), directory_.path(), null_.get()));
  step(core::event::Reconfigured{service_.settings().policy, !identity_.hook.empty(), identity_.hook_reset});
  core::Text<300> hello;
  hello << (identity_.handover ? "supervise goes on as " : "supervise started, ") << core::kSupervise << ", pid " << self_.pid;
  if (identity_.conf_required) (hello << ", configuration ").printable(identity_.conf);
  note(Level::kNotice, hello.view());
  for (const auto& problem : problems) note(problem.level, problem.text);
  if (const auto refused = system_.refused(); !refused.view().empty()) {
    core::Text<256> text;
    text << "this system refuses " << refused.view() << "; supervise does without";
    note(Level::kWarning, text.view());
  }
  if (!left_running && may_be_left()) leave_alone();
  if (left_running)
    adopt(*left_running);
  else
    step(core::event::Commanded{core::Verb::kUp});
  // Their FIFOs are open anew by now.
  if (identity_.handover) output_.replace_logger(identity_.handover->logger);
  if (identity_.handover)
    for (const int fd : {identity_.handover->control, identity_.handover->ok})
      if (fd >= 0) system_.close(fd);
  identity_.handover.reset();
  identity_.record = {};
  publish();
  expire();
  settle();
  if (!directory_.is_watched()) retry_ = std::min(retry_, core::after(now_.mono, kUnwatchedLook));
  Started started;
  const auto facts = machine_.facts();
  if (machine_.pid() == 0) started.warning = reason_text(facts).view();
  if (left_running && left_running->facts.state == facts.state && machine_.pid() == 0 && !identity_.handover) {
    if (!started.warning.empty()) started.warning += "; ";
    started.warning += "the service is as the supervise that was killed left it: " + std::string(core::to_text(facts.state));
  }
  if (facts.state == core::State::kBackoff) started.warning += "; will keep trying";
  if (publish_failed_) started.warning += prefix + ": status cannot be written; will keep trying";
  return started;
}

// Another process may have taken the name while no supervise had it. A service that runs is heard again after its next start.
void Daemon::find_free_name() {
  const auto opened = signs_.open_socket(service_);
  if (opened || opened.error().number != EADDRINUSE) return;
  lost_name_ = std::exchange(identity_.inherited.notify_name, "supervise-" + sys::random_name());
  signs_.use_name(identity_.inherited.notify_name);
  Lines known;
  if (auto fresh = load_service(system_, identity_, known)) service_ = std::move(*fresh);
  (void)signs_.open_socket(service_);
}

// Why this supervise must not run: another one lives that has, or had, the directory. Its lock alone does not tell, as the
// file may have been removed and made again.
Daemon::Started Daemon::refuse_second() {
  const auto give_up = core::after(system_.now().mono, kDying);
  auto other = other_supervise();
  // One that was just killed is gone in a moment, and so may be what keeps us from looking.
  while ((!other || *other != 0) && system_.now().mono < give_up) {
    (void)system_.wait({}, core::after(system_.now().mono, kLockPause));
    other = other_supervise();
  }
  if (!other) return unreadable_state(other.error());
  return *other == 0 ? Started() : Started{kUsage, identity_.directory + " is already supervised by pid " + std::to_string(*other), {}};
}

// Where nothing tells, the start of a process does, to a hundredth of a second.
bool Daemon::is_of_this_boot(const core::RecordedProcesses& recorded) const {
  return recorded.boot_id.empty() || identity_.boot_id.empty() || recorded.boot_id == identity_.boot_id;
}

// The pids and starts of processes that were recorded mean others in here, or none.
bool Daemon::is_elsewhere(const core::RecordedProcesses& recorded) const {
  return is_of_this_boot(recorded) && !recorded.namespaces.empty() && !identity_.namespaces.empty() && recorded.namespaces != identity_.namespaces;
}

// What runs in other namespaces than ours can't be seen, but what it has open can: as long as the service or its logger lives, its
// outputs have a reader.
Daemon::Started Daemon::refuse_unseen(const core::RecordedProcesses& recorded) {
  const auto give_up = core::after(system_.now().mono, kLockPatience);
  while (is_elsewhere(recorded) && directory_.is_output_open()) {
    if (system_.now().mono >= give_up)
      return {kUsage, identity_.directory + ": its service runs in another pid or time namespace, out of sight; start supervise there, or end it first", {}};
    (void)system_.wait({}, core::after(system_.now().mono, kLockPause));
  }
  return {};
}

// It may name a service that runs, of which there is never to be a second copy.
Daemon::Started Daemon::unreadable_state(sys::Errno error) const {
  return {kSystemError, identity_.directory + ": cannot read what the last supervise recorded: " + std::string(sys::error_text(error.number)) + "; try again, or remove state and supervise/record if nothing runs", {}};
}

sys::Result<std::int32_t> Daemon::other_supervise() {
  const auto found = directory_.recorded();
  if (!found && identity_.handover) return 0;
  if (!found) return found.error();
  const auto recorded = core::recorded_processes(found->text.view());
  const auto& other = recorded.supervise;
  if (other.pid <= 0 || other.pid == self_.pid || !is_of_this_boot(recorded) || is_elsewhere(recorded)) return 0;
  const auto info = system_.process(other.pid);
  const bool lives = other.start == 0 ? directory_.is_served() : info.hidden || (!info.dead && info.start == other.start);
  return lives ? other.pid : 0;
}

// One that was just killed holds the lock until it, and a child that it was making, is gone.
sys::Failure Daemon::open_directory() {
  const auto give_up = core::after(now_.mono, kLockPatience);
  while (true) {
    const auto failure = directory_.open();
    if (failure.error.number != EWOULDBLOCK || system_.now().mono >= give_up || !refuse_second().error.empty()) return failure;
    (void)system_.wait({}, core::after(system_.now().mono, kLockPause));
  }
}

bool Daemon::turn() {
  const auto unless_held = [this](core::Instant until, int fd) { return now_.mono < until ? -1 : fd; };
  std::array polls = {sys::Poll{unless_held(control_hold_, directory_.control())}, sys::Poll{unless_held(notify_hold_, signs_.socket())},
                      sys::Poll{pending_.get()}, sys::Poll{signs_.ready()}, sys::Poll{output_.reports()}, sys::Poll{unless_held(main_look_ == core::kNever ? core::Instant{} : main_look_, main_.get())}};
  const auto& [control, notify, start, ready, reports, main] = polls;
  const auto waited = system_.wait(polls, deadline());
  wake_ = core::kNever;
  now_ = system_.now();
  report(watching_, waited ? sys::Failure{} : sys::Failure{"cannot wait for", "events", waited.error()});
  // Neither an end nor a spin: events come late while waiting is impossible.
  if (!waited) (void)system_.wait({}, core::after(now_.mono, kPause));
  try {
    // Before it is reaped, so that a last word has a sender.
    if (signs_.socket() >= 0 && now_.mono >= notify_hold_) read_notifications();
    if (start.readable) look_at_start();
    reap();
    if (ended_) main_exited(*ended_);
    if (main.readable || main_look_ <= now_.mono) look_at_main();
    read_signals();
    if (!waited || control.readable) read_control();
    if (reports.readable) read_reports();
    if (ready.readable && signs_.read_ready()) step(core::event::Ready{});
    if (reload_wanted_) reload();
    expire();
    // The logger is a copy of us: from here it has little of our stack.
    run_logger();
    settle();
    if (upgrade_wanted_) ask_program();
    if (may_hand_over()) hand_over();
  } catch (const std::bad_alloc&) {
    note(Level::kWarning, "out of memory; what needed it was left undone");
    wake_up_in(kPause);
  }
  if (replaced_) return false;
  if (!exit_ || !may_end()) return true;
  ended_properly_ = true;
  published_.reset();
  publish();
  note(Level::kNotice, "supervise ended");
  flush_notes();
  return false;
}

// An alarm for which no process could be made yet is worth a delay, but not any delay.
bool Daemon::may_end() {
  if (tree_.is_ending() || pending_alarm_) return false;
  if (alarm_->deadline() != core::kNever && now_.mono < exit_limit_) return false;
  if (!output_.finish(now_)) return false;
  if (output_.logger_lives()) note(Level::kNotice, "the logger goes on until all is written and nobody is left who may write");
  return true;
}

core::Instant Daemon::deadline() const {
  const auto pending = [this](core::Instant until) { return now_.mono < until ? until : core::kNever; };
  return std::min({machine_.deadline(), machine_.window_end(), helpers_.deadline(), alarm_->deadline(), tree_.deadline(), output_.deadline(), leftovers_due_, pidfile_look_, main_look_, kill_again_,
                   retry_, wake_, pending(control_hold_), pending(notify_hold_)});
}

void Daemon::wake_up_in(core::Nanos delay) { wake_ = std::min(wake_, core::after(now_.mono, delay)); }

void Daemon::read_signals() {
  const auto signals = system_.take_signals();
  if (signals.terminate) {
    note(Level::kNotice, "told to end by a signal");
    command('d');
    command('x');
  }
  if (signals.hangup) reload_wanted_ = true;
  if (!signals.watched) return;
  // Publishing raises it as well. What somebody else did at that moment is still seen in time.
  const auto delay = std::exchange(own_change_, false) ? kOwnChangeDelay : core::Nanos::zero();
  retry_ = std::min(retry_, std::max(core::after(now_.mono, delay), core::after(last_check_, kMinCheckInterval)));
}

// Kept out of turn(): its buffer would be on the stack of every wait.
[[gnu::noinline]] void Daemon::read_control() {
  std::array<char, kControlChunk> bytes;
  const auto n = system_.read(directory_.control(), bytes);
  if (!n || *n == 0) {
    // Readable and yet nothing to be had: not to be asked again and again.
    control_hold_ = core::after(now_.mono, kPause);
    return;
  }
  core::Text<40> known;
  char unknown = 0;
  for (const char byte : std::span(bytes).first(*n)) {
    if (core::find_command(byte)) {
      known << byte;
      command(byte);
    } else if (!core::is_separator(byte)) {
      unknown = byte;
    }
  }
  if (!known.view().empty() && control_notes_.allow(now_.mono)) {
    core::Text<128> text;
    text << "control: " << known.view() << (known.full() ? "..." : "");
    if (const auto held = control_notes_.take_held_back(); held != 0) text << " (and " << held << " times more before)";
    note(Level::kNotice, text.view());
  }
  if (unknown != 0 && unknown_notes_.allow(now_.mono)) {
    core::Text<128> text;
    text << "control: unknown byte " << static_cast<int>(static_cast<unsigned char>(unknown)) << " ignored; known are";
    for (const auto& known_command : core::commands()) text << ' ' << known_command.byte;
    note(Level::kWarning, text.view());
  }
}

void Daemon::command(char byte) {
  const auto* found = core::find_command(byte);
  // Letters take effect in their order; a run of `r` is one.
  if (reload_wanted_ && found->verb != core::Verb::kReload) reload();
  step(core::event::Commanded{found->verb, found->signal});
}

void Daemon::expire() {
  helpers_.expire(now_);
  if (pidfile_look_ <= now_.mono) look_at_pidfile();
  advance_tree();
  if (kill_again_ <= now_.mono) kill_again();
  const bool due = machine_.deadline() <= now_.mono;
  if (!due && machine_.window_end() > now_.mono) return;
  const bool overdue = due && machine_.facts().state == core::State::kStopping;
  step(core::event::Due{});
  if (!overdue) return;
  core::Text<96> text;
  text << "the service has not stopped within ";
  text.seconds(service_.settings().policy.stopwaitsecs, 1) << (unsent_.signal == SIGKILL ? " s and cannot be killed" : " s and is killed");
  note(Level::kWarning, text.view());
}

// Everything that is not urgent, once a turn: the service is already on its way.
void Daemon::settle() {
  if (retry_ <= now_.mono) check_directory();
  if (leftovers_due_ <= now_.mono || (exit_ && leftovers_due_ != core::kNever)) look_for_leftovers();
  publish();
  flush_notes();
  if (alarm_wanted_ || give_up_) prepare_alarm();
  if (pending_alarm_) raise_alarm();
  send_alarms();
  flush_notes();
}

void Daemon::step(const core::Event& event) {
  for (const auto& action : machine_.step(event, now_)) execute(action);
}

void Daemon::execute(const Action& action) {
  switch (action.kind) {
    case Action::Kind::kStart: return start_service();
    case Action::Kind::kSignal: return send_signal(action.value, false);
    case Action::Kind::kSignalGroup: return send_signal(action.value, true);
    case Action::Kind::kHook: return run_hook(action.value);
    case Action::Kind::kEndTree: return end_tree();
    case Action::Kind::kCheckHeartbeat: return step(core::event::HeartbeatChecked{signs_.look_at_heartbeat(service_, now_)});
    case Action::Kind::kAlarm: alarm_wanted_ = true; return;
    case Action::Kind::kGiveUp: give_up_ = true; return;
    case Action::Kind::kReload: reload_wanted_ = true; return;
    case Action::Kind::kRotate: return output_.rotate();
    case Action::Kind::kUpgrade: upgrade_wanted_ = true; return;
    case Action::Kind::kExit:
      exit_ = true;
      exit_limit_ = core::after(now_.mono, kExitLimit);
      return;
  }
}

[[gnu::noinline]] core::WallTime Daemon::conf_time() {
  const auto info = sys::look_at(system_, identity_.conf);
  return info ? info->modified : core::WallTime{};
}

// Kept out of turn() for the same reason: new settings are large.
[[gnu::noinline]] void Daemon::reload() {
  reload_wanted_ = false;
  // Whoever waits for what becomes of it sees it in the log by the time it stands in `state`.
  published_.reset();
  // A change while it is read makes it newer.
  conf_time_ = conf_time();
  ++conf_reads_;
  conf_faulty_ = true;
  // What the program on disk has said of the configuration counts no more.
  upgrade_wanted_ = std::exchange(upgrade_ready_, false) || upgrade_wanted_;
  Lines problems;
  auto fresh = load_service(system_, identity_, problems);
  const bool tell = reload_notes_.allow(now_.mono);
  for (const auto& problem : problems)
    if (tell) note(std::min(problem.level, Level::kWarning), problem.text);
  if (!fresh) {
    if (tell) note(Level::kWarning, "the configuration is faulty; the settings in force stay");
    return flush_notes();
  }
  const auto news = "configuration read again; " + in_words(service_.changes(*fresh));
  auto targets = alarm_->targets_of(fresh->settings());
  // From here on nothing needs memory: all of it takes effect, or nothing.
  alarm_->use(std::move(targets));
  service_ = std::move(*fresh);
  step(core::event::Reconfigured{service_.settings().policy, !identity_.hook.empty(), identity_.hook_reset});
  report(mending_, directory_.set_group(service_.control_group()));
  opened(output_.open(service_, directory_.descriptor(), directory_.inner(), directory_.path(), null_.get()));
  conf_faulty_ = false;
  if (tell) note(Level::kNotice, news);
  flush_notes();
  sys::return_unused_heap();
}

void Daemon::check_directory() {
  last_check_ = now_.mono;
  retry_ = core::after(now_.mono, kRetry);
  auto check = directory_.check();
  const auto output = directory_.is_taken() ? sys::StatusDir::Check() : output_.check(directory_.descriptor(), directory_.inner());
  if (!check.mended) check.mended = output.mended;
  if (!check.failure) check.failure = output.failure;
  // A second look: what is removed while it is mended raises no event of its own.
  const bool clean = !check.mended && !check.failure;
  if (clean) retry_ = directory_.is_watched() ? core::kNever : core::after(now_.mono, kUnwatchedLook);
  if (check.republish || publish_failed_) published_.reset();
  report(mending_, check.failure);
  if (!check.mended || check.failure || !mending_notes_.allow(now_.mono)) return;
  core::Text<256> text;
  text << "status directory: " << check.mended << " was missing or replaced and has been put back";
  note(Level::kWarning, text.view());
}

}  // namespace supervise
