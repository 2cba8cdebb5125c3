#include "core/command.h"

#include <csignal>
#include <set>

#include "catch.h"

namespace {

using core::Verb;

TEST_CASE("every control byte of the contract has its effect") {
  struct Row {
    char byte;
    Verb verb;
    int signal;
  };
  const Row rows[] = {
      {'d', Verb::kDown, 0},           {'u', Verb::kUp, 0},              {'o', Verb::kOnce, 0},
      {'x', Verb::kExit, 0},           {'k', Verb::kSignal, SIGKILL},    {'t', Verb::kSignal, SIGTERM},
      {'i', Verb::kSignal, SIGINT},    {'h', Verb::kSignal, SIGHUP},     {'a', Verb::kSignal, SIGALRM},
      {'p', Verb::kPause, SIGSTOP},    {'c', Verb::kContinue, SIGCONT},  {'q', Verb::kSignal, SIGQUIT},
      {'1', Verb::kSignal, SIGUSR1},   {'2', Verb::kSignal, SIGUSR2},    {'w', Verb::kSignal, SIGWINCH},
      {'s', Verb::kAlarmsOff, 0},      {'n', Verb::kAlarmsOn, 0},        {'r', Verb::kReload, 0},
      {'l', Verb::kRotate, 0},         {'E', Verb::kUpgrade, 0},
  };
  for (const auto& row : rows) {
    INFO("byte: " << row.byte);
    const auto* command = core::find_command(row.byte);
    REQUIRE(command);
    CHECK(command->verb == row.verb);
    CHECK(command->signal == row.signal);
  }
  CHECK(core::commands().size() == std::size(rows));
}

TEST_CASE("bytes and names of commands are unique and explained") {
  std::set<char> bytes;
  std::set<std::string_view> names;
  for (const auto& command : core::commands()) {
    CHECK(bytes.insert(command.byte).second);
    CHECK(names.insert(command.name).second);
    CHECK_FALSE(command.help.empty());
    CHECK_FALSE(core::is_separator(command.byte));
  }
}

TEST_CASE("all other bytes are no command") {
  for (int i = 0; i < 256; ++i) {
    const char byte = static_cast<char>(i);
    bool known = false;
    for (const auto& command : core::commands()) known = known || command.byte == byte;
    CHECK((core::find_command(byte) != nullptr) == known);
  }
}

TEST_CASE("newlines and blanks separate commands and nothing else does") {
  for (int i = 0; i < 256; ++i) {
    const char byte = static_cast<char>(i);
    CHECK(core::is_separator(byte) == (byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n'));
  }
}

}  // namespace
