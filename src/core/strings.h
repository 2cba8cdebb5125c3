// The few operations on text that several parsers share.
#pragma once

#include <string>
#include <string_view>

#include "core/text.h"
#include "core/utf8.h"

namespace core {

[[nodiscard]] constexpr bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

// Without the blanks at both ends.
[[nodiscard]] constexpr std::string_view trim(std::string_view s) {
  while (!s.empty() && is_blank(s.front())) s.remove_prefix(1);
  while (!s.empty() && is_blank(s.back())) s.remove_suffix(1);
  return s;
}

// Removes and returns the first line of `text`, without its newline.
constexpr std::string_view take_line(std::string_view& text) {
  const auto end = text.find('\n');
  const auto line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

// Removes and returns the first word of `text`, which blanks separate; empty at the end.
constexpr std::string_view take_word(std::string_view& text) {
  text = trim(text);
  std::size_t n = 0;
  while (n < text.size() && !is_blank(text[n])) ++n;
  const auto word = text.substr(0, n);
  text.remove_prefix(n);
  return word;
}

// Foreign text made harmless for a log or a terminal: see Text::printable().
[[nodiscard]] inline std::string printable(std::string_view text) {
  constexpr std::size_t kLongestEscape = 4;    // of a byte
  std::string out(text.size() * kLongestEscape, '\0');
  out.resize(text::append_printable(out.data(), out.size(), text));
  return out;
}

// `text` as a message quotes it: the beginning alone where it is long.
[[nodiscard]] inline std::string excerpt(std::string_view text) {
  constexpr std::size_t kLongest = 200;
  const auto beginning = whole_characters(text, kLongest);
  return std::string(beginning) + (beginning.size() < text.size() ? "..." : "");
}

}  // namespace core
