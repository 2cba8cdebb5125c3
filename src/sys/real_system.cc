#include "sys/real_system.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stddef.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "core/number.h"
#include "core/strings.h"
#include "core/text.h"

namespace sys {
namespace {

static_assert(kWorkingDirectory == AT_FDCWD);

constexpr std::array kCaughtByDaemon = {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGIO};
constexpr std::array kCaughtByWrapper = {SIGCHLD, SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT};
constexpr std::array kOfJobControl = {SIGTSTP, SIGTTIN, SIGTTOU};
constinit std::span<const int> g_caught = kCaughtByDaemon;
sigset_t g_waiting;    // blocked while waiting

// By the number of the signal, since the last look.
std::array<volatile sig_atomic_t, 65> g_sent{}, g_typed{};

void note_signal(int signal, siginfo_t* info, void*) {
  const bool typed = info->si_code == SI_KERNEL;
  (typed ? g_typed : g_sent)[static_cast<std::size_t>(signal)] = 1;
}

bool is_ignored(int signal) {
  struct sigaction action{};
  return sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
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

// The set bits of `flags`, which are cleared.
std::uint64_t take(std::array<volatile sig_atomic_t, 65>& flags) {
  std::uint64_t bits = 0;
  for (const int signal : g_caught) {
    auto& flag = flags[static_cast<std::size_t>(signal)];
    if (flag != 0) bits |= std::uint64_t{1} << signal;
    flag = 0;
  }
  return bits;
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

[[gnu::noinline]] Result<std::size_t> copy_over(RealSystem& system, int from, int to, std::int64_t offset, std::size_t n) {
  std::array<char, 16384> bytes;
  const auto waiting = system.peek(from, std::span(bytes).first(std::min(n, bytes.size())));
  if (!waiting || *waiting == 0) return waiting;
  const auto written = system.write_at(to, {bytes.data(), *waiting}, offset);
  if (!written) return written;
  // Nobody else takes anything out of the FIFO, so this is what was written.
  return system.read(from, std::span(bytes).first(*written));
}

FileInfo info_of(const struct stat& st) {
  const auto type = S_ISREG(st.st_mode)    ? FileType::kRegular
                    : S_ISDIR(st.st_mode)  ? FileType::kDirectory
                    : S_ISFIFO(st.st_mode) ? FileType::kFifo
                    : S_ISLNK(st.st_mode)  ? FileType::kLink
                                           : FileType::kOther;
  const auto time = [](const timespec& ts) { return core::WallTime(core::seconds(ts.tv_sec) + core::Nanos(ts.tv_nsec)); };
  return {type, st.st_mode & 07777U, st.st_uid, st.st_gid, st.st_nlink, st.st_dev, st.st_ino, st.st_size, time(st.st_mtim), time(st.st_ctim)};
}

#if defined(O_PATH)
constexpr int kSearch = O_PATH;
#elif defined(O_SEARCH)
constexpr int kSearch = O_SEARCH;
#else
constexpr int kSearch = O_RDONLY;
#endif

int flags_of(OpenMode mode) {
  constexpr int kAlways = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
  switch (mode) {
    case OpenMode::kRead: return O_RDONLY | kAlways;
    case OpenMode::kReadFollowing: return (O_RDONLY | kAlways) & ~O_NOFOLLOW;
    case OpenMode::kWrite: return O_WRONLY | kAlways;
    case OpenMode::kAppend: return O_WRONLY | O_APPEND | kAlways;
    case OpenMode::kAppendFollowing: return (O_WRONLY | O_APPEND | O_CREAT | kAlways) & ~O_NOFOLLOW;
    case OpenMode::kReadWrite: return O_RDWR | kAlways;
    case OpenMode::kCreate: return O_RDWR | O_APPEND | O_CREAT | O_EXCL | kAlways;
    case OpenMode::kCreateToRewrite: return O_RDWR | O_CREAT | O_EXCL | kAlways;
    case OpenMode::kDirectory: return O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    case OpenMode::kDirectoryFollowing: return O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    case OpenMode::kSearchFollowing: return kSearch | O_DIRECTORY | O_CLOEXEC;
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

// /proc/PID/stat (proc(5)); the name in field 2 may hold anything, so counting starts after its last `)`.
ProcessInfo parse_process(std::string_view stat) {
  ProcessInfo info;
  const auto name_begin = stat.find('('), name_end = stat.rfind(')');
  if (name_begin == std::string_view::npos || name_end == std::string_view::npos) return info;
  info.name << stat.substr(name_begin + 1, name_end - name_begin - 1);
  auto rest = stat.substr(name_end + 1);
  const auto state = core::take_word(rest);
  info.dead = state == "Z" || state == "X";
  for (int field = 4; field <= 22; ++field) {
    const auto word = core::take_word(rest);
    if (field == 4) info.parent = core::parse_number<std::int32_t>(word).value_or(0);
    if (field == 5) info.group = core::parse_number<std::int32_t>(word).value_or(0);
    if (field == 6) info.session = core::parse_number<std::int32_t>(word).value_or(0);
    if (field == 22) info.start = core::parse_number<std::uint64_t>(word).value_or(0);
  }
  return info;
}

// The file's first bytes, as many as there is room for.
Result<std::string_view> read_start(const char* path, std::span<char> into) {
  const int fd = retried([&] { return ::open(path, O_RDONLY | O_CLOEXEC); });
  if (fd < 0) return Errno{errno};
  std::size_t size = 0;
  while (size < into.size()) {
    const auto n = retried([&] { return ::read(fd, into.data() + size, into.size() - size); });
    if (n <= 0) break;
    size += static_cast<std::size_t>(n);
  }
  ::close(fd);
  return std::string_view(into.data(), size);
}

}  // namespace

void take_over_signals(Signalling how) {
  const bool wraps = how == Signalling::kWrapper;
  if (wraps) g_caught = kCaughtByWrapper;
  sigset_t blocked;
  sigfillset(&blocked);
  if (wraps)
    for (const int signal : kOfJobControl) sigdelset(&blocked, signal);
  sigprocmask(SIG_SETMASK, &blocked, nullptr);
  g_waiting = blocked;
  for (const int signal : g_caught) sigdelset(&g_waiting, signal);
  const bool keeps_hangup = wraps && is_ignored(SIGHUP);
  for (int signal = 1; signal < NSIG; ++signal)
    if (signal != SIGHUP || !keeps_hangup) reset_signal(signal);
  struct sigaction action{};
  action.sa_sigaction = note_signal;
  action.sa_flags = SA_SIGINFO | SA_NOCLDSTOP;
  sigfillset(&action.sa_mask);
  for (const int signal : g_caught)
    if (signal != SIGHUP || !keeps_hangup) sigaction(signal, &action, nullptr);
}

void restore_signals() {
  for (const int signal : g_caught)
    if (!is_ignored(signal)) ::signal(signal, SIG_DFL);
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

// A pipe that poll(2) finds writable has room for PIPE_BUF bytes; a terminal may have less than a line, so that one is opened
// anew without blocking. O_NONBLOCK on `fd` itself would be set for the caller as well.
Result<std::size_t> RealSystem::write_unless_blocked(int fd, std::string_view data) {
  if (isatty(fd)) {
    core::Text<32> path;
    path << "/proc/self/fd/" << fd;
    const int own = ::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
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

Result<core::Outcome> RealSystem::end_of(int watch) {
  // pidfd_info of Linux 6.15 and PIDFD_GET_INFO, which the headers may not have yet: linux/pidfd.h.
  struct Info {
    std::uint64_t mask, cgroup;
    std::uint32_t ids[11];
    std::int32_t status;
  };
  constexpr std::uint64_t kExit = 1U << 3;
  constexpr auto kGetInfo = _IOWR(0xff, 11, Info);
  Info info{};
  info.mask = kExit;
  if (ioctl(watch, kGetInfo, &info) < 0) return Errno{errno == ENOTTY || errno == EINVAL ? ENOSYS : errno};
  if ((info.mask & kExit) == 0) return Errno{EAGAIN};
  return WIFSIGNALED(info.status) ? core::Outcome::signal(WTERMSIG(info.status), WCOREDUMP(info.status))
                                  : core::Outcome::code(WEXITSTATUS(info.status));
}

Result<Pipe> RealSystem::pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) < 0) return Errno{errno};
  (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return Pipe{ends[0], ends[1]};
}

// Where a file system can't splice, being killed between the write and the taking doubles what was written.
[[gnu::noinline]] Result<std::size_t> RealSystem::move(int from, int to, std::int64_t offset, std::size_t n) {
  loff_t at = offset;
  const auto moved = count_of(retried([&] { return splice(from, nullptr, to, &at, n, SPLICE_F_NONBLOCK); }));
  return moved || moved.error().number != EINVAL ? moved : copy_over(*this, from, to, offset, n);
}

[[gnu::noinline]] Result<std::size_t> RealSystem::peek(int from, std::span<char> into) {
  const auto through = pipe();
  if (!through) return through.error();
  auto n = count_of(retried([&] { return tee(from, through->writer, into.size(), SPLICE_F_NONBLOCK); }));
  if (n && *n > 0) n = read(through->reader, into.first(*n));
  ::close(through->reader);
  ::close(through->writer);
  return n;
}

void RealSystem::enlarge(int fifo, std::size_t n) {
#ifdef F_SETPIPE_SZ
  (void)fcntl(fifo, F_SETPIPE_SZ, static_cast<int>(n));
#endif
}

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

Result<int> RealSystem::receiver(std::string_view name) {
#ifdef SO_PASSCRED
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  // The abstract namespace: no file, the first byte is 0.
  name = name.substr(0, sizeof address.sun_path - 1);
  std::copy(name.begin(), name.end(), address.sun_path + 1);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return Errno{errno};
  const int on = 1;
  if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0 && bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0)
    return fd;
  const int error = errno;
  ::close(fd);
  return Errno{error};
#else
  return Errno{ENOSYS};
#endif
}

Result<Datagram> RealSystem::receive(int fd, std::span<char> into) {
#ifdef SO_PASSCRED
  // Room for credentials and nothing else: the kernel closes descriptors that come along, which is what BARRIER=1 waits for.
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(ucred))> control{};
  iovec data{into.data(), into.size()};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const auto n = retried([&] { return recvmsg(fd, &message, MSG_TRUNC | MSG_CMSG_CLOEXEC); });
  if (n < 0) return Errno{errno};
  Datagram datagram{static_cast<std::size_t>(n), 0};
  const auto* header = CMSG_FIRSTHDR(&message);
  if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_CREDENTIALS) {
    ucred sender{};
    std::memcpy(&sender, CMSG_DATA(header), sizeof sender);
    datagram.sender = sender.pid;
  }
  return datagram;
#else
  return Errno{ENOSYS};
#endif
}

Result<std::optional<Reaped>> RealSystem::reap() {
  siginfo_t info{};
  if (retried([&] { return waitid(P_ALL, 0, &info, WEXITED | WNOHANG); }) < 0)
    return errno == ECHILD ? Result<std::optional<Reaped>>(std::optional<Reaped>()) : Errno{errno};
  if (info.si_pid == 0) return std::optional<Reaped>();
  return std::optional(Reaped{info.si_pid, outcome_of(info)});
}

Status RealSystem::kill(std::int32_t pid, int signal) { return status_of(::kill(pid, signal)); }

ProcessInfo RealSystem::process(std::int32_t pid) {
  core::Text<32> path;
  path << "/proc/" << pid << "/stat";
  std::array<char, 1024> stat;
  const auto text = read_start(path.c_str(), stat);
  return text ? parse_process(*text) : ProcessInfo();
}

// Needs CONFIG_PROC_CHILDREN, which every distribution's kernel has.
Result<std::size_t> RealSystem::children(std::span<std::int32_t> into) {
  core::Text<64> path;
  path << "/proc/self/task/" << getpid() << "/children";
  std::array<char, 4096> list;
  const auto read = read_start(path.c_str(), list);
  if (!read) return Errno{read.error().number == ENOENT ? ENOSYS : read.error().number};
  auto text = *read;
  // A number that was cut is none.
  if (text.size() == list.size()) text = text.substr(0, text.rfind(' '));
  std::size_t n = 0;
  while (n < into.size()) {
    const auto pid = core::parse_number<std::int32_t>(core::take_word(text));
    if (!pid) break;
    into[n++] = *pid;
  }
  return n;
}

Result<int> RealSystem::watch_process(std::int32_t pid) {
#ifdef SYS_pidfd_open
  const auto fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (fd < 0) return Errno{errno};
  return fd;
#else
  return Errno{ENOSYS};
#endif
}

Status RealSystem::replace(const char* program, const char* const* arguments, const char* const* environment, std::span<const int> kept) {
  for (const int fd : kept) (void)fcntl(fd, F_SETFD, 0);
  execve(program, const_cast<char* const*>(arguments), const_cast<char* const*>(environment));
  const Errno error{errno};
  for (const int fd : kept) (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
  return error;
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
  const int ready = ppoll(fds.data(), n, deadline == core::kNever ? nullptr : &timeout, &g_waiting);
  const int error = errno;
  for (std::size_t i = 0; i < n; ++i) polls[i].readable = ready > 0 && fds[i].revents != 0;
  return ready < 0 && error != EINTR ? Status(Errno{error}) : ok();
}

Signals RealSystem::take_signals() {
  const auto sent = take(g_sent), typed = take(g_typed);
  const auto came = [both = sent | typed](int signal) { return (both >> signal & 1) != 0; };
  const auto child = std::uint64_t{1} << SIGCHLD;
  return {came(SIGCHLD), came(SIGTERM) || came(SIGINT), came(SIGHUP), came(SIGIO), sent & ~child, typed & ~child};
}

}  // namespace sys
