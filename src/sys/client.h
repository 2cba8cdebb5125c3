// What a client needs of the system beyond the seam: directories to list, changes to wait for, processes to add up, a
// terminal to write to.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/time.h"
#include "sys/platform.h"
#include "sys/result.h"
#include "sys/unique_fd.h"

namespace sys {

// The names in the directory `path`, sorted, without `.` and `..`.
[[nodiscard]] Result<std::vector<std::string>> list_directory(System& system, const std::string& path);

// A writer whose reader has gone gets an error, and not the signal PIPE.
void ignore_broken_pipes();

// As many as this user may have. What we run or become has the limit that we had.
void allow_many_descriptors();

// Waits for entries that are made, removed or renamed in directories . Where the system tells of none,
// wait() returns every 50 ms instead.
class Changes {
 public:
  explicit Changes(System& system);
  void watch(const std::string& directory);
  // Until something changes, one of `ends` becomes readable, or `at_most` has passed.
  void wait(std::span<const int> ends, core::Nanos at_most);

 private:
  UniqueFd fd_;
  bool complete_ = true;    // every directory is watched
};

using platform::Usage;
using platform::all_processes;
using platform::command_line;
using platform::working_directory;

// The name of a user; the number where there is none.
[[nodiscard]] std::string user_name(System& system, std::uint32_t uid);

[[nodiscard]] bool is_terminal(int fd);
[[nodiscard]] unsigned terminal_lines(int fd);    // 0: not known
[[nodiscard]] const char* environment_variable(const char* name);    // null: not set

// `14:02:31`, local time.
[[nodiscard]] std::string time_of_day(core::WallTime time);

// Becomes another program, searched in PATH. Returns only if that can't be done, with its errno.
Errno become(const std::vector<std::string>& arguments);

// Runs a program, searched in PATH, to its end, with our standard error, and our standard output unless it is not wanted.
// Returns its exit status; 127 if it could not be started, 128 + N if it ended by signal N. An empty `directory`: ours.
enum class Output { kAll, kErrorsOnly };
int run(const std::vector<std::string>& arguments, const std::string& directory, Output output = Output::kAll);
// The same, without its errors; `text` is what it writes to standard output, at most 1 MiB.
struct Finished {
  int status = 127;
  std::string text;
};
[[nodiscard]] Finished output_of(const std::vector<std::string>& arguments);

}  // namespace sys
