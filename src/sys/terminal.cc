#include "sys/terminal.h"

#include <fcntl.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>

namespace sys {
namespace {

constinit termios g_modes{};
constinit bool g_remembered = false;

int open_terminal() { return ::open("/dev/tty", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC); }

}  // namespace

void remember_terminal() {
  const int fd = open_terminal();
  if (fd < 0) return;
  g_remembered = tcgetpgrp(fd) == getpgrp() && tcgetattr(fd, &g_modes) == 0;
  ::close(fd);
}

void restore_terminal() {
  const int fd = g_remembered ? open_terminal() : -1;
  if (fd < 0) return;
  const pid_t foreground = tcgetpgrp(fd);
  const bool is_ours = foreground == getpgrp();
  const bool is_nobodys = foreground > 0 && ::kill(-foreground, 0) < 0 && errno == ESRCH;
  // Whoever is not in the foreground would be stopped for this.
  sigset_t output, before;
  sigemptyset(&output);
  sigaddset(&output, SIGTTOU);
  sigprocmask(SIG_BLOCK, &output, &before);
  if (is_nobodys) (void)tcsetpgrp(fd, getpgrp());
  if (is_ours || is_nobodys) (void)tcsetattr(fd, TCSANOW, &g_modes);
  sigprocmask(SIG_SETMASK, &before, nullptr);
  ::close(fd);
}

}  // namespace sys
