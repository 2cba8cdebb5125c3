#include "core/environment.h"

#include "core/strings.h"

namespace core {
namespace {

bool is_name_char(char c, bool first) {
  return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (!first && c >= '0' && c <= '9');
}

std::string_view take_name(std::string_view& text) {
  std::size_t n = 0;
  while (n < text.size() && is_name_char(text[n], n == 0)) ++n;
  const auto name = text.substr(0, n);
  text.remove_prefix(n);
  return name;
}

// Takes the quoted piece whose opening quote was just removed. False if it never closes.
bool take_quoted(std::string_view& text, char quote, std::string& value) {
  while (!text.empty()) {
    char c = text.front();
    text.remove_prefix(1);
    if (c == quote) return true;
    if (c == '\\' && quote == '"' && !text.empty()) {
      c = text.front();
      text.remove_prefix(1);
    }
    value += c;
  }
  return false;
}

bool take_value(std::string_view& text, std::string& value) {
  while (!text.empty() && text.front() != ',' && !is_blank(text.front())) {
    const char c = text.front();
    text.remove_prefix(1);
    if (c != '"' && c != '\'')
      value += c;
    else if (!take_quoted(text, c, value))
      return false;
  }
  return true;
}

std::string_view unquoted(std::string_view value) {
  const bool quoted = value.size() >= 2 && (value.front() == '"' || value.front() == '\'') && value.front() == value.back();
  return quoted ? value.substr(1, value.size() - 2) : value;
}

}  // namespace

ParsedVariables parse_environment(std::string_view text) {
  ParsedVariables out;
  for (text = trim(text); !text.empty(); text = trim(text)) {
    const auto name = take_name(text);
    if (name.empty() || !text.starts_with('=')) {
      out.error = "a NAME=\"VALUE\" is expected at `" + excerpt(name.empty() ? text : name) + "`";
      return out;
    }
    text.remove_prefix(1);
    std::string value;
    if (!take_value(text, value)) {
      out.error = "the quote in the value of " + excerpt(name) + " is not closed";
      return out;
    }
    out.variables.emplace_back(name, std::move(value));
    text = trim(text);
    if (text.empty()) break;
    if (text.front() != ',') {
      out.error = "a comma is expected after the value of " + excerpt(name);
      return out;
    }
    text.remove_prefix(1);
  }
  return out;
}

ParsedVariables parse_environment_file(std::string_view text) {
  ParsedVariables out;
  for (int number = 1; !text.empty(); ++number) {
    auto line = trim(take_line(text));
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    const auto name = take_name(line);
    if (name.empty() || !line.starts_with('=')) {
      out.error = name == "export" ? "NAME=VALUE is expected, without export" : "not NAME=VALUE";
      out.line = number;
      return out;
    }
    out.variables.emplace_back(name, unquoted(line.substr(1)));
  }
  return out;
}

}  // namespace core
