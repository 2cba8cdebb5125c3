// Command lines as inputs: an argument a line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/strings.h"

namespace fuzz {

inline std::vector<std::string> arguments_of(std::string_view input) {
  std::vector<std::string> out;
  // No argument has a NUL.
  while (!input.empty()) {
    const auto line = core::take_line(input);
    out.emplace_back(line.substr(0, line.find('\0')));
  }
  return out;
}

}  // namespace fuzz
