// The seam: every system call that supervise makes after start-up goes through this interface. RealSystem is the kernel;
// the tests have a simulated one in which any call can be made to fail.
//
// Unless said otherwise a call does what the POSIX function of its name does, retries on EINTR, and returns its errno.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/machine.h"
#include "core/outcome.h"
#include "core/text.h"
#include "core/time.h"
#include "sys/result.h"

namespace sys {

inline constexpr int kWorkingDirectory = -100;    // AT_FDCWD, asserted in real_system.cc

enum class FileType { kRegular, kDirectory, kFifo, kLink, kOther };

struct FileInfo {
  FileType type = FileType::kOther;
  unsigned mode = 0;          // permission bits
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t links = 0;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t size = 0;
  core::WallTime modified{}, changed{};
};

// Whether both are of the same file, whatever its names are.
inline bool is_same_file(const FileInfo& a, const FileInfo& b) { return a.inode == b.inode && a.device == b.device; }

// How to open an entry. Every descriptor is close-on-exec, non-blocking, and never becomes our terminal. Links are not
// followed but where it says so.
enum class OpenMode {
  kRead,
  kReadFollowing,    // follows links: for the kernel's names of what a process has open
  kReadWriteFollowing,
  kWrite,
  kAppend,
  kReadWrite,
  kCreate,           // kAppend on a new regular file: fails with EEXIST where there is one
  kCreateToRewrite,  // the same, without appending
  kDirectory,
  kSearch,           // a directory, for looking things up in it alone: it need not be readable
};

struct Poll {
  int fd;
  bool readable = false;
};

// Which signals came since the last look.
struct Signals {
  bool child = false;
  bool terminate = false;    // TERM or INT
  bool hangup = false;
  bool watched = false;      // a watched directory changed
  // In wrapper mode, bit_of() each: sent by a process, or by the terminal, which sends it to the whole foreground group.
  std::uint64_t sent = 0;
  std::uint64_t typed = 0;
};

// The signals are numbered from 1 to 64.
constexpr std::uint64_t bit_of(int signal) { return std::uint64_t{1} << (signal - 1); }

struct Reaped {
  std::int32_t pid = 0;
  core::Outcome outcome;
};

// What the kernel tells of a process.
struct ProcessInfo {
  std::uint64_t start = 0;    // clock ticks between boot and its start; 0: there is no such process, or none can tell
  std::int32_t parent = 0;
  std::int32_t group = 0;
  std::int32_t session = 0;
  bool dead = false;          // with all its threads, and not yet reaped
  bool hidden = false;        // there is one, and no more than its group and session can be told now: no descriptor, no memory, no /proc
  core::Text<16> name;
};

struct Pipe {
  int reader = -1;    // non-blocking
  int writer = -1;
};

// A datagram, and the process that sent it by the word of the kernel.
struct Datagram {
  std::size_t size = 0;       // more than there was room for: it was cut
  std::int32_t sender = 0;
};

struct ResourceLimit {
  int resource;    // RLIMIT_*
  std::uint64_t soft;
  std::uint64_t hard;
};

struct Credentials {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::span<const std::uint32_t> groups;
};

// Whom a signal is for.
enum class Scope { kProcess, kGroup };

// What a new process is the first of.
enum class Leads { kGroup, kSession, kNothing };

// A process to be made. Everything is prepared before, so that making it allocates nothing and opens nothing.
struct Spawn {
  const char* const* arguments;               // null-terminated; [0] is searched in PATH
  const char* const* environment;
  int input, output, errors;                  // become descriptors 0, 1, 2
  const char* program = nullptr;              // what is executed, if not arguments[0]
  int extra = -1, extra_number = -1;          // `extra` becomes descriptor `extra_number`; nothing else is handed on
  Leads leads = Leads::kGroup;
  const char* directory = nullptr;
  std::optional<unsigned> umask;
  unsigned time_limit = 0;                    // seconds after which it gets ALRM, even if we have ended; 0: none
  bool ends_with_us = false;                  // it is killed when we end (Linux)
  std::optional<int> nice;
  std::span<const ResourceLimit> limits;
  std::optional<Credentials> credentials;     // supplementary groups, group, user, in this order, and checked
  // Called before the new process has executed anything, in it or in us: what it opens may not outlast it. It has our memory, rights
  // and limits. May be null. A failure may follow.
  void (*before_exec)(void* context, std::int32_t pid) = nullptr;
  void* context = nullptr;
};

struct Spawned {
  std::int32_t pid = 0;                              // 0: there is no process
  std::optional<core::StartFailure> failure;         // why; before_exec may have been called
  int pending = -1;                                  // a descriptor, for late_failure(): the program has not been executed yet
};

// What not every system can do.
enum class Ability {
  kTellProcesses,    // adopts its orphaned descendants, lists its children, and tells one process from another of the same pid
  kNameSenders,      // receives datagrams together with the pid of who has sent them
  kMoveAtOnce,       // System::move() takes and writes in one call
};

class System {
 public:
  virtual ~System() = default;

  [[nodiscard]] virtual bool can(Ability) { return true; }
  // The names of calls without which we have to do, as this system refuses them; empty: none.
  [[nodiscard]] virtual core::Text<128> refused() { return {}; }

  // Files. `dir` is a directory's descriptor or kWorkingDirectory; `name` is null-terminated.
  virtual Result<int> open(int dir, const char* name, OpenMode mode, unsigned permissions) = 0;
  virtual void close(int fd) = 0;
  virtual Result<std::size_t> read(int fd, std::span<char> into) = 0;
  virtual Result<std::size_t> read_at(int fd, std::span<char> into, std::int64_t offset) = 0;
  virtual Result<std::size_t> write(int fd, std::string_view data) = 0;
  // Where `fd` may be a pipe or terminal that nobody reads: nothing, and EAGAIN, if it can't be written without waiting.
  virtual Result<std::size_t> write_unless_blocked(int fd, std::string_view data) = 0;
  virtual Result<std::size_t> write_at(int fd, std::string_view data, std::int64_t offset) = 0;
  virtual Status truncate(int fd, std::int64_t size) = 0;
  virtual Result<FileInfo> stat(int fd) = 0;
  virtual Result<FileInfo> stat_at(int dir, const char* name) = 0;    // of a link: the link itself
  virtual Result<FileInfo> stat_following(const char* path) = 0;      // for what trusted.h does not look at
  // Whether what `fd` is in is mounted for reading alone.
  [[nodiscard]] virtual bool is_read_only(int) { return false; }
  virtual Status make_directory(int dir, const char* name, unsigned mode) = 0;
  virtual Status make_fifo(int dir, const char* name, unsigned mode) = 0;
  virtual Status make_link(const char* target, int dir, const char* name) = 0;
  virtual Result<std::size_t> read_link(int dir, const char* name, std::span<char> into) = 0;
  virtual Status remove(int dir, const char* name) = 0;
  virtual Status remove_directory(int dir, const char* name) = 0;
  virtual Status rename(int dir, const char* from, const char* to) = 0;
  virtual Status exchange(int dir, const char* one, const char* other) = 0;    // ENOSYS, EINVAL: not on this system
  virtual Status set_mode(int fd, unsigned mode) = 0;
  virtual Status set_group(int fd, std::uint32_t gid) = 0;
  virtual Status lock(int fd) = 0;                     // flock, exclusive; EWOULDBLOCK if another holds it
  // Makes the holder of `fd`, a file open for writing, the one that writes to it: EWOULDBLOCK if another has claimed it. Who may
  // only read the file can neither claim it nor keep it from others.
  virtual Status claim(int fd) = 0;
  // How large a file this process may make, raised as far as it may be.
  virtual std::uint64_t raise_file_limit() = 0;
  virtual Status watch(int directory) = 0;             // Signals::watched when an entry comes, goes or is renamed
  virtual Result<int> pipe_with(std::string_view data) = 0;    // a descriptor that reads `data` (at most 4 KiB), then end
  virtual Result<Pipe> pipe() = 0;
  // Moves at most `n` of the bytes that wait in the FIFO `from` to the file `to`, at `offset`. Taken and written in one call
  // (splice(2), Linux), so that whoever is killed in it has lost none and doubled none; see kMoveAtOnce. 0: the end; EAGAIN: none waits.
  virtual Result<std::size_t> move(int from, int to, std::int64_t offset, std::size_t n) = 0;
  // Copies the first bytes that wait in the FIFO `from`, which stay there. 0: the end; EAGAIN: none waits.
  virtual Result<std::size_t> peek(int from, std::span<char> into) = 0;
  // Whether bytes of the FIFO `from` are in our memory, taken by move() or peek() and not written yet (without kMoveAtOnce).
  [[nodiscard]] virtual bool holds(int) { return false; }
  // Lets a FIFO hold `n` bytes, if the system allows that.
  virtual void enlarge(int fifo, std::size_t n) = 0;
  // Takes away what those who share `fd` may have set on it, such as O_NONBLOCK; O_APPEND stays.
  virtual void reset_flags(int fd) = 0;
  // A record lock (fcntl(2)): it belongs to a process, ends with it, and tells who has it.
  virtual Status lock_record(int fd) = 0;                        // waits for whoever has it
  virtual Result<std::int32_t> lock_holder(int fd) = 0;          // another process that has it, 0 for none
  // A socket that receives datagrams under `name` in the abstract namespace (unix(7), Linux), and then one of them.
  virtual Result<int> receiver(std::string_view name) = 0;
  virtual Result<Datagram> receive(int fd, std::span<char> into) = 0;

  // Processes.
  virtual Spawned spawn(const Spawn& request) = 0;
  // Makes a process that is a copy of this one, in a session of its own, with `null` as descriptors 0 to 2 and no others but
  // `kept`. It calls `run` and ends. `title` is what ps(1) shows of it.
  virtual Result<std::int32_t> fork(std::span<const int> kept, int null, const char* title, void (*run)(void* context), void* context) = 0;
  virtual Result<std::optional<Reaped>> reap() = 0;    // one dead child, if there is one
  virtual Status kill(std::int32_t pid, int signal) = 0;         // pid < 0: a process group
  virtual ProcessInfo process(std::int32_t pid) = 0;
  // The processes whose parent we are, dead ones included, at most as many as there is room for. ENOSYS where none can tell.
  virtual Result<std::size_t> children(std::span<std::int32_t> into) = 0;
  // A descriptor that becomes readable when `pid`, which need not be a child, ends. ENOSYS where there is none such.
  virtual Result<int> watch_process(std::int32_t pid) = 0;
  // A signal to the process that `watch` is of, or to the group that it leads, and never to whoever has its pid now. ENOSYS, EINVAL,
  // EPERM: perhaps not on this system.
  virtual Status signal(int watch, int signal, Scope scope) = 0;
  // How the process ended that `watch` is of. EAGAIN: its parent has not reaped it yet; ENOSYS: this system does not tell.
  virtual Result<core::Outcome> end_of(int watch) = 0;
  // Goes on as another program, with `kept` left open (-1: none). Returns only if that can't be done.
  virtual Status replace(const char* program, const char* const* arguments, const char* const* environment, std::span<const int> kept) = 0;
  // sys/terminal.h
  virtual void restore_terminal() {}
  virtual std::int32_t own_pid() = 0;
  virtual std::uint32_t own_uid() = 0;

  // Time and waiting.
  virtual core::Now now() = 0;
  // Waits until a signal comes, a descriptor becomes readable or `deadline` is there. Not retried on EINTR.
  virtual Status wait(std::span<Poll> polls, core::Instant deadline) = 0;
  virtual Signals take_signals() = 0;
};

// What comes through Spawned::pending from a process that could not become its program; an end without it, if it could.
struct LateFailure {
  std::int32_t stage = 0, cause = 0;
};
inline Result<std::optional<core::StartFailure>> late_failure(System& system, int pending) {
  std::array<char, sizeof(LateFailure)> bytes{};
  const auto n = system.read(pending, bytes);
  if (!n) return n.error();
  if (*n != bytes.size()) return std::optional<core::StartFailure>();
  const auto left = std::bit_cast<LateFailure>(bytes);
  return std::optional(core::StartFailure{static_cast<core::Stage>(left.stage), left.cause});
}

// When the process `pid` was started, in clock ticks since boot; 0 if there is none that lives, or none can tell.
inline std::uint64_t start_time(System& system, std::int32_t pid) {
  const auto info = system.process(pid);
  return info.dead ? 0 : info.start;
}

}  // namespace sys
