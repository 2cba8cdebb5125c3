// Times a restart beside the peers, all in one run: KILL of a service that was up for two seconds, until its successor's first
// instruction. The floor is a loop of vfork, exec and wait.
//   restart DIRECTORY [ROUNDS]     a line each: name, median and 95th percentile in ms, ratio of the medians to the floor
// Called as `run` it is the service: it appends its pid and the time to the file `starts` beside itself, and waits.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {

struct Start {
  std::int64_t pid, nanoseconds;
};

std::int64_t now() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1'000'000'000 + t.tv_nsec;
}

int serve(const char* self) {
  const Start start{getpid(), now()};
  const auto file = fs::path(self).replace_filename("starts");
  const int fd = open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0 || write(fd, &start, sizeof start) != sizeof start) return 1;
  while (true) pause();
}

using Words = std::vector<std::string>;

pid_t start(const Words& words, bool again_and_again = false) {
  std::vector<char*> arguments;
  for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const auto become = [&] { execvp(arguments[0], arguments.data()), _exit(127); };
  const pid_t pid = fork();
  if (pid != 0) return pid;
  setpgid(0, 0);
  if (const int null = open("/dev/null", O_WRONLY | O_CLOEXEC); null >= 0) dup2(null, 2);
  while (again_and_again) {
    if (vfork() == 0) become();
    wait(nullptr);
  }
  become();
  return 0;
}

struct Contestant {
  std::string name;
  std::function<pid_t(const fs::path& directory)> start;    // `directory` has the service, `run`
};

const std::vector<Contestant> kContestants = {
    {"floor", [](const auto& directory) { return start({directory / "run"}, true); }},
    {"supervise",
     [](const auto& directory) {
       const char* ours = std::getenv("SUPERVISE");
       return start({ours ? ours : "./supervise", "-n", "-p", directory / "status", "-f", directory / "run"});
     }},
    {"daemontools", [](const auto& directory) { return start({"supervise", directory}); }},
    {"runsv", [](const auto& directory) { return start({"runsv", directory}); }},
};

// What the service of `directory` wrote when it started for the `number`th time, counted from 0.
std::optional<Start> await_start(const fs::path& directory, long number) {
  const auto file = directory / "starts";
  Start found{};
  for (int i = 0; i < 5000; ++i, std::this_thread::sleep_for(1ms)) {
    const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) continue;
    const auto n = pread(fd, &found, sizeof found, number * static_cast<long>(sizeof found));
    close(fd);
    if (n == sizeof found) return found;
  }
  return std::nullopt;
}

double at(std::vector<double> values, double part) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(static_cast<double>(values.size() - 1) * part)];
}

}  // namespace

int main(int argc, char** argv) {
  if (fs::path(argv[0]).filename() == "run") return serve(argv[0]);
  if (argc < 2) return std::fprintf(stderr, "usage: restart DIRECTORY [ROUNDS]\n"), 1;
  const long rounds = argc > 2 ? std::atol(argv[2]) : 21;
  const auto top = fs::absolute(argv[1]) / "restart-bench";
  fs::remove_all(top);
  std::vector<pid_t> supervisors;
  std::vector<std::vector<double>> times(kContestants.size());
  const auto directory = [&](std::size_t i) { return top / kContestants[i].name; };
  for (std::size_t i = 0; i < kContestants.size(); ++i) {
    fs::create_directories(directory(i));
    fs::copy_file("/proc/self/exe", directory(i) / "run");
    supervisors.push_back(kContestants[i].start(directory(i)));
  }
  std::vector<bool> absent(kContestants.size());
  for (long round = 0; round < rounds; ++round) {
    std::this_thread::sleep_for(2s);
    for (std::size_t i = 0; i < kContestants.size(); ++i) {
      if (absent[i]) continue;
      const auto old = await_start(directory(i), round);
      const auto killed = now();
      if (old) kill(static_cast<pid_t>(old->pid), SIGKILL);
      const auto next = old ? await_start(directory(i), round + 1) : std::nullopt;
      if (next) times[i].push_back(static_cast<double>(next->nanoseconds - killed) * 1e-6);
      absent[i] = !next;
    }
  }
  for (std::size_t i = 0; i < kContestants.size(); ++i) {
    kill(supervisors[i], SIGKILL);
    if (const auto last = absent[i] ? std::nullopt : await_start(directory(i), rounds)) kill(static_cast<pid_t>(last->pid), SIGKILL);
  }
  while (wait(nullptr) > 0) {}
  std::printf("KILL of a service that was up for 2 s until its successor's first instruction, %ld rounds, in %s\n\n%-12s %9s %9s %9s\n", rounds,
              argv[1], "", "median ms", "p95 ms", "x floor");
  for (std::size_t i = 0; i < kContestants.size(); ++i) {
    if (absent[i])
      std::printf("%-12s   is not here, or failed\n", kContestants[i].name.c_str());
    else
      std::printf("%-12s %9.2f %9.2f %9.2f\n", kContestants[i].name.c_str(), at(times[i], 0.5), at(times[i], 0.95), at(times[i], 0.5) / at(times[0], 0.5));
  }
  fs::remove_all(top);
}
