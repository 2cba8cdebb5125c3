// Runs a command, such as `gzip -9`, on the rotated files of a service's logs: as a filter from NAME.N to NAME.N.gz, one at a
// time, beside everything else. A file that it fails on stays as it is. What was under way when this process is killed is
// begun again by the next.
#pragma once

#include <string>
#include <vector>

#include "supervise/log_writer.h"

namespace supervise {

// What is added to the names of files that `command` has been through: `.gz` for gzip, and so on; `.processed`.
[[nodiscard]] std::string suffix_of(const std::vector<std::string>& command);

class LogProcessor {
 public:
  // `null` is an open /dev/null.
  LogProcessor(sys::System& system, const std::vector<std::string>& command, const char* const* environment, int null);

  // Looks for a file of `log` to be processed and begins with it. Returns why a file that is there could not be, in words.
  [[nodiscard]] core::Text<400> begin(const LogWriter& log);
  [[nodiscard]] bool is_busy() const { return pid_ != 0; }
  // Whether the dead child `pid` was the command. Text, if it has failed.
  [[nodiscard]] core::Text<400> ended(std::int32_t pid, const core::Outcome& outcome);

 private:
  [[nodiscard]] bool finish();

  sys::System& system_;
  std::vector<const char*> arguments_;
  const char* const* environment_;
  int null_;
  std::int32_t pid_ = 0;
  const LogWriter* log_ = nullptr;    // of the file under way
  std::uint64_t inode_ = 0;           // of that file, which may be given other numbers meanwhile
};

}  // namespace supervise
