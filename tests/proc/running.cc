// Section 7 of the contract: what the service is given, how it is started, restarted and stopped, and what idling
// costs.
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cmath>
#include <ctime>
#include <utility>

#include "harness.h"

using namespace harness;

namespace {

KeyValues facts_from(const StatusDir& dir, const fs::path& file) {
  dir.await_that("the facts of the service", [&] { return fs::exists(file); });
  return KeyValues(text_of(file));
}

void check_clean(const StatusDir& dir, const KeyValues& facts) {
  Words open_files;
  for (const auto& [key, value] : facts.all())
    if (key.starts_with("fd.")) open_files.push_back(key + " " + value);
  CHECK(open_files ==
        Words{"fd.0 /dev/null", "fd.1 " + (dir / "supervise/stdout").string(), "fd.2 " + (dir / "supervise/stderr").string()});
  CHECK(facts["blocked"] == "0000000000000000");
  CHECK(facts["ignored"] == "0000000000000000");
  CHECK(facts["group"] == facts["pid"]);
  CHECK(facts["session"] == std::to_string(process(dir.recorded_supervise())->session));
  CHECK(facts["parent"] == std::to_string(dir.recorded_supervise()));
}

void make_unclean() {
  for (const int number : {SIGPIPE, SIGHUP, SIGINT, SIGTERM, SIGCHLD, SIGUSR1, SIGTTOU, 40}) signal(number, SIG_IGN);
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  for (const int fd : {3, 5, 42, 250}) dup2(1, fd);
}

std::string switches(pid_t pid) {
  return process_field(pid, "voluntary_ctxt_switches") + " " + process_field(pid, "nonvoluntary_ctxt_switches");
}

// In KiB: the anonymous pages that no other process has as well.
long private_anonymous_memory(pid_t pid) {
  long sum = 0, dirty = 0;
  for (const auto& line : lines_of("/proc/" + std::to_string(pid) + "/smaps")) {
    const auto number = [&](const char* key) { return line.starts_with(key) ? std::stol(line.substr(line.find(':') + 1)) : -1; };
    if (const auto kib = number("Private_Dirty:"); kib >= 0) dirty = kib;
    if (const auto anonymous = number("Anonymous:"); anonymous >= 0) sum += std::min(anonymous, dirty);
  }
  return sum;
}

std::optional<long> anonymous_memory(pid_t pid) {
  const KeyValues memory(text_of("/proc/" + std::to_string(pid) + "/smaps_rollup"), ":");
  if (!memory.has("Anonymous")) return {};
  return std::lround(memory.number("Anonymous"));
}

// State after a first start that could not be made.
KeyValues after_failed_start(const Words& command, const std::string& conf = "") {
  const Supervised svc({.command = command,
                        .conf = "[svc]\nbackoff : exponential\nbackoff_factor : 20\n" + conf,
                        .environment = {{"PATH", "/usr/bin:/bin"}}});
  svc.await_state("BACKOFF");
  const auto state = svc.state();
  INFO(state["reason"]);
  CHECK(state["pid"] == "0");
  CHECK(svc.status().pid == 0);
  CHECK(state["exit"].empty());
  CHECK_FALSE(state["reason"].empty());
  CHECK_THAT(svc.log(), contains(state["reason"]));
  CHECK_THAT(svc.launch().err, contains(state["reason"]));
  CHECK(children(svc.pid()).empty());
  return state;
}

}  // namespace

TEST_CASE("The service starts clean") {
  const Supervised detached({.command = service({"facts", "facts"})});
  check_clean(detached, facts_from(detached, detached.work() / "facts"));
  const Supervised foreground({.command = service({"facts", "facts"}), .mode = Mode::kForeground});
  check_clean(foreground, facts_from(foreground, foreground.work() / "facts"));
}

TEST_CASE("The service starts clean even when supervise itself was started in a mess") {
  for (const Mode mode : {Mode::kDetached, Mode::kForeground}) {
    const Supervised svc({.command = service({"facts", "facts"}), .mode = mode, .before_exec = make_unclean});
    const auto facts = facts_from(svc, svc.work() / "facts");
    check_clean(svc, facts);
    const auto pid = svc.await_service();
    fs::remove(svc.work() / "facts");
    svc.write("k");
    svc.await_service(pid);
    check_clean(svc, facts_from(svc, svc.work() / "facts"));
    svc.write("dx");
    svc.await_exit();
  }
}

TEST_CASE("A later start is as clean as the first and after helpers ran") {
  TempDir work;
  write_script(work / "hook", "exit 0");
  const Supervised svc({.command = service({"facts", "facts"}),
                        .conf = "[svc]\nalarm_interval : 60\nalarm_command : " + (work / "hook").string() + "\n",
                        .options = {"-r", work / "hook"}});
  facts_from(svc, svc.work() / "facts");
  for (int i = 0; i < 2; ++i) {
    const auto pid = svc.await_service();
    fs::remove(svc.work() / "facts");
    svc.write("k");
    svc.await_service(pid);
    check_clean(svc, facts_from(svc, svc.work() / "facts"));
  }
}

TEST_CASE("Umask and limits and environment are inherited unless configured") {
  const Supervised svc(
      {.command = service({"facts", "facts"}), .environment = {{"GREETING", "hello world"}}, .before_exec = [] {
         umask(027);
         const rlimit files{123, 456};
         setrlimit(RLIMIT_NOFILE, &files);
         if (nice(3) == -1) _exit(1);
       }});
  const auto facts = facts_from(svc, svc.work() / "facts");
  CHECK(facts["umask"] == "027");
  CHECK(facts["rlimit_nofile"] == "123:456");
  CHECK(std::atoi(facts["nice"].c_str()) == getpriority(PRIO_PROCESS, 0) + 3);
  CHECK(facts["env.GREETING"] == "hello world");
  CHECK(facts["directory"] == svc.work().path().string());
}

TEST_CASE("A command that is not found is reported as such") {
  CHECK(after_failed_start({"redis-sever", "--port", "0"})["reason"] == "command not found: redis-sever");
}

TEST_CASE("A path that does not exist is reported with its name") {
  CHECK_THAT(after_failed_start({"/no/such/folder/program"})["reason"], contains("/no/such/folder/program"));
}

TEST_CASE("A file that is not executable is reported with its name") {
  TempDir work;
  write_file(work / "plain", "text", 0644);
  const auto reason = after_failed_start({work / "plain"})["reason"];
  CHECK_THAT(reason, contains(work / "plain"));
  CHECK_THAT(reason, !contains("not found"));
  CHECK_THAT(after_failed_start({work.path()})["reason"], contains(work.path()));
}

TEST_CASE("A script whose interpreter is missing is reported as such") {
  TempDir work;
  write_file(work / "script", "#!/no/such/interpreter -x\n", 0755);
  const auto reason = after_failed_start({work / "script"})["reason"];
  CHECK_THAT(reason, contains(work / "script"));
  CHECK_THAT(reason, contains("interpreter"));
}

TEST_CASE("A working directory that is gone is reported as such") {
  TempDir work;
  const auto reason = after_failed_start(service({}), "directory : " + (work / "gone").string() + "\n")["reason"];
  CHECK_THAT(reason, contains("cannot change to directory"));
  CHECK_THAT(reason, contains(work / "gone"));
}

TEST_CASE("A text file without an interpreter line is run by sh as execvp does") {
  TempDir work;
  write_file(work / "plain", "echo \"from sh $1\"\nexec sleep 100\n", 0755);
  const Supervised svc({.command = {work / "plain", "with arguments"}});
  svc.await_lines(svc / "__stdout", 1);
  CHECK(text_of(svc / "__stdout") == "from sh with arguments\n");
}

TEST_CASE("A failed start is not told as an exit code and the real exit before it is kept") {
  TempDir work;
  fs::copy_file(service({})[0], work / "program");
  const Supervised svc({.command = {work / "program", "sleep", "1200", "exit", "5"}});
  svc.await_service();
  fs::remove(work / "program");
  svc.await_state("BACKOFF");
  svc.await_that("the reason", [&] { return svc.state()["reason"].find("program") != std::string::npos; });
  CHECK(svc.state()["exit"] == "code 5");
  fs::copy_file(service({})[0], work / "program");
  svc.await_service();
}

TEST_CASE("A death is noticed at once and a service that ran well is restarted at once") {
  TempDir work;
  const auto log = work / "starts";
  const Supervised svc({.command = service({"started", log})});
  double best = 1000;
  for (std::size_t i = 1; i <= 3; ++i) {
    svc.await_state("RUNNING");
    const auto pid = svc.await_service();
    const auto death = monotonic_now();
    ::kill(pid, SIGKILL);
    svc.await_lines(log, i + 1);
    best = std::min(best, starts_in(log).back() - death);
  }
  CHECK(best < allowed(0.3));
}

TEST_CASE("A crash loop has at most one start a second") {
  TempDir work;
  const auto log = work / "starts";
  const Supervised svc({.command = service({"started", log, "exit", "1"})});
  svc.await_lines(log, 5);
  const auto starts = starts_in(log);
  for (std::size_t i = 1; i < starts.size(); ++i) {
    CHECK(starts[i] - starts[i - 1] > 0.9);
    CHECK(starts[i] - starts[i - 1] < allowed(5));
  }
  CHECK((starts[4] - starts[0]) / 4 > 0.97);
}

TEST_CASE("A command that cannot be executed is tried at most once a second and for ever") {
  const Supervised svc({.command = {"/nonexistent/program"}});
  const auto count = [&svc] { return count_lines(svc / "supervise.log", "/nonexistent/program"); };
  const auto begin = monotonic_now();
  svc.await_that("four tries", [&] { return count() >= 4; });
  CHECK(monotonic_now() - begin > 2.7);
  CHECK(svc.state()["state"] == "BACKOFF");
}

TEST_CASE("Linear back-off waits longer each time") {
  TempDir work;
  const auto log = work / "starts";
  const Supervised svc({.command = service({"started", log, "exit", "1"}), .conf = "[svc]\nbackoff : linear\n"});
  svc.await_lines(log, 4);
  const auto starts = starts_in(log);
  CHECK(starts[1] - starts[0] > 0.9);
  CHECK(starts[2] - starts[1] > 1.9);
  CHECK(starts[3] - starts[2] > 2.9);
  CHECK(starts[1] - starts[0] < allowed(2));
}

TEST_CASE("Exponential back-off doubles and stops at backoff_max") {
  TempDir work;
  const auto log = work / "starts";
  const Supervised svc({.command = service({"started", log, "exit", "1"}),
                        .conf = "[svc]\nbackoff : exponential\nbackoff_factor : 0.6\nbackoff_max : 2\n"});
  svc.await_lines(log, 5);
  const auto starts = starts_in(log);
  std::vector<double> gaps;
  for (std::size_t i = 1; i < 5; ++i) gaps.push_back(starts[i] - starts[i - 1]);
  for (std::size_t i = 1; i < gaps.size(); ++i) CHECK(gaps[i] > gaps[i - 1] - 0.15);
  CHECK(gaps[3] > 1.9);
  CHECK(gaps[3] < allowed(4));
}

TEST_CASE("autorestart false restarts never and u starts it again") {
  const Supervised svc({.command = service({"exit", "4"}), .conf = "[svc]\nautorestart : false\n"});
  svc.await_state("EXITED");
  CHECK(holds_for(1300ms, [&] { return svc.state()["starts"] == "1"; }));
  svc.write("u");
  svc.await("starts", "2");
}

TEST_CASE("autorestart unexpected restarts unless the exit code is expected") {
  const std::string conf = "[svc]\nautorestart : unexpected\nexitcodes : 0,2\n";
  for (const std::string code : {"0", "2"}) {
    const Supervised svc({.command = service({"exit", code}), .conf = conf});
    svc.await_state("EXITED");
  }
  const Supervised code({.command = service({"exit", "1"}), .conf = conf});
  const Supervised signal({.command = service({"raise", "TERM"}), .conf = conf});
  code.await("starts", "2");
  signal.await("starts", "2");
}

TEST_CASE("startsecs is how long STARTING lasts") {
  const Supervised soon({.command = service({}), .conf = "[svc]\nstartsecs : 0.2\n"});
  const Supervised late({.command = service({}), .conf = "[svc]\nstartsecs : 1h\n"});
  soon.await_state("RUNNING");
  CHECK(soon.state().number("ready") - soon.state().number("started") < allowed(1));
  CHECK(late.state()["state"] == "STARTING");
}

TEST_CASE("startretries failed starts more and then FATAL") {
  TempDir work;
  const auto log = work / "starts";
  const Supervised svc({.command = service({"started", log, "exit", "1"}), .conf = "[svc]\nstartretries : 2\n"});
  svc.await_state("FATAL");
  CHECK(lines_of(log).size() == 3);
  CHECK(alive(svc.pid()));
  CHECK(holds_for(1300ms, [&] { return lines_of(log).size() == 3; }));
  svc.write("u");
  svc.await_lines(log, 4);
}

TEST_CASE("startretries counts commands that cannot be executed as well") {
  const Supervised svc({.command = {"/nonexistent/program"}, .conf = "[svc]\nstartretries : 1\n"});
  svc.await_state("FATAL");
  CHECK_THAT(svc.state()["reason"], contains("/nonexistent/program"));
  CHECK(alive(svc.pid()));
}

TEST_CASE("max_restarts in a row and then FATAL") {
  TempDir work;
  const auto log = work / "starts";
  const Supervised svc({.command = service({"started", log, "exit", "1"}), .conf = "[svc]\nmax_restarts : 2\n"});
  svc.await_state("FATAL");
  CHECK(lines_of(log).size() == 3);
  CHECK_FALSE(svc.state()["reason"].empty());
}

TEST_CASE("fatal_retry leaves FATAL by itself") {
  TempDir work;
  const auto log = work / "starts";
  const Supervised svc(
      {.command = service({"started", log, "exit", "1"}), .conf = "[svc]\nstartretries : 0\nfatal_retry : 1\n"});
  svc.await_lines(log, 2);
  CHECK(starts_in(log)[1] - starts_in(log)[0] > 0.9);
}

TEST_CASE("stopsignal is sent first and CONT after it") {
  for (const std::string name : {"INT", "SIGQUIT", "10"}) {
    TempDir work;
    const auto log = work / "signals";
    const Supervised svc({.command = service({"trap", "got", log}), .conf = "[svc]\nstopsignal : " + name + "\n"});
    svc.await_lines(log, 1);
    svc.write("d");
    svc.await_lines(log, 3);
    const std::string expected = name == "10" ? "USR1" : name == "INT" ? "INT" : "QUIT";
    CHECK(lines_of(log) == Words{"got ready", "got " + expected, "got CONT"});
  }
}

TEST_CASE("A service that somebody else stopped can be taken down") {
  const Supervised svc({.command = service({})});
  const auto pid = svc.await_service();
  ::kill(pid, SIGSTOP);
  REQUIRE(wait_until([&] { return process(pid)->state == 'T'; }));
  svc.write("d");
  svc.await_state("STOPPED");
  CHECK(svc.state()["exit"] == "signal TERM");
}

TEST_CASE("After stopwaitsecs the service gets KILL") {
  TempDir work;
  const auto log = work / "signals";
  const Supervised svc({.command = service({"trap", "got", log}), .conf = "[svc]\nstopwaitsecs : 1\n"});
  svc.await_lines(log, 1);
  const auto begin = monotonic_now();
  svc.write("d");
  svc.await_state("STOPPED");
  CHECK(monotonic_now() - begin > 0.9);
  CHECK(monotonic_now() - begin < allowed(8));
  CHECK(svc.state()["exit"] == "signal KILL");
}

TEST_CASE("stopwaitsecs 0 means no KILL") {
  TempDir work;
  const auto log = work / "signals";
  const Supervised svc({.command = service({"trap", "got", log}), .conf = "[svc]\nstopwaitsecs : 0\n"});
  svc.await_lines(log, 1);
  svc.write("d");
  svc.await_state("STOPPING");
  CHECK(holds_for(1500ms, [&] { return svc.state()["state"] == "STOPPING"; }));
  svc.write("k");
  svc.await_state("STOPPED");
}

TEST_CASE("Without stopasgroup only the service itself gets the signal") {
  TempDir work;
  const auto log = work / "signals";
  const Supervised svc({.command = service({"child", "3", "trap", "child", log, "await", log})});
  svc.await_lines(log, 1);
  svc.write("d");
  svc.await_state("STOPPED");
  CHECK(lines_of(log) == Words{"child ready"});
}

TEST_CASE("With stopasgroup the children of the service get the signal as well") {
  TempDir work;
  const auto log = work / "signals";
  const Supervised svc(
      {.command = service({"child", "3", "trap", "child", log}), .conf = "[svc]\nstopasgroup : true\n"});
  svc.await_lines(log, 1);
  svc.write("d");
  svc.await_state("STOPPED");
  svc.await_lines(log, 3);
  CHECK(lines_of(log) == Words{"child ready", "child TERM", "child CONT"});
}

TEST_CASE("killasgroup kills the children of the service as well") {
  for (const std::string value : {"true", "false"}) {
    TempDir work;
    const auto log = work / "signals";
    const Supervised svc(
        {.command = service({"ignore", "TERM", "child", "3", "trap", "child", log, "started", work / "ready"}),
         .conf = "[svc]\nstopwaitsecs : 0.3\nkillasgroup : " + value + "\n"});
    svc.await_lines(log, 1);
    svc.await_lines(work / "ready", 1);
    const auto offspring = children(svc.await_service());
    REQUIRE(offspring.size() == 1);
    svc.write("d");
    svc.await_state("STOPPED");
    if (value == "true")
      svc.await_that("the end of the child", [&] { return !alive(offspring[0]); });
    else
      CHECK(alive(offspring[0]));
  }
}

TEST_CASE("The pid of the service is that of the command and its children are no concern") {
  const Words command = {"sh", "-c", "sleep 100 & wait"};
  const Supervised svc({.command = command});
  const auto pid = svc.await_command(command);
  CHECK(children(svc.pid()) == std::vector{pid});
}

TEST_CASE("No zombies are left by helpers and services") {
  TempDir work;
  write_script(work / "hook", "exit 1");
  const Supervised svc({.command = service({"exit", "1"}),
                        .conf = "[svc]\nalarm_interval : 60\nalarm_command : " + (work / "hook").string() + "\n",
                        .options = {"-r", work / "hook"}});
  svc.await("starts", "3");
  svc.write("d");
  svc.await_state("STOPPED");
  svc.await_that("no children", [&] { return children(svc.pid()).empty(); });
}

TEST_CASE("An idle supervise does not wake up") {
  const Supervised svc({.command = service({})});
  svc.await_state("RUNNING");
  REQUIRE(shell("echo s > control; echo n > control", svc.dir()).code == 0);
  svc.await_that("rest", [&, before = std::string{}]() mutable {
    const auto seen = std::exchange(before, switches(svc.pid()));
    std::this_thread::sleep_for(1200ms);
    return seen == before;
  });
  const auto before = process_field(svc.pid(), "voluntary_ctxt_switches");
  CHECK(holds_for(5s, [&] { return process_field(svc.pid(), "voluntary_ctxt_switches") == before; }));
}

TEST_CASE("strace sees no call of an idle supervise") {
  SKIP_UNLESS(has_program("strace"), "strace is not here");
  const Supervised svc({.command = service({})});
  svc.await_state("RUNNING");
  std::this_thread::sleep_for(1500ms);
  Child trace({.argv = {"strace", "-p", std::to_string(svc.pid())}});
  svc.await_that("strace", [&] {
    return !trace.running() || process_field(svc.pid(), "TracerPid") == std::to_string(trace.pid());
  });
  SKIP_UNLESS(trace.running(), "strace may not trace here: " + trace.err());
  svc.await_that("the call that it waits in", [&] { return trace.err().find("poll") != std::string::npos; });
  const auto before = lines_in(trace.err());
  CHECK(holds_for(5s, [&] { return lines_in(trace.err()) == before; }));
  INFO(trace.err());
  CHECK(before.size() <= 2);
}

TEST_CASE("A supervise that waits with a service down does not wake up either") {
  const Supervised svc({.command = service({})});
  svc.write("d");
  svc.await_state("STOPPED");
  std::this_thread::sleep_for(1500ms);
  const auto before = process_field(svc.pid(), "voluntary_ctxt_switches");
  CHECK(holds_for(2s, [&] { return process_field(svc.pid(), "voluntary_ctxt_switches") == before; }));
}

// Address randomization decides whether what is on the stack takes a page more: the least of some starts, in KiB.
template <class Measure>
long least_of_starts(const Setup& setup, long enough, Measure measure) {
  long least = LONG_MAX;
  for (int i = 0; i < 5 && least > enough; ++i) {
    const Supervised svc(setup);
    svc.await_state("RUNNING");
    least = std::min(least, static_cast<long>(measure(svc)));
  }
  return least;
}

TEST_CASE("An idle supervise has at most 68 KiB of private anonymous memory") {
  SKIP_UNLESS(!is_sanitized(), "the sanitizers need memory of their own");
  SKIP_UNLESS(anonymous_memory(getpid()), "smaps_rollup is not here");
  // The environment is part of it: here a small one.
  const auto kib = least_of_starts({.command = service({}),
                                    .conf = "[global]\nalarm_interval : 60\n[svc]\nstopwaitsecs : 7\nstdout_logfile : none\nstderr_logfile : none\n",
                                    .wrapper = {"env", "-i", "PATH=/usr/bin:/bin"}},
                                   68, [](const Supervised& svc) { return *anonymous_memory(svc.pid()); });
  CHECK(kib <= 68);
}

TEST_CASE("An idle supervise and its logger have at most 100 KiB of private anonymous memory together") {
  SKIP_UNLESS(!is_sanitized(), "the sanitizers need memory of their own");
  const auto kib = least_of_starts({.command = service({"out", "hello", "err", "hello"}), .conf = "[svc]\n", .wrapper = {"env", "-i", "PATH=/usr/bin:/bin"}}, 100,
                                   [](const Supervised& svc) {
                                     const auto logger = logger_of(svc.pid());
                                     REQUIRE(logger);
                                     return private_anonymous_memory(svc.pid()) + private_anonymous_memory(*logger);
                                   });
  CHECK(kib <= 100);
}

TEST_CASE("Descriptors and memory do not grow with restarts and commands") {
  TempDir work;
  write_script(work / "hook", "exit 0");
  const Supervised svc({.command = service({}),
                        .conf = "[svc]\nalarm_interval : 60\nalarm_command : true\nstopwaitsecs : 7\n",
                        .options = {"-r", work / "hook"}});
  auto pid = svc.await_service();
  const auto round = [&] {
    svc.write("rZsn");
    svc.write("k");
    pid = svc.await_service(pid);
    svc.await_that("the helpers to end", [&] { return children(svc.pid()) == std::vector{pid}; });
  };
  round();
  const auto files = descriptors(svc.pid()).size();
  // A page of the stack may be touched late, by an event that comes at another moment; a leak would go on.
  const auto grew = [&] {
    const auto memory = anonymous_memory(svc.pid());
    for (int i = 0; i < 3; ++i) round();
    return anonymous_memory(svc.pid()) != memory;
  };
  bool growing = grew();
  for (int i = 0; growing && !is_sanitized() && i < 5; ++i) growing = grew();
  CHECK(descriptors(svc.pid()).size() == files);
  if (!is_sanitized()) CHECK_FALSE(growing);
}

TEST_CASE("A low soft limit of open files is the service's and not that of supervise") {
  TempDir work;
  const Supervised svc({.command = service({"facts", work / "facts"}), .wrapper = {"prlimit", "--nofile=20:1024"}});
  svc.await_that("the facts", [&] { return fs::exists(work / "facts"); });
  CHECK(KeyValues(text_of(work / "facts"))["rlimit_nofile"] == "20:1024");
  svc.await_state("RUNNING");
  const auto open_files = descriptors(svc.pid());
  for (int fd = 0; fd <= 2; ++fd) CHECK(open_files.at(fd) == "/dev/null");
  CHECK_THAT(svc.log(), !contains("WARNING"));
  svc.write("E");
  svc.await_log("supervise goes on as");
  fs::remove(work / "facts");
  svc.write("t");
  svc.await_that("the facts again", [&] { return fs::exists(work / "facts"); });
  CHECK(KeyValues(text_of(work / "facts"))["rlimit_nofile"] == "20:1024");
}

TEST_CASE("A hard limit of open files that is too low is refused with the number that is needed") {
  TempDir work;
  const auto result = run(Command{.argv = {"prlimit", "--nofile=20", supervise_program(), "-u", "status/svc", "sleep", "100"}, .directory = work.path()});
  CHECK(result.code == 111);
  CHECK_THAT(result.err, contains("needs 48 open files"));
  CHECK(fs::is_empty(work.path()));
}
