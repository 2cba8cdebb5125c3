// What a process does to itself at start-up, before the loop and outside the seam.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

#include "sys/platform.h"
#include "sys/result.h"

namespace sys {

// Closes every descriptor from 3 on that the caller left open, so that none of them is kept or handed on.
void close_inherited_descriptors();

// The same, but for those in `kept`.
void close_all_but(std::span<const int> kept);
// Lets no program that is executed from now on have them; those below 0 are none.
void close_at_exec(std::span<const int> fds);

// For set_title() and own_program(): where the arguments of this process are.
void remember_arguments(int argc, char** argv);

// What ps(1) shows of this process from now on; at most as long as its arguments were.
void set_title(std::string_view title);

// Opens /dev/null as descriptors 0, 1 and 2 where they are closed, so that no file of ours gets their numbers.
void ensure_standard_descriptors();

// Sets the file mode creation mask to 0, so that every file has exactly the mode that it is made with. Returns the old mask.
unsigned clear_umask();

// `path` made absolute against the working directory, without trailing slashes. Empty if there is no working directory.
[[nodiscard]] std::string absolute_path(std::string_view path);

[[nodiscard]] std::string host_name();

// The file of the program that this process executes. Where the system does not tell, what argv[0] leads to; empty: not known.
[[nodiscard]] std::string own_program();

// 16 hexadecimal digits that nobody can foretell.
[[nodiscard]] std::string random_name();

using platform::become_subreaper;
using platform::return_unused_heap;

// Gives back the pages of the stack below the caller. Cheap enough for every turn of a loop.
void return_unused_stack();

// Writes all of it, waiting where it has to.
Status write_all(int fd, std::string_view text);

// Writes to standard output; nothing can be done where that fails. For standard error see System::write_unless_blocked.
void print(std::string_view text);

// The two halves of a detached start: the launcher waits for the word of the process that goes on.
class Launch {
 public:
  // Opens /dev/null for report(), and forks. In the launcher it does not return: that exits with the status which report() is given, or 111 if the other half
  // dies without a report. The other half leads a session of its own. Returns whether both worked.
  [[nodiscard]] bool detach();

  // A foreground start: a session of its own, unless a terminal controls this process.
  void stay();

  // Ends the launch with `status`. If detached, and status is 0, standard input, output and error become /dev/null, but for
  // those that keep() was called for.
  void report(int status);
  void keep(int fd) { kept_[static_cast<std::size_t>(fd)] = true; }

 private:
  int pipe_ = -1, null_ = -1;
  std::array<bool, 3> kept_{};
};

}  // namespace sys
