// Section 7 of the contract: what a service leaves behind, and services that put themselves into the background.
#include <algorithm>

#include "harness.h"

using namespace harness;

namespace {

std::string section(std::initializer_list<std::string> lines) {
  std::string text = "[svc]\n";
  for (const auto& line : lines) text += line + "\n";
  return text;
}

void await_end_of(const StatusDir& dir, pid_t pid) {
  dir.await_that("the end of pid " + std::to_string(pid), [pid] { return !alive(pid); });
}

// The living processes that have this directory in their arguments, supervise aside.
std::vector<pid_t> users_of(const fs::path& directory, pid_t supervise) {
  std::vector<pid_t> found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const pid_t pid = std::atoi(entry.path().filename().c_str());
    if (pid <= 0 || pid == supervise || !alive(pid)) continue;
    const auto words = arguments(pid);
    if (words.empty() || words[0] != service({})[0]) continue;
    if (std::ranges::any_of(words,
                            [&](const auto& word) { return word.find(directory.string()) != std::string::npos; }))
      found.push_back(pid);
  }
  return found;
}

// The words of a process that leaves a daemon, forked twice and in a session of its own, which carries out `last`.
Words daemonizing(Words last) {
  Words inner = {"session", "child", std::to_string(last.size())};
  inner.insert(inner.end(), last.begin(), last.end());
  inner.insert(inner.end(), {"exit", "0"});
  Words words = {"child", std::to_string(inner.size())};
  words.insert(words.end(), inner.begin(), inner.end());
  return words;
}

Words service_of(Words first, const Words& second = {}) {
  first.insert(first.end(), second.begin(), second.end());
  auto words = service({});
  words.insert(words.end(), first.begin(), first.end());
  return words;
}

pid_t pid_after(const StatusDir& dir, const fs::path& started, std::size_t line) {
  dir.await_lines(started, line);
  return pids_in(started)[line - 1];
}

}  // namespace

// ---- Left behind

TEST_CASE("What survives its service is named once in the log with pid and name") {
  TempDir work;
  const auto left = work / "left";
  const Words words = service({"first", work / "once", "5", "child", "3", "session", "started", left});
  const Supervised other({.command = words});
  const auto orphan = pid_after(other, left, 1);
  ::kill(other.await_service(), SIGKILL);
  const auto line = "left behind: pid " + std::to_string(orphan) + " service";
  other.await_log(line);
  CHECK(count_lines(other / "supervise.log.wf", line) == 1);
  const auto second = other.await_service();
  other.await_state("RUNNING");
  ::kill(second, SIGKILL);
  other.await("exits", "2");
  CHECK(holds_for(1300ms, [&] { return count_lines(other / "supervise.log", "left behind") == 1; }));
  CHECK(alive(orphan));
  CHECK(process(orphan)->parent == other.pid());
}

TEST_CASE("Processes that end within a moment after their service are not named") {
  TempDir work;
  const Supervised svc({.command = service({"started", work / "starts", "first", work / "once", "8", "child", "6",
                                            "await", work / "go", "sleep", "150", "exit", "0"})});
  const auto pid = svc.await_service();
  svc.await_that("the child", [&] { return children(pid).size() == 1; });
  write_file(work / "go", "");
  svc.write("k");
  svc.await_service(pid);
  CHECK(holds_for(1300ms, [&] { return svc.log().find("left behind") == std::string::npos; }));
}

TEST_CASE("Only what the dead service left is named and not the new service nor what that one makes") {
  TempDir work;
  const auto log = work / "children";
  const Supervised svc({.command = service({"child", "3", "session", "started", log})});
  const auto first = pid_after(svc, log, 1);
  svc.await_state("RUNNING");
  svc.write("k");
  pid_after(svc, log, 2);
  svc.await_log("left behind: pid " + std::to_string(first) + " service");
  CHECK(holds_for(300ms, [&] { return count_lines(svc / "supervise.log", "left behind") == 1; }));
}

TEST_CASE("Without kill_tree what is left behind lives on and dx names it too") {
  TempDir work;
  const auto left = work / "left";
  const Supervised svc({.command = service({"child", "3", "session", "started", left})});
  const auto orphan = pid_after(svc, left, 1);
  svc.write("dx");
  svc.await_exit();
  CHECK(alive(orphan));
  CHECK(count_lines(svc / "supervise.log", "left behind: pid " + std::to_string(orphan) + " service") == 1);
}

TEST_CASE("A daemonizing service without forking is named as left behind and with kill_tree nothing is left") {
  TempDir work;
  for (const bool kills : {false, true}) {
    const auto left = work / (kills ? "killed" : "left");
    const Supervised svc({.command = service_of(daemonizing({"started", left}), {"sleep", "100", "exit", "0"}),
                          .conf = section({std::string("kill_tree : ") + (kills ? "true" : "false")})});
    const auto orphan = pid_after(svc, left, 1);
    if (kills)
      await_end_of(svc, orphan);
    else
      svc.await_log("left behind: pid " + std::to_string(orphan) + " service");
    svc.await_lines(left, 2);
    CHECK(alive(orphan) != kills);
    svc.write("dx");
    svc.await_exit();
    for (const auto pid : pids_in(left)) CHECK(alive(pid) != kills);
  }
}

TEST_CASE("Orphans are reaped") {
  const Supervised svc(
      {.command = {"sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do (sleep 0.1 &); done; exec sleep 1000"}});
  const auto pid = svc.await_service();
  svc.await_that("the orphans", [&] { return children(svc.pid()).size() > 1; });
  svc.await_that("no zombies", [&] { return children(svc.pid()) == std::vector{pid}; });
}

// ---- kill_tree

TEST_CASE("kill_tree ends what forked twice and moved to other sessions before the next start") {
  TempDir work;
  const auto left = work / "left";
  const auto starts = work / "starts";
  Words words = {"started", starts};
  for (const auto& more : {Words{"child", "3", "session", "started", left}, daemonizing({"started", left}),
                           daemonizing({"child", "3", "session", "started", left, "started", left})})
    words.insert(words.end(), more.begin(), more.end());
  const Supervised svc({.command = service_of(words), .conf = section({"kill_tree : true"})});
  svc.await_lines(left, 4);
  svc.write("k");
  svc.await_lines(starts, 2);
  svc.await_lines(left, 8);
  const auto pids = pids_in(left);
  for (std::size_t i = 0; i < 4; ++i) CHECK_FALSE(alive(pids[i]));
  for (std::size_t i = 4; i < 8; ++i) CHECK(alive(pids[i]));
  CHECK_THAT(svc.log(), !contains("left behind"));
  svc.write("dx");
  svc.await_exit();
  for (const auto pid : pids) CHECK_FALSE(alive(pid));
}

TEST_CASE("The restart waits for those that ignore TERM and KILL comes after stopwaitsecs") {
  TempDir work;
  const auto left = work / "left";
  const auto starts = work / "starts";
  const auto signals = work / "signals";
  const Supervised svc({.command = service({"started", starts, "first", work / "once", "8", "child", "6", "session",
                                            "trap", "orphan", signals, "started", left}),
                        .conf = section({"kill_tree : true", "stopwaitsecs : 0.8", "startsecs : 0.1"})});
  svc.await_lines(signals, 1);
  svc.await_state("RUNNING");
  const auto service_pid = svc.await_service();
  const auto death = monotonic_now();
  ::kill(service_pid, SIGKILL);
  svc.await_that("the wait", [&] { return svc.state()["reason"].find("left behind") != std::string::npos; });
  CHECK(svc.state()["state"] == "BACKOFF");
  CHECK(svc.status().pid == 0);
  svc.await_lines(starts, 2);
  CHECK(starts_in(starts)[1] - death > 0.75);
  CHECK(starts_in(starts)[1] - death < allowed(5));
  const auto lines = lines_of(signals);
  REQUIRE(lines.size() >= 3);
  CHECK(lines[1] == "orphan TERM");
  CHECK(lines[2] == "orphan CONT");
  svc.await_that("the end of the first tree", [&] { return users_of(work.path(), svc.pid()).size() == 1; });
}

TEST_CASE("Commands are obeyed while kill_tree waits and d leaves none") {
  TempDir work;
  const auto signals = work / "signals";
  const Supervised svc({.command = service({"child", "4", "session", "trap", "orphan", signals}),
                        .conf = section({"kill_tree : true", "stopwaitsecs : 1"})});
  svc.await_lines(signals, 1);
  ::kill(svc.await_service(), SIGKILL);
  svc.await_that("the wait", [&] { return svc.state()["reason"].find("left behind") != std::string::npos; });
  svc.write("s");
  svc.await("alarm", "off");
  svc.write("d");
  svc.await_state("STOPPED");
  svc.await_that("none", [&] { return users_of(work.path(), svc.pid()).empty(); });
  CHECK(svc.state()["starts"] == "1");
  svc.write("u");
  svc.await_service();
}

TEST_CASE("kill_tree ends a tree in which parents and children ignore TERM level by level") {
  TempDir work;
  const auto left = work / "left";
  const Supervised svc({.command = service({"ignore",  "TERM",  "child",   "13",      "session", "child", "10",
                                            "session", "child", "7",       "session", "child",   "3",     "session",
                                            "started", left,    "started", left,      "started", left}),
                        .conf = section({"kill_tree : true", "stopwaitsecs : 0.4"})});
  svc.await_lines(left, 3);
  svc.write("dx");
  svc.await_exit();
  CHECK(users_of(work.path(), 0).empty());
}

TEST_CASE("kill_tree ends one that keeps forking while it is being killed") {
  for (const std::string pause : {"2", "0"}) {
    TempDir work;
    const auto log = work / "chain";
    const Supervised svc(
        {.command = service({"child", "7", "session", "ignore", "TERM", "started", log, "chain", pause}),
         .conf = section({"kill_tree : true", "stopwaitsecs : 0.3"})});
    const auto group = pid_after(svc, log, 1);
    svc.write("dx");
    svc.await_exit();
    INFO("a new process every " << pause << " ms");
    CHECK(wait_until([&] { return ::kill(-group, 0) != 0; }));
    ::kill(-group, SIGKILL);
  }
}

TEST_CASE("kill_tree ends a hundred orphans") {
  TempDir work;
  const auto left = work / "left";
  const Supervised svc({.command = service({"repeat", "100", "5", "child", "3", "session", "started", left}),
                        .conf = section({"kill_tree : true", "stopwaitsecs : 5"})});
  svc.await_lines(left, 100);
  const auto begin = monotonic_now();
  svc.write("dx");
  svc.await_exit();
  CHECK(monotonic_now() - begin < allowed(4));
  CHECK(users_of(work.path(), 0).empty());
}

TEST_CASE("kill_tree leaves the restart script and the alarm program alone") {
  TempDir work;
  write_script(work / "hook", "sleep 0.5; echo hook >> " + (work / "done").string());
  write_script(work / "alarm", "sleep 0.5; echo alarm >> " + (work / "done").string());
  const Supervised svc(
      {.command = service({"child", "1", "session"}),
       .conf = section({"kill_tree : true", "alarm_interval : 60", "alarm_command : " + (work / "alarm").string()}),
       .options = {"-r", work / "hook"}});
  const auto pid = svc.await_service();
  svc.write("k");
  svc.await_service(pid);
  svc.await_lines(work / "done", 2);
  CHECK_THAT(svc.log(), !contains("failed"));
}

// ---- forking

TEST_CASE("redis-server in the background is the service with its exit told exactly") {
  SKIP_UNLESS(has_program("redis-server"), "redis is not here");
  TempDir work;
  const Supervised svc({.command = {"redis-server", "--port", "0", "--unixsocket", work / "sock", "--save", "", "--dir",
                                    work.path(), "--daemonize", "yes", "--pidfile", work / "pid"},
                        .conf = section({"forking : true", "pidfile : " + (work / "pid").string()})});
  const auto serves = [&] { return ask(work / "sock", "PING\r\n").starts_with("+PONG"); };
  svc.await_that("service", serves);
  const auto is_daemon = [&] { return svc.status().pid == std::atoi(text_of(work / "pid").c_str()) && serves(); };
  svc.await_that("the pid of the daemon", is_daemon);
  const auto first = svc.status().pid;
  CHECK(process(first)->parent == svc.pid());
  svc.await_state("RUNNING");
  CHECK(svc.state()["starts"] == "1");
  CHECK(svc.state()["exits"] == "0");
  REQUIRE(shell("kill -9 " + std::to_string(first)).code == 0);
  svc.await("exit", "signal KILL");
  svc.await_that("service again", [&] { return svc.status().pid != first && is_daemon(); });
  CHECK(svc.state()["exits"] == "1");
  const auto second = svc.status().pid;
  svc.write("d");
  svc.await_state("STOPPED");
  CHECK(svc.state()["exit"] == "code 0");
  CHECK_FALSE(alive(second));
  CHECK_FALSE(serves());
  svc.write("u");
  svc.await_that("service once more", is_daemon);
  svc.write("dx");
  svc.await_exit();
  CHECK_FALSE(serves());
  CHECK_THAT(svc.log(), !contains("[WARNING]"));
}

TEST_CASE("nginx in the background is the service with and without pidfile") {
  SKIP_UNLESS(has_program("nginx"), "nginx is not here");
  for (const bool named : {false, true}) {
    TempDir work;
    const auto port = free_port();
    write_file(work / "nginx.conf", nginx_conf(work.path(), port, "daemon on;\nworker_processes 2;\n"));
    const Supervised svc({.command = {"nginx", "-p", work.path(), "-c", work / "nginx.conf", "-e", "stderr"},
                          .conf = section({"forking : true", "stopsignal : QUIT",
                                           named ? "pidfile : " + (work / "pid").string() : ""})});
    const auto serves = [port] {
      return ask(port, "GET / HTTP/1.0\r\n\r\n").find("at your service") != std::string::npos;
    };
    svc.await_that("service", serves);
    const auto is_master = [&] {
      return svc.status().pid != 0 && svc.status().pid == std::atoi(text_of(work / "pid").c_str());
    };
    svc.await_that("the pid of the master", is_master);
    const auto first = svc.status().pid;
    CHECK(process(first)->parent == svc.pid());
    CHECK(children(first).size() == 2);
    svc.write("d");
    svc.await_state("STOPPED");
    CHECK_FALSE(serves());
    svc.write("u");
    svc.await_that("service again", [&] { return svc.status().pid != first && is_master() && serves(); });
    CHECK(svc.state()["exits"] == "1");
    svc.write("dx");
    svc.await_exit();
    CHECK_FALSE(serves());
  }
}

TEST_CASE("A daemon that forks twice is followed and waited for like any child") {
  TempDir work;
  const auto log = work / "daemons";
  const Supervised svc(
      {.command = service_of(daemonizing({"started", log}), {"exit", "0"}), .conf = section({"forking : true"})});
  const auto first = pid_after(svc, log, 1);
  svc.await_that("the daemon", [&] { return svc.status().pid == first; });
  svc.await_state("RUNNING");
  CHECK(svc.state()["exits"] == "0");
  ::kill(first, SIGUSR1);
  const auto second = pid_after(svc, log, 2);
  CHECK(svc.state()["exit"] == "signal USR1");
  svc.await_that("the second daemon", [&] { return svc.status().pid == second; });
  svc.write("dx");
  svc.await_exit();
  CHECK_FALSE(alive(second));
}

TEST_CASE("Of several survivors a pidfile that comes late tells which is the service") {
  TempDir work;
  const auto pidfile = work / "pid";
  const auto log = work / "main";
  const auto helpers = work / "helpers";
  Words words = {"child", "3", "session", "started", helpers};
  const Words main = {"child", "7", "session", "started", log, "sleep", "400", "pidfile", pidfile};
  words.insert(words.end(), main.begin(), main.end());
  words.insert(words.end(), {"child", "3", "session", "started", helpers, "await", log, "exit", "0"});
  const Supervised svc({.command = service_of(words),
                        .conf = section({"forking : true", "kill_tree : true", "pidfile : " + pidfile.string()})});
  const auto pid = pid_after(svc, log, 1);
  svc.await_that("the right one", [&] { return svc.status().pid == pid; });
  CHECK(svc.state()["exits"] == "0");
  ::kill(pid, SIGKILL);
  const auto next = pid_after(svc, log, 2);
  CHECK(svc.state()["exit"] == "signal KILL");
  // The pid file of the run before does not name a process of this one.
  svc.await_that("the right one again", [&] { return svc.status().pid == next; });
  svc.write("dx");
  svc.await_exit();
  CHECK(users_of(work.path(), 0).empty());
}

TEST_CASE("A pidfile that names a stranger is not believed and the stranger gets no signal") {
  TempDir work;
  Child stranger({.argv = service({})});
  write_file(work / "pid", std::to_string(stranger.pid()) + "\n");
  const auto log = work / "daemons";
  const Supervised svc(
      {.command = service({"child", "3", "session", "started", log, "child", "3", "session", "started", log, "await",
                           log, "sleep", "50", "exit", "0"}),
       .conf = section({"forking : true", "kill_tree : true", "pidfile : " + (work / "pid").string()})});
  svc.await_lines(log, 2);
  svc.await_log("the service goes on as pid");
  CHECK(holds_for(400ms, [&] { return svc.status().pid != stranger.pid(); }));
  const auto pids = pids_in(log);
  CHECK(std::ranges::find(pids, svc.status().pid) != pids.end());
  svc.write("tdx");
  svc.await_exit();
  CHECK(stranger.running());
}

TEST_CASE("A launcher that exits with 1 is a failed start whatever it leaves") {
  TempDir work;
  const auto log = work / "left";
  const Supervised svc({.command = service({"child", "3", "session", "started", log, "await", log, "exit", "1"}),
                        .conf = section({"forking : true", "backoff : exponential", "backoff_factor : 30"})});
  svc.await_state("BACKOFF");
  CHECK(svc.state()["reason"] == "exited too quickly");
  CHECK(svc.state()["exit"] == "code 1");
  CHECK(svc.status().pid == 0);
  const auto orphan = pid_after(svc, log, 1);
  svc.await_log("left behind: pid " + std::to_string(orphan));
}

TEST_CASE("A launcher that is killed when it has made the daemon leaves the service and d ends it") {
  TempDir work;
  const auto log = work / "left";
  const Supervised svc({.command = service({"child", "3", "session", "started", log, "await", log, "sleep", "100000"}),
                        .conf = section({"forking : true"})});
  const auto daemon = pid_after(svc, log, 1);
  svc.await_that("the launcher", [&] { return svc.status().pid != 0; });
  svc.write("k");
  svc.await_log("the service goes on as pid " + std::to_string(daemon));
  svc.await_that("the daemon's pid", [&] { return svc.status().pid == daemon; });
  CHECK(svc.state()["starts"] == "1");
  svc.write("dx");
  svc.await_exit();
  CHECK_FALSE(alive(daemon));
  CHECK(svc.log().find("left behind") == std::string::npos);
}

TEST_CASE("A daemon in the background that is killed is started again although a child of it lives on") {
  TempDir work;
  const auto log = work / "left";
  const Supervised svc({.command = service({"child", "9", "session", "child", "2", "sleep", "100000", "started", log, "sleep", "100000", "await", log, "exit", "0"}),
                        .conf = section({"forking : true", "kill_tree : true", "stopwaitsecs : 2"})});
  const auto daemon = pid_after(svc, log, 1);
  svc.await_log("the service goes on as pid " + std::to_string(daemon));
  svc.write("E");
  svc.await_log("supervise goes on as");
  svc.await_state("RUNNING");
  REQUIRE(kill(daemon, SIGKILL) == 0);
  svc.await_log("service exited! pid " + std::to_string(daemon) + ", signal KILL");
  svc.await_log("the service goes on as pid " + std::to_string(pid_after(svc, log, 2)));
}

TEST_CASE("A launcher that leaves nothing is a failed start") {
  const Supervised svc({.command = service({"exit", "0"}),
                        .conf = section({"forking : true", "backoff : exponential", "backoff_factor : 30"})});
  svc.await_state("BACKOFF");
  CHECK(svc.state()["reason"] == "exited too quickly");
  CHECK(svc.state()["exit"] == "code 0");
}

TEST_CASE("A daemon in the background that ignores TERM gets KILL after stopwaitsecs") {
  TempDir work;
  const auto log = work / "signals";
  const Supervised svc({.command = service({"child", "4", "session", "trap", "daemon", log, "await", log, "exit", "0"}),
                        .conf = section({"forking : true", "stopwaitsecs : 0.5"})});
  svc.await_lines(log, 1);
  svc.await_log("the service goes on as pid");
  const auto begin = monotonic_now();
  svc.write("d");
  svc.await_state("STOPPED");
  CHECK(monotonic_now() - begin > 0.45);
  CHECK(svc.state()["exit"] == "signal KILL");
  CHECK(lines_of(log) == Words{"daemon ready", "daemon TERM", "daemon CONT"});
}

TEST_CASE("d while the launcher still runs leaves no daemon") {
  TempDir work;
  const auto log = work / "left";
  const Supervised svc({.command = service({"child", "3", "session", "started", log, "trap", "launcher",
                                            work / "signals", "await", work / "go", "exit", "0"}),
                        .conf = section({"forking : true", "stopwaitsecs : 5"})});
  const auto daemon = pid_after(svc, log, 1);
  svc.await_lines(work / "signals", 1);
  svc.write("d");
  svc.await_lines(work / "signals", 3);
  const auto begin = monotonic_now();
  write_file(work / "go", "");
  svc.await_state("STOPPED");
  CHECK_FALSE(alive(daemon));
  CHECK(svc.state()["exit"] == "signal TERM");
  CHECK(monotonic_now() - begin < allowed(4));
}
