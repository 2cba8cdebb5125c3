// Characters of UTF-8 text (RFC 3629), and what a terminal does with them.
#pragma once

#include <cstddef>
#include <string_view>

namespace core {

struct Character {
  std::size_t size = 1;         // in bytes; 1 for a byte that is no UTF-8
  char32_t code = kInvalid;
  static constexpr char32_t kInvalid = 0xffffffff;
};

// The first character of `text`, which is not empty.
[[nodiscard]] Character first_character(std::string_view text);

// Whether a log or a terminal may get `code` as it is: no control character, nothing that turns the direction of the text, and UTF-8.
[[nodiscard]] bool is_shown(char32_t code);

// Whether all characters of `text` are shown as they are.
[[nodiscard]] bool is_printable(std::string_view text);

// The beginning of `text`, at most `limit` bytes, cut between two characters.
[[nodiscard]] std::string_view whole_characters(std::string_view text, std::size_t limit);

// The beginning of `text` that takes at most `limit` columns.
[[nodiscard]] std::string_view first_columns(std::string_view text, std::size_t limit);

// How many columns of a terminal `text` takes: two for a wide character, none for a combining one.
[[nodiscard]] std::size_t columns(std::string_view text);

}  // namespace core
