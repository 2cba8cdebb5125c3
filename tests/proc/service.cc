// A service for the tests: carries out its arguments, verb by verb, and then waits for ever. Static and plain, so that
// it starts fast and shows exactly what supervise gave it.
//
//   started FILE          append `PID NANOSECONDS` (monotonic clock), before anything else happens
//   facts FILE            write what a process can know about itself, `key=value` a line; `-` is standard output
//   argv FILE [ARG...]    write the remaining arguments, each in brackets on a line
//   status DIR FILE       append `same` if DIR/status and DIR/state name this very process, else what they name
//   trap TAG FILE         from now on append `TAG SIGNAL` for each signal received, and live on
//   ignore SIGNAL         likewise, without a word
//   out TEXT, err TEXT    write a line
//   print TEXT            write it without an end
//   numbers FROM TO MILLISECONDS  write the lines FROM to TO, 100 at a time in pieces that heed no line, with pauses
//   nonblocking           set O_NONBLOCK on standard output and error
//   flags FILE            append `blocking` or `nonblocking`, whichever standard output and error are
//   append FILE TEXT      append a line
//   touch FILE            create it
//   await FILE            wait until it exists
//   take MEGABYTES        of memory, and use all of it
//   sleep MILLISECONDS
//   first FILE N WORD...  carry out the next N words only if FILE does not exist, and create it
//   child N WORD...       fork a child that carries out the next N words
//   repeat TIMES N WORD...  carry out the next N words so many times
//   session               make a session of one's own
//   thread                another thread goes on, and the main one ends
//   root                  become root wholly, where the file is setuid
//   pidfile FILE          write one's pid
//   chain MILLISECONDS    for 3 s: become a child of oneself, and another one after so long
//   beat                  write the file that HEARTBEAT_FILE names
//   notify TEXT           send it to NOTIFY_SOCKET as sd_notify(3) does; `%` becomes the pid of the last child
//   garbage               send what no sd_notify(3) would send
//   ready FD              say on the descriptor that one is ready
//   exit CODE, raise SIGNAL, core
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <vector>

extern char** environ;

namespace {

using Words = std::span<char* const>;

[[noreturn]] void fail(const char* what) {
  perror(what);
  _exit(125);
}

[[noreturn]] void misused(const char* what) {
  errno = EINVAL;
  fail(what);
}

void append(const char* file, const std::string& line) {
  const int fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0 || write(fd, line.data(), line.size()) != static_cast<ssize_t>(line.size())) fail(file);
  close(fd);
}

void replace(const std::string& file, const std::string& text) {
  if (file == "-") {
    if (write(1, text.data(), text.size()) != static_cast<ssize_t>(text.size())) fail("standard output");
    return;
  }
  const auto fresh = file + ".new";
  unlink(fresh.c_str());
  append(fresh.c_str(), text);
  if (rename(fresh.c_str(), file.c_str()) != 0) fail(file.c_str());
}

std::string read_all(const char* file) {
  std::string text;
  const int fd = open(file, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return text;
  char buffer[4096];
  for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<std::size_t>(n));
  close(fd);
  return text;
}

std::string value_of(const std::string& text, const std::string& key) {
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    if (text.compare(at, key.size(), key) == 0) {
      auto value = text.substr(at + key.size(), end - at - key.size());
      value.erase(0, value.find_first_not_of(" \t"));
      return value;
    }
    at = end + 1;
  }
  return {};
}

int signal_number(const char* name) {
  for (int number = 1; number < NSIG; ++number) {
    const char* known = sigabbrev_np(number);
    if (known != nullptr && std::strcmp(known, name) == 0) return number;
  }
  misused(name);
}

std::string limit(__rlimit_resource resource) {
  rlimit now{};
  getrlimit(resource, &now);
  const auto text = [](rlim_t value) { return value == RLIM_INFINITY ? "unlimited" : std::to_string(value); };
  return text(now.rlim_cur) + ":" + text(now.rlim_max);
}

std::string own_descriptors() {
  std::string text;
  DIR* folder = opendir("/proc/self/fd");
  if (folder == nullptr) fail("/proc/self/fd");
  while (const auto* entry = readdir(folder)) {
    if (entry->d_name[0] == '.' || atoi(entry->d_name) == dirfd(folder)) continue;
    char target[4096];
    const auto size = readlinkat(dirfd(folder), entry->d_name, target, sizeof target);
    text += "fd." + std::string(entry->d_name) + "=" +
            std::string(target, size < 0 ? 0 : static_cast<std::size_t>(size)) + "\n";
  }
  closedir(folder);
  return text;
}

std::string facts() {
  const auto status = read_all("/proc/self/status");
  const mode_t mask = umask(0);
  umask(mask);
  char octal[16];
  std::snprintf(octal, sizeof octal, "%03o", mask);
  char directory[4096];
  if (getcwd(directory, sizeof directory) == nullptr) directory[0] = 0;

  std::string text;
  const auto add = [&text](const std::string& key, const std::string& value) { text += key + "=" + value + "\n"; };
  add("pid", std::to_string(getpid()));
  add("parent", std::to_string(getppid()));
  add("group", std::to_string(getpgrp()));
  add("session", std::to_string(getsid(0)));
  add("directory", directory);
  add("umask", octal);
  add("uid", value_of(status, "Uid:"));
  add("gid", value_of(status, "Gid:"));
  add("groups", value_of(status, "Groups:"));
  add("blocked", value_of(status, "SigBlk:"));
  add("ignored", value_of(status, "SigIgn:"));
  add("rlimit_nofile", limit(RLIMIT_NOFILE));
  add("rlimit_core", limit(RLIMIT_CORE));
  add("rlimit_as", limit(RLIMIT_AS));
  add("nice", std::to_string(getpriority(PRIO_PROCESS, 0)));
  for (char** variable = environ; *variable != nullptr; ++variable) text += "env." + std::string(*variable) + "\n";
  return text + own_descriptors();
}

std::string recorded_pids(const std::string& dir) {
  const auto status = read_all((dir + "/status").c_str());
  if (status.size() != 20) return "status has " + std::to_string(status.size()) + " bytes\n";
  unsigned pid = 0;
  for (std::size_t i = 4; i-- > 0;) pid = pid << 8 | static_cast<unsigned char>(status[16 + i]);
  const auto in_state = value_of(read_all((dir + "/state").c_str()), "pid=");
  const auto self = std::to_string(getpid());
  if (std::to_string(pid) == self && in_state == self) return "same\n";
  return "I am " + self + ", status says " + std::to_string(pid) + ", state says " + in_state + "\n";
}

int trap_log = -1;
const char* trap_tag = "";

void log_signal(int number) {
  char line[256];
  const int size = std::snprintf(line, sizeof line, "%s %s\n", trap_tag, sigabbrev_np(number));
  if (write(trap_log, line, static_cast<std::size_t>(size)) != size) _exit(125);
}

void trap(const char* tag, const char* file) {
  trap_tag = tag;
  trap_log = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
  if (trap_log < 0) fail(file);
  struct sigaction action {};
  action.sa_handler = log_signal;
  action.sa_flags = SA_RESTART;
  sigfillset(&action.sa_mask);
  for (int number = 1; number < 32; ++number)
    if (number != SIGCHLD) sigaction(number, &action, nullptr);
  append(file, std::string(tag) + " ready\n");
}

void sleep_for(long milliseconds) {
  timespec end{};
  clock_gettime(CLOCK_MONOTONIC, &end);
  end.tv_sec += milliseconds / 1000;
  end.tv_nsec += milliseconds % 1000 * 1'000'000;
  if (end.tv_nsec >= 1'000'000'000) ++end.tv_sec, end.tv_nsec -= 1'000'000'000;
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, nullptr) == EINTR) {
  }
}

void write_all(const std::string& text, std::size_t piece) {
  for (std::size_t at = 0; at < text.size();) {
    const auto n = write(1, text.data() + at, std::min(piece, text.size() - at));
    if (n < 0 && errno != EINTR) fail("standard output");
    if (n > 0) at += static_cast<std::size_t>(n);
  }
}

// `N dots`: of a length that follows from the number, so that a torn one is seen.
void write_numbers(long from, long to, long milliseconds) {
  for (long number = from; number <= to;) {
    std::string lines;
    for (int i = 0; i < 100 && number <= to; ++i, ++number)
      lines += std::to_string(number) + " " + std::string(static_cast<std::size_t>(number % 60), '.') + "\n";
    write_all(lines, 1021);
    if (milliseconds > 0) sleep_for(milliseconds);
  }
}

[[noreturn]] void die_by(int number) {
  signal(number, SIG_DFL);
  sigset_t all;
  sigemptyset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  raise(number);
  _exit(125);
}

[[noreturn]] void dump_core() {
  rlimit now{};
  getrlimit(RLIMIT_CORE, &now);
  now.rlim_cur = now.rlim_max;
  setrlimit(RLIMIT_CORE, &now);
  die_by(SIGSEGV);
}

const char* variable(const char* name) {
  const char* value = getenv(name);
  if (value == nullptr) misused(name);
  return value;
}

// Blocks while there is no room, as sd_notify(3) does, and waits a while for a supervise that follows one that was killed.
void send_to_supervisor(const std::string& text) {
  const std::string name = variable("NOTIFY_SOCKET");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.size() >= sizeof address.sun_path) misused("NOTIFY_SOCKET");
  std::memcpy(address.sun_path, name.data(), name.size());
  if (name[0] == '@') address.sun_path[0] = 0;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  static const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const auto* to = reinterpret_cast<const sockaddr*>(&address);
  for (int tries = 0; sendto(fd, text.data(), text.size(), MSG_NOSIGNAL, to, size) != static_cast<ssize_t>(text.size()); ++tries) {
    if (errno != ECONNREFUSED || tries == 1000) fail("sendto");
    sleep_for(10);
  }
}

void send_garbage() {
  std::string bytes;
  for (int i = 0; i < 1024; ++i) bytes += static_cast<char>(i * 7919 >> 3);
  using namespace std::string_literals;
  for (const auto& text : {""s,
                           "\0"s,
                           std::string(4096, '\0'),
                           std::string(5000, 'x'),
                           "STATUS="s + std::string(5000, 's'),
                           std::string(65536, '\n'),
                           bytes,
                           "="s,
                           "=\n=\n"s,
                           "READY"s,
                           "READY=\n"s,
                           "READY=2"s,
                           "READY=1\0STATUS=x"s,
                           "\0READY=1"s,
                           "MAINPID=0"s,
                           "MAINPID=-1"s,
                           "MAINPID=99999999999999999999"s,
                           "MAINPID=1x"s,
                           "WATCHDOG_USEC=-1"s,
                           "WATCHDOG_USEC=18446744073709551616"s,
                           "EXTEND_TIMEOUT_USEC=x"s,
                           "STOPPING=yes"s,
                           "WATCHDOG=triggered"s,
                           "FDSTORE=1"s,
                           "ERRNO=2"s})
    send_to_supervisor(text);
}

// Ends by itself, because nobody could catch one that gets away.
[[noreturn]] void chain(long milliseconds) {
  constexpr long kLifetime = 3;
  timespec begin{};
  clock_gettime(CLOCK_MONOTONIC, &begin);
  for (timespec now = begin; now.tv_sec - begin.tv_sec < kLifetime; clock_gettime(CLOCK_MONOTONIC, &now)) {
    if (fork() != 0) break;
    if (milliseconds > 0) sleep_for(milliseconds);
  }
  _exit(0);
}

[[noreturn]] void wait_for_ever() {
  while (true) pause();
}

class Performer {
 public:
  explicit Performer(Words words) : words_(words) {}

  void perform() {
    while (!words_.empty()) {
      const std::string verb = next();
      if (!does_file_verb(verb) && !does_process_verb(verb) && !does_sign_verb(verb)) misused(verb.c_str());
    }
  }

 private:
  char* next() {
    if (words_.empty()) misused("an argument is missing");
    char* word = words_.front();
    words_ = words_.subspan(1);
    return word;
  }

  Words next_words() {
    const auto count = static_cast<std::size_t>(atoi(next()));
    const auto taken = words_.first(std::min(count, words_.size()));
    words_ = words_.subspan(taken.size());
    return taken;
  }

  [[noreturn]] void go_on_in_thread() {
    pthread_t thread{};
    const auto go_on = [](void* self) -> void* {
      static_cast<Performer*>(self)->perform();
      wait_for_ever();
    };
    if (pthread_create(&thread, nullptr, go_on, this) != 0) fail("pthread_create");
    syscall(SYS_exit, 0);
    __builtin_unreachable();
  }

  bool does_file_verb(const std::string& verb) {
    if (verb == "started") {
      timespec now{};
      clock_gettime(CLOCK_MONOTONIC, &now);
      append(next(), std::to_string(getpid()) + " " + std::to_string(now.tv_sec * 1'000'000'000 + now.tv_nsec) + "\n");
    } else if (verb == "facts") {
      replace(next(), facts() + "end=yes\n");
    } else if (verb == "argv") {
      const char* file = next();
      std::string text;
      while (!words_.empty()) text += "[" + std::string(next()) + "]\n";
      replace(file, text);
    } else if (verb == "status") {
      const auto text = recorded_pids(next());
      append(next(), text);
    } else if (verb == "out") {
      dprintf(1, "%s\n", next());
    } else if (verb == "err") {
      dprintf(2, "%s\n", next());
    } else if (verb == "print") {
      write_all(next(), 1 << 20);
    } else if (verb == "numbers") {
      const auto from = atol(next());
      const auto to = atol(next());
      write_numbers(from, to, atol(next()));
    } else if (verb == "nonblocking") {
      for (const int fd : {1, 2}) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    } else if (verb == "flags") {
      const bool none = ((fcntl(1, F_GETFL) | fcntl(2, F_GETFL)) & O_NONBLOCK) == 0;
      append(next(), none ? "blocking\n" : "nonblocking\n");
    } else if (verb == "append") {
      const char* file = next();
      append(file, std::string(next()) + "\n");
    } else if (verb == "touch") {
      append(next(), "");
    } else if (verb == "pidfile") {
      replace(next(), std::to_string(getpid()) + "\n");
    } else if (verb == "await") {
      for (const char* file = next(); access(file, F_OK) != 0;) sleep_for(2);
    } else {
      return false;
    }
    return true;
  }

  bool does_process_verb(const std::string& verb) {
    if (verb == "trap") {
      const char* tag = next();
      trap(tag, next());
    } else if (verb == "ignore") {
      signal(signal_number(next()), SIG_IGN);
    } else if (verb == "sleep") {
      sleep_for(atol(next()));
    } else if (verb == "take") {
      constexpr long kPage = 4096;
      for (auto pages = atol(next()) * 256; pages > 0; --pages) *static_cast<volatile char*>(malloc(kPage)) = 1;
    } else if (verb == "thread") {
      go_on_in_thread();
    } else if (verb == "root") {
      if (setresuid(0, 0, 0) != 0) fail("setresuid");
    } else if (verb == "session") {
      setsid();
    } else if (verb == "first") {
      const int fd = open(next(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      const auto branch = next_words();
      if (fd < 0) return true;
      close(fd);
      Performer(branch).perform();
    } else if (verb == "child") {
      const auto branch = next_words();
      last_child = fork();
      if (last_child != 0) return true;
      Performer(branch).perform();
      wait_for_ever();
    } else if (verb == "repeat") {
      const auto times = atol(next());
      const auto branch = next_words();
      for (long i = 0; i < times; ++i) Performer(branch).perform();
    } else if (verb == "chain") {
      chain(atol(next()));
    } else if (verb == "exit") {
      _exit(atoi(next()));
    } else if (verb == "raise") {
      die_by(signal_number(next()));
    } else if (verb == "core") {
      dump_core();
    } else {
      return false;
    }
    return true;
  }

  bool does_sign_verb(const std::string& verb) {
    if (verb == "beat") {
      append(variable("HEARTBEAT_FILE"), ".");
    } else if (verb == "notify") {
      std::string text = next();
      if (const auto at = text.find('%'); at != std::string::npos) text.replace(at, 1, std::to_string(last_child));
      send_to_supervisor(text);
    } else if (verb == "garbage") {
      send_garbage();
    } else if (verb == "ready") {
      if (write(atoi(next()), "\n", 1) != 1) fail("ready");
    } else {
      return false;
    }
    return true;
  }

  Words words_;
  static inline pid_t last_child = 0;
};

}  // namespace

int main(int count, char** arguments) {
  Performer(Words(arguments + 1, static_cast<std::size_t>(count - 1))).perform();
  wait_for_ever();
}
