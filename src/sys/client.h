// What a client needs of the system beyond the seam: directories to list, changes to wait for, processes to add up, a
// terminal to write to.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/time.h"
#include "sys/result.h"
#include "sys/unique_fd.h"

namespace sys {

// The names in the directory `path`, sorted, without `.` and `..`.
[[nodiscard]] Result<std::vector<std::string>> list_directory(const std::string& path);

// A writer whose reader has gone gets an error, and not the signal PIPE.
void ignore_broken_pipes();

// As many as this user may have. What we run or become has the limit that we had.
void allow_many_descriptors();

// Waits for entries that are made, removed or renamed in directories (inotify(7), Linux). Where the system has none to give,
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

// What a process uses.
struct Usage {
  std::int32_t pid = 0, parent = 0, session = 0;
  std::uint64_t memory = 0;    // resident, bytes
  core::Nanos cpu{0};          // with that of its dead children
};
// Of all processes that the system tells about.
[[nodiscard]] std::vector<Usage> all_processes(System& system);

// The command line of a process and the directory in which it runs; empty where the system does not tell.
[[nodiscard]] std::vector<std::string> command_line(System& system, std::int32_t pid);
[[nodiscard]] std::string working_directory(System& system, std::int32_t pid);

// The name of a user; the number where there is none.
[[nodiscard]] std::string user_name(std::uint32_t uid);

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
