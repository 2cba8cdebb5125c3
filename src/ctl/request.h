// The command line of supervisectl(1).
#pragma once

#include <string>
#include <vector>

#include "core/time.h"
#include "ctl/commands.h"

namespace ctl {

// The exit status, as the Linux Standard Base has it for init scripts: "status" and the others.
enum Status { kDone = 0, kFailed = 1, kUsage = 2, kNotRunning = 3, kUnknown = 4 };

struct Request {
  const Command* command = nullptr;    // null: none was given
  std::string root;                    // -d; empty: the default
  std::string conf;                    // -F; empty: the default
  std::string first;                   // what the command needs before the names: a signal, on, up
  std::vector<std::string> names;
  bool help = false, version = false;
  bool waits = true;
  core::Nanos timeout = core::seconds(60);    // 0: for ever
  std::size_t rolling = 0;                    // 0: all at once
  bool json = false, watch = false, quiet = false, follow = false;
  std::string lines = "10";
  std::string warn, crit;
  std::string error;                   // what is wrong, and what would be right; empty: nothing
};

[[nodiscard]] Request parse_request(const std::vector<std::string>& words);

}  // namespace ctl
