// Section 2 of the contract: the entries of the status directory, their modes, their life, the logs.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <regex>
#include <set>

#include "harness.h"

using namespace harness;

namespace {

const std::pair<std::string, std::string> kEntries[] = {
    {"lock", "file 0600"},     {"control", "fifo 0600"},          {"svcontrol", "link"},
    {"ok", "fifo 0600"},       {"status", "file 0644"},           {"state", "file 0644"},
    {"supervise", "dir 0700"}, {"supervise/status", "file 0644"}, {"supervise/record", "file 0600"}, {"__stdout", "file 0600"},
    {"__stderr", "file 0600"}, {"supervise.log", "file 0600"},    {"supervise.log.wf", "file 0600"}};

void check_entries(const StatusDir& dir) {
  for (const auto& [name, mode] : kEntries) {
    INFO(name);
    if (name.starts_with("__")) (void)wait_until([&, entry = dir / name, &expected = mode] { return mode_of(entry) == expected; });    // the logger's
    CHECK(mode_of(dir / name) == mode);
  }
  CHECK(mode_of(dir.dir()) == "dir 0700");
  CHECK(fs::read_symlink(dir / "svcontrol") == "control");
  CHECK(same_file(dir / "supervise/control", dir / "control"));
  CHECK(same_file(dir / "supervise/ok", dir / "ok"));
}

const std::regex kLogLine(R"(\[(NOTICE|WARNING|FATAL)\] \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S.*)");

// What was outside before, so that nothing done to it goes unseen.
struct Snapshot {
  explicit Snapshot(const fs::path& file) : text(text_of(file)), mode(mode_of(file)) { stat(file.c_str(), &facts); }
  bool operator==(const Snapshot& other) const {
    return text == other.text && mode == other.mode && facts.st_uid == other.facts.st_uid &&
           facts.st_gid == other.facts.st_gid && facts.st_mtim.tv_sec == other.facts.st_mtim.tv_sec &&
           facts.st_mtim.tv_nsec == other.facts.st_mtim.tv_nsec;
  }
  std::string text;
  std::string mode;
  struct stat facts {};
};

const Words kNames = {"lock",   "control",  "svcontrol", "ok",        "status",        "state",           ".status",
                      ".state", "__stdout", "__stderr",  "supervise", "supervise.log", "supervise.log.wf"};

void make(const StatusDir& dir) { REQUIRE(mkdir(dir.dir().c_str(), 0700) == 0); }

// Starts supervise on a DIR with one planted entry, lets it write and log, and ends it. It may refuse, but then with a
// word.
void exercise(const StatusDir& dir, const fs::path& directory) {
  Words words = {"-u", dir.dir()};
  for (const auto& word : service({"out", "to stdout", "err", "to stderr"})) words.push_back(word);
  const auto result = supervise(words, directory);
  INFO(result.err);
  if (result.code != 0) {
    CHECK((result.code == 100 || result.code == 111));
    CHECK_FALSE(result.err.empty());
    return;
  }
  check_entries(dir);
  dir.write("Zs");
  dir.await("alarm", "off");
  dir.write("dx");
  dir.await_exit();
}

}  // namespace

TEST_CASE("Every entry is there with its mode whatever the umask") {
  for (const mode_t mask : {0U, 022U, 077U, 0777U}) {
    INFO("umask " << mask);
    const Supervised svc({.command = service({}), .before_exec = [mask] { umask(mask); }});
    check_entries(svc);
    std::set<std::string> visible;
    for (const auto& entry : fs::directory_iterator(svc.dir()))
      if (const auto name = entry.path().filename().string(); name[0] != '.') visible.insert(name);
    CHECK(visible == std::set<std::string>{"lock", "control", "svcontrol", "ok", "status", "state", "supervise",
                                           "__stdout", "__stderr", "supervise.log", "supervise.log.wf"});
  }
}

TEST_CASE("Entries have their modes from birth") {
  SKIP_UNLESS(has_program("strace"), "strace is not here");
  SKIP_UNLESS(!is_sanitized(), "the sanitizers open files of their own");
  TempDir work;
  const auto trace = work / "trace";
  SKIP_UNLESS(run({"strace", "-o", trace, "true"}).code == 0, "strace may not trace here");
  const StatusDir dir(work / "svc");
  const auto calls = "trace=open,openat,creat,mknod,mknodat,mkdir,mkdirat";
  Child traced({.argv = {"strace", "-f", "-o", trace, "-e", calls, supervise_program(), "-n", "-p", dir.dir(), "-f",
                         "sleep 100"},
                .before_exec = [] { umask(0); }});
  dir.await_service();
  dir.write("dx");
  CHECK(traced.wait().code == 0);
  std::size_t seen = 0;
  const std::regex creation(R"(.*(?:O_CREAT|mknod|mkdir).*[, |](0\d{2,3})\)\s+= \d+.*)");
  for (const auto& line : lines_of(trace)) {
    std::smatch mode;
    if (!std::regex_match(line, mode, creation)) continue;
    ++seen;
    INFO(line);
    const auto bits = std::stoul(mode[1], nullptr, 8);
    CHECK((line.find("mkdir") != std::string::npos ? (bits & ~0700UL) == 0 : (bits & ~0600UL) == 0 || bits == 0644));
  }
  INFO(text_of(trace));
  CHECK(seen >= 8);
}

TEST_CASE("lock is flocked as long as supervise lives") {
  const Supervised svc({.command = service({})});
  CHECK(is_taken(svc / "lock"));
  svc.write("d");
  svc.await_state("STOPPED");
  CHECK(is_taken(svc / "lock"));
  svc.write("x");
  svc.await_exit();
  CHECK_FALSE(is_taken(svc / "lock"));
}

TEST_CASE("fuser lock prints exactly the pid of supervise") {
  SKIP_UNLESS(has_program("fuser"), "fuser is not here");
  TempDir work;
  write_script(work / "hang", "touch " + (work / "hanging").string() + "; exec sleep 100");
  const Supervised svc({.command = service({}),
                        .conf = "[svc]\nalarm_interval : 60\nalarm_command : " + (work / "hang").string() + "\n",
                        .options = {"-r", work / "hang"}});
  const auto holders = [&svc] {
    const auto text = run({"fuser", svc / "lock"}).out;
    return text.substr(std::min(text.find_first_not_of(' '), text.size()));
  };
  CHECK(holders() == std::to_string(svc.pid()));
  svc.write("k");
  svc.await_that("the helpers", [&] { return fs::exists(work / "hanging"); });
  CHECK(holders() == std::to_string(svc.pid()));
}

TEST_CASE("ok can be opened for writing exactly while supervise runs") {
  const Supervised svc({.command = service({})});
  CHECK(has_reader(svc / "ok"));
  svc.write("d");
  svc.await_state("STOPPED");
  CHECK(has_reader(svc / "ok"));
  svc.write("x");
  svc.await_exit();
  CHECK_FALSE(has_reader(svc / "ok"));
  CHECK_FALSE(has_reader(svc / "control"));
}

TEST_CASE("After supervise was killed ok has no reader and lock is free") {
  const Supervised svc({.command = service({})});
  ::kill(svc.pid(), SIGKILL);
  svc.await_exit();
  CHECK_FALSE(has_reader(svc / "ok"));
  CHECK_FALSE(is_taken(svc / "lock"));
}

TEST_CASE("Log lines have level and local time") {
  const char* zone = "TST-5:30";
  const Supervised svc({.command = service({"exit", "3"}), .environment = {{"TZ", zone}}});
  svc.write("Z");
  svc.await_log("[WARNING]");
  svc.await_that("an exit", [&] { return svc.state()["exits"] != "0"; });
  setenv("TZ", zone, 1);
  tzset();
  for (const auto& line : lines_of(svc / "supervise.log")) {
    INFO(line);
    REQUIRE(std::regex_match(line, kLogLine));
    std::tm broken{};
    REQUIRE(strptime(line.c_str() + line.find(' ') + 1, "%Y-%m-%d %H:%M:%S", &broken) != nullptr);
    CHECK(std::abs(std::difftime(std::mktime(&broken), std::time(nullptr))) < 100);
  }
}

TEST_CASE("supervise.log.wf has the warnings and fatal lines again") {
  const Supervised svc({.command = service({"exit", "1"}), .conf = "[svc]\nstartretries : 1\n"});
  svc.write("Z");
  svc.await_state("FATAL");
  svc.await_log("[FATAL]");
  Words severe;
  for (const auto& line : lines_of(svc / "supervise.log"))
    if (!line.starts_with("[NOTICE]")) severe.push_back(line);
  CHECK(severe.size() >= 2);
  CHECK(lines_of(svc / "supervise.log.wf") == severe);
}

TEST_CASE("An exit is logged with its pid and outcome and a start with its pid") {
  const Supervised svc({.command = service({})});
  const auto first = svc.await_service();
  svc.write("k");
  const auto second = svc.await_service(first);
  svc.await_log("service started, pid " + std::to_string(second));
  CHECK_THAT(svc.log(), contains("service started, pid " + std::to_string(first)));
  CHECK_THAT(svc.log(), contains("service exited! pid " + std::to_string(first)));
  CHECK_THAT(svc.log(), contains("KILL"));
}

TEST_CASE("Logs that somebody removed are created again") {
  const Supervised svc({.command = service({})});
  for (const std::string name : {"supervise.log", "supervise.log.wf"}) fs::remove(svc / name);
  svc.await_that("the logs", [&] {
    return mode_of(svc / "supervise.log") == "file 0600" && mode_of(svc / "supervise.log.wf") == "file 0600";
  });
  svc.write("Z");
  svc.await_log("[WARNING]");
  svc.await_that("a line in wf", [&] { return count_lines(svc / "supervise.log.wf", "[WARNING]") > 0; });
}

TEST_CASE("Logs are rotated and not truncated") {
  TempDir work;
  const StatusDir dir(work / "svc");
  fs::create_directory(dir.dir());
  std::string old;
  while (old.size() < (1 << 20) - 10)
    old += "[WARNING] 2026-01-01 00:00:00 an old line number " + std::to_string(old.size()) + "\n";
  for (const std::string name : {"supervise.log", "supervise.log.wf"}) write_file(dir / name, old, 0600);
  REQUIRE(supervise({"-p", "svc", "-f", "/nonexistent/program"}, work.path()).code == 0);
  for (const std::string name : {"supervise.log", "supervise.log.wf"}) {
    dir.await_that(name + ".1", [&] { return fs::exists(dir / (name + ".1")) && fs::file_size(dir / name) > 0; });
    CHECK(fs::file_size(dir / name) < 100'000);
    CHECK(text_of(dir / (name + ".1")).starts_with(old));
    CHECK(mode_of(dir / (name + ".1")) == "file 0600");
    CHECK(mode_of(dir / name) == "file 0600");
  }
}

TEST_CASE("Symbolic links planted for the entries are not followed") {
  for (const auto& name : kNames) {
    INFO(name);
    TempDir work;
    const StatusDir dir(work / "svc");
    make(dir);
    write_file(work / "victim", "precious\n", 0640);
    const Snapshot before(work / "victim");
    fs::create_symlink(work / "victim", dir / name);
    exercise(dir, work.path());
    CHECK(Snapshot(work / "victim") == before);
  }
}

TEST_CASE("Dangling links planted for the entries create nothing") {
  for (const auto& name : kNames) {
    INFO(name);
    TempDir work;
    const StatusDir dir(work / "svc");
    make(dir);
    fs::create_symlink(work / "target", dir / name);
    exercise(dir, work.path());
    CHECK(mode_of(work / "target") == "none");
  }
}

TEST_CASE("Hard links planted for the entries are not written to") {
  for (const auto& name : kNames) {
    INFO(name);
    TempDir work;
    const StatusDir dir(work / "svc");
    make(dir);
    write_file(work / "victim", "precious\n", 0640);
    const Snapshot before(work / "victim");
    fs::create_hard_link(work / "victim", dir / name);
    exercise(dir, work.path());
    CHECK(Snapshot(work / "victim") == before);
  }
}

TEST_CASE("A link to a directory planted for supervise is not entered") {
  TempDir work;
  const StatusDir dir(work / "svc");
  make(dir);
  fs::create_directory(work / "victim");
  fs::create_directory_symlink(work / "victim", dir / "supervise");
  exercise(dir, work.path());
  CHECK(fs::is_empty(work / "victim"));
}

TEST_CASE("Directories and FIFOs planted for the entries block nothing") {
  for (const auto& name : kNames) {
    if (name == "control" || name == "ok" || name == "supervise") continue;
    INFO(name);
    TempDir work;
    const StatusDir dir(work / "svc");
    make(dir);
    REQUIRE(mkfifo((dir / name).c_str(), 0600) == 0);
    exercise(dir, work.path());
  }
}

TEST_CASE("Entries that belong to another user are not trusted") {
  SKIP_UNLESS(is_root(), "only root can give files away");
  for (const auto& name : kNames) {
    if (name == "control" || name == "svcontrol" || name == "ok" || name == "supervise") continue;
    INFO(name);
    TempDir work;
    const StatusDir dir(work / "svc");
    make(dir);
    write_file(dir / name, "planted\n", 0666);
    REQUIRE(chown((dir / name).c_str(), 12345, 12345) == 0);
    const auto result = supervise({"-p", "svc", "-f", "sleep 100"}, work.path());
    INFO(result.err);
    if (result.code == 0) {
      // Some of them are the logger's.
      CHECK(wait_until([&] {
        struct stat facts {};
        return stat((dir / name).c_str(), &facts) == 0 && facts.st_uid == 0 && (facts.st_mode & 022) == 0;
      }));
    } else {
      CHECK_FALSE(result.err.empty());
    }
  }
}

TEST_CASE("DIR may belong to the user of the service") {
  SKIP_UNLESS(is_root(), "needs another user");
  TempDir work;
  const StatusDir dir(work / "svc");
  make(dir);
  REQUIRE(chown(dir.dir().c_str(), 12345, 12345) == 0);
  REQUIRE(supervise({"-p", "svc", "-f", "sleep 100"}, work.path()).code == 0);
  dir.await_service();
  dir.write("dx");
  dir.await_exit();
}

TEST_CASE("The output of the service is appended to its two files") {
  const Supervised svc({.command = service({"out", "hello", "err", "oh dear", "exit", "0"})});
  svc.await_lines(svc / "__stdout", 3);
  svc.await_lines(svc / "__stderr", 3);
  CHECK(text_of(svc / "__stdout").starts_with("hello\nhello\nhello\n"));
  CHECK(text_of(svc / "__stderr").starts_with("oh dear\noh dear\noh dear\n"));
}

TEST_CASE("Output of an earlier supervise is kept") {
  const Supervised svc({.command = service({"out", "one"})});
  svc.await_lines(svc / "__stdout", 1);
  svc.write("dx");
  svc.await_exit();
  Words words = {"-u", svc.dir()};
  for (const auto& word : service({"out", "two"})) words.push_back(word);
  REQUIRE(supervise(words, svc.work().path()).code == 0);
  svc.await_lines(svc / "__stdout", 2);
  CHECK(text_of(svc / "__stdout") == "one\ntwo\n");
}

TEST_CASE("A user without rights cannot command or read or lock") {
  SKIP_UNLESS(is_root() && has_program("setpriv"), "needs root and setpriv");
  const Supervised svc({.command = service({})});
  const auto as_nobody = [&svc](const std::string& text) {
    return run(Command{.argv = {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", text},
                       .directory = svc.dir()})
        .code;
  };
  chmod(svc.dir().c_str(), 0755);
  CHECK(as_nobody("true") == 0);
  CHECK(as_nobody("echo d > control") != 0);
  CHECK(as_nobody("echo > ok") != 0);
  CHECK(as_nobody("cat __stdout") != 0);
  CHECK(as_nobody("cat supervise.log") != 0);
  CHECK(as_nobody("flock -s -n lock true") != 0);
  CHECK(as_nobody("cat status state") == 0);
}

TEST_CASE("A directory that another supervise has taken over is left alone until that one has gone") {
  Restartable first(service({}));
  const auto first_service = first.dir.await_service();
  // It has nothing more to publish by itself, before it looks at its directory.
  first.dir.await_state("RUNNING");
  ::kill(first.pid, SIGSTOP);
  SECTION("the directory was removed") { fs::remove_all(first.dir.dir()); }
  SECTION("what is in it was removed") {
    for (const auto& entry : fs::directory_iterator(first.dir.dir())) fs::remove_all(entry.path());
  }
  REQUIRE(supervise(first.words, first.work.path()).code == 0);
  const auto second = first.dir.recorded_supervise();
  REQUIRE(second != first.pid);
  const auto second_service = first.dir.await_service(first_service);
  ::kill(first.pid, SIGCONT);
  CHECK(holds_for(1500ms, [&] { return first.dir.recorded_supervise() == second && first.dir.log().find("WARNING") == std::string::npos; }));
  first.dir.write("dx");
  REQUIRE(wait_until([&] { return !alive(second) && !alive(second_service); }));
  CHECK(alive(first_service));
  first.dir.await_that("the first supervise", [&] { return first.dir.recorded_supervise() == first.pid; });
  CHECK(first.dir.status().pid == first_service);
  first.dir.write("dx");
  REQUIRE(wait_until([&] { return !alive(first.pid) && !alive(first_service); }));
}

TEST_CASE("A supervise whose directory was moved away and came back publishes in it again") {
  Restartable first(service({}));
  const auto dir = first.dir.dir(), aside = first.work / "aside";
  const auto first_service = first.dir.await_service();
  // It has nothing more to publish by itself, before it looks at its directory.
  first.dir.await_state("RUNNING");
  ::kill(first.pid, SIGSTOP);
  fs::rename(dir, aside);
  REQUIRE(supervise(first.words, first.work.path()).code == 0);
  const auto second = first.dir.recorded_supervise();
  REQUIRE(second != first.pid);
  ::kill(first.pid, SIGCONT);
  CHECK(wait_until([&] { return text_of(aside / "supervise.log").find("another supervise has it") != std::string::npos; }));
  ::kill(first.pid, SIGSTOP);
  first.dir.write("dx");
  REQUIRE(wait_until([&] { return !alive(second); }));
  fs::remove_all(dir);
  fs::rename(aside, dir);
  ::kill(first.pid, SIGCONT);
  ::kill(first_service, SIGKILL);
  CHECK(alive(first.dir.await_service(first_service)));
}

TEST_CASE("A directory with a file of the user under one of our names is refused and stays as it is") {
  for (const std::string name : {"state", "control", "status", "ok", "lock", "svcontrol", "supervise", ".state", ".status"}) {
    TempDir work;
    write_file(work / name, "precious\n");
    const auto result = supervise({"-u", ".", "sleep", "5"}, work.path());
    INFO(name << ": " << result.err);
    CHECK(result.code == 100);
    CHECK_THAT(result.err, contains("not supervise's own: " + name));
    CHECK(text_of(work / name) == "precious\n");
    CHECK(std::distance(fs::directory_iterator(work.path()), fs::directory_iterator()) == 1);
  }
}

TEST_CASE("A message names a directory that cannot be made once") {
  const TempDir work;
  write_file(work / "file", "");
  CHECK(supervise({"-u", "file/d", "sleep", "5"}, work.path()).err == "supervise: cannot make or open " + (work / "file/d").string() + ": Not a directory\n");
}

TEST_CASE("Stale entries of other tools and of older versions do not keep a directory from being used") {
  const std::string record(20, '\1'), of_daemontools(18, '\1'), reserved(2048, '\0');
  for (const auto& [name, text] : std::map<std::string, std::string>{
           {"status", record}, {".status", "\n"}, {".state", reserved}, {"lock", "4711\n"}, {"state", "name=svc\nstate=RUNNING\nsupervise_pid=1\n"}, {"ok", ""}, {"supervise/status", of_daemontools}}) {
    TempDir work;
    fs::create_directories(work / "d/supervise");
    write_file(work / ("d/" + name), text);
    const auto result = supervise({"-u", "d", "sleep", "100"}, work.path());
    INFO(name << ": " << result.err);
    REQUIRE(result.code == 0);
    const StatusDir svc(work / "d");
    svc.await_service();
    svc.write("dx");
    svc.await_exit();
  }
}
