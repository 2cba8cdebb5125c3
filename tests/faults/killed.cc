// F01 to F03, F18 and L3: deaths of the supervisor, of its logger and of the service, and second supervisors.
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <fstream>

#include "faults/site.h"

using namespace faults;

namespace {

const Words kWriter = {"numbers", "1", "100000000", "20"};

// Waits for the last bytes and judges them.
void check_lines(Site& site, std::size_t runs = 1) {
  for (std::size_t size = 0, now; (now = site.output().size()) != size; size = now) std::this_thread::sleep_for(500ms);
  const auto wrong = wrong_with(site.output(), runs);
  expect(wrong.empty(), wrong);
}

std::optional<pid_t> logger() {
  for (const auto pid : descendants())
    if (is_logger(pid)) return pid;
  return std::nullopt;
}

// Carries it out in a pid namespace of its own, as the child of its first process.
void in_own_pids(const std::function<void()>& act) {
  skip_unless(is_root() && enter_own_mounts() && unshare(CLONE_NEWPID) == 0, "no pid namespace");
  TempDir work;
  const pid_t first = fork();
  if (first == 0) {
    std::string said = "ok";
    try {
      if (mount("proc", "/proc", "proc", 0, nullptr) != 0) throw std::runtime_error("no /proc");
      act();
    } catch (const std::exception& failure) {
      said = failure.what();
    }
    write_file(work / "said", said);
    _exit(0);
  }
  waitpid(first, nullptr, 0);
  const auto said = text_of(work / "said");
  expect(said == "ok", said.empty() ? "no end" : said);
}

// The next process to be forked in this namespace gets that pid, if it is free.
void make_next(pid_t pid) { std::ofstream("/proc/sys/kernel/ns_last_pid") << pid - 1; }

void reap_all() {
  while (waitpid(-1, nullptr, WNOHANG) > 0) {}
}

void recycle(Site& site, const fs::path& signals) {
  const auto pid = site.service();
  // Two processes of one pid are told apart by the time of their start, which the kernel tells in steps of 10 ms.
  std::this_thread::sleep_for(20ms);
  site.kill_supervisor();
  ::kill(pid, SIGKILL);
  if (!wait_until([&] { return reap_all(), !process(pid); })) throw std::runtime_error("the service does not die");
  std::error_code error;
  fs::remove(signals, error);
  std::unique_ptr<Child> stranger;
  for (int i = 0; i < 20 && (!stranger || stranger->pid() != pid); ++i) {
    make_next(pid);
    stranger = std::make_unique<Child>(Command{.argv = harness::service({"trap", "got", signals})});
  }
  if (stranger->pid() != pid) throw std::runtime_error("the pid is not given again");
  if (!wait_until([&] { return count_lines(signals, "ready") == 1; })) throw std::runtime_error("no stranger");
  // The stranger is no service, although it has the pid of one.
  const auto starts = site.starts();
  site.start_anew();
  site.await("service not back", [&] { return site.starts() > starts && site.fleet().told_pid(0) == last_pid_in(site.marks()); });
  site.tell('h');
  site.tell('d');
  site.await("deaf to d", [&] { return !alive(last_pid_in(site.marks())); });
  expect(stranger->running() && lines_of(signals).size() == 1, "a signal to a stranger");
  site.tell('u');
  site.await("deaf to u", [&] { return alive(last_pid_in(site.marks())) && site.fleet().told_pid(0) == last_pid_in(site.marks()); });
}

// The service has a child of the pid that a helper had, which makes a session of its own. kill_tree is to end it.
void hide_behind_helper() {
  TempDir work;
  const auto left = work / "left", go = work / "go", helper = work / "helper";
  write_script(work / "alarm", "echo $$ >" + helper.string());
  Site site(peers::kinds().front(), {.verbs = {"await", go, "child", "3", "session", "started", left},
                                        .conf = "kill_tree : true\nstopwaitsecs : 1\nalarm_interval : 60\nalarm_command : " + (work / "alarm").string()});
  site.start();
  const auto first = site.service();
  site.kill_service();
  site.await("no alarm", [&] { return !lines_of(helper).empty() && !process(pids_in(helper).back()); });
  site.await_running(first);
  make_next(pids_in(helper).back());
  write_file(go, "");
  site.await("no child", [&] { return lines_of(left).size() == 1; });
  skip_unless(pids_in(left).back() == pids_in(helper).back(), "the pid is not given again");
  site.tell('d');
  site.await("left behind", [&] { return !alive(pids_in(left).back()); });
}

// The name of the file that keeps a second supervisor out.
fs::path guard_of(const Site& site) { return fs::exists(site.home() / "lock") ? site.home() / "lock" : site.control(); }

// So many more of them at once: one supervisor and one copy are left.
void crowd(Site& site, std::size_t count) {
  const auto first = site.supervisor();
  const auto is_running = [&] { return alive(first); };
  const auto others = is_running();
  std::vector<pid_t> crowd;
  for (std::size_t i = 0; i < count; ++i) crowd.push_back(site.fleet().start(0));
  const auto living = [&] {
    std::vector<pid_t> pids;
    for (const auto pid : crowd)
      if (waitpid(pid, nullptr, WNOHANG) == 0) pids.push_back(pid);
    return pids;
  };
  const std::size_t wanted = others ? 0 : 1;
  (void)wait_until([&] { return living().size() <= wanted; }, 15s);
  const auto left = living();
  site.check_alone();
  expect(left.size() <= wanted, "two supervisors");
  expect(left.size() == wanted && (!others || is_running()), "no supervisor left");
  if (!others) site.take_over(left[0]);
}

void crowds(const peers::Kind& kind, const std::function<void(Site&)>& meanwhile) {
  Site site(kind, {});
  site.start();
  const std::size_t size = site.is("supervisord") ? 5 : in_full<std::size_t>(50, 10);
  const int rounds = site.is_ours() ? in_full(20, 1) : 4;
  std::atomic<bool> is_over = false;
  std::thread racer([&] {
    while (!is_over) meanwhile(site);
  });
  try {
    for (int i = 0; i < rounds; ++i) {
      // The first found one at work; of the others every second one finds a service whose supervisor was killed.
      if (site.is_ours() && i % 2 == 1) site.kill_supervisor();
      crowd(site, size);
    }
  } catch (...) {
    is_over = true;
    racer.join();
    throw;
  }
  is_over = true;
  racer.join();
  site.await_running();
  site.await_told();
  site.check_alone();
}

}  // namespace

FAULT("F01a KILL of the supervisor at any moment and another one started: 10 000 times (peers 20)") {
  const std::size_t sites = in_full<std::size_t>(4, 1);
  std::deque<Site> all;
  for (std::size_t i = 0; i < sites; ++i) all.emplace_back(kind, Plan{.verbs = kWriter, .logging = peers::Logging::kOwn}).start();
  std::vector<pid_t> services;
  for (const auto& site : all) services.push_back(site.service());
  const bool ours = all.front().is_ours();
  const auto rounds = (ours ? in_full<std::size_t>(10'000, 40) : 20) / sites;
  for (std::size_t round = 0; round < rounds; ++round) {
    for (auto& site : all) {
      site.kill_supervisor();
      site.start_anew();
    }
    // Mostly within the first moments of the new one, and for some when it is at work.
    std::this_thread::sleep_for(any_time(ours && round % 10 != 0 ? 8ms : ours ? 40ms : 400ms));
    for (auto& site : all) site.check_alone();
  }
  for (std::size_t i = 0; i < sites; ++i) {
    auto& site = all[i];
    expect(site.await_running() == services[i] && site.starts() == 1, "service not back");
    site.await_told();
    site.await("the log does not go on", [&, before = site.output().size()] { return site.output().size() > before; });
    site.tell('d');
    site.await_stopped();
    check_lines(site);
    site.check_alone();
  }
}

FAULT("F01b KILL of the supervisor together with the service and another one started") {
  Site site(kind, {});
  site.start();
  for (int i = 0; i < (site.is_ours() ? in_full(50, 3) : 5); ++i) {
    const auto pid = site.service();
    site.kill_service();
    site.kill_supervisor();
    site.start_anew();
    site.await_running(pid);
    site.check_alone();
  }
  site.check_everything();
}

FAULT("F01c KILL of the supervisor while it starts the service and another one started") {
  Site site(kind, {});
  site.start();
  for (int i = 0; i < (site.is_ours() ? in_full(100, 5) : 20); ++i) {
    const auto pid = site.service();
    site.kill_service();
    for (const auto until = Clock::now() + any_time(4ms); Clock::now() < until;) {}
    site.kill_supervisor();
    site.start_anew();
    site.await_running(pid);
    (void)holds_for(30ms, [&] { return site.copies().size() == 1; });
    site.check_alone();
  }
  site.check_everything();
}

FAULT("F02 KILL of the supervisor and the dead service's pid goes to a stranger: 100 times (peers 5)") {
  in_own_pids([&] {
    TempDir work;
    Site site(kind, {});
    site.start();
    for (int i = 0; i < (site.is_ours() ? in_full(100, 3) : 5); ++i) recycle(site, work / "signals");
  });
}

FAULT("F03a KILL of the logger while the service writes: 100 times (peers 20)") {
  Site site(kind, {.verbs = kWriter, .logging = peers::Logging::kOwn});
  if (site.is("supervisord")) throw Meaningless();
  site.start();
  const auto pid = site.service();
  for (int i = 0; i < (site.is_ours() ? in_full(100, 5) : 20); ++i) {
    site.await("no logger", [&] { return logger().has_value(); });
    std::this_thread::sleep_for(any_time(20ms));
    if (const auto old = logger()) {
      ::kill(*old, SIGKILL);
      site.await("no logger", [&] { const auto now = logger(); return now && *now != *old; });
    }
  }
  expect(site.copies() == std::vector<pid_t>{pid}, "service not back");
  site.await("the log does not go on", [&, before = site.output().size()] { return site.output().size() > before; });
  site.tell('d');
  site.await_stopped();
  check_lines(site);
  site.check_cost();
}

FAULT("F03b the program is replaced by another one while the service writes: 100 times (ours only)") {
  Site site(kind, {.verbs = kWriter, .logging = peers::Logging::kOwn});
  if (!site.is_ours()) throw Meaningless();
  site.start();
  const auto pid = site.service();
  for (int i = 0; i < in_full(100, 3); ++i) {
    const auto before = count_lines(site.home() / "supervise.log", "goes on as");
    site.tell('E');
    site.await("no upgrade", [&] { return count_lines(site.home() / "supervise.log", "goes on as") > before; });
    std::this_thread::sleep_for(any_time(20ms));
  }
  expect(site.copies() == std::vector<pid_t>{pid}, "service not back");
  site.await_told();
  site.tell('d');
  site.await_stopped();
  check_lines(site);
}

FAULT("F18a fifty more supervisors at once on one directory: 1000 in all (peers 200)") {
  crowds(kind, [](Site&) { std::this_thread::sleep_for(5ms); });
}

FAULT("F18b the same while somebody keeps removing the lock") {
  crowds(kind, [](Site& site) {
    std::error_code error;
    fs::remove(guard_of(site), error);
    std::this_thread::sleep_for(1ms);
  });
}

FAULT("L3 KILL of 100 services side by side at any moment: 10 000 times (peers 1000)") {
  const int services = in_full(100, 10);
  const std::size_t rounds = kind.name == "supervise" ? in_full<std::size_t>(100, 2) : 10;
  TempDir work;
  const auto marks = [&](int i) { return work / ("started." + std::to_string(i)); };
  for (int i = 0; i < services; ++i) {
    const auto directory = work / "top" / std::to_string(i);
    fs::create_directories(directory);
    write_script(directory / "run", "exec " + harness::service({})[0] + " started " + marks(i).string());
  }
  const auto fleet = kind.make(work / "top", services, peers::Logging::kNone);
  fleet->start_all();
  const auto fail = [&](int i, const std::string& what) {
    std::printf("%d: %zu starts\n%s", i, pids_in(marks(i)).size(), kind.name == "supervise" ? StatusDir(fleet->home(i)).report().c_str() : "");
    throw Failure(what);
  };
  std::vector<std::size_t> kills(static_cast<std::size_t>(services));
  std::vector<Clock::time_point> due(kills.size(), Clock::now()), killed = due;
  for (bool all_done = false; !all_done; std::this_thread::sleep_for(2ms)) {
    all_done = true;
    for (int i = 0; i < services; ++i) {
      const auto at = static_cast<std::size_t>(i);
      if (kills[at] == rounds) continue;
      all_done = false;
      if (Clock::now() < due[at]) continue;
      const auto pids = pids_in(marks(i));
      expect(pids.size() <= kills[at] + 1, "started without need");
      if (pids.size() == kills[at] + 1) {
        ::kill(pids.back(), SIGKILL);
        ++kills[at];
        killed[at] = Clock::now();
        due[at] = killed[at] + any_time(1500ms);
      } else {
        if (Clock::now() - killed[at] > deadline() + 1500ms) fail(i, "service not back");
      }
    }
  }
  expect(wait_until([&] {
    for (int i = 0; i < services; ++i) {
      const auto lines = lines_of(marks(i));
      if (lines.size() != rounds + 1 || !is_running(lines.back()) || std::ranges::count_if(lines, is_running) != 1) return false;
    }
    return true;
  }, deadline()), "service not back");
  for (int i = 0; i < services; i += services / 5) {
    const bool told = wait_until([&] { return fleet->told_pid(i) == last_pid_in(marks(i)); }, deadline());
    expect(told, "wrong pid in status");
  }
}

FAULT("T03d kill_tree is to end a child that has the pid of a former alarm program and a session of its own (ours only)") {
  if (kind.name != "supervise") throw Meaningless();
  in_own_pids(hide_behind_helper);
}
