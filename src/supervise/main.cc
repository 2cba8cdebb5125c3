// supervise(8): from the command line to the loop.
#include <optional>

#include "core/conf.h"
#include "supervise/daemon.h"
#include "supervise/options.h"
#include "supervise/wrapper.h"
#include "sys/process.h"
#include "sys/real_system.h"

extern char** environ;

namespace supervise {
namespace {

constexpr const char* kDefaultConf = "supervise.conf";

// Names and values in it are from outside, and this may be a terminal.
std::string printable(std::string_view text) {
  std::string out(text.size(), '\0');
  core::text::append_printable(out.data(), out.size(), text);
  return out;
}

int complain(const std::string& what, int status) {
  sys::print_error("supervise: " + printable(what) + "\n");
  return status;
}

void print_problems(const Lines& problems) {
  for (const auto& problem : problems) complain(problem.text, 0);
}

std::string boot_id(sys::System& system) {
  const auto id = sys::read_file(system, "/proc/sys/kernel/random/boot_id", 64);
  return id ? id->substr(0, id->find('\n')) : "";
}

Identity identify(sys::System& system, const Options& options) {
  Identity identity;
  if (!options.directory.empty()) {
    identity.directory = sys::absolute_path(options.directory);
    identity.name = service_name(identity.directory);
  }
  identity.host = sys::host_name();
  identity.conf_required = !options.conf.empty();
  identity.conf = sys::absolute_path(identity.conf_required ? options.conf : kDefaultConf);
  // A file that is there at the start is missed if it is gone at `r`.
  if (system.stat_at(sys::kWorkingDirectory, identity.conf.c_str())) identity.conf_required = true;
  identity.command = options.command;
  identity.hook = options.hook;
  identity.hook_reset = options.hook_reset;
  identity.inherited.environment = environ;
  identity.inherited.notify_name = "supervise-" + sys::random_name();
  identity.boot_id = boot_id(system);
  identity.foreground = options.foreground;
  return identity;
}

void print_settings(const core::Settings& settings) {
  for (const auto& key : core::keys()) {
    const auto value = key.print(settings);
    sys::print(std::string(key.name) + " :" + (value.empty() ? "" : " " + printable(value)) + "\n");
  }
}

// All sections where no service is named, else only what counts for it.
int check(sys::System& system, const Identity& identity) {
  const bool one_service = !identity.name.empty();
  auto loaded = load_settings(system, identity.conf, identity.conf_required, one_service ? identity.name : "global");
  bool good = loaded.settings.has_value();
  if (!one_service) {
    const auto problems = check_other_sections(system, identity.conf);
    for (const auto& problem : problems) good = good && problem.level != sys::Level::kFatal;
    loaded.problems.insert(loaded.problems.end(), problems.begin(), problems.end());
  }
  print_problems(loaded.problems);
  if (!good) return kUsage;
  if (!identity.command.empty()) loaded.settings->command = identity.command;
  if (one_service && loaded.settings->command.empty())
    complain("warning: no command for " + identity.name + "; a section [" + identity.name + "] with `command`, or -f, would give one", 0);
  Lines problems;
  const auto service = Service::prepare(system, loaded, identity.inherited, problems);
  print_problems(problems);
  if (!service) return kUsage;
  print_settings(*loaded.settings);
  return 0;
}

// The one daemon of this process, and the system, which outlives it. Static, because that costs less memory than the heap
// or the stack.
constinit sys::RealSystem g_system;
constinit std::optional<Daemon> g_daemon;

// Returns the exit status of a supervise that failed; the daemon runs if there is none.
std::optional<int> start(sys::System& system, Identity identity) {
  identity.inherited.umask = sys::clear_umask();
  Lines problems;
  auto service = load_service(system, identity, problems);
  print_problems(problems);
  if (!service) return kUsage;

  sys::Launch launch;
  if (identity.foreground)
    launch.stay();
  else if (!launch.detach())
    return complain("cannot detach: no process can be made", kSystemError);
  sys::take_over_signals(sys::Signalling::kDaemon);
  sys::become_subreaper();

  g_daemon.emplace(system, std::move(identity), std::move(*service));
  const auto started = g_daemon->start(problems);
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
  Loaded loaded;
  loaded.settings = std::move(settings);
  Lines problems;
  Inherited inherited;
  inherited.environment = environ;
  inherited.umask = sys::clear_umask();
  auto service = Service::prepare(system, std::move(loaded), inherited, problems);
  print_problems(problems);
  if (!service) return kUsage;
  sys::take_over_signals(sys::Signalling::kWrapper);
  sys::become_subreaper();
  Wrapper wrapper(system, std::move(*service));
  sys::return_unused_heap();
  while (wrapper.turn()) sys::return_unused_stack();
  return wrapper.status();
}

// Kept out of main(): what start-up needs of the stack would stay there for as long as supervise lives.
[[gnu::noinline]] std::optional<int> set_out(sys::System& system, int argc, char** argv) {
  const auto options = parse_options(argc, argv);
  if (!options.error.empty()) return complain(options.error + "; see supervise -h", kUsage);
  if (options.mode == Options::Mode::kShowHelp) return sys::print(help()), 0;
  if (options.mode == Options::Mode::kShowVersion) return sys::print(std::string(kVersion) + "\n"), 0;
  if (!options.warning.empty()) complain("warning: " + options.warning, 0);
  if (options.mode == Options::Mode::kWrap) return wrap(system, options.wrapper);
  auto identity = identify(system, options);
  if (!options.directory.empty() && identity.directory.empty())
    return complain("the working directory is gone; name DIR absolutely", kSystemError);
  if (options.mode == Options::Mode::kCheck) return check(system, identity);
  return start(system, std::move(identity));
}

}  // namespace
}  // namespace supervise

int main(int argc, char** argv) {
  sys::ensure_standard_descriptors();
  sys::close_inherited_descriptors();
  if (const auto status = supervise::set_out(supervise::g_system, argc, argv)) return *status;
  sys::return_unused_heap();
  do sys::return_unused_stack();
  while (supervise::g_daemon->turn());
  return 0;
}
