// Environment variables in configuration text, and files of them. The first byte chooses.
#include "core/environment.h"

#include <algorithm>

#include "fuzz/fuzz.h"

namespace {

bool is_name(std::string_view name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto rest = [&](char c) { return letter(c) || (c >= '0' && c <= '9'); };
  return !name.empty() && letter(name[0]) && std::all_of(name.begin(), name.end(), rest);
}

void check(const core::ParsedVariables& parsed, std::string_view text) {
  std::size_t size = 0;
  for (const auto& [name, value] : parsed.variables) {
    fuzz::require(is_name(name), "a name that is none");
    size += name.size() + 1 + value.size();
  }
  fuzz::require(size <= text.size(), "more comes out than went in");
}

// The value in one notation that is always possible.
std::string in_quotes(std::string_view value) {
  std::string out = "\"";
  for (const char c : value) out += (c == '"' || c == '\\' ? "\\" : "") + std::string(1, c);
  return out + "\"";
}

void list(std::string_view text) {
  const auto parsed = core::parse_environment(text);
  check(parsed, text);
  if (!parsed.error.empty()) return;
  std::string printed;
  for (const auto& [name, value] : parsed.variables) printed += (printed.empty() ? "" : " ,\t") + name + "=" + in_quotes(value);
  const auto again = core::parse_environment(printed);
  fuzz::require(again.error.empty() && again.variables == parsed.variables, "the variables are not what they were");
}

void file(std::string_view text) {
  const auto parsed = core::parse_environment_file(text);
  check(parsed, text);
  const auto lines = std::count(text.begin(), text.end(), '\n') + 1;
  if (!parsed.error.empty()) {
    fuzz::require(parsed.line >= 1 && parsed.line <= lines, "an error in a line that is not there");
    return;
  }
  std::string printed = "# a comment\n\n";
  for (const auto& [name, value] : parsed.variables) {
    fuzz::require(value.find('\n') == std::string::npos, "a value of several lines");
    printed += "  " + name + "='" + value + "'\r\n";
  }
  const auto again = core::parse_environment_file(printed);
  fuzz::require(again.error.empty() && again.variables == parsed.variables, "the variables of the file are not what they were");
}

}  // namespace

FUZZ(environment) {
  if (input.empty()) return;
  if (input[0] == 'f') file(input.substr(1));
  else list(input.substr(1));
}
