// supervisectl beside runit's sv on the same status directories, and the sizes of the programs.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "bench/bench.h"

namespace bench {
namespace {

using peers::Words;

Words with(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

// How long a command takes, in ms; nothing if it fails.
std::optional<double> time_of(const Words& words) {
  const auto begin = now();
  if (peers::run(words) != 0) return std::nullopt;
  return milliseconds(now() - begin);
}

}  // namespace

void measure_clients(const Setting& setting) {
  constexpr int kServices = 200, kRounds = 21, kStops = 5;
  const auto root = setting.memory / "clients";
  fs::create_directories(root);
  std::ofstream conf(root / "supervise.conf");
  conf << "[global]\nstartsecs : 0\n";
  Words directories;
  for (int i = 0; i < kServices; ++i) {
    conf << "[s" << i << "]\ncommand : sleep 100000\n";
    directories.push_back((root / "status" / ("s" + std::to_string(i))).string());
  }
  conf.close();
  const auto ours = [&](const Words& words) {
    return with({fs::absolute(peers::setting("SUPERVISECTL", "supervisectl")), "-d", root / "status", "-F", root / "supervise.conf"}, words);
  };
  const auto compare = [&](const char* id, const std::string& title, int rounds, const std::function<std::optional<double>(bool)>& measure) {
    auto& table = setting.report.begin(id, title, "ms");
    for (int round = 0; round < rounds; ++round) {
      for (const bool is_ours : {true, false}) {
        if (!is_ours && !peers::has_program("sv")) continue;
        const auto time = measure(is_ours);
        time ? table.add(is_ours ? "supervise" : "runit", *time) : table.add_absent(is_ours ? "supervise" : "runit");
      }
    }
  };
  const auto start_all = [&] { return time_of(ours({"start", "all"})); };
  (void)start_all();
  const auto many = std::to_string(kServices) + " services: ";
  compare("client_status", many + "`supervisectl status`, and `sv status` on the same directories", kRounds,
          [&](bool is_ours) { return time_of(is_ours ? ours({"status"}) : with({"sv", "status"}, directories)); });
  compare("client_stop", many + "`supervisectl stop all`, and `sv stop`", kStops, [&](bool is_ours) {
    (void)start_all();
    return time_of(is_ours ? ours({"stop", "all"}) : with({"sv", "-w", "60", "stop"}, directories));
  });
  (void)time_of(ours({"exit", "all"}));
  peers::end_descendants();
  fs::remove_all(root);
}

void measure_size(const Setting& setting) {
  auto& table = setting.report.begin("size", "size of the program (floor and ours static, the peers dynamic)", "KB");
  const auto kilobytes = [](const fs::path& file) { return static_cast<double>(fs::file_size(file)) / 1000; };
  table.add(kFloor, kilobytes(fs::canonical("/proc/self/exe").replace_filename("service")));
  for (const auto& kind : contestants()) {
    auto path = peers::output_of({"sh", "-c", "command -v \"$1\"", "sh", kind.program});
    while (!path.empty() && path.back() == '\n') path.pop_back();
    if (!path.empty()) table.add(kind.name, kilobytes(path));
  }
}

}  // namespace bench
