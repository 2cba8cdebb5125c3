#include "sys/real_system.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <initializer_list>

#include "sys/calls.h"
#include "sys/faults.h"
#include "sys/platform.h"
#include "sys/resources.h"
#include "sys/terminal.h"

namespace sys {
namespace {

static_assert(kWorkingDirectory == AT_FDCWD);

constexpr std::uint64_t bits_of(std::initializer_list<int> signals) {
  std::uint64_t bits = 0;
  for (const int signal : signals) bits |= bit_of(signal);
  return bits;
}

constexpr auto kOfJobControl = bits_of({SIGTSTP, SIGTTIN, SIGTTOU});
constexpr auto kCaughtByDaemon = bits_of({SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGIO});
// All that a process may send us, for it means the service; but not what our own writes and faults raise.
constexpr auto kCaughtByWrapper = ~(kOfJobControl | bits_of({SIGKILL, SIGSTOP, SIGPIPE, SIGXFSZ, SIGXCPU, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS}));
constinit std::uint64_t g_caught = kCaughtByDaemon;
sigset_t g_waiting;    // blocked while waiting

// By the number of the signal, since the last look.
std::array<volatile sig_atomic_t, 65> g_sent{}, g_typed{};

void note_signal(int signal, siginfo_t* info, void*) {
  (platform::is_typed(*info) ? g_typed : g_sent)[static_cast<std::size_t>(signal)] = 1;
}

bool is_ignored(int signal) {
  struct sigaction action{};
  return sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

// The C library keeps the first two real-time signals to itself and refuses to touch them, but a caller may have ignored them.
void reset_signal(int signal) {
  if (::signal(signal, SIG_DFL) == SIG_ERR) platform::reset_reserved_signal(signal);
}

void for_each_signal(std::uint64_t bits, auto&& act) {
  for (int signal = 1; signal < NSIG; ++signal)
    if ((bits & bit_of(signal)) != 0) act(signal);
}

// The set bits of `flags`, which are cleared.
std::uint64_t take(std::array<volatile sig_atomic_t, 65>& flags) {
  std::uint64_t bits = 0;
  for_each_signal(g_caught, [&](int signal) {
    auto& flag = flags[static_cast<std::size_t>(signal)];
    if (flag != 0) bits |= bit_of(signal);
    flag = 0;
  });
  return bits;
}

FileInfo info_of(const struct stat& st) {
  const auto type = S_ISREG(st.st_mode)    ? FileType::kRegular
                    : S_ISDIR(st.st_mode)  ? FileType::kDirectory
                    : S_ISFIFO(st.st_mode) ? FileType::kFifo
                    : S_ISLNK(st.st_mode)  ? FileType::kLink
                                           : FileType::kOther;
  // A file may be stamped with a year that nanoseconds don't reach. Those that are left have a difference from any time of ours.
  constexpr std::int64_t kMax = core::Nanos::max().count() / 2'000'000'000;
  const auto time = [&](const timespec& ts) { return core::WallTime(core::seconds(std::clamp<std::int64_t>(ts.tv_sec, -kMax, kMax)) + core::Nanos(ts.tv_nsec)); };
  return {type, st.st_mode & 07777U, st.st_uid, st.st_gid, st.st_nlink, st.st_dev, st.st_ino, st.st_size, time(st.st_mtim), time(st.st_ctim)};
}

int flags_of(OpenMode mode) {
  constexpr int kAlways = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
  switch (mode) {
    case OpenMode::kRead: return O_RDONLY | kAlways;
    case OpenMode::kReadFollowing: return (O_RDONLY | kAlways) & ~O_NOFOLLOW;
    case OpenMode::kReadWriteFollowing: return (O_RDWR | kAlways) & ~O_NOFOLLOW;
    case OpenMode::kWrite: return O_WRONLY | kAlways;
    case OpenMode::kAppend: return O_WRONLY | O_APPEND | kAlways;
    case OpenMode::kReadWrite: return O_RDWR | kAlways;
    case OpenMode::kCreate: return O_RDWR | O_APPEND | O_CREAT | O_EXCL | kAlways;
    case OpenMode::kCreateToRewrite: return O_RDWR | O_CREAT | O_EXCL | kAlways;
    case OpenMode::kDirectory: return O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    case OpenMode::kSearch: return platform::search_flag() | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  }
  return O_RDONLY;
}

core::Nanos clock(clockid_t id) {
  timespec ts{};
  clock_gettime(id, &ts);
  return core::seconds(ts.tv_sec) + core::Nanos(ts.tv_nsec);
}

core::Outcome outcome_of(const siginfo_t& info) {
  if (info.si_code == CLD_EXITED) return core::Outcome::code(info.si_status);
  return core::Outcome::signal(info.si_status, info.si_code == CLD_DUMPED);
}

}  // namespace

void take_over_signals(Signalling how) {
  const bool wraps = how == Signalling::kWrapper;
  if (wraps) g_caught = kCaughtByWrapper;
  sigset_t blocked;
  sigfillset(&blocked);
  if (wraps) for_each_signal(kOfJobControl, [&](int signal) { sigdelset(&blocked, signal); });
  sigprocmask(SIG_SETMASK, &blocked, nullptr);
  g_waiting = blocked;
  for_each_signal(g_caught, [](int signal) { sigdelset(&g_waiting, signal); });
  const bool keeps_hangup = wraps && is_ignored(SIGHUP);
  for (int signal = 1; signal < NSIG; ++signal)
    if (signal != SIGHUP || !keeps_hangup) reset_signal(signal);
  struct sigaction action{};
  action.sa_sigaction = note_signal;
  action.sa_flags = SA_SIGINFO | SA_NOCLDSTOP;
  sigfillset(&action.sa_mask);
  for_each_signal(g_caught, [&](int signal) {
    if (signal != SIGHUP || !keeps_hangup) sigaction(signal, &action, nullptr);
  });
}

void restore_signals() {
  for_each_signal(g_caught, [](int signal) {
    if (!is_ignored(signal)) ::signal(signal, SIG_DFL);
  });
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

bool RealSystem::can(Ability ability) { return platform::can(ability); }
core::Text<128> RealSystem::refused() { return platform::refused(); }

Result<int> RealSystem::open(int dir, const char* name, OpenMode mode, unsigned permissions) {
  const int fd = retried([&] { return openat(dir, name, flags_of(mode), permissions); });
  if (fd < 0) return Errno{errno};
  return fd;
}

void RealSystem::close(int fd) { ::close(fd); }

Result<std::size_t> RealSystem::read(int fd, std::span<char> into) {
  return count_of(retried([&] { return ::read(fd, into.data(), into.size()); }));
}

Result<std::size_t> RealSystem::read_at(int fd, std::span<char> into, std::int64_t offset) {
  return count_of(retried([&] { return ::pread(fd, into.data(), into.size(), offset); }));
}

Result<std::size_t> RealSystem::write(int fd, std::string_view data) {
  return count_of(retried([&] { return ::write(fd, data.data(), data.size()); }));
}

// A pipe that poll(2) finds writable has room for PIPE_BUF bytes; a terminal may have less than a line, so that one is opened
// anew without blocking. O_NONBLOCK on `fd` itself would be set for the caller as well.
Result<std::size_t> RealSystem::write_unless_blocked(int fd, std::string_view data) {
  if (isatty(fd)) {
    const int own = platform::reopen_terminal(fd, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (own < 0) return Errno{errno};
    const auto written = write(own, data);
    ::close(own);
    return written;
  }
  pollfd poll{fd, POLLOUT, 0};
  if (::poll(&poll, 1, 0) <= 0 || (poll.revents & POLLOUT) == 0) return Errno{EAGAIN};
  return write(fd, data);
}

Result<std::size_t> RealSystem::write_at(int fd, std::string_view data, std::int64_t offset) {
  return count_of(retried([&] { return ::pwrite(fd, data.data(), data.size(), offset); }));
}

Status RealSystem::truncate(int fd, std::int64_t size) {
  return status_of(retried([&] { return ftruncate(fd, size); }));
}

Result<FileInfo> RealSystem::stat(int fd) {
  struct stat st{};
  if (fstat(fd, &st) < 0) return Errno{errno};
  return info_of(st);
}

Result<FileInfo> RealSystem::stat_at(int dir, const char* name) {
  struct stat st{};
  if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0) return Errno{errno};
  return info_of(st);
}

Result<FileInfo> RealSystem::stat_following(const char* path) {
  struct stat st{};
  if (::stat(path, &st) < 0) return Errno{errno};
  return info_of(st);
}

bool RealSystem::is_read_only(int fd) {
  struct statvfs st{};
  return fstatvfs(fd, &st) == 0 && (st.f_flag & ST_RDONLY) != 0;
}

Status RealSystem::make_directory(int dir, const char* name, unsigned mode) { return status_of(mkdirat(dir, name, mode)); }
Status RealSystem::make_fifo(int dir, const char* name, unsigned mode) { return status_of(mkfifoat(dir, name, mode)); }
Status RealSystem::make_link(const char* target, int dir, const char* name) { return status_of(symlinkat(target, dir, name)); }

Result<std::size_t> RealSystem::read_link(int dir, const char* name, std::span<char> into) {
  return count_of(readlinkat(dir, name, into.data(), into.size()));
}

Status RealSystem::remove(int dir, const char* name) { return status_of(unlinkat(dir, name, 0)); }
Status RealSystem::remove_directory(int dir, const char* name) { return status_of(unlinkat(dir, name, AT_REMOVEDIR)); }
Status RealSystem::rename(int dir, const char* from, const char* to) { return status_of(renameat(dir, from, dir, to)); }

Status RealSystem::exchange(int dir, const char* one, const char* other) { return platform::exchange(dir, one, other); }

Status RealSystem::set_mode(int fd, unsigned mode) { return status_of(fchmod(fd, mode)); }
Status RealSystem::set_group(int fd, std::uint32_t gid) { return status_of(fchown(fd, static_cast<uid_t>(-1), gid)); }
Status RealSystem::lock(int fd) { return status_of(retried([&] { return flock(fd, LOCK_EX | LOCK_NB); })); }

// An open file description lock, which needs the right to write; it is not lost when another descriptor of the file is closed.
// A reader's lock stands in its way and says nothing of who writes.
Status RealSystem::claim(int fd) {
#ifdef F_OFD_SETLK
  struct flock whole{};
  whole.l_type = F_WRLCK;
  if (fcntl(fd, F_OFD_SETLK, &whole) == 0) return ok();
  if (errno == EAGAIN || errno == EACCES) {
    whole = {};
    whole.l_type = F_RDLCK;
    if (fcntl(fd, F_OFD_GETLK, &whole) < 0) return Errno{errno};
    return whole.l_type == F_UNLCK ? ok() : Errno{EWOULDBLOCK};
  }
  if (!is_refused(Errno{errno})) return Errno{errno};
#endif
  return lock(fd);
}

std::uint64_t RealSystem::raise_file_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_FSIZE, &limit) < 0) return UINT64_MAX;
  limit.rlim_cur = limit.rlim_max;
  (void)setrlimit(RLIMIT_FSIZE, &limit);
  return limit.rlim_max == RLIM_INFINITY ? UINT64_MAX : limit.rlim_max;
}

Status RealSystem::watch(int directory) { return platform::watch(directory); }

Result<int> RealSystem::pipe_with(std::string_view data) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) < 0) return Errno{errno};
  const auto written = retried([&] { return ::write(ends[1], data.data(), data.size()); });
  const int error = errno;
  ::close(ends[1]);
  if (written >= 0) return ends[0];
  ::close(ends[0]);
  return Errno{error};
}

Status RealSystem::signal(int watch, int signal, Scope scope) { return platform::signal(watch, signal, scope); }
Result<core::Outcome> RealSystem::end_of(int watch) { return platform::end_of(watch); }

Result<Pipe> RealSystem::pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) < 0) return Errno{errno};
  (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return Pipe{ends[0], ends[1]};
}

Result<std::size_t> RealSystem::move(int from, int to, std::int64_t offset, std::size_t n) { return platform::move(from, to, offset, n); }
Result<std::size_t> RealSystem::peek(int from, std::span<char> into) { return platform::peek(from, into); }
bool RealSystem::holds(int from) { return platform::holds(from); }
void RealSystem::enlarge(int fifo, std::size_t n) { platform::enlarge(fifo, n); }

void RealSystem::reset_flags(int fd) {
  if (const int flags = fcntl(fd, F_GETFL); (flags & (O_NONBLOCK | O_ASYNC)) != 0) (void)fcntl(fd, F_SETFL, flags & O_APPEND);
}

Status RealSystem::lock_record(int fd) {
  struct flock whole{};
  whole.l_type = F_WRLCK;
  return status_of(retried([&] { return fcntl(fd, F_SETLKW, &whole); }));
}

Result<std::int32_t> RealSystem::lock_holder(int fd) {
  struct flock whole{};
  whole.l_type = F_WRLCK;
  if (fcntl(fd, F_GETLK, &whole) < 0) return Errno{errno};
  return whole.l_type == F_UNLCK || whole.l_pid <= 0 ? 0 : static_cast<std::int32_t>(whole.l_pid);
}

Result<int> RealSystem::receiver(std::string_view name) { return platform::receiver(name); }
Result<Datagram> RealSystem::receive(int fd, std::span<char> into) { return platform::receive(fd, into); }

Result<std::optional<Reaped>> RealSystem::reap() {
  siginfo_t info{};
  if (retried([&] { return waitid(P_ALL, 0, &info, WEXITED | WNOHANG); }) < 0)
    return errno == ECHILD ? Result<std::optional<Reaped>>(std::optional<Reaped>()) : Errno{errno};
  if (info.si_pid == 0) return std::optional<Reaped>();
  return std::optional(Reaped{info.si_pid, outcome_of(info)});
}

Status RealSystem::kill(std::int32_t pid, int signal) { return status_of(::kill(pid, signal)); }

ProcessInfo RealSystem::process(std::int32_t pid) { return platform::process(pid); }
Result<std::size_t> RealSystem::children(std::span<std::int32_t> into) { return platform::children(into); }
Result<int> RealSystem::watch_process(std::int32_t pid) { return platform::watch_process(pid); }

Status RealSystem::replace(const char* program, const char* const* arguments, const char* const* environment, std::span<const int> kept) {
  for (const int fd : kept) (void)fcntl(fd, F_SETFD, 0);
  // The next program raises it for itself, and so knows what the caller's was.
  restore_descriptor_limit();
  execve(program, const_cast<char* const*>(arguments), const_cast<char* const*>(environment));
  const Errno error{errno};
  (void)raise_descriptor_limit(kDescriptors);
  for (const int fd : kept) (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
  return error;
}

void RealSystem::restore_terminal() { sys::restore_terminal(); }
std::int32_t RealSystem::own_pid() { return getpid(); }
std::uint32_t RealSystem::own_uid() { return geteuid(); }

core::Now RealSystem::now() { return {core::Instant(clock(CLOCK_MONOTONIC)), core::WallTime(clock(CLOCK_REALTIME))}; }

Status RealSystem::wait(std::span<Poll> polls, core::Instant deadline) {
  constexpr std::size_t kMaxPolls = 8;
  std::array<pollfd, kMaxPolls> fds{};
  const auto n = std::min(polls.size(), kMaxPolls);
  for (std::size_t i = 0; i < n; ++i) fds[i] = {polls[i].fd, POLLIN, 0};
  timespec timeout{};
  if (deadline != core::kNever) {
    const auto left = std::max(core::Nanos::zero(), deadline - core::Instant(clock(CLOCK_MONOTONIC)));
    timeout.tv_sec = left.count() / 1'000'000'000;
    timeout.tv_nsec = left.count() % 1'000'000'000;
  }
  const int ready = ppoll(fds.data(), n, deadline == core::kNever ? nullptr : &timeout, &g_waiting);
  const int error = errno;
  for (std::size_t i = 0; i < n; ++i) polls[i].readable = ready > 0 && fds[i].revents != 0;
  return ready < 0 && error != EINTR ? Status(Errno{error}) : ok();
}

Signals RealSystem::take_signals() {
  const auto sent = take(g_sent), typed = take(g_typed);
  const auto came = [both = sent | typed](int signal) { return (both & bit_of(signal)) != 0; };
  const auto child = bit_of(SIGCHLD);
  return {came(SIGCHLD), came(SIGTERM) || came(SIGINT), came(SIGHUP), came(SIGIO), sent & ~child, typed & ~child};
}

}  // namespace sys
