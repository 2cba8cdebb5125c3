#include "core/command.h"

#include <array>

namespace core {
namespace {

constexpr std::array kCommands = {
    Command{'d', Verb::kDown, 0, "down", "stop the service, do not restart it"},
    Command{'u', Verb::kUp, 0, "up", "start the service, restart it when it dies; leave FATAL"},
    Command{'o', Verb::kOnce, 0, "once", "start the service, do not restart it"},
    Command{'x', Verb::kExit, 0, "exit", "exit as soon as the service is down"},
    Command{'t', Verb::kSignal, SIGTERM, "term", "send TERM"},
    Command{'k', Verb::kSignal, SIGKILL, "kill", "send KILL"},
    Command{'h', Verb::kSignal, SIGHUP, "hup", "send HUP"},
    Command{'i', Verb::kSignal, SIGINT, "int", "send INT"},
    Command{'a', Verb::kSignal, SIGALRM, "alrm", "send ALRM"},
    Command{'q', Verb::kSignal, SIGQUIT, "quit", "send QUIT"},
    Command{'1', Verb::kSignal, SIGUSR1, "usr1", "send USR1"},
    Command{'2', Verb::kSignal, SIGUSR2, "usr2", "send USR2"},
    Command{'w', Verb::kSignal, SIGWINCH, "winch", "send WINCH"},
    Command{'p', Verb::kPause, SIGSTOP, "pause", "send STOP"},
    Command{'c', Verb::kContinue, SIGCONT, "cont", "send CONT"},
    Command{'s', Verb::kAlarmsOff, 0, "silent", "switch alarms off"},
    Command{'n', Verb::kAlarmsOn, 0, "notify", "switch alarms on"},
    Command{'r', Verb::kReload, 0, "reload", "read the configuration again"},
    Command{'l', Verb::kRotate, 0, "rotate", "rotate the logs of the service"},
    Command{'E', Verb::kUpgrade, 0, "upgrade", "go on as the program that is on disk now"},
};

}  // namespace

std::span<const Command> commands() { return kCommands; }

const Command* find_command(char byte) {
  for (const auto& command : kCommands)
    if (command.byte == byte) return &command;
  return nullptr;
}

}  // namespace core
