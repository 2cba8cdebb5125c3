// matrix PROGRAM MARKDOWN JSON [REGEX]: runs each test case of PROGRAM whose name matches, once for each kind of supervisor that is
// here, side by side, and writes what they printed as a table. One line a fault as it goes; exit status 1 if ours failed in any.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>
#include <thread>

#include "peers/peers.h"

namespace {

using peers::Words;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kLimit{400};    // of one cell
constexpr unsigned kCellsPerProcessor = 4;     // most of a cell is waiting

struct Fault {
  std::string name;    // `F04 the disk is full`
  std::map<std::string, std::string> cells = {};
  [[nodiscard]] std::string id() const { return name.substr(0, name.find(' ')); }
  [[nodiscard]] std::string text() const { return name.substr(name.find(' ') + 1); }
};

struct Cell {
  std::size_t fault;
  std::string kind;
  Clock::time_point begun;
  std::filesystem::path output;
};

Words lines_in(const std::string& text) {
  std::istringstream in(text);
  Words lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::vector<Fault> faults_of(const std::string& program, const std::regex& wanted) {
  const bool is_two = peers::output_of({program, "--libidentify"}).find(" 2.") != std::string::npos;
  const auto list = is_two ? Words{program, "--list-test-names-only"} : Words{program, "--list-tests", "--verbosity", "quiet"};
  std::vector<Fault> faults;
  for (const auto& line : lines_in(peers::output_of(list)))
    if (!line.empty() && std::regex_search(line, wanted)) faults.push_back({line});
  std::ranges::sort(faults, {}, &Fault::name);
  return faults;
}

class Matrix {
 public:
  Matrix(std::string program, std::vector<Fault> faults) : program_(std::move(program)), faults_(std::move(faults)) {
    std::string name = peers::setting("TMPDIR", "/tmp") + "/faults.XXXXXX";
    if (!mkdtemp(name.data())) throw std::runtime_error("no temporary directory");
    work_ = name;
  }
  ~Matrix() { std::filesystem::remove_all(work_); }

  void run() {
    const auto limit = kCellsPerProcessor * std::max(1U, std::thread::hardware_concurrency());
    // The faults of load take longest.
    for (const bool of_load : {true, false})
      for (std::size_t fault = 0; fault < faults_.size(); ++fault)
        for (const auto& kind : peers::kinds()) {
          if (faults_[fault].name.starts_with("L") != of_load) continue;
          while (running_.size() >= limit) await_one();
          start(fault, kind.name);
        }
    while (!running_.empty()) await_one();
  }

  [[nodiscard]] bool ours_failed() const {
    return faults_.empty() || std::ranges::any_of(faults_, [](const Fault& fault) { return is_bad(fault.cells.at("supervise")); });
  }

  [[nodiscard]] std::string markdown() const {
    std::string text = "| fault |", rule = "\n|---|";
    for (const auto& kind : peers::kinds()) text += " " + kind.name + " |", rule += "---|";
    text += rule + "\n";
    for (const auto& fault : faults_) {
      text += "| " + fault.id() + " " + fault.text() + " |";
      for (const auto& kind : peers::kinds()) text += " " + fault.cells.at(kind.name) + " |";
      text += "\n";
    }
    return text + "\n" + totals() + caption();
  }

  [[nodiscard]] std::string json() const {
    std::string text = "[";
    for (const auto& fault : faults_) {
      text += std::string(text.size() > 1 ? "," : "") + "\n{\"id\": " + quoted(fault.id()) + ", \"fault\": " + quoted(fault.text());
      for (const auto& [kind, cell] : fault.cells) text += ", " + quoted(kind) + ": " + quoted(cell);
      text += "}";
    }
    return text + "\n]\n";
  }

 private:
  static bool is_bad(const std::string& cell) { return !cell.starts_with("ok") && !cell.starts_with("skipped") && cell != "–"; }
  static std::string quoted(const std::string& text) {
    std::string result = "\"";
    for (const char byte : text) result += byte == '"' || byte == '\\' ? std::string{'\\', byte} : std::string{byte};
    return result + "\"";
  }

  void start(std::size_t fault, const std::string& kind) {
    const auto output = work_ / (std::to_string(fault) + "." + kind);
    const pid_t pid = fork();
    if (pid == 0) {
      setenv("FAULTS_KIND", kind.c_str(), 1);
      setenv("FAULTS_FULL", "1", 1);
      if (!std::freopen(output.c_str(), "w", stdout) || !std::freopen("/dev/null", "r", stdin)) _exit(126);
      dup2(1, 2);
      execl(program_.c_str(), program_.c_str(), faults_[fault].name.c_str(), nullptr);
      _exit(127);
    }
    running_[pid] = {fault, kind, Clock::now(), output};
  }

  // The guardian of a cell that is told to end ends all that belongs to it.
  void await_one() {
    int status = 0;
    pid_t pid = 0;
    while ((pid = waitpid(-1, &status, WNOHANG)) == 0) {
      for (const auto& [late, cell] : running_)
        if (Clock::now() - cell.begun > kLimit) kill(late, SIGTERM);
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    const auto ended = running_.extract(pid);
    if (!ended) throw std::runtime_error("a cell was lost");
    const auto& cell = ended.mapped();
    std::string said = Clock::now() - cell.begun > kLimit ? "FAIL: no end after " + std::to_string(kLimit.count()) + " s" : "error: it broke off";
    const auto text = peers::text_of(cell.output);
    for (const auto& line : lines_in(text))
      if (line.starts_with("CELL: ")) said = line.substr(6);
    auto& fault = faults_[cell.fault];
    fault.cells[cell.kind] = said;
    if (cell.kind == "supervise" && is_bad(said)) std::fprintf(stderr, "%s\n", text.c_str());
    if (fault.cells.size() == peers::kinds().size()) print(fault);
  }

  static void print(const Fault& fault) {
    std::printf("%-5s", fault.id().c_str());
    for (const auto& kind : peers::kinds()) std::printf("  %s: %s;", kind.name.c_str(), fault.cells.at(kind.name).c_str());
    std::printf("  (%s)\n", fault.text().c_str());
    std::fflush(stdout);
  }

  [[nodiscard]] std::string totals() const {
    std::string text = "Survived:";
    for (const auto& kind : peers::kinds()) {
      const auto good = std::ranges::count_if(faults_, [&](const Fault& fault) { return fault.cells.at(kind.name).starts_with("ok"); });
      const auto bad = std::ranges::count_if(faults_, [&](const Fault& fault) { return is_bad(fault.cells.at(kind.name)); });
      text += std::string(text.back() == ':' ? " " : ", ") + kind.name + " " + std::to_string(good) + " of " + std::to_string(good + bad);
    }
    return text + ".\n";
  }

  static std::string caption() {
    const std::time_t now = std::time(nullptr);
    std::string date(16, 0);
    date.resize(std::strftime(date.data(), date.size(), "%Y-%m-%d", std::localtime(&now)));
    std::string text = "\n`make faults`, " + date;
    for (const std::string package : {"daemontools", "runit", "s6", "supervisor"})
      if (const auto version = peers::output_of({"dpkg-query", "-W", "-f", "${Version}", package}); !version.empty()) text += ", " + package + " " + version;
    return text + ".\n";
  }

  std::string program_;
  std::vector<Fault> faults_;
  std::filesystem::path work_;
  std::map<pid_t, Cell> running_;
};

}  // namespace

int main(int count, char** arguments) {
  if (count < 4) {
    std::fprintf(stderr, "usage: matrix PROGRAM MARKDOWN JSON [REGEX]\n");
    return 2;
  }
  Matrix matrix(arguments[1], faults_of(arguments[1], std::regex(count > 4 ? arguments[4] : ".")));
  matrix.run();
  std::ofstream(arguments[2]) << matrix.markdown();
  std::ofstream(arguments[3]) << matrix.json();
  return matrix.ours_failed() ? 1 : 0;
}
