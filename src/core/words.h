// Splits a command line into words the way a POSIX shell quotes, without expanding anything and without a shell.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace core {

struct Words {
  std::vector<std::string> words;
  std::string error;            // what is wrong, and what would be right; the words are void then
  std::string shell_operator;   // the first unquoted operator that only a shell would obey; empty if there is none
};

// Blanks (space, tab, newline) separate; '...', "..." and \ quote; a backslash
// before a newline joins two lines; an unbalanced quote or a trailing \ is an error.
[[nodiscard]] Words split_words(std::string_view line);

}  // namespace core
