// Lives of core::Machine that somebody chooses, against what must hold in each of them.
#pragma once

#include <cstdint>
#include <string>

namespace sim {

// Who decides what happens next.
class Choices {
 public:
  virtual ~Choices() = default;
  virtual std::uint32_t below(std::uint32_t n) = 0;    // 0 to n - 1, n at most 2,000,000
  [[nodiscard]] virtual bool ended() const { return false; }
  bool one_in(std::uint32_t n) { return below(n) == 0; }
};

// What was wrong in a life of at most `events` events; empty if nothing was.
[[nodiscard]] std::string wrong_in_life(Choices& choices, int events);

}  // namespace sim
