// The platform: Linux. What a kernel may lack (PIDFD_GET_INFO: 6.15) it says at run time.
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <stddef.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstring>

#include "core/number.h"
#include "core/strings.h"
#include "sys/calls.h"
#include "sys/client.h"
#include "sys/copying.h"
#include "sys/entry.h"
#include "sys/faults.h"
#include "sys/platform.h"
#include "sys/trusted.h"

namespace sys::platform {
namespace {

constexpr std::size_t kMaxText = 65536;
constexpr long kMostDescriptors = 65536;    // that are closed one by one, where there is room for a thousand million

std::string of_process(std::int32_t pid, const char* name) { return "/proc/" + std::to_string(pid) + "/" + name; }

// /proc/PID/stat (proc(5)); the name in field 2 may hold anything, so counting starts after its last `)`.
ProcessInfo parse_process(std::string_view stat) {
  ProcessInfo info;
  const auto name_begin = stat.find('('), name_end = stat.rfind(')');
  if (name_begin == std::string_view::npos || name_end == std::string_view::npos) return info;
  info.name << stat.substr(name_begin + 1, name_end - name_begin - 1);
  auto rest = stat.substr(name_end + 1);
  const auto state = core::take_word(rest);
  // A main thread that has ended is a zombie as well, while the other threads go on.
  info.dead = state == "Z" || state == "X";
  for (int field = 4; field <= 22; ++field) {
    const auto word = core::take_word(rest);
    if (field == 20) info.dead = info.dead && core::parse_number<std::int64_t>(word).value_or(0) <= 1;
    if (field == 4) info.parent = core::parse_number<std::int32_t>(word).value_or(0);
    if (field == 5) info.group = core::parse_number<std::int32_t>(word).value_or(0);
    if (field == 6) info.session = core::parse_number<std::int32_t>(word).value_or(0);
    if (field == 22) info.start = core::parse_number<std::uint64_t>(word).value_or(0);
  }
  return info;
}

// The fields of the same file from the third on.
Usage parse_usage(std::int32_t pid, std::string_view text) {
  Usage usage;
  const auto name_end = text.rfind(')');
  if (name_end == std::string_view::npos) return usage;
  text.remove_prefix(name_end + 1);
  std::array<std::int64_t, 25> fields{};    // [N] is field N
  (void)core::take_word(text);
  for (std::size_t i = 4; i < fields.size(); ++i) fields[i] = core::parse_number<std::int64_t>(core::take_word(text)).value_or(0);
  static const auto ticks = std::max(sysconf(_SC_CLK_TCK), 1L), page = sysconf(_SC_PAGESIZE);
  usage.pid = pid;
  usage.parent = static_cast<std::int32_t>(fields[4]);
  usage.session = static_cast<std::int32_t>(fields[6]);
  const auto used = fields[14] + fields[15] + fields[16] + fields[17];
  usage.cpu = core::seconds(used / ticks) + core::Nanos(core::seconds(1)) * (used % ticks) / ticks;
  usage.memory = static_cast<std::uint64_t>(std::max(fields[24], std::int64_t{0}) * page);
  return usage;
}

// The file's first bytes, as many as there is room for.
Result<std::string_view> read_start(const char* path, std::span<char> into) {
  const int fd = retried([&] { return ::open(path, O_RDONLY | O_CLOEXEC); });
  if (fd < 0) return Errno{errno};
  std::size_t size = 0;
  while (size < into.size()) {
    const auto n = retried([&] { return ::read(fd, into.data() + size, into.size() - size); });
    if (n < 0) {
      const int error = errno;
      ::close(fd);
      return Errno{error};
    }
    if (n == 0) break;
    size += static_cast<std::size_t>(n);
  }
  ::close(fd);
  return std::string_view(into.data(), size);
}

bool is_refusal(long result) { return result < 0 && is_refused(Errno{errno}); }

// Each call is made so that it can do nothing: of a descriptor or a process that cannot be. Where there is the call, it says that.
constexpr unsigned kExchange = 2;    // RENAME_EXCHANGE, which not every C library has
struct Probe {
  std::string_view call;
  bool (*is_refused)();
};
constexpr std::array kProbes = {
    Probe{"splice", [] { return is_refusal(splice(-1, nullptr, -1, nullptr, 1, 0)); }},
    Probe{"tee", [] { return is_refusal(tee(-1, -1, 1, 0)); }},
    Probe{"close_range", [] { return is_refusal(syscall(SYS_close_range, INT_MAX, INT_MAX, 0)); }},
    Probe{"renameat2", [] { return is_refusal(syscall(SYS_renameat2, -1, "a", -1, "b", kExchange)); }},
    Probe{"pidfd_open", [] { return is_refusal(syscall(SYS_pidfd_open, INT_MAX, 0)); }},
    Probe{"prctl", [] { int unused = 0; return is_refusal(prctl(PR_GET_CHILD_SUBREAPER, &unused, 0, 0, 0)); }},
};

bool is_missing(std::string_view call) {
  const auto* const probe = std::find_if(kProbes.begin(), kProbes.end(), [call](const Probe& p) { return p.call == call; });
  return probe != kProbes.end() && probe->is_refused();
}

// Whether output goes through our memory.
bool copies() {
  static const bool must = is_missing("splice") || is_missing("tee");
  return must;
}

Result<std::string> read_whole(const char* path) {
  std::string content(kMaxText, '\0');
  const auto text = read_start(path, content);
  if (!text) return text.error();
  content.resize(text->size());
  return content;
}

[[gnu::noinline]] Result<std::size_t> copy_over(int from, int to, std::int64_t offset, std::size_t n) {
  std::array<char, 16384> bytes;
  const auto waiting = peek(from, std::span(bytes).first(std::min(n, bytes.size())));
  if (!waiting || *waiting == 0) return waiting;
  const auto written = count_of(retried([&] { return ::pwrite(to, bytes.data(), *waiting, offset); }));
  if (!written) return written;
  // Nobody else takes anything out of the FIFO, so this is what was written.
  return count_of(retried([&] { return ::read(from, bytes.data(), *written); }));
}

}  // namespace

std::string_view suffix() { return {}; }

bool can(Ability ability) {
  switch (ability) {
    case Ability::kMoveAtOnce: return !copies();
    case Ability::kTellProcesses: return getpid() == 1 || !is_missing("prctl");
    case Ability::kNameSenders: break;
  }
  return true;
}

core::Text<128> refused() {
  core::Text<128> names;
  for (const auto& probe : kProbes)
    if (probe.is_refused()) names << (names.view().empty() ? "" : ", ") << probe.call;
  return names;
}

int search_flag() { return O_PATH; }

Status exchange(int dir, const char* one, const char* other) {
  return status_of(static_cast<int>(syscall(SYS_renameat2, dir, one, dir, other, kExchange)));
}

Status watch(int directory) { return status_of(fcntl(directory, F_NOTIFY, DN_CREATE | DN_DELETE | DN_RENAME | DN_MULTISHOT)); }

Result<std::size_t> resolve(System& system, int directory, const char*, std::span<char> into) {
  core::Text<40> link;
  link << "/proc/self/fd/" << directory;
  return system.read_link(kWorkingDirectory, link.c_str(), into);
}

int reopen_terminal(int fd, int flags) {
  core::Text<40> path;
  path << "/proc/self/fd/" << fd;
  return ::open(path.c_str(), flags);
}

int own_descriptor(std::string_view path) {
  constexpr std::string_view kDirectory = "/proc/self/fd/";
  return path.starts_with(kDirectory) ? core::parse_number<int>(path.substr(kDirectory.size())).value_or(-1) : -1;
}

core::Text<40> path_of_descriptor(std::int32_t pid, int number) {
  core::Text<40> path;
  path << "/proc/" << pid << "/fd/" << number;
  return path;
}

// Where a file system can't splice, being killed between the write and the taking doubles what was written.
[[gnu::noinline]] Result<std::size_t> move(int from, int to, std::int64_t offset, std::size_t n) {
  if (copies()) return copying::move(from, to, offset, n);
  loff_t at = offset;
  const auto moved = count_of(retried([&] { return splice(from, nullptr, to, &at, n, SPLICE_F_NONBLOCK); }));
  return moved || moved.error().number != EINVAL ? moved : copy_over(from, to, offset, n);
}

[[gnu::noinline]] Result<std::size_t> peek(int from, std::span<char> into) {
  if (copies()) return copying::peek(from, into);
  std::array<int, 2> through{};
  if (pipe2(through.data(), O_CLOEXEC | O_NONBLOCK) < 0) return Errno{errno};
  auto n = count_of(retried([&] { return tee(from, through[1], into.size(), SPLICE_F_NONBLOCK); }));
  if (n && *n > 0) n = count_of(retried([&] { return ::read(through[0], into.data(), *n); }));
  ::close(through[0]);
  ::close(through[1]);
  return n;
}

bool holds(int from) { return copies() && copying::holds(from); }

void enlarge(int fifo, std::size_t n) { (void)fcntl(fifo, F_SETPIPE_SZ, static_cast<int>(n)); }

Result<int> receiver(std::string_view name) {
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
}

Result<Datagram> receive(int fd, std::span<char> into) {
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
}

namespace {

bool shows_us() { return access("/proc/self/stat", F_OK) == 0; }

// What a pidfd alone tells of a process: readable when it is dead. Without one: not known to be.
bool has_ended(std::int32_t pid) {
  const auto watch = watch_process(pid);
  if (!watch) return false;
  pollfd ended{*watch, POLLIN, 0};
  const bool is_dead = ::poll(&ended, 1, 0) == 1;
  ::close(*watch);
  return is_dead;
}

}  // namespace

ProcessInfo process(std::int32_t pid) {
  core::Text<32> path;
  path << "/proc/" << pid << "/stat";
  std::array<char, 1024> stat;
  const auto text = read_start(path.c_str(), stat);
  if (text) return parse_process(*text);
  ProcessInfo info;
  const auto error = text.error();
  // Where /proc shows not even us, that it does not show another says nothing. Else what others run may be hidden from us for good.
  const bool exists = pid > 0 && (::kill(pid, 0) == 0 || (errno == EPERM && (may_pass(error) || !shows_us())));
  if (!exists) return info;
  info.dead = has_ended(pid);
  info.hidden = !info.dead;
  info.group = std::max(getpgid(pid), 0);
  info.session = std::max(getsid(pid), 0);
  return info;
}

// Needs CONFIG_PROC_CHILDREN, which every distribution's kernel has.
Result<std::size_t> children(std::span<std::int32_t> into) {
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

Result<int> watch_process(std::int32_t pid) {
  const auto fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (fd < 0) return Errno{errno};
  return fd;
}

Status signal(int watch, int signal, Scope scope) {
  constexpr unsigned kToGroup = 1U << 2;    // PIDFD_SIGNAL_PROCESS_GROUP (Linux 6.9), which the headers may not have yet
  return status_of(static_cast<int>(syscall(SYS_pidfd_send_signal, watch, signal, nullptr, scope == Scope::kGroup ? kToGroup : 0U)));
}

Result<core::Outcome> end_of(int watch) {
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

int plain_fork() { return _Fork(); }
void become_subreaper() { prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }
void end_with_parent() { prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); }
bool leave_keyring() {
  constexpr int kJoinSessionKeyring = 1;
  return syscall(SYS_keyctl, kJoinSessionKeyring, nullptr) >= 0 || is_refused(Errno{errno});
}
void set_process_name(const char* name) { prctl(PR_SET_NAME, name, 0, 0, 0); }
void ask_for_exact_waits() { prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0); }

void close_descriptors(int first, int last) {
  if (syscall(SYS_close_range, first, last, 0) == 0) return;
  const auto most = sysconf(_SC_OPEN_MAX);
  const auto limit = std::min({most < 0 ? kMostDescriptors : most, last + 1L, kMostDescriptors});
  for (int fd = first; fd < limit; ++fd) ::close(fd);
}

void reset_reserved_signal(int signal) {
  constexpr std::size_t kKernelMaskSize = 8;
  const std::array<long, 4> by_default{};
  syscall(SYS_rt_sigaction, signal, by_default.data(), nullptr, kKernelMaskSize);
}

bool is_typed(const siginfo_t& info) { return info.si_code == SI_KERNEL; }

Result<std::string> boot_id(System&) {
  std::array<char, 64> text;
  const auto id = read_start("/proc/sys/kernel/random/boot_id", text);
  if (id) return std::string(id->substr(0, id->find('\n')));
  return may_pass(id.error()) ? id.error() : Result(std::string());
}

// `pid:[4026531836] time:[4026531834]`
std::string namespaces(System& system) {
  std::string out;
  for (const auto* name : {"/proc/self/ns/pid", "/proc/self/ns/time"}) {
    std::array<char, 32> link{};
    const auto n = system.read_link(kWorkingDirectory, name, link);
    if (n) (out += out.empty() ? "" : " ").append(link.data(), std::min(*n, link.size()));
  }
  return out;
}

std::optional<std::uint32_t> user_of(System& system, std::int32_t pid) {
  constexpr std::string_view kUser = "\nUid:\t";
  const auto text = read_file(system, of_process(pid, "status"), kMaxText, Trust::kPlace);
  const auto at = text ? text->find(kUser) : std::string::npos;
  if (at == std::string::npos) return std::nullopt;
  const auto value = std::string_view(*text).substr(at + kUser.size());
  return core::parse_number<std::uint32_t>(value.substr(0, value.find('\t')));
}

std::string program_path() {
  std::array<char, PATH_MAX> path{};
  const auto n = readlink("/proc/self/exe", path.data(), path.size());
  return n <= 0 ? std::string() : std::string(path.data(), static_cast<std::size_t>(n));
}

void return_unused_heap() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

void give_back_pages(std::uintptr_t address, std::size_t n) { madvise(reinterpret_cast<void*>(address), n, MADV_DONTNEED); }

int open_changes() { return inotify_init1(IN_CLOEXEC | IN_NONBLOCK); }

Status watch_changes(int fd, const char* directory) {
  constexpr std::uint32_t kEvents = IN_CREATE | IN_DELETE | IN_MOVE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
  return status_of(inotify_add_watch(fd, directory, kEvents));
}

std::vector<Usage> all_processes(System& system) {
  std::vector<Usage> out;
  const auto names = list_directory(system, "/proc");
  if (!names) return out;
  for (const auto& name : *names) {
    const auto pid = core::parse_number<std::int32_t>(name);
    if (!pid) continue;
    if (const auto text = read_whole(of_process(*pid, "stat").c_str())) out.push_back(parse_usage(*pid, *text));
  }
  return out;
}

std::vector<std::string> command_line(System&, std::int32_t pid) {
  std::vector<std::string> words;
  const auto text = read_whole(of_process(pid, "cmdline").c_str());
  if (!text) return words;
  for (std::string_view rest = *text; !rest.empty();) {
    const auto end = rest.find('\0');
    words.emplace_back(rest.substr(0, end));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  return words;
}

std::string working_directory(System& system, std::int32_t pid) {
  std::array<char, 4096> path{};
  const auto n = system.read_link(kWorkingDirectory, of_process(pid, "cwd").c_str(), path);
  return n ? std::string(path.data(), *n) : std::string();
}

}  // namespace sys::platform
