// Text of bounded length, built without allocation. What does not fit is cut, never overrun.
#pragma once

#include <array>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <string_view>

#include "core/time.h"

namespace core {

template <std::size_t N>
class Text {
 public:
  Text& operator<<(std::string_view s) {
    const std::size_t n = s.size() < N - size_ ? s.size() : N - size_;
    if (n != 0) std::memcpy(data_.data() + size_, s.data(), n);
    size_ += n;
    return *this;
  }
  Text& operator<<(const char* s) { return *this << std::string_view(s); }
  Text& operator<<(char c) { return *this << std::string_view(&c, 1); }
  Text& operator<<(std::integral auto number) {
    std::array<char, 24> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    return *this << std::string_view(digits.data(), static_cast<std::size_t>(end - digits.data()));
  }
  // Seconds with `places` (1 to 9) decimal places, cut, not rounded.
  Text& seconds(Nanos time, int places) {
    if (time < Nanos::zero()) {
      *this << '-';
      time = -time;
    }
    const auto whole = time.count() / 1'000'000'000;
    auto fraction = time.count() % 1'000'000'000 + 1'000'000'000;
    for (int i = places; i < 9; ++i) fraction /= 10;
    std::array<char, 24> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), fraction).ptr;
    return *this << whole << '.' << std::string_view(digits.data() + 1, static_cast<std::size_t>(end - digits.data() - 1));
  }
  // Foreign text made harmless for a log, a header or a terminal: control characters become `?`.
  Text& printable(std::string_view s) {
    for (const char c : s) *this << (static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c);
    return *this;
  }
  [[nodiscard]] std::string_view view() const { return {data_.data(), size_}; }
  [[nodiscard]] const char* c_str() {
    data_[size_] = '\0';
    return data_.data();
  }
  [[nodiscard]] bool full() const { return size_ == N; }
  void clear() { size_ = 0; }

 private:
  std::array<char, N + 1> data_;
  std::size_t size_ = 0;
};

}  // namespace core
