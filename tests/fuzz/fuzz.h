// What the fuzz targets share. A target is a file with one FUZZ(name) { ... }, which is given `input` and throws Wrong where
// something does not hold. Built with clang it is a libFuzzer program, which looks for such inputs (make fuzz); in
// build/tests/fuzz it is a test case that runs the inputs in corpus/NAME (make check, make check-san).
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace fuzz {

// No input is longer, in the corpus or of libFuzzer's.
inline constexpr std::size_t kMaxInput = 8192;

struct Wrong : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// `what` says what does not hold.
inline void require(bool holds, const std::string& what) {
  if (!holds) throw Wrong(what);
}

// An input as a sequence of decisions. At its end all of them are 0.
class Bytes {
 public:
  explicit Bytes(std::string_view input) : rest_(input) {}

  [[nodiscard]] bool empty() const { return rest_.empty(); }
  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const auto value = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }
  // 0 to n - 1, n at most 256.
  unsigned below(unsigned n) { return byte() % n; }
  bool flag() { return (byte() & 1U) != 0; }
  template <typename T>
  T number() {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) value |= std::uint64_t{byte()} << (8 * i);
    return static_cast<T>(value);
  }
  // At most `n` bytes.
  std::string_view text(std::size_t n) {
    const auto out = rest_.substr(0, n);
    rest_.remove_prefix(out.size());
    return out;
  }
  // The rest up to `end`, which is taken as well.
  std::string_view until(char end) {
    const auto out = rest_.substr(0, rest_.find(end));
    rest_.remove_prefix(out.size() < rest_.size() ? out.size() + 1 : out.size());
    return out;
  }
  std::string_view rest() { return text(rest_.size()); }

 private:
  std::string_view rest_;
};

using Target = void (*)(std::string_view input);

// Runs `target` with `input`, and complains as well where that takes longer than an input may.
void run_in_time(Target target, std::string_view input);

// Runs `target` with every file of corpus/NAME, of which there must be some.
void replay(const std::string& name, Target target);

// Control characters that must not reach a terminal, a log or a header raw: those of ASCII, and of C1 in UTF-8.
[[nodiscard]] inline bool has_control(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x20 || c == 0x7f) return true;
    if (c == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) >= 0x80 && static_cast<unsigned char>(text[i + 1]) < 0xa0) return true;
  }
  return false;
}

}  // namespace fuzz

#ifdef FUZZ_WITH_LIBFUZZER
#define FUZZ(name)                                                                                      \
  static void fuzz_##name(std::string_view input);                                                      \
  extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);                    \
  extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {                   \
    fuzz::run_in_time(fuzz_##name, {reinterpret_cast<const char*>(data), size});                        \
    return 0;                                                                                           \
  }                                                                                                     \
  static void fuzz_##name(std::string_view input)
#else
#include "catch.h"
#define FUZZ(name)                                                                                      \
  static void fuzz_##name(std::string_view input);                                                      \
  TEST_CASE("every input in tests/fuzz/corpus/" #name " keeps what the fuzz target " #name " checks") { fuzz::replay(#name, fuzz_##name); } \
  static void fuzz_##name(std::string_view input)
#endif
