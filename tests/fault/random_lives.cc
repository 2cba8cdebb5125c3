// Random lives of core::Machine. A failure prints the seed of its life, which reproduces it. FUZZ_LIVES=N lives through N of them.
#include <cstdlib>

#include "catch.h"
#include "fault/machine_life.h"

namespace {

constexpr std::uint32_t kLives = 30'000;
constexpr int kEventsALife = 40;

// A linear congruential generator: the same numbers everywhere.
class Random final : public sim::Choices {
 public:
  explicit Random(std::uint32_t seed) : state_(seed * 2654435761U + 12345U) {}
  std::uint32_t below(std::uint32_t n) override {
    state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<std::uint32_t>(state_ >> 33) % n;
  }

 private:
  std::uint64_t state_;
};

TEST_CASE("random lives of the machine keep its invariants") {
  const char* wanted = std::getenv("FUZZ_LIVES");
  const auto lives = wanted ? static_cast<std::uint32_t>(std::strtoul(wanted, nullptr, 10)) : kLives;
  for (std::uint32_t seed = 1; seed <= lives; ++seed) {
    Random random(seed);
    const auto wrong = sim::wrong_in_life(random, kEventsALife);
    if (wrong.empty()) continue;
    INFO("seed " << seed);
    REQUIRE(wrong == "");
  }
}

}  // namespace
