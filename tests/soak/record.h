// What the services of the soak test and the soak program share: a file that both map. It outlives every process, so that
// what a killed service has written is known to the line.
//
// A service holds a record lock (fcntl) on the file for as long as it lives. Such a lock belongs to the process: no child
// inherits it, and the kernel names its holder. So there are two copies exactly when one finds it taken.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

namespace soak {

// The output of one run: whole lines in single writes, which a FIFO takes whole or not at all. So a run that was killed has
// written at least `written` lines and at most `tried`.
struct Run {
  std::atomic<std::uint64_t> number;
  std::atomic<std::uint64_t> tried;
  std::atomic<std::uint64_t> written;
};

struct Record {
  static constexpr std::size_t kRuns = 1024;
  // A service stops writing while more bytes than this wait for being verified: so the logs have a known size, however slow
  // the machine is.
  static constexpr std::uint64_t kUnverified = 256 << 10;

  std::atomic<std::uint64_t> runs;      // begun so far
  std::atomic<std::uint64_t> written;   // bytes of all runs
  std::atomic<std::uint64_t> verified;  // bytes of all runs
  std::atomic<pid_t> second;            // a service that found another one alive, and which
  std::atomic<pid_t> first;
  std::atomic<int> write_error;  // a write of the output that failed
  Run last[kRuns];

  // The run of that number, if it has got as far as to say so.
  [[nodiscard]] Run* run(std::uint64_t number) {
    auto& found = last[number % kRuns];
    return found.number == number ? &found : nullptr;
  }
};

// Line `number` (from 1) of that run, with its end.
[[nodiscard]] inline std::string line_of(std::uint64_t run, std::uint64_t number) {
  return std::to_string(run) + " " + std::to_string(number) + " " + std::string(number % 60, '.') + "\n";
}

}  // namespace soak
