#include "supervise/daemon.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>

#include "sys/faults.h"
#include "sys/process.h"

namespace supervise {
namespace {

using core::Action;
using sys::Level;

constexpr core::Nanos kRetry = core::seconds(1);
constexpr core::Nanos kMinCheckInterval = std::chrono::milliseconds(200);
constexpr core::Nanos kPause = std::chrono::milliseconds(100);
constexpr core::Nanos kExitLimit = core::seconds(10);
constexpr std::size_t kControlChunk = 4096;

core::Machine new_machine(const Service& service, core::Now now, std::int32_t pid) {
  return {service.settings().policy, now, static_cast<std::uint32_t>(now.wall.time_since_epoch().count()) ^ static_cast<std::uint32_t>(pid)};
}

char level_byte(Level level) { return static_cast<char>('0' + static_cast<int>(level)); }

}  // namespace

std::optional<Service> load_service(sys::System& system, const Identity& identity, Lines& problems) {
  auto loaded = identity.conf.empty() ? Loaded{core::Settings(), {}, {}, {}}
                                      : load_settings(system, identity.conf, identity.conf_required, identity.name);
  problems.insert(problems.end(), loaded.problems.begin(), loaded.problems.end());
  if (!loaded.settings) return std::nullopt;
  if (!identity.command.empty()) loaded.settings->command = identity.command;
  if (loaded.settings->command.empty()) {
    problems.push_back({Level::kFatal, "no command for " + identity.name + "; give -f COMMAND, or `command` in its section [" +
                                           identity.name + "] of the configuration"});
    return std::nullopt;
  }
  return Service::prepare(system, std::move(loaded), identity.environment, identity.umask, problems);
}

Daemon::Daemon(sys::System& system, Identity identity, Service service)
    : system_(system),
      identity_(std::move(identity)),
      service_(std::move(service)),
      directory_(system, identity_.directory, service_.control_group()),
      machine_(new_machine(service_, system.now(), system.own_pid())),
      helpers_(system),
      now_(system.now()) {}

Daemon::Started Daemon::start(const Lines& problems) {
  const std::string prefix = identity_.directory;
  auto null = sys::owned(system_, system_.open(sys::kWorkingDirectory, "/dev/null", sys::OpenMode::kReadWrite, 0));
  if (!null) return {kSystemError, "cannot open /dev/null: " + std::string(sys::error_text(null.error().number)), {}};
  null_ = std::move(*null);
  self_ = {system_.own_pid(), system_.start_time(system_.own_pid())};
  if (const auto failure = directory_.open()) {
    if (failure.error.number == EWOULDBLOCK) return {kUsage, refuse_second(), {}};
    return {kSystemError, prefix + ": " + std::string(sys::to_text(failure).view()), {}};
  }
  if (auto refusal = refuse_second(); !refusal.empty()) return {kUsage, std::move(refusal), {}};

  const auto leftover = pid_of_leftover();
  directory_.log().to_stderr(identity_.foreground);
  alarm_.emplace(system_, helpers_, identity_.name, identity_.directory, identity_.host, identity_.environment, null_.get());
  alarm_->configure(service_.settings());
  step(core::event::Reconfigured{service_.settings().policy, !identity_.hook.empty(), identity_.hook_reset});
  core::Text<128> hello;
  hello << "supervise started, pid " << self_.pid;
  note(Level::kNotice, hello.view());
  for (const auto& problem : problems) note(problem.level, problem.text);
  if (leftover != 0) {
    core::Text<128> text;
    text << "an earlier supervise left the service running, pid " << leftover << "; a second copy is started";
    note(Level::kWarning, text.view());
  }
  step(core::event::Commanded{core::Verb::kUp});
  publish();
  expire();
  settle();
  Started started;
  if (machine_.pid() == 0) started.warning = std::string(reason_text(machine_.facts()).view()) + "; will keep trying";
  if (publish_failed_) started.warning += prefix + ": status cannot be written; will keep trying";
  if (leftover != 0 && started.warning.empty())
    started.warning = "warning: an earlier supervise left the service running, pid " + std::to_string(leftover) + "; this is a second copy";
  return started;
}

// Why this supervise must not run: another one lives that has, or had, the directory. Its lock alone does not tell, as the
// file may have been removed and made again.
std::string Daemon::refuse_second() {
  const auto state = directory_.recorded_state();
  const auto recorded = core::recorded_processes(state.view());
  const auto& other = recorded.supervise;
  const bool known = other.pid > 0 && other.start != 0 && other.pid != self_.pid && recorded.boot_id == identity_.boot_id &&
                     system_.start_time(other.pid) == other.start;
  if (known) return identity_.directory + " is already supervised by pid " + std::to_string(other.pid);
  const bool locked = directory_.control() < 0;
  return locked ? identity_.directory + " is already supervised: its lock is held" : std::string();
}

// The pid of a service that an earlier supervise left running when it was killed; 0 if there is none.
std::int32_t Daemon::pid_of_leftover() {
  const auto state = directory_.recorded_state();
  const auto recorded = core::recorded_processes(state.view());
  const auto& service = recorded.service;
  const bool lives = service.pid > 0 && service.start != 0 && recorded.boot_id == identity_.boot_id &&
                     system_.start_time(service.pid) == service.start;
  return lives ? service.pid : 0;
}

bool Daemon::turn() {
  std::array polls = {sys::Poll{directory_.control()}};
  const bool held = now_.mono < control_hold_;
  const auto waited = system_.wait(std::span(polls).first(held ? 0 : 1), deadline());
  wake_ = core::kNever;
  now_ = system_.now();
  report(watching_, waited ? sys::Failure{} : sys::Failure{"cannot wait for", "events", waited.error()});
  // Neither an end nor a spin: events come late while waiting is impossible.
  if (!waited) (void)system_.wait({}, core::after(now_.mono, kPause));
  try {
    reap();
    read_signals();
    if (!waited || polls[0].readable) read_control();
    if (reload_wanted_) reload();
    expire();
    settle();
  } catch (const std::bad_alloc&) {
    note(Level::kWarning, "out of memory; what needed it was left undone");
    wake_up_in(kPause);
  }
  if (!exit_ || !may_end()) return true;
  note(Level::kNotice, "supervise ended");
  flush_notes();
  return false;
}

// An alarm for which no process could be made yet is worth a delay, but not any delay.
bool Daemon::may_end() const { return alarm_->deadline() == core::kNever || now_.mono >= exit_limit_; }

core::Instant Daemon::deadline() const {
  const auto control = now_.mono < control_hold_ ? control_hold_ : core::kNever;
  return std::min({machine_.deadline(), helpers_.deadline(), alarm_->deadline(), retry_, wake_, control});
}

void Daemon::wake_up_in(core::Nanos delay) { wake_ = std::min(wake_, core::after(now_.mono, delay)); }

void Daemon::reap() {
  while (true) {
    const auto dead = system_.reap();
    if (!dead) return wake_up_in(kPause);
    if (!*dead) return;
    const auto& child = **dead;
    if (child.pid == machine_.pid())
      service_exited(child.outcome);
    else if (const auto end = helpers_.ended(child.pid, child.outcome))
      helper_ended(*end);
  }
}

void Daemon::service_exited(const core::Outcome& outcome) {
  last_end_.clear();
  last_end_ << "pid " << machine_.pid() << ", " << core::to_text(outcome).view() << ", up ";
  last_end_.seconds(machine_.uptime(now_), 1) << " s";
  core::Text<256> text;
  text << (outcome.core ? "service exited with coredump! " : "service exited! ") << last_end_.view();
  note(Level::kNotice, text.view());
  process_ = {};
  step(core::event::Exited{outcome});
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

void Daemon::read_signals() {
  const auto signals = system_.take_signals();
  if (signals.terminate) {
    note(Level::kNotice, "told to end by a signal");
    command('d');
    command('x');
  }
  if (signals.hangup) reload_wanted_ = true;
  if (signals.watched) retry_ = std::min(retry_, std::max(now_.mono, core::after(last_check_, kMinCheckInterval)));
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
  if (machine_.deadline() <= now_.mono) step(core::event::Due{});
}

// Everything that is not urgent, once a turn: the service is already on its way.
void Daemon::settle() {
  if (retry_ <= now_.mono) check_directory();
  publish();
  flush_notes();
  if (alarm_wanted_ || give_up_) raise_alarm(give_up_);
  alarm_wanted_ = give_up_ = false;
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
    case Action::Kind::kAlarm: alarm_wanted_ = true; return;
    case Action::Kind::kGiveUp: give_up_ = true; return;
    case Action::Kind::kReload: reload_wanted_ = true; return;
    case Action::Kind::kExit:
      exit_ = true;
      exit_limit_ = core::after(now_.mono, kExitLimit);
      return;
  }
}

void Daemon::start_service() {
  auto spawn = service_.spawn();
  spawn.input = null_.get();
  spawn.output = directory_.service_output();
  spawn.errors = directory_.service_errors();
  spawn.context = this;
  // In the new process, so that no instruction of the service runs before its pid is in status.
  spawn.before_exec = [](void* self, std::int32_t pid) { static_cast<Daemon*>(self)->started(pid); };
  const auto spawned = system_.spawn(spawn);
  if (!spawned.failure) {
    report(starting_, {});
    core::Text<64> text;
    text << "service started, pid " << spawned.pid;
    return note(Level::kNotice, text.view());
  }
  process_ = {};
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
  process_ = {pid, system_.start_time(pid)};
  step(core::event::Started{pid});
  const auto facts = machine_.facts();
  if (!write_status(facts, sys::StatusDir::Means::kExchange)) published_ = facts;
}

void Daemon::send_signal(int signal, bool to_group) {
  publish();
  const auto pid = machine_.pid();
  const auto sent = system_.kill(to_group ? -pid : pid, signal);
  // ESRCH: the group is gone but for the dead leader, who is about to be reaped.
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
  spawn.environment = identity_.environment;
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

void Daemon::raise_alarm(bool giving_up) {
  const auto facts = machine_.facts();
  const auto reason = reason_text(facts);
  if (giving_up) {
    core::Text<300> text;
    text << "giving up on the service: " << reason.view();
    if (facts.reason == core::Reason::kExitedTooQuickly || facts.reason == core::Reason::kStartFailed) text << "; startretries reached";
    note(Level::kFatal, text.view());
  }
  const bool wanted = facts.alarms_on && service_.settings().policy.alarm_interval != core::Nanos::zero();
  if (!wanted) return;
  std::array<char, 2048> errors;
  const bool dumped = facts.exit && facts.exit->core && facts.reason != core::Reason::kStartFailed;
  const bool composed = alarm_->raise({giving_up ? AlarmFacts::Event::kGiveUp
                 : dumped  ? AlarmFacts::Event::kCoreDump
                           : AlarmFacts::Event::kExit,
                 facts, last_end_.view(), reason.view(), directory_.tail_of_errors(errors), now_});
  if (!composed) return note(Level::kWarning, "no memory to compose an alarm");
  core::Text<256> text;
  text << "alarm: " << last_end_.view();
  note(Level::kWarning, text.view());
}

void Daemon::send_alarms() {
  while (alarm_->deadline() <= now_.mono) {
    const auto problem = alarm_->send(now_);
    if (!problem) return;
    core::Text<256> text;
    text << "alarm program ";
    text.printable(alarm_->program(problem->kind)) << " cannot be run: " << sys::error_text(problem->failure.cause);
    note(Level::kWarning, text.view());
  }
}

void Daemon::reload() {
  reload_wanted_ = false;
  Lines problems;
  auto fresh = load_service(system_, identity_, problems);
  for (const auto& problem : problems) note(Level::kWarning, problem.text);
  if (!fresh) return note(Level::kWarning, "the configuration is faulty; the settings in force stay");
  service_ = std::move(*fresh);
  alarm_->configure(service_.settings());
  step(core::event::Reconfigured{service_.settings().policy, !identity_.hook.empty(), identity_.hook_reset});
  report(mending_, directory_.set_group(service_.control_group()));
  note(Level::kNotice, "configuration read again");
  sys::return_unused_heap();
}

void Daemon::check_directory() {
  last_check_ = now_.mono;
  retry_ = core::after(now_.mono, kRetry);
  const auto check = directory_.check();
  // A second look: what is removed while it is mended raises no event of its own.
  const bool clean = !check.mended && !check.failure;
  if (clean) retry_ = core::kNever;
  if (check.republish || publish_failed_) published_.reset();
  report(mending_, check.failure);
  if (!check.mended || check.failure || !mending_notes_.allow(now_.mono)) return;
  core::Text<256> text;
  text << "status directory: " << check.mended << " was missing or replaced and has been put back";
  note(Level::kWarning, text.view());
}

// Writes status and state if they would say anything new.
void Daemon::publish() {
  const auto facts = machine_.facts();
  if (facts == published_) return;
  const auto failure = write_status(facts, sys::StatusDir::Means::kAnyWay);
  publish_failed_ = static_cast<bool>(failure);
  if (failure) retry_ = std::min(retry_, core::after(now_.mono, kRetry));
  report(publishing_, failure);
  published_ = facts;
}

sys::Failure Daemon::write_status(const core::Facts& facts, sys::StatusDir::Means means) {
  const core::Status status{facts.stamp, facts.pid, facts.paused, facts.want, facts.alarms_on, facts.state == core::State::kStopping};
  return directory_.publish(status, state_text(facts).view(), means);
}

core::StateText Daemon::state_text(const core::Facts& facts) const {
  const auto reason = reason_text(facts);
  const auto process = facts.pid == process_.pid ? process_ : core::ProcessId{facts.pid, 0};
  return core::encode_state({identity_.name, facts, self_, process, identity_.boot_id, reason.view(), now_});
}

core::Text<256> Daemon::reason_text(const core::Facts& facts) const {
  switch (facts.reason) {
    case core::Reason::kStartFailed: return service_.explain(system_, facts.failure);
    case core::Reason::kStartDeferred: return service_.explain(system_, facts.failure);
    default: break;
  }
  core::Text<256> text;
  text << core::to_text(facts.reason);
  return text;
}

void Daemon::note(Level level, std::string_view text) {
  if (notes_.view().size() + std::min<std::size_t>(text.size(), kMaxNote) + 2 > kNotes) flush_notes();
  notes_ << level_byte(level);
  notes_.printable(text.substr(0, kMaxNote)) << '\n';
}

void Daemon::flush_notes() {
  auto rest = notes_.view();
  while (!rest.empty()) {
    const auto end = rest.find('\n');
    directory_.log().write(static_cast<Level>(rest.front() - '0'), now_.wall, rest.substr(1, end - 1));
    rest.remove_prefix(end + 1);
  }
  notes_.clear();
}

void Daemon::report(Trouble& trouble, const sys::Failure& failure) {
  const bool begins = static_cast<bool>(failure) && !trouble.active;
  const bool ends = !failure && trouble.active;
  trouble.active = static_cast<bool>(failure);
  if (begins) note(Level::kWarning, sys::to_text(failure).view());
  if (ends) note(Level::kNotice, "it works again");
}

}  // namespace supervise
