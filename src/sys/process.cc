#include "sys/process.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>

namespace sys {
namespace {

constexpr int kStartFailed = 111;

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno != EINTR) return;
    if (n > 0) text.remove_prefix(static_cast<std::size_t>(n));
  }
}

pid_t plain_fork() {
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
  return _Fork();    // without what fork does for threads and stdio: it would cost a page of memory for ever
#else
  return fork();
#endif
}

[[noreturn]] void await_report(int pipe, pid_t child) {
  char status = kStartFailed;
  ssize_t n = 0;
  do n = ::read(pipe, &status, 1);
  while (n < 0 && errno == EINTR);
  if (n == 1) _exit(status);
  write_all(2, "supervise: the new supervise died before it was ready\n");
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

void close_inherited_descriptors() {
#ifdef CLOSE_RANGE_CLOEXEC
  if (close_range(3, ~0U, 0) == 0) return;
#endif
  const long limit = sysconf(_SC_OPEN_MAX);
  for (int fd = 3; fd < limit; ++fd) ::close(fd);
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

std::string own_program() {
  std::array<char, PATH_MAX> path{};
  const auto n = readlink("/proc/self/exe", path.data(), path.size());
  return n <= 0 ? std::string() : std::string(path.data(), static_cast<std::size_t>(n));
}

std::string random_name() {
  std::array<unsigned char, 8> bytes{};
  if (getrandom(bytes.data(), bytes.size(), 0) < 0) return std::to_string(getpid());
  std::string name;
  for (const auto byte : bytes) {
    constexpr const char* kDigits = "0123456789abcdef";
    name += kDigits[byte >> 4];
    name += kDigits[byte & 15];
  }
  return name;
}

void become_subreaper() {
#ifdef PR_SET_CHILD_SUBREAPER
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
#endif
}

void return_unused_heap() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

[[gnu::noinline]] void return_unused_stack() {
#ifdef MADV_DONTNEED
  constexpr std::uintptr_t kPage = 4096, kDepth = 64 * 1024, kFrames = 512;
  const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  // The frames of this function and of madvise stay.
  const auto end = (here - kFrames) & ~(kPage - 1);
  madvise(reinterpret_cast<void*>(end - kDepth), kDepth, MADV_DONTNEED);
#endif
}

void print(std::string_view text) { write_all(1, text); }

bool Launch::detach() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) < 0) return false;
  const pid_t child = plain_fork();
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
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd <= 2 && null >= 0; ++fd) dup2(null, fd);
    if (null > 2) ::close(null);
  }
  const char byte = static_cast<char>(status);
  write_all(pipe_, {&byte, 1});
  ::close(pipe_);
  pipe_ = -1;
}

}  // namespace sys
