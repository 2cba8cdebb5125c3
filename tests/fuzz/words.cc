// The word splitter of -f and of the keys that hold commands.
#include "core/words.h"

#include "fuzz/fuzz.h"

namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

std::string single_quoted(const std::string& word) {
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string double_quoted(const std::string& word) {
  std::string out = "\"";
  for (const char c : word) out += (std::string_view("$`\"\\").find(c) != std::string_view::npos ? "\\" : "") + std::string(1, c);
  return out + "\"";
}

// Each character by itself; a newline can't be, as a backslash before it joins lines.
std::string escaped(const std::string& word) {
  if (word.empty()) return "''";
  std::string out;
  for (const char c : word) out += c == '\n' ? "'\n'" : "\\" + std::string(1, c);
  return out;
}

void round_trip(const std::vector<std::string>& words, std::string (*quote)(const std::string& word), const char* name) {
  std::string line;
  for (const auto& word : words) line += quote(word) + " \t\n";
  const auto again = core::split_words(line);
  fuzz::require(again.error.empty() && again.words == words, std::string(name) + " words are not what they were");
  fuzz::require(quote == escaped || again.shell_operator.empty(), std::string(name) + " operators are taken for operators");
}

std::vector<std::string> plain_words(std::string_view line) {
  std::vector<std::string> out;
  bool in_word = false;
  for (const char c : line) {
    if (!is_blank(c) && !in_word) out.emplace_back();
    in_word = !is_blank(c);
    if (in_word) out.back() += c;
  }
  return out;
}

}  // namespace

FUZZ(words) {
  const auto split = core::split_words(input);
  if (!split.error.empty()) {
    fuzz::require(input.find_first_of("'\"\\") != std::string_view::npos, "an unbalanced quote where there is no quote");
    return;
  }
  std::size_t size = 0;
  for (const auto& word : split.words) size += word.size();
  fuzz::require(size <= input.size() && split.words.size() <= input.size(), "more comes out than went in");
  const auto& shell = split.shell_operator;
  fuzz::require(shell.empty() || input.find(shell) != std::string_view::npos, "an operator that is not there");
  if (input.find_first_of("'\"\\") == std::string_view::npos) {
    fuzz::require(split.words == plain_words(input), "without quotes only blanks separate");
    const bool has_operator = input.find_first_of("|&;<>`") != std::string_view::npos || input.find("$(") != std::string_view::npos;
    fuzz::require(has_operator == !shell.empty(), "an operator is not seen, or seen where there is none");
  }
  round_trip(split.words, single_quoted, "single-quoted");
  round_trip(split.words, double_quoted, "double-quoted");
  round_trip(split.words, escaped, "escaped");
}
