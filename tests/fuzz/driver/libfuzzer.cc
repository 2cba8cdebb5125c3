// What a run under libFuzzer is limited to, beyond its own options: these know whole seconds only.
#include <time.h>

#include <algorithm>

#include "fuzz/fuzz.h"

namespace fuzz {
namespace {

// Of CPU time, as other processes are none of the target's business.
constexpr double kLimit = 0.1;

double timed(Target target, std::string_view input) {
  const auto cpu = [] {
    timespec ts{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return static_cast<double>(ts.tv_sec) + static_cast<double>(ts.tv_nsec) / 1e9;
  };
  const auto begin = cpu();
  target(input);
  return cpu() - begin;
}

}  // namespace

void run_in_time(Target target, std::string_view input) {
  auto seconds = timed(target, input);
  // Not because it was the first, or memory was short just then.
  for (int i = 0; i < 2 && seconds > kLimit; ++i) seconds = std::min(seconds, timed(target, input));
  require(seconds <= kLimit, "it took " + std::to_string(seconds) + " s of CPU time");
}

}  // namespace fuzz
