// The build that uses POSIX alone (src/README.md, Portability): what it does in another way than that of Linux.
// SUPERVISE_PORTABLE names the program.
#include <csignal>

#include "proc/harness.h"

using namespace harness;
using Catch::Matchers::Contains;

namespace {

// The rest of this test process runs that one.
bool use_portable_program() {
  const char* const program = std::getenv("SUPERVISE_PORTABLE");
  return program && setenv("SUPERVISE", program, 1) == 0;
}

#define NEEDS_PORTABLE_PROGRAM SKIP_UNLESS(use_portable_program(), "no portable supervise (SUPERVISE_PORTABLE) is here")

std::size_t copies(const fs::path& marks) {
  const auto pids = pids_in(marks);
  return static_cast<std::size_t>(std::count_if(pids.begin(), pids.end(), [](pid_t pid) { return alive(pid); }));
}

// A service that counts its output for ever.
fs::path counting_script(const TempDir& marks) {
  write_script(marks / "count", "i=0\nwhile :; do i=$((i+1)); echo line $i; sleep 0.002; done\n");
  return marks / "count";
}

void check_counted(const Words& lines) {
  REQUIRE(lines.size() > 20);
  for (std::size_t i = 0; i < lines.size(); ++i) REQUIRE(lines[i] == "line " + std::to_string(i + 1));
}

}  // namespace

TEST_CASE("The portable supervise says that it is one and makes no call that only Linux has") {
  NEEDS_PORTABLE_PROGRAM;
  SKIP_UNLESS(has_program("strace"), "strace is not here");
  CHECK_THAT(run({supervise_program(), "-v"}).out, Contains("(portable)"));
  TempDir marks;
  const auto trace = marks / "trace";
  Words words = {"strace", "-f", "-qq", "-o", trace, supervise_program(), "-n", "-u", marks / "svc"};
  for (const auto& word : service({"out", "word"})) words.push_back(word);
  Child traced({.argv = words});
  const StatusDir site(marks / "svc");
  site.await_that("a supervise", [&] { return fs::exists(site / "state"); });
  const auto pid = site.await_service();
  site.await_lines(site / "__stdout", 1);
  ::kill(pid, SIGKILL);
  site.await_service(pid);
  fs::remove(site / "control");
  site.await_that("control is back", [&] { return has_reader(site / "control"); });
  site.write("dx");
  CHECK(traced.wait().code == 0);
  const auto calls = text_of(trace);
  REQUIRE_THAT(calls, Contains("ppoll"));
  for (const auto* call : {"splice(", "tee(", "renameat2(", "pidfd_open(", " prctl(", "inotify_", "F_NOTIFY", "F_SETPIPE_SZ", "close_range(", "madvise(", "AT_FDCWD, \"/proc"})
    CHECK_THAT(calls, !Contains(call));
}

TEST_CASE("The portable supervise restarts its service and obeys and ends") {
  NEEDS_PORTABLE_PROGRAM;
  TempDir marks;
  Supervised site({.command = service({"started", marks / "started"}), .conf = "[svc]\nstartsecs : 0\n"});
  for (int i = 0; i < 5; ++i) {
    const auto pid = site.await_service();
    ::kill(pid, SIGKILL);
    const auto next = site.await_service(pid);
    CHECK(copies(marks / "started") <= 1);
    REQUIRE(wait_until([&] { return last_pid_in(marks / "started") == next; }));
  }
  site.write("d");
  site.await_state("STOPPED");
  CHECK(copies(marks / "started") == 0);
  site.write("u");
  const auto pid = site.await_service();
  site.write("dx");
  site.await_exit();
  CHECK_FALSE(alive(pid));
  CHECK(site.state()["exits"] == "7");
}

TEST_CASE("Portably the service finds its own pid in status as soon as it begins") {
  NEEDS_PORTABLE_PROGRAM;
  TempDir marks;
  write_script(marks / "look", "echo $$ $(od -An -j16 -N4 -tu4 status/svc/status) >> " + (marks / "seen").string() + "\nexit 1\n");
  Supervised site({.command = {marks / "look"}});
  site.await_lines(marks / "seen", 3);
  for (const auto& line : lines_of(marks / "seen")) {
    const auto blank = line.find(' ');
    CHECK(line.substr(0, blank) == line.substr(line.find_first_not_of(' ', blank)));
  }
}

TEST_CASE("What asks for Linux is refused by the portable supervise with file and line") {
  NEEDS_PORTABLE_PROGRAM;
  for (const std::string key : {"forking : true", "kill_tree : true", "notify : true", "watchdog : 5"}) {
    INFO(key);
    TempDir work;
    write_file(work / "conf", "[svc]\ncommand : sleep 50\n" + key + "\n");
    const auto result = supervise({"-F", work / "conf", "-p", work / "svc"}, work.path());
    CHECK(result.code == 100);
    CHECK_THAT(result.err, Contains("conf:3: error: " + key.substr(0, key.find(' '))) && Contains("needs Linux"));
    CHECK_FALSE(fs::exists(work / "svc/status"));
  }
}

TEST_CASE("A service that a portable supervise left is neither signalled nor doubled and followed by the next") {
  NEEDS_PORTABLE_PROGRAM;
  TempDir marks;
  Restartable site(service({"started", marks / "started", "trap", "got", marks / "got"}));
  const auto pid = site.dir.await_service();
  site.dir.await_lines(marks / "got", 1);
  const auto got = text_of(marks / "got");
  site.kill_and_start();
  site.dir.await("reason", "waiting for the end of pid " + std::to_string(pid) + ", which may be the service");
  CHECK(site.dir.status().pid == 0);
  site.dir.write("1htd");
  site.dir.await_state("STOPPED");
  site.dir.write("u");
  site.dir.await_state("BACKOFF");
  // What waits is itself replaced, and killed.
  site.dir.write("E");
  site.dir.await_log("supervise goes on as");
  site.kill_and_start();
  CHECK(holds_for(1500ms, [&] { return alive(pid) && pids_in(marks / "started").size() == 1; }));
  CHECK(text_of(marks / "got") == got);
  ::kill(pid, SIGKILL);
  const auto next = site.dir.await_service(pid);
  REQUIRE(wait_until([&] { return pids_in(marks / "started").size() == 2; }));
  CHECK(last_pid_in(marks / "started") == next);
  site.dir.write("dx");
  site.dir.await_exit();
  CHECK_FALSE(alive(next));
}

TEST_CASE("A stranger with the pid of a service that a portable supervise left keeps it from nothing") {
  NEEDS_PORTABLE_PROGRAM;
  TempDir marks;
  Restartable site(service({"started", marks / "started"}));
  const auto pid = site.dir.await_service();
  site.kill();
  ::kill(pid, SIGKILL);
  REQUIRE(wait_until([&] { return !process(pid); }));
  Child stranger({.argv = {"sleep", "50"}, .before_exec = [] { setpgid(0, 0); }});
  std::string text;
  for (const auto& line : lines_of(site.dir / "state")) text += (line.starts_with("pid=") ? "pid=" + std::to_string(stranger.pid()) : line) + "\n";
  write_file(site.dir / "state", text);
  site.start();
  site.dir.await_service(stranger.pid());
  site.dir.write("dx");
  site.dir.await_exit();
  CHECK(stranger.running());
}

TEST_CASE("A second portable supervise is refused although the lock was removed") {
  NEEDS_PORTABLE_PROGRAM;
  TempDir marks;
  Supervised site({.command = service({"started", marks / "started"})});
  site.await_service();
  ::kill(site.pid(), SIGSTOP);    // it puts nothing back
  fs::remove(site / "lock");
  const auto second = supervise({"-u", site.dir(), "sleep", "50"}, site.work().path());
  ::kill(site.pid(), SIGCONT);
  CHECK(second.code == 100);
  CHECK_THAT(second.err, Contains("already supervised by pid " + std::to_string(site.pid())));
  CHECK(pids_in(marks / "started").size() == 1);
}

TEST_CASE("Portably no output is lost where a supervise is killed or upgraded or reads its configuration again") {
  NEEDS_PORTABLE_PROGRAM;
  TempDir marks;
  Restartable site({counting_script(marks)}, "[svc]\nstdout_logfile_maxbytes : 2KB\nstdout_logfile_backups : 900\n");
  const auto pid = site.dir.await_service();
  const auto out = site.dir / "__stdout.1";
  for (int i = 0; i < 5; ++i) {
    INFO(i);
    site.dir.await_that("a rotated log", [&] { return fs::exists(out); });
    if (i % 2 == 0) site.kill_and_start();
    write_file(site.work / "conf", "[svc]\nstdout_logfile_maxbytes : " + std::to_string(3 + i) + "KB\nstdout_logfile_backups : 900\n");
    site.dir.write("r");
    site.dir.await_that("read again", [&] { return count_lines(site.dir / "supervise.log", "configuration read again") == static_cast<std::size_t>(i) + 1; });
    site.dir.write("E");
    site.dir.await_that("gone on", [&] { return count_lines(site.dir / "supervise.log", "supervise goes on as") == static_cast<std::size_t>(i) + 1; });
  }
  ::kill(pid, SIGKILL);
  site.dir.write("d");
  site.dir.await_state("STOPPED");
  site.dir.write("x");
  site.dir.await_exit();
  std::string text;
  for (int i = 900; i > 0; --i) text += text_of(site.dir / ("__stdout." + std::to_string(i)));
  text += text_of(site.dir / "__stdout");
  // The one that was left was followed by no other before `d`, or by one that began anew.
  auto lines = lines_in(text);
  lines.erase(std::find(lines.begin() + 1, lines.end(), "line 1"), lines.end());
  if (!text.ends_with('\n')) lines.pop_back();
  check_counted(lines);
}
