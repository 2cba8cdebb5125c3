#include "core/utf8.h"

#include <algorithm>
#include <array>

namespace core {
namespace {

struct Range {
  char32_t first, last;
};

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80; }

template <std::size_t N>
bool is_in(const std::array<Range, N>& ranges, char32_t code) {
  return std::any_of(ranges.begin(), ranges.end(), [code](const Range& r) { return r.first <= code && code <= r.last; });
}

// Those of right-to-left text, and the separators that some viewers take for the end of a line.
constexpr std::array kUnshown = {Range{0x00, 0x1f},     Range{0x7f, 0x9f},     Range{0x61c, 0x61c},
                                 Range{0x200e, 0x200f}, Range{0x2028, 0x202e}, Range{0x2066, 0x2069}};

// The blocks that hold marks of common scripts, joiners and variation selectors.
constexpr std::array kCombining = {Range{0x300, 0x36f},   Range{0x483, 0x489},   Range{0x591, 0x5bd},   Range{0x610, 0x61a},   Range{0x64b, 0x65f},
                                   Range{0x93a, 0x93a},   Range{0x93c, 0x93c},   Range{0x941, 0x948},   Range{0x94d, 0x94d},   Range{0xe31, 0xe31},
                                   Range{0xe34, 0xe3a},   Range{0xe47, 0xe4e},   Range{0x1ab0, 0x1aff}, Range{0x1dc0, 0x1dff}, Range{0x200b, 0x200d},
                                   Range{0x20d0, 0x20ff}, Range{0x302a, 0x302d}, Range{0x3099, 0x309a}, Range{0xfe00, 0xfe0f}, Range{0xfe20, 0xfe2f},
                                   Range{0xfeff, 0xfeff}, Range{0x1f3fb, 0x1f3ff}, Range{0xe0100, 0xe01ef}};

// East Asian wide and full-width characters, and emoji.
constexpr std::array kWide = {Range{0x1100, 0x115f},   Range{0x231a, 0x231b},   Range{0x23e9, 0x23ec},   Range{0x2614, 0x2615},   Range{0x26a1, 0x26a1},
                              Range{0x2705, 0x2705},   Range{0x274c, 0x274c},   Range{0x2b50, 0x2b50},   Range{0x2e80, 0x303e},   Range{0x3041, 0xa4cf},
                              Range{0xa960, 0xa97f},   Range{0xac00, 0xd7a3},   Range{0xf900, 0xfaff},   Range{0xfe30, 0xfe6f},   Range{0xff00, 0xff60},
                              Range{0xffe0, 0xffe6},   Range{0x16fe0, 0x18cff}, Range{0x1b000, 0x1b2ff}, Range{0x1f18e, 0x1f19a}, Range{0x1f200, 0x1f64f},
                              Range{0x1f680, 0x1f6ff}, Range{0x1f7e0, 0x1f7eb}, Range{0x1f900, 0x1f9ff}, Range{0x1fa70, 0x1faff}, Range{0x20000, 0x3fffd}};

std::size_t width(char32_t code) { return is_in(kCombining, code) ? 0 : is_in(kWide, code) ? 2 : 1; }

}  // namespace

Character first_character(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  if (first < 0x80) return {1, first};
  const std::size_t n = first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xf0 && first < 0xf5 ? 4 : 0;
  if (n == 0 || text.size() < n || !std::all_of(text.begin() + 1, text.begin() + static_cast<std::ptrdiff_t>(n), continues)) return {};
  char32_t code = first & (0x7fU >> n);
  for (std::size_t i = 1; i < n; ++i) code = code << 6 | (static_cast<unsigned char>(text[i]) & 0x3fU);
  const bool overlong = (n == 3 && code < 0x800) || (n == 4 && code < 0x10000);
  const bool surrogate = code >= 0xd800 && code < 0xe000;
  return overlong || surrogate || code > 0x10ffff ? Character() : Character{n, code};
}

bool is_shown(char32_t code) { return code != Character::kInvalid && !is_in(kUnshown, code); }

bool is_printable(std::string_view text) {
  while (!text.empty()) {
    const auto character = first_character(text);
    if (!is_shown(character.code)) return false;
    text.remove_prefix(character.size);
  }
  return true;
}

std::string_view whole_characters(std::string_view text, std::size_t limit) {
  constexpr std::size_t kMost = 3;    // bytes of a character after its first
  if (text.size() <= limit) return text;
  auto n = limit;
  while (n > 0 && limit - n < kMost && continues(text[n])) --n;
  return text.substr(0, continues(text[n]) ? limit : n);
}

std::size_t columns(std::string_view text) {
  std::size_t sum = 0;
  while (!text.empty()) {
    const auto [size, code] = first_character(text);
    text.remove_prefix(size);
    sum += width(code);
  }
  return sum;
}

std::string_view first_columns(std::string_view text, std::size_t limit) {
  std::size_t end = 0;
  for (std::size_t sum = 0; end < text.size();) {
    const auto [size, code] = first_character(text.substr(end));
    sum += width(code);
    if (sum > limit) break;
    end += size;
  }
  return text.substr(0, end);
}

}  // namespace core
