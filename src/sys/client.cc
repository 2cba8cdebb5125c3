#include "sys/client.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>

#include "core/accounts.h"
#include "sys/trusted.h"

extern char** environ;

namespace sys {
namespace {

constexpr core::Nanos kLook = std::chrono::milliseconds(50);
constexpr std::size_t kMaxAccounts = 1UL << 20;

// The limit that a program we start is to have, as we had it.
rlimit g_descriptors{};
bool g_descriptors_raised = false;

std::vector<char*> pointers(const std::vector<std::string>& arguments) {
  std::vector<char*> out;
  out.reserve(arguments.size() + 1);
  for (const auto& argument : arguments) out.push_back(const_cast<char*>(argument.c_str()));
  out.push_back(nullptr);
  return out;
}

}  // namespace

Result<std::vector<std::string>> list_directory(System& system, const std::string& path) {
  struct Closer {
    void operator()(DIR* dir) const { closedir(dir); }
  };
  const auto opened = open_directory(system, path, Links::kAll, Missing::kFail, OpenMode::kDirectory);
  if (!opened) return opened.error();
  const int own = fcntl(opened->fd.get(), F_DUPFD_CLOEXEC, 0);
  const std::unique_ptr<DIR, Closer> dir(own < 0 ? nullptr : fdopendir(own));
  if (!dir) return Errno{errno};
  std::vector<std::string> names;
  while (const auto* entry = readdir(dir.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

void ignore_broken_pipes() { signal(SIGPIPE, SIG_IGN); }

void allow_many_descriptors() {
  if (getrlimit(RLIMIT_NOFILE, &g_descriptors) < 0) return;
  const rlimit most{g_descriptors.rlim_max, g_descriptors.rlim_max};
  g_descriptors_raised = setrlimit(RLIMIT_NOFILE, &most) == 0;
}

unsigned terminal_lines(int fd) {
  winsize size{};
  return ioctl(fd, TIOCGWINSZ, &size) < 0 ? 0 : size.ws_row;
}

Changes::Changes(System& system) {
  if (const int fd = platform::open_changes(); fd >= 0) fd_ = {system, fd};
}

void Changes::watch(const std::string& directory) {
  const auto watched = fd_ ? platform::watch_changes(fd_.get(), directory.c_str()) : Status(Errno{ENOSYS});
  // What is not there, or no directory, no look would show either.
  if (!watched && watched.error().number != ENOENT && watched.error().number != ENOTDIR) complete_ = false;
}

void Changes::wait(std::span<const int> ends, core::Nanos at_most) {
  std::vector<pollfd> polls;
  if (fd_) polls.push_back({fd_.get(), POLLIN, 0});
  for (const int end : ends) polls.push_back({end, POLLIN, 0});
  const auto time = complete_ ? at_most : std::min(at_most, kLook);
  const auto rest = std::chrono::ceil<std::chrono::milliseconds>(std::clamp(time, core::Nanos(0), core::Nanos(core::seconds(3600)))).count();
  if (poll(polls.data(), polls.size(), static_cast<int>(rest)) <= 0 || !fd_) return;
  std::array<char, 4096> events;
  while (read(fd_.get(), events.data(), events.size()) > 0) {}
}

std::string user_name(System& system, std::uint32_t uid) {
  const auto passwd = read_file(system, "/etc/passwd", kMaxAccounts, Trust::kPlace);
  const std::string name(core::user_name(uid, passwd ? *passwd : ""));
  return name.empty() ? "user " + std::to_string(uid) : name;
}

bool is_terminal(int fd) { return isatty(fd) == 1; }
const char* environment_variable(const char* name) { return std::getenv(name); }

std::string time_of_day(core::WallTime time) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
  tm local{};
  localtime_r(&seconds, &local);
  std::array<char, 16> text{};
  return {text.data(), strftime(text.data(), text.size(), "%H:%M:%S", &local)};
}

Errno become(const std::vector<std::string>& arguments) {
  signal(SIGPIPE, SIG_DFL);
  if (g_descriptors_raised) (void)setrlimit(RLIMIT_NOFILE, &g_descriptors);
  const auto words = pointers(arguments);
  execvp(words[0], words.data());
  return {errno};
}

namespace {

void to_null(int fd) {
  if (const int null = open("/dev/null", O_WRONLY | O_CLOEXEC); null >= 0) dup2(null, fd);
}

int wait_for(pid_t pid) {
  int status = 0;
  if (pid < 0) return 127;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return 127;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

int run(const std::vector<std::string>& arguments, const std::string& directory, Output output) {
  const pid_t pid = fork();
  if (pid == 0) {
    if (output == Output::kErrorsOnly) to_null(1);
    if (directory.empty() || chdir(directory.c_str()) == 0) (void)become(arguments);
    _exit(127);
  }
  return wait_for(pid);
}

Finished output_of(const std::vector<std::string>& arguments) {
  constexpr std::size_t kMost = 1 << 20;
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) < 0) return {};
  const pid_t pid = fork();
  if (pid == 0) {
    dup2(ends[1], 1);
    to_null(2);
    (void)become(arguments);
    _exit(127);
  }
  close(ends[1]);
  Finished out;
  std::array<char, 4096> bytes;
  for (ssize_t n; out.text.size() < kMost && (n = read(ends[0], bytes.data(), bytes.size())) > 0;) out.text.append(bytes.data(), static_cast<std::size_t>(n));
  close(ends[0]);
  out.status = wait_for(pid);
  return out;
}

}  // namespace sys
