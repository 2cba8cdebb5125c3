// supervise(8): from the command line to the loop.
#include <memory>

#include "core/conf.h"
#include "supervise/daemon.h"
#include "sys/process.h"
#include "sys/real_system.h"

extern char** environ;

namespace supervise {
namespace {

constexpr const char* kDefaultConf = "supervise.conf";

int complain(const std::string& what, int status) {
  sys::print_error("supervise: " + what + "\n");
  return status;
}

void print_problems(const Lines& problems) {
  for (const auto& problem : problems) sys::print_error("supervise: " + problem.text + "\n");
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
  identity.command = options.command;
  identity.hook = options.hook;
  identity.hook_reset = options.hook_reset;
  identity.environment = environ;
  identity.boot_id = boot_id(system);
  identity.foreground = options.foreground;
  return identity;
}

void print_settings(const core::Settings& settings) {
  for (const auto& key : core::keys()) {
    const auto value = key.print(settings);
    sys::print(std::string(key.name) + " :" + (value.empty() ? "" : " " + value) + "\n");
  }
}

// All sections where no service is named, else only what counts for it.
int check(sys::System& system, const Identity& identity) {
  const bool one_service = !identity.name.empty();
  auto loaded = load_settings(system, identity.conf, identity.conf_required, one_service ? identity.name : "global");
  bool good = loaded.settings.has_value();
  if (!one_service && good) {
    const auto problems = check_other_sections(system, identity.conf);
    for (const auto& problem : problems) good = good && problem.level != sys::Level::kFatal;
    loaded.problems.insert(loaded.problems.end(), problems.begin(), problems.end());
  }
  print_problems(loaded.problems);
  if (!good) return kUsage;
  if (!identity.command.empty()) loaded.settings->command = identity.command;
  Lines problems;
  const auto service = Service::prepare(system, *loaded.settings, identity.environment, 022, problems);
  print_problems(problems);
  if (!service) return kUsage;
  print_settings(*loaded.settings);
  return 0;
}

// A supervise at work, or the exit status of one that has nothing to do or failed.
struct Outset {
  std::unique_ptr<Daemon> daemon;
  int status = 0;
};

Outset start(sys::System& system, Identity identity) {
  identity.umask = sys::clear_umask();
  Lines problems;
  auto service = load_service(system, identity, problems);
  print_problems(problems);
  if (!service) return {nullptr, kUsage};

  sys::Launch launch;
  if (identity.foreground)
    launch.stay();
  else if (!launch.detach())
    return {nullptr, complain("cannot detach: no process can be made", kSystemError)};
  sys::take_over_signals();

  auto daemon = std::make_unique<Daemon>(system, std::move(identity), std::move(*service));
  const auto started = daemon->start(problems);
  if (!started.error.empty()) {
    complain(started.error, started.status);
    launch.report(started.status);
    return {nullptr, started.status};
  }
  if (!started.first_start.empty()) complain(started.first_start + "; trying on", 0);
  launch.report(0);
  return {std::move(daemon)};
}

// Kept out of main(): what start-up needs of the stack would stay there for as long as supervise lives.
[[gnu::noinline]] Outset set_out(sys::System& system, int argc, char** argv) {
  const auto options = parse_options(argc, argv);
  if (!options.error.empty()) return {nullptr, complain(options.error + "; see supervise -h", kUsage)};
  if (options.mode == Options::Mode::kShowHelp) return sys::print(help()), Outset{};
  if (options.mode == Options::Mode::kShowVersion) return sys::print(std::string(kVersion) + "\n"), Outset{};
  if (!options.warning.empty()) complain("warning: " + options.warning, 0);
  auto identity = identify(system, options);
  if (!options.directory.empty() && identity.directory.empty())
    return {nullptr, complain("the working directory is gone; name DIR absolutely", kSystemError)};
  if (options.mode == Options::Mode::kCheck) return {nullptr, check(system, identity)};
  return start(system, std::move(identity));
}

}  // namespace
}  // namespace supervise

int main(int argc, char** argv) {
  sys::ensure_standard_descriptors();
  sys::RealSystem system;
  const auto [daemon, status] = supervise::set_out(system, argc, argv);
  if (!daemon) return status;
  sys::return_unused_heap();
  do sys::return_unused_stack();
  while (daemon->turn());
  return 0;
}
