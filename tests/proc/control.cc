// Section 3 of the contract: one byte, one command; and the signals that supervise itself understands.
#include <unistd.h>

#include "harness.h"

using namespace harness;

namespace {

// A child that writes this text to the FIFO, again and again if asked to, as fast as it is read.
enum class Times { kOnce, kForEver };
std::unique_ptr<Child> writer(const StatusDir& dir, const std::string& generator, Times times = Times::kOnce) {
  const auto loop = times == Times::kOnce ? generator : "while :; do " + generator + "; done";
  return std::make_unique<Child>(Command{.argv = {"/bin/sh", "-c", "exec > control; " + loop}, .directory = dir.dir()});
}

void echo(const StatusDir& dir, const std::string& letters, const std::string& fifo = "control") {
  REQUIRE(shell("echo " + letters + " > " + fifo, dir.dir()).code == 0);
}

}  // namespace

TEST_CASE("echo d stops the service and it stays down") {
  const Supervised svc({.command = service({})});
  const auto pid = svc.await_service();
  echo(svc, "d");
  svc.await_state("STOPPED");
  CHECK_FALSE(alive(pid));
  CHECK(svc.status().pid == 0);
  CHECK(svc.status().want == 'd');
  CHECK(svc.state()["want"] == "down");
  CHECK(holds_for(1500ms, [&] { return svc.status().pid == 0; }));
  CHECK(alive(svc.pid()));
}

TEST_CASE("echo u starts a service that is down and it is restarted when it dies") {
  const Supervised svc({.command = service({})});
  const auto first = svc.await_service();
  echo(svc, "d");
  svc.await_state("STOPPED");
  echo(svc, "u");
  const auto second = svc.await_service(first);
  CHECK(svc.status().want == 'u');
  CHECK(svc.state()["want"] == "up");
  ::kill(second, SIGKILL);
  svc.await_service(second);
}

TEST_CASE("u leaves a running service alone") {
  const Supervised svc({.command = service({})});
  const auto pid = svc.await_service();
  svc.write("u");
  svc.write("s");
  svc.await("alarm", "off");
  CHECK(svc.status().pid == pid);
  CHECK(alive(pid));
  CHECK(svc.state()["starts"] == "1");
}

TEST_CASE("svcontrol is the same as control") {
  const Supervised svc({.command = service({})});
  echo(svc, "d", "svcontrol");
  svc.await_state("STOPPED");
}

TEST_CASE("o starts a service that is down and does not restart it") {
  const Supervised svc({.command = service({})});
  const auto first = svc.await_service();
  svc.write("d");
  svc.await_state("STOPPED");
  svc.write("o");
  const auto second = svc.await_service(first);
  CHECK(svc.status().want == 0);
  CHECK(svc.state()["want"] == "once");
  ::kill(second, SIGKILL);
  svc.await_that("the exit", [&] { return svc.status().pid == 0; });
  CHECK(holds_for(1500ms, [&] { return svc.status().pid == 0; }));
  CHECK(alive(svc.pid()));
}

TEST_CASE("o for a running service means that it is not restarted") {
  const Supervised svc({.command = service({})});
  const auto pid = svc.await_service();
  svc.write("o");
  svc.await("want", "once");
  CHECK(alive(pid));
  ::kill(pid, SIGKILL);
  svc.await_that("the exit", [&] { return svc.status().pid == 0; });
  CHECK(holds_for(1500ms, [&] { return svc.status().pid == 0; }));
  svc.write("u");
  svc.await_service(pid);
}

TEST_CASE("x waits until the service is down") {
  const Supervised svc({.command = service({})});
  const auto pid = svc.await_service();
  svc.write("x");
  svc.write("s");
  svc.await("alarm", "off");
  CHECK(holds_for(300ms, [&] { return alive(pid) && alive(svc.pid()); }));
  ::kill(pid, SIGKILL);
  svc.await_exit();
  CHECK(svc.status().pid == 0);
}

TEST_CASE("x exits at once when the service is down") {
  const Supervised svc({.command = service({}), .mode = Mode::kForeground});
  svc.write("d");
  svc.await_state("STOPPED");
  svc.write("x");
  CHECK(svc.foreground().wait().code == 0);
  CHECK(svc.state()["state"] == "STOPPED");
}

TEST_CASE("echo dx stops the service and exits") {
  const Supervised svc({.command = service({})});
  const auto pid = svc.await_service();
  echo(svc, "dx");
  svc.await_exit();
  CHECK_FALSE(alive(pid));
  CHECK(svc.status().pid == 0);
  CHECK(svc.state()["state"] == "STOPPED");
  CHECK(fs::exists(svc / "control"));
}

TEST_CASE("dx written in two pieces and in the order xd ends both as well") {
  for (const Words& pieces : {Words{"d", "x"}, Words{"x", "d"}, Words{"xd"}}) {
    const Supervised svc({.command = service({})});
    const auto pid = svc.await_service();
    for (const auto& piece : pieces) svc.write(piece);
    svc.await_exit();
    CHECK_FALSE(alive(pid));
  }
}

TEST_CASE("The letters t i h a q 1 2 w send their signals and nothing else") {
  TempDir work;
  const auto log = work / "signals";
  const Supervised svc({.command = service({"trap", "got", log})});
  svc.await_lines(log, 1);
  Words expected = {"got ready"};
  const std::pair<std::string, std::string> letters[] = {{"t", "TERM"}, {"i", "INT"},   {"h", "HUP"},
                                                         {"a", "ALRM"}, {"q", "QUIT"},  {"1", "USR1"},
                                                         {"2", "USR2"}, {"w", "WINCH"}, {"c", "CONT"}};
  for (const auto& [letter, name] : letters) {
    svc.write(letter);
    expected.push_back("got " + name);
    svc.await_lines(log, expected.size());
  }
  CHECK(lines_of(log) == expected);
  CHECK(svc.state()["starts"] == "1");
}

TEST_CASE("k kills the service and it is started again") {
  const Supervised svc({.command = service({"ignore", "TERM"})});
  const auto pid = svc.await_service();
  svc.write("k");
  svc.await_service(pid);
  CHECK(svc.state()["exit"] == "signal KILL");
}

TEST_CASE("t ends the service and it is started again") {
  const Supervised svc({.command = service({})});
  const auto pid = svc.await_service();
  svc.write("t");
  svc.await_service(pid);
  CHECK(svc.state()["exit"] == "signal TERM");
}

TEST_CASE("p pauses the service and c continues it") {
  const Supervised svc({.command = service({})});
  const auto pid = svc.await_service();
  CHECK(svc.status().paused == 0);
  CHECK(svc.state()["paused"] == "0");
  svc.write("p");
  svc.await_that("the pause", [&] { return process(pid)->state == 'T' && svc.status().paused == 1; });
  CHECK(svc.state()["paused"] == "1");
  svc.write("c");
  svc.await_that("the end of the pause", [&] { return process(pid)->state != 'T' && svc.status().paused == 0; });
  CHECK(svc.state()["paused"] == "0");
  CHECK(svc.status().pid == pid);
}

TEST_CASE("d ends a paused service and the next start is not paused") {
  const Supervised svc({.command = service({})});
  const auto pid = svc.await_service();
  svc.write("p");
  svc.await_that("the pause", [&] { return process(pid)->state == 'T'; });
  svc.write("d");
  svc.await_state("STOPPED");
  CHECK(svc.status().paused == 0);
  svc.write("u");
  svc.await_service(pid);
  CHECK(svc.status().paused == 0);
}

TEST_CASE("Letters that send signals do nothing to a service that is down") {
  const Supervised svc({.command = service({})});
  svc.write("d");
  svc.await_state("STOPPED");
  svc.write("tkpchaiq12w");
  svc.write("s");
  svc.await("alarm", "off");
  CHECK(svc.state()["state"] == "STOPPED");
  CHECK(svc.status().paused == 0);
  CHECK(alive(svc.pid()));
}

TEST_CASE("Newlines and blanks are no commands and are not logged") {
  const Supervised svc({.command = service({})});
  const auto before = svc.log();
  svc.write(" \n\t\r\n  \n");
  svc.write("s");
  svc.await("alarm", "off");
  CHECK(text_of(svc / "supervise.log.wf").empty());
  CHECK(svc.status().pid == svc.await_service());
  CHECK(svc.state()["starts"] == "1");
}

TEST_CASE("Unknown bytes are ignored and logged at most once a second") {
  const Supervised svc({.command = service({})});
  const auto pid = svc.await_service();
  const auto begin = Clock::now();
  for (int i = 0; i < 200; ++i) {
    svc.write("Z");
    std::this_thread::sleep_for(5ms);
  }
  svc.write("s");
  svc.await("alarm", "off");
  const auto seconds = static_cast<std::size_t>(std::chrono::duration<double>(Clock::now() - begin).count());
  const auto lines = count_lines(svc / "supervise.log.wf", "[WARNING]");
  CHECK(lines >= 1);
  CHECK(lines <= seconds + 2);
  CHECK(svc.status().pid == pid);
}

TEST_CASE("After 1 MB of garbage d still stops the service") {
  const Supervised svc({.command = service({})});
  const auto pid = svc.await_service();
  const auto junk = writer(svc, "head -c 1000000 /dev/zero | tr '\\0' 'Z'; printf d");
  svc.await_state("STOPPED");
  CHECK_FALSE(alive(pid));
  CHECK(svc.state()["exits"] == "1");
  CHECK(alive(svc.pid()));
}

TEST_CASE("1 MB of all bytes that are no commands changes nothing") {
  const Supervised svc({.command = service({})});
  const auto pid = svc.await_service();
  const auto junk = writer(svc, "head -c 1000000 /dev/urandom | tr -d 'duoxktihapcq12wsnrE'; printf s");
  svc.await("alarm", "off");
  CHECK(svc.status().pid == pid);
  CHECK(svc.status().paused == 0);
  CHECK(svc.status().want == 'u');
  CHECK(svc.state()["starts"] == "1");
}

TEST_CASE("An endless flood starves neither a restart nor a command") {
  const Supervised svc({.command = service({})});
  auto pid = svc.await_service();
  const auto flood = writer(svc, "head -c 100000 /dev/zero | tr '\\0' 'Z'", Times::kForEver);
  for (int i = 0; i < 3; ++i) {
    ::kill(pid, SIGKILL);
    pid = svc.await_service(pid);
  }
  const auto command = writer(svc, "printf d");
  svc.await_state("STOPPED");
  CHECK(alive(svc.pid()));
}

TEST_CASE("Ten thousand du settle at once and cost no storm of starts") {
  const Supervised svc({.command = service({})});
  const auto pid = svc.await_service();
  const auto flood = writer(svc, "yes du | head -n 10000 | tr -d '\\n'; printf us");
  svc.await("alarm", "off");
  svc.await_service(pid);
  CHECK(svc.state().number("starts") <= 3);
  svc.write("d");
  svc.await_state("STOPPED");
}

TEST_CASE("du restarts the service") {
  const Supervised svc({.command = service({})});
  const auto pid = svc.await_service();
  svc.write("du");
  svc.await_service(pid);
  CHECK(svc.status().want == 'u');
  CHECK(svc.state()["exit"] == "signal TERM");
}

TEST_CASE("ud leaves the service down") {
  const Supervised svc({.command = service({})});
  svc.write("ud");
  svc.await_state("STOPPED");
  CHECK(svc.status().want == 'd');
}

TEST_CASE("d while the service is being stopped sends nothing more") {
  TempDir work;
  const auto log = work / "signals";
  const Supervised svc({.command = service({"trap", "got", log})});
  svc.await_lines(log, 1);
  svc.write("d");
  svc.await_lines(log, 3);
  svc.write("dddd");
  svc.write("s");
  svc.await("alarm", "off");
  CHECK(svc.state()["state"] == "STOPPING");
  CHECK(lines_of(log) == Words{"got ready", "got TERM", "got CONT"});
}

TEST_CASE("u while the service is being stopped starts it again afterwards") {
  TempDir work;
  const auto log = work / "signals";
  const Supervised svc({.command = service({"trap", "got", log})});
  const auto pid = svc.await_service();
  svc.await_lines(log, 1);
  svc.write("d");
  svc.await_state("STOPPING");
  svc.write("u");
  svc.await("want", "up");
  CHECK(svc.status().pid == pid);
  svc.write("k");
  svc.await_service(pid);
}

TEST_CASE("s and n switch the alarms") {
  const Supervised svc({.command = service({})});
  CHECK(svc.status().alarm == 'o');
  CHECK(svc.state()["alarm"] == "on");
  svc.write("s");
  svc.await("alarm", "off");
  CHECK(svc.status().alarm == 'x');
  svc.write("n");
  svc.await("alarm", "on");
  CHECK(svc.status().alarm == 'o');
}

TEST_CASE("u leaves FATAL and clears the counters") {
  const Supervised svc({.command = service({"exit", "1"}), .conf = "[svc]\nstartretries : 1\n"});
  svc.await_state("FATAL");
  CHECK(svc.state()["starts"] == "2");
  svc.write("u");
  svc.await("starts", "4");
  svc.await_state("FATAL");
  CHECK(alive(svc.pid()));
}

TEST_CASE("Commands are obeyed during back-off") {
  const Setup failing{.command = service({"exit", "1"}),
                      .conf = "[svc]\nbackoff : exponential\nbackoff_factor : 50\nbackoff_max : 1000\n"};
  const auto in_backoff = [](const Supervised& svc) {
    svc.await_state("BACKOFF");
    svc.await_that("a late next start",
                   [&] { return svc.state().number("next_start") > svc.state().number("since") + 30; });
  };
  {
    const Supervised svc(failing);
    in_backoff(svc);
    svc.write("s");
    svc.await("alarm", "off");
    svc.write("d");
    svc.await_state("STOPPED");
    svc.write("x");
    svc.await_exit();
  }
  {
    const Supervised svc(failing);
    in_backoff(svc);
    svc.write("u");
    svc.await("starts", "2");
    in_backoff(svc);
    svc.write("x");
    svc.await_exit();
  }
}

TEST_CASE("dx and TERM end a supervise that is in back-off") {
  const Setup failing{
      .command = {"/nonexistent/program"}, .conf = "[svc]\nbackoff : linear\n", .mode = Mode::kForeground};
  {
    const Supervised svc(failing);
    svc.await_state("BACKOFF");
    svc.write("dx");
    CHECK(svc.foreground().wait().code == 0);
  }
  {
    const Supervised svc(failing);
    svc.await_state("BACKOFF");
    svc.foreground().kill(SIGTERM);
    CHECK(svc.foreground().wait().code == 0);
  }
}

TEST_CASE("TERM and INT to supervise stop the service and end supervise") {
  for (const int number : {SIGTERM, SIGINT}) {
    TempDir work;
    const auto log = work / "signals";
    const Supervised svc({.command = service({"trap", "got", log}), .conf = "[svc]\nstopwaitsecs : 1\n"});
    const auto pid = svc.await_service();
    svc.await_lines(log, 1);
    ::kill(svc.pid(), number);
    svc.await_exit();
    CHECK_FALSE(alive(pid));
    CHECK(svc.status().pid == 0);
    CHECK(lines_of(log) == Words{"got ready", "got TERM", "got CONT"});
  }
}

TEST_CASE("TERM to supervise and then to the service leaves neither running") {
  for (int i = 0; i < 5; ++i) {
    const Supervised svc({.command = service({})});
    const auto pid = svc.await_service();
    ::kill(svc.pid(), SIGTERM);
    ::kill(pid, SIGTERM);
    svc.await_exit();
    CHECK_FALSE(alive(pid));
    CHECK(svc.status().pid == 0);
  }
}

TEST_CASE("Other signals do not end supervise") {
  const Supervised svc({.command = service({})});
  const auto pid = svc.await_service();
  for (const int number : {SIGHUP, SIGPIPE, SIGXFSZ}) ::kill(svc.pid(), number);
  svc.write("s");
  svc.await("alarm", "off");
  CHECK(alive(svc.pid()));
  CHECK(svc.status().pid == pid);
}

TEST_CASE("Many writers at once lose no command") {
  TempDir work;
  const auto log = work / "signals";
  const Supervised svc({.command = service({"trap", "got", log})});
  svc.await_lines(log, 1);
  std::vector<std::unique_ptr<Child>> writers;
  for (const std::string letter : {"h", "a", "1", "2", "w", "i", "q"})
    writers.push_back(writer(svc, "printf " + letter));
  svc.await_lines(log, 8);
  CHECK(svc.state()["starts"] == "1");
}
