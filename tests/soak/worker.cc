// The service of the soak test: `worker RECORD WORD...`. It writes numbered lines, as record.h has them, and fails in the ways
// that its words name.
//
//   pause=MS       between two writes; 0: it writes nothing
//   lines=N        in each write
//   both           the writes go to standard output and standard error by turns
//   life=MS        it ends by itself after a random time, this long on average, by ...
//   ends=LETTERS   ... one of: e exit code, s signal, c core dump, h hanging
//   slow=MS        before it is ready
//   beat           it writes the file $HEARTBEAT_FILE
//   notify         it sends READY=1 and then WATCHDOG=1 to $NOTIFY_SOCKET
//   ready=FD       it writes a newline there when it is ready
//   ignore         TERM, INT, HUP and QUIT
//   background     it goes into the background
//   pidfile=FILE   and writes its pid there
//   orphans=N      it leaves so many processes in sessions of their own, which end after 5 s at the latest
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <string_view>

#include "record.h"

namespace {

constexpr long kTick = 100;  // milliseconds; the longest time without a sign of life
constexpr std::size_t kAtomic = 4000;

[[noreturn]] void fail(const char* what) {
  perror(what);
  _exit(125);
}

void sleep_for(long milliseconds) {
  timespec time{milliseconds / 1000, milliseconds % 1000 * 1'000'000};
  while (nanosleep(&time, &time) != 0) {
  }
}

long milliseconds_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

// The value of the word NAME=VALUE, or that of the environment; empty where there is none.
std::string_view word(char** words, std::string_view name) {
  for (; *words != nullptr; ++words) {
    const std::string_view text = *words;
    if (text == name) return "yes";
    if (text.starts_with(name) && text.substr(name.size()).starts_with('=')) return text.substr(name.size() + 1);
  }
  return {};
}

long number(char** words, std::string_view name) { return atol(std::string(word(words, name)).c_str()); }

class Worker {
 public:
  explicit Worker(char** arguments) : words_(arguments + 1), random_(std::random_device{}()) {
    fd_ = open(arguments[0], O_RDWR | O_CLOEXEC);
    void* shared = mmap(nullptr, sizeof(soak::Record), PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
    if (shared == MAP_FAILED) fail(arguments[0]);
    record_ = static_cast<soak::Record*>(shared);
  }

  [[noreturn]] void work() {
    signal(SIGPIPE, SIG_IGN);
    if (has("ignore"))
      for (const int ignored : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) signal(ignored, SIG_IGN);
    if (has("background")) go_into_background();
    begin();
    for (long i = number(words_, "orphans"); i > 0; --i) leave_orphan();
    sleep_for(number(words_, "slow"));
    say_ready();
    const long end = life();
    for (long now = milliseconds_now(); end == 0 || now < end; now = milliseconds_now()) turn(now);
    end_somehow();
  }

 private:
  [[nodiscard]] bool has(std::string_view name) const { return !word(words_, name).empty(); }
  [[nodiscard]] long random_below(long limit) { return std::uniform_int_distribution<long>(0, limit - 1)(random_); }
  [[nodiscard]] long life() {
    const long mean = number(words_, "life");
    return mean == 0 ? 0 : milliseconds_now() + random_below(2 * mean);
  }

  [[noreturn]] void refuse(pid_t other) {
    record_->first = other;
    record_->second = getpid();
    _exit(99);
  }

  // The command that goes into the background must not find a service, either.
  void go_into_background() {
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_len = 1;
    if (fcntl(fd_, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK) refuse(lock.l_pid);
    int told[2];
    if (pipe(told) != 0) fail("pipe");
    const pid_t child = fork();
    if (child < 0) fail("fork");
    if (child != 0) {
      close(told[1]);
      char byte;
      _exit(read(told[0], &byte, 1) == 1 ? 0 : 1);
    }
    close(told[0]);
    setsid();
    if (const std::string file(word(words_, "pidfile")); !file.empty()) {
      const int fd = open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
      if (dprintf(fd, "%d\n", getpid()) < 0) fail("pidfile");
      close(fd);
    }
    if (write(told[1], "", 1) != 1) _exit(1);
    close(told[1]);
  }

  void begin() {
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_len = 1;
    if (fcntl(fd_, F_SETLK, &lock) != 0) {
      if (fcntl(fd_, F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) lock.l_pid = -1;
      refuse(lock.l_pid);
    }
    number_ = record_->runs + 1;
    run_ = &record_->last[number_ % soak::Record::kRuns];
    run_->number = 0;
    run_->tried = 0;
    run_->written = 0;
    run_->number = number_;
    record_->runs = number_;
  }

  void leave_orphan() {
    if (fork() != 0) return;
    setsid();
    if (random_below(2) == 0) signal(SIGTERM, SIG_IGN);
    for (const int fd : {0, 1, 2}) close(fd);
    sleep_for(500 + random_below(4500));
    _exit(0);
  }

  void send_to_supervisor(std::string_view text) {
    const char* path = getenv("NOTIFY_SOCKET");
    if (path == nullptr || *path != '@') return;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    const auto size = offsetof(sockaddr_un, sun_path) + std::strlen(address.sun_path);
    address.sun_path[0] = 0;
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    (void)sendto(fd, text.data(), text.size(), MSG_DONTWAIT, reinterpret_cast<const sockaddr*>(&address), static_cast<socklen_t>(size));
    close(fd);
  }

  void say_ready() {
    if (has("notify")) send_to_supervisor("READY=1");
    if (!has("ready")) return;
    const int fd = static_cast<int>(number(words_, "ready"));
    if (write(fd, "\n", 1) == 1) close(fd);
  }

  void turn(long now) {
    if (now >= next_sign_) give_sign(now);
    const long pause = number(words_, "pause");
    if (pause != 0 && now >= next_write_ && record_->written < record_->verified + soak::Record::kUnverified) {
      write_lines();
      next_write_ = now + pause;
    }
    sleep_for(pause == 0 ? kTick : std::min(pause, kTick));
  }

  void give_sign(long now) {
    next_sign_ = now + kTick;
    if (has("notify")) send_to_supervisor("WATCHDOG=1");
    if (!has("beat")) return;
    const char* file = getenv("HEARTBEAT_FILE");
    if (file == nullptr) return;
    const int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    (void)!write(fd, ".", 1);
    close(fd);
  }

  void write_lines() {
    std::string text;
    auto count = run_->written.load();
    const auto last = count + static_cast<std::uint64_t>(number(words_, "lines"));
    while (count < last && text.size() + 100 < kAtomic) text += soak::line_of(number_, ++count);
    run_->tried = count;
    const auto size = write(has("both") && ++turns_ % 2 == 0 ? 2 : 1, text.data(), text.size());
    if (size != static_cast<ssize_t>(text.size())) {
      record_->write_error = size < 0 ? errno : EMSGSIZE;
      _exit(98);
    }
    run_->written = count;
    record_->written += text.size();
  }

  [[noreturn]] void end_somehow() {
    const auto ends = word(words_, "ends");
    switch (ends.empty() ? 'e' : ends[static_cast<std::size_t>(random_below(static_cast<long>(ends.size())))]) {
      case 's': raise(random_below(2) == 0 ? SIGTERM : SIGKILL); break;
      case 'c': signal(SIGQUIT, SIG_DFL); abort();
      case 'h': while (true) sleep_for(1'000'000);
      default: break;
    }
    _exit(static_cast<int>(random_below(4)));
  }

  char** words_;
  std::mt19937_64 random_;
  int fd_ = -1;
  soak::Record* record_ = nullptr;
  soak::Run* run_ = nullptr;
  std::uint64_t number_ = 0;
  long next_sign_ = 0;
  long next_write_ = 0;
  long turns_ = 0;
};

}  // namespace

int main(int count, char** arguments) {
  if (count < 2) return 125;
  Worker(arguments + 1).work();
}
