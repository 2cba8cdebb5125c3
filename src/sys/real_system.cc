#include "sys/real_system.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "core/number.h"
#include "core/strings.h"
#include "core/text.h"

namespace sys {
namespace {

static_assert(kWorkingDirectory == AT_FDCWD);

volatile sig_atomic_t g_child = 0, g_terminate = 0, g_hangup = 0, g_watched = 0;

constexpr std::array kCaught = {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGIO};

void note_signal(int signal) {
  switch (signal) {
    case SIGCHLD: g_child = 1; break;
    case SIGTERM:
    case SIGINT: g_terminate = 1; break;
    case SIGHUP: g_hangup = 1; break;
    case SIGIO: g_watched = 1; break;
    default: break;
  }
}

// The C library keeps the first two real-time signals to itself and refuses to touch them, but a caller may have ignored them.
void reset_signal(int signal) {
  if (::signal(signal, SIG_DFL) != SIG_ERR) return;
#ifdef SYS_rt_sigaction
  constexpr std::size_t kKernelMaskSize = 8;
  const std::array<long, 4> by_default{};
  syscall(SYS_rt_sigaction, signal, by_default.data(), nullptr, kKernelMaskSize);
#endif
}

bool take(volatile sig_atomic_t& flag) {
  const bool was = flag != 0;
  flag = 0;
  return was;
}

template <typename Call>
auto retried(Call call) {
  decltype(call()) result;
  do result = call();
  while (result < 0 && errno == EINTR);
  return result;
}

Status status_of(int result) { return result < 0 ? Status(Errno{errno}) : ok(); }

Result<std::size_t> count_of(ssize_t result) {
  if (result < 0) return Errno{errno};
  return static_cast<std::size_t>(result);
}

FileInfo info_of(const struct stat& st) {
  const auto type = S_ISREG(st.st_mode)    ? FileType::kRegular
                    : S_ISDIR(st.st_mode)  ? FileType::kDirectory
                    : S_ISFIFO(st.st_mode) ? FileType::kFifo
                    : S_ISLNK(st.st_mode)  ? FileType::kLink
                                           : FileType::kOther;
  return {type, st.st_mode & 07777U, st.st_uid, st.st_gid, st.st_nlink, st.st_dev, st.st_ino, st.st_size};
}

int flags_of(OpenMode mode) {
  constexpr int kAlways = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
  switch (mode) {
    case OpenMode::kRead: return O_RDONLY | kAlways;
    case OpenMode::kReadFollowing: return (O_RDONLY | kAlways) & ~O_NOFOLLOW;
    case OpenMode::kWrite: return O_WRONLY | kAlways;
    case OpenMode::kAppend: return O_WRONLY | O_APPEND | kAlways;
    case OpenMode::kReadWrite: return O_RDWR | kAlways;
    case OpenMode::kCreate: return O_RDWR | O_APPEND | O_CREAT | O_EXCL | kAlways;
    case OpenMode::kCreateToRewrite: return O_RDWR | O_CREAT | O_EXCL | kAlways;
    case OpenMode::kDirectory: return O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    case OpenMode::kDirectoryFollowing: return O_RDONLY | O_DIRECTORY | O_CLOEXEC;
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

// Field 22 of /proc/PID/stat (proc(5)); the name in field 2 may hold anything, so counting starts after its last `)`. 0 for
// the dead, states Z and X.
std::uint64_t parse_start_time(std::string_view stat) {
  const auto name_end = stat.rfind(')');
  if (name_end == std::string_view::npos) return 0;
  auto rest = stat.substr(name_end + 1);
  auto field = core::take_word(rest);
  if (field == "Z" || field == "X") return 0;
  for (int i = 4; i <= 22; ++i) field = core::take_word(rest);
  return core::parse_number<std::uint64_t>(field).value_or(0);
}

}  // namespace

void take_over_signals() {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  for (int signal = 1; signal < NSIG; ++signal) reset_signal(signal);
  struct sigaction action{};
  action.sa_handler = note_signal;
  sigfillset(&action.sa_mask);
  for (const int signal : kCaught) sigaction(signal, &action, nullptr);
}

void restore_signals() {
  for (const int signal : kCaught) ::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

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

Result<std::size_t> RealSystem::write_at_start(int fd, std::string_view data) {
  return count_of(retried([&] { return ::pwrite(fd, data.data(), data.size(), 0); }));
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

Status RealSystem::make_directory(int dir, const char* name, unsigned mode) { return status_of(mkdirat(dir, name, mode)); }
Status RealSystem::make_fifo(int dir, const char* name, unsigned mode) { return status_of(mkfifoat(dir, name, mode)); }
Status RealSystem::make_link(const char* target, int dir, const char* name) { return status_of(symlinkat(target, dir, name)); }

Result<std::size_t> RealSystem::read_link(int dir, const char* name, std::span<char> into) {
  return count_of(readlinkat(dir, name, into.data(), into.size()));
}

Status RealSystem::remove(int dir, const char* name) { return status_of(unlinkat(dir, name, 0)); }
Status RealSystem::remove_directory(int dir, const char* name) { return status_of(unlinkat(dir, name, AT_REMOVEDIR)); }
Status RealSystem::rename(int dir, const char* from, const char* to) { return status_of(renameat(dir, from, dir, to)); }

Status RealSystem::exchange(int dir, const char* one, const char* other) {
#ifdef RENAME_EXCHANGE
  return status_of(renameat2(dir, one, dir, other, RENAME_EXCHANGE));
#else
  return Errno{ENOSYS};
#endif
}

Status RealSystem::set_mode(int fd, unsigned mode) { return status_of(fchmod(fd, mode)); }
Status RealSystem::set_mode_at(int dir, const char* name, unsigned mode) { return status_of(fchmodat(dir, name, mode, 0)); }
Status RealSystem::set_group(int fd, std::uint32_t gid) { return status_of(fchown(fd, static_cast<uid_t>(-1), gid)); }
Status RealSystem::lock(int fd) { return status_of(retried([&] { return flock(fd, LOCK_EX | LOCK_NB); })); }

Status RealSystem::watch(int directory) {
#ifdef F_NOTIFY
  return status_of(fcntl(directory, F_NOTIFY, DN_CREATE | DN_DELETE | DN_RENAME | DN_MULTISHOT));
#else
  return Errno{ENOSYS};
#endif
}

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

Result<std::optional<Reaped>> RealSystem::reap() {
  siginfo_t info{};
  if (retried([&] { return waitid(P_ALL, 0, &info, WEXITED | WNOHANG); }) < 0)
    return errno == ECHILD ? Result<std::optional<Reaped>>(std::optional<Reaped>()) : Errno{errno};
  if (info.si_pid == 0) return std::optional<Reaped>();
  return std::optional(Reaped{info.si_pid, outcome_of(info)});
}

Status RealSystem::kill(std::int32_t pid, int signal) { return status_of(::kill(pid, signal)); }

std::uint64_t RealSystem::start_time(std::int32_t pid) {
  core::Text<32> path;
  path << "/proc/" << pid << "/stat";
  const int fd = retried([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); });
  if (fd < 0) return 0;
  std::array<char, 1024> stat{};
  const auto n = retried([&] { return ::read(fd, stat.data(), stat.size()); });
  ::close(fd);
  return n <= 0 ? 0 : parse_start_time({stat.data(), static_cast<std::size_t>(n)});
}

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
  sigset_t open;
  sigfillset(&open);
  for (const int signal : kCaught) sigdelset(&open, signal);
  const int ready = ppoll(fds.data(), n, deadline == core::kNever ? nullptr : &timeout, &open);
  const int error = errno;
  for (std::size_t i = 0; i < n; ++i) polls[i].readable = ready > 0 && fds[i].revents != 0;
  return ready < 0 && error != EINTR ? Status(Errno{error}) : ok();
}

Signals RealSystem::take_signals() { return {take(g_child), take(g_terminate), take(g_hangup), take(g_watched)}; }

}  // namespace sys
