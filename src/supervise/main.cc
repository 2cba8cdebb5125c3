// supervise(8): from the command line to the loop.
#include <array>
#include <optional>

#include "core/conf.h"
#include "core/strings.h"
#include "core/version.h"
#include "supervise/check.h"
#include "supervise/daemon.h"
#include "supervise/options.h"
#include "supervise/wrapper.h"
#include "sys/platform.h"
#include "sys/process.h"
#include "sys/real_system.h"
#include "sys/resources.h"
#include "sys/terminal.h"

extern char** environ;

namespace supervise {
namespace {

constexpr const char* kDefaultConf = "supervise.conf";

// The one daemon of this process, and the system, which outlives it. Static, because that costs less memory than the heap
// or the stack.
constinit sys::RealSystem g_system;
constinit std::optional<Daemon> g_daemon;

// Names and values in it are from outside, and this may be a terminal.
int complain(const std::string& what, int status) {
  (void)g_system.write_unless_blocked(2, "supervise: " + core::printable(what) + "\n");
  return status;
}

// Those of `level` or worse.
void print_problems(const Lines& problems, sys::Level level) {
  for (const auto& problem : problems)
    if (problem.level >= level) complain(problem.text, 0);
}

Identity identify(sys::System& system, const Options& options, const std::optional<Handover>& handover) {
  Identity identity;
  identity.handover = handover;
  if (identity.handover) identity.record = take_record(system, *identity.handover);
  if (!options.directory.empty()) {
    identity.directory = sys::absolute_path(options.directory);
    identity.name = service_name(identity.directory);
    identity.inherited.directory = identity.directory;
  }
  identity.host = sys::host_name();
  identity.conf_required = identity.conf_named = !options.conf.empty();
  identity.conf = sys::absolute_path(identity.conf_required ? options.conf : kDefaultConf);
  // A file that is there at the start is missed if it is gone at `r`.
  if (system.stat_at(sys::kWorkingDirectory, identity.conf.c_str())) identity.conf_required = true;
  identity.command = options.command;
  identity.hook = options.hook;
  identity.hook_reset = options.hook_reset;
  identity.inherited.environment = environ;
  // A service that is running already was told the name that its supervise had chosen.
  const auto directory = sys::open_directory(system, identity.directory, sys::Links::kAll, sys::Missing::kFail, sys::OpenMode::kSearch);
  const auto found = directory ? sys::read_recorded(system, directory->fd.get()) : sys::Result<sys::Recorded>(directory.error());
  const auto recorded = !identity.record.empty() ? std::string_view(identity.record) : found && found->is_trusted ? found->text.view() : std::string_view();
  identity.inherited.notify_name = core::recorded_notify_name(recorded);
  if (identity.inherited.notify_name.empty()) identity.inherited.notify_name = "supervise-" + sys::random_name();
  identity.program = sys::own_program();
  identity.foreground = options.foreground;
  return identity;
}

void print_settings(const core::Settings& settings) {
  for (const auto& key : core::keys()) {
    const auto value = key.print(settings);
    sys::print(std::string(key.name) + " :" + (value.empty() ? "" : " " + core::printable(value)) + "\n");
  }
}

// Whether there can be `n` open files; if not, that is said.
bool may_open(unsigned n) {
  if (sys::raise_descriptor_limit(n)) return true;
  complain("needs " + std::to_string(n) + " open files, and the hard limit is lower; see ulimit -Hn", kSystemError);
  return false;
}

int check(sys::System& system, const Identity& identity) {
  const auto checked = check_configuration(system, identity);
  print_problems(checked.problems, sys::Level::kNotice);
  if (!checked.settings) return kUsage;
  print_settings(*checked.settings);
  return 0;
}

// Returns the exit status of a supervise that failed; the daemon runs if there is none.
std::optional<int> start(sys::System& system, Identity identity) {
  const bool resumes = identity.handover.has_value();
  if (!may_open(sys::kDescriptors) && !resumes) return kSystemError;
  const auto umask = sys::clear_umask();
  identity.inherited.umask = resumes ? identity.handover->umask : umask;
  // One that resumes may have to wait, and signals are pending.
  if (resumes) sys::take_over_signals(sys::Signalling::kDaemon);
  Lines problems;
  auto service = load_service(system, identity, problems);
  print_problems(problems, sys::Level::kWarning);
  // Whoever resumes has a service to look after: the configuration was right a moment ago.
  while (resumes && !service) {
    (void)system.wait({}, core::after(system.now().mono, core::seconds(1)));
    problems.clear();
    service = load_service(system, identity, problems);
  }
  if (!service) return kUsage;
  auto boot_id = sys::platform::boot_id(system);
  while (resumes && !boot_id) {
    (void)system.wait({}, core::after(system.now().mono, core::seconds(1)));
    boot_id = sys::platform::boot_id(system);
  }
  // Without it a service that runs would be taken for one of another boot.
  if (!boot_id) return complain("cannot read the kernel's boot_id: " + std::string(sys::error_text(boot_id.error().number)) + "; try again", kSystemError);
  identity.boot_id = *boot_id;
  identity.namespaces = sys::platform::namespaces(system);

  sys::Launch launch;
  if (resumes) {
    // In the same process as before: it has its place already.
  } else if (identity.foreground)
    launch.stay();
  else if (!launch.detach())
    return complain("cannot detach: no process or no descriptor can be had", kSystemError);
  if (!resumes) sys::take_over_signals(sys::Signalling::kDaemon);
  sys::become_subreaper();

  for (const auto& [output, own] : {std::pair(&service->settings().output, 1), std::pair(&service->settings().errors, 2)})
    if (const int kept = output->logfile == "inherit" ? own : core::descriptor_of(output->logfile); kept >= 0) launch.keep(kept);
  g_daemon.emplace(system, std::move(identity), std::move(*service));
  auto started = g_daemon->start(problems);
  // A service is there, and nobody else who would look after it.
  while (resumes && !started.error.empty()) {
    (void)system.wait({}, core::after(system.now().mono, core::seconds(1)));
    started = g_daemon->start(problems);
  }
  if (!started.error.empty()) {
    complain(started.error, started.status);
    launch.report(started.status);
    return started.status;
  }
  if (!started.warning.empty()) complain(started.warning, 0);
  launch.report(0);
  return std::nullopt;
}

// Wrapper mode from its beginning to its end.
int wrap(sys::System& system, core::Settings settings) {
  if (!may_open(sys::kWrapperDescriptors)) return kSystemError;
  Loaded loaded;
  loaded.settings = std::move(settings);
  Lines problems;
  Inherited inherited;
  inherited.environment = environ;
  inherited.umask = sys::clear_umask();
  auto service = Service::prepare(system, std::move(loaded), inherited, problems);
  print_problems(problems, sys::Level::kWarning);
  if (!service) return kUsage;
  sys::take_over_signals(sys::Signalling::kWrapper);
  sys::become_subreaper();
  sys::remember_terminal();
  Wrapper wrapper(system, std::move(*service));
  sys::return_unused_heap();
  while (wrapper.turn()) sys::return_unused_stack();
  return wrapper.status();
}

// Kept out of main(): what start-up needs of the stack would stay there for as long as supervise lives.
[[gnu::noinline]] std::optional<int> set_out(sys::System& system, int argc, char** argv, const std::optional<Handover>& handover) {
  const std::string_view first = argc > 1 ? argv[1] : "";
  const bool asked = is_question(first);
  if (asked && !can_answer(first)) return kOtherVersion;
  if (asked || handover) --argc, ++argv;
  const auto options = parse_options(argc, argv);
  if (!options.error.empty()) return complain(options.error + "; see supervise -h", kUsage);
  if (options.mode == Options::Mode::kShowHelp) return sys::print(help()), 0;
  if (options.mode == Options::Mode::kShowVersion) return sys::print(std::string(core::kSupervise) + std::string(sys::platform::suffix()) + "\n"), 0;
  if (!options.warning.empty()) complain("warning: " + options.warning, 0);
  if (options.mode == Options::Mode::kWrap) return wrap(system, options.wrapper);
  auto identity = identify(system, options, handover);
  if (!options.directory.empty() && identity.directory.empty())
    return complain("the working directory is gone; name DIR absolutely", kSystemError);
  if (options.mode == Options::Mode::kCheck) return check(system, identity);
  if (asked) {
    Lines problems;
    return load_service(system, identity, problems) ? kCanResume : kUsage;
  }
  identity.arguments.assign(argv + 1, argv + argc);
  return start(system, std::move(identity));
}

}  // namespace
}  // namespace supervise

int main(int argc, char** argv) {
  sys::remember_arguments(argc, argv);
  sys::ensure_standard_descriptors();
  const auto handover = argc > 1 ? supervise::parse_handover(argv[1]) : std::nullopt;
  if (handover)
    sys::close_at_exec(handover->descriptors());
  else
    sys::close_inherited_descriptors();
  if (const auto status = supervise::set_out(supervise::g_system, argc, argv, handover)) return *status;
  sys::return_unused_heap();
  do sys::return_unused_stack();
  while (supervise::g_daemon->turn());
  return 0;
}
