// supervisectl(1) on real services: ours, and those of daemontools and runit.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "harness.h"

using namespace harness;

namespace {

// A working directory with a configuration and a root of status directories.
struct Site {
  explicit Site(const std::string& conf = "") {
    if (!conf.empty()) write_file(work / "supervise.conf", conf);
    fs::create_directory(work / "status");
  }
  [[nodiscard]] Result ctl(Words words, const std::map<std::string, std::string>& environment = {}) const {
    words.insert(words.begin(), supervisectl_program());
    return run(Command{.argv = words, .directory = work.path(), .environment = environment});
  }
  // The same, and it has to succeed.
  std::string done(const Words& words) const {
    const auto result = ctl(words);
    INFO("supervisectl " << words[0] << " ...: " << result.err);
    CHECK(result.code == 0);
    CHECK(result.err.empty());
    return result.out;
  }
  [[nodiscard]] StatusDir dir(const std::string& name) const { return StatusDir(work / "status" / name); }
  TempDir work;
};

std::string joined(const Words& words) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

std::string section(const std::string& name, const Words& command, const std::string& more = "") {
  return "[" + name + "]\ncommand : " + joined(command) + "\n" + more;
}

const std::string kTwo = section("web-1", {"sleep", "1000"}) + section("web-2", {"sleep", "1000"}) + section("other", {"sleep", "1000"});

TEST_CASE("the name of a directory cannot harm the terminal") {
  const Site site;
  fs::create_directories(site.work / "status" / "web\x1b[2J" / "supervise");
  for (const auto& words : {Words{"status", "--quiet"}, Words{"status"}, Words{"stop", "web*"}, Words{"check"}, Words{"wait", "up", "-t", "1", "all"}, Words{"tail", "-n", "1", "all"}}) {
    const auto result = site.ctl(words);
    INFO(words[0] << ": " << result.out << result.err);
    CHECK((result.out + result.err).find("web") != std::string::npos);
    CHECK((result.out + result.err).find('\x1b') == std::string::npos);
  }
}

TEST_CASE("a start after a stop that supervise has not read yet is the last word") {
  const Site site(kTwo);
  site.done({"start", "web-1"});
  const auto dir = site.dir("web-1");
  const auto pid = dir.await_service();
  for (const std::string last : {"start", "stop"}) {
    const auto supervise = dir.recorded_supervise();
    ::kill(supervise, SIGSTOP);
    dir.write(last == "start" ? "d" : "u");
    CHECK(site.done({last, "web-1"}).find("web-1: already ") == 0);
    ::kill(supervise, SIGCONT);
    dir.await_that("the last word", [&] { return last == "start" ? dir.status().pid != pid && dir.state()["state"] == "RUNNING" : dir.state()["state"] == "STOPPED"; });
    if (last == "start") site.done({"stop", "web-1"});
  }
  CHECK(holds_for(300ms, [&] { return dir.status().pid == 0; }));
}

TEST_CASE("supervisectl starts and stops and restarts services and says what became of each") {
  const Site site(kTwo);
  const auto started = site.done({"start", "web-1", "web-2"});
  const auto one = site.dir("web-1").await_service(), two = site.dir("web-2").await_service();
  CHECK(lines_in(started).size() == 2);
  CHECK(started.find("web-1: running (pid " + std::to_string(one) + ")\n") != std::string::npos);
  CHECK(site.dir("web-2").state()["state"] == "RUNNING");
  CHECK(site.done({"start", "web-1"}) == "web-1: already running (pid " + std::to_string(one) + ")\n");

  const auto restarted = site.done({"restart", "web-*"});
  const auto next = site.dir("web-1").status().pid;
  CHECK(next != one);
  CHECK(site.dir("web-2").status().pid != two);
  CHECK(restarted.find("web-1: restarted (pid " + std::to_string(next) + ")\n") != std::string::npos);

  CHECK(site.done({"stop", "web-1"}) == "web-1: stopped\n");
  CHECK_FALSE(alive(next));
  CHECK(site.dir("web-1").status().want == 'd');
  CHECK(site.done({"stop", "web-1"}) == "web-1: already stopped\n");
  CHECK(alive(site.dir("web-2").status().pid));

  const auto supervise = site.dir("web-2").recorded_supervise();
  auto ended = lines_in(site.done({"exit", "all"}));
  std::sort(ended.begin(), ended.end());
  CHECK(ended == Words{"web-1: stopped, its supervise has ended", "web-2: stopped, its supervise has ended"});
  CHECK(wait_until([&] { return !alive(supervise); }));
  CHECK(site.done({"exit", "web-1"}) == "web-1: already down, no supervise runs there\n");
}

TEST_CASE("supervisectl start says why a service does not run") {
  const Site site(section("bad", {"no-such-program"}) + section("brief", service({"exit", "3"}), "startretries : 1\n"));
  const auto bad = site.ctl({"start", "bad"});
  CHECK(bad.code == 1);
  CHECK_THAT(bad.err, Catch::Contains("bad: BACKOFF: command not found: no-such-program; supervise goes on trying"));
  const auto brief = site.ctl({"start", "brief"});
  CHECK(brief.code == 1);
  CHECK_THAT(brief.err, Catch::Contains("brief: ") && Catch::Contains("exited too quickly (code 3)"));
  site.dir("brief").await_state("FATAL");
  CHECK(site.ctl({"start", "brief"}).code == 1);
}

TEST_CASE("supervisectl start takes a run file and says what it lacks where there is nothing to start") {
  const Site site;
  fs::create_directory(site.work / "status/runner");
  write_script(site.work / "status/runner/run", "exec sleep 1000");
  CHECK_THAT(site.done({"start", "runner"}), Catch::Contains("runner: running (pid "));
  site.dir("runner").await_command({"sleep", "1000"});
  const auto none = site.ctl({"start", "nothing"});
  CHECK(none.code == 4);
  CHECK_THAT(none.err, Catch::Contains("nothing: no such service in "));
  CHECK_FALSE(fs::exists(site.work / "status/nothing"));
  write_file(site.work / "supervise.conf", "[nothing]\ncommand : sleep 1\nstopwaitsecs : never\n");
  const auto faulty = site.ctl({"start", "nothing"});
  CHECK(faulty.code == 1);
  CHECK_THAT(faulty.err, Catch::Contains("supervise.conf:3: ") && Catch::Contains("the configuration is faulty"));
}

TEST_CASE("supervisectl start with a service whose supervise was killed adopts it") {
  const Site site(kTwo);
  site.done({"start", "web-1"});
  const auto pid = site.dir("web-1").await_service();
  const auto supervise = site.dir("web-1").recorded_supervise();
  ::kill(supervise, SIGKILL);
  REQUIRE(wait_until([&] { return !alive(supervise); }));
  const auto status = site.ctl({"status"});
  CHECK(status.code == 3);
  CHECK_THAT(status.out, Catch::Contains("UNSUPERVISED") && Catch::Contains("pid " + std::to_string(pid) + " runs on"));
  const auto stop = site.ctl({"stop", "web-1"});
  CHECK(stop.code == 1);
  CHECK_THAT(stop.err, Catch::Contains("`supervisectl start` lets one adopt it"));
  for (const Words& words : {Words{"restart", "web-1"}, Words{"exit", "web-1"}, Words{"kill", "web-1"}}) {
    const auto result = site.ctl(words);
    CHECK(result.code == 1);
    CHECK_THAT(result.err, Catch::Contains("pid " + std::to_string(pid) + " runs on without a supervise"));
  }
  CHECK(site.ctl({"wait", "down", "-t", "1", "web-1"}).code == 1);
  CHECK(alive(pid));
  CHECK(site.done({"start", "web-1"}) == "web-1: running (pid " + std::to_string(pid) + ")\n");
  CHECK(site.dir("web-1").recorded_supervise() != supervise);
}

TEST_CASE("supervisectl signals and pauses and kills and runs once") {
  TempDir marks;
  const Site site(section("svc", service({"trap", "got", marks / "signals"})) + section("once", service({"started", marks / "once", "exit", "0"}), "startsecs : 0\n"));
  site.done({"start", "svc"});
  const auto pid = site.dir("svc").await_service();
  const auto wants = [&](const std::string& line) { return wait_until([&] { return count_lines(marks / "signals", line) > 0; }); };
  for (const std::string name : {"HUP", "TERM", "INT", "QUIT", "ALRM", "USR1", "USR2", "WINCH"}) {
    CHECK(site.done({"signal", name, "svc"}) == "svc: " + name + " sent\n");
    CHECK(wants("got " + name));
  }
  CHECK(site.done({"signal", "sigusr1", "svc"}) == "svc: USR1 sent\n");
  CHECK(site.done({"pause", "svc"}) == "svc: paused (pid " + std::to_string(pid) + ")\n");
  CHECK(process(pid)->state == 'T');
  CHECK_THAT(site.done({"status", "svc"}), Catch::Contains("paused"));
  CHECK(site.done({"cont", "svc"}) == "svc: goes on (pid " + std::to_string(pid) + ")\n");
  CHECK(wait_until([&] { return process(pid)->state != 'T'; }));
  CHECK(site.done({"alarm", "off", "svc"}) == "svc: alarms off\n");
  CHECK(site.dir("svc").status().alarm == 'x');
  CHECK(site.done({"alarm", "on", "svc"}) == "svc: alarms on\n");
  CHECK(site.dir("svc").status().alarm == 'o');
  CHECK(site.done({"once", "svc"}) == "svc: running, once (pid " + std::to_string(pid) + ")\n");
  CHECK(site.done({"kill", "svc"}) == "svc: killed (was pid " + std::to_string(pid) + ")\n");
  const auto dead = site.ctl({"signal", "HUP", "svc"});
  CHECK(dead.code == 3);
  CHECK_THAT(dead.err, Catch::Contains("svc: not running"));

  CHECK(site.ctl({"start", "--no-wait", "once"}).code == 0);
  site.dir("once").await_lines(marks / "once", 1);
  site.done({"stop", "once"});
  const auto runs = lines_of(marks / "once").size();
  // With no startsecs it is RUNNING for a moment.
  CHECK_THAT(site.done({"once", "once"}), Catch::StartsWith("once: has run and ended (code 0)") || Catch::StartsWith("once: running, once"));
  site.dir("once").await_lines(marks / "once", runs + 1);
  CHECK(holds_for(1500ms, [&] { return lines_of(marks / "once").size() == runs + 1; }));
}

TEST_CASE("supervisectl reload checks the file first and config shows what it says") {
  const Site site("[svc]\ncommand : sleep 1000\nstopwaitsecs : 7\n");
  site.done({"start", "svc"});
  CHECK_THAT(site.done({"config", "svc"}), Catch::Contains("stopwaitsecs : 7\n") && Catch::Contains("command : sleep 1000\n"));
  write_file(site.work / "supervise.conf", "[svc]\ncommand : sleep 1000\nstopwaitsecs : never\n");
  const auto faulty = site.ctl({"reload", "svc"});
  CHECK(faulty.code == 1);
  CHECK_THAT(faulty.err, Catch::Contains("supervise.conf:3: ") && Catch::Contains("the settings in force stay"));
  CHECK(site.dir("svc").log().find("configuration") == site.dir("svc").log().rfind("configuration"));
  write_file(site.work / "supervise.conf", "[svc]\ncommand : sleep 1000\nstopwaitsecs : 8\n");
  CHECK(site.done({"reload", "svc"}) == "svc: configuration read again; in force now: stopwaitsecs\n");
  site.dir("svc").await_log("configuration read again; in force now: stopwaitsecs");
}

TEST_CASE("Whoever mends a configuration learns that the old one is in force and what needs a restart") {
  const Site site(section("svc", {"sleep", "1000"}));
  const auto write = [&](const std::string& text) {
    // Its time differs from that of the one before, however coarse the clock of the file system is.
    const auto before = fs::last_write_time(site.work / "supervise.conf");
    write_file(site.work / "supervise.conf", text);
    fs::last_write_time(site.work / "supervise.conf", before + 1s);
  };
  const std::string newer = "the configuration is newer than what runs";
  site.done({"start", "svc"});
  CHECK(site.done({"status", "svc"}).find("configuration") == std::string::npos);
  CHECK_THAT(site.done({"status", "--json", "svc"}), Catch::Contains("\"conf_newer\": false") && Catch::Contains("\"conf_faulty\": false"));

  write(section("svc", {"sleep", "2000"}, "stopwaitsecs : 9\n"));
  CHECK_THAT(site.done({"status", "svc"}), Catch::Contains(newer + "; reload"));
  CHECK_THAT(site.done({"status", "--json", "svc"}), Catch::Contains("\"conf_newer\": true"));
  const auto restarted = site.ctl({"restart", "svc"});
  CHECK(restarted.code == 0);
  CHECK_THAT(restarted.err, Catch::Contains("svc: " + newer) && Catch::Contains("`supervisectl reload svc`"));
  CHECK(site.done({"reload", "svc"}) == "svc: configuration read again; in force now: stopwaitsecs; needs a restart of the service: command\n");
  CHECK(site.done({"status", "svc"}).find("configuration") == std::string::npos);
  CHECK(site.done({"reload", "svc"}) == "svc: configuration read again; nothing has changed\n");
  site.done({"restart", "svc"});

  write("[svc]\nstartsecs : x\n");
  site.dir("svc").write("r");
  site.dir("svc").await_log("the settings in force stay");
  CHECK(wait_until([&] { return site.done({"status", "svc"}).find("the configuration is faulty") != std::string::npos; }));
  CHECK_THAT(site.done({"status", "--json", "svc"}), Catch::Contains("\"conf_newer\": false") && Catch::Contains("\"conf_faulty\": true"));
  CHECK_THAT(site.ctl({"restart", "svc"}).err, Catch::Contains("svc: the configuration is faulty"));
}

TEST_CASE("A configuration that appears after the start is newer than what runs") {
  const Site site;
  const auto svc = site.work / "status" / "svc";
  fs::create_directories(svc);
  write_file(svc / "run", "#!/bin/sh\nexec sleep 1000\n");
  fs::permissions(svc / "run", fs::perms::owner_all);
  site.done({"start", "svc"});
  CHECK(site.done({"status", "svc"}).find("configuration") == std::string::npos);
  write_file(svc / "supervise.conf", "[svc]\nstopwaitsecs : 9\n");
  CHECK_THAT(site.done({"status", "svc"}), Catch::Contains("the configuration is newer than what runs; reload"));
  CHECK(site.done({"reload", "svc"}) == "svc: configuration read again; in force now: stopwaitsecs\n");
}

TEST_CASE("supervisectl upgrade waits for the new program and leaves the service alone") {
  const Site site(kTwo);
  site.done({"start", "web-1"});
  const auto pid = site.dir("web-1").await_service();
  CHECK_THAT(site.done({"upgrade", "web-1"}), Catch::StartsWith("web-1: goes on as supervise "));
  CHECK(site.dir("web-1").await_service() == pid);
}

TEST_CASE("supervisectl names what there is to do about a wrong name and a lacking root and wrong usage") {
  const Site site(kTwo);
  site.done({"start", "web-1"});
  const auto expect = [&](const Words& words, int code, const std::string& text) {
    const auto result = site.ctl(words);
    INFO("supervisectl " << joined(words));
    CHECK(result.code == code);
    CHECK_THAT(result.err, Catch::Contains(text));
  };
  expect({"stop", "wbe-1"}, 4, "wbe-1: no such service in " + (site.work / "status").string() + "; did you mean web-1?");
  expect({"status", "db-*"}, 4, "db-*: no service of " + (site.work / "status").string() + " matches");
  expect({"-d", "nowhere", "status"}, 4, "nowhere: No such file or directory; -d ROOT or SUPERVISE_ROOT names");
  fs::create_directory(site.work / "plain");
  expect({"-d", ".", "stop", "plain"}, 4, "is no status directory");
  expect({"-d", "plain", "check"}, 4, "no services in " + (site.work / "plain").string());
  expect({"-d", "status/web-1", "status"}, 4, "which is a status directory itself");
  CHECK(site.ctl({"stop", "web-1", "--no-wait", "web-?", "all"}).code == 0);
  site.done({"start", "web-1"});
  expect({"stop"}, 2, "stop needs a NAME, a pattern, or all; usage: supervisectl stop");
  expect({"stauts"}, 2, "no command stauts; did you mean status?");
  expect({"signal", "FOO", "web-1"}, 2, "\"FOO\" is not HUP|TERM|");
  expect({"stop", "--json", "web-1"}, 2, "stop has no option --json");
  expect({"stop", "-t", "soon", "web-1"}, 2, "--timeout: \"soon\" is no number of seconds");
  expect({"status", "--frob"}, 2, "no option --frob");
  expect({}, 2, "usage: supervisectl");
  CHECK(alive(site.dir("web-1").status().pid));
  CHECK_THAT(site.ctl({"status"}, {{"SUPERVISE_ROOT", site.work / "status"}}).out, Catch::Contains("web-1"));
  CHECK_THAT(site.done({"status", (site.work / "status/web-1").string()}), Catch::Contains("RUNNING"));
  CHECK(site.done({"status", "-q"}) == "web-1\n");
}

TEST_CASE("supervisectl says whose a service is that it may not command") {
  SKIP_UNLESS(is_root() && has_program("setpriv"), "needs root and setpriv");
  const Site site(kTwo);
  site.done({"start", "web-1"});
  for (auto path = site.work.path(); path.has_relative_path(); path = path.parent_path()) chmod(path.c_str(), 0755);
  const auto as_nobody = [&](const Words& words) {
    Words argv = {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", supervisectl_program()};
    argv.insert(argv.end(), words.begin(), words.end());
    return run(Command{.argv = argv, .directory = site.work.path()});
  };
  const auto closed = as_nobody({"stop", "web-1"});
  CHECK(closed.code == 4);
  CHECK_THAT(closed.err, Catch::Contains("no permission") && Catch::Contains("belongs to root"));
  chmod(site.dir("web-1").dir().c_str(), 0755);
  const auto open = as_nobody({"stop", "web-1"});
  CHECK(open.code == 4);
  CHECK_THAT(open.err, Catch::Contains("no permission"));
  CHECK(alive(site.dir("web-1").status().pid));
}

TEST_CASE("supervisectl waits as long as it is told and no longer") {
  TempDir marks;
  const Site site(section("stubborn", service({"trap", "got", marks / "signals"}), "stopwaitsecs : 0\n"));
  site.done({"start", "stubborn"});
  const auto stop = site.ctl({"stop", "-t", "1", "stubborn"});
  CHECK(stop.code == 1);
  CHECK_THAT(stop.err, Catch::Contains("stubborn: stop is not done after 1s; the service is STOPPING"));
  CHECK(site.ctl({"wait", "down", "-t", "1", "stubborn"}).code == 1);
  Child waiter({.argv = {supervisectl_program(), "wait", "down", "stubborn"}, .directory = site.work.path()});
  ::kill(site.dir("stubborn").status().pid, SIGKILL);
  CHECK(waiter.wait().out == "stubborn: down\n");
  CHECK(site.done({"wait", "down", "stubborn"}) == "stubborn: down\n");
  Child change({.argv = {supervisectl_program(), "wait", "change", "stubborn"}, .directory = site.work.path()});
  CHECK(holds_for(300ms, [&] { return change.running(); }));
  CHECK(site.ctl({"start", "--no-wait", "stubborn"}).out == "stubborn: told to start\n");
  CHECK_THAT(change.wait().out, Catch::StartsWith("stubborn: "));
  CHECK_THAT(site.done({"wait", "up", "stubborn"}), Catch::StartsWith("stubborn: up (pid "));
}

TEST_CASE("supervisectl restart --rolling goes on when the services are ready and not after a failure") {
  TempDir marks;
  const auto conf = [&](const std::string& name) {
    return section(name, {"sh", "-c", "'echo $$ >>" + (marks / name).string() + "; if [ -e " + (marks / "broken").string() + " ]; then exit 1; fi; while [ ! -e " +
                                          (marks / "go").string() + " ]; do sleep 0.01; done; echo ready >&3; exec sleep 1000'"},
                   "ready_fd : 3\nstartsecs : 0.1\n");
  };
  const Site site(conf("web-1") + conf("web-2") + conf("web-3"));
  write_file(marks / "go", "");
  site.done({"start", "web-1", "web-2", "web-3"});
  for (const auto* name : {"web-1", "web-2", "web-3"}) site.done({"wait", "ready", name});
  fs::remove(marks / "go");
  Child rolling({.argv = {supervisectl_program(), "restart", "--rolling", "1", "web-*"}, .directory = site.work.path()});
  REQUIRE(wait_until([&] { return lines_of(marks / "web-1").size() == 2; }));
  CHECK(holds_for(1500ms, [&] { return lines_of(marks / "web-2").size() == 1; }));
  write_file(marks / "go", "");
  const auto result = rolling.wait();
  CHECK(result.code == 0);
  CHECK(lines_in(result.out).size() == 3);
  CHECK(lines_of(marks / "web-3").size() == 2);
  write_file(marks / "broken", "");
  const auto broken = site.ctl({"restart", "--rolling", "1", "web-*"});
  CHECK(broken.code == 1);
  CHECK_THAT(broken.err, Catch::Contains("web-1: "));
  CHECK(broken.out == "web-2: not touched, as another one failed\nweb-3: not touched, as another one failed\n");
  CHECK(lines_of(marks / "web-2").size() == 2);
}

TEST_CASE("supervisectl shows and empties and follows the logs of a service") {
  TempDir marks;
  const Site site(section("svc", service({"out", "one", "err", "oh-dear", "await", marks / "go", "out", "two"}), "autorestart : false\n") +
                  section("quiet", {"sleep", "1000"}, "stdout_logfile : none\n"));
  site.done({"start", "svc", "quiet"});
  site.dir("svc").await_lines(site.dir("svc") / "__stdout", 1);
  CHECK(site.done({"tail", "svc"}) == "one\n");
  CHECK(site.done({"tail", "svc", "stderr"}) == "oh-dear\n");
  CHECK_THAT(site.done({"tail", "-n", "1", "svc", "log"}), Catch::Contains("[NOTICE]"));
  const auto none = site.ctl({"tail", "quiet"});
  CHECK(none.code == 1);
  CHECK_THAT(none.err, Catch::Contains("its stdout goes to no file"));
  Child follower({.argv = {supervisectl_program(), "tail", "-f", "svc"}, .directory = site.work.path()});
  REQUIRE(wait_until([&] { return follower.out() == "one\n"; }));
  site.done({"rotate", "svc"});
  REQUIRE(wait_until([&] { return fs::exists(site.dir("svc") / "__stdout.1"); }));
  write_file(marks / "go", "");
  CHECK(wait_until([&] { return follower.out().find("two\n") != std::string::npos; }));
  site.dir("svc").await_lines(site.dir("svc") / "__stdout", 1);
  CHECK(site.done({"clear", "svc"}) == "svc: logs emptied\n");
  CHECK(text_of(site.dir("svc") / "__stdout").find("two") == std::string::npos);
  CHECK(text_of(site.dir("svc") / "__stdout.1") == "one\n");
}

TEST_CASE("supervisectl clear does not follow what a service has put in the place of its log") {
  const Site site(kTwo);
  site.done({"start", "web-1"});
  write_file(site.work / "precious", "precious");
  const auto log = site.dir("web-1") / "__stdout";
  REQUIRE(wait_until([&] { return fs::exists(log); }));
  ::kill(site.dir("web-1").recorded_supervise(), SIGSTOP);
  const auto logger = logger_of(site.dir("web-1").recorded_supervise()).value_or(0);
  ::kill(logger, SIGSTOP);
  fs::remove(log);
  SECTION("a symbolic link") { fs::create_symlink(site.work / "precious", log); }
  SECTION("a hard link") { fs::create_hard_link(site.work / "precious", log); }
  const auto result = site.ctl({"clear", "web-1"});
  CHECK(result.code == 1);
  CHECK_THAT(result.err, Catch::Contains("cannot empty " + log.string()));
  CHECK(text_of(site.work / "precious") == "precious");
  ::kill(logger, SIGCONT);
  ::kill(site.dir("web-1").recorded_supervise(), SIGCONT);
}

TEST_CASE("supervisectl status has a table and JSON and exit statuses for scripts") {
  const Site site(kTwo);
  site.done({"start", "web-1", "web-2", "other"});
  const auto table = site.done({"status"});
  CHECK_THAT(lines_in(table)[0], Catch::StartsWith("NAME") && Catch::Contains("STATE") && Catch::Contains("FOR"));
  CHECK(lines_in(table).size() == 4);
  CHECK(table.find('\x1b') == std::string::npos);
  CHECK(site.done({"check"}).empty());
  CHECK(site.done({"pid", "other"}) == std::to_string(site.dir("other").status().pid) + "\n");
  site.done({"stop", "other"});
  CHECK(site.ctl({"status"}).code == 3);
  CHECK(site.ctl({"pid", "other"}).out == "0\n");
  CHECK(site.done({"check"}).empty());
  SKIP_UNLESS(has_program("python3"), "needs python3 to read JSON");
  const auto json = run(Command{.argv = {"python3", "-c", "import json,sys; rows=json.load(sys.stdin); print([(r['name'], r['state'], r['want']) for r in rows])"},
                                .input = site.ctl({"status", "--json"}).out});
  CHECK(json.out == "[('other', 'STOPPED', 'down'), ('web-1', 'RUNNING', 'up'), ('web-2', 'RUNNING', 'up')]\n");
}

TEST_CASE("supervisectl status --watch tells what changes and is idle else") {
  const Site site(kTwo);
  site.done({"start", "web-1"});
  Child watch({.argv = {supervisectl_program(), "status", "--watch"}, .directory = site.work.path()});
  REQUIRE(wait_until([&] { return watch.out().find("web-1  RUNNING") != std::string::npos; }));
  const auto switches = [&] { return process_field(watch.pid(), "voluntary_ctxt_switches"); };
  std::string before;
  REQUIRE(wait_until([&] { return std::exchange(before, switches()) == switches(); }));
  CHECK(holds_for(700ms, [&] { return switches() == before; }));
  site.done({"stop", "web-1"});
  CHECK(wait_until([&] { return watch.out().find("web-1  STOPPED") != std::string::npos; }));
  site.done({"start", "web-2"});
  CHECK(wait_until([&] { return watch.out().find("web-2  RUNNING") != std::string::npos; }));
}

TEST_CASE("supervisectl status --watch is a screen on a terminal") {
  SKIP_UNLESS(has_program("script"), "needs script");
  const Site site(kTwo);
  site.done({"start", "web-1"});
  Child screen({.argv = {"script", "-qfec", supervisectl_program() + " status --watch", "/dev/null"}, .directory = site.work.path(), .environment = {{"TERM", "xterm"}}});
  REQUIRE(wait_until([&] { return screen.out().find("\x1b[32mRUNNING\x1b[0m") != std::string::npos; }));
  site.done({"stop", "web-1"});
  CHECK(wait_until([&] { return screen.out().rfind("STOPPED") != std::string::npos && screen.out().rfind("\x1b[H") > screen.out().find("RUNNING"); }));
  screen.kill(SIGINT);
}

TEST_CASE("supervisectl check is a monitoring plugin with thresholds") {
  TempDir marks;
  const Site site(section("good", {"sleep", "1000"}) + section("bad", service({"exit", "3"}), "startretries : 0\n"));
  site.done({"start", "good"});
  const auto fine = site.ctl({"check", "--warn", "exits>3", "--crit", "memory>1T", "good"});
  CHECK(fine.code == 0);
  CHECK(fine.out == "SUPERVISE OK - 1 of 1 up | up=1 services=1\n");
  const auto young = site.ctl({"check", "--warn", "uptime<1000", "good"});
  CHECK(young.code == 1);
  CHECK_THAT(young.out, Catch::StartsWith("SUPERVISE WARNING - 1 of 1 up: good uptime ") && Catch::Contains(" < 1000 | up=1"));
  const auto big = site.ctl({"check", "--warn", "uptime<1000", "--crit", "memory>1K", "good"});
  CHECK(big.code == 2);
  CHECK_THAT(big.out, Catch::StartsWith("SUPERVISE CRITICAL - 1 of 1 up: good memory "));
  CHECK(site.ctl({"start", "bad"}).code == 1);
  site.dir("bad").await_state("FATAL");
  const auto fatal = site.ctl({"check", "--crit", "exits>100"});
  CHECK(fatal.code == 2);
  CHECK_THAT(fatal.out, Catch::Contains("bad FATAL"));
  CHECK(site.ctl({"check"}).code == 3);
  CHECK_THAT(site.ctl({"check"}).out, Catch::StartsWith("bad: FATAL: "));
  CHECK(site.ctl({"check", "--crit", "exits>100", "none"}).code == 3);
  CHECK(site.ctl({"check", "--crit", "colour>100"}).code == 3);
}

TEST_CASE("supervisectl metrics counts exits by kind and what the whole tree uses") {
  TempDir marks;
  const Site site(section("svc", {"sh", "-c", "'sleep 1000 & sleep 1000 & wait'"}, "killasgroup : true\n") +
                  section("beats", {"sh", "-c", "'while touch beat; do sleep 0.1; done'"}, "heartbeat_timeout : 60\nheartbeat_file : beat\ndirectory : " + marks.path().string() + "\n"));
  site.done({"start", "svc", "beats"});
  site.dir("svc").await_that("three processes", [&] { return children(site.dir("svc").status().pid).size() == 2; });
  ::kill(site.dir("svc").status().pid, SIGKILL);
  site.dir("svc").await("exits", "1");
  site.done({"wait", "up", "svc"});
  const auto value = [&](const std::string& sample) {
    const auto text = site.done({"metrics"});
    const auto at = text.find(sample + " ");
    INFO(text);
    REQUIRE(at != std::string::npos);
    return std::strtod(text.c_str() + at + sample.size(), nullptr);
  };
  CHECK(value("supervise_up{service=\"svc\"}") == 1);
  CHECK(value("supervise_state{service=\"svc\",state=\"RUNNING\"}") == 1);
  CHECK(value("supervise_state{service=\"svc\",state=\"FATAL\"}") == 0);
  CHECK(value("supervise_exits_total{service=\"svc\",kind=\"signal\"}") == 1);
  CHECK(value("supervise_exits_total{service=\"svc\",kind=\"zero\"}") == 0);
  CHECK(value("supervise_starts_total{service=\"svc\"}") == 2);
  CHECK(value("supervise_processes{service=\"svc\"}") >= 3);
  CHECK(value("supervise_memory_bytes{service=\"svc\"}") > 100'000);
  CHECK(value("supervise_heartbeat_age_seconds{service=\"beats\"}") < 50);
  SKIP_UNLESS(has_program("promtool"), "needs promtool");
  const auto lint = run(Command{.argv = {"promtool", "check", "metrics"}, .input = site.done({"metrics"})});
  CHECK(lint.out + lint.err == "");
  CHECK(lint.code == 0);
}

TEST_CASE("supervisectl reload and config work after an upgrade") {
  const Site site("[svc]\ncommand : sleep 1000\nstopwaitsecs : 7\n");
  site.done({"start", "svc"});
  site.done({"upgrade", "svc"});
  CHECK_THAT(site.done({"config", "svc"}), Catch::Contains("stopwaitsecs : 7\n"));
  CHECK_THAT(site.done({"reload", "svc"}), Catch::StartsWith("svc: configuration read again"));
  // What supervise refuses although the file has no error: the command is gone.
  write_file(site.work / "supervise.conf", "[other]\ncommand : sleep 1000\n");
  const auto refused = site.ctl({"reload", "svc"});
  CHECK(refused.code == 1);
  CHECK_THAT(refused.err, Catch::Contains("the settings in force stay"));
}

TEST_CASE("supervisectl start all starts what the configuration has") {
  const Site site(kTwo);
  fs::remove(site.work / "status");
  CHECK(lines_in(site.done({"start", "all"})).size() == 3);
  CHECK(site.done({"start", "web-*"}).find("already running") != std::string::npos);
  CHECK_THAT(site.ctl({"start", "othre"}).err, Catch::Contains("did you mean other?"));
  site.done({"exit", "other"});
  CHECK_THAT(site.done({"restart", "other"}), Catch::StartsWith("other: restarted (pid "));
}

TEST_CASE("supervisectl finds services that are deeper in the root") {
  const Site site(section("group/one", {"sleep", "1000"}) + section("two", {"sleep", "1000"}));
  site.done({"start", "group/one", "two"});
  CHECK(site.done({"status", "-q"}) == "group/one\ntwo\n");
  CHECK_THAT(site.done({"stop", "group/*"}), Catch::StartsWith("group/one: stopped"));
  CHECK(lines_in(site.done({"exit", "all"})).size() == 2);
}

TEST_CASE("supervisectl start goes on for a service whose supervise was killed while it was down") {
  TempDir marks;
  const Site site(section("job", service({"started", marks / "runs", "exit", "0"}), "startsecs : 0\nautorestart : false\n"));
  site.done({"start", "job"});
  site.dir("job").await_state("EXITED");
  const auto supervise = site.dir("job").recorded_supervise();
  ::kill(supervise, SIGKILL);
  REQUIRE(wait_until([&] { return !alive(supervise); }));
  const auto runs = lines_of(marks / "runs").size();
  CHECK(site.ctl({"start", "job"}).code == 0);
  site.dir("job").await_lines(marks / "runs", runs + 1);
}

TEST_CASE("supervisectl notices at once that a supervise was killed while it waits for it") {
  const Site site(section("stubborn", {"sh", "-c", "'trap \"\" TERM; while :; do sleep 0.1; done'"}, "stopwaitsecs : 0\n"));
  site.done({"start", "stubborn"});
  Child stop({.argv = {supervisectl_program(), "stop", "-t", "0", "stubborn"}, .directory = site.work.path()});
  site.dir("stubborn").await_state("STOPPING");
  ::kill(site.dir("stubborn").recorded_supervise(), SIGKILL);
  const auto result = stop.wait();
  CHECK(result.code == 1);
  CHECK_THAT(result.err, Catch::Contains("runs on without a supervise"));
  ::kill(site.dir("stubborn").status().pid, SIGKILL);
}

TEST_CASE("supervisectl fails where its output can not be written") {
  const Site site(kTwo);
  site.done({"start", "web-1"});
  for (const auto* command : {"status", "status --json", "metrics", "pid", "check --warn uptime\\<9999"}) {
    const auto result = shell(supervisectl_program() + " " + command + " >/dev/full", site.work.path());
    INFO(command);
    CHECK(result.code == 1);
    CHECK_THAT(result.err, Catch::Contains("cannot write to standard output: No space left on device"));
  }
  Child watch({.argv = {"sh", "-c", supervisectl_program() + " status --watch | head -n 1"}, .directory = site.work.path()});
  REQUIRE(wait_until([&] { return watch.out().find("web-1") != std::string::npos; }));
  site.done({"stop", "web-1"});
  CHECK(watch.wait().code == 0);
}

TEST_CASE("supervisectl says when it can not see a service and does not call that well") {
  SKIP_UNLESS(is_root() && has_program("setpriv"), "needs root and setpriv");
  const Site site(kTwo);
  site.done({"start", "web-1", "web-2"});
  for (auto path = site.work.path(); path.has_relative_path(); path = path.parent_path()) chmod(path.c_str(), 0755);
  chmod((site.work / "status").c_str(), 0755);
  chmod(site.dir("web-1").dir().c_str(), 0755);
  const auto as_nobody = [&](const Words& words) {
    Words argv = {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", supervisectl_program()};
    argv.insert(argv.end(), words.begin(), words.end());
    return run(Command{.argv = argv, .directory = site.work.path()});
  };
  // What is readable can be watched without a right to command it.
  CHECK(as_nobody({"status", "web-1"}).code == 0);
  CHECK(as_nobody({"check", "web-1"}).code == 0);
  const auto both = as_nobody({"check"});
  CHECK(both.code == 4);
  CHECK_THAT(both.err, Catch::Contains("web-2: no permission"));
  CHECK(as_nobody({"check", "--crit", "exits>100"}).code == 3);
  CHECK(as_nobody({"stop", "web-1"}).code == 4);
}

TEST_CASE("supervisectl waits without polling out its time where it may not watch the directory") {
  SKIP_UNLESS(is_root() && has_program("setpriv"), "needs root and setpriv");
  const Site site("[svc]\ncommand : sleep 1000\ncontrol_group : nogroup\n");
  for (auto path = site.work.path(); path.has_relative_path(); path = path.parent_path()) chmod(path.c_str(), 0755);
  chmod((site.work / "status").c_str(), 0755);
  site.done({"start", "svc"});
  const auto stop = run(Command{.argv = {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", supervisectl_program(), "stop", "-t", "15", "svc"}, .directory = site.work.path()});
  CHECK(stop.code == 0);
  CHECK(stop.out == "svc: stopped\n");
}

TEST_CASE("supervisectl with few descriptors still stops every service") {
  std::string conf;
  for (int i = 0; i < 12; ++i) conf += section("s" + std::to_string(i), {"sleep", "1000"});
  const Site site(conf);
  site.done({"start", "all"});
  const auto result = shell("ulimit -n 8; exec " + supervisectl_program() + " exit all", site.work.path());
  INFO(result.err);
  for (int i = 0; i < 12; ++i) CHECK((result.code != 0 || !has_reader(site.dir("s" + std::to_string(i)) / "ok")));
  CHECK(site.ctl({"exit", "all"}).code == 0);
}

TEST_CASE("supervisectl does not trust a state that somebody else has written") {
  SKIP_UNLESS(is_root(), "needs another user");
  const Site site;
  const auto dir = site.work / "status/evil";
  fs::create_directory(dir);
  write_file(site.work / "precious", "precious");
  const auto forge = [&](const std::string& more) {
    write_file(dir / "state", "name=evil\nstate=RUNNING\npid=1\nsupervise_pid=1\nwant=up\nstdout=" + (site.work / "precious").string() + "\n" + more);
    REQUIRE(chown((dir / "state").c_str(), 65534, 65534) == 0);
  };
  forge("");
  REQUIRE(chown(dir.c_str(), 65534, 65534) == 0);
  const auto clear = site.ctl({"clear", "evil"});
  CHECK(clear.code == 1);
  CHECK_THAT(clear.err, Catch::Contains("its state belongs to somebody else"));
  CHECK(text_of(site.work / "precious") == "precious");
  CHECK(site.ctl({"tail", "evil"}).code == 1);
  // A run file of theirs would be run with our rights.
  fs::remove(dir / "state");
  write_script(dir / "run", "exec sleep 1000");
  REQUIRE(chown((dir / "run").c_str(), 65534, 65534) == 0);
  const auto start = site.ctl({"start", "evil"});
  CHECK(start.code == 1);
  CHECK_THAT(start.err, Catch::Contains("belongs to somebody else"));
}

TEST_CASE("supervisectl follows no link from one status directory to another") {
  const Site site(kTwo);
  site.done({"start", "web-1"});
  fs::create_directory(site.work / "status/evil");
  fs::create_directory_symlink(site.dir("web-1").dir(), site.work / "status/evil/supervise");
  CHECK(site.ctl({"stop", "evil"}).code != 1);
  CHECK(site.dir("web-1").status().want == 'u');
}

TEST_CASE("supervisectl is quick with 200 services and stops them all at once") {
  constexpr std::size_t kMany = 200;
  std::string conf;
  for (std::size_t i = 0; i < kMany; ++i) conf += section("s" + std::to_string(i), {"sleep", "1000"});
  const Site site(conf);
  Words words = {"start"};
  for (std::size_t i = 0; i < kMany; ++i) words.push_back("s" + std::to_string(i));
  CHECK(lines_in(site.done(words)).size() == kMany);
  CHECK(lines_in(site.done({"status"})).size() == kMany + 1);
  CHECK(lines_in(site.done({"restart", "all"})).size() == kMany);
  // All of them get the letter before any of them is waited for: one that does not stop delays no other.
  const auto first = site.dir("s0").recorded_supervise();
  ::kill(first, SIGSTOP);
  Child stop({.argv = {supervisectl_program(), "stop", "all"}, .directory = site.work.path()});
  CHECK(wait_until([&] { return lines_in(stop.out()).size() == kMany - 1; }));
  CHECK(stop.running());
  ::kill(first, SIGCONT);
  CHECK(stop.wait().code == 0);
  CHECK(lines_in(site.done({"exit", "all"})).size() == kMany);
}

TEST_CASE("supervisectl commands a service of runit and one of daemontools") {
  SKIP_UNLESS(has_program("runsv") && fs::exists("/usr/bin/supervise"), "needs runit and daemontools");
  const Site site;
  for (const std::string name : {"runit", "tools"}) {
    fs::create_directory(site.work / "status" / name);
    write_script(site.work / "status" / name / "run", "exec sleep 1000");
  }
  const auto unknown = [&](const Words& words) {
    const auto result = site.ctl(words);
    INFO(joined(words));
    CHECK(result.code == 1);
    CHECK_THAT(result.err, Catch::Contains("daemontools and runit know no ") || Catch::Contains("is not known"));
  };
  Child runsv({.argv = {"runsv", site.work / "status/runit"}});
  Child supervise({.argv = {"/usr/bin/supervise", site.work / "status/tools"}});
  for (const std::string name : {"runit", "tools"}) {
    INFO(name);
    REQUIRE(wait_until([&] { return site.ctl({"status", name}).code == 0; }));
    const auto pid_text = [&] { return site.ctl({"pid", name}).out; };
    const auto pid = pid_text();
    CHECK(alive(std::atoi(pid.c_str())));
    CHECK_THAT(site.done({"status", name}), Catch::Contains("RUNNING"));
    CHECK(site.done({"stop", name}) == name + ": stopped\n");
    CHECK_FALSE(alive(std::atoi(pid.c_str())));
    CHECK_THAT(site.ctl({"status", name}).out, Catch::Contains("STOPPED"));
    CHECK_THAT(site.done({"start", name}), Catch::StartsWith(name + ": running (pid "));
    for (const auto& words : {Words{"reload", name}, Words{"rotate", name}, Words{"upgrade", name}, Words{"alarm", "off", name}, Words{"config", name}, Words{"clear", name}, Words{"tail", name}}) unknown(words);
    CHECK_THAT(site.done({"once", name}), Catch::StartsWith(name + ": running, once"));
    site.done({"start", name});
    const auto before = pid_text();
    CHECK_THAT(site.done({"restart", name}), Catch::StartsWith(name + ": restarted (pid "));
    CHECK(pid_text() != before);
    CHECK_THAT(site.done({"pause", name}), Catch::StartsWith(name + ": paused"));
    CHECK_THAT(site.done({"cont", name}), Catch::StartsWith(name + ": goes on"));
    CHECK_THAT(site.done({"kill", name}), Catch::StartsWith(name + ": killed"));
    CHECK(wait_until([&] { return site.ctl({"status", name}).code == 0; }));
    CHECK(site.done({"exit", name}) == name + ": stopped, its supervise has ended\n");
  }
  CHECK(wait_until([&] { return !runsv.running() && !supervise.running(); }));
}

TEST_CASE("stop waits for the tree that kill_tree ends") {
  TempDir work;
  const Site site(section("svc", {"sh", "-c", "'(trap : TERM; echo >" + (work / "ready").string() + "; while :; do sleep 0.05; done) & exec sleep 1000'"}, "kill_tree : true\nstopwaitsecs : 1\n"));
  site.done({"start", "svc"});
  REQUIRE(wait_until([&] { return fs::exists(work / "ready"); }));
  const auto supervise = site.dir("svc").recorded_supervise();
  CHECK(site.done({"stop", "svc"}) == "svc: stopped\n");
  CHECK(children(supervise).empty());
}

TEST_CASE("a directory that may not be entered is not said to be missing") {
  SKIP_UNLESS(is_root() && has_program("setpriv"), "not root");
  TempDir work;
  fs::permissions(work.path(), fs::perms::owner_all | fs::perms::group_exec | fs::perms::others_exec | fs::perms::others_read);
  fs::create_directories(work / "closed/svc/supervise");
  fs::permissions(work / "closed", fs::perms::owner_all);
  fs::copy_file(supervisectl_program(), work / "ctl");
  const auto result = run({"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", work / "ctl", "status", work / "closed/svc"});
  CHECK(result.code == 4);
  CHECK_THAT(result.err, Catch::Contains("no permission"));
  CHECK_THAT(result.err, !Catch::Contains("no such"));
}

}  // namespace

TEST_CASE("supervisectl reads and empties a log that is a link of the administrator") {
  TempDir logs;
  write_file(logs / "real.log", "");
  fs::create_symlink("real.log", logs / "app.log");
  const Supervised svc({.command = service({"out", "hello"}), .conf = "[svc]\nstdout_logfile : " + (logs / "app.log").string() + "\n"});
  svc.await_that("the output", [&] { return text_of(logs / "real.log") == "hello\n"; });
  const auto ctl = [&](const std::string& verb) { return run({supervisectl_program(), "-d", svc.dir().parent_path(), verb, "svc"}); };
  CHECK(ctl("tail").out == "hello\n");
  CHECK(ctl("clear").code == 0);
  CHECK(text_of(logs / "real.log").empty());
}
