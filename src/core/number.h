// Whole decimal numbers from foreign text.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>

namespace core {

// The whole of `text` as a number in `base`; nothing for an empty text, a leading `+`, a rest, or one out of T's range.
template <typename T>
[[nodiscard]] std::optional<T> parse_number(std::string_view text, int base = 10) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

}  // namespace core
