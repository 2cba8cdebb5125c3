// Section 12 of the contract: what does not end supervise, and how it is right again when the fault is gone.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>
#include <stdexcept>

#include "harness.h"

using namespace harness;

namespace {

void fill(const fs::path& directory) {
  const int fd = open((directory / "filler").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  REQUIRE(fd >= 0);
  const std::string block(4096, 'x');
  for (const std::size_t size : {block.size(), std::size_t{1}})
    while (::write(fd, block.data(), size) > 0) {
    }
  CHECK(errno == ENOSPC);
  close(fd);
}

// Everything the users rely on, as it is when nothing is wrong.
bool in_order(const StatusDir& dir) {
  const std::pair<const char*, const char*> entries[] = {
      {"lock", "file 0600"},          {"control", "fifo 0600"},
      {"svcontrol", "link"},          {"ok", "fifo 0600"},
      {"status", "file 0644"},        {"state", "file 0644"},
      {"supervise", "dir 0700"},      {"supervise/status", "file 0644"}, {"supervise/record", "file 0600"},
      {"supervise.log", "file 0600"}, {"supervise.log.wf", "file 0600"}};
  std::error_code error;
  return std::ranges::all_of(entries, [&](const auto& entry) { return mode_of(dir / entry.first) == entry.second; }) &&
         has_reader(dir / "ok") && has_reader(dir / "control") && is_taken(dir / "lock") &&
         read_status(dir / "status") && fs::read_symlink(dir / "svcontrol", error) == "control" &&
         same_file(dir / "supervise/control", dir / "control") && same_file(dir / "supervise/ok", dir / "ok");
}

void await_order(const StatusDir& dir) {
  dir.await_that("order in DIR", [&] { return in_order(dir); });
}

// After a fault: supervise lives, tells the truth about the same service, obeys, and lets nobody else in.
void check_recovery(const Supervised& svc, pid_t service_pid) {
  await_order(svc);
  CHECK(alive(svc.pid()));
  CHECK(alive(service_pid));
  svc.await_that("the pid in status", [&] {
    const auto now = read_status(svc / "status");
    return now && now->pid == service_pid;
  });
  svc.await("pid", std::to_string(service_pid));
  const auto second = supervise({"-p", svc.dir(), "-f", "sleep 100"}, svc.work().path());
  INFO(second.err);
  CHECK(second.code == 100);
  CHECK_THAT(second.err, contains(std::to_string(svc.pid())));
  svc.write("k");
  const auto next = svc.await_service(service_pid);
  REQUIRE(shell("echo d > control", svc.dir()).code == 0);
  svc.await_state("STOPPED");
  CHECK_FALSE(alive(next));
  CHECK(svc.status().pid == 0);
}

const Words kEntries = {"lock",
                        "control",
                        "svcontrol",
                        "ok",
                        "status",
                        "state",
                        "supervise.log",
                        "supervise.log.wf",
                        "supervise/status",
                        "supervise/record",
                        "supervise/control",
                        "supervise/ok"};

// The commands that run a program as a user without rights, and copies of our programs where that user can reach them.
struct Unprivileged {
  Unprivileged() {
    chmod(work.path().c_str(), 0777);
    fs::copy_file(supervise_program(), supervise);
    chmod(supervise.c_str(), 0755);
    service_words = service({});
    fs::copy_file(service_words[0], work / "service");
    chmod((work / "service").c_str(), 0755);
    service_words[0] = work / "service";
  }
  // Starts supervise -n there, with DIR in a directory of the user's own.
  [[nodiscard]] std::unique_ptr<Child> start(const StatusDir& dir) const {
    Words argv = {"setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", supervise, "-n", "-u", dir.dir()};
    argv.insert(argv.end(), service_words.begin(), service_words.end());
    auto child = std::make_unique<Child>(Command{.argv = argv, .directory = work.path()});
    if (!wait_until([&] { return !child->running() || dir.state().has("state"); }) || !child->running())
      throw std::runtime_error("supervise did not start\n" + child->err());
    return child;
  }

  // RLIMIT_NPROC of a process of that user.
  static void limit_processes(pid_t pid, const std::string& soft) {
    const auto result = run({"setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", "prlimit", "--pid",
                             std::to_string(pid), "--nproc=" + soft + ":"});
    INFO(result.err);
    REQUIRE(result.code == 0);
  }

  TempDir work;
  fs::path supervise = work / "supervise";
  Words service_words;
};

void set_limit(pid_t pid, __rlimit_resource resource, rlim_t value) {
  rlimit now{};
  REQUIRE(prlimit(pid, resource, nullptr, &now) == 0);
  now.rlim_cur = value;
  REQUIRE(prlimit(pid, resource, &now, nullptr) == 0);
}

}  // namespace

TEST_CASE("Status is right while the disk is full and nothing more is needed when there is room") {
  SKIP_UNLESS(is_root() && enter_own_mounts(), "no mount namespace to be had");
  TempDir work;
  fs::create_directory(work / "disk");
  mount_tmpfs(work / "disk", "size=256k,mode=0755");
  const StatusDir dir(work / "disk/svc");
  Words words = {"-u", dir.dir()};
  for (const auto& word : service({"out", "a line"})) words.push_back(word);
  REQUIRE(supervise(words, work.path()).code == 0);
  const auto supervisor = dir.recorded_supervise();
  auto pid = dir.await_service();
  fill(work / "disk");

  ::kill(pid, SIGKILL);
  pid = dir.await_service(pid);
  CHECK(dir.state()["pid"] == std::to_string(pid));
  dir.write("d");
  dir.await_state("STOPPED");
  CHECK(dir.status().pid == 0);
  CHECK(dir.status().want == 'd');
  CHECK(fs::file_size(dir / "status") == 20);
  dir.write("u");
  pid = dir.await_service(pid);
  dir.write("Z");

  fs::remove(work / "disk/filler");
  CHECK(alive(supervisor));
  CHECK(dir.status().pid == pid);
  dir.write("k");
  dir.await_service(pid);
  dir.await_that("a log line again", [&, size = fs::file_size(dir / "supervise.log")] {
    return fs::file_size(dir / "supervise.log") > size || dir.log().find(std::to_string(pid)) != std::string::npos;
  });
  dir.write("dx");
  dir.await_exit();
}

TEST_CASE("A start on a full disk is refused or heals itself and in both cases with a word") {
  SKIP_UNLESS(is_root() && enter_own_mounts(), "no mount namespace to be had");
  TempDir work;
  fs::create_directory(work / "disk");
  mount_tmpfs(work / "disk", "size=64k,mode=0755");
  fill(work / "disk");
  const StatusDir dir(work / "disk/svc");
  const auto result = supervise({"-p", dir.dir(), "-f", "sleep 100"}, work.path());
  INFO(result.err);
  CHECK_FALSE(result.err.empty());
  if (result.code == 0) {
    fs::remove(work / "disk/filler");
    CHECK(alive(dir.await_service()));
    await_order(dir);
  } else {
    CHECK(result.code == 111);
    CHECK_FALSE(fs::exists(dir.dir()));
  }
}

TEST_CASE("Entries that somebody removed are put back") {
  const Supervised svc({.command = service({})});
  const auto pid = svc.await_service();
  for (const auto& name : kEntries) fs::remove(svc / name);
  fs::remove_all(svc / "supervise");
  check_recovery(svc, pid);
  CHECK(count_lines(svc / "supervise.log.wf", "[WARNING]") >= 1);
}

TEST_CASE("Entries that somebody replaced by links are put back and nothing behind them is touched") {
  const Supervised svc({.command = service({})});
  const auto pid = svc.await_service();
  for (const std::string name :
       {"lock", "control", "svcontrol", "ok", "status", "state", "supervise", "supervise.log", "supervise.log.wf"}) {
    write_file(svc.work() / ("victim." + name), "precious");
    plant(svc.work() / ("taken." + name), svc / name, [&](const fs::path& place) { fs::create_symlink(svc.work() / ("victim." + name), place); });
  }
  check_recovery(svc, pid);
  for (const auto& entry : fs::directory_iterator(svc.work().path()))
    if (entry.path().filename().string().starts_with("victim.")) CHECK(text_of(entry.path()) == "precious");
}

TEST_CASE("Directories with content in the place of entries do not end supervise") {
  const Supervised svc({.command = service({})});
  const auto pid = svc.await_service();
  plant(svc.work() / "taken", svc / "control", [](const fs::path& place) {
    fs::create_directory(place);
    write_file(place / "keep", "precious");
  });
  CHECK(holds_for(1500ms, [&] { return alive(svc.pid()) && alive(pid); }));
  const auto time = [&] {
    const auto stat = text_of("/proc/" + std::to_string(svc.pid()) + "/stat");
    std::istringstream fields(stat.substr(stat.rfind(')') + 2));
    std::string skipped;
    long user = 0;
    long system = 0;
    for (int i = 0; i < 11; ++i) fields >> skipped;
    fields >> user >> system;
    return user + system;
  };
  const auto before = time();
  CHECK(holds_for(2s, [&] { return alive(svc.pid()); }));
  CHECK(time() - before <= 20);
  std::error_code error;
  if (fs::is_directory(svc / "control", error)) {
    CHECK(text_of(svc / "control/keep") == "precious");
    fs::remove_all(svc / "control");
  }
  check_recovery(svc, pid);
}

TEST_CASE("A mode that somebody changed does not end supervise") {
  const Supervised svc({.command = service({})});
  const auto pid = svc.await_service();
  for (const std::string name : {"lock", "control", "ok", "status", "state", "supervise.log"})
    chmod((svc / name).c_str(), 0);
  ::kill(pid, SIGKILL);
  svc.await_that("the successor", [&] {
    const auto now = children(svc.pid());
    return now.size() == 1 && now[0] != pid;
  });
  CHECK(alive(svc.pid()));
}

TEST_CASE("A status directory whose parent is removed as well is put back") {
  const Supervised svc({.command = service({}), .name = "web/a"});
  const auto pid = svc.await_service();
  fs::remove_all(svc.work() / "status");
  check_recovery(svc, pid);
}

TEST_CASE("The service dies while the status directory is gone") {
  const Supervised svc({.command = service({})});
  const auto pid = svc.await_service();
  remove_with_all(svc.dir());
  write_file(svc.dir(), "in the way");
  ::kill(pid, SIGKILL);
  pid_t successor = 0;
  svc.await_that("the successor", [&] {
    const auto now = children(svc.pid());
    if (now.size() == 1) successor = now[0];
    // And not a logger that is being replaced.
    return now.size() == 1 && successor != pid && !arguments(successor).empty();
  });
  CHECK(text_of(svc.dir()) == "in the way");
  fs::remove(svc.dir());
  check_recovery(svc, successor);
}

TEST_CASE("With no free descriptor the service is restarted and status is right") {
  const Supervised svc({.command = service({})});
  auto pid = svc.await_service();
  svc.await_state("RUNNING");
  const auto in_use = descriptors(svc.pid());
  set_limit(svc.pid(), RLIMIT_NOFILE, static_cast<rlim_t>(in_use.rbegin()->first) + 1);
  for (int i = 0; i < 2; ++i) {
    ::kill(pid, SIGKILL);
    pid = svc.await_service(pid);
    CHECK(svc.state()["pid"] == std::to_string(pid));
  }
  svc.write("s");
  svc.await("alarm", "off");
  set_limit(svc.pid(), RLIMIT_NOFILE, 1024);
  check_recovery(svc, pid);
  CHECK(svc.state()["state"] == "STOPPED");
}

TEST_CASE("With no descriptor at all supervise waits and is right again afterwards") {
  const Supervised svc({.command = service({})});
  auto pid = svc.await_service();
  svc.await_state("RUNNING");
  set_limit(svc.pid(), RLIMIT_NOFILE, 0);
  ::kill(pid, SIGKILL);
  CHECK(holds_for(1500ms, [&] { return alive(svc.pid()); }));
  set_limit(svc.pid(), RLIMIT_NOFILE, 1024);
  pid = svc.await_service(pid);
  check_recovery(svc, pid);
}

TEST_CASE("When fork fails the start is tried again and counts as nothing") {
  SKIP_UNLESS(is_root() && has_program("setpriv"), "needs root and setpriv");
  const Unprivileged user;
  const StatusDir dir(user.work / "svc");
  const auto supervisor = user.start(dir);
  auto pid = dir.await_service();
  dir.await_state("RUNNING");
  Unprivileged::limit_processes(supervisor->pid(), "0");
  ::kill(pid, SIGKILL);
  dir.await_that("the exit", [&] { return dir.status().pid == 0; });
  CHECK(holds_for(2500ms, [&] { return supervisor->running() && dir.status().pid == 0; }));
  CHECK(dir.state()["state"] != "FATAL");
  CHECK(dir.state()["exits"] == "1");
  dir.write("d");
  dir.await_state("STOPPED");
  dir.write("u");
  dir.await_that("the wish", [&] { return dir.status().want == 'u'; });
  Unprivileged::limit_processes(supervisor->pid(), "1000");
  pid = dir.await_service(pid);
  CHECK(dir.state()["exits"] == "1");
  dir.write("dx");
  CHECK(supervisor->wait().code == 0);
}

TEST_CASE("A first start whose fork fails is tried again") {
  SKIP_UNLESS(is_root() && has_program("setpriv"), "needs root and setpriv");
  const Unprivileged user;
  const StatusDir dir(user.work / "svc");
  const auto supervisor = user.start(dir);
  dir.await_service();
  dir.write("d");
  dir.await_state("STOPPED");
  Unprivileged::limit_processes(supervisor->pid(), "0");
  dir.write("u");
  dir.await_that("a try", [&] { return !dir.state()["reason"].empty(); });
  Unprivileged::limit_processes(supervisor->pid(), "1000");
  dir.await_service();
  CHECK(dir.state()["exits"] == "1");
}

TEST_CASE("A status directory without permissions is waited for") {
  SKIP_UNLESS(is_root() && has_program("setpriv"), "needs root and setpriv");
  const Unprivileged user;
  const StatusDir dir(user.work / "svc");
  const auto supervisor = user.start(dir);
  const auto pid = dir.await_service();
  chmod(dir.dir().c_str(), 0);
  ::kill(pid, SIGKILL);
  CHECK(wait_until([&] {
    const auto now = children(supervisor->pid());
    return now.size() == 1 && now[0] != pid;
  }));
  chmod(dir.dir().c_str(), 0700);
  dir.await_service(pid);
  dir.write("dx");
  CHECK(supervisor->wait().code == 0);
}

TEST_CASE("A file size limit does not end supervise") {
  const Supervised svc({.command = service({})});
  const auto pid = svc.await_service();
  set_limit(svc.pid(), RLIMIT_FSIZE, 30);
  svc.write("Z");
  svc.write("k");
  const auto next = svc.await_service(pid);
  CHECK(alive(svc.pid()));
  set_limit(svc.pid(), RLIMIT_FSIZE, RLIM_INFINITY);
  check_recovery(svc, next);
}

TEST_CASE("A stopped supervise catches up when it is continued") {
  const Supervised svc({.command = service({})});
  const auto pid = svc.await_service();
  svc.await_state("RUNNING");
  ::kill(svc.pid(), SIGSTOP);
  REQUIRE(wait_until([&] { return process(svc.pid())->state == 'T'; }));
  svc.write("s");
  ::kill(pid, SIGKILL);
  svc.write("n");
  REQUIRE(wait_until([&] { return !alive(pid); }));
  ::kill(svc.pid(), SIGCONT);
  const auto next = svc.await_service(pid);
  svc.await("alarm", "on");
  CHECK(svc.state()["starts"] == "2");
  check_recovery(svc, next);
}

TEST_CASE("A stopped supervise that is told du and d and x obeys when it is continued") {
  const Supervised svc({.command = service({})});
  const auto pid = svc.await_service();
  ::kill(svc.pid(), SIGSTOP);
  REQUIRE(wait_until([&] { return process(svc.pid())->state == 'T'; }));
  svc.write("dudu");
  svc.write("dx");
  ::kill(svc.pid(), SIGCONT);
  svc.await_exit();
  CHECK_FALSE(alive(pid));
  CHECK(svc.status().pid == 0);
}

TEST_CASE("A supervise that is killed leaves the service running") {
  const Supervised svc({.command = service({})});
  const auto pid = svc.await_service();
  ::kill(svc.pid(), SIGKILL);
  svc.await_exit();
  CHECK(holds_for(300ms, [&] { return alive(pid); }));
  CHECK_FALSE(is_taken(svc / "lock"));
  CHECK(svc.status().pid == pid);
}

TEST_CASE("strace attaching and detaching does no harm") {
  SKIP_UNLESS(has_program("strace"), "strace is not here");
  const Supervised svc({.command = service({})});
  const auto pid = svc.await_service();
  Child trace({.argv = {"strace", "-o", "/dev/null", "-p", std::to_string(svc.pid())}});
  svc.await_that("strace", [&] {
    return !trace.running() || process_field(svc.pid(), "TracerPid") == std::to_string(trace.pid());
  });
  SKIP_UNLESS(trace.running(), "strace may not trace here: " + trace.err());
  svc.write("k");
  const auto next = svc.await_service(pid);
  trace.kill(SIGTERM);
  trace.wait();
  check_recovery(svc, next);
}

TEST_CASE("Stdout and stderr of the service that were removed are created again at the next start") {
  const Supervised svc({.command = service({"out", "hello", "err", "oh dear"})});
  svc.await_lines(svc / "__stderr", 1);
  for (const std::string name : {"__stdout", "__stderr"}) fs::remove(svc / name);
  const auto pid = svc.await_service();
  svc.write("k");
  svc.await_service(pid);
  svc.await_lines(svc / "__stderr", 1);
  CHECK(text_of(svc / "__stdout") == "hello\n");
  CHECK(mode_of(svc / "__stdout") == "file 0600");
}

TEST_CASE("An output file that cannot be had keeps the service down only until it is there") {
  const Supervised svc({.command = service({"out", "hello"})});
  svc.await_lines(svc / "__stdout", 1);
  const auto pid = svc.await_service();
  fs::remove(svc / "__stdout");
  fs::create_directory(svc / "__stdout");
  write_file(svc / "__stdout/keep", "");
  svc.write("k");
  svc.await_that("the exit", [&] { return svc.state()["exits"] == "1"; });
  CHECK(holds_for(1300ms, [&] { return alive(svc.pid()); }));
  fs::remove_all(svc / "__stdout");
  svc.await_service(pid);
  CHECK(alive(svc.pid()));
  CHECK(svc.state()["state"] != "FATAL");
}
