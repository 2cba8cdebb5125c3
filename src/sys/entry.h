// Opening entries of a directory in which others may write: never follows a link, never trusts what it finds. What is not
// as it must be (another type, more than one link, another owner) is put aside and made anew; where it is a file that open_file is to
// open it is kept under the name NAME.replaced, NAME.replaced.1, and so on.
#pragma once

#include "sys/unique_fd.h"

namespace sys {

// A regular file of ours, opened for appending, or for reading and writing anywhere, with `mode`; made if missing.
enum class Writing { kAppend, kAnywhere };
Result<UniqueFd> open_file(System& system, int dir, const char* name, unsigned mode, Writing writing = Writing::kAppend);

// Renames what bears the name, as above, but removes an empty file.
Status put_aside(System& system, int dir, const char* name);

// Of an attempt to open something of ours: another thing has the name.
[[nodiscard]] bool is_obstacle(Errno error);

// A regular file or a directory of ours for reading, or a file for rewriting; ENOENT or EINVAL if there is none or another thing.
Result<UniqueFd> open_to_read(System& system, int dir, const char* name, FileType type = FileType::kRegular);
Result<UniqueFd> open_to_rewrite(System& system, int dir, const char* name);

// A new, empty regular file of ours, to be rewritten, in place of whatever bore the name.
Result<UniqueFd> make_file(System& system, int dir, const char* name, unsigned mode);

// A FIFO of ours, opened for reading or both ways, with `mode`; made if missing. `group` is set where it is not kKeepGroup.
inline constexpr std::uint32_t kKeepGroup = UINT32_MAX;
Result<UniqueFd> open_fifo(System& system, int dir, const char* name, OpenMode how, unsigned mode, std::uint32_t group);

// A directory of ours with `mode` (and `group`, as above), made if missing.
Result<UniqueFd> open_subdirectory(System& system, int dir, const char* name, unsigned mode, std::uint32_t group);

// Gives what is open `mode` and `group` if it has others.
Status set_access(System& system, int fd, unsigned mode, std::uint32_t group);

// A symbolic link to `target`.
Status ensure_link(System& system, int dir, const char* name, const char* target);

// Whether nobody but root and us may write to a file, or make, move and remove anything in a directory.
[[nodiscard]] bool is_kept_from_others(System& system, const FileInfo& info);

// Whether `name` still is what `fd` has open.
[[nodiscard]] bool is_entry(System& system, int dir, const char* name, int fd);

}  // namespace sys
