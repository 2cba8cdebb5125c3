// The commands and options of supervisectl(1): one table, from which the parser, the help, the completions of the shells and
// the lists in the manual derive.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

#include "core/nearest.h"

namespace ctl {

enum class Id {
  kStatus, kStart, kStop, kRestart, kOnce, kKill, kSignal, kPause, kContinue, kAlarm, kReload, kUpgrade, kExit,
  kPid, kTail, kWait, kCheck, kClear, kRotate, kConfig, kMetrics, kHelp,
};

struct Command {
  Id id;
  std::string_view name;
  std::string_view arguments;       // as usage shows them, without options
  std::string_view first;           // what the first argument has to be, words that `|` separates; empty: nothing special
  enum class Names { kNone, kAny, kNeeded } names;    // kAny: all services where none is named
  std::string_view options;         // the letters of its own ones, in kOptions
  std::string_view letters;         // what is written to control
  std::string_view help;            // a line
  std::string_view more;            // sentences for `help COMMAND` and the manual
};
[[nodiscard]] std::span<const Command> commands();
[[nodiscard]] const Command* find_command(std::string_view name);
[[nodiscard]] const Command& command_of(Id id);

struct Option {
  char letter;                      // also its name in Command::options; upper case: it has no short form
  std::string_view name;            // long, with dashes
  std::string_view argument;        // empty: none
  bool global;
  std::string_view help;
};
[[nodiscard]] std::span<const Option> options();

// `-d ROOT`, `--timeout SECONDS`.
[[nodiscard]] std::string usage_of(const Option& option);
// `supervisectl tail [-f] [-n LINES] NAME... [stdout|stderr|log]`.
[[nodiscard]] std::string usage_of(const Command& command);

[[nodiscard]] std::string help();
[[nodiscard]] std::string help(const Command& command);
// mdoc(7): the items of the lists of options and commands.
[[nodiscard]] std::string manual_items();
[[nodiscard]] std::string bash_completion();
[[nodiscard]] std::string zsh_completion();

using core::nearest;

}  // namespace ctl
