// Times as the core sees them: arguments, never read from a clock.
#pragma once

#include <chrono>
#include <cstdint>

namespace core {

using Nanos = std::chrono::nanoseconds;
using std::chrono::seconds;

struct MonotonicTag {
  using rep = Nanos::rep;
  using period = Nanos::period;
  using duration = Nanos;
};
struct WallTag {
  using rep = Nanos::rep;
  using period = Nanos::period;
  using duration = Nanos;
};

// A moment that no clock step moves. All delays and windows are measured in it.
using Instant = std::chrono::time_point<MonotonicTag, Nanos>;

// A moment since the Unix epoch, for people and for the stamps in `status` and `state`. Never decides anything.
using WallTime = std::chrono::time_point<WallTag, Nanos>;

inline constexpr Instant kNever = Instant::max();

// Both readings of one moment. The shell reads the clocks once a turn.
struct Now {
  Instant mono;
  WallTime wall;
};

// `at` + `delay` without overflow: a delay too long to represent never comes.
constexpr Instant after(Instant at, Nanos delay) {
  return delay >= kNever - at ? kNever : at + delay;
}

}  // namespace core
