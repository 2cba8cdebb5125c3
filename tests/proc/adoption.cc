// Sections 7 and 3 of the contract: a supervise that takes over the service of one that was killed, and the letter E.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>

#include "harness.h"

using namespace harness;

namespace {

const Words kCounters = {"state", "pid",       "want",   "since",  "started", "ready", "exit",
                         "starts", "exits",    "tries",  "coredumps", "reason", "alarm", "paused"};

// Those of `state` that a change of the supervise must not change.
std::string counters(const StatusDir& dir) {
  const auto state = dir.state();
  std::string text;
  for (const auto& key : kCounters) text += key + "=" + state[key] + "\n";
  return text;
}

// The time of the last start or exit, which a change of the supervise is not. The text in `state` has milliseconds.
bool same_time(const Status& one, const Status& other) {
  return static_cast<long long>(one.time) == static_cast<long long>(other.time) && one.nanoseconds == other.nanoseconds;
}

std::size_t living(const fs::path& file) {
  const auto pids = pids_in(file);
  return static_cast<std::size_t>(std::ranges::count_if(pids, [](pid_t pid) { return alive(pid); }));
}

std::size_t warnings(const StatusDir& dir, std::string_view text = "no upgrade") {
  return count_lines(dir / "supervise.log.wf", text);
}

// A supervise that runs from a file that can be replaced.
struct Upgradable {
  explicit Upgradable(const Words& command, const std::string& conf = {})
      : svc({.command = command, .conf = conf, .program = install()}) {}

  fs::path install(const fs::path& program = supervise_program()) const {
    fs::copy_file(program, place / "new");
    fs::rename(place / "new", place / "supervise");
    return place / "supervise";
  }
  void put(std::string_view text, mode_t mode) const {
    write_file(place / "new", text, mode);
    fs::permissions(place / "new", static_cast<fs::perms>(mode));
    fs::rename(place / "new", place / "supervise");
  }
  [[nodiscard]] std::size_t exchanges() const { return count_lines(svc / "supervise.log", "goes on as"); }
  // Installs anew, gives these commands, E among them, and waits until the new program is at work.
  void exchange(std::string_view commands = "E", const fs::path& program = supervise_program()) const {
    install(program);
    const auto before = exchanges();
    svc.write(commands);
    svc.await_that("the exchange", [&] { return exchanges() > before; });
    svc.await_that("the new program",
                   [&] { return same_file("/proc/" + std::to_string(svc.pid()) + "/exe", place / "supervise"); });
    svc.await("supervise_pid", std::to_string(svc.pid()));
    CHECK(alive(svc.pid()));
  }

  TempDir place;
  Supervised svc;
};

// Everything works: the lock, `ok`, a second one is refused, commands are obeyed.
void check_order(const Supervised& svc, const std::string& program = supervise_program()) {
  CHECK(is_taken(svc / "lock"));
  CHECK(has_reader(svc / "ok"));
  CHECK(has_reader(svc / "control"));
  const auto second = run({program, "-p", svc.dir(), "-f", "sleep 100"});
  INFO(second.err);
  CHECK(second.code == 100);
  CHECK_THAT(second.err, contains(std::to_string(svc.pid())));
}

}  // namespace

// ---- Adoption

TEST_CASE("A supervise that is started again takes over the running service with its counters") {
  TempDir marks;
  Restartable site(service({"started", marks / "started"}));
  auto service_pid = site.dir.await_service();
  site.dir.await_state("RUNNING");
  site.dir.write("k");
  service_pid = site.dir.await_service(service_pid);
  site.dir.await_state("RUNNING");
  site.dir.write("s");
  site.dir.await("alarm", "off");
  const auto before = counters(site.dir);
  const auto status = site.dir.status();
  const auto old = site.pid;

  site.kill();
  CHECK(alive(service_pid));
  site.start();
  CHECK(site.pid != old);
  CHECK(counters(site.dir) == before);
  CHECK(same_time(site.dir.status(), status));
  CHECK(site.dir.status().alarm == 'x');
  CHECK(site.dir.status().want == 'u');
  CHECK(site.dir.status().pid == service_pid);
  CHECK_THAT(site.dir.log(), contains("adopted"));
  CHECK(holds_for(1500ms, [&] { return pids_in(marks / "started").size() == 2 && living(marks / "started") == 1; }));
  CHECK(counters(site.dir) == before);

  const auto death = monotonic_now();
  ::kill(service_pid, SIGKILL);
  const auto next = site.dir.await_service(service_pid);
  REQUIRE(wait_until([&] { return starts_in(marks / "started").size() == 3; }));
  CHECK(starts_in(marks / "started").back() - death < allowed(1.0));
  CHECK((site.dir.state()["exit"] == "signal KILL" || site.dir.state()["exit"] == "unknown"));
  CHECK(site.dir.state()["starts"] == "3");
  CHECK(site.dir.state()["exits"] == "2");
  // This one is its own child.
  ::kill(next, SIGUSR1);
  const auto third = site.dir.await_service(next);
  site.dir.await("exit", "signal USR1");
  REQUIRE(wait_until([&] { return starts_in(marks / "started").size() == 4; }));
  CHECK(living(marks / "started") == 1);
  CHECK(alive(third));
}

TEST_CASE("An adopted service obeys every command and the supervise ends with dx") {
  TempDir marks;
  Restartable site(service({"started", marks / "started", "trap", "got", marks / "got"}), "[svc]\nstopwaitsecs : 1\n");
  const auto first = site.dir.await_service();
  REQUIRE(wait_until([&] { return site.dir.state()["state"] == "RUNNING"; }));
  site.kill_and_start();
  site.dir.write("1");
  site.dir.await_lines(marks / "got", 1);
  site.dir.write("p");
  site.dir.await("paused", "1");
  REQUIRE(wait_until([&] { return process(first)->state == 'T'; }));
  site.kill_and_start();
  CHECK(site.dir.state()["paused"] == "1");
  CHECK(site.dir.status().paused == 1);
  site.dir.write("c");
  site.dir.await("paused", "0");
  // It ignores TERM and is killed after a second.
  site.dir.write("d");
  site.dir.await_state("STOPPED");
  CHECK_FALSE(alive(first));
  CHECK(site.dir.status().pid == 0);
  CHECK(count_lines(marks / "got", "TERM") + count_lines(marks / "got", "15") >= 1);
  site.dir.write("u");
  const auto second = site.dir.await_service(first);
  site.kill_and_start();
  CHECK(site.dir.status().pid == second);
  site.dir.write("dx");
  site.dir.await_exit();
  CHECK_FALSE(alive(second));
  CHECK(pids_in(marks / "started").size() == 2);
}

TEST_CASE("What is wanted of an adopted service is what was wanted before") {
  TempDir marks;
  Restartable site(service({"started", marks / "started"}));
  const auto pid = site.dir.await_service();
  site.dir.await_state("RUNNING");
  site.dir.write("o");
  site.dir.await("want", "once");
  site.kill_and_start();
  CHECK(site.dir.state()["want"] == "once");
  CHECK(site.dir.status().want == 0);
  ::kill(pid, SIGKILL);
  site.dir.await_that("the end", [&] { return site.dir.status().pid == 0; });
  CHECK(holds_for(1500ms, [&] { return pids_in(marks / "started").size() == 1; }));
}

TEST_CASE("A service that is being stopped when its supervise is killed stays stopped after the adoption") {
  TempDir marks;
  Restartable site(service({"started", marks / "started", "ignore", "TERM", "touch", marks / "set"}), "[svc]\nstopwaitsecs : 3\n");
  const auto pid = site.dir.await_service();
  REQUIRE(wait_until([&] { return fs::exists(marks / "set"); }));
  site.dir.write("d");
  site.dir.await_state("STOPPING");
  const auto told = monotonic_now();
  site.kill_and_start();
  CHECK(site.dir.state()["state"] == "STOPPING");
  CHECK(site.dir.status().pid == pid);
  site.dir.await_state("STOPPED");
  const auto took = monotonic_now() - told;
  CHECK(took > 1.5);
  CHECK(took < allowed(5));
  CHECK(holds_for(1500ms, [&] { return pids_in(marks / "started").size() == 1; }));
}

TEST_CASE("Twenty killed supervises in a row lose no line and make no second copy") {
  TempDir marks;
  write_script(marks / "count", "echo $$ >> " + (marks / "pids").string() +
                                    "\ni=0\nwhile :; do i=$((i+1)); echo line $i; sleep 0.002; done\n");
  Restartable site({marks / "count"});
  const auto pid = site.dir.await_service();
  const auto out = site.dir / "__stdout";
  site.dir.await_that("output", [&] { return fs::exists(out) && fs::file_size(out) > 0; });
  for (int i = 0; i < 20; ++i) {
    INFO(i);
    site.kill_and_start();
    REQUIRE(site.dir.status().pid == pid);
    REQUIRE(alive(pid));
    const auto size = fs::file_size(out);
    site.dir.await_that("more output", [&] { return fs::file_size(out) > size; });
  }
  site.dir.write("d");
  site.dir.await_state("STOPPED");
  CHECK(lines_of(marks / "pids") == Words{std::to_string(pid)});
  CHECK(site.dir.state()["starts"] == "1");
  const auto lines = lines_of(out);
  CHECK(lines.size() > 20);
  for (std::size_t i = 0; i < lines.size(); ++i) REQUIRE(lines[i] == "line " + std::to_string(i + 1));
  CHECK(count_lines(site.dir / "supervise.log", "adopted") == 20);
}

TEST_CASE("A supervise that is killed while it starts the service leaves one copy that is adopted") {
  TempDir marks;
  Restartable site(service({"started", marks / "started"}), "[svc]\nstartsecs : 0\n");
  for (int i = 0; i < 30; ++i) {
    INFO(i);
    const auto pid = site.dir.await_service();
    site.dir.await_that("one copy", [&] { return living(marks / "started") == 1; });
    ::kill(pid, SIGKILL);
    // From before the death of the service to after the next start.
    for (const auto until = Clock::now() + i * 100us; Clock::now() < until;) {
    }
    site.kill_and_start();
    site.dir.await_service(pid);
    site.dir.await_that("the next copy", [&] { return !alive(pid) && living(marks / "started") >= 1; });
    REQUIRE(holds_for(20ms, [&] { return living(marks / "started") == 1; }));
    CHECK(last_pid_in(marks / "started") == site.dir.status().pid);
  }
}

TEST_CASE("A service that died while no supervise was there is started anew") {
  TempDir marks;
  Restartable site(service({"started", marks / "started"}));
  const auto pid = site.dir.await_service();
  site.kill();
  ::kill(pid, SIGKILL);
  REQUIRE(wait_until([&] { return !process(pid); }));
  site.start();
  CHECK(site.dir.await_service(pid) != pid);
  REQUIRE(wait_until([&] { return pids_in(marks / "started").size() == 2; }));
  CHECK(holds_for(1200ms, [&] { return pids_in(marks / "started").size() == 2 && living(marks / "started") == 1; }));
  CHECK_THAT(site.dir.log(), !contains("adopted"));
}

// As field 22 of proc(5) stat counts them.
long long ticks_since_boot() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  const long long ticks = ::sysconf(_SC_CLK_TCK);
  return now.tv_sec * ticks + now.tv_nsec / (1'000'000'000 / ticks);
}

TEST_CASE("A service that was stopped or given up stays so when its supervise was killed") {
  TempDir marks;
  Restartable site(service({"started", marks / "started"}));
  site.dir.await_service();
  site.dir.await_state("RUNNING");
  site.dir.write("d");
  site.dir.await_state("STOPPED");
  const auto before = counters(site.dir);
  site.kill_and_start();
  CHECK(counters(site.dir) == before);
  CHECK(site.dir.status().want == 'd');
  CHECK(holds_for(1200ms, [&] { return pids_in(marks / "started").size() == 1; }));
  site.dir.write("u");
  site.dir.await_service();
  // One that ends as it was told leaves nothing to remember.
  site.dir.write("dx");
  site.dir.await_exit();
  site.start();
  site.dir.await_service();

  Restartable given_up(service({"exit", "1"}), "[svc]\nstartretries : 1\n");
  given_up.dir.await_state("FATAL");
  given_up.kill_and_start();
  CHECK(given_up.dir.state()["state"] == "FATAL");
  CHECK(given_up.dir.state()["starts"] == "2");
}

TEST_CASE("A process with the recorded pid and another start is a stranger and gets no signal") {
  TempDir marks;
  Restartable site(service({"started", marks / "started"}));
  const auto pid = site.dir.await_service();
  site.kill();
  ::kill(pid, SIGKILL);
  REQUIRE(wait_until([&] { return !process(pid); }));
  const auto recorded = std::stoll(site.dir.state()["pid_start"]);
  REQUIRE(wait_until([&] { return ticks_since_boot() > recorded; }));
  Child stranger({.argv = service({"trap", "got", marks / "got", "touch", marks / "set"}), .directory = marks.path()});
  REQUIRE(wait_until([&] { return fs::exists(marks / "set"); }));
  const auto before = text_of(marks / "got");
  std::string text;
  for (const auto& line : lines_of(site.dir / "state")) text += (line.starts_with("pid=") ? "pid=" + std::to_string(stranger.pid()) : line) + "\n";
  write_file(site.dir / "state", text);

  site.start();
  const auto next = site.dir.await_service(stranger.pid());
  CHECK(next != pid);
  CHECK_THAT(site.dir.log(), !contains("adopted"));
  REQUIRE(wait_until([&] { return pids_in(marks / "started").size() == 2; }));
  site.dir.write("1hd");
  site.dir.await_state("STOPPED");
  CHECK_FALSE(alive(next));
  site.dir.write("dx");
  site.dir.await_exit();
  CHECK(stranger.running());
  CHECK(text_of(marks / "got") == before);
}

TEST_CASE("Readiness and notifications of an adopted service go on") {
  SKIP_UNLESS(has_program("systemd-notify"), "systemd-notify is not here");
  TempDir marks;
  const auto mark = [&](const char* name) { return (marks / name).string(); };
  write_script(marks / "program", "systemd-notify --ready --status=before || echo bad >> " + mark("bad") + "\nwhile [ ! -e " +
                                      mark("go") + " ]; do sleep 0.02; done\nsystemd-notify --status=after || echo bad >> " +
                                      mark("bad") + "\ntouch " + mark("told") + "\nexec sleep 1000\n");
  Restartable site({marks / "program"}, "[svc]\nnotify : true\n");
  site.dir.await("status", "before");
  site.dir.await_state("RUNNING");
  const auto pid = site.dir.await_service();
  const auto ready = site.dir.state()["ready"];
  CHECK(ready != "");
  site.kill_and_start();
  CHECK(site.dir.status().pid == pid);
  CHECK(site.dir.state()["state"] == "RUNNING");
  CHECK(site.dir.state()["ready"] == ready);
  write_file(marks / "go", "");
  site.dir.await("status", "after");
  REQUIRE(wait_until([&] { return fs::exists(marks / "told"); }));
  CHECK_FALSE(fs::exists(marks / "bad"));
  CHECK(site.dir.status().pid == pid);
}

TEST_CASE("An adopted service that is not yet ready becomes it and its watchdog goes on") {
  TempDir marks;
  Restartable site(service({"started", marks / "started", "await", marks / "go", "notify", "READY=1", "await", marks / "stop"}),
                   "[svc]\nnotify : true\nwatchdog : 3\n");
  const auto pid = site.dir.await_service();
  CHECK(site.dir.state()["ready"] == "");
  site.kill_and_start();
  CHECK(site.dir.status().pid == pid);
  CHECK(site.dir.state()["ready"] == "");
  write_file(marks / "go", "");
  site.dir.await_that("readiness", [&] { return site.dir.state()["ready"] != ""; });
  CHECK(site.dir.status().pid == pid);
  // It beats no more.
  site.dir.await_that("a restart", [&] { return pids_in(marks / "started").size() == 2; });
}

// ---- E

TEST_CASE("E executes the program on disk and keeps supervise and service and everything that is known") {
  TempDir marks;
  const Upgradable up(service({"started", marks / "started", "first", marks / "once", "4", "await", marks / "go", "exit", "7"}));
  const auto pid = up.svc.await_service();
  up.svc.await_state("RUNNING");
  up.svc.write("s");
  up.svc.await("alarm", "off");
  const auto before = counters(up.svc);
  const auto status = up.svc.status();
  const auto open = descriptors(up.svc.pid());
  up.exchange();
  up.exchange();
  CHECK(counters(up.svc) == before);
  CHECK(same_time(up.svc.status(), status));
  CHECK(alive(pid));
  CHECK(process(pid)->parent == up.svc.pid());
  up.svc.await_that("as many descriptors as before", [&] { return descriptors(up.svc.pid()).size() == open.size(); });
  check_order(up.svc);
  if (has_program("fuser")) CHECK_THAT(run({"fuser", up.svc / "lock"}).out, contains(std::to_string(up.svc.pid())));
  CHECK(warnings(up.svc, "[WARNING]") == 0);

  write_file(marks / "go", "");
  const auto next = up.svc.await_service(pid);
  up.svc.await("exit", "code 7");
  up.svc.await_that("its start", [&] { return pids_in(marks / "started") == std::vector{pid, next}; });
  up.svc.write("r");
  up.svc.await_log("configuration read again");
  up.svc.write("dx");
  up.svc.await_exit();
  CHECK_FALSE(alive(next));
}

TEST_CASE("E goes on as another build and back again") {
  const char* other = std::getenv("SUPERVISE_DYNAMIC");
  SKIP_UNLESS(other && !fs::equivalent(other, supervise_program()), "there is one build only");
  const Upgradable up(service({"numbers", "1", "1000", "1"}));
  const auto pid = up.svc.await_service();
  const auto supervise_pid = up.svc.pid();
  up.exchange("E", other);
  up.exchange();
  CHECK(up.svc.pid() == supervise_pid);
  CHECK(up.svc.status().pid == pid);
  check_order(up.svc);
  up.svc.await_lines(up.svc / "__stdout", 1000);
  Words numbers;
  for (int i = 1; i <= 1000; ++i) numbers.push_back(std::to_string(i) + " " + std::string(static_cast<std::size_t>(i % 60), '.'));
  CHECK(lines_of(up.svc / "__stdout") == numbers);
  up.svc.write("k");
  up.svc.await_service(pid);
  CHECK(up.svc.state()["exit"] == "signal KILL");
}

TEST_CASE("No command is lost around twenty exchanges and ok always has its reader") {
  TempDir marks;
  const Upgradable up(service({"started", marks / "started", "trap", "got", marks / "got"}), "[svc]\nstopsignal : KILL\n");
  auto pid = up.svc.await_service();
  const auto started = [&](std::size_t n) { up.svc.await_that("start", [&] { return count_lines(marks / "got", "ready") == n; }); };
  started(1);
  std::atomic<bool> done{false}, missing{false};
  std::thread watcher([&] {
    while (!done) {
      if (!has_reader(up.svc / "ok") || !has_reader(up.svc / "control") || !alive(up.svc.pid())) missing = true;
      std::this_thread::sleep_for(200us);
    }
  });
  try {
    for (int i = 0; i < 10; ++i) {
      up.svc.write("E");
      up.svc.write("d");
      up.svc.await_state("STOPPED");
      CHECK_FALSE(alive(pid));
      up.svc.write("Eu");
      pid = up.svc.await_service();
      // One after the other while the exchange is under way.
      started(static_cast<std::size_t>(i) + 2);
      up.svc.write("E");
      const auto before = count_lines(marks / "got", "USR1") + count_lines(marks / "got", "10");
      for (std::size_t n = 1; n <= 5; ++n) {
        up.svc.write("1");
        up.svc.await_that("the signal",
                          [&] { return count_lines(marks / "got", "USR1") + count_lines(marks / "got", "10") >= before + n; });
      }
    }
  } catch (...) {
    done = true;
    watcher.join();
    throw;
  }
  done = true;
  watcher.join();
  CHECK_FALSE(missing);
  up.exchange();
  CHECK(up.exchanges() >= 20);
  CHECK(up.svc.status().pid == pid);
  CHECK(pids_in(marks / "started").size() == 11);
  INFO(up.svc.log());
  CHECK(warnings(up.svc, "[WARNING]") == 0);
  check_order(up.svc);
}

TEST_CASE("A second supervise is refused at every moment of an exchange") {
  TempDir marks;
  const Upgradable up(service({"started", marks / "started"}));
  const auto pid = up.svc.await_service();
  for (int i = 0; i < 10; ++i) {
    up.svc.write("E");
    for (int k = 0; k < 5; ++k) CHECK(supervise({"-p", up.svc.dir(), "-f", "touch " + (marks / "wrong").string()}, marks.path()).code == 100);
  }
  up.exchange();
  CHECK(up.svc.status().pid == pid);
  CHECK(pids_in(marks / "started").size() == 1);
  CHECK_FALSE(fs::exists(marks / "wrong"));
  check_order(up.svc);
}

TEST_CASE("E while a forking service is long on its way into the background follows it all the same") {
  TempDir marks;
  const Upgradable up(service({"await", marks / "go", "child", "3", "session", "started", marks / "started", "await", marks / "started", "exit", "0"}),
                      "[svc]\nforking : true\nstartsecs : 0\n");
  up.svc.await_service();
  up.svc.await_state("RUNNING");
  up.exchange();
  write_file(marks / "go", "");
  up.svc.await_log("the service goes on as pid");
  CHECK(pids_in(marks / "started") == std::vector{up.svc.status().pid});
  up.exchange();
  CHECK(up.svc.status().pid == pids_in(marks / "started")[0]);
}

TEST_CASE("A configuration that becomes faulty in the middle of an exchange delays it and signals do not end supervise") {
  const Upgradable up(service({}), "[svc]\n");
  const auto pid = up.svc.await_service();
  const auto conf = up.svc.work() / "supervise.conf";
  // It agrees to take over, and then finds another configuration.
  up.put("#!/bin/sh\ncase $1 in\n--can-resume*) echo 'stopwaitsecs : soon' >>" + conf.string() + "; exit 93 ;;\nesac\nexec " + supervise_program() + " \"$@\"\n", 0755);
  up.svc.write("E");
  up.svc.await_that("the new program", [&] { return same_file("/proc/" + std::to_string(up.svc.pid()) + "/exe", supervise_program()); });
  CHECK(holds_for(1500ms, [&] {
    ::kill(up.svc.pid(), SIGHUP);
    ::kill(up.svc.pid(), SIGIO);
    return alive(up.svc.pid()) && up.exchanges() == 0;
  }));
  write_file(conf, "[svc]\n");
  up.svc.await_that("the exchange", [&] { return up.exchanges() == 1; });
  CHECK(up.svc.status().pid == pid);
  up.svc.write("k");
  up.svc.await_service(pid);
}

TEST_CASE("E leaves a stopped service stopped") {
  TempDir marks;
  const Upgradable up(service({"started", marks / "started"}));
  up.svc.await_service();
  up.svc.await_state("RUNNING");
  up.svc.write("d");
  up.svc.await_state("STOPPED");
  const auto before = counters(up.svc);
  const auto status = up.svc.status();
  up.exchange();
  CHECK(counters(up.svc) == before);
  CHECK(same_time(up.svc.status(), status));
  CHECK(up.svc.status().want == 'd');
  CHECK(holds_for(1500ms, [&] { return pids_in(marks / "started").size() == 1; }));
  up.svc.write("u");
  CHECK(up.svc.await_service() > 0);
  up.svc.write("d");
  up.svc.await_state("STOPPED");
  up.svc.write("Ex");
  up.svc.await_exit();
}

TEST_CASE("E during back-off changes neither the delay nor the counters") {
  TempDir marks;
  const Upgradable up(service({"started", marks / "started", "exit", "3"}), "[svc]\nbackoff : exponential\nbackoff_factor : 4\n");
  up.svc.await_state("BACKOFF");
  up.svc.await_that("a long delay", [&] {
    const auto state = up.svc.state();
    return state["state"] == "BACKOFF" && state.number("next_start") - state.number("since") > 3;
  });
  const auto before = counters(up.svc);
  const auto due = up.svc.state().number("next_start");
  const auto starts = starts_in(marks / "started").size();
  up.exchange();
  CHECK(counters(up.svc) == before);
  CHECK(std::abs(up.svc.state().number("next_start") - due) < 0.01);
  CHECK(starts_in(marks / "started").size() == starts);
  up.svc.await_that("the next start", [&] { return starts_in(marks / "started").size() == starts + 1; });
  CHECK(up.svc.state()["exit"] == "code 3");
  const auto now = static_cast<double>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                           std::chrono::system_clock::now().time_since_epoch()).count()) / 1000;
  CHECK(std::abs(now - due) < allowed(1));
}

TEST_CASE("E leaves a service that was given up as it is") {
  TempDir marks;
  const Upgradable up(service({"started", marks / "started", "exit", "3"}), "[svc]\nstartretries : 1\n");
  up.svc.await_state("FATAL");
  const auto before = counters(up.svc);
  const auto starts = starts_in(marks / "started").size();
  up.exchange();
  CHECK(counters(up.svc) == before);
  CHECK(holds_for(1500ms, [&] { return starts_in(marks / "started").size() == starts; }));
  up.svc.write("u");
  up.svc.await_that("a start", [&] { return starts_in(marks / "started").size() > starts; });
}

TEST_CASE("The window of tries and of alarms goes on across an adoption and an exchange") {
  for (const bool adopted : {true, false}) {
    INFO(adopted);
    TempDir marks;
    write_script(marks / "alarm", "echo $SUPERVISE_EVENT >> " + (marks / "alarms").string() + "\n");
    const auto conf = "[svc]\nalarm_interval : 60\nmax_tries : 2\nalarm_command : " + (marks / "alarm").string() + "\n";
    Restartable site(service({"started", marks / "started"}), conf);
    auto pid = site.dir.await_service();
    for (int i = 0; i < 2; ++i) {
      REQUIRE(wait_until([&] { return site.dir.state()["state"] == "RUNNING"; }));
      ::kill(pid, SIGKILL);
      pid = site.dir.await_service(pid);
    }
    site.dir.await_that("an alarm", [&] { return lines_of(marks / "alarms").size() == 1; });
    if (adopted) {
      site.kill_and_start();
    } else {
      site.dir.write("E");
      site.dir.await_log("goes on as");
    }
    CHECK(site.dir.state()["tries"] == "2");
    site.dir.await_state("RUNNING");
    ::kill(pid, SIGKILL);
    REQUIRE(wait_until([&] { return !alive(site.pid); }));
    CHECK(site.dir.status().pid == 0);
    CHECK(site.dir.state()["exits"] == "3");
    REQUIRE(wait_until([&] { return lines_of(marks / "alarms").size() == 2; }));
    CHECK(pids_in(marks / "started").size() == 3);
  }
}

TEST_CASE("E while the service is being stopped or is paused goes on with that") {
  TempDir marks;
  const Upgradable up(service({"ignore", "TERM", "touch", marks / "set"}), "[svc]\nstopwaitsecs : 2\n");
  const auto pid = up.svc.await_service();
  REQUIRE(wait_until([&] { return fs::exists(marks / "set"); }));
  up.svc.write("p");
  up.svc.await("paused", "1");
  up.exchange();
  CHECK(up.svc.status().paused == 1);
  CHECK(process(pid)->state == 'T');
  up.svc.write("c");
  up.svc.await("paused", "0");
  up.svc.write("d");
  up.svc.await_state("STOPPING");
  const auto told = monotonic_now();
  up.exchange();
  CHECK(up.svc.state()["state"] == "STOPPING");
  up.svc.await_state("STOPPED");
  CHECK(monotonic_now() - told < allowed(4));
  CHECK(up.svc.state()["exit"] == "signal KILL");
}

TEST_CASE("A program that cannot be executed is no upgrade and everything goes on") {
  TempDir marks;
  const Upgradable up(service({"started", marks / "started"}));
  auto pid = up.svc.await_service();
  const std::pair<const char*, std::function<void()>> faults[] = {
      {"garbage", [&] { up.put("\x7f" "ELF garbage", 0755); }},
      {"empty", [&] { up.put("", 0755); }},
      {"missing", [&] { fs::remove(up.place / "supervise"); }},
      {"not executable",
       [&] {
         up.install();
         fs::permissions(up.place / "supervise", fs::perms(0644));
       }},
      {"a program that is content with everything", [&] { up.put("#!/bin/sh\nexit 0\n", 0755); }},
      {"another version", [&] { up.put("#!/bin/sh\nexit 100\n", 0755); }},
      {"dies", [&] { up.put("#!/bin/sh\nkill -SEGV $$\n", 0755); }},
      {"a directory",
       [&] {
         fs::remove(up.place / "supervise");
         fs::create_directory(up.place / "supervise");
       }},
  };
  for (const auto& [name, break_it] : faults) {
    INFO(name);
    break_it();
    const auto before = warnings(up.svc);
    up.svc.write("E");
    up.svc.await_that(std::string("a warning: ") + name, [&] { return warnings(up.svc) == before + 1; });
    CHECK(up.svc.status().pid == pid);
    check_order(up.svc);
    up.svc.write("k");
    pid = up.svc.await_service(pid);
    up.svc.await("exit", "signal KILL");
  }
  CHECK(up.exchanges() == 0);
  up.svc.await_that("its own word", [&] { return living(marks / "started") == 1; });
  fs::remove(up.place / "supervise");
  up.exchange();
  CHECK(up.svc.status().pid == pid);
  check_order(up.svc);
}

TEST_CASE("A program that gives no answer is no upgrade and delays nothing") {
  const Upgradable up(service({}));
  auto pid = up.svc.await_service();
  up.svc.await_state("RUNNING");
  up.put("#!/bin/sh\nexec sleep 1000\n", 0755);
  up.svc.write("E");
  up.svc.write("k");
  pid = up.svc.await_service(pid);
  up.svc.await_that("a warning", [&] { return warnings(up.svc) == 1; });
  CHECK(up.svc.status().pid == pid);
  check_order(up.svc);
  up.exchange();
}

TEST_CASE("E with a faulty configuration is no upgrade and everything goes on") {
  const Upgradable up(service({}), "[svc]\nstopwaitsecs : 5\n");
  auto pid = up.svc.await_service();
  const auto conf = up.svc.work() / "supervise.conf";
  for (const std::string fault : {"[svc]\nstopwaitsecs : many\n", "[svc]\nmax_tries : -\n", ""}) {
    INFO(fault);
    if (fault.empty())
      fs::remove(conf);
    else
      write_file(conf, fault);
    const auto before = warnings(up.svc);
    up.svc.write("E");
    up.svc.await_that("a warning", [&] { return warnings(up.svc) == before + 1; });
    CHECK(up.svc.status().pid == pid);
    check_order(up.svc);
    up.svc.write("k");
    pid = up.svc.await_service(pid);
  }
  CHECK(up.exchanges() == 0);
  write_file(conf, "[svc]\nstopwaitsecs : 6\n");
  up.exchange();
  CHECK(up.svc.status().pid == pid);
}

TEST_CASE("A service that dies while supervise is exchanged is restarted and its exit is exact") {
  TempDir marks;
  const Upgradable up(service({"started", marks / "started"}), "[svc]\nstartsecs : 0\n");
  auto pid = up.svc.await_service();
  constexpr int kRounds = 12;
  constexpr int kSignals[] = {SIGKILL, SIGUSR1, SIGINT, SIGQUIT};
  const std::string names[] = {"signal KILL", "signal USR1", "signal INT", "signal QUIT"};
  for (int i = 0; i < kRounds; ++i) {
    INFO(i);
    // The service could die before it is its own.
    up.svc.await_that("its start", [&] { return pids_in(marks / "started").size() == static_cast<std::size_t>(i) + 1; });
    const auto handed = count_lines(up.svc / "supervise.log", "handing over"), gone = up.exchanges();
    if (i % 3 == 2) ::kill(pid, kSignals[i % 4]);
    up.svc.write("E");
    if (i % 3 == 1)
      REQUIRE(wait_until([&, until = Clock::now() + kPatience] {
        while (count_lines(up.svc / "supervise.log", "handing over") == handed && Clock::now() < until) {
        }
        return true;
      }));
    if (i % 3 == 0) std::this_thread::sleep_for(i * 500us);
    if (i % 3 != 2) ::kill(pid, kSignals[i % 4]);
    pid = up.svc.await_service(pid);
    up.svc.await("pid", std::to_string(pid));
    const auto exit = up.svc.state()["exit"];
    if (kSignals[i % 4] == SIGQUIT)
      CHECK_THAT(exit, contains("signal QUIT"));
    else
      CHECK(exit == names[i % 4]);
    up.svc.await_that("the exchange", [&] { return up.exchanges() == gone + 1; });
    // `state` follows `status` by a moment.
    up.svc.await("starts", std::to_string(i + 2));
    CHECK(up.svc.state()["exits"] == std::to_string(i + 1));
    CHECK(alive(up.svc.pid()));
  }
  up.svc.await_that("one copy", [&] { return living(marks / "started") == 1; });
  CHECK(pids_in(marks / "started").size() == kRounds + 1);
  CHECK(count_lines(up.svc / "supervise.log", "service exited") == kRounds);
  check_order(up.svc);
}

// ---- Two users

TEST_CASE("A directory in which another user supervises or has left a service is not taken over") {
  SKIP_UNLESS(is_root() && has_program("setpriv"), "needs root and setpriv");
  for (const bool by_root : {true, false}) {
    INFO("first by " << (by_root ? "root" : "another user"));
    TempDir work;
    fs::copy_file(supervise_program(), work / "supervise");
    fs::create_directory(work / "home");
    REQUIRE(chown((work / "home").c_str(), 65534, 65534) == 0);
    fs::permissions(work.path(), fs::perms(0755));
    const StatusDir dir(work / "home/svc");
    const auto start = [&](bool as_root) {
      Words words = {work / "supervise", "-u", dir.dir(), "sleep", "1000"};
      if (!as_root) words.insert(words.begin(), {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"});
      return run(Command{.argv = words, .directory = work / "home"});
    };
    if (by_root) {
      fs::create_directory(dir.dir());
      fs::permissions(dir.dir(), fs::perms(0755));
      REQUIRE(chown(dir.dir().c_str(), 65534, 65534) == 0);
    }
    REQUIRE(start(by_root).code == 0);
    const auto pid = dir.await_service();
    const auto first = dir.recorded_supervise();
    const auto second = start(!by_root);
    CHECK(second.code == 100);
    CHECK_THAT(second.err, contains("already supervised by pid " + std::to_string(first)));
    CHECK(dir.await_service() == pid);
    ::kill(first, SIGKILL);
    REQUIRE(wait_until([&] { return !alive(first); }));
    (void)start(!by_root);
    CHECK(holds_for(500ms, [&] { return alive(pid) && dir.state()["pid"] != std::to_string(pid); }));
    ::kill(pid, SIGKILL);
    dir.await_service(pid);
    CHECK(dir.recorded_supervise() != first);
    dir.write("dx");
    dir.await_exit();
  }
}
