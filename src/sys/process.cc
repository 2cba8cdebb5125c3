#include "sys/process.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <utility>

#include "core/text.h"

namespace sys {
namespace {

constexpr int kStartFailed = 111;

constinit std::span<char> g_arguments;

[[noreturn]] void await_report(int pipe, pid_t child) {
  char status = kStartFailed;
  ssize_t n = 0;
  do n = ::read(pipe, &status, 1);
  while (n < 0 && errno == EINTR);
  if (n == 1) _exit(status);
  (void)write_all(2, "supervise: the new supervise died before it was ready\n");
  waitpid(child, nullptr, 0);
  _exit(kStartFailed);
}

}  // namespace

void ensure_standard_descriptors() {
  int fd = 0;
  do fd = ::open("/dev/null", O_RDWR);
  while (fd >= 0 && fd <= 2);
  if (fd > 2) ::close(fd);
}

void close_inherited_descriptors() { close_all_but({}); }

void close_at_exec(std::span<const int> fds) {
  for (const int fd : fds)
    if (fd >= 0) (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

void close_all_but(std::span<const int> kept) {
  int from = 3;
  // The kept ones need not be in order: each time the lowest that is left.
  while (true) {
    int next = INT_MAX;
    for (const int fd : kept)
      if (fd >= from) next = std::min(next, fd);
    if (next > from) platform::close_descriptors(from, next - 1);
    if (next == INT_MAX) return;
    from = next + 1;
  }
}

void remember_arguments(int argc, char** argv) {
  if (argc > 0) g_arguments = {argv[0], static_cast<std::size_t>(argv[argc - 1] - argv[0]) + std::string_view(argv[argc - 1]).size() + 1};
}

void set_title(std::string_view title) {
  if (g_arguments.empty()) return;
  const auto n = title.copy(g_arguments.data(), g_arguments.size() - 1);
  std::fill(g_arguments.begin() + static_cast<std::ptrdiff_t>(n), g_arguments.end(), '\0');
  core::Text<15> name;
  name << title.substr(0, title.find(' '));
  platform::set_process_name(name.c_str());
}

unsigned clear_umask() { return ::umask(0); }

std::string absolute_path(std::string_view path) {
  std::string absolute;
  if (!path.starts_with('/')) {
    std::array<char, PATH_MAX> directory{};
    if (!getcwd(directory.data(), directory.size())) return {};
    absolute = directory.data();
  }
  // Empty components and `.` say nothing; `..` is left to the kernel, as it may follow a link.
  while (!path.empty()) {
    const auto name = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(path.size(), name.size() + 1));
    if (name.empty() || name == ".") continue;
    if (!absolute.ends_with('/')) absolute += '/';
    absolute += name;
  }
  return absolute.empty() ? "/" : absolute;
}

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) < 0) return "localhost";
  return name.data();
}

// By the rules of execvp(3), and for a caller who has kept to the convention.
std::string own_program() {
  auto path = platform::program_path();
  if (!path.empty() || g_arguments.empty()) return path;
  const std::string name = g_arguments.data();
  if (name.find('/') != std::string::npos) return absolute_path(name);
  const char* const variable = getenv("PATH");
  for (std::string_view rest = variable ? variable : ""; !rest.empty();) {
    const auto directory = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(rest.size(), directory.size() + 1));
    path = absolute_path(std::string(directory) + "/" + name);
    if (access(path.c_str(), X_OK) == 0) return path;
  }
  return {};
}

std::string random_name() {
  std::array<unsigned char, 8> bytes{};
  if (getentropy(bytes.data(), bytes.size()) < 0) return std::to_string(getpid());
  std::string name;
  for (const auto byte : bytes) {
    constexpr const char* kDigits = "0123456789abcdef";
    name += kDigits[byte >> 4];
    name += kDigits[byte & 15];
  }
  return name;
}

[[gnu::noinline]] void return_unused_stack() {
  constexpr std::uintptr_t kPage = 4096, kDepth = 64UL * 1024, kFrames = 512;
  const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  // The frames of this function and of what it calls stay.
  const auto end = (here - kFrames) & ~(kPage - 1);
  platform::give_back_pages(end - kDepth, kDepth);
}

Status write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno != EINTR) return Errno{errno};
    if (n > 0) text.remove_prefix(static_cast<std::size_t>(n));
  }
  return ok();
}

void print(std::string_view text) { (void)write_all(1, text); }

bool Launch::detach() {
  std::array<int, 2> ends{};
  // Not when the launch ends: the descriptors of the caller are let go of, whatever supervise itself has open by then.
  null_ = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null_ < 0 || pipe2(ends.data(), O_CLOEXEC) < 0) return false;
  const pid_t child = platform::plain_fork();
  if (child < 0) return false;
  if (child > 0) {
    ::close(ends[1]);
    await_report(ends[0], child);
  }
  ::close(ends[0]);
  pipe_ = ends[1];
  setsid();
  return true;
}

void Launch::stay() {
  const int terminal = ::open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);
  if (terminal >= 0) ::close(terminal);
  // Fails for a group leader, who is as good as a session's leader to its caller.
  if (terminal < 0) setsid();
}

void Launch::report(int status) {
  if (pipe_ < 0) return;
  if (status == 0) {
    for (int fd = 0; fd <= 2; ++fd)
      if (!kept_[static_cast<std::size_t>(fd)]) dup2(null_, fd);
  }
  const char byte = static_cast<char>(status);
  (void)write_all(pipe_, {&byte, 1});
  for (int* const fd : {&pipe_, &null_}) ::close(std::exchange(*fd, -1));
}

}  // namespace sys
