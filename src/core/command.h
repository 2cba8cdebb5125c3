// The control bytes: one table of byte, verb and help from which the parser, the help text and the manual's check derive.
// Bytes and meanings descend from daemontools' supervise (https://cr.yp.to/daemontools/svc.html) and runit's runsv(8).
#pragma once

#include <csignal>
#include <span>
#include <string_view>

namespace core {

enum class Verb { kDown, kUp, kOnce, kExit, kSignal, kPause, kContinue, kAlarmsOff, kAlarmsOn, kReload, kRotate, kUpgrade };

struct Command {
  char byte;
  Verb verb;
  int signal;               // the signal of kSignal, kPause and kContinue, else 0
  std::string_view name;
  std::string_view help;
};

// All commands, in the order in which help shows them.
[[nodiscard]] std::span<const Command> commands();

// The command of `byte`; null if it is none.
[[nodiscard]] const Command* find_command(char byte);

// Newlines and blanks between commands are neither commands nor garbage.
[[nodiscard]] constexpr bool is_separator(char byte) {
  return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

}  // namespace core
