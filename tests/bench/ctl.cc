// Times supervisectl beside runit's sv on the same status directories, in one run: the state of all services, a signal to one,
// and stopping and starting all of them.
//   ctl DIRECTORY [SERVICES]     a line each: what, median in ms of supervisectl and of sv, their ratio
#include <fcntl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace fs = std::filesystem;

namespace {

using Words = std::vector<std::string>;

double now() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) * 1e-6;
}

// How long a command took, in ms; it has to succeed.
double run(const Words& words) {
  std::vector<char*> arguments;
  for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const double begin = now();
  const pid_t pid = fork();
  if (pid == 0) {
    if (const int null = open("/dev/null", O_WRONLY | O_CLOEXEC); null >= 0) dup2(null, 1), dup2(null, 2);
    execvp(arguments[0], arguments.data());
    _exit(127);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  const double time = now() - begin;
  if (status != 0) std::fprintf(stderr, "ctl: %s %s failed\n", words[0].c_str(), words.size() > 1 ? words[1].c_str() : ""), std::exit(1);
  return time;
}

double median(int rounds, const std::function<double()>& measure) {
  std::vector<double> times;
  for (int i = 0; i < rounds; ++i) times.push_back(measure());
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

Words with(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: ctl DIRECTORY [SERVICES]\n"), 1;
  const int services = argc > 2 ? std::atoi(argv[2]) : 200;
  const auto top = fs::absolute(argv[1]) / "ctl-bench";
  fs::remove_all(top);
  fs::create_directories(top);
  fs::current_path(top);
  const char* program = std::getenv("SUPERVISECTL");
  const std::string ours = program ? program : "supervisectl";
  if (FILE* conf = std::fopen("supervise.conf", "we")) {
    std::fprintf(conf, "[global]\nstartsecs : 0\n");
    for (int i = 0; i < services; ++i) std::fprintf(conf, "[s%d]\ncommand : sleep 100000\n", i);
    std::fclose(conf);
  }
  Words directories;
  for (int i = 0; i < services; ++i) directories.push_back((top / "status" / ("s" + std::to_string(i))).string());
  run({ours, "start", "all"});
  const bool has_sv = std::system("command -v sv >/dev/null") == 0;
  std::printf("%d services in %s, medians\n\n%-28s %12s %9s %9s\n", services, argv[1], "", "supervisectl", "sv", "x sv");
  const auto row = [&](const char* what, int rounds, const std::function<double()>& our_time, const std::function<double()>& their_time) {
    const double mine = median(rounds, our_time), theirs = has_sv ? median(rounds, their_time) : 0;
    if (has_sv)
      std::printf("%-28s %9.2f ms %6.2f ms %9.2f\n", what, mine, theirs, mine / theirs);
    else
      std::printf("%-28s %9.2f ms   is not here\n", what, mine);
  };
  row("state of all", 21, [&] { return run({ours, "status"}); }, [&] { return run(with({"sv", "status"}, directories)); });
  row("signal to one", 51, [&] { return run({ours, "signal", "CONT", "s0"}); }, [&] { return run({"sv", "cont", directories[0]}); });
  const auto start_all = [&] { return run({ours, "start", "all"}); };
  row("stop all, and wait for it", 5, [&] { return start_all(), run({ours, "stop", "all"}); }, [&] { return start_all(), run(with({"sv", "-w", "60", "stop"}, directories)); });
  run({ours, "exit", "all"});
  fs::current_path("/");
  fs::remove_all(top);
}
