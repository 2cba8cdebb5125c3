// The service of the benchmarks, and the least that a supervisor or a client can be. Static C++ with a string, so it is itself
// the floor of what a program of this language needs.
//   DIRECTORY/run              the service: writes when it started into its slot of DIRECTORY/../board, and waits
//   service --loop PROGRAM     vfork, exec, wait, again and again
//   service --tell FIFO LETTER
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "bench/board.h"

namespace {

bench::Slot* g_slot;

void note(int) {
  g_slot->signalled = bench::now();
  ++g_slot->signals;
}

std::string own_directory(const std::string& program) {
  char path[4096];
  if (!program.starts_with('/') && getcwd(path, sizeof path)) return path;
  return program.substr(0, program.rfind('/'));
}

int serve(const char* program) {
  const auto started = bench::now();
  const auto directory = own_directory(program);
  const int fd = open((directory + "/../board").c_str(), O_RDWR | O_CLOEXEC);
  void* board = mmap(nullptr, sizeof(bench::Board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (board == MAP_FAILED) return 1;
  close(fd);
  g_slot = &static_cast<bench::Board*>(board)->slots[atoi(directory.c_str() + directory.rfind('/') + 1)];
  signal(SIGHUP, note);
  g_slot->started = started;
  g_slot->pid = getpid();
  ++g_slot->starts;
  if (g_slot->ends_at_once) return 1;
  while (true) pause();
}

int loop(char* const* arguments) {
  while (true) {
    if (vfork() == 0) execv(arguments[0], arguments), _exit(127);
    wait(nullptr);
  }
}

int tell(const char* fifo, const char* letter) {
  const int fd = open(fifo, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
  return fd >= 0 && write(fd, letter, 1) == 1 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string how = argc > 1 ? argv[1] : "";
  if (how == "--loop" && argc == 3) return loop(argv + 2);
  if (how == "--tell" && argc == 4) return tell(argv[2], argv[3]);
  return serve(argv[0]);
}
