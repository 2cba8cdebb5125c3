// A life of the machine, with all its events, whose course the input chooses: see tests/fault/machine_life.cc.
#include "fault/machine_life.h"
#include "fuzz/fuzz.h"

namespace {

constexpr int kMaxEvents = 400;

class Chosen final : public sim::Choices {
 public:
  explicit Chosen(std::string_view input) : bytes_(input) {}
  std::uint32_t below(std::uint32_t n) override { return n <= 256 ? bytes_.below(n) : bytes_.number<std::uint32_t>() % n; }
  [[nodiscard]] bool ended() const override { return bytes_.empty(); }

 private:
  fuzz::Bytes bytes_;
};

}  // namespace

FUZZ(machine) {
  Chosen choices(input);
  const auto wrong = sim::wrong_in_life(choices, kMaxEvents);
  fuzz::require(wrong.empty(), wrong);
}
