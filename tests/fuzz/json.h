// Whether a text is JSON (RFC 8259), in UTF-8.
#pragma once

#include <cctype>
#include <string_view>

namespace fuzz {

class Json {
 public:
  [[nodiscard]] static bool is_valid(std::string_view text) {
    Json json(text);
    return json.value(0) && (json.blanks(), json.rest_.empty());
  }

 private:
  explicit Json(std::string_view text) : rest_(text) {}

  void blanks() {
    while (!rest_.empty() && std::string_view(" \t\r\n").find(rest_[0]) != std::string_view::npos) rest_.remove_prefix(1);
  }
  bool take(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  bool value(int depth) {
    blanks();
    if (depth > 8) return false;
    if (take("null") || take("true") || take("false")) return true;
    if (rest_.starts_with('"')) return string();
    if (take("[")) return list(']', depth);
    if (take("{")) return list('}', depth);
    return number();
  }
  bool list(char end, int depth) {
    blanks();
    if (take({&end, 1})) return true;
    while (true) {
      blanks();
      if (end == '}' && (!string() || (blanks(), !take(":")))) return false;
      if (!value(depth + 1)) return false;
      blanks();
      if (take({&end, 1})) return true;
      if (!take(",")) return false;
    }
  }
  std::size_t digits() {
    std::size_t n = 0;
    for (; !rest_.empty() && std::isdigit(static_cast<unsigned char>(rest_[0])) != 0; ++n) rest_.remove_prefix(1);
    return n;
  }
  bool number() {
    (void)take("-");
    const bool zero = rest_.starts_with('0');
    const auto n = digits();
    if (n == 0 || (zero && n > 1)) return false;
    return !take(".") || digits() > 0;
  }
  bool string() {
    if (!take("\"")) return false;
    while (!rest_.empty()) {
      if (take("\"")) return true;
      if (take("\\")) {
        if (rest_.empty() || std::string_view("\"\\/bfnrt").find(rest_[0]) == std::string_view::npos) return false;
        rest_.remove_prefix(1);
      } else if (!character()) {
        return false;
      }
    }
    return false;
  }
  // One of UTF-8, by its value.
  bool character() {
    const auto first = static_cast<unsigned char>(rest_[0]);
    const std::size_t n = first < 0x80 ? 1 : first < 0xc0 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf8 ? 4 : 0;
    if (first < 0x20 || n == 0 || rest_.size() < n) return false;
    std::uint32_t value = n == 1 ? first : first & (0xffU >> (n + 1));
    for (std::size_t i = 1; i < n; ++i) {
      const auto c = static_cast<unsigned char>(rest_[i]);
      if ((c & 0xc0U) != 0x80) return false;
      value = value << 6 | (c & 0x3fU);
    }
    rest_.remove_prefix(n);
    constexpr std::uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
    return value >= kLeast[n] && value <= 0x10ffff && (value < 0xd800 || value > 0xdfff);
  }

  std::string_view rest_;
};

}  // namespace fuzz
