// Environment variables in configuration text.
#pragma once

#include <string>
#include <string_view>

#include "core/settings.h"

namespace core {

struct ParsedVariables {
  Variables variables;
  std::string error;    // empty if there is none
  int line = 0;         // of the error, in a file
};

// `A="x",B='y',C=z`: names, and values in pieces of "..." (\ quotes the next character), '...' or bare text.
[[nodiscard]] ParsedVariables parse_environment(std::string_view text);

// A file of NAME=VALUE lines. Blank lines and lines that begin with # or ; do not count; one pair of quotes around a value
// is taken off.
[[nodiscard]] ParsedVariables parse_environment_file(std::string_view text);

}  // namespace core
