// Everything that is not in POSIX and not on every system like it. linux.cc has it from Linux; portable.cc, which
// `make SYSTEM=portable` links instead, has a substitute or says that there is none. Nothing else may use what Linux alone has
// (tests/check/layers.sh). src/README.md, Portability, says what is lost.
#pragma once

#include <signal.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/text.h"
#include "core/time.h"
#include "sys/system.h"

namespace sys::platform {

// What -v adds to the version. Portable: ` (portable)`.
[[nodiscard]] std::string_view suffix();
// Portable: none.
[[nodiscard]] bool can(Ability ability);
// The calls that this system does not have, or refuses, although it is Linux: `splice, tee`. What is done instead is in
// src/README.md. Portable: empty.
[[nodiscard]] core::Text<128> refused();

// ---- Files.

// The flag of open(2) for a directory in which names are only looked up: it need not be readable. Portable: O_SEARCH, or it
// must be.
[[nodiscard]] int search_flag();
// Portable: ENOSYS; PublishedFile renames.
Status exchange(int dir, const char* one, const char* other);
// Portable: ENOSYS; the daemon looks now and then.
Status watch(int directory);
// The path without links of `directory`, which was opened as `path`. Portable: realpath(3), so that of what has the name now.
[[nodiscard]] Result<std::size_t> resolve(System& system, int directory, const char* path, std::span<char> into);
// Opens the terminal `fd` anew; -1 where that can't be done. Portable: by its name.
[[nodiscard]] int reopen_terminal(int fd, int flags);
// The descriptor of this process that `path` is the system's own name of; -1: none. Portable: -1.
[[nodiscard]] int own_descriptor(std::string_view path);
// A path that leads to what descriptor `number` of a process is open on. Portable: empty.
[[nodiscard]] core::Text<40> path_of_descriptor(std::int32_t pid, int number);

// ---- What waits in a FIFO.

// Portable: read into memory and then written, which can be lost in between (Ability::kMoveAtOnce).
[[nodiscard]] Result<std::size_t> move(int from, int to, std::int64_t offset, std::size_t n);
// Portable: what was read stays in memory for the next move().
[[nodiscard]] Result<std::size_t> peek(int from, std::span<char> into);
// Whether bytes of `from` are in memory. On Linux: only where the system refuses splice(2) or tee(2).
[[nodiscard]] bool holds(int from);
// Portable: nothing.
void enlarge(int fifo, std::size_t n);

// ---- Notifications. Portable: ENOSYS, and what needs them is refused in the configuration.

[[nodiscard]] Result<int> receiver(std::string_view name);
[[nodiscard]] Result<Datagram> receive(int fd, std::span<char> into);

// ---- Processes.

// Portable: no start time and no name, and the parent only if that is us or the process is.
[[nodiscard]] ProcessInfo process(std::int32_t pid);
// Portable: ENOSYS.
[[nodiscard]] Result<std::size_t> children(std::span<std::int32_t> into);
[[nodiscard]] Result<int> watch_process(std::int32_t pid);
Status signal(int watch, int signal, Scope scope);
[[nodiscard]] Result<core::Outcome> end_of(int watch);

// A fork without what that does for threads and stdio: it would cost a page of memory for ever. Portable: fork(2).
[[nodiscard]] int plain_fork();
// Orphaned descendants become children of this process. Portable: nothing, they become those of process 1.
void become_subreaper();
// This process is killed when its parent ends. Portable: nothing.
void end_with_parent();
// Gives this process a session keyring of its own, as keys in the caller's are not for another user. Whether none is shared any more.
// Portable: nothing.
[[nodiscard]] bool leave_keyring();
// The name that ps(1) has of this process beside its arguments. Portable: nothing.
void set_process_name(const char* name);
// Waits of this process may take 1 µs longer than asked for, and not 50. Portable: nothing.
void ask_for_exact_waits();
// Closes the descriptors from `first` to `last`. Portable: one by one.
void close_descriptors(int first, int last);
// Gives a signal that the C library keeps to itself its default effect again. Portable: nothing.
void reset_reserved_signal(int signal);
// Whether a signal comes from the terminal or the kernel. Portable: from no process.
[[nodiscard]] bool is_typed(const siginfo_t& info);

// Tells one boot from another; empty where nothing does, an error where that can't be read now. Portable: when it was, if
// that is recorded (getutxid(3)).
[[nodiscard]] Result<std::string> boot_id(System& system);
// The namespaces of this process in which a pid and the start of a process hold; empty where nothing tells. Portable: empty.
[[nodiscard]] std::string namespaces(System& system);
// The real user of a process; nothing where that can't be told. Portable: nothing.
[[nodiscard]] std::optional<std::uint32_t> user_of(System& system, std::int32_t pid);
// The file that this process executes. Portable: empty; sys::own_program() goes by argv[0].
[[nodiscard]] std::string program_path();

// ---- Memory.

// Gives back what is free of the heap, or the pages at `address`, whose content is lost. Portable: nothing.
void return_unused_heap();
void give_back_pages(std::uintptr_t address, std::size_t n);

// ---- For a client.

// A descriptor that becomes readable when an entry of a watched directory comes, goes or is renamed, and what adds one to it.
// Portable: -1, and ENOSYS.
[[nodiscard]] int open_changes();
Status watch_changes(int fd, const char* directory);

// What a process uses.
struct Usage {
  std::int32_t pid = 0, parent = 0, session = 0;
  std::uint64_t memory = 0;    // resident, bytes
  core::Nanos cpu{0};          // with that of its dead children
};
// Of all processes that the system tells about. Portable: none.
[[nodiscard]] std::vector<Usage> all_processes(System& system);
// The command line of a process and the directory in which it runs. Portable: empty.
[[nodiscard]] std::vector<std::string> command_line(System& system, std::int32_t pid);
[[nodiscard]] std::string working_directory(System& system, std::int32_t pid);

}  // namespace sys::platform
