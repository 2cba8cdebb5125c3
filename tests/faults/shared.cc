// T05 and T06: what strangers share with the supervisor — locks, the name of a socket — and limits that it was started with.
#include <fcntl.h>
#include <stddef.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "faults/site.h"

using namespace faults;

namespace {

// All the locks that somebody can have on a file who may only read it.
class ReaderOf {
 public:
  explicit ReaderOf(const fs::path& file) : fd_(open(file.c_str(), O_RDONLY | O_CLOEXEC)) {
    struct flock whole {};
    whole.l_type = F_RDLCK;
    (void)flock(fd_, LOCK_EX | LOCK_NB);
    (void)fcntl(fd_, F_OFD_SETLK, &whole);
  }
  ~ReaderOf() { close(fd_); }
  ReaderOf(const ReaderOf&) = delete;
  ReaderOf& operator=(const ReaderOf&) = delete;

 private:
  int fd_;
};

std::size_t sizes(const std::vector<fs::path>& files) {
  std::size_t sum = 0;
  for (const auto& file : files) sum += text_of(file).size();
  return sum;
}

}  // namespace

FAULT("T05a a reader of the log holds every lock that a reader can have: the log is rotated and the logger dies") {
  Site site(kind, {.verbs = {"numbers", "1", "100000000", "100"}, .logging = peers::Logging::kOwn});
  site.start();
  site.await("no output", [&] { return !site.output().empty(); });
  for (const char* what : {"another logger", "a rotation"}) {
    // The one that is there may have the file open, and the next one opens it, or another one, under the reader's eyes.
    std::vector<std::unique_ptr<ReaderOf>> readers;
    const auto read = [&] { for (const auto& file : site.fleet().output(0)) readers.push_back(std::make_unique<ReaderOf>(file)); };
    for (const auto pid : descendants())
      if (is_logger(pid)) ::kill(pid, SIGKILL);
    read();
    if (what == std::string("a rotation")) site.tell('l');
    const auto size = sizes(site.fleet().output(0));
    site.await(std::string("no output after ") + what, [&] { return read(), sizes(site.fleet().output(0)) > size + 1000; });
  }
  site.await_running();
}

FAULT("T06 files may not grow to the size at which a log is rotated") {
  if (kind.name != "supervise") throw Meaningless();
  skip_unless(harness::has_program("prlimit"), "no prlimit");
  for (const std::string limit : {"16384:unlimited", "16384:16384"}) {
    Site site(kind, {.verbs = {"numbers", "1", "5000", "0", "sleep", "1000"}, .logging = peers::Logging::kOwn, .conf = "stdout_logfile_backups : 1000\nstdout_logfile_maxbytes : 1MB"});
    site.fleet().set_wrapper({"prlimit", "--fsize=" + limit});
    site.start();
    site.await("output stops with --fsize=" + limit, [&] { return site.written(numbered(5000)) == 1; });
    const auto wrong = wrong_with(site.output());
    expect(wrong.empty(), wrong);
    const bool is_one = limit.ends_with("unlimited");
    expect((site.fleet().output(0).size() == 1) == is_one, "rotated at the wrong size");
    expect((text_of(site.home() / "supervise.log").find("RLIMIT_FSIZE") == std::string::npos) == is_one, "the log does not say why it is rotated");
  }
}

namespace {

// The name of the notification socket that the service was told.
std::string notify_name(const Site& site) {
  for (const auto& line : lines_of(site.home() / "supervise/record"))
    if (line.starts_with("notify=")) return line.substr(7);
  return {};
}

int abstract_socket(const std::string& name, sockaddr_un& address, socklen_t& size) {
  address = {};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path + 1, sizeof address.sun_path - 1);
  size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

const Words kBeats = {"notify", "READY=1", "repeat", "1000000", "4", "notify", "WATCHDOG=1", "sleep", "0.4"};

}  // namespace

FAULT("T05b a stranger floods the notification socket while the service tells that it is alive (ours only)") {
  if (kind.name != "supervise") throw Meaningless();
  Site site(kind, {.verbs = kBeats, .conf = "notify : true\nwatchdog : 1"});
  site.start();
  const auto pid = site.service();
  const auto name = notify_name(site);
  std::atomic<bool> ends = false;
  const auto flood = [&](int i) {
    sockaddr_un address;
    socklen_t size = 0;
    const int fd = abstract_socket(name, address, size);
    const timeval patience{0, 100'000};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    while (!ends) (void)sendto(fd, "WATCHDOG=trigger", 16, i % 2 == 0 ? MSG_DONTWAIT : 0, reinterpret_cast<sockaddr*>(&address), size);
    close(fd);
  };
  std::vector<std::thread> strangers;
  for (int i = 0; i < 12; ++i) strangers.emplace_back(flood, i);
  const bool lives = holds_for(in_full<Clock::duration>(44s, 6s), [&] { return site.service() == pid; });
  ends = true;
  for (auto& stranger : strangers) stranger.join();
  expect(lives, "a healthy service is killed");
  ::kill(pid, SIGSTOP);
  site.await_running(pid, "the watchdog has gone with the flood");
}

FAULT("T05c a stranger takes the name of the notification socket while no supervisor lives (ours only)") {
  if (kind.name != "supervise") throw Meaningless();
  Site site(kind, {.verbs = kBeats, .conf = "notify : true\nwatchdog : 1"});
  site.start();
  const auto pid = site.service();
  site.await("never ready", [&] { return text_of(site.home() / "state").find("\nready=1") != std::string::npos; });
  const auto name = notify_name(site);
  for (int round = 0; round < 2; ++round) {
    site.kill_supervisor();
    sockaddr_un address;
    socklen_t size = 0;
    const int fd = abstract_socket(name, address, size);
    expect(wait_until([&] { return bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0; }), "the name stays taken");
    site.start_anew();
    site.await_told();
    if (round == 1) site.tell('E');
    expect(holds_for(3s, [&] { return site.service() == pid; }), "a healthy service is killed");
    expect(text_of(site.home() / "supervise.log").find("name of the notification socket") != std::string::npos, "the log says nothing");
    close(fd);
  }
  site.kill_service();
  site.await_running(pid);
  site.await("never ready again", [&] { return text_of(site.home() / "state").find("\nready=1") != std::string::npos; });
  expect(notify_name(site) != name, "the name is the same as before");
}
