// What the services of a benchmark tell: a file TOP/board, which each of them maps, with a slot for TOP/0, TOP/1 ...
#pragma once

#include <time.h>

#include <atomic>
#include <cstdint>

namespace bench {

inline constexpr int kSlots = 4096;

struct Slot {
  std::atomic<std::int64_t> starts, pid, started;      // started, signalled: the clock of now()
  std::atomic<std::int64_t> signals, signalled;        // HUP
  std::atomic<std::int64_t> ends_at_once;              // set by the benchmark
};

struct Board {
  Slot slots[kSlots];
};

// Nanoseconds of the monotonic clock.
inline std::int64_t now() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1'000'000'000 + t.tv_nsec;
}

}  // namespace bench
