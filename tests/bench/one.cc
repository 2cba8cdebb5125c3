// One service each: how soon it is back, what a crash loop costs, how soon a command arrives, and what idling costs.
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <random>

#include "bench/bench.h"

namespace bench {
namespace {

constexpr int kFirst = 0;    // the only service

void start(Arena& arena, bool ends_at_once = false) {
  arena.slot(kFirst).ends_at_once = ends_at_once;
  if (arena.is_floor()) peers::start({fs::canonical("/proc/self/exe").replace_filename("service"), "--loop", arena.run(kFirst)});
  else arena.fleet().start_all();
}

// KILL of the service -> the first instruction of its successor, in ms; nothing if there is none.
std::optional<double> restart(Arena& arena) {
  auto& slot = arena.slot(kFirst);
  const auto starts = slot.starts.load();
  const auto killed = now();
  if (slot.pid == 0 || kill(static_cast<pid_t>(slot.pid), SIGKILL) < 0) return std::nullopt;
  if (!wait_until([&] { return slot.starts > starts; }, 10s)) return std::nullopt;
  return milliseconds(slot.started - killed);
}

// From `send` to the service's handler of HUP, in ms.
std::optional<double> signal_time(Arena& arena, const std::function<bool()>& send) {
  auto& slot = arena.slot(kFirst);
  const auto signals = slot.signals.load();
  const auto begin = now();
  if (!send()) return std::nullopt;
  if (!wait_until([&] { return slot.signals > signals; }, 10s)) return std::nullopt;
  return milliseconds(slot.signalled - begin);
}

bool tell_hangup(Arena& arena) {
  if (arena.is_floor()) return kill(static_cast<pid_t>(arena.slot(kFirst).pid), SIGHUP) == 0;
  return arena.fleet().tell(kFirst, 'h');
}

void add(Table& table, const Arena& arena, std::optional<double> value) {
  if (value) table.add(arena.name(), *value);
  else table.add_absent(arena.name());
}

std::vector<Arena*> started(Arenas& arenas, bool ends_at_once = false) {
  std::vector<Arena*> all;
  for (auto& arena : arenas) {
    start(arena, ends_at_once);
    all.push_back(&arena);
  }
  for (auto* arena : all) (void)arena->await_starts(1);
  return all;
}

// For the next round: who comes after one that did nothing finds the caches colder than the others.
void shuffle(std::vector<Arena*>& all) {
  static std::minstd_rand generator;
  std::ranges::shuffle(all, generator);
}

}  // namespace

void measure_restart(const Setting& setting) {
  constexpr int kRounds = 15;
  Arenas in_memory(setting.memory, 1), on_disk(setting.disk, 1);
  auto memory = started(in_memory), disk = started(on_disk);
  std::vector<std::pair<Arena*, std::optional<double>>> memory_times, disk_times;
  for (int round = 0; round < kRounds; ++round) {
    std::this_thread::sleep_for(2s);
    for (std::size_t i = 0; i < memory.size(); ++i) {
      memory_times.emplace_back(memory[i], restart(*memory[i]));
      disk_times.emplace_back(disk[i], restart(*disk[i]));
    }
    shuffle(memory);
    shuffle(disk);
  }
  auto& first = setting.report.begin("restart", "KILL of a service that was up 2 s → its successor's first instruction", "ms");
  for (const auto& [arena, time] : memory_times) add(first, *arena, time);
  auto& second = setting.report.begin("restart_disk", "the same, status directory on a disk", "ms");
  for (const auto& [arena, time] : disk_times) add(second, *arena, time);
}

void measure_crash_loop(const Setting& setting) {
  constexpr auto kTime = 10s;
  Arenas arenas(setting.memory, 1);
  std::vector<Arena*> all;
  for (auto& arena : arenas)
    if (!arena.is_floor()) start(arena, true), all.push_back(&arena);
  for (auto* arena : all) (void)arena->await_starts(1);
  std::vector<std::pair<std::int64_t, double>> before;
  for (auto* arena : all) before.emplace_back(arena->slot(kFirst).starts, cpu_of(arena->fleet().supervisors()[0]));
  std::this_thread::sleep_for(kTime);
  auto& starts = setting.report.begin("crash_loop_starts", "starts in 10 s of a service that ends at once", "starts");
  for (std::size_t i = 0; i < all.size(); ++i) starts.add(all[i]->name(), static_cast<double>(all[i]->slot(kFirst).starts - before[i].first));
  auto& cpu = setting.report.begin("crash_loop_cpu", "CPU of the supervisor for that, its children not counted", "ms");
  for (std::size_t i = 0; i < all.size(); ++i) cpu.add(all[i]->name(), (cpu_of(all[i]->fleet().supervisors()[0]) - before[i].second) * 1e3);
}

void measure_control(const Setting& setting) {
  constexpr int kRounds = 200, kRestarts = 41, kCommands = 21;
  Arenas arenas(setting.memory, 1);
  auto all = started(arenas);
  auto& letter = setting.report.begin("control", "control letter (or call) → the service's signal handler", "ms");
  for (int round = 0; round < kRounds; ++round, shuffle(all))
    for (auto* arena : all) add(letter, *arena, signal_time(*arena, [&] { return tell_hangup(*arena); }));

  auto& early = setting.report.begin("control_after_restart", "the same, 50 ms after a restart", "ms");
  for (int round = 0; round < kRestarts; ++round, shuffle(all)) {
    for (auto* arena : all) {
      if (!restart(*arena)) continue;
      std::this_thread::sleep_for(50ms);
      add(early, *arena, signal_time(*arena, [&] { return tell_hangup(*arena); }));
    }
  }

  auto& client = setting.report.begin("client", "the client's command (floor: a bare client of supervise) → the service's signal handler", "ms");
  Arena* ours = nullptr;
  for (auto* arena : all)
    if (arena->name() == "supervise") ours = arena;
  const auto bare = fs::canonical("/proc/self/exe").replace_filename("service").string();
  for (int round = 0; round < kCommands; ++round, shuffle(all)) {
    for (auto* arena : all) {
      if (arena->is_floor() && !ours) continue;
      const auto fifo = ours->fleet().directory(kFirst) / "status/control";
      const auto words = arena->is_floor() ? peers::Words{bare, "--tell", fifo, "h"} : arena->fleet().client(kFirst, 'h');
      const auto time = signal_time(arena->is_floor() ? *ours : *arena, [&] { return peers::run(words) == 0; });
      add(client, *arena, time);
    }
  }
}

void measure_idle(const Setting& setting) {
  constexpr auto kSettled = 5s, kTime = 10s;
  Arenas arenas(setting.memory, 1);
  const auto all = started(arenas);
  const auto switches = [](Arena& arena) {
    long sum = 0;
    for (const auto pid : overhead_of(arena)) sum += field_of(pid, "status", "voluntary_ctxt_switches");
    return sum;
  };
  std::this_thread::sleep_for(kSettled);
  std::vector<long> before;
  for (auto* arena : all) before.push_back(arena->is_floor() ? 0 : switches(*arena));
  std::this_thread::sleep_for(kTime);
  auto& table = setting.report.begin("idle", "wake-ups in 10 s with nothing to do, logger included", "wake-ups");
  for (std::size_t i = 0; i < all.size(); ++i)
    if (!all[i]->is_floor()) table.add(all[i]->name(), static_cast<double>(switches(*all[i]) - before[i]));
}

}  // namespace bench
