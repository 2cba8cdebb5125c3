// C01 to C05: one system call of the supervisor fails, of those it makes from then on the first, the second and the fourth of
// its kind, at its start some more, with each errno that its manual names and that is no defect of ours. The real calls of a
// real supervisor, by strace(1).
#include "faults/site.h"

using namespace faults;

namespace {

struct Injection {
  std::string calls;    // those that do the same, since each kind of supervisor has its own
  std::string error;
  int which;

  [[nodiscard]] std::string option() const {
    std::string set;
    for (const auto& call : calls_of()) set += (set.empty() ? "?" : ",?") + call;
    return "inject=" + set + ":error=" + error + ":when=" + std::to_string(which);
  }
  [[nodiscard]] std::string text() const { return calls_of().front() + " " + std::to_string(which) + ": " + error; }
  [[nodiscard]] Words calls_of() const {
    std::istringstream in(calls);
    Words words;
    for (std::string word; in >> word;) words.push_back(word);
    return words;
  }
};

std::vector<Injection> injections(const std::vector<int>& which = {1, 2, 4}) {
  const std::vector<std::pair<std::string, std::string>> kinds = {
      {"openat open", "EMFILE ENFILE ENOMEM EACCES EIO ENOSPC EINTR"},
      {"write pwrite64", "ENOSPC EIO EINTR"},
      {"renameat2 rename renameat", "EIO ENOSPC"},
      {"vfork fork clone clone3", "EAGAIN ENOMEM"},
      {"read readv", "EIO EINTR"},
      {"ppoll poll select pselect6", "EINTR ENOMEM"},
      {"newfstatat stat fstat lstat statx", "EIO ENOMEM"},
      {"waitid wait4", "EINTR"},
      {"unlinkat unlink", "EIO"},
      {"ftruncate", "EIO"},
      {"pipe2 pipe", "EMFILE"},
      {"fchmod fchmodat", "EPERM"},
  };
  std::vector<Injection> all;
  for (const auto& [calls, errors] : kinds) {
    std::istringstream in(errors);
    for (std::string error; in >> error;)
      for (const int one : which) all.push_back({calls, error, one});
  }
  return all;
}

// Does `act` with each of them, which leaves what the calls were in `trace`; a failure says with which. Returns with how many.
std::size_t sweep(Site& site, const std::vector<Injection>& all, const fs::path& trace, const std::function<void(const Injection&)>& act) {
  std::size_t done = 0, injected = 0;
  for (std::size_t i = 0; i < all.size(); i += in_full<std::size_t>(1, 13)) {
    try {
      act(all[i]);
      ++done;
      injected += text_of(trace).find("(INJECTED)") != std::string::npos;
      site.await_running();
      site.await_told();
      site.check_alone();
    } catch (const Failure& failure) {
      throw Failure(failure.what() + (" (" + all[i].text() + ")"));
    }
  }
  site.check_everything();
  std::printf("%zu of %zu calls were made\n", injected, done);
  expect(injected * 3 > done, "hardly a call was made");
  return done;
}

void sweep(Site& site, const std::function<void()>& act) {
  const auto trace = site.work() / "trace";
  const auto done = sweep(site, injections(), trace, [&](const Injection& injection) {
    const Tracer tracer(site.supervisor(), {"-e", injection.option()}, trace);
    act();
  });
  // Of what it is told it logs a few lines.
  site.check_cost(done * 600);
}

}  // namespace

FAULT("C01 a system call fails: the service dies") {
  Site site(kind, {});
  site.start();
  sweep(site, [&] {
    const auto pid = site.service();
    site.kill_service();
    site.await_running(pid);
  });
}

FAULT("C02 a system call fails: d and u") {
  Site site(kind, {.conf = "stopwaitsecs : 1", .supervisord = "stopwaitsecs=1", .s6 = "timeout-kill 1000"});
  site.start();
  sweep(site, [&] {
    site.tell('d');
    site.await_stopped();
    site.tell('u');
    site.await_running();
  });
}

FAULT("C03 a system call fails: the configuration is read anew and the log rotated (ours only)") {
  if (kind.name != "supervise") throw Meaningless();
  Site site(kind, {.verbs = {"numbers", "1", "1000000", "1000"}, .logging = peers::Logging::kOwn, .conf = "stdout_logfile_backups : 1000"});
  site.start();
  sweep(site, [&, pid = site.service()] {
    site.tell_all("rl");
    expect(holds_for(200ms, [&] { return site.copies() == std::vector<pid_t>{pid}; }), "service lost");
  });
  const auto wrong = wrong_with(site.output());
  expect(wrong.empty(), wrong);
  // A file that ends in the middle of a line waits for the rest of it.
  expect(site.fleet().output(0).size() > in_full<std::size_t>(10, 1), "never rotated");
}

FAULT("C04 a system call fails: the supervisor is replaced by E (ours only)") {
  if (kind.name != "supervise") throw Meaningless();
  Site site(kind, {});
  site.start();
  sweep(site, [&, pid = site.service()] {
    site.tell('E');
    expect(holds_for(200ms, [&] { return site.copies() == std::vector<pid_t>{pid}; }), "service lost");
  });
  const auto log = lines_of(site.home() / "supervise.log");
  const auto upgrades = std::ranges::count_if(log, [](const std::string& line) { return line.find("supervise goes on as") != std::string::npos; });
  expect(upgrades > in_full(30, 2), "never upgraded");
}

FAULT("C05 a system call fails: the supervisor was KILLed and another one is started (ours only)") {
  if (kind.name != "supervise") throw Meaningless();
  skip_unless(harness::has_program("strace"), "no strace");
  const auto is_traced = shell("strace -o /dev/null true").code == 0;
  skip_unless(is_traced, "strace may not trace");
  // Who loses sight of it would miss its signs of life.
  Site site(kind, {.verbs = {"notify", "READY=1", "repeat", "1000000", "4", "notify", "WATCHDOG=1", "sleep", "100"}, .conf = "notify : true\nwatchdog : 2"});
  site.start();
  TempDir work;
  const auto trace = work / "trace";
  (void)sweep(site, injections({1, 2, 3, 4, 5, 6, 8, 11, 16, 24, 32}), trace, [&, pid = site.service()](const Injection& injection) {
    site.kill_supervisor();
    site.fleet().set_wrapper({"strace", "-D", "-o", trace, "-e", injection.option()});
    site.start_anew();
    site.fleet().set_wrapper({});
    // Who refuses leaves it to the user, who tries again.
    (void)wait_until([&] { return !alive(site.supervisor()) || site.can_be_told(); });
    if (!holds_for(100ms, [&] { return alive(site.supervisor()); })) site.start_anew();
    site.await("deaf for ever", [&] { return site.can_be_told(); });
    expect(site.copies() == std::vector<pid_t>{pid}, site.copies().empty() ? "service lost" : "two copies");
  });
}
