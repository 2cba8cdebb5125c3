// F09, F10 and F13: what arrives at the control FIFO or socket, and a supervisor that does not read it for a while.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "faults/site.h"

using namespace faults;

namespace {

// Opens the FIFO, or connects to the socket.
int open_control(const Site& site) {
  if (!fs::is_socket(site.control())) return open(site.control().c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  site.control().string().copy(address.sun_path, sizeof address.sun_path - 1);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return fd;
  close(fd);
  return -1;
}

// Bytes that are no command of anybody's.
std::size_t write_garbage(const Site& site, std::size_t count, const std::function<bool()>& goes_on) {
  const std::string garbage(4096, 'Z');
  int fd = open_control(site);
  std::size_t written = 0;
  while (written < count && goes_on()) {
    const auto n = fd < 0 ? -1 : ::send(fd, garbage.data(), std::min(garbage.size(), count - written), MSG_NOSIGNAL);
    const auto m = n < 0 && errno == ENOTSOCK ? ::write(fd, garbage.data(), std::min(garbage.size(), count - written)) : n;
    if (m > 0) {
      written += static_cast<std::size_t>(m);
    } else {
      std::this_thread::sleep_for(1ms);
      if (errno == EAGAIN) continue;
      if (fd >= 0) close(fd);
      fd = open_control(site);
    }
  }
  if (fd >= 0) close(fd);
  return written;
}

// One that writes all the time, until it goes out of scope.
class Flood {
 public:
  explicit Flood(const Site& site) : thread_([&] { (void)write_garbage(site, SIZE_MAX, [&] { return !is_over_; }); }) {}
  ~Flood() {
    is_over_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> is_over_ = false;
  std::thread thread_;
};

}  // namespace

FAULT("F09a a million bytes of garbage and then d") {
  Site site(kind, {});
  site.start();
  const auto until = Clock::now() + deadline() + 5s;
  const auto written = write_garbage(site, 1'000'000, [&] { return Clock::now() < until; });
  expect(written == 1'000'000, "reads too slowly");
  site.tell('d');
  site.await_stopped();
  site.tell('u');
  site.await_running();
  site.check_everything();
}

FAULT("F09b garbage without end while the service is killed 20 times") {
  Site site(kind, {});
  site.start();
  {
    const Flood flood(site);
    for (int i = 0; i < in_full(20, 3); ++i) {
      const auto pid = site.service();
      site.kill_service();
      site.await_running(pid, "starves a restart");
      site.await_told();
    }
  }
  site.check_everything();
}

FAULT("F10a du ten thousand times and then u") {
  Site site(kind, {});
  site.start();
  // Each is a call of its own where there is a protocol instead of a FIFO.
  const int times = site.is("supervisord") ? 100 : in_full(10'000, 2'000);
  const auto begin = Clock::now();
  std::string letters;
  for (int i = 0; i < times; ++i) letters += "du";
  site.tell_all(letters + "u");
  site.await_rest();
  const auto seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  expect(static_cast<double>(site.starts()) <= 3 + seconds, std::to_string(site.starts() - 1) + " useless starts");
  site.check_everything();
}

FAULT("F10b letters at random and kills for 40 s (peers 10 s) and then u") {
  Site site(kind, {});
  site.start();
  const std::string letters = site.is("supervisord") ? "dukth" : "udotkhipca12q";
  const auto until = Clock::now() + (site.is_ours() ? in_full<Clock::duration>(40s, 2s) : 10s);
  while (Clock::now() < until) {
    site.tell(letters[randomness()() % letters.size()]);
    std::this_thread::sleep_for(any_time(20ms));
    if (randomness()() % 16 == 0) site.kill_service();
  }
  if (!site.is("supervisord")) site.tell('c');
  site.tell('u');
  site.await_rest();
  site.check_everything();
  site.check_cost();
}

FAULT("F13 the supervisor is stopped with STOP: the service dies and letters queue; CONT: three times") {
  Site site(kind, {});
  site.start();
  for (int i = 0; i < 3; ++i) {
    const auto pid = site.service();
    ::kill(site.supervisor(), SIGSTOP);
    site.kill_service();
    // A call waits for its answer: one that stopped gives none.
    if (!site.is("supervisord")) site.tell_all("hdu");
    (void)holds_for(300ms, [&] { return site.copies().empty(); });
    ::kill(site.supervisor(), SIGCONT);
    site.await_running(pid);
    site.await_told();
  }
  site.check_everything();
  site.check_cost();
}
