// The kinds of services: what each does by itself, and what its supervise is told about it.
#pragma once

#include <span>
#include <string>

namespace soak {

struct Kind {
  const char* name;
  const char* words;  // of worker.cc
  const char* conf;   // lines of its section; `@` stands for the directory of its own
  enum { kAlways = 0, kEnds = 1, kGivesUp = 2, kHook = 4, kStamps = 8, kTight = 16, kForks = 32 };
  int traits = kAlways;  // kEnds: by itself; kGivesUp: so may its supervise; kTight: on a small disk of its own, which fills
  [[nodiscard]] bool is(int trait) const { return (traits & trait) != 0; }
};

// All kinds that can be had here, with a small disk or without.
enum class Disks { kNone, kSmall };
[[nodiscard]] std::span<const Kind> kinds(Disks disks);

}  // namespace soak
