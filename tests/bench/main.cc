// bench FOLDER MEMORY DISK [MEASUREMENT...]: measures supervise beside its peers in one run, prints a table for each measurement,
// and writes FOLDER/bench.md and FOLDER/bench.json. MEMORY and DISK are directories for the services, on a file system in memory
// and on a disk. $SUPERVISE and $SUPERVISECTL are the programs; $BENCH_SERVICES (1000) how many are many, $BENCH_MIB (512) how much
// is logged.
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "bench/bench.h"
#include "bench/feed.h"

namespace {

volatile sig_atomic_t g_interrupted = 0;

std::filesystem::path work_directory(const char* parent) {
  static const auto name = "bench." + std::to_string(getpid());
  return std::filesystem::absolute(parent) / name;
}

// Measures in a child process, and ends and removes whatever that leaves, also when it is interrupted.
int guarded(const std::function<void()>& measure, const std::vector<std::filesystem::path>& directories) {
  peers::adopt_descendants();
  const pid_t child = fork();
  if (child == 0) {
    peers::adopt_descendants();
    measure();
    std::exit(0);
  }
  struct sigaction action{};
  action.sa_handler = [](int) { g_interrupted = 1; };
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaction(signal, &action, nullptr);
  int status = 1;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR && !g_interrupted) {}
  peers::end_descendants();
  for (const auto& directory : directories) std::filesystem::remove_all(directory);
  return status == 0 && !g_interrupted ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace bench;
  if (argc == 4 && std::strcmp(argv[1], "--feed") == 0) return feed(std::atol(argv[2]), std::atol(argv[3]));
  if (argc == 3 && std::strcmp(argv[1], "--copy") == 0) return copy(argv[2]);
  constexpr std::pair<const char*, void (*)(const Setting&)> kMeasurements[] = {
      {"restart", measure_restart}, {"crash_loop", measure_crash_loop}, {"control", measure_control}, {"idle", measure_idle}, {"memory", measure_memory},
      {"fleet", measure_fleet},     {"clients", measure_clients},       {"log", measure_logging},     {"size", measure_size}};
  const std::vector<std::string> wanted(argv + std::min(argc, 4), argv + argc);
  const auto is_known = [&](const std::string& name) {
    return std::any_of(std::begin(kMeasurements), std::end(kMeasurements), [&](const auto& measurement) { return name == measurement.first; });
  };
  if (argc < 4 || !std::all_of(wanted.begin(), wanted.end(), is_known)) {
    std::fprintf(stderr, "usage: bench FOLDER MEMORY DISK [MEASUREMENT...]; measurements:");
    for (const auto& [name, measure] : kMeasurements) std::fprintf(stderr, " %s", name);
    std::fprintf(stderr, "\n");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  const auto measure_all = [&] {
    Report report;
    const Setting setting{work_directory(argv[2]), work_directory(argv[3]), report};
    for (const auto& [name, measure] : kMeasurements)
      if (wanted.empty() || std::find(wanted.begin(), wanted.end(), name) != wanted.end()) measure(setting);
    report.finish(argv[1]);
  };
  return guarded(measure_all, {work_directory(argv[2]), work_directory(argv[3])});
}
