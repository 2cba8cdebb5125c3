#include "sys/client.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/inotify.h>
#endif

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>

#include "core/number.h"
#include "core/strings.h"
#include "sys/entry.h"

extern char** environ;

namespace sys {
namespace {

constexpr core::Nanos kLook = std::chrono::milliseconds(50);
constexpr std::size_t kMaxText = 64 * 1024;

// The limit that a program we start is to have, as we had it.
rlimit g_descriptors{};
bool g_descriptors_raised = false;

std::string of_process(std::int32_t pid, const char* name) { return "/proc/" + std::to_string(pid) + "/" + name; }

// The fields of /proc/PID/stat from the third on (proc(5)): the second is a name, which may have anything in it.
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

std::vector<char*> pointers(const std::vector<std::string>& arguments) {
  std::vector<char*> out;
  for (const auto& argument : arguments) out.push_back(const_cast<char*>(argument.c_str()));
  out.push_back(nullptr);
  return out;
}

}  // namespace

Result<std::vector<std::string>> list_directory(const std::string& path) {
  struct Closer {
    void operator()(DIR* dir) const { closedir(dir); }
  };
  const std::unique_ptr<DIR, Closer> dir(opendir(path.c_str()));
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

#ifdef __linux__
Changes::Changes(System& system) {
  if (const int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK); fd >= 0) fd_ = {system, fd};
}
void Changes::watch(const std::string& directory) {
  constexpr std::uint32_t kEvents = IN_CREATE | IN_DELETE | IN_MOVE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
  const bool watched = fd_ && inotify_add_watch(fd_.get(), directory.c_str(), kEvents) >= 0;
  // What is not there, or no directory, no look would show either.
  if (!watched && (!fd_ || (errno != ENOENT && errno != ENOTDIR))) complete_ = false;
}
#else
Changes::Changes(System&) {}
void Changes::watch(const std::string&) { complete_ = false; }
#endif

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

std::vector<Usage> all_processes(System& system) {
  std::vector<Usage> out;
  const auto names = list_directory("/proc");
  if (!names) return out;
  for (const auto& name : *names) {
    const auto pid = core::parse_number<std::int32_t>(name);
    if (!pid) continue;
    if (const auto text = read_file(system, of_process(*pid, "stat").c_str(), kMaxText)) out.push_back(parse_usage(*pid, *text));
  }
  return out;
}

std::vector<std::string> command_line(System& system, std::int32_t pid) {
  std::vector<std::string> words;
  const auto text = read_file(system, of_process(pid, "cmdline").c_str(), kMaxText);
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

std::string user_name(std::uint32_t uid) {
  const auto text = std::to_string(uid);
  std::unique_ptr<FILE, int (*)(FILE*)> file(fopen("/etc/passwd", "re"), fclose);
  while (const auto* entry = file ? fgetpwent(file.get()) : nullptr)
    if (entry->pw_uid == uid) return entry->pw_name;
  return "user " + text;
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
