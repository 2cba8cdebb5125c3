// Sections 4 and 5 of the contract: what `status`, `state` and `supervise/status` tell, and when.

#include <algorithm>
#include <atomic>
#include <cmath>
#include <ctime>

#include "harness.h"

using namespace harness;

namespace {

double now() {
  timespec time{};
  clock_gettime(CLOCK_REALTIME, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

pid_t od(const fs::path& directory) { return std::atoi(shell("od -An -j16 -N4 -tu4 status", directory).out.c_str()); }

// The two files must agree whenever nothing is going on.
void check_agreement(const StatusDir& dir) {
  const auto status = dir.status();
  const auto state = dir.state();
  CHECK(state["pid"] == std::to_string(status.pid));
  const std::map<std::string, char> letters = {{"up", 'u'}, {"down", 'd'}, {"once", '\0'}};
  REQUIRE(letters.contains(state["want"]));
  CHECK(letters.at(state["want"]) == status.want);
  CHECK(state["alarm"] == (status.alarm == 'o' ? "on" : "off"));
  CHECK(state["paused"] == std::to_string(status.paused));
  CHECK(status.reserved == 0);
  CHECK(status.nanoseconds < 1'000'000'000);
}

const Words kKeys = {"state",  "pid",   "supervise_pid", "want",      "since",      "started", "ready", "exit",
                     "starts", "exits", "tries",         "coredumps", "next_start", "reason",  "alarm", "paused"};

}  // namespace

TEST_CASE("od prints the pid from 20 bytes") {
  const Supervised svc({.command = {"sleep", "4715"}});
  CHECK(fs::file_size(svc / "status") == 20);
  const auto pid = od(svc.dir());
  CHECK(arguments(pid) == Words{"sleep", "4715"});
  svc.write("d");
  svc.await_state("STOPPED");
  CHECK(od(svc.dir()) == 0);
  CHECK(fs::file_size(svc / "status") == 20);
}

TEST_CASE("The time in status is that of the last start or exit") {
  const auto before = now();
  const Supervised svc({.command = service({})});
  const auto start = svc.status();
  CHECK(start.time >= before - 0.05);
  CHECK(start.time <= now() + 0.05);
  CHECK(std::abs(start.time - svc.state().number("started")) < allowed(0.05));
  svc.write("s");
  svc.await("alarm", "off");
  CHECK(svc.status().time == start.time);
  const auto stop = now();
  svc.write("d");
  svc.await_state("STOPPED");
  CHECK(svc.status().time >= stop - 0.05);
  CHECK(svc.status().time <= now() + 0.05);
}

TEST_CASE("Every byte of status is as in the table") {
  const Supervised svc({.command = service({})});
  const auto pid = svc.await_service();
  const auto text = text_of(svc / "status");
  REQUIRE(text.size() == 20);
  CHECK(text.substr(0, 4) == std::string("\x40\0\0\0", 4));
  CHECK(text.substr(12, 4) == std::string("\0uo\0", 4));
  for (unsigned i = 0; i < 4; ++i)
    CHECK(static_cast<unsigned char>(text[16 + i]) == (static_cast<unsigned>(pid) >> (8 * i) & 0xFF));
  svc.write("psd");
  svc.await_state("STOPPED");
  CHECK(text_of(svc / "status").substr(12) == std::string("\0dx\0\0\0\0\0", 8));
  svc.write("o");
  svc.await_service(pid);
  CHECK(text_of(svc / "status").substr(12, 4) == std::string("\0\0x\0", 4));
}

TEST_CASE("The service finds its own pid in status as soon as it begins") {
  TempDir work;
  const auto dir = work / "status/svc";
  const auto log = work / "log";
  Words words = {"-u", dir};
  for (const auto& word : service({"status", dir, log})) words.push_back(word);
  const StatusDir svc(dir);
  REQUIRE(supervise(words, work.path()).code == 0);
  svc.await_lines(log, 1);
  for (std::size_t starts = 2; starts <= 4; ++starts) {
    svc.write("k");
    svc.await_lines(log, starts);
  }
  CHECK(lines_of(log) == Words(4, "same"));
}

TEST_CASE("Status says that the service is down before the -r script begins") {
  TempDir work;
  write_script(work / "hook", "cd " + (work / "status/svc").string() + "; od -An -j16 -N4 -tu4 status >> " +
                                  (work / "log").string() + "; grep -E '^(pid|exits)=' state >> " +
                                  (work / "log").string());
  const StatusDir svc(work / "status/svc");
  Words words = {"-r", work / "hook", "-u", svc.dir()};
  for (const auto& word : service({})) words.push_back(word);
  REQUIRE(supervise(words, work.path()).code == 0);
  svc.write("k");
  svc.await_lines(work / "log", 3);
  auto lines = lines_of(work / "log");
  CHECK(std::atoi(lines[0].c_str()) == 0);
  CHECK(KeyValues(text_of(work / "log"))["pid"] == "0");
  CHECK(KeyValues(text_of(work / "log"))["exits"] == "1");
}

TEST_CASE("Neither status nor state is ever torn or missing") {
  const Supervised svc({.command = service({})});
  std::atomic<bool> over = false;
  std::string fault;
  std::thread reader([&] {
    while (!over && fault.empty()) {
      const auto status = text_of(svc / "status");
      if (status.size() != 20 || status[15] != 0 || (status[14] != 'o' && status[14] != 'x'))
        fault = "status: " + status;
      const auto text = text_of(svc / "state");
      const KeyValues state(text);
      if (text.empty() || text.back() != '\n') fault = "state: " + text;
      for (const auto& key : kKeys)
        if (!state.has(key)) fault = key + " is missing in " + text;
    }
  });
  for (int i = 0; i < 300; ++i) {
    svc.write(i % 2 == 0 ? "s" : "n");
    if (i % 100 == 0) svc.write("k");
    std::this_thread::sleep_for(2ms);
  }
  svc.write("s");
  svc.await("alarm", "off");
  over = true;
  reader.join();
  INFO(fault);
  CHECK(fault.empty());
}

TEST_CASE("State goes from STARTING to RUNNING after startsecs") {
  const Supervised svc({.command = service({})});
  const auto begin = svc.state();
  check_agreement(svc);
  for (const auto& key : kKeys) {
    INFO(key);
    CHECK(begin.has(key));
  }
  CHECK(begin["state"] == "STARTING");
  CHECK(begin["supervise_pid"] == std::to_string(svc.pid()));
  CHECK(begin["starts"] == "1");
  CHECK(begin["exits"] == "0");
  CHECK(begin["exit"].empty());
  CHECK_THAT(begin["started"], matches("\\d+\\.\\d+"));
  CHECK_THAT(begin["since"], matches("\\d+\\.\\d+"));
  CHECK(std::abs(begin.number("started") - now()) < 20);
  svc.await_state("RUNNING");
  const auto later = svc.state();
  check_agreement(svc);
  CHECK(later["started"] == begin["started"]);
  CHECK(later.number("since") >= later.number("started") + 0.99);
  CHECK(std::abs(later.number("ready") - later.number("since")) < allowed(0.1));
}

TEST_CASE("State shows STOPPING and then STOPPED") {
  TempDir work;
  const auto log = work / "signals";
  const Supervised svc({.command = service({"trap", "got", log})});
  const auto pid = svc.await_service();
  svc.await_lines(log, 1);
  svc.write("d");
  svc.await_state("STOPPING");
  check_agreement(svc);
  CHECK(svc.status().pid == pid);
  CHECK(svc.status().want == 'd');
  svc.write("k");
  svc.await_state("STOPPED");
  check_agreement(svc);
  CHECK(svc.state()["exit"] == "signal KILL");
  CHECK(svc.state()["exits"] == "1");
}

TEST_CASE("State shows BACKOFF with the time of the next start and the reason") {
  const Supervised svc({.command = service({"exit", "7"}),
                        .conf = "[svc]\nbackoff : exponential\nbackoff_factor : 20\nbackoff_max : 100\n"});
  svc.await_state("BACKOFF");
  svc.await("exits", "1");
  const auto state = svc.state();
  check_agreement(svc);
  CHECK(state["exit"] == "code 7");
  CHECK_THAT(state["reason"], contains("exited too quickly"));
  CHECK(state.number("next_start") > state.number("since") + 10);
  CHECK(state.number("next_start") < state.number("since") + 101);
  CHECK(svc.status().pid == 0);
  CHECK(svc.status().want == 'u');
}

TEST_CASE("State shows EXITED with a reason") {
  const Supervised svc({.command = service({"exit", "0"}), .conf = "[svc]\nautorestart : false\n"});
  svc.await_state("EXITED");
  check_agreement(svc);
  CHECK(svc.state()["exit"] == "code 0");
  CHECK_FALSE(svc.state()["reason"].empty());
  CHECK(svc.state()["starts"] == "1");
}

TEST_CASE("State shows FATAL with a reason") {
  const Supervised svc({.command = service({"exit", "1"}), .conf = "[svc]\nstartretries : 0\n"});
  svc.await_state("FATAL");
  check_agreement(svc);
  CHECK_FALSE(svc.state()["reason"].empty());
  CHECK(svc.status().pid == 0);
}

TEST_CASE("The exit is told as code or signal with core") {
  const auto exit_of = [](const Words& command) {
    const Supervised svc({.command = command, .conf = "[svc]\nautorestart : false\n"});
    svc.await_state("EXITED");
    return svc.state()["exit"];
  };
  CHECK(exit_of(service({"exit", "0"})) == "code 0");
  CHECK(exit_of(service({"exit", "255"})) == "code 255");
  CHECK(exit_of(service({"raise", "TERM"})) == "signal TERM");
  CHECK(exit_of(service({"raise", "USR2"})) == "signal USR2");
  TempDir work;
  SKIP_UNLESS(can_dump_core(work.path()), "no core dumps can be made here");
  CHECK(exit_of(service({"core"})) == "signal SEGV core");
}

TEST_CASE("Starts and exits are counted") {
  const Supervised svc({.command = service({})});
  auto pid = svc.await_service();
  for (int i = 1; i <= 3; ++i) {
    svc.write("k");
    pid = svc.await_service(pid);
    svc.await("starts", std::to_string(i + 1));
    CHECK(svc.state()["exits"] == std::to_string(i));
    check_agreement(svc);
  }
}

TEST_CASE("The service name does not break the lines of state") {
  const Supervised svc({.command = {"/no/such/program\nstate=RUNNING\n"}, .name = "evil\npid=1\nx"});
  svc.await_state("BACKOFF");
  CHECK(svc.state()["pid"] == "0");
  const auto lines = lines_of(svc / "state");
  CHECK(std::ranges::count(lines, "pid=1") == 0);
  CHECK(std::ranges::count(lines, "state=RUNNING") == 0);
  for (const auto& line : lines_of(svc / "supervise.log")) {
    INFO(line);
    CHECK(line.starts_with("["));
  }
}

TEST_CASE("A very long service name and reason leave state whole") {
  const Supervised svc({.command = {"/" + std::string(3000, 'x')}, .name = std::string(200, 'n')});
  svc.await_state("BACKOFF");
  for (const auto& key : kKeys) {
    INFO(key);
    CHECK(svc.state().has(key));
  }
  CHECK(text_of(svc / "state").back() == '\n');
}

TEST_CASE("supervise/status has the 20 bytes of runit") {
  TempDir work;
  const auto log = work / "signals";
  const Supervised svc({.command = service({"trap", "got", log})});
  const auto pid = svc.await_service();
  const auto bytes = [&svc] { return text_of(svc / "supervise/status"); };
  const auto pid_in = [](const std::string& text) {
    unsigned value = 0;
    for (std::size_t i = 16; i-- > 12;) value = value << 8 | static_cast<unsigned char>(text.at(i));
    return static_cast<pid_t>(value);
  };
  svc.await_lines(log, 1);
  REQUIRE(bytes().size() == 20);
  CHECK(bytes().substr(0, 12) == text_of(svc / "status").substr(0, 12));
  CHECK(pid_in(bytes()) == pid);
  CHECK(bytes().substr(16) == std::string("\0u\0\1", 4));
  svc.write("p");
  svc.await_that("the pause", [&] { return bytes()[16] == 1; });
  svc.write("cd");
  svc.await_that("the stop", [&] { return bytes().substr(16) == std::string("\0d\1\1", 4); });
  svc.write("k");
  svc.await_state("STOPPED");
  CHECK(pid_in(bytes()) == 0);
  CHECK(bytes().substr(16) == std::string("\0d\0\0", 4));
}
