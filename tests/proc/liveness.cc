// Section 8 of the contract, under a status directory: the signs of life and readiness that a service gives.
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "harness.h"

using namespace harness;

namespace {

const std::string kForEver = "1000000";

long switches(pid_t pid) { return std::atol(process_field(pid, "voluntary_ctxt_switches").c_str()); }

std::string section(std::initializer_list<std::string> lines) {
  std::string text = "[svc]\n";
  for (const auto& line : lines) text += line + "\n";
  return text;
}

// The conf of a service whose heartbeat is watched; files of a relative name are in the working directory.
std::string watched(const std::string& timeout, const std::string& more = "") {
  return section({"heartbeat_file : beat", "heartbeat_timeout : " + timeout, "stopwaitsecs : 0.4", more});
}

KeyValues facts_from(const StatusDir& dir, const fs::path& file) {
  dir.await_that("the facts of the service", [&] { return fs::exists(file); });
  return KeyValues(text_of(file));
}

// The socket of a service that wrote its facts.
std::string socket_of(const StatusDir& dir, const fs::path& facts) {
  const auto name = facts_from(dir, facts)["env.NOTIFY_SOCKET"];
  REQUIRE_FALSE(name.empty());
  return name;
}

// Sends to the socket what anybody can send who knows its name; false where there is no room.
bool tell(const std::string& name, const std::string& text) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  REQUIRE(name.size() < sizeof address.sun_path);
  std::memcpy(address.sun_path, name.data(), name.size());
  if (name[0] == '@') address.sun_path[0] = 0;
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const auto sent = sendto(fd, text.data(), text.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address),
                           static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size()));
  close(fd);
  return sent == static_cast<ssize_t>(text.size());
}

bool is_ready(const StatusDir& dir) { return dir.state().number("ready") > 1e9; }
void await_ready(const StatusDir& dir) {
  dir.await_that("readiness", [&] { return is_ready(dir); });
}

void await_end_of(const StatusDir& dir, pid_t pid) {
  dir.await_that("the end of pid " + std::to_string(pid), [pid] { return !alive(pid); });
}

// What the service traps, a letter a signal; `svc` has to be commanded by it.
Words signals_in(const fs::path& log) {
  Words signals;
  for (const auto& line : lines_of(log)) signals.push_back(line.substr(line.find(' ') + 1));
  return signals;
}

}  // namespace

// ---- The heartbeat file

TEST_CASE("A service that beats is left alone") {
  TempDir work;
  const Supervised svc({.command = service({"repeat", kForEver, "3", "beat", "sleep", "50"}), .conf = watched("0.5")});
  const auto pid = svc.await_service();
  svc.await_state("RUNNING");
  CHECK(holds_for(1200ms, [&] { return svc.status().pid == pid && svc.state()["state"] == "RUNNING"; }));
  CHECK_THAT(svc.log(), !contains("[WARNING]"));
}

TEST_CASE("A service that stops beating gets TERM and then KILL and is restarted for a heartbeat timeout") {
  TempDir work;
  const auto log = work / "signals";
  const Supervised svc({.command = service({"trap", "got", log, "repeat", "5", "3", "beat", "sleep", "50"}),
                        .conf = watched("0.5", "startsecs : 60\nbackoff : linear")});
  const auto first = svc.await_service();
  const auto begin = monotonic_now();
  svc.await_state("STOPPING");
  CHECK(monotonic_now() - begin > 0.5);
  CHECK(svc.state()["reason"] == "heartbeat timeout");
  CHECK(svc.status().pid == first);
  svc.await_lines(log, 3);
  CHECK(signals_in(log) == Words{"ready", "TERM", "CONT"});
  svc.await_state("BACKOFF");
  CHECK(svc.state()["reason"] == "heartbeat timeout");
  CHECK(svc.state()["exit"] == "signal KILL");
  CHECK(svc.state().number("exits") == 1);
  svc.await_log("heartbeat timeout");
  svc.await_service(first);
}

TEST_CASE("A service that ran well and stops beating is restarted at once") {
  const Supervised svc({.command = service({"repeat", "8", "3", "beat", "sleep", "50"}),
                        .conf = watched("0.5", "startsecs : 0.3\nbackoff : exponential\nbackoff_factor : 30")});
  const auto first = svc.await_service();
  svc.await_service(first);
  svc.await_log("heartbeat timeout");
  CHECK(svc.state()["exit"] == "signal TERM");
}

TEST_CASE("A service that stops beating and ends with code 0 is restarted even with autorestart unexpected") {
  const Supervised svc({.command = {"sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.05; done"},
                        .conf = watched("0.4", "autorestart : unexpected")});
  svc.await_service(svc.await_service());
  CHECK(svc.state()["exit"] == "code 0");
}

TEST_CASE("A service that never beats is ended when the timeout has passed since its start and not earlier") {
  TempDir work;
  const auto log = work / "starts";
  const Supervised svc(
      {.command = service({"started", log}), .conf = watched("0.7", "startsecs : 0.1\nheartbeat_delay : 0.6")});
  svc.await_lines(log, 2);
  CHECK(starts_in(log)[1] - starts_in(log)[0] > 1.25);
  CHECK(starts_in(log)[1] - starts_in(log)[0] < allowed(5));
  CHECK_THAT(svc.log(), contains("heartbeat timeout"));
}

TEST_CASE("The heartbeat file of an earlier run does not count") {
  TempDir work;
  const auto log = work / "starts";
  write_file(work / "beat", "an earlier run\n");
  // In the future as well: a clock may have been set.
  REQUIRE(shell("touch -d 'now + 1 hour' " + (work / "beat").string()).code == 0);
  const Supervised svc(
      {.command = service({"started", log, "first", work / "once", "6", "repeat", "2", "3", "beat", "sleep", "50"}),
       .conf =
           section({"heartbeat_file : " + (work / "beat").string(), "heartbeat_timeout : 0.5", "startsecs : 0.1"})});
  svc.await_lines(log, 2);
  CHECK(starts_in(log)[1] - starts_in(log)[0] < allowed(5));
  CHECK_THAT(svc.log(), contains("heartbeat timeout"));
}

TEST_CASE("A heartbeat file that is replaced or that a clock in the past stamps counts as a beat") {
  TempDir work;
  write_script(
      work / "program",
      "while :; do echo x > beat.new; touch -d '2001-01-01 00:00' beat.new; mv beat.new beat; sleep 0.1; done");
  const Supervised svc({.command = {work / "program"}, .conf = watched("0.6")});
  const auto pid = svc.await_service();
  CHECK(holds_for(1500ms, [&] { return svc.status().pid == pid && svc.state()["state"] != "STOPPING"; }));
}

TEST_CASE("HEARTBEAT_FILE is the absolute path of the file that the service is to write") {
  TempDir work;
  fs::create_directory(work / "folder");
  const auto conf = [&](const std::string& more) {
    return section({"heartbeat_file : beat", "heartbeat_timeout : 60", more});
  };
  const Supervised plain({.command = service({"facts", "facts", "beat"}), .conf = conf("")});
  const auto expected = (plain.work() / "beat").string();
  CHECK(facts_from(plain, plain.work() / "facts")["env.HEARTBEAT_FILE"] == expected);
  plain.await_that("the file", [&] { return fs::exists(expected); });
  const Supervised moved({.command = service({"facts", work / "facts", "beat"}),
                          .conf = conf("directory : " + (work / "folder").string())});
  CHECK(facts_from(moved, work / "facts")["env.HEARTBEAT_FILE"] == (work / "folder" / "beat").string());
  moved.await_that("the file", [&] { return fs::exists(work / "folder" / "beat"); });
}

TEST_CASE("Watching a heartbeat costs one wake-up a deadline and not one a beat") {
  const Supervised svc({.command = service({"repeat", kForEver, "3", "beat", "sleep", "100"}), .conf = watched("1.5")});
  svc.await_state("RUNNING");
  svc.await_that("rest", [&] { return fs::exists(svc.work() / "beat"); });
  std::this_thread::sleep_for(300ms);
  const auto before = switches(svc.pid());
  std::this_thread::sleep_for(3000ms);
  const auto count = switches(svc.pid()) - before;
  CHECK(count >= 1);
  CHECK(count <= 4);
  CHECK(svc.state()["state"] == "RUNNING");
}

TEST_CASE("A paused service is not missed and has the whole timeout again when it goes on") {
  const Supervised svc({.command = service({"repeat", kForEver, "3", "beat", "sleep", "50"}), .conf = watched("0.6")});
  const auto pid = svc.await_service();
  svc.await_that("a beat", [&] { return fs::exists(svc.work() / "beat"); });
  svc.write("p");
  CHECK(holds_for(1200ms, [&] { return alive(pid) && svc.state()["state"] != "STOPPING"; }));
  svc.write("c");
  CHECK(holds_for(900ms, [&] { return alive(pid) && svc.state()["state"] != "STOPPING"; }));
}

TEST_CASE("A stopped supervise does not take a service that beat all the time for dead") {
  const Supervised svc({.command = service({"repeat", kForEver, "3", "beat", "sleep", "50"}), .conf = watched("0.6")});
  const auto pid = svc.await_service();
  svc.await_state("RUNNING");
  ::kill(svc.pid(), SIGSTOP);
  std::this_thread::sleep_for(1s);
  ::kill(svc.pid(), SIGCONT);
  CHECK(holds_for(800ms, [&] { return alive(pid) && svc.state()["state"] == "RUNNING"; }));
}

TEST_CASE("A reload begins and ends the watch over the heartbeat of the running service") {
  const Supervised svc({.command = service({}), .conf = watched("60")});
  const auto pid = svc.await_service();
  write_file(svc.work() / "supervise.conf", watched("0"));
  svc.write("r");
  svc.await_log("configuration read again");
  CHECK(holds_for(300ms, [&] { return alive(pid); }));
  write_file(svc.work() / "supervise.conf", watched("0.3"));
  svc.write("r");
  await_end_of(svc, pid);
  svc.await_log("heartbeat timeout");
}

// ---- sd_notify(3)

TEST_CASE("systemd-notify tells readiness and status and gets its barrier") {
  SKIP_UNLESS(has_program("systemd-notify"), "systemd-notify is not here");
  TempDir work;
  const auto told = (work / "told").string();
  write_script(
      work / "program",
      "while [ ! -e go ]; do sleep 0.02; done\nsystemd-notify --ready --status='serving = well' || echo bad >> " +
          told + "\necho done >> " + told + "\nexec sleep 1000");
  const Supervised svc({.command = {work / "program"}, .conf = section({"notify : true"})});
  svc.await_state("RUNNING");
  CHECK_FALSE(is_ready(svc));
  const auto begin = monotonic_now();
  write_file(svc.work() / "go", "");
  svc.await_lines(told, 1);
  // systemd-notify waits for 5 s where nobody deals with BARRIER=1.
  CHECK(monotonic_now() - begin < allowed(4));
  CHECK(text_of(told) == "done\n");
  await_ready(svc);
  CHECK(svc.state()["status"] == "serving = well");
  CHECK(svc.state().number("ready") >= svc.state().number("started"));
  CHECK_THAT(svc.log(), !contains("refused"));
  svc.write("k");
  svc.await_that("the end of readiness", [&] { return svc.state().number("starts") >= 2 || !is_ready(svc); });
}

TEST_CASE("redis-server under systemd's protocol tells that it is ready and is taken down without a warning") {
  SKIP_UNLESS(has_program("redis-server") && shell("ldd $(command -v redis-server) | grep -q libsystemd").code == 0,
              "no redis that speaks sd_notify is here");
  TempDir work;
  const Supervised svc({.command = {"redis-server", "--port", "0", "--unixsocket", work / "sock", "--save", "", "--dir",
                                    work.path(), "--supervised", "systemd"},
                        .conf = section({"notify : true"})});
  await_ready(svc);
  CHECK_THAT(svc.state()["status"], contains("Ready to accept connections"));
  CHECK(ask(work / "sock", "PING\r\n").starts_with("+PONG"));
  svc.write("d");
  svc.await_state("STOPPED");
  CHECK_FALSE(is_ready(svc));
  CHECK(svc.state()["status"].empty());
  CHECK_THAT(svc.log(), !contains("[WARNING]"));
}

TEST_CASE("WATCHDOG_USEC tells the interval and WATCHDOG=1 in time keeps the service alive") {
  TempDir work;
  const Supervised svc({.command = service({"facts", work / "facts", "notify", "READY=1", "repeat", kForEver, "4",
                                            "notify", "WATCHDOG=1", "sleep", "100"}),
                        .conf = section({"watchdog : 0.6"})});
  const auto pid = svc.await_service();
  const auto facts = facts_from(svc, work / "facts");
  CHECK(facts["env.WATCHDOG_USEC"] == "600000");
  CHECK_FALSE(facts["env.NOTIFY_SOCKET"].empty());
  await_ready(svc);
  CHECK(holds_for(1500ms, [&] { return svc.status().pid == pid && svc.state()["state"] != "STOPPING"; }));
}

TEST_CASE("A service that stops sending WATCHDOG=1 is stopped and restarted for a watchdog timeout") {
  const Supervised svc(
      {.command =
           service({"ignore", "TERM", "notify", "READY=1", "repeat", "3", "4", "notify", "WATCHDOG=1", "sleep", "100"}),
       .conf = section({"watchdog : 0.5", "stopwaitsecs : 0.3", "startsecs : 60", "backoff : linear"})});
  const auto pid = svc.await_service();
  await_ready(svc);
  svc.await_state("STOPPING");
  CHECK(svc.state()["reason"] == "watchdog timeout");
  CHECK_FALSE(is_ready(svc));
  svc.await_state("BACKOFF");
  CHECK(svc.state()["exit"] == "signal KILL");
  CHECK(svc.state()["reason"] == "watchdog timeout");
  svc.await_log("watchdog timeout");
  svc.await_service(pid);
}

TEST_CASE("The watchdog begins to count when the service says that it is ready") {
  TempDir work;
  const Supervised svc(
      {.command = service({"await", work / "go", "notify", "READY=1"}), .conf = section({"watchdog : 0.3"})});
  const auto pid = svc.await_service();
  CHECK(holds_for(800ms, [&] { return alive(pid); }));
  write_file(work / "go", "");
  svc.await_log("watchdog timeout");
  await_end_of(svc, pid);
}

TEST_CASE("WATCHDOG=trigger is a watchdog timeout at once") {
  TempDir work;
  const Supervised svc(
      {.command = service({"await", work / "go", "notify", "WATCHDOG=trigger"}), .conf = section({"notify : true"})});
  const auto pid = svc.await_service();
  svc.await_state("RUNNING");
  write_file(work / "go", "");
  svc.await_service(pid);
  svc.await_log("watchdog timeout");
}

TEST_CASE("WATCHDOG_USEC from the service changes its watchdog") {
  const Supervised svc(
      {.command = service({"notify", "READY=1\nWATCHDOG_USEC=300000"}), .conf = section({"watchdog : 60"})});
  svc.await_service(svc.await_service());
  svc.await_log("watchdog timeout");
}

TEST_CASE("What supervise was told of a watchdog of its own is not handed on") {
  TempDir work;
  for (const std::string conf : {"watchdog : 60", "notify : true", "autorestart : true"}) {
    const Supervised svc(
        {.command = service({"facts", work / "facts"}),
         .conf = section({conf}),
         .environment = {{"WATCHDOG_PID", "1"}, {"WATCHDOG_USEC", "1234"}, {"NOTIFY_SOCKET", "/run/systemd/notify"}}});
    const auto facts = facts_from(svc, work / "facts");
    CHECK_FALSE(facts.has("env.WATCHDOG_PID"));
    CHECK(facts["env.WATCHDOG_USEC"] != "1234");
    CHECK(facts["env.NOTIFY_SOCKET"] != "/run/systemd/notify");
    fs::remove(work / "facts");
  }
}

TEST_CASE("STOPPING=1 shows as such and the service has stopwaitsecs to end and is sent no TERM") {
  TempDir work;
  const auto log = work / "signals";
  const Supervised svc({.command = service({"trap", "got", log, "notify", "STOPPING=1"}),
                        .conf = section({"notify : true", "stopwaitsecs : 0.6"})});
  const auto pid = svc.await_service();
  svc.await_state("STOPPING");
  CHECK_FALSE(svc.state()["reason"].empty());
  await_end_of(svc, pid);
  CHECK(signals_in(log) == Words{"ready"});
  svc.await_service(pid);
  CHECK(svc.state()["exit"] == "signal KILL");
}

TEST_CASE("A last word of a service that ends at once is not refused") {
  const Supervised svc(
      {.command = service({"notify", "READY=1", "sleep", "300", "notify", "STATUS=going\nSTOPPING=1", "exit", "0"}),
       .conf = section({"notify : true", "autorestart : false"})});
  svc.await_state("EXITED");
  CHECK_THAT(svc.log(), !contains("refused"));
}

TEST_CASE("MAINPID moves the supervision to a child and the end of that one is the end of the service") {
  TempDir work;
  const auto log = work / "starts";
  const Supervised svc(
      {.command = service({"started", log, "child", "2", "sleep", "100000", "notify", "READY=1\nMAINPID=%"}),
       .conf = section({"notify : true"})});
  svc.await_lines(log, 1);
  const auto launcher = pids_in(log)[0];
  const auto main = svc.await_service(launcher);
  CHECK(process(main)->parent == launcher);
  CHECK(svc.state()["pid"] == std::to_string(main));
  CHECK(is_ready(svc));
  svc.await_log("pid " + std::to_string(main));
  ::kill(main, SIGKILL);
  svc.await("exits", "1");
  svc.await_that("another start", [&] { return svc.state().number("starts") >= 2; });
}

TEST_CASE("With MAINPID the stop signal goes to the named child and down means down") {
  TempDir work;
  const auto log = work / "signals";
  const Supervised svc({.command = service({"started", work / "starts", "child", "3", "trap", "main", log, "await", log,
                                            "notify", "MAINPID=%"}),
                        .conf = section({"notify : true", "stopwaitsecs : 0.4", "kill_tree : true"})});
  svc.await_lines(work / "starts", 1);
  const auto main = svc.await_service(pids_in(work / "starts")[0]);
  svc.write("d");
  svc.await_state("STOPPED");
  await_end_of(svc, main);
  CHECK(lines_of(log) == Words{"main ready", "main TERM", "main CONT"});
}

TEST_CASE("The exit of a main process that lost its parent is told exactly") {
  const Supervised svc({.command = service({"child", "4", "sleep", "600", "raise", "SEGV", "notify", "MAINPID=%",
                                            "sleep", "200", "exit", "0"}),
                        .conf = section({"notify : true", "autorestart : false", "rlimit_core : 0"})});
  svc.await_state("EXITED");
  CHECK(svc.state()["exit"] == "signal SEGV");
  CHECK(svc.state()["exits"] == "1");
}

TEST_CASE("EXTEND_TIMEOUT_USEC delays the KILL") {
  TempDir work;
  const auto log = work / "starts";
  write_script(work / "program", "trap 'systemd-notify EXTEND_TIMEOUT_USEC=1500000' TERM\n: > " +
                                     (work / "ready").string() + "\nwhile :; do sleep 0.05; done");
  SKIP_UNLESS(has_program("systemd-notify"), "systemd-notify is not here");
  const Supervised svc({.command = {work / "program"}, .conf = section({"notify : true", "stopwaitsecs : 0.7"})});
  svc.await_that("the trap", [&] { return fs::exists(work / "ready"); });
  const auto begin = monotonic_now();
  svc.write("d");
  svc.await_state("STOPPED");
  CHECK(svc.state()["exit"] == "signal KILL");
  CHECK(monotonic_now() - begin > 1.4);
  CHECK(monotonic_now() - begin < allowed(6));
}

TEST_CASE("A message from a stranger who knows the name of the socket is refused with one warning") {
  TempDir work;
  const Supervised svc({.command = service({"facts", work / "facts"}), .conf = section({"notify : true"})});
  const auto pid = svc.await_service();
  const auto socket = socket_of(svc, work / "facts");
  for (int i = 0; i < 5; ++i) {
    REQUIRE(tell(socket, "READY=1\nSTATUS=forged\nWATCHDOG=trigger\nMAINPID=" + std::to_string(getpid())));
    svc.await_log("refused");
  }
  CHECK(holds_for(300ms, [&] { return svc.status().pid == pid && !is_ready(svc) && svc.state()["status"].empty(); }));
  CHECK(count_lines(svc / "supervise.log", "refused") == 1);
  CHECK_THAT(svc.log(), contains("[WARNING]"));
  CHECK_THAT(svc.log(), contains("pid " + std::to_string(getpid())));
}

TEST_CASE("A message from a helper of supervise is refused") {
  TempDir work;
  write_script(work / "hook",
               "exec " + service({})[0] + " notify STATUS=forged touch " + (work / "hooked").string() + " exit 0");
  const Supervised svc({.command = service({"facts", work / "facts"}),
                        .conf = section({"notify : true"}),
                        .options = {"-r", work / "hook"},
                        .environment = {}});
  const auto socket = socket_of(svc, work / "facts");
  write_script(work / "hook", "NOTIFY_SOCKET='" + socket + "' " + service({})[0] + " notify STATUS=forged touch " +
                                  (work / "hooked").string() + " sleep 200 exit 0");
  svc.write("k");
  svc.await_that("the hook", [&] { return fs::exists(work / "hooked"); });
  svc.await_log("refused");
  CHECK(svc.state()["status"].empty());
}

TEST_CASE("MAINPID of a stranger is refused with one warning and no signal reaches it") {
  Child stranger({.argv = service({})});
  const auto forged = "MAINPID=" + std::to_string(stranger.pid());
  const Supervised svc(
      {.command = service({"repeat", "20", "4", "notify", forged, "sleep", "10", "notify", "STATUS=over"}),
       .conf = section({"notify : true"})});
  const auto pid = svc.await_service();
  svc.await("status", "over");
  CHECK(svc.status().pid == pid);
  CHECK(count_lines(svc / "supervise.log", "refused") == 1);
  CHECK_THAT(svc.log(), contains(forged));
  svc.write("tdx");
  svc.await_exit();
  CHECK(stranger.running());
}

TEST_CASE("MAINPID of supervise and of init are refused") {
  const Supervised svc({.command = {"sh", "-c",
                                    "exec " + service({})[0] +
                                        " notify MAINPID=$PPID notify MAINPID=1 notify MAINPID=$$ notify STATUS=over"},
                        .conf = section({"notify : true"})});
  const auto pid = svc.await_service();
  svc.await("status", "over");
  CHECK(svc.status().pid == pid);
}

TEST_CASE("Empty and overlong and faulty notifications do no harm") {
  const Supervised svc({.command = service({"garbage", "notify", "STATUS=over"}), .conf = section({"notify : true"})});
  const auto pid = svc.await_service();
  svc.await("status", "over");
  CHECK(svc.status().pid == pid);
  CHECK_FALSE(is_ready(svc));
  CHECK(count_lines(svc / "supervise.log", "refused") == 1);
  svc.write("dx");
  svc.await_exit();
}

TEST_CASE("Control characters in a status do not break the lines of state") {
  const Supervised svc(
      {.command = service({"notify", "STATUS=a\rb\x1b[31mc\x7f" + std::string(1000, 'z'), "notify", "READY=1"}),
       .conf = section({"notify : true"})});
  await_ready(svc);
  const auto status = svc.state()["status"];
  CHECK_THAT(status, matches(R"(a\\rb\\x1b\[31mc\\x7fz+)"));
  for (const char c : status) CHECK(c >= ' ');
  CHECK(svc.state()["paused"] == "0");
}

TEST_CASE("A flood of notifications leaves commands obeyed and costs little") {
  const Supervised svc({.command = service({"child", "5", "repeat", "100000", "2", "notify", "STATUS=x", "child", "5",
                                            "repeat", "100000", "2", "notify", "READY=1"}),
                        .conf = section({"notify : true"})});
  const auto pid = svc.await_service();
  svc.await("status", "x");
  await_ready(svc);
  const auto begin = processor_time(svc.pid());
  for (int i = 0; i < 10; ++i) {
    svc.write("s");
    svc.await("alarm", "off");
    svc.write("n");
    svc.await("alarm", "on");
    std::this_thread::sleep_for(100ms);
  }
  if (!is_sanitized()) CHECK(processor_time(svc.pid()) - begin < 0.35);
  const auto death = monotonic_now();
  ::kill(pid, SIGKILL);
  svc.await_service(pid);
  CHECK(monotonic_now() - death < allowed(3));
  svc.write("dx");
  svc.await_exit();
}

TEST_CASE("A flood from strangers leaves commands obeyed and the log short") {
  TempDir work;
  const Supervised svc({.command = service({"facts", work / "facts"}), .conf = section({"notify : true"})});
  const auto socket = socket_of(svc, work / "facts");
  const auto begin = processor_time(svc.pid());
  for (int i = 0; i < 100000; ++i) (void)tell(socket, "WATCHDOG=trigger");
  svc.write("s");
  svc.await("alarm", "off");
  if (!is_sanitized()) CHECK(processor_time(svc.pid()) - begin < 0.5);
  CHECK(count_lines(svc / "supervise.log", "refused") <= 2);
  CHECK(svc.state()["exits"] == "0");
}

// ---- ready_fd

TEST_CASE("s6-svscan tells on ready_fd that it is ready") {
  SKIP_UNLESS(has_program("s6-svscan"), "s6 is not here");
  TempDir work;
  const auto folder = (work / "scan").string();
  fs::create_directory(folder);
  write_script(work / "program", "while [ ! -e go ]; do sleep 0.02; done\nexec s6-svscan -d 5 " + folder);
  const Supervised svc({.command = {work / "program"}, .conf = section({"ready_fd : 5", "startsecs : 0.2"})});
  svc.await_state("RUNNING");
  CHECK(holds_for(200ms, [&] { return !is_ready(svc); }));
  write_file(svc.work() / "go", "");
  await_ready(svc);
  CHECK(arguments(svc.status().pid)[0] == "s6-svscan");
  svc.write("d");
  svc.await_state("STOPPED");
  CHECK_FALSE(is_ready(svc));
}

TEST_CASE("ready_fd and notify work at every start anew and without them there is no descriptor and no socket") {
  TempDir work;
  const Supervised svc(
      {.command = service({"facts", "facts", "await", "go", "ready", "7"}), .conf = section({"ready_fd : 7"})});
  pid_t pid = 0;
  std::size_t open_files = 0;
  for (int i = 0; i < 3; ++i) {
    pid = svc.await_service(pid);
    const auto facts = facts_from(svc, svc.work() / "facts");
    Words numbers;
    for (const auto& [key, value] : facts.all())
      if (key.starts_with("fd.")) numbers.push_back(key);
    CHECK(numbers == Words{"fd.0", "fd.1", "fd.2", "fd.7"});
    CHECK_THAT(facts["fd.7"], contains("pipe:"));
    CHECK_FALSE(facts.has("env.NOTIFY_SOCKET"));
    CHECK_FALSE(facts.has("env.HEARTBEAT_FILE"));
    CHECK_FALSE(is_ready(svc));
    write_file(svc.work() / "go", "");
    await_ready(svc);
    if (i == 0) open_files = descriptors(svc.pid()).size();
    CHECK(descriptors(svc.pid()).size() == open_files);
    fs::remove(svc.work() / "facts");
    fs::remove(svc.work() / "go");
    if (i < 2) svc.write("k");
  }
}

TEST_CASE("What a service writes on ready_fd before the newline is not readiness and closing it neither") {
  const Supervised svc(
      {.command = {"sh", "-c",
                   "printf almost >&3; sleep 0.3; exec 3>&-; while [ ! -e go ]; do sleep 0.02; done; exec sleep 1000"},
       .conf = section({"ready_fd : 3", "startsecs : 0.1"})});
  svc.await_state("RUNNING");
  CHECK(holds_for(700ms, [&] { return !is_ready(svc); }));
  // The end of the descriptor is no reason to wake up again and again.
  const auto before = switches(svc.pid());
  std::this_thread::sleep_for(500ms);
  CHECK(switches(svc.pid()) - before <= 2);
}

TEST_CASE("Without any of the signs a service is ready when it is RUNNING") {
  const Supervised svc({.command = service({})});
  CHECK_FALSE(is_ready(svc));
  svc.await_state("RUNNING");
  CHECK(is_ready(svc));
}

// ---- ready_timeout

TEST_CASE("A service that is not ready in ready_timeout is stopped and restarted") {
  for (const std::string sign : {"notify : true", "ready_fd : 3"}) {
    const Supervised svc(
        {.command = service({}), .conf = section({sign, "ready_timeout : 0.5", "startsecs : 60", "backoff : linear"})});
    svc.await_state("BACKOFF");
    CHECK(svc.state()["reason"] == "not ready in time");
    CHECK(svc.state()["exit"] == "signal TERM");
    svc.await_log("not ready in time");
    CHECK(svc.state().number("exits") == 1);
  }
}

TEST_CASE("ready_timeout means nothing to a service that has no way to say that it is ready") {
  const Supervised svc({.command = service({}), .conf = section({"ready_timeout : 0.4", "startsecs : 0.1"})});
  const auto pid = svc.await_service();
  CHECK(holds_for(1s, [&] { return svc.status().pid == pid && svc.state()["state"] != "STOPPING"; }));
}

TEST_CASE("A service that is ready in time is left alone by ready_timeout") {
  const Supervised svc(
      {.command = service({"sleep", "200", "ready", "3"}), .conf = section({"ready_fd : 3", "ready_timeout : 0.8"})});
  const auto pid = svc.await_service();
  CHECK(holds_for(1300ms, [&] { return svc.status().pid == pid && svc.state()["state"] != "STOPPING"; }));
  CHECK(is_ready(svc));
}
