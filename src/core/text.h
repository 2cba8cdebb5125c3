// Text of bounded length, built without allocation. What does not fit is cut between two characters, never overrun.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/time.h"

namespace core {

// The working parts of every Text, which share one copy of the code: `at` is the end of what is there, of which `room` bytes
// are left. Each returns how many bytes it has added.
namespace text {
std::size_t append(char* at, std::size_t room, std::string_view s);
std::size_t append_signed(char* at, std::size_t room, std::int64_t number);
std::size_t append_unsigned(char* at, std::size_t room, std::uint64_t number);
std::size_t append_seconds(char* at, std::size_t room, Nanos time, int places);
std::size_t append_brief_seconds(char* at, std::size_t room, Nanos time, int places);
std::size_t append_printable(char* at, std::size_t room, std::string_view s);
}  // namespace text

template <std::size_t N>
class Text {
 public:
  Text& operator<<(std::string_view s) { return grown(text::append(end(), room(), s)); }
  Text& operator<<(const char* s) { return *this << std::string_view(s); }
  Text& operator<<(char c) { return *this << std::string_view(&c, 1); }
  Text& operator<<(std::signed_integral auto number) { return grown(text::append_signed(end(), room(), number)); }
  Text& operator<<(std::unsigned_integral auto number) { return grown(text::append_unsigned(end(), room(), number)); }
  // Seconds with `places` (1 to 9) decimal places, cut, not rounded.
  Text& seconds(Nanos time, int places) { return grown(text::append_seconds(end(), room(), time, places)); }
  // Seconds with at most `places` decimal places and no trailing zeros.
  Text& brief_seconds(Nanos time, int places) { return grown(text::append_brief_seconds(end(), room(), time, places)); }
  // Foreign text made harmless for a log, a header or a terminal, at most `limit` bytes of it: what is no UTF-8, control characters
  // and those that turn the direction of text are escaped (`\xff`, `\n`, `\u202e`).
  Text& printable(std::string_view s, std::size_t limit = N) { return grown(text::append_printable(end(), std::min(room(), limit), s)); }
  [[nodiscard]] std::string_view view() const { return {data_.data(), size_}; }
  [[nodiscard]] const char* c_str() {
    data_[size_] = '\0';
    return data_.data();
  }
  [[nodiscard]] bool full() const { return size_ == N; }
  void clear() { size_ = 0; }

 private:
  [[nodiscard]] char* end() { return data_.data() + size_; }
  [[nodiscard]] std::size_t room() const { return N - size_; }
  Text& grown(std::size_t by) {
    size_ += by;
    return *this;
  }

  std::array<char, N + 1> data_;
  std::size_t size_ = 0;
};

}  // namespace core
