// What the benchmarks share: the clock, services under every kind of supervisor side by side, and the report.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "bench/board.h"
#include "peers/peers.h"

namespace bench {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// ---- The report: a table for each measurement.

enum class Better { kLower, kHigher };

// What was measured of each contestant, in rounds. The row `floor` is the least that the kernel allows, and `supervise` is ours.
class Table {
 public:
  Table(std::string id, std::string title, std::string unit, Better better) : id_(std::move(id)), title_(std::move(title)), unit_(std::move(unit)), better_(better) {}
  void add(const std::string& who, double value);
  void add_absent(const std::string& who) { (void)values_of(who); }

  [[nodiscard]] std::string markdown() const;
  [[nodiscard]] std::string json() const;
  // One row of the summary: floor, ours, the best peer, and the ratios.
  [[nodiscard]] std::string summary() const;

 private:
  struct Row {
    std::string who;
    std::vector<double> values;
  };
  std::vector<double>& values_of(const std::string& who);
  [[nodiscard]] const Row* best_peer() const;
  [[nodiscard]] const Row* find(const std::string& who) const;

  std::string id_, title_, unit_;
  Better better_;
  std::vector<Row> rows_;
};

class Report {
 public:
  // Prints what is complete and begins a table.
  Table& begin(const std::string& id, const std::string& title, const std::string& unit, Better better = Better::kLower);
  // Prints the last one, and writes all to FOLDER/bench.md and FOLDER/bench.json.
  void finish(const fs::path& folder);

 private:
  void print_last() const;
  std::deque<Table> tables_;
};

// ---- Services.

inline constexpr const char* kFloor = "floor";
inline constexpr const char* kNoLogger = "a file, no logger";

// `count` services of one contestant, in a new directory.
class Arena {
 public:
  // `kind` null: the floor, which has no fleet.
  Arena(const fs::path& parent, const peers::Kind* kind, int count, peers::Logging logging = peers::Logging::kNone);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] peers::Fleet& fleet() { return *fleet_; }
  [[nodiscard]] bool is_floor() const { return !fleet_; }
  [[nodiscard]] int count() const { return count_; }
  [[nodiscard]] Slot& slot(int service) { return board_->slots[service]; }
  [[nodiscard]] fs::path run(int service) const { return top_ / std::to_string(service) / "run"; }
  // Waits until every service has started `starts` times; false after a minute.
  [[nodiscard]] bool await_starts(std::int64_t starts);
  // When the last of them did so (the clock of now()).
  [[nodiscard]] std::int64_t last_start();

 private:
  std::string name_;
  fs::path top_;
  int count_;
  int board_fd_ = -1;
  Board* board_;
  std::unique_ptr<peers::Fleet> fleet_;
};

// An arena for the floor and for each kind that is here. Ends every process that they left.
class Arenas {
 public:
  Arenas(const fs::path& parent, int count);
  Arenas(const Arenas&) = delete;
  Arenas& operator=(const Arenas&) = delete;
  auto begin() { return all_.begin(); }
  auto end() { return all_.end(); }

 private:
  std::deque<Arena> all_;
};

// The kinds of supervisor: ours and its peers.
const std::vector<peers::Kind>& contestants();

// What all measurements need.
struct Setting {
  fs::path memory, disk;    // directories on a file system in memory, and on a disk
  Report& report;
};

// Waits until the condition holds; false when it does not in `patience`.
template <typename Condition>
bool wait_until(Condition holds, std::chrono::milliseconds patience = 60s) {
  for (const auto end = std::chrono::steady_clock::now() + patience; std::chrono::steady_clock::now() < end; std::this_thread::sleep_for(500us))
    if (holds()) return true;
  return holds();
}

inline double milliseconds(std::int64_t nanoseconds) { return static_cast<double>(nanoseconds) * 1e-6; }

// Of a process: a field of /proc/PID/FILE, as a number; 0 if there is none.
long field_of(pid_t pid, const std::string& file, const std::string& name);
// Seconds on a CPU so far.
double cpu_of(pid_t pid);
// The processes that keep the services of this contestant alive: the supervisors and their loggers, not the services.
std::vector<pid_t> overhead_of(Arena& arena);

// ---- The measurements.

void measure_memory(const Setting&);
void measure_restart(const Setting&);
void measure_crash_loop(const Setting&);
void measure_control(const Setting&);
void measure_idle(const Setting&);
void measure_fleet(const Setting&);
void measure_clients(const Setting&);
void measure_logging(const Setting&);
void measure_size(const Setting&);

}  // namespace bench
