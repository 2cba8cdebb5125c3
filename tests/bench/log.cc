// The logger beside its peers: each gets the same bytes from the same feeder, keeps them in files of 16 MB, and is measured as a
// whole process.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "bench/bench.h"
#include "bench/feed.h"

namespace bench {
namespace {

using peers::Words;

constexpr long kFile = 16 << 20, kLine = 100;

struct Figures {
  double seconds = 0, cpu = 0;
};

std::string self() { return fs::canonical("/proc/self/exe"); }
Words feeder(long width, long bytes) { return {self(), "--feed", std::to_string(width), std::to_string(bytes)}; }

pid_t start_between(const Words& words, int in, int out) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (in >= 0) posix_spawn_file_actions_adddup2(&actions, in, 0);
  if (out >= 0) posix_spawn_file_actions_adddup2(&actions, out, 1);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  std::vector<char*> arguments;
  for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_t pid = 0;
  if (posix_spawnp(&pid, arguments[0], &actions, nullptr, arguments.data(), environ) != 0) pid = 0;
  posix_spawn_file_actions_destroy(&actions);
  return pid;
}

// A logger that reads its standard input to the end.
std::optional<Figures> through_pipe(const Words& words, long width, long bytes) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return std::nullopt;
  const auto begin = now();
  const auto logger = start_between(words, ends[0], -1);
  const auto source = start_between(feeder(width, bytes), -1, ends[1]);
  close(ends[0]);
  close(ends[1]);
  int status = 1, ended = 1;
  rusage used{};
  if (source > 0) waitpid(source, &ended, 0);
  if (logger > 0) wait4(logger, &status, 0, &used);
  if (status != 0 || ended != 0) return std::nullopt;
  const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6; };
  return Figures{milliseconds(now() - begin) / 1e3, seconds(used.ru_utime) + seconds(used.ru_stime)};
}

long bytes_in(const fs::path& directory, const std::string& prefix) {
  long sum = 0;
  for (const auto& entry : fs::directory_iterator(directory)) {
    std::error_code gone;
    const auto size = entry.file_size(gone);
    if (!gone && entry.path().filename().string().starts_with(prefix)) sum += static_cast<long>(size);
  }
  return sum;
}

// A supervisor that writes the logs of its services: from the file `go` until all bytes are there. `loggers` count.
std::optional<Figures> until_written(const fs::path& directory, const fs::path& logs, const std::string& prefix, long bytes, const std::vector<pid_t>& loggers) {
  const auto cpu = [&] {
    double sum = 0;
    for (const auto pid : loggers) sum += cpu_of(pid);
    return sum;
  };
  const auto before = cpu();
  const auto begin = now();
  std::ofstream(directory / "go").put('\n');
  if (!wait_until([&] { return bytes_in(logs, prefix) >= bytes; }, 300s)) return std::nullopt;
  return Figures{milliseconds(now() - begin) / 1e3, cpu() - before};
}

std::string feed_command(const fs::path& directory, long width, long bytes) {
  return "sh -c 'while [ ! -e " + (directory / "go").string() + " ]; do sleep 0.01; done; exec " + self() + " --feed " + std::to_string(width) + " " +
         std::to_string(bytes) + "'";
}

std::optional<Figures> of_supervise(const fs::path& directory, long width, long bytes) {
  const auto status = directory / "svc";
  std::ofstream(directory / "conf") << "[svc]\nautorestart : false\nstdout_logfile_maxbytes : " << kFile << "\nstdout_logfile_backups : 1000\n";
  const auto supervise = peers::start({fs::absolute(peers::setting("SUPERVISE", "supervise")), "-n", "-p", status.string(), "-F", (directory / "conf").string(), "-f",
                                       feed_command(directory, width, bytes)});
  if (!wait_until([&] { return fs::exists(status / "__stdout"); }, 10s)) return std::nullopt;
  std::vector<pid_t> loggers{supervise};
  std::ifstream children("/proc/" + std::to_string(supervise) + "/task/" + std::to_string(supervise) + "/children");
  for (pid_t child; children >> child;)
    if (peers::text_of("/proc/" + std::to_string(child) + "/cmdline").starts_with("supervise-log")) loggers.push_back(child);
  return until_written(directory, status, "__stdout", bytes, loggers);
}

std::optional<Figures> of_supervisord(const fs::path& directory, long width, long bytes) {
  std::ofstream(directory / "conf") << "[supervisord]\nlogfile=" << (directory / "main.log").string() << "\npidfile=" << (directory / "pid").string()
                                    << "\nnodaemon=true\n[program:svc]\ncommand=" << feed_command(directory, width, bytes)
                                    << "\nautorestart=false\nstdout_logfile=" << (directory / "out").string()
                                    << "\nstdout_logfile_maxbytes=16MB\nstdout_logfile_backups=1000\n";
  const auto daemon = peers::start({"supervisord", "-c", (directory / "conf").string()});
  if (!wait_until([&] { return fs::exists(directory / "out"); }, 10s)) return std::nullopt;
  return until_written(directory, directory, "out", bytes, {daemon});
}

std::optional<Figures> of_file(const fs::path& directory, long width, long bytes) {
  const auto begin = now();
  const int file = open((directory / "out").c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
  waitpid(start_between(feeder(width, bytes), -1, file), nullptr, 0);
  close(file);
  return Figures{milliseconds(now() - begin) / 1e3, 0};
}

struct Contestant {
  std::string name;
  std::function<std::optional<Figures>(const fs::path& directory, long width, long bytes)> run;
};

const std::vector<Contestant> kContestants = {
    {kFloor, [](const auto& directory, long width, long bytes) { return through_pipe({self(), "--copy", directory}, width, bytes); }},
    {"supervise", of_supervise},
    {"daemontools (multilog)",
     [](const auto& directory, long width, long bytes) { return through_pipe({"multilog", "n1000", "s16777215", directory}, width, bytes); }},
    {"runit (svlogd)",
     [](const auto& directory, long width, long bytes) {
       std::ofstream(directory / "config") << "s16777216\nn1000\n";
       return through_pipe({"svlogd", directory}, width, bytes);
     }},
    {"s6 (s6-log)", [](const auto& directory, long width, long bytes) { return through_pipe({"s6-log", "n1000", "s16777216", directory}, width, bytes); }},
    {"supervisord", of_supervisord},
    {kNoLogger, of_file},
};

}  // namespace

int feed(long width, long bytes) {
  std::string text(static_cast<std::size_t>(width), 'x');
  for (long i = kLine - 1; i < width; i += kLine) text[static_cast<std::size_t>(i)] = '\n';
  text.back() = '\n';
  for (long sent = 0; sent < bytes; sent += width)
    if (write(1, text.data(), text.size()) != width) return 1;
  return 0;
}

int copy(const char* directory) {
  std::vector<char> buffer(65536);
  int file = -1;
  long size = kFile, number = 0;
  for (ssize_t n; (n = read(0, buffer.data(), buffer.size())) > 0; size += n) {
    if (size >= kFile) {
      close(file);
      file = open((fs::path(directory) / std::to_string(number++)).c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0600);
      size = 0;
    }
    if (write(file, buffer.data(), static_cast<std::size_t>(n)) != n) return 1;
  }
  return 0;
}

void measure_logging(const Setting& setting) {
  constexpr int kRounds = 5;
  const long mib = std::atol(peers::setting("BENCH_MIB", "512").c_str());
  for (const long width : {65536L, 4096L, kLine}) {
    const long bytes = mib * 1048576 / width * width;
    std::vector<std::pair<std::string, std::optional<Figures>>> all;
    for (int round = 0; round < kRounds; ++round) {
      for (const auto& contestant : kContestants) {
        const auto directory = setting.memory / "log";
        fs::create_directories(directory);
        all.emplace_back(contestant.name, contestant.run(directory, width, bytes));
        peers::end_descendants();
        fs::remove_all(directory);
      }
    }
    const auto wide = "lines of 100 bytes, " + std::to_string(width) + " bytes a write: ";
    auto& rate = setting.report.begin("log_" + std::to_string(width), wide + "log throughput, files of 16 MB", "MB/s", Better::kHigher);
    for (const auto& [name, figures] : all) figures ? rate.add(name, static_cast<double>(bytes) / figures->seconds / 1e6) : rate.add_absent(name);
    auto& cpu = setting.report.begin("log_cpu_" + std::to_string(width), wide + "CPU of the logger", "s/GiB");
    for (const auto& [name, figures] : all)
      if (figures && figures->cpu > 0) cpu.add(name, figures->cpu / (static_cast<double>(bytes) / 1073741824));
  }
}

}  // namespace bench
