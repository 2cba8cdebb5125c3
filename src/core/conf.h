// The configuration file's dialect: text to settings, with everything that is wrong with it. supervise.conf(5).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/settings.h"

namespace core {

struct Diagnostic {
  enum class Severity { kNotice, kWarning, kError };
  int line;
  Severity severity;
  std::string what;    // what is wrong, and what would be right
};

// `FILE:LINE: error: what`, of a notice `FILE:LINE: what`, without a newline.
[[nodiscard]] std::string to_text(const Diagnostic& diagnostic, std::string_view file);

[[nodiscard]] bool has_errors(const std::vector<Diagnostic>& diagnostics);

// A line with alarm_mail that is longer than this is cut there. Any other value may be longer, up to kMaxValue.
inline constexpr std::size_t kMaxMailLine = 2048;
inline constexpr std::size_t kMaxValue = 128 << 10;

// The file as sections of items, before any of them is given a meaning.
struct Conf {
  struct Item {
    std::string key;
    std::string value;
    int line;
    bool commented = false;    // a `;` after a blank has ended the value
  };
  struct Section {
    std::string name;
    int line;
    std::vector<Item> items;
  };
  std::vector<Section> sections;             // in the order of their first header; one entry a name
  std::vector<Diagnostic> diagnostics;       // of the form of the file
};

[[nodiscard]] Conf parse_conf(std::string_view text);

struct Resolved {
  Settings settings;
  std::vector<Diagnostic> diagnostics;       // of the items that count for this service
  std::vector<Conf::Item> items;             // those that count, in the order of their taking effect
};

// The settings of `service`: its section, on top of [global] if [global] comes before it. A service without a section
// has what [global] says.
[[nodiscard]] Resolved resolve(const Conf& conf, std::string_view service);

}  // namespace core
