// The command line of supervise(8): one table of options from which parser and help derive.
#pragma once

#include <string>
#include <vector>

#include "core/settings.h"
#include "core/time.h"

namespace supervise {

inline constexpr int kUsage = 100;           // wrong usage, bad configuration, already supervised
inline constexpr int kSystemError = 111;     // a system call failed at start-up

struct Options {
  enum class Mode { kRun, kWrap, kCheck, kShowHelp, kShowVersion };
  Mode mode = Mode::kRun;
  std::string directory;                 // -p, -u; empty: none
  std::vector<std::string> command;      // -f, -u; empty: the configuration's
  std::string conf;                      // -F; empty: supervise.conf if there is one
  std::string hook;                      // -r
  core::Nanos hook_reset{0};             // -t; 0: never
  bool foreground = false;
  core::Settings wrapper;                // of wrapper mode
  bool heartbeat = false;                // likewise
  std::string warning;                   // for the user, who can't be asked
  std::string error;                     // what is wrong, and what would be right
};

// Called as `supervisor` it is always wrapper mode.
[[nodiscard]] Options parse_options(int argc, char** argv);

// What -h prints.
[[nodiscard]] std::string help();

}  // namespace supervise
