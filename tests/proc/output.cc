// Section 9 of the contract: where the service's output goes, and that nothing of it is lost, torn or doubled.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "harness.h"

using namespace harness;

namespace {

// ---- Lines with a running number, as `service numbers` writes them

std::string line_of(long number) { return std::to_string(number) + " " + std::string(static_cast<std::size_t>(number % 60), '.'); }

// What is wrong where the lines `from` to `to` are expected, in order, once, whole; empty: nothing.
std::string wrong_numbers(const std::string& text, long from, long to) {
  const auto lines = lines_in(text);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto number = from + static_cast<long>(i);
    if (number > to) return "more than expected: " + lines[i];
    if (lines[i] != line_of(number)) return "instead of line " + std::to_string(number) + ": " + lines[i];
  }
  const auto end = from + static_cast<long>(lines.size()) - 1;
  if (end != to) return "it ends with line " + std::to_string(end) + " instead of " + std::to_string(to);
  return text.ends_with('\n') ? "" : "the last line is unfinished";
}

// A log with its backups, the oldest first, as one text.
Words backups_of(const fs::path& log) {
  std::vector<std::pair<int, std::string>> found;
  const auto prefix = log.filename().string() + ".";
  for (const auto& entry : fs::directory_iterator(log.parent_path())) {
    const auto name = entry.path().filename().string();
    const auto number = name.starts_with(prefix) ? std::atoi(name.c_str() + prefix.size()) : 0;
    if (number > 0) found.emplace_back(-number, entry.path().string());
  }
  std::ranges::sort(found);
  Words paths;
  for (auto& [number, path] : found) paths.push_back(std::move(path));
  return paths;
}

std::string all_of(const fs::path& log) {
  std::string text;
  for (const auto& path : backups_of(log)) text += text_of(path);
  return text + text_of(log);
}

void await_text(const StatusDir& dir, const fs::path& file, const std::string& text) {
  dir.await_that("\"" + text + "\" in " + file.string(), [&] { return text_of(file).find(text) != std::string::npos; });
}

// Waits until the log ends with that line. Not while it is rotated by time or command.
void await_number(const StatusDir& dir, const fs::path& log, long number) {
  dir.await_that("line " + std::to_string(number) + " in " + log.string(), [&] { return text_of(log).ends_with(line_of(number) + "\n"); });
}

// ---- Loggers

pid_t await_logger(const StatusDir& dir, pid_t supervise, pid_t other_than = 0) {
  pid_t pid = 0;
  dir.await_that("a logger", [&] {
    pid = logger_of(supervise).value_or(0);
    return pid != 0 && pid != other_than && alive(pid);
  });
  return pid;
}
pid_t await_logger(const Supervised& svc, pid_t other_than = 0) { return await_logger(svc, svc.pid(), other_than); }

// Of the status directory, whoever is its parent.
std::vector<pid_t> loggers_of(const StatusDir& dir) {
  std::vector<pid_t> pids;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const pid_t pid = std::atoi(entry.path().filename().c_str());
    if (pid <= 0 || !alive(pid)) continue;
    const auto words = arguments(pid);
    if (!words.empty() && words[0] == "supervise-log " + dir.dir().string()) pids.push_back(pid);
  }
  return pids;
}

void await_no_logger(const StatusDir& dir) {
  dir.await_that("the end of the logger", [&] { return loggers_of(dir).empty(); });
}

// Does it again and again, with pauses, until the file is there.
template <class Deed>
int until(const fs::path& done, Clock::duration pause, Deed deed) {
  int times = 0;
  for (const auto deadline = Clock::now() + 60s; !fs::exists(done) && Clock::now() < deadline; ++times) {
    if (wait_until([&] { return fs::exists(done); }, pause)) break;
    deed();
  }
  REQUIRE(fs::exists(done));
  return times;
}

const std::string kSmall = "[svc]\nstdout_logfile_maxbytes : 100KB\nstdout_logfile_backups : 500\n";

// A file that stays readable when its name is gone.
class Opened {
 public:
  explicit Opened(const fs::path& file) : fd_(open(file.c_str(), O_RDONLY | O_CLOEXEC)) { REQUIRE(fd_ >= 0); }
  ~Opened() { close(fd_); }
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;
  [[nodiscard]] std::string text() const { return text_of("/proc/self/fd/" + std::to_string(fd_)); }

 private:
  int fd_;
};

// The numbers of whole lines in a text whose first and last line may be torn.
std::vector<bool> numbers_in(const std::string& text, long to) {
  std::vector<bool> found(static_cast<std::size_t>(to) + 1);
  for (const auto& line : lines_in(text)) {
    const auto number = std::atol(line.c_str());
    if (number > 0 && number <= to && line == line_of(number)) found[static_cast<std::size_t>(number)] = true;
  }
  return found;
}

}  // namespace

// ---- Where it goes

TEST_CASE("Output goes through a logger into two files") {
  const Supervised svc({.command = service({"out", "hello", "err", "oh dear", "out", "and more"})});
  await_text(svc, svc / "__stdout", "and more\n");
  await_text(svc, svc / "__stderr", "oh dear\n");
  CHECK(text_of(svc / "__stdout") == "hello\nand more\n");
  CHECK(text_of(svc / "__stderr") == "oh dear\n");
  CHECK(mode_of(svc / "__stdout") == "file 0600");
  CHECK(mode_of(svc / "__stderr") == "file 0600");
  CHECK(mode_of(svc / "supervise/stdout") == "fifo 0600");
  CHECK(mode_of(svc / "supervise/stderr") == "fifo 0600");
  const auto logger = await_logger(svc);
  CHECK(arguments(logger)[0] == "supervise-log " + svc.dir().string());
  CHECK(process(logger)->session == logger);
  CHECK(loggers_of(svc).size() == 1);
}

TEST_CASE("A service has descriptors 0 to 2 and its logger has none that is not for logging") {
  TempDir marks;
  const Supervised svc({.command = service({"facts", marks / "facts", "out", "x", "err", "x"})});
  await_text(svc, svc / "__stderr", "x\n");
  await_text(svc, svc / "__stdout", "x\n");
  svc.await_that("the facts", [&] { return text_of(marks / "facts").find("end=yes") != std::string::npos; });
  const KeyValues facts(text_of(marks / "facts"));
  CHECK(facts["fd.0"] == "/dev/null");
  CHECK(facts["fd.1"] == svc / "supervise/stdout");
  CHECK(facts["fd.2"] == svc / "supervise/stderr");
  CHECK(count_lines(marks / "facts", "fd.") == 3);

  const auto logger = await_logger(svc);
  std::vector<std::string> expected = {"/dev/null", svc / "supervise/stdout", svc / "supervise/stderr", svc / "__stdout", svc / "__stderr", svc / "supervise/logger", svc.dir()};
  int pipes = 0;
  for (const auto& [fd, target] : descriptors(logger)) {
    INFO("descriptor " << fd << ": " << target);
    if (fd <= 2) CHECK(target == "/dev/null");
    pipes += target.starts_with("pipe:");
    CHECK((target.starts_with("pipe:") || std::ranges::find(expected, target) != expected.end()));
  }
  CHECK(pipes == 1);
  if (!has_program("fuser")) return;
  const auto users = run({"fuser", svc / "lock"});
  CHECK(std::atoi(users.out.c_str()) == svc.pid());
  CHECK(users.out.find(std::to_string(logger)) == std::string::npos);
}

TEST_CASE("With redirect_stderr both outputs are in one file in the order of writing") {
  const Supervised svc({.command = service({"out", "a", "err", "b", "out", "c", "err", "d"}), .conf = "[svc]\nredirect_stderr : true\n"});
  await_text(svc, svc / "__stdout", "d\n");
  CHECK(text_of(svc / "__stdout") == "a\nb\nc\nd\n");
  CHECK_FALSE(fs::exists(svc / "__stderr"));
}

TEST_CASE("Two outputs with the same file are in that file in the order of writing") {
  TempDir logs;
  for (const std::string size : {"50MB", "0"}) {
    INFO(size);
    const auto file = logs / ("both" + size);
    const Supervised svc({.command = service({"out", "a", "err", "b", "out", "c", "err", "d"}),
                          .conf = "[svc]\nstdout_logfile : " + file.string() + "\nstderr_logfile : " + file.string() +
                                  "\nstdout_logfile_maxbytes : " + size + "\nstderr_logfile_maxbytes : " + size + "\n"});
    await_text(svc, file, "d\n");
    CHECK(text_of(file) == "a\nb\nc\nd\n");
  }
}

TEST_CASE("With maxbytes 0 the service has the file itself and no logger runs") {
  TempDir marks;
  const Supervised svc({.command = service({"facts", marks / "facts", "out", "hello"}),
                        .conf = "[svc]\nstdout_logfile_maxbytes : 0\nstderr_logfile_maxbytes : 0\n"});
  const auto pid = svc.await_service();
  await_text(svc, svc / "__stdout", "hello\n");
  CHECK(descriptors(pid).at(1) == svc / "__stdout");
  CHECK(descriptors(pid).at(2) == svc / "__stderr");
  CHECK(loggers_of(svc).empty());
  CHECK_FALSE(fs::exists(svc / "supervise/stdout"));
  // What is appended to by others is kept.
  CHECK(shell("echo from outside >> __stdout", svc.dir()).code == 0);
  svc.write("k");
  svc.await_service(pid);
  svc.await_lines(svc / "__stdout", 3);
  CHECK(text_of(svc / "__stdout") == "hello\nfrom outside\nhello\n");
  CHECK(loggers_of(svc).empty());
}

TEST_CASE("With maxbytes 0 for one output the logger writes the other") {
  const Supervised svc({.command = service({"out", "hello", "err", "oh dear"}), .conf = "[svc]\nstdout_logfile_maxbytes : 0\n"});
  const auto pid = svc.await_service();
  await_text(svc, svc / "__stderr", "oh dear\n");
  await_text(svc, svc / "__stdout", "hello\n");
  CHECK(descriptors(pid).at(1) == svc / "__stdout");
  CHECK(descriptors(pid).at(2) == svc / "supervise/stderr");
  await_logger(svc);
}

TEST_CASE("With none an output is thrown away and there is no file") {
  TempDir marks;
  const Supervised svc({.command = service({"out", "hello", "err", "oh dear", "touch", marks / "done"}), .conf = "[svc]\nstdout_logfile : none\n"});
  await_text(svc, svc / "__stderr", "oh dear\n");
  CHECK(descriptors(svc.await_service()).at(1) == "/dev/null");
  CHECK_FALSE(fs::exists(svc / "__stdout"));
  const Supervised other({.command = service({"out", "hello"}), .conf = "[svc]\nstdout_logfile : none\nstderr_logfile : none\n"});
  other.await_service();
  CHECK(loggers_of(other).empty());
}

TEST_CASE("With inherit an output is that of supervise") {
  const Supervised svc({.command = service({"out", "hello", "err", "oh dear"}), .conf = "[svc]\nstdout_logfile : inherit\n", .mode = Mode::kForeground});
  CHECK(wait_until([&] { return svc.foreground().out() == "hello\n"; }));
  await_text(svc, svc / "__stderr", "oh dear\n");
  CHECK_FALSE(fs::exists(svc / "__stdout"));
  // The same where it detaches.
  TempDir work;
  write_file(work / "supervise.conf", "[svc]\nstdout_logfile : inherit\nstderr_logfile : inherit\n");
  const StatusDir dir(work / "svc");
  CHECK(shell(supervise_program() + " -u svc " + service({})[0] + " out hello err 'oh dear' > out 2> err", work.path()).code == 0);
  dir.await_that("the output", [&] { return text_of(work / "err") == "oh dear\n" && text_of(work / "out") == "hello\n"; });
  CHECK(loggers_of(dir).empty());
}

TEST_CASE("A log may have a path of its own or another name in the status directory") {
  TempDir logs;
  const Supervised svc({.command = service({"out", "hello", "err", "oh dear"}),
                        .conf = "[svc]\nstdout_logfile : " + (logs / "app.log").string() + "\nstderr_logfile : errors.log\n"});
  await_text(svc, logs / "app.log", "hello\n");
  await_text(svc, svc / "errors.log", "oh dear\n");
  CHECK_FALSE(fs::exists(svc / "__stdout"));
  CHECK_FALSE(fs::exists(svc / "__stderr"));
  svc.write("l");
  svc.await_that("the rotation", [&] { return fs::exists(logs / "app.log.1") && fs::exists(svc / "errors.log.1"); });
  CHECK(text_of(logs / "app.log.1") == "hello\n");
  CHECK(text_of(svc / "errors.log.1") == "oh dear\n");
}

TEST_CASE("A log whose directory is missing at the start is made and what can be no log is an error") {
  TempDir logs;
  write_file(logs / "conf", "[svc]\nstdout_logfile : " + (logs / "missing/app.log").string() + "\n");
  const auto news = "conf:2: stdout_logfile: the directory " + (logs / "missing").string() + " is not there and will be made";
  CHECK_THAT(supervise({"-F", logs / "conf", "-p", logs / "svc", "-f", "true", "--check"}, logs.path()).err, contains(news));
  const auto started = supervise({"-F", logs / "conf", "-p", logs / "svc", "-f", "sh -c 'echo hello; exec sleep 100'"}, logs.path());
  CHECK(started.code == 0);
  CHECK(started.err == "");
  CHECK(count_lines(logs / "svc/supervise.log", news) == 1);
  CHECK(wait_until([&] { return text_of(logs / "missing/app.log") == "hello\n"; }));

  fs::create_directory(logs / "log");
  for (const auto& path : {(logs / "log").string(), (logs / "log").string() + "/", (logs / "..").string(), std::string("lock"), std::string("supervise/stdout")}) {
    INFO(path);
    write_file(logs / "conf", "[svc]\nstdout_logfile : " + path + "\n");
    const auto refused = supervise({"-F", logs / "conf", "-p", logs / "x/svc", "-f", "sleep 100"}, logs.path());
    CHECK(refused.code == 100);
    CHECK_THAT(refused.err, contains("conf:2: error: stdout_logfile"));
  }
}

TEST_CASE("A name that cannot be a log in the status directory is refused") {
  TempDir work;
  for (const std::string name : {"a/b", "../x", ".x", "lock", "status", "supervise", "supervise.log", "/tmp/"}) {
    INFO(name);
    for (const std::string key : {"stdout_logfile", "stderr_logfile"}) {
      write_file(work / "conf", "[svc]\n" + key + " : " + name + "\n");
      const auto refused = supervise({"-F", work / "conf", "-p", work / "svc", "-f", "sleep 100"}, work.path());
      CHECK(refused.code == 100);
      CHECK_THAT(refused.err, contains("conf:2: error: " + key));
    }
  }
}

TEST_CASE("A log elsewhere keeps its mode and group and hands them on") {
  SKIP_UNLESS(is_root(), "needs root");
  TempDir logs;
  const auto log = logs / "app.log";
  write_file(log, "before\n", 0640);
  REQUIRE(chown(log.c_str(), 0, 54321) == 0);
  const auto group_of = [](const fs::path& file) {
    struct stat facts {};
    return lstat(file.c_str(), &facts) == 0 ? facts.st_gid : static_cast<gid_t>(-1);
  };
  const Supervised svc({.command = service({"numbers", "1", "1000", "0"}),
                        .conf = "[svc]\nstdout_logfile : " + log.string() + "\nstdout_logfile_maxbytes : 10KB\n"});
  await_number(svc, log, 1000);
  CHECK(all_of(log).starts_with("before\n"));
  CHECK(wrong_numbers(all_of(log).substr(7), 1, 1000) == "");
  REQUIRE(backups_of(log).size() >= 2);
  auto files = backups_of(log);
  files.push_back(log);
  for (const auto& file : files) {
    INFO(file);
    CHECK(mode_of(file) == "file 0640");
    CHECK(group_of(file) == 54321);
  }
}

TEST_CASE("A log that belongs to somebody else is put aside with what is in it") {
  SKIP_UNLESS(is_root(), "needs root");
  TempDir logs;
  const auto log = logs / "app.log";
  write_file(log, "precious\n");
  REQUIRE(chown(log.c_str(), 54321, 54321) == 0);
  const Supervised svc({.command = service({"out", "hello"}), .conf = "[svc]\nstdout_logfile : " + log.string() + "\n"});
  await_text(svc, log, "hello\n");
  CHECK(text_of(log) == "hello\n");
  CHECK(text_of(logs / "app.log.replaced") == "precious\n");
}

TEST_CASE("A log that is put aside again and again destroys none that was put aside before") {
  SKIP_UNLESS(is_root(), "needs root");
  TempDir logs;
  const auto log = logs / "app.log";
  const std::string conf = "[svc]\nstdout_logfile : " + log.string() + "\n";
  for (const std::string text : {"first", "second", "third"}) {
    write_file(log, text);
    REQUIRE(chown(log.c_str(), 54321, 54321) == 0);
    const Supervised svc({.command = service({"out", "hello"}), .conf = conf});
    await_text(svc, log, "hello\n");
    svc.await_that("the warning", [&] { return svc.log().find("put aside") != std::string::npos; });
  }
  CHECK(text_of(logs / "app.log.replaced") == "first");
  CHECK(text_of(logs / "app.log.replaced.1") == "second");
  CHECK(text_of(logs / "app.log.replaced.2") == "third");
}

TEST_CASE("A log named as standard output is what supervise was given whatever that is") {
  TempDir work;
  fs::create_symlink("/dev/stdout", work / "link.log");
  for (const auto& path : {std::string("/dev/stdout"), std::string("/proc/self/fd/1"), (work / "link.log").string()}) {
    INFO(path);
    write_file(work / "supervise.conf", "[svc]\nstdout_logfile : " + path + "\n");
    std::array<int, 2> ends{};
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
    const auto pid = fork();
    if (pid == 0) {
      dup2(ends[1], 1);
      execl(supervise_program().c_str(), "supervise", "-n", "-F", (work / "supervise.conf").c_str(), "-u", (work / "svc").c_str(), "sh", "-c", "echo hello; exec sleep 100", nullptr);
      _exit(127);
    }
    close(ends[1]);
    std::array<char, 16> bytes{};
    pollfd poll{ends[0], POLLIN, 0};
    REQUIRE(::poll(&poll, 1, 10000) == 1);
    const auto n = ::read(ends[0], bytes.data(), bytes.size());
    CHECK(std::string(bytes.data(), n > 0 ? static_cast<std::size_t>(n) : 0) == "hello\n");
    CHECK(kill(pid, SIGTERM) == 0);
    waitpid(pid, nullptr, 0);
    close(ends[0]);
  }
  write_file(work / "supervise.conf", "[svc]\nstdout_logfile : /dev/fd/7\n");
  const auto refused = supervise({"--check", "-F", (work / "supervise.conf").string(), "-p", "svc"}, work.path());
  CHECK(refused.code == 100);
  CHECK_THAT(refused.err, Catch::Contains("is a descriptor that supervise does not keep"));
}

TEST_CASE("Directories that may be passed and not be listed are enough for output and for putting back") {
  SKIP_UNLESS(is_root() && has_program("setpriv"), "needs root and setpriv");
  TempDir work;
  fs::permissions(work.path(), fs::perms(0711));
  fs::copy_file(supervise_program(), work / "program");
  for (const auto mode : {0711, 0733}) {
    const auto home = work / std::to_string(mode);
    fs::create_directories(home / "user");
    REQUIRE(chown((home / "user").c_str(), 54321, 54321) == 0);
    fs::permissions(home, fs::perms(mode));
    const auto started = run({.argv = {"setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", work / "program", "-u", "st/svc", "sh", "-c", "echo hello; exec sleep 100"}, .directory = home / "user"});
    REQUIRE(started.code == 0);
    const StatusDir svc(home / "user/st/svc");
    REQUIRE(wait_until([&] { return text_of(svc / "__stdout") == "hello\n"; }));
    fs::remove_all(svc.dir());
    CHECK(wait_until([&] { return fs::exists(svc / "control"); }));
    CHECK(wait_until([&] { return fs::exists(svc / "state"); }));
    // And where DIR itself is below one.
    const auto below = run({.argv = {"setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", work / "program", "-u", home / "direct", "sh", "-c", "echo hello; exec sleep 100"}, .directory = home / "user"});
    CHECK((mode == 0711 ? below.code == 111 : below.code == 0));
    if (below.code == 0) {
      const StatusDir direct(home / "direct");
      CHECK(wait_until([&] { return text_of(direct / "__stdout") == "hello\n"; }));
      fs::rename(home / "direct", home / "moved");
      CHECK(wait_until([&] { return fs::exists(direct / "control"); }));
    }
  }
}

TEST_CASE("A link that the configuration names is followed and written by the service itself") {
  TempDir logs;
  write_file(logs / "target", "before\n");
  fs::create_symlink(logs / "target", logs / "app.log");
  const Supervised svc({.command = service({"out", "hello"}), .conf = "[svc]\nstdout_logfile : " + (logs / "app.log").string() + "\n"});
  await_text(svc, logs / "target", "hello\n");
  CHECK(text_of(logs / "target") == "before\nhello\n");
  CHECK(mode_of(logs / "app.log") == "link");
  CHECK(descriptors(svc.await_service()).at(1) == logs / "target");
}

TEST_CASE("A file of the service's own that was moved away is made anew at the next start") {
  TempDir logs;
  const auto log = logs / "app.log";
  const Supervised svc({.command = service({"out", "hello"}),
                        .conf = "[svc]\nstdout_logfile : " + log.string() + "\nstdout_logfile_maxbytes : 0\n"});
  const auto pid = svc.await_service();
  await_text(svc, log, "hello\n");
  fs::rename(log, logs / "app.log.old");
  svc.write("k");
  svc.await_service(pid);
  await_text(svc, log, "hello\n");
  CHECK(text_of(logs / "app.log.old") == "hello\n");
}

TEST_CASE("What the restart script writes is in the log") {
  TempDir work;
  write_script(work / "hook", "echo \"restart $1\"; echo trouble >&2");
  const Supervised svc({.command = service({"out", "hello"}), .options = {"-r", work / "hook"}});
  const auto pid = svc.await_service();
  await_text(svc, svc / "__stdout", "hello\n");
  svc.write("k");
  svc.await_service(pid);
  await_text(svc, svc / "__stderr", "trouble\n");
  svc.await_lines(svc / "__stdout", 3);
  CHECK(text_of(svc / "__stdout") == "hello\nrestart 1\nhello\n");
}

TEST_CASE("O_NONBLOCK that one instance of the service has set is gone for the next") {
  TempDir marks;
  const Supervised svc({.command = service({"flags", marks / "flags", "nonblocking", "flags", marks / "flags"})});
  const auto pid = svc.await_service();
  svc.await_lines(marks / "flags", 2);
  svc.write("k");
  svc.await_service(pid);
  svc.await_lines(marks / "flags", 4);
  CHECK(text_of(marks / "flags") == "blocking\nnonblocking\nblocking\nnonblocking\n");
}

// ---- Rotation

TEST_CASE("A log is rotated by size and no line is split and the newest backups are kept") {
  const Supervised svc({.command = service({"numbers", "1", "4000", "0"}), .conf = "[svc]\nstdout_logfile_maxbytes : 10KB\nstdout_logfile_backups : 3\n"});
  await_number(svc, svc / "__stdout", 4000);
  std::string text;
  for (const std::string name : {"__stdout.3", "__stdout.2", "__stdout.1", "__stdout"}) {
    INFO(name);
    CHECK(mode_of(svc / name) == "file 0600");
    const auto part = text_of(svc / name);
    CHECK(part.size() <= 10 * 1024);
    if (name != "__stdout") CHECK(part.size() > 10 * 1024 - 70);
    CHECK(part.ends_with('\n'));
    text += part;
  }
  CHECK(backups_of(svc / "__stdout").size() == 3);
  CHECK(wrong_numbers(text, std::atol(text.c_str()), 4000) == "");
}

TEST_CASE("Without backups a full log begins anew") {
  const Supervised svc({.command = service({"numbers", "1", "4000", "0"}), .conf = "[svc]\nstdout_logfile_maxbytes : 10KB\nstdout_logfile_backups : 0\n"});
  await_number(svc, svc / "__stdout", 4000);
  CHECK(backups_of(svc / "__stdout").empty());
  const auto text = text_of(svc / "__stdout");
  CHECK(text.size() <= 10 * 1024);
  CHECK(wrong_numbers(text, std::atol(text.c_str()), 4000) == "");
}

TEST_CASE("A line longer than a file is the only one that is split") {
  const std::string line(30'000, 'x');
  const Supervised svc({.command = service({"out", "before", "out", line, "out", "after"}), .conf = "[svc]\nstdout_logfile_maxbytes : 8KB\n"});
  svc.await_that("the last line", [&] { return text_of(svc / "__stdout").ends_with("after\n"); });
  CHECK(all_of(svc / "__stdout") == "before\n" + line + "\nafter\n");
  for (const auto& path : backups_of(svc / "__stdout")) CHECK(fs::file_size(path) <= 2 * 8192);
}

TEST_CASE("The letter l rotates the logs at the next end of a line") {
  TempDir marks;
  const Supervised svc({.command = service({"out", "one", "print", "two", "touch", marks / "begun", "await", marks / "go", "out", " and a half", "out", "three"})});
  svc.await_that("half a line", [&] { return text_of(svc / "__stdout") == "one\ntwo"; });
  svc.write("l");
  svc.await_log("control: l");
  CHECK(holds_for(300ms, [&] { return !fs::exists(svc / "__stdout.1"); }));
  write_file(marks / "go", "");
  svc.await_that("the rotation", [&] { return text_of(svc / "__stdout") == "three\n"; });
  CHECK(text_of(svc / "__stdout.1") == "one\ntwo and a half\n");
  // At once where nothing is unfinished, and without a word where there is nothing.
  svc.write("l");
  svc.await_that("another rotation", [&] { return text_of(svc / "__stdout.1") == "three\n"; });
  CHECK(text_of(svc / "__stdout.2") == "one\ntwo and a half\n");
  svc.await_that("a new file", [&] { return fs::exists(svc / "__stdout"); });
  svc.write("l");
  CHECK(holds_for(300ms, [&] { return !fs::exists(svc / "__stdout.3"); }));
  CHECK_FALSE(fs::exists(svc / "__stderr.1"));
  CHECK(count_lines(svc / "supervise.log.wf", "WARNING") == 0);
}

TEST_CASE("The first line of another day begins a file") {
  TempDir marks;
  const Supervised svc({.command = service({"out", "yesterday", "await", marks / "go", "out", "today", "out", "and more"}),
                        .conf = "[svc]\nstdout_logfile_rotate : daily\n"});
  await_text(svc, svc / "__stdout", "yesterday\n");
  timespec times[2] = {};
  clock_gettime(CLOCK_REALTIME, &times[1]);
  times[1].tv_sec -= 86'400;
  times[0].tv_nsec = UTIME_OMIT;
  REQUIRE(utimensat(AT_FDCWD, (svc / "__stdout").c_str(), times, 0) == 0);
  CHECK(holds_for(200ms, [&] { return !fs::exists(svc / "__stdout.1"); }));
  write_file(marks / "go", "");
  await_text(svc, svc / "__stdout", "and more\n");
  CHECK(text_of(svc / "__stdout.1") == "yesterday\n");
  CHECK(text_of(svc / "__stdout") == "today\nand more\n");
}

TEST_CASE("The size and the path of a log change with r at once") {
  TempDir marks;
  TempDir logs;
  const Supervised svc({.command = service({"out", "one", "await", marks / "go", "out", "two", "await", marks / "on", "numbers", "1", "1000", "0"}), .conf = "[svc]\n"});
  await_text(svc, svc / "__stdout", "one\n");
  const auto pid = svc.await_service();
  const auto first = await_logger(svc);
  const auto conf = "[svc]\nstdout_logfile : " + (logs / "app.log").string() + "\n";
  write_file(svc.work() / "supervise.conf", conf);
  svc.write("r");
  const auto second = await_logger(svc, first);
  write_file(marks / "go", "");
  await_text(svc, logs / "app.log", "two\n");
  CHECK(text_of(svc / "__stdout") == "one\n");
  CHECK(text_of(logs / "app.log") == "two\n");
  write_file(svc.work() / "supervise.conf", conf + "stdout_logfile_maxbytes : 10KB\n");
  svc.write("r");
  await_logger(svc, second);
  write_file(marks / "on", "");
  await_number(svc, logs / "app.log", 1000);
  CHECK(fs::exists(logs / "app.log.1"));
  CHECK(wrong_numbers(all_of(logs / "app.log").substr(4), 1, 1000) == "");
  CHECK(svc.await_service() == pid);
}

TEST_CASE("A log that becomes something else with r neither stalls the service that runs nor loses its output") {
  for (const std::string change : {"stdout_logfile_maxbytes : 0", "redirect_stderr : true", "stdout_logfile : none", "stdout_logfile : inherit"}) {
    INFO(change);
    TempDir marks;
    const Supervised svc({.command = service({"first", marks / "once", "8", "await", marks / "go", "numbers", "1", "20000", "0", "touch", marks / "done", "err", "fine"}), .conf = "[svc]\n"});
    const auto pid = svc.await_service();
    await_logger(svc);
    write_file(svc.work() / "supervise.conf", "[svc]\n" + change + "\n");
    svc.write("r");
    svc.await_log("configuration read again");
    write_file(marks / "go", "");
    // It writes more than a FIFO holds.
    CHECK(wait_until([&] { return fs::exists(marks / "done"); }));
    // The change takes effect at the next start.
    CHECK(wait_until([&] { return text_of(svc / "__stdout").find(line_of(20'000)) != std::string::npos; }));
    CHECK(wait_until([&] { return (text_of(svc / "__stdout") + text_of(svc / "__stderr")).find("fine\n") != std::string::npos; }));
    svc.write("k");
    svc.await_service(pid);
  }
}

// ---- Time stamps

TEST_CASE("With log_timestamps iso each line begins with local time") {
  const Supervised svc({.command = service({"out", "one", "print", "two", "sleep", "50", "print", " halves", "out", "", "out", "three"}),
                        .conf = "[svc]\nlog_timestamps : iso\n",
                        .environment = {{"TZ", "XST-5:30"}}});
  svc.await_lines(svc / "__stdout", 3);
  svc.await_that("the last line", [&] { return text_of(svc / "__stdout").ends_with(" three\n"); });
  const auto lines = lines_of(svc / "__stdout");
  REQUIRE(lines.size() == 3);
  const std::string stamp = "20\\d\\d-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d\\d\\d\\+05:30 ";
  CHECK_THAT(lines[0], matches(stamp + "one"));
  CHECK_THAT(lines[1], matches(stamp + "two halves"));
  CHECK_THAT(lines[2], matches(stamp + "three"));
  tm time{};
  REQUIRE(strptime(lines[0].c_str(), "%Y-%m-%dT%H:%M:%S", &time) != nullptr);
  CHECK(std::abs(static_cast<double>(timegm(&time)) - 19'800 - static_cast<double>(::time(nullptr))) < 30);
  CHECK(std::ranges::is_sorted(lines));
}

TEST_CASE("With log_timestamps tai64n each line begins with a label that tai64nlocal understands") {
  const Supervised svc({.command = service({"out", "one", "err", "two"}), .conf = "[svc]\nlog_timestamps : tai64n\n"});
  await_text(svc, svc / "__stdout", "one\n");
  await_text(svc, svc / "__stderr", "two\n");
  const auto line = lines_of(svc / "__stdout").at(0);
  CHECK_THAT(line, matches("@4000000[0-9a-f]{17} one"));
  CHECK_THAT(lines_of(svc / "__stderr").at(0), matches("@4000000[0-9a-f]{17} two"));
  const auto seconds = static_cast<double>(std::stoull(line.substr(9, 8), nullptr, 16)) - 10;
  CHECK(std::abs(seconds - static_cast<double>(time(nullptr))) < 30);
  SKIP_UNLESS(has_program("tai64nlocal"), "tai64nlocal is not here");
  const auto local = run(Command{.argv = {"tai64nlocal"}, .environment = {{"TZ", "UTC"}}, .input = line + "\n"});
  CHECK_THAT(local.out, matches("20\\d\\d-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d\\.\\d{9} one\n"));
  tm time{};
  REQUIRE(strptime(local.out.c_str(), "%Y-%m-%d %H:%M:%S", &time) != nullptr);
  CHECK(std::abs(static_cast<double>(timegm(&time)) - seconds) < 1);
}

// ---- Processors

TEST_CASE("Rotated files go through the processor and say the same") {
  SKIP_UNLESS(has_program("gzip"), "gzip is not here");
  const Supervised svc({.command = service({"numbers", "1", "9000", "1"}),
                        .conf = "[svc]\nstdout_logfile_maxbytes : 40KB\nstdout_logfile_backups : 100\nlog_processor : gzip -9\n"});
  await_number(svc, svc / "__stdout", 9000);
  const auto all_processed = [&] { return std::ranges::all_of(backups_of(svc / "__stdout"), [](const auto& path) { return path.ends_with(".gz"); }); };
  svc.await_that("the processor", all_processed);
  CHECK(holds_for(100ms, all_processed));
  const auto backups = backups_of(svc / "__stdout");
  CHECK(backups.size() >= 6);
  std::string text;
  for (const auto& path : backups) {
    CHECK(mode_of(path) == "file 0600");
    const auto plain = run({"gzip", "-dc", path});
    CHECK(plain.code == 0);
    CHECK(plain.out.size() <= 40 * 1024 + 64);    // a line that was begun is ended
    text += plain.out;
  }
  CHECK(wrong_numbers(text + text_of(svc / "__stdout"), 1, 9000) == "");
  CHECK_FALSE(fs::exists(svc / "__stdout.unfinished"));
}

TEST_CASE("Of processed files as well no more are kept than there may be backups") {
  SKIP_UNLESS(has_program("gzip"), "gzip is not here");
  const Supervised svc({.command = service({"numbers", "1", "9000", "1"}),
                        .conf = "[svc]\nstdout_logfile_maxbytes : 40KB\nstdout_logfile_backups : 2\nlog_processor : gzip\n"});
  await_number(svc, svc / "__stdout", 9000);
  svc.await_that("the processor", [&] { return fs::exists(svc / "__stdout.1.gz") && fs::exists(svc / "__stdout.2.gz") && backups_of(svc / "__stdout").size() == 2; });
  const auto text = run({"gzip", "-dc", svc / "__stdout.2.gz", svc / "__stdout.1.gz"}).out + text_of(svc / "__stdout");
  CHECK(wrong_numbers(text, std::atol(text.c_str()), 9000) == "");
}

TEST_CASE("A processor that fails or is missing leaves the file as it was and says so") {
  TempDir work;
  write_script(work / "bad", "cat; exit 3");
  for (const auto& [program, message] : {std::pair((work / "bad").string(), std::string("exit")), std::pair((work / "missing").string(), std::string("cannot be run"))}) {
    INFO(program);
    const Supervised svc({.command = service({"out", "hello"}), .conf = "[svc]\nlog_processor : " + program + "\n"});
    await_text(svc, svc / "__stdout", "hello\n");
    svc.write("l");
    svc.await_that("a warning", [&] { return count_lines(svc / "supervise.log.wf", "log_processor") == 1; });
    CHECK_THAT(text_of(svc / "supervise.log.wf"), contains("[WARNING]"));
    CHECK(text_of(svc / "__stdout.1") == "hello\n");
    CHECK(backups_of(svc / "__stdout").size() == 1);
    CHECK_FALSE(fs::exists(svc / "__stdout.unfinished"));
  }
}

TEST_CASE("A processor that hangs is in the way of nothing") {
  TempDir marks;
  const Supervised svc({.command = service({"await", marks / "go", "numbers", "1", "3000", "0"}),
                        .conf = "[svc]\nstdout_logfile_maxbytes : 10KB\nstdout_logfile_backups : 100\nlog_processor : sleep 1000\n"});
  const auto pid = svc.await_service();
  write_file(marks / "go", "");
  await_number(svc, svc / "__stdout", 3000);
  CHECK(wrong_numbers(all_of(svc / "__stdout"), 1, 3000) == "");
  fs::remove(marks / "go");
  svc.write("k");
  svc.await_service(pid);
  const auto begin = monotonic_now();
  svc.write("dx");
  svc.await_exit();
  CHECK(monotonic_now() - begin < allowed(4));
}

TEST_CASE("A logger that is killed while a processor is at work loses nothing") {
  SKIP_UNLESS(has_program("gzip"), "gzip is not here");
  TempDir marks;
  write_script(marks / "slow", "gzip; sleep 0.02");
  const Supervised svc({.command = service({"numbers", "1", "30000", "3", "touch", marks / "done"}),
                        .conf = "[svc]\nstdout_logfile_maxbytes : 40KB\nstdout_logfile_backups : 500\nlog_processor : " + (marks / "slow").string() + "\n"});
  const auto kills = until(marks / "done", 60ms, [&] {
    if (const auto logger = logger_of(svc.pid())) ::kill(*logger, SIGKILL);
  });
  CHECK(kills > 5);
  await_number(svc, svc / "__stdout", 30'000);
  svc.await_that("the processor", [&] { return std::ranges::all_of(backups_of(svc / "__stdout"), [](const auto& path) { return path.ends_with(".processed"); }); });
  std::string text;
  for (const auto& path : backups_of(svc / "__stdout")) text += run(Command{.argv = {"gzip", "-dc"}, .input = text_of(path)}).out;
  CHECK(wrong_numbers(text + text_of(svc / "__stdout"), 1, 30'000) == "");
}

// ---- Nothing is lost

TEST_CASE("A logger that is killed again and again has lost nothing") {
  for (const std::string stamps : {"none", "iso"}) {
    INFO("log_timestamps " << stamps);
    TempDir marks;
    const Supervised svc({.command = service({"numbers", "1", "40000", "2", "touch", marks / "done"}), .conf = kSmall + "log_timestamps : " + stamps + "\n"});
    pid_t last = 0;
    const auto kills = until(marks / "done", 20ms, [&] {
      const auto logger = logger_of(svc.pid());
      if (!logger || *logger == last) return;
      last = *logger;
      ::kill(last, SIGKILL);
    });
    CHECK(kills > 8);
    svc.await_that("the last line", [&] { return text_of(svc / "__stdout").ends_with(line_of(40'000) + "\n"); });
    CHECK(backups_of(svc / "__stdout").size() > 10);
    std::string text;
    for (const auto& line : lines_in(all_of(svc / "__stdout"))) text += line.substr(stamps == "iso" ? std::min<std::size_t>(line.size(), 30) : 0) + "\n";
    CHECK(wrong_numbers(text, 1, 40'000) == "");
    CHECK(count_lines(svc / "supervise.log.wf", "the logger ended") >= 1);
    CHECK(loggers_of(svc).size() == 1);
  }
}

TEST_CASE("A logger that is killed while it is busy has lost nothing") {
  constexpr long kLast = 400'000;
  TempDir marks;
  const Supervised svc({.command = service({"numbers", "1", std::to_string(kLast), "0", "touch", marks / "done"})});
  pid_t last = 0;
  // Each lives for some milliseconds, in which it never waits.
  const auto kills = until(marks / "done", 4ms, [&] {
    const auto logger = logger_of(svc.pid()).value_or(last);
    if (logger == last) return;
    last = logger;
    ::kill(last, SIGKILL);
  });
  CHECK(kills > 20);
  await_number(svc, svc / "__stdout", kLast);
  CHECK(wrong_numbers(text_of(svc / "__stdout"), 1, kLast) == "");
}

TEST_CASE("A supervise that is killed again and again has lost no output of the service") {
  TempDir marks;
  Restartable site(service({"numbers", "1", "60000", "2", "touch", marks / "done"}), kSmall);
  const auto service_pid = site.dir.await_service();
  const auto kills = until(marks / "done", 100ms, [&] {
    site.kill();
    site.start();
  });
  CHECK(kills > 3);
  await_number(site.dir, site.dir / "__stdout", 60'000);
  CHECK(wrong_numbers(all_of(site.dir / "__stdout"), 1, 60'000) == "");
  CHECK(site.dir.status().pid == service_pid);
  CHECK(loggers_of(site.dir).size() == 1);
  CHECK(logger_of(site.pid));
}

TEST_CASE("A supervise and its logger that are killed together again and again have lost nothing") {
  TempDir marks;
  Restartable site(service({"numbers", "1", "60000", "2", "touch", marks / "done"}), kSmall + "log_timestamps : tai64n\n");
  int turn = 0;
  const auto kills = until(marks / "done", 100ms, [&] {
    const auto logger = logger_of(site.pid).value_or(0);
    const bool logger_first = ++turn % 2 == 0;
    if (logger_first && logger != 0) ::kill(logger, SIGKILL);
    site.kill();
    if (logger != 0) ::kill(logger, SIGKILL);
    // For a while nobody is there but the service.
    if (turn % 3 == 0) (void)wait_until([&] { return fs::exists(marks / "done"); }, 50ms);
    site.start();
  });
  CHECK(kills > 3);
  site.dir.await_that("the last line", [&] { return text_of(site.dir / "__stdout").ends_with(line_of(60'000) + "\n"); });
  std::string text;
  for (const auto& line : lines_in(all_of(site.dir / "__stdout"))) text += line.substr(std::min<std::size_t>(line.size(), 26)) + "\n";
  CHECK(wrong_numbers(text, 1, 60'000) == "");
}

TEST_CASE("A service that goes on alone is heard of again by the next supervise") {
  TempDir marks;
  Restartable site(service({"out", "one", "await", marks / "go", "out", "two", "touch", marks / "done"}), "[svc]\n");
  await_text(site.dir, site.dir / "__stdout", "one\n");
  const auto logger = await_logger(site.dir, site.pid);
  site.kill();
  // The logger goes on for it.
  CHECK(alive(logger));
  ::kill(logger, SIGKILL);
  REQUIRE(wait_until([&] { return !alive(logger); }));
  write_file(marks / "go", "");
  REQUIRE(wait_until([&] { return fs::exists(marks / "done"); }));
  CHECK(text_of(site.dir / "__stdout") == "one\n");
  site.start();
  await_text(site.dir, site.dir / "__stdout", "two\n");
  CHECK(text_of(site.dir / "__stdout") == "one\ntwo\n");
}

TEST_CASE("A logger goes on while there is no supervise") {
  TempDir marks;
  Restartable site(service({"out", "one", "await", marks / "go", "out", "two"}), "[svc]\n");
  await_text(site.dir, site.dir / "__stdout", "one\n");
  const auto logger = await_logger(site.dir, site.pid);
  site.kill();
  write_file(marks / "go", "");
  await_text(site.dir, site.dir / "__stdout", "two\n");
  CHECK(alive(logger));
  // With the service it ends.
  ::kill(site.dir.status().pid, SIGKILL);
  await_no_logger(site.dir);
}

TEST_CASE("An exchange of supervise by the letter E loses no output") {
  TempDir marks;
  const Supervised svc({.command = service({"numbers", "1", "60000", "2", "touch", marks / "done"}), .conf = kSmall});
  const auto pid = svc.await_service();
  std::size_t exchanges = 0;
  until(marks / "done", 50ms, [&] {
    svc.write("E");
    svc.await_that("the exchange", [&] { return count_lines(svc / "supervise.log", "goes on as") > exchanges; });
    ++exchanges;
  });
  CHECK(exchanges >= 2);
  await_number(svc, svc / "__stdout", 60'000);
  CHECK(wrong_numbers(all_of(svc / "__stdout"), 1, 60'000) == "");
  CHECK(svc.await_service() == pid);
  CHECK(loggers_of(svc).size() == 1);
}

TEST_CASE("Last words are there after the end of supervise") {
  for (int i = 0; i < 30; ++i) {
    TempDir marks;
    const Supervised svc({.command = service({"numbers", "1", "2000", "0", "touch", marks / "done", "print", "last words"})});
    svc.await_that("the words", [&] { return fs::exists(marks / "done"); });
    const auto pid = svc.await_service();
    // It has written all of it when it sleeps.
    svc.await_that("the last words", [&] { return process_field(pid, "State").starts_with("S"); });
    svc.write("dx");
    svc.await_exit();
    CHECK(loggers_of(svc).empty());
    const auto text = text_of(svc / "__stdout");
    REQUIRE(text.ends_with("\nlast words"));
    REQUIRE(wrong_numbers(text.substr(0, text.size() - 10), 1, 2000) == "");
  }
}

TEST_CASE("A process that is left behind is still heard after the end of supervise") {
  TempDir marks;
  const Supervised svc({.command = service({"out", "hello", "child", "6", "await", marks / "go", "out", "late", "exit", "0"})});
  await_text(svc, svc / "__stdout", "hello\n");
  svc.write("dx");
  svc.await_exit();
  REQUIRE(loggers_of(svc).size() == 1);
  CHECK(count_lines(svc / "supervise.log", "the logger goes on") == 1);
  write_file(marks / "go", "");
  await_text(svc, svc / "__stdout", "late\n");
  await_no_logger(svc);
  CHECK(text_of(svc / "__stdout") == "hello\nlate\n");
}

TEST_CASE("On a full disk the service waits and supervise does not and nothing is missing when there is room") {
  SKIP_UNLESS(is_root() && enter_own_mounts(), "no mount namespace to be had");
  TempDir disk;
  TempDir marks;
  mount_tmpfs(disk.path(), "size=4m,mode=0755");
  write_file(disk / "filler", std::string(3 << 20, 'x'));
  const auto log = disk / "app.log";
  // The output comes from a child, so that it does not end with the service.
  const Supervised svc({.command = service({"first", marks / "once", "8", "child", "6", "numbers", "1", "60000", "0", "touch", marks / "done"}),
                        .conf = "[svc]\nstdout_logfile : " + log.string() + "\n"});
  auto pid = svc.await_service();
  svc.await_that("a warning", [&] { return count_lines(svc / "supervise.log.wf", "the output waits") == 1; });
  CHECK_THAT(text_of(svc / "supervise.log.wf"), contains(log.string()));
  CHECK_THAT(text_of(svc / "supervise.log.wf"), contains("No space left on device"));
  svc.await_state("RUNNING");
  svc.await("output", "stdout waits: cannot write to app.log: No space left on device");
  const auto begin = monotonic_now();
  svc.write("k");
  pid = svc.await_service(pid);
  svc.write("d");
  svc.await_state("STOPPED");
  CHECK(monotonic_now() - begin < allowed(1));
  CHECK(svc.status().pid == 0);
  CHECK(holds_for(1200ms, [&] { return !fs::exists(marks / "done") && count_lines(svc / "supervise.log.wf", "the output waits") == 1; }));
  const auto look = [&](const std::string& command) {
    return run(Command{.argv = {supervisectl_program(), "-d", svc.dir().parent_path(), command}, .directory = svc.work().path()});
  };
  CHECK_THAT(look("status").out, contains("stdout waits: cannot write to app.log: No space left on device"));
  CHECK_THAT(look("metrics").out, contains("supervise_output_waits{service=\"svc\"} 1\n"));
  CHECK(look("check").code == 3);
  fs::remove(disk / "filler");
  svc.await_that("the output", [&] { return fs::exists(marks / "done"); });
  await_number(svc, log, 60'000);
  CHECK(wrong_numbers(text_of(log), 1, 60'000) == "");
  svc.await_log("app.log is written again");
  svc.await("output", "");
  CHECK(look("check").code == 0);
  CHECK(count_lines(svc / "supervise.log.wf", "the output waits") == 1);
}

TEST_CASE("A full disk under the status directory and the logs delays output and nothing else") {
  SKIP_UNLESS(is_root() && enter_own_mounts(), "no mount namespace to be had");
  TempDir marks;
  TempDir work;
  fs::create_directory(work / "disk");
  mount_tmpfs(work / "disk", "size=1m,mode=0755");
  const StatusDir dir(work / "disk/svc");
  Words words = {"-u", dir.dir()};
  for (const auto& word : service({"first", marks / "once", "8", "child", "6", "numbers", "1", "60000", "0", "touch", marks / "done"})) words.push_back(word);
  REQUIRE(supervise(words, work.path()).code == 0);
  const auto pid = dir.await_service();
  dir.await_state("RUNNING");
  dir.await_that("a full disk", [&] { return fs::space(work / "disk").available == 0; });
  const auto begin = monotonic_now();
  dir.write("k");
  const auto next = dir.await_service(pid);
  CHECK(monotonic_now() - begin < allowed(2));
  CHECK(dir.state()["pid"] == std::to_string(next));
  CHECK_FALSE(fs::exists(marks / "done"));
  REQUIRE(shell("mount -o remount,size=16m disk", work.path()).code == 0);
  await_number(dir, dir / "__stdout", 60'000);
  CHECK(wrong_numbers(text_of(dir / "__stdout"), 1, 60'000) == "");
}

TEST_CASE("A logger that is stopped stalls no restart and no command") {
  TempDir marks;
  const Supervised svc({.command = service({"first", marks / "once", "12", "child", "10", "await", marks / "go", "numbers", "1", "60000", "0", "touch", marks / "done", "exit", "0"})});
  auto pid = svc.await_service();
  const auto logger = await_logger(svc);
  ::kill(logger, SIGSTOP);
  write_file(marks / "go", "");
  const auto full = [&] { return text_of(svc / "__stdout").empty() && !fs::exists(marks / "done"); };
  svc.await_state("RUNNING");
  const auto begin = monotonic_now();
  svc.write("k");
  pid = svc.await_service(pid);
  CHECK(monotonic_now() - begin < allowed(1));
  svc.write("s");
  svc.await("alarm", "off");
  CHECK(full());
  CHECK(logger_of(svc.pid()) == logger);
  ::kill(logger, SIGCONT);
  await_number(svc, svc / "__stdout", 60'000);
  CHECK(wrong_numbers(text_of(svc / "__stdout"), 1, 60'000) == "");
}

TEST_CASE("A stopped logger does not keep supervise from ending") {
  const Supervised svc({.command = service({"numbers", "1", "3000", "0"})});
  await_number(svc, svc / "__stdout", 3000);
  const auto logger = await_logger(svc);
  ::kill(logger, SIGSTOP);
  const auto begin = monotonic_now();
  svc.write("dx");
  svc.await_exit();
  CHECK(monotonic_now() - begin < allowed(4));
  ::kill(logger, SIGCONT);
  await_no_logger(svc);
}

TEST_CASE("A log that is a FIFO which nobody drains stalls no restart") {
  TempDir work;
  TempDir marks;
  const auto fifo = work / "device";
  REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
  const int reader = open(fifo.c_str(), O_RDWR | O_CLOEXEC);
  const Supervised svc({.command = service({"numbers", "1", "10000", "0", "touch", marks / "done"}), .conf = "[svc]\nstdout_logfile : " + fifo.string() + "\n"});
  const auto pid = svc.await_service();
  svc.await_state("RUNNING");
  CHECK_FALSE(fs::exists(marks / "done"));
  const auto begin = monotonic_now();
  svc.write("k");
  svc.await_service(pid);
  CHECK(monotonic_now() - begin < allowed(1));
  close(reader);
}

// ---- What others do to the files

namespace {

// The numbers while something happens to the log after a part of them. `old`: what was in the file that went away.
void check_log_that_goes_away(const fs::path& log_or_empty, const std::function<void(const fs::path& log)>& deed, const fs::path& moved_to = {}) {
  constexpr long kLast = 40'000;
  TempDir marks;
  const Supervised svc({.command = service({"numbers", "1", std::to_string(kLast), "3", "touch", marks / "done"}),
                        .conf = log_or_empty.empty() ? "[svc]\n" : "[svc]\nstdout_logfile : " + log_or_empty.string() + "\n"});
  const auto log = log_or_empty.empty() ? svc / "__stdout" : log_or_empty;
  svc.await_that("some output", [&] { std::error_code error; const auto size = fs::file_size(log, error); return !error && size > 50'000; });
  const Opened old(log);
  deed(log);
  // Of a file that is gone nobody has more than this.
  const auto gone = old.text();
  REQUIRE_FALSE(fs::exists(marks / "done"));
  svc.await_that("the log again", [&] { return fs::exists(log) && fs::file_size(log) > 0; });
  await_number(svc, log, kLast);
  const auto after = text_of(log);
  if (!moved_to.empty()) {
    CHECK(text_of(moved_to) == old.text());
    CHECK(wrong_numbers(old.text() + after, 1, kLast) == "");
    return;
  }
  // What was written last into the file that is gone may be there again.
  const auto found_before = numbers_in(gone, kLast);
  const auto found_after = numbers_in(after, kLast);
  long lost = 0, first_lost = 0, last_before = 0;
  bool seen = false, gap = false;
  for (long number = 1; number <= kLast; ++number) {
    const auto i = static_cast<std::size_t>(number);
    if (found_before[i]) last_before = number;
    if (found_after[i]) seen = true;
    else if (seen) gap = true;
    if (!found_before[i] && !found_after[i] && ++lost == 1) first_lost = number;
  }
  INFO(lost << " lines are lost, the first is " << first_lost << "; the old file ends with " << last_before);
  // The line at the seam may be in two pieces.
  CHECK(lost <= 1);
  if (lost == 1) CHECK(first_lost == last_before + 1);
  CHECK_FALSE(gap);
  CHECK_FALSE(lines_in(after).empty());
}

}  // namespace

TEST_CASE("A log that is removed is made again with everything from then on") {
  check_log_that_goes_away({}, [](const fs::path& log) { fs::remove(log); });
  TempDir logs;
  check_log_that_goes_away(logs / "app.log", [](const fs::path& log) { fs::remove(log); });
}

TEST_CASE("A log that is moved and the new one have every line") {
  TempDir logs;
  check_log_that_goes_away(logs / "app.log", [](const fs::path& log) { fs::rename(log, log.string() + ".moved"); }, logs / "app.log.moved");
}

TEST_CASE("A log directory that is removed is made again with everything from then on") {
  TempDir logs;
  fs::create_directory(logs / "deep");
  check_log_that_goes_away(logs / "deep/app.log", [](const fs::path& log) { remove_with_all(log.parent_path()); });
}

TEST_CASE("A log directory that is moved and the new one have every line") {
  TempDir logs;
  fs::create_directory(logs / "deep");
  check_log_that_goes_away(logs / "deep/app.log", [&](const fs::path& log) { fs::rename(log.parent_path(), logs / "elsewhere"); }, logs / "elsewhere/app.log");
}

TEST_CASE("A status directory that is removed is made again with all output from then on") {
  check_log_that_goes_away({}, [](const fs::path& log) { remove_with_all(log.parent_path()); });
}

TEST_CASE("A status directory that is moved and the new one have every line") {
  TempDir elsewhere;
  check_log_that_goes_away({}, [&](const fs::path& log) { fs::rename(log.parent_path(), elsewhere / "svc"); }, elsewhere / "svc/__stdout");
}

TEST_CASE("A supervise that is killed is succeeded although the log directory is gone") {
  TempDir logs;
  TempDir marks;
  fs::create_directory(logs / "deep");
  Restartable site(service({"out", "one", "await", marks / "go", "out", "two"}), "[svc]\nstdout_logfile : " + (logs / "deep/app.log").string() + "\n");
  await_text(site.dir, logs / "deep/app.log", "one\n");
  const auto pid = site.dir.await_service();
  site.kill();
  fs::remove_all(logs / "deep");
  site.start();
  CHECK(site.dir.status().pid == pid);
  write_file(marks / "go", "");
  await_text(site.dir, logs / "deep/app.log", "two\n");
}

TEST_CASE("A log that is emptied goes on from its beginning") {
  TempDir marks;
  const Supervised svc({.command = service({"out", "one", "await", marks / "go", "out", "two"})});
  await_text(svc, svc / "__stdout", "one\n");
  REQUIRE(shell(": > __stdout", svc.dir()).code == 0);
  write_file(marks / "go", "");
  await_text(svc, svc / "__stdout", "two\n");
  CHECK(text_of(svc / "__stdout") == "two\n");
}

TEST_CASE("A FIFO of the output that is removed is used on and made anew at the next start") {
  TempDir marks;
  const Supervised svc({.command = service({"out", "one", "await", marks / "go", "out", "two", "touch", marks / "done"})});
  const auto pid = svc.await_service();
  await_text(svc, svc / "__stdout", "one\n");
  fs::remove(svc / "supervise/stdout");
  fs::remove(svc / "supervise/stderr");
  write_file(marks / "go", "");
  await_text(svc, svc / "__stdout", "two\n");
  svc.write("k");
  const auto next = svc.await_service(pid);
  svc.await_lines(svc / "__stdout", 4);
  CHECK(text_of(svc / "__stdout") == "one\ntwo\none\ntwo\n");
  CHECK(mode_of(svc / "supervise/stdout") == "fifo 0600");
  CHECK(descriptors(next).at(1) == svc / "supervise/stdout");
  // And it is the one that the next supervise finds.
  CHECK(same_file("/proc/" + std::to_string(next) + "/fd/1", svc / "supervise/stdout"));
}

TEST_CASE("A FIFO of the output that is removed twice within the second that its logger has for it is emptied") {
  TempDir marks;
  const auto log = marks / "started";
  const Supervised svc({.command = service({"out", "run", "started", log, "sleep", "100000"})});
  const auto fifo = svc / "supervise/stdout";
  await_text(svc, svc / "__stdout", "run\n");
  for (int i = 0; i < 2; ++i) {
    fs::remove(fifo);
    for (auto pid = svc.await_service(); !fs::exists(fifo); pid = svc.await_service(pid)) {
      svc.await_that("the service's start", [&] { return std::ranges::count(pids_in(log), pid) == 1; });
      svc.write("k");
    }
  }
  svc.await_that("the service's start", [&] { return std::ranges::count(pids_in(log), svc.status().pid) == 1; });
  svc.write("dx");
  svc.await_exit();
  const auto runs = lines_of(log).size();
  CHECK(runs >= 3);
  svc.await_lines(svc / "__stdout", runs);
  CHECK(lines_of(svc / "__stdout") == Words(runs, "run"));
}

TEST_CASE("A service that wrote to FIFOs without a name is logged again when it has been stopped and started") {
  Restartable supervise(service({"err", "run", "out", "run", "sleep", "100000"}));
  const auto& dir = supervise.dir;
  await_text(dir, dir / "__stdout", "run\n");
  fs::remove(dir / "supervise/stdout");
  fs::remove(dir / "supervise/stderr");
  supervise.kill_and_start();
  dir.await_log("adopted the service, which is running");
  dir.write("d");
  dir.await_state("STOPPED");
  dir.write("u");
  for (const auto* log : {"__stdout", "__stderr"}) {
    await_text(dir, dir / log, "run\nrun\n");
    CHECK(text_of(dir / log) == "run\nrun\n");
  }
}

TEST_CASE("A link in the place of a log or a FIFO is not followed") {
  const Supervised svc({.command = service({"numbers", "1", "100000", "5"})});
  const auto pid = svc.await_service();
  svc.await_that("some output", [&] { return !text_of(svc / "__stdout").empty(); });
  for (const std::string name : {"__stdout", "supervise/stdout", "supervise/logger"}) {
    const auto plain = fs::path(name).filename().string();
    write_file(svc.work() / ("victim." + plain), "precious");
    plant(svc.work() / ("taken." + plain), svc / name, [&](const fs::path& place) { fs::create_symlink(svc.work() / ("victim." + plain), place); });
  }
  svc.await_that("the log", [&] { return mode_of(svc / "__stdout") == "file 0600" && fs::file_size(svc / "__stdout") > 0; });
  // Not by a start in whose moment no logger has the old one.
  auto last = pid;
  for (int i = 0; i < 5 && mode_of(svc / "supervise/stdout") != "fifo 0600"; ++i) {
    svc.write("k");
    last = svc.await_service(last);
  }
  CHECK(mode_of(svc / "supervise/stdout") == "fifo 0600");
  for (const std::string name : {"__stdout", "supervise/stdout", "supervise/logger"}) CHECK(text_of(svc.work() / ("victim." + fs::path(name).filename().string())) == "precious");
}

TEST_CASE("A first start whose log directory has to be made is without delay and without complaint") {
  TempDir work;
  const auto log = work / "new/logs/out";
  const Supervised svc({.command = service({"out", "hello"}), .conf = "[svc]\nstdout_logfile : " + log.string() + "\n"});
  svc.await_that("the log", [&] { return text_of(log) == "hello\n"; });
  CHECK(svc.launch().err == "");
  CHECK(text_of(svc / "supervise.log.wf") == "");
}
