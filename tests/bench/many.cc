// Many services: what each costs in memory, how soon all are up, back and down.
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "bench/bench.h"

namespace bench {
namespace {

// Nothing but the services: posix_spawn for each, and again for each that dies.
class BareFleet {
 public:
  explicit BareFleet(Arena& arena) : arena_(arena) {}
  void start_all() {
    for (int i = 0; i < arena_.count(); ++i) start(i);
  }
  void start_dead() {
    for (int left = arena_.count(); left > 0; --left) start(service_of_[wait(nullptr)]);
  }
  void stop_all() {
    for (int i = 0; i < arena_.count(); ++i) kill(static_cast<pid_t>(arena_.slot(i).pid), SIGTERM);
    for (int left = arena_.count(); left > 0; --left) wait(nullptr);
  }

 private:
  void start(int service) {
    const auto run = arena_.run(service);
    char* const words[] = {const_cast<char*>(run.c_str()), nullptr};
    pid_t pid = 0;
    posix_spawn(&pid, words[0], nullptr, nullptr, words, environ);
    service_of_[pid] = service;
  }
  Arena& arena_;
  std::map<pid_t, int> service_of_;
};

struct Times {
  std::optional<double> up, back, down;    // ms
};

bool all_gone(const std::vector<pid_t>& pids) {
  return std::none_of(pids.begin(), pids.end(), [](pid_t pid) { return kill(pid, 0) == 0; });
}

std::vector<pid_t> services_of(Arena& arena) {
  std::vector<pid_t> pids;
  for (int i = 0; i < arena.count(); ++i) pids.push_back(static_cast<pid_t>(arena.slot(i).pid));
  return pids;
}

// How long it takes until all have started, in ms.
std::optional<double> start_all(Arena& arena, BareFleet& bare) {
  const auto begin = now();
  if (arena.is_floor()) bare.start_all();
  else arena.fleet().start_all();
  if (!arena.await_starts(1)) return std::nullopt;
  return milliseconds(arena.last_start() - begin);
}

Times live_once(Arena& arena) {
  Times times;
  BareFleet bare(arena);
  times.up = start_all(arena, bare);
  if (!times.up) return times;

  std::this_thread::sleep_for(2s);
  auto begin = now();
  for (const auto pid : services_of(arena)) kill(pid, SIGKILL);
  if (arena.is_floor()) bare.start_dead();
  if (!arena.await_starts(2)) return times;
  times.back = milliseconds(arena.last_start() - begin);

  std::this_thread::sleep_for(2s);
  const auto pids = services_of(arena);
  begin = now();
  if (arena.is_floor()) bare.stop_all();
  else arena.fleet().tell_all('d');
  if (wait_until([&] { return all_gone(pids); })) times.down = milliseconds(now() - begin);
  return times;
}

// With one Arena at a time, or the services of one would disturb the other.
void for_each_contestant(const fs::path& where, int count, peers::Logging logging, const std::function<void(Arena&)>& measure) {
  if (logging == peers::Logging::kNone) {
    Arena floor(where, nullptr, count);
    measure(floor);
  }
  for (const auto& kind : contestants()) {
    if (!peers::has_program(kind.program) || (logging == peers::Logging::kOwn && !kind.has_logger)) continue;
    Arena arena(where, &kind, count, logging);
    measure(arena);
  }
}

// Private memory of everything that keeps these services alive, in KiB for each service. Of the floor: of the services, which are
// static C++ programs that wait.
double memory_of(Arena& arena, const std::string& field) {
  long sum = 0;
  for (const auto pid : arena.is_floor() ? services_of(arena) : overhead_of(arena)) sum += field_of(pid, "smaps_rollup", field);
  return static_cast<double>(sum) / arena.count();
}

void measure_memory_of(const Setting& setting, int count, peers::Logging logging, const std::string& id, const std::string& title) {
  std::vector<std::pair<std::string, double>> anonymous, proportional;
  for_each_contestant(setting.memory, count, logging, [&](Arena& arena) {
    BareFleet bare(arena);
    if (!start_all(arena, bare)) return;
    std::this_thread::sleep_for(3s);    // RUNNING, and what was needed for the start given back
    anonymous.emplace_back(arena.name(), memory_of(arena, "Pss_Anon"));
    proportional.emplace_back(arena.name(), memory_of(arena, "Pss"));
  });
  auto& table = setting.report.begin(id, title + ", " + std::to_string(count) + (count == 1 ? " service" : " services"), "KiB a service");
  for (const auto& [name, value] : anonymous) table.add(name, value);
  if (count < 1000) return;
  auto& all = setting.report.begin(id + "_pss", title + " with its share of the program (PSS), " + std::to_string(count) + " services", "KiB a service");
  for (const auto& [name, value] : proportional) all.add(name, value);
}

int service_count() { return std::atoi(peers::setting("BENCH_SERVICES", "1000").c_str()); }

}  // namespace

void measure_memory(const Setting& setting) {
  for (const int count : {1, 100, service_count()}) {
    const auto n = "_" + std::to_string(count);
    measure_memory_of(setting, count, peers::Logging::kNone, "memory" + n, "private memory, no logger");
    measure_memory_of(setting, count, peers::Logging::kOwn, "memory_logger" + n, "private memory with the logger");
  }
}

void measure_fleet(const Setting& setting) {
  constexpr int kRounds = 3, kDiskRounds = 5;
  const int count = service_count();
  const auto many = std::to_string(count);
  using Lives = std::vector<std::pair<std::string, Times>>;
  const auto rounds = [&](const fs::path& where, peers::Logging logging, int n, const std::function<Times(Arena&)>& live) {
    Lives all;
    for (int round = 0; round < n; ++round) for_each_contestant(where, count, logging, [&](Arena& arena) { all.emplace_back(arena.name(), live(arena)); });
    return all;
  };
  const auto table = [&](const Lives& all, const std::string& id, const std::string& title, std::optional<double> Times::*member) {
    auto& result = setting.report.begin(id, title, "ms");
    for (const auto& [name, times] : all) times.*member ? result.add(name, *(times.*member)) : result.add_absent(name);
  };
  const auto bare = rounds(setting.memory, peers::Logging::kNone, kRounds, live_once);
  table(bare, "fleet_up", many + " services, no logger: all started", &Times::up);
  table(bare, "fleet_back", many + " services, no logger: all killed at once → all back", &Times::back);
  table(bare, "fleet_down", many + " services, no logger: all stopped", &Times::down);
  const auto logging = rounds(setting.memory, peers::Logging::kOwn, kRounds, live_once);
  table(logging, "fleet_logger_up", many + " services with loggers: all started", &Times::up);
  table(logging, "fleet_logger_back", many + " services with loggers: all killed at once → all back", &Times::back);
  table(logging, "fleet_logger_down", many + " services with loggers: all stopped", &Times::down);
  const auto start_only = [](Arena& arena) {
    BareFleet services(arena);
    return Times{start_all(arena, services), {}, {}};
  };
  const auto disk = rounds(setting.disk, peers::Logging::kNone, kDiskRounds, start_only);
  table(disk, "fleet_disk_up", many + " services, status directories on a disk: all started, five rounds", &Times::up);
  std::map<std::string, std::vector<double>> ups;
  for (const auto& [name, times] : disk)
    if (times.up) ups[name].push_back(*times.up);
  auto& growth = setting.report.begin("fleet_disk_growth", "the same: the last round against the first", "×");
  for (const auto& [name, values] : ups) growth.add(name, values.back() / values.front());
}

}  // namespace bench
