// Times the logger beside its peers, all in one run: each gets the same bytes from the same feeder, keeps them in files of
// 16 MB, and is measured as a whole process. The floor is a loop of read and write between a pipe and files.
//   log DIRECTORY [MIB [ROUNDS]]      a line each: name, width, MB/s, CPU seconds a GiB; the medians, and the ratio to the floor
//   log --feed WIDTH BYTES            the feeder: lines of 100 bytes, WIDTH bytes a write
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {

constexpr long kFile = 16 << 20, kLine = 100;
const std::string kSupervise = std::getenv("SUPERVISE") ? std::getenv("SUPERVISE") : "./supervise";
std::string g_self;

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "log: %s\n", what.c_str());
  std::exit(1);
}

double now() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

int feed(long width, long bytes) {
  std::string text(static_cast<std::size_t>(width), 'x');
  for (long i = kLine - 1; i < width; i += kLine) text[static_cast<std::size_t>(i)] = '\n';
  text.back() = '\n';
  for (long sent = 0; sent < bytes; sent += width)
    if (::write(1, text.data(), text.size()) != width) return 1;
  return 0;
}

pid_t start(const std::vector<std::string>& words, int in, int out, const std::function<void()>& instead = {}) {
  const pid_t pid = fork();
  if (pid != 0) return pid;
  if (in >= 0) dup2(in, 0);
  if (out >= 0) dup2(out, 1);
  for (int fd = 3; fd < 64; ++fd) close(fd);
  if (instead) instead(), _exit(0);
  std::vector<char*> arguments;
  for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  execvp(arguments[0], arguments.data());
  _exit(127);
}

struct Figures {
  double seconds = 0, cpu = 0;
};

std::vector<std::string> feeder(long width, long bytes) { return {g_self, "--feed", std::to_string(width), std::to_string(bytes)}; }

// A logger that reads its standard input to the end.
std::optional<Figures> through_pipe(const std::vector<std::string>& words, long width, long bytes, const std::function<void()>& instead = {}) {
  int ends[2];
  if (pipe(ends) < 0) fail("no pipe");
  const double begin = now();
  const auto logger = start(words, ends[0], -1, instead);
  const auto source = start(feeder(width, bytes), -1, ends[1]);
  close(ends[0]);
  close(ends[1]);
  int status = 0, ended = 0;
  rusage used{};
  if (wait4(logger, &status, 0, &used) < 0 || waitpid(source, &ended, 0) < 0) fail("wait");
  if (status != 0 || ended != 0) return std::nullopt;
  const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6; };
  return Figures{now() - begin, seconds(used.ru_utime) + seconds(used.ru_stime)};
}

void copy(const fs::path& directory) {
  std::vector<char> buffer(65536);
  int file = -1;
  long size = kFile, number = 0;
  for (ssize_t n; (n = read(0, buffer.data(), buffer.size())) > 0; size += n) {
    if (size >= kFile) {
      close(file);
      file = open((directory / std::to_string(number++)).c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0600);
      size = 0;
    }
    if (::write(file, buffer.data(), static_cast<std::size_t>(n)) != n) _exit(1);
  }
}

std::string text_of(const fs::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Seconds on a CPU, as far as it is known by now.
double cpu_of(pid_t pid) {
  const auto text = text_of("/proc/" + std::to_string(pid) + "/schedstat");
  return text.empty() ? 0 : std::strtod(text.c_str(), nullptr) * 1e-9;
}

std::optional<pid_t> find_process(const std::string& title) {
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const auto name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") == std::string::npos && text_of(entry.path() / "cmdline").starts_with(title)) return std::stoi(name);
  }
  return std::nullopt;
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

// A supervisor that writes the logs of its services until all bytes are there; `loggers` count.
Figures until_written(const fs::path& directory, const std::string& prefix, long bytes, double begin, const std::vector<pid_t>& loggers, double before) {
  const double limit = now() + 300;
  while (bytes_in(directory, prefix) < bytes) {
    if (now() > limit) fail("bytes are missing in " + directory.string());
    std::this_thread::sleep_for(2ms);
  }
  const double seconds = now() - begin;
  double cpu = -before;
  for (const auto pid : loggers) cpu += cpu_of(pid);
  return {seconds, cpu};
}

std::optional<Figures> of_supervise(const fs::path& directory, long width, long bytes) {
  const auto status = directory / "svc";
  std::ofstream(directory / "conf") << "[svc]\nautorestart : false\nstdout_logfile_maxbytes : " << kFile << "\nstdout_logfile_backups : 1000\n";
  const auto go = (directory / "go").string();
  const auto command = "sh -c 'while [ ! -e " + go + " ]; do sleep 0.01; done; exec " + g_self + " --feed " + std::to_string(width) + " " + std::to_string(bytes) + "'";
  int ended = 0;
  waitpid(start({kSupervise, "-p", status.string(), "-F", (directory / "conf").string(), "-f", command}, -1, -1), &ended, 0);
  if (ended != 0) return std::nullopt;
  std::optional<pid_t> logger;
  for (int i = 0; i < 500 && !(logger = find_process("supervise-log " + status.string())); ++i) std::this_thread::sleep_for(10ms);
  if (!logger) return std::nullopt;
  const auto own = text_of(status / "state");
  const auto supervise = std::stoi(own.substr(own.find("supervise_pid=") + 14));
  const double before = cpu_of(*logger) + cpu_of(supervise);
  const double begin = now();
  std::ofstream(go).put('\n');
  const auto figures = until_written(status, "__stdout", bytes, begin, {*logger, supervise}, before);
  std::ofstream(status / "control") << "dx";
  while (kill(supervise, 0) == 0) std::this_thread::sleep_for(5ms);
  return figures;
}

std::optional<Figures> of_supervisord(const fs::path& directory, long width, long bytes) {
  const auto path = [&](const char* name) { return (directory / name).string(); };
  std::ofstream(path("conf")) << "[supervisord]\nlogfile=" << path("main.log") << "\npidfile=" << path("pid") << "\nnodaemon=true\n[program:svc]\ncommand=sh -c 'while [ ! -e "
                              << path("go") << " ]; do sleep 0.01; done; exec " << g_self << " --feed " << width << " " << bytes
                              << "'\nautorestart=false\nstdout_logfile=" << path("out") << "\nstdout_logfile_maxbytes=16MB\nstdout_logfile_backups=1000\n";
  const auto daemon = start({"supervisord", "-c", path("conf")}, -1, open("/dev/null", O_WRONLY | O_CLOEXEC));
  for (int i = 0; i < 1000 && !fs::exists(path("out")); ++i) std::this_thread::sleep_for(10ms);
  const double before = cpu_of(daemon), begin = now();
  std::optional<Figures> figures;
  if (fs::exists(path("out"))) {
    std::ofstream(path("go")).put('\n');
    figures = until_written(directory, "out", bytes, begin, {daemon}, before);
  }
  kill(daemon, SIGTERM);
  waitpid(daemon, nullptr, 0);
  return figures;
}

struct Contestant {
  std::string name;
  std::function<std::optional<Figures>(const fs::path& directory, long width, long bytes)> run;
};

const std::vector<Contestant> kContestants = {
    {"floor", [](const auto& directory, long width, long bytes) { return through_pipe({}, width, bytes, [&] { copy(directory); }); }},
    {"direct file",
     [](const auto& directory, long width, long bytes) {
       const double begin = now();
       const int file = open((directory / "out").c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
       waitpid(start(feeder(width, bytes), -1, file), nullptr, 0);
       close(file);
       return std::optional(Figures{now() - begin, 0});
     }},
    {"supervise", of_supervise},
    {"s6-log", [](const auto& directory, long width, long bytes) { return through_pipe({"s6-log", "n1000", "s16777216", directory}, width, bytes); }},
    {"multilog", [](const auto& directory, long width, long bytes) { return through_pipe({"multilog", "n1000", "s16777215", directory}, width, bytes); }},
    {"svlogd",
     [](const auto& directory, long width, long bytes) {
       std::ofstream(directory / "config") << "s16777216\nn1000\n";
       return through_pipe({"svlogd", directory}, width, bytes);
     }},
    {"supervisord", of_supervisord},
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  g_self = fs::canonical("/proc/self/exe");
  if (argc == 4 && std::strcmp(argv[1], "--feed") == 0) return feed(std::atol(argv[2]), std::atol(argv[3]));
  if (argc < 2) fail("usage: log DIRECTORY [MIB [ROUNDS]]");
  signal(SIGPIPE, SIG_IGN);
  const long mib = argc > 2 ? std::atol(argv[2]) : 256, rounds = argc > 3 ? std::atol(argv[3]) : 3;
  std::printf("%ld MiB of lines of 100 bytes, files of 16 MB, medians of %ld rounds; the writer on its own CPU where there are two\n\n"
              "%-12s %8s %9s %9s %9s %9s\n", mib, rounds, "", "a write", "MB/s", "x floor", "CPU s/GiB", "x floor");
  for (const long width : {65536L, 4096L, 100L}) {
    const long bytes = mib * 1048576 / width * width;
    std::vector<std::vector<double>> rates(kContestants.size()), cpus(kContestants.size());
    for (long round = 0; round < rounds; ++round) {
      for (std::size_t i = 0; i < kContestants.size(); ++i) {
        const auto directory = fs::path(argv[1]) / "log-bench";
        fs::remove_all(directory);
        fs::create_directories(directory);
        if (const auto figures = kContestants[i].run(directory, width, bytes)) {
          rates[i].push_back(static_cast<double>(bytes) / figures->seconds / 1e6);
          cpus[i].push_back(figures->cpu / (static_cast<double>(bytes) / 1073741824));
        }
        fs::remove_all(directory);
      }
    }
    for (std::size_t i = 0; i < kContestants.size(); ++i) {
      if (rates[i].empty())
        std::printf("%-12s %8ld   is not here, or failed\n", kContestants[i].name.c_str(), width);
      else
        std::printf("%-12s %8ld %9.0f %9.2f %9.2f %9.2f\n", kContestants[i].name.c_str(), width, median(rates[i]), median(rates[i]) / median(rates[0]),
                    median(cpus[i]), median(cpus[i]) / median(cpus[0]));
    }
    std::printf("\n");
  }
}
