// The platform: POSIX.1-2024, and what the BSDs have as well (flock, setgroups).
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utmpx.h>

#include <algorithm>
#include <array>
#include <climits>
#include <string>

#include "sys/calls.h"
#include "sys/copying.h"
#include "sys/platform.h"

namespace sys::platform {
std::string_view suffix() { return " (portable)"; }
bool can(Ability) { return false; }
core::Text<128> refused() { return {}; }

int search_flag() {
#ifdef O_SEARCH
  return O_SEARCH;
#else
  return O_RDONLY;
#endif
}

Status exchange(int, const char*, const char*) { return Errno{ENOSYS}; }
Status watch(int) { return Errno{ENOSYS}; }

Result<std::size_t> resolve(System&, int, const char* path, std::span<char> into) {
  char* const found = realpath(path, nullptr);
  if (!found) return Errno{errno};
  const auto n = std::string_view(found).copy(into.data(), into.size());
  free(found);
  return n;
}

int reopen_terminal(int fd, int flags) {
  std::array<char, PATH_MAX> name{};
  return ttyname_r(fd, name.data(), name.size()) == 0 ? ::open(name.data(), flags) : -1;
}

int own_descriptor(std::string_view) { return -1; }
core::Text<40> path_of_descriptor(std::int32_t, int) { return {}; }

Result<std::size_t> move(int from, int to, std::int64_t offset, std::size_t n) { return copying::move(from, to, offset, n); }
Result<std::size_t> peek(int from, std::span<char> into) { return copying::peek(from, into); }
bool holds(int from) { return copying::holds(from); }

void enlarge(int, std::size_t) {}

Result<int> receiver(std::string_view) { return Errno{ENOSYS}; }
Result<Datagram> receive(int, std::span<char>) { return Errno{ENOSYS}; }

ProcessInfo process(std::int32_t pid) {
  ProcessInfo info;
  if (pid <= 0) return info;
  if (pid == getpid()) {
    info.parent = getppid();
  } else {
    siginfo_t end{};
    if (waitid(P_PID, static_cast<id_t>(pid), &end, WEXITED | WNOHANG | WNOWAIT) == 0) {
      info.parent = getpid();
      info.dead = end.si_pid != 0;
    }
  }
  info.group = std::max(getpgid(pid), 0);
  info.session = std::max(getsid(pid), 0);
  return info;
}

Result<std::size_t> children(std::span<std::int32_t>) { return Errno{ENOSYS}; }
Result<int> watch_process(std::int32_t) { return Errno{ENOSYS}; }
Status signal(int, int, Scope) { return Errno{ENOSYS}; }
Result<core::Outcome> end_of(int) { return Errno{ENOSYS}; }

int plain_fork() { return fork(); }
void become_subreaper() {}
void end_with_parent() {}
bool leave_keyring() { return true; }
void set_process_name(const char*) {}
void ask_for_exact_waits() {}

// Where a caller may open a thousand million, the highest are not looked for.
void close_descriptors(int first, int last) {
  constexpr long kMost = 65536;
  const auto most = sysconf(_SC_OPEN_MAX);
  const auto limit = std::min({most < 0 ? kMost : most, last + 1L, kMost});
  for (int fd = first; fd < limit; ++fd) ::close(fd);
}

void reset_reserved_signal(int) {}

bool is_typed(const siginfo_t& info) { return info.si_code != SI_USER && info.si_code != SI_QUEUE; }

Result<std::string> boot_id(System&) {
  utmpx wanted{};
  wanted.ut_type = BOOT_TIME;
  setutxent();
  const auto* const found = getutxid(&wanted);
  auto id = found ? std::to_string(found->ut_tv.tv_sec) : std::string();
  endutxent();
  return id;
}

std::string namespaces(System&) { return {}; }
std::optional<std::uint32_t> user_of(System&, std::int32_t) { return std::nullopt; }
std::string program_path() { return {}; }

void return_unused_heap() {}
void give_back_pages(std::uintptr_t, std::size_t) {}

int open_changes() { return -1; }
Status watch_changes(int, const char*) { return Errno{ENOSYS}; }

std::vector<Usage> all_processes(System&) { return {}; }
std::vector<std::string> command_line(System&, std::int32_t) { return {}; }
std::string working_directory(System&, std::int32_t) { return {}; }

}  // namespace sys::platform
