// Section 8 of the contract: wrapper mode, without a status directory.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "harness.h"

using namespace harness;

namespace {

const std::string kForEver = "1000000";

Words wrapped(Words options, const Words& command, const std::string& program = supervise_program()) {
  options.insert(options.begin(), program);
  options.insert(options.end(), command.begin(), command.end());
  return options;
}

// A wrapper in a directory of its own.
class Wrapper {
 public:
  Wrapper(const Words& options, const Words& command, Command more = {})
      : child_([&] {
          more.argv = wrapped(options, command);
          more.directory = work_.path();
          return std::move(more);
        }()) {}

  [[nodiscard]] fs::path operator/(std::string_view name) const { return work_ / name; }
  [[nodiscard]] pid_t pid() const { return child_.pid(); }
  [[nodiscard]] std::string err() const { return child_.err(); }
  [[nodiscard]] std::string out() const { return child_.out(); }
  [[nodiscard]] bool running() { return child_.running(); }
  void kill(int signal) const { child_.kill(signal); }
  Result wait() { return child_.wait(); }

  [[nodiscard]] std::size_t said(const std::string& text) const {
    const auto lines = lines_in(err());
    return static_cast<std::size_t>(std::ranges::count_if(lines, [&](const auto& line) {
      return line.starts_with("[SUPERVISOR] ") && line.find(text) != std::string::npos;
    }));
  }
  void await_that(const std::string& what, const std::function<bool()>& condition) const {
    if (!wait_until(condition)) throw std::runtime_error("waited in vain for " + what + "\n" + err());
  }
  void await(const std::string& text, std::size_t times = 1) const {
    await_that(text, [&] { return said(text) >= times; });
  }
  void await_lines(const fs::path& file, std::size_t count) const {
    await_that(file.string(), [&] { return lines_of(file).size() >= count; });
  }
  pid_t await_service(pid_t other_than = 0) const {
    pid_t found = 0;
    await_that("the service", [&] {
      const auto all = children(pid());
      found = all.size() == 1 && alive(all[0]) ? all[0] : 0;
      return found != 0 && found != other_than && arguments(found) != arguments(pid());
    });
    return found;
  }

 private:
  TempDir work_;
  Child child_;
};

Result wrap(const Words& options, const Words& command) {
  TempDir work;
  return run(Command{.argv = wrapped(options, command), .directory = work.path()});
}

Words beating(const Words& more = {}) {
  auto words = service({"repeat", kForEver, "3", "beat", "sleep", "60"});
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

// A terminal whose user is the test. Its programs run below a shell with job control or as the leader of the session.
class Terminal {
 public:
  Terminal(const fs::path& directory, const Words& argv) : master_(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
    if (master_ < 0 || grantpt(master_) != 0 || unlockpt(master_) != 0)
      throw std::runtime_error("no terminal to be had");
    fcntl(master_, F_SETFL, O_NONBLOCK);
    const std::string name = ptsname(master_);
    child_ = std::make_unique<Child>(Command{.argv = argv, .directory = directory, .before_exec = [name] {
                                               setsid();
                                               const int slave = open(name.c_str(), O_RDWR);
                                               for (int fd = 0; fd <= 2; ++fd) dup2(slave, fd);
                                               if (slave > 2) close(slave);
                                             }});
  }
  ~Terminal() { hang_up(); }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  [[nodiscard]] Child& child() { return *child_; }
  [[nodiscard]] bool echoes() const {
    termios modes{};
    return tcgetattr(master_, &modes) == 0 && (modes.c_lflag & (ECHO | ICANON)) == (ECHO | ICANON);
  }
  void type(const std::string& text) const {
    if (::write(master_, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
      throw std::runtime_error("cannot type");
  }
  void hang_up() {
    if (master_ >= 0) close(master_);
    master_ = -1;
  }
  std::string shown() {
    std::array<char, 4096> buffer{};
    for (ssize_t n; (n = read(master_, buffer.data(), buffer.size())) > 0;)
      shown_.append(buffer.data(), static_cast<std::size_t>(n));
    return shown_;
  }
  void await(const std::string& text) {
    if (!wait_until([&] { return shown().find(text) != std::string::npos; }))
      throw std::runtime_error("waited in vain for " + text + "\n" + shown_);
  }

 private:
  int master_;
  std::unique_ptr<Child> child_;
  std::string shown_;
};

void await_lines(const fs::path& file, std::size_t count) {
  if (!wait_until([&] { return lines_of(file).size() >= count; }))
    throw std::runtime_error(file.string() + ": " + text_of(file));
}

}  // namespace

// ---- Command line

TEST_CASE("Wrapper mode needs no status directory and makes none") {
  TempDir work;
  const auto result =
      run(Command{.argv = wrapped({}, service({"out", "hello", "exit", "0"})), .directory = work.path()});
  CHECK(result.code == 0);
  CHECK(result.out == "hello\n");
  CHECK(fs::is_empty(work.path()));
  for (const auto& line : lines_in(result.err)) CHECK_THAT(line, matches("\\[SUPERVISOR\\] .+"));
}

TEST_CASE("Every option of wrapper mode takes its value after a blank or an equals sign") {
  const std::vector<std::pair<std::string, std::string>> options = {
      {"--timeout", "30"},      {"--initial-check-delay", "5"}, {"--heartbeat-file", "beat"}, {"--grace-period", "2"},
      {"--max-restarts", "-1"}, {"--backoff-factor", "0.5"},    {"--backoff-max", "1h"}};
  Words apart = {"--enable-heartbeat"};
  Words together = {"--enable-heartbeat"};
  for (const auto& [name, value] : options) {
    apart.insert(apart.end(), {name, value});
    together.push_back(name + "=" + value);
  }
  for (const auto& words : {apart, together}) {
    TempDir work;
    const auto result =
        run(Command{.argv = wrapped(words, service({"facts", "facts", "exit", "0"})), .directory = work.path()});
    INFO(result.err);
    CHECK(result.code == 0);
    CHECK(KeyValues(text_of(work / "facts"))["env.HEARTBEAT_FILE"] == (work / "beat").string());
  }
}

TEST_CASE("Options of the command are not options of the wrapper") {
  const auto result = wrap({}, {"echo", "--timeout", "-v", "--", "x"});
  CHECK(result.code == 0);
  CHECK(result.out == "--timeout -v -- x\n");
  CHECK(wrap({"--"}, {"echo", "-n", "x"}).out == "x");
}

TEST_CASE("Wrong usage of wrapper mode exits with 100 and says what is wrong") {
  const std::vector<std::pair<Words, std::string>> cases = {
      {{"--enable-heartbeat"}, "COMMAND"},
      {{"--timeout", "soon", "true"}, "--timeout"},
      {{"--timeout", "-5", "true"}, "--timeout"},
      {{"--grace-period=", "x", "true"}, "--grace-period"},
      {{"--max-restarts", "many", "true"}, "--max-restarts"},
      {{"--max-restarts", "-2", "true"}, "--max-restarts"},
      {{"--backoff-factor", "1e400", "true"}, "--backoff-factor"},
      {{"--backoff-max"}, "--backoff-max"},
      {{"--enable-heartbeat=yes", "true"}, "--enable-heartbeat"},
      {{"--no-such-option", "true"}, "--no-such-option"},
      {{"--timeout", "5", "-p", "status/x", "-f", "true"}, "--timeout"},
      {{"--timeout", "5", "-u", "status/x", "true"}, "--timeout"},
      {{"-r", "script", "true"}, "-r"},
      {{"-F", "conf", "true"}, "-F"}};
  for (const auto& [words, part] : cases) {
    TempDir work;
    const auto result = supervise(words, work.path());
    INFO(result.err);
    CHECK(result.code == 100);
    CHECK_THAT(result.err, contains(part));
    CHECK(lines_in(result.err).size() == 1);
    CHECK(fs::is_empty(work.path()));
  }
}

TEST_CASE("The defaults are a heartbeat file of that name and 20 s and a factor of 1 and at most an hour") {
  SKIP_UNLESS(has_program("strace") && shell("strace -o /dev/null true").code == 0,
              "strace is not here or may not trace");
  TempDir work;
  Child traced({.argv = wrapped({"-e", "trace=ppoll", "-o", work / "calls", supervise_program(), "--enable-heartbeat"},
                                service({"facts", "facts"}), "strace"),
                .directory = work.path()});
  const auto calls = [&] { return text_of(work / "calls"); };
  REQUIRE(wait_until([&] { return calls().find("tv_sec=19") != std::string::npos; }));
  REQUIRE(wait_until([&] { return fs::exists(work / "facts"); }));
  CHECK(KeyValues(text_of(work / "facts"))["env.HEARTBEAT_FILE"] == (work / "heartbeat.txt").string());
  Wrapper factor({}, service({"exit", "3"}));
  factor.await("restart 1 in 1 s");
  factor.await("restart 2 in 2 s");
  Wrapper most({"--backoff-factor", "100000"}, service({"exit", "3"}));
  most.await("restart 1 in 3600 s");
}

TEST_CASE("Called as supervisor it is the wrapper") {
  TempDir work;
  fs::create_symlink(supervise_program(), work / "supervisor");
  const auto result =
      run(Command{.argv = {work / "supervisor", "sh", "-c", "echo served; exit 0"}, .directory = work.path()});
  CHECK(result.code == 0);
  CHECK(result.out == "served\n");
  CHECK_THAT(result.err, contains("[SUPERVISOR] "));
  const auto nothing = run(Command{.argv = {work / "supervisor"}, .directory = work.path()});
  CHECK(nothing.code == 100);
  CHECK_THAT(nothing.err, contains("COMMAND"));
}

// ---- Its life and its end

TEST_CASE("Code 0 ends the wrapper with 0 and any other exit restarts") {
  TempDir work;
  const auto log = work / "starts";
  Wrapper wrapper({"--backoff-factor", "0.1"}, service({"started", log, "first", work / "one", "2", "exit", "1",
                                                        "first", work / "two", "2", "raise", "SEGV", "exit", "0"}));
  CHECK(wrapper.wait().code == 0);
  CHECK(starts_in(log).size() == 3);
  CHECK(wrapper.said("restart 1 in 0.1 s (exit code 1)") == 1);
  CHECK(wrapper.said("restart 2 in 0.2 s (signal SEGV") == 1);
}

TEST_CASE("At the limit of restarts the wrapper exits with the last code or 128 and the signal") {
  const auto code = wrap({"--max-restarts", "1", "--backoff-factor", "0.05"}, service({"exit", "7"}));
  CHECK(code.code == 7);
  CHECK_THAT(code.err, contains("restart 1 in"));
  CHECK_THAT(code.err, !contains("restart 2 in"));
  CHECK(wrap({"--max-restarts", "0"}, service({"raise", "KILL"})).code == 128 + SIGKILL);
  CHECK(wrap({"--max-restarts", "0"}, service({"exit", "255"})).code == 255);
}

TEST_CASE("A first start that cannot be executed ends the wrapper with 127 or 126") {
  const auto missing = wrap({}, {"no-such-program-here"});
  CHECK(missing.code == 127);
  CHECK_THAT(missing.err, contains("[SUPERVISOR] command not found: no-such-program-here"));
  CHECK(wrap({}, {"./not/there"}).code == 127);
  CHECK(wrap({}, {"/etc/passwd"}).code == 126);
  CHECK(wrap({}, {"/"}).code == 126);
}

TEST_CASE("A program that vanishes later is waited for") {
  TempDir work;
  fs::copy_file(service({})[0], work / "program");
  Wrapper wrapper({"--backoff-factor", "0.3"}, {work / "program", "sleep", "200", "exit", "5"});
  wrapper.await("started");
  fs::remove(work / "program");
  wrapper.await("command not found");
  fs::copy_file(service({})[0], work / "program");
  wrapper.await("started", 2);
}

TEST_CASE("Delays double up to the longest and are kept") {
  TempDir work;
  const auto log = work / "starts";
  Wrapper wrapper({"--backoff-factor", "0.2", "--backoff-max", "0.5"}, service({"started", log, "exit", "3"}));
  wrapper.await_lines(log, 5);
  const auto starts = starts_in(log);
  const std::array expected = {0.2, 0.4, 0.5, 0.5};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CHECK(starts[i + 1] - starts[i] > expected[i] - 0.02);
    CHECK(starts[i + 1] - starts[i] < expected[i] + 0.4);
  }
  for (const std::string line : {"restart 1 in 0.2 s (exit code 3)", "restart 2 in 0.4 s (exit code 3)",
                                 "restart 3 in 0.5 s (exit code 3)", "restart 4 in 0.5 s (exit code 3)"})
    CHECK(wrapper.said(line) == 1);
}

TEST_CASE("TERM and INT and QUIT are passed on and end the wrapper with the status of the service") {
  for (const int number : {SIGTERM, SIGINT, SIGQUIT}) {
    TempDir work;
    const auto log = work / "signals";
    Wrapper wrapper({"--grace-period", "0.3"}, service({"trap", "got", log}));
    wrapper.await_lines(log, 1);
    const auto pid = wrapper.await_service();
    const auto begin = monotonic_now();
    wrapper.kill(number);
    CHECK(wrapper.wait().code == 128 + SIGKILL);
    CHECK(monotonic_now() - begin > 0.25);
    CHECK(monotonic_now() - begin < allowed(3));
    CHECK(lines_of(log)[1] == std::string("got ") + sigabbrev_np(number));
    CHECK(std::ranges::count(lines_of(log), lines_of(log)[1]) == 1);
    CHECK_FALSE(alive(pid));
    Wrapper mortal({}, service({"touch", work / "ready"}));
    mortal.await_that("the service", [&] { return fs::exists(work / "ready"); });
    mortal.kill(number);
    CHECK(mortal.wait().code == 128 + number);
    fs::remove(work / "ready");
    Wrapper clean({},
                  {"sh", "-c",
                   "trap 'exit 0' TERM INT QUIT; : > " + (work / "ready").string() + "; while :; do sleep 0.02; done"});
    clean.await_that("the service", [&] { return fs::exists(work / "ready"); });
    clean.kill(number);
    CHECK(clean.wait().code == 0);
  }
}

TEST_CASE("The default grace period is 5 s and with 0 KILL comes at once") {
  TempDir work;
  const auto end = [&](const Words& options, const std::string& name) {
    Wrapper wrapper(options, service({"trap", "got", work / name}));
    wrapper.await_lines(work / name, 1);
    const auto begin = monotonic_now();
    wrapper.kill(SIGTERM);
    CHECK(wrapper.wait().code == 128 + SIGKILL);
    return monotonic_now() - begin;
  };
  CHECK(end({"--grace-period", "0"}, "zero") < allowed(1));
  const auto time = end({}, "default");
  CHECK(time > 4.9);
  CHECK(time < allowed(7));
}

TEST_CASE("HUP and USR1 and USR2 and WINCH are passed on and do not end it") {
  TempDir work;
  const auto log = work / "signals";
  Wrapper wrapper({}, service({"trap", "got", log}));
  wrapper.await_lines(log, 1);
  Words expected = {"got ready"};
  for (const int number : {SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH}) {
    wrapper.kill(number);
    expected.push_back(std::string("got ") + sigabbrev_np(number));
    wrapper.await_lines(log, expected.size());
  }
  CHECK(lines_of(log) == expected);
  CHECK(wrapper.running());
  CHECK(wrapper.said("restart") == 0);
}

TEST_CASE("Every signal that a stop script or an engine may send reaches the service and ends nothing else") {
  SKIP_UNLESS(has_program("bash"), "bash is not here");
  TempDir work;
  const auto log = work / "signals";
  const std::array numbers = {SIGALRM, SIGPWR, SIGABRT, SIGURG, SIGVTALRM, SIGPROF, SIGIO, SIGRTMIN, SIGRTMIN + 3, SIGRTMAX};
  std::string traps;
  for (const int number : numbers) traps += "trap 'echo got " + std::to_string(number) + " >> " + log.string() + "' " + std::to_string(number) + "; ";
  Wrapper wrapper({}, {"bash", "-c", traps + "echo ready >> " + log.string() + "; while :; do sleep 0.02; done"});
  wrapper.await_lines(log, 1);
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    wrapper.kill(numbers[i]);
    wrapper.await_lines(log, i + 2);
    CHECK(lines_of(log).back() == "got " + std::to_string(numbers[i]));
  }
  CHECK(wrapper.running());
  CHECK(wrapper.said("ended") == 0);
}

TEST_CASE("During a delay TERM ends the wrapper at once and HUP does not") {
  Wrapper wrapper({"--backoff-factor", "60"}, service({"exit", "9"}));
  wrapper.await("restart 1 in 60 s");
  for (const int number : {SIGHUP, SIGUSR1, SIGWINCH}) wrapper.kill(number);
  CHECK(holds_for(200ms, [&] { return wrapper.running(); }));
  wrapper.kill(SIGTERM);
  CHECK(wrapper.wait().code == 9);
}

TEST_CASE("The service has the standard input and output and error of the wrapper and starts clean") {
  TempDir work;
  Wrapper wrapper({}, service({"facts", work / "facts"}), {.input = "typed\n", .before_exec = [] {
                                                             for (const int number : {SIGPIPE, SIGINT, SIGUSR1, 40})
                                                               signal(number, SIG_IGN);
                                                             sigset_t all;
                                                             sigfillset(&all);
                                                             sigprocmask(SIG_SETMASK, &all, nullptr);
                                                             for (const int fd : {5, 42}) dup2(1, fd);
                                                           }});
  wrapper.await_that("the facts", [&] { return fs::exists(work / "facts"); });
  const KeyValues facts(text_of(work / "facts"));
  const auto own = descriptors(wrapper.pid());
  Words open_files;
  for (const auto& [key, value] : facts.all())
    if (key.starts_with("fd.")) open_files.push_back(key + " " + value);
  CHECK(open_files == Words{"fd.0 " + own.at(0), "fd.1 " + own.at(1), "fd.2 " + own.at(2)});
  CHECK(facts["blocked"] == "0000000000000000");
  CHECK(facts["ignored"] == "0000000000000000");
  CHECK(facts["group"] == std::to_string(process(wrapper.pid())->group));
  const auto cat = run(Command{.argv = wrapped({}, {"sh", "-c", "cat; echo oops >&2"}), .input = "a\nb\n"});
  CHECK(cat.out == "a\nb\n");
  CHECK_THAT(cat.err, contains("oops\n"));
}

TEST_CASE("A HUP that nohup has the wrapper ignore stays ignored") {
  TempDir work;
  Wrapper wrapper({}, service({"facts", work / "facts"}), {.before_exec = [] { signal(SIGHUP, SIG_IGN); }});
  wrapper.await_that("the facts", [&] { return fs::exists(work / "facts"); });
  CHECK(KeyValues(text_of(work / "facts"))["ignored"] == "0000000000000001");
  wrapper.kill(SIGHUP);
  CHECK(holds_for(200ms, [&] { return wrapper.running(); }));
}

TEST_CASE("A full pipe on stderr keeps the wrapper from nothing") {
  TempDir work;
  std::array<int, 2> ends{};
  REQUIRE(pipe2(ends.data(), O_CLOEXEC) == 0);
  fcntl(ends[1], F_SETFL, O_NONBLOCK);
  const std::string block(4096, 'x');
  while (::write(ends[1], block.data(), block.size()) > 0) {
  }
  fcntl(ends[1], F_SETFL, 0);
  Wrapper wrapper({"--grace-period", "1"}, service({"touch", work / "ready"}),
                  {.before_exec = [end = ends[1]] { dup2(end, 2); }});
  wrapper.await_that("the service", [&] { return fs::exists(work / "ready"); });
  wrapper.kill(SIGTERM);
  CHECK(wait_until([&] { return !wrapper.running(); }));
  close(ends[0]);
  close(ends[1]);
}

TEST_CASE("A closed stderr or a reader that went away keeps the wrapper from nothing") {
  TempDir work;
  std::array<int, 2> ends{};
  REQUIRE(pipe2(ends.data(), O_CLOEXEC) == 0);
  close(ends[0]);
  Wrapper wrapper({"--backoff-factor", "0.05"}, service({"started", work / "starts", "exit", "1"}),
                  {.before_exec = [end = ends[1]] { dup2(end, 2); }});
  close(ends[1]);
  wrapper.await_lines(work / "starts", 3);
  wrapper.kill(SIGTERM);
  CHECK(wrapper.wait().code == 1);
}

// ---- Orphans

TEST_CASE("Orphans of the service come to the wrapper and are reaped") {
  Wrapper wrapper({}, {"sh", "-c", "for i in 1 2 3 4 5; do (sleep 0.2 &); done; exec sleep 1000"});
  wrapper.await_that("the orphans", [&] { return children(wrapper.pid()).size() > 3; });
  wrapper.await_that("none", [&] { return children(wrapper.pid()).size() == 1; });
}

TEST_CASE("As process 1 of a namespace it reaps orphans and passes signals on") {
  SKIP_UNLESS(has_program("unshare") && shell("unshare --pid --fork --mount-proc true").code == 0,
              "no pid namespace to be had");
  TempDir work;
  const auto log = work / "signals";
  const auto command = service({"facts", work / "facts", "repeat", "4", "10", "child", "8", "child", "4", "sleep",
                                "100", "exit", "0", "exit", "0", "trap", "got", log});
  Child outer({.argv = wrapped(
                   {"--pid", "--fork", "--kill-child", "--mount-proc", supervise_program(), "--grace-period", "0.3"},
                   command, "unshare"),
               .directory = work.path()});
  await_lines(log, 1);
  CHECK(KeyValues(text_of(work / "facts"))["parent"] == "1");
  const auto inner = children(outer.pid());
  REQUIRE(inner.size() == 1);
  CHECK(wait_until([&] { return children(inner[0]).size() == 1; }));
  ::kill(inner[0], SIGHUP);
  await_lines(log, 2);
  ::kill(inner[0], SIGTERM);
  CHECK(outer.wait().code == 128 + SIGKILL);
  CHECK(lines_of(log)[1] == "got HUP");
  CHECK(lines_of(log)[2] == "got TERM");
}

// ---- The heartbeat: five scenarios

TEST_CASE("A client that beats is left alone and its file is removed at the end") {
  Wrapper wrapper({"--enable-heartbeat", "--timeout", "0.6"}, beating());
  const auto pid = wrapper.await_service();
  wrapper.await_that("the file", [&] { return fs::exists(wrapper / "heartbeat.txt"); });
  CHECK(holds_for(1500ms, [&] { return alive(pid); }));
  wrapper.kill(SIGTERM);
  CHECK(wrapper.wait().code == 128 + SIGTERM);
  CHECK_FALSE(fs::exists(wrapper / "heartbeat.txt"));
}

TEST_CASE("A client that crashes now and then is restarted with growing delays and goes on") {
  TempDir work;
  const auto log = work / "starts";
  Wrapper wrapper({"--enable-heartbeat", "--timeout", "2", "--backoff-factor", "0.1"},
                  service({"started", log,     "beat",         "first", work / "one", "2",    "raise",
                           "SEGV",    "first", work / "two",   "4",     "sleep",      "100",  "exit",
                           "1",       "first", work / "three", "2",     "raise",      "KILL", "repeat",
                           kForEver,  "3",     "beat",         "sleep", "60"}));
  wrapper.await_lines(log, 4);
  for (const std::string line :
       {"restart 1 in 0.1 s (signal SEGV", "restart 2 in 0.2 s (exit code 1)", "restart 3 in 0.4 s (signal KILL)"})
    CHECK(wrapper.said(line) == 1);
  const auto pid = wrapper.await_service();
  CHECK(holds_for(500ms, [&] { return alive(pid); }));
}

TEST_CASE("A client that stops beating and hangs gets TERM and KILL and is started again") {
  TempDir work;
  const auto log = work / "starts";
  const auto signals = work / "signals";
  Wrapper wrapper({"--enable-heartbeat", "--timeout", "0.5", "--grace-period", "0.3", "--backoff-factor", "0.1"},
                  service({"started", log, "trap", "got", signals, "repeat", "3", "3", "beat", "sleep", "60"}));
  wrapper.await_lines(log, 3);
  const auto starts = starts_in(log);
  CHECK(starts[1] - starts[0] > 0.5 + 0.12 + 0.3 + 0.1 - 0.05);
  const auto lines = lines_of(signals);
  CHECK(Words(lines.begin(), lines.begin() + 3) == Words{"got ready", "got TERM", "got CONT"});
  wrapper.await("no heartbeat for 0.5 s");
  CHECK(wrapper.said("restart 1 in 0.1 s (heartbeat timeout)") == 1);
  CHECK(wrapper.said("restart 2 in 0.2 s (heartbeat timeout)") == 1);
}

TEST_CASE(
    "A client that ends cleanly on TERM after a heartbeat timeout is started again and after TERM to the wrapper not") {
  TempDir work;
  write_script(work / "client", "trap 'exit 0' TERM; echo x >> starts; while :; do sleep 0.02; done");
  Wrapper wrapper({"--enable-heartbeat", "--timeout", "0.4", "--backoff-factor", "0.1"}, {work / "client"});
  wrapper.await_lines(wrapper / "starts", 2);
  wrapper.kill(SIGTERM);
  CHECK(wrapper.wait().code == 0);
  CHECK(lines_of(wrapper / "starts").size() <= 3);
}

TEST_CASE("A client whose request takes longer than the timeout is ended and with a longer timeout it is not") {
  const auto client = service({"beat", "sleep", "900", "beat", "sleep", "100", "exit", "0"});
  TempDir work;
  Wrapper slow({"--enable-heartbeat", "--timeout", "0.5", "--max-restarts", "0"}, client);
  CHECK(slow.wait().code == 128 + SIGTERM);
  CHECK(slow.said("no heartbeat for 0.5 s") == 1);
  CHECK_FALSE(fs::exists(slow / "heartbeat.txt"));
  Wrapper patient({"--enable-heartbeat", "--timeout", "2"}, client);
  CHECK(patient.wait().code == 0);
  CHECK(patient.said("heartbeat") == 0);
  Wrapper delayed({"--enable-heartbeat", "--timeout", "0.3", "--initial-check-delay", "0.9"},
                  service({"sleep", "800", "beat", "exit", "0"}));
  CHECK(delayed.wait().code == 0);
}

TEST_CASE("A beat right after the start counts from its own time and a hang after it is not missed") {
  // The stamp of a file may be some milliseconds older than the clock, so several have to be tried.
  std::vector<std::unique_ptr<Wrapper>> wrappers;
  for (int i = 0; i < 6; ++i)
    wrappers.push_back(std::make_unique<Wrapper>(Words{"--enable-heartbeat", "--timeout", "0.6", "--max-restarts", "0"},
                                                 service({"beat", "sleep", "1150", "exit", "0"})));
  for (const auto& wrapper : wrappers) CHECK(wrapper->wait().code == 128 + SIGTERM);
}

TEST_CASE("Two wrappers side by side have heartbeat files of their own") {
  TempDir work;
  const auto start = [&](const std::string& file, const Words& command) {
    return std::make_unique<Child>(Command{
        .argv = wrapped({"--enable-heartbeat", "--timeout", "0.6", "--backoff-factor", "0.1", "--heartbeat-file", file},
                        command),
        .directory = work.path()});
  };
  const auto good = start("good", beating());
  const auto bad = start(work / "bad", service({"started", work / "starts", "beat"}));
  await_lines(work / "starts", 2);
  CHECK_THAT(bad->err(), contains("heartbeat timeout"));
  CHECK_THAT(good->err(), !contains("heartbeat timeout"));
  CHECK(fs::exists(work / "good"));
  CHECK(fs::exists(work / "bad"));
  good->kill(SIGTERM);
  good->wait();
  CHECK_FALSE(fs::exists(work / "good"));
  CHECK(fs::exists(work / "bad"));
}

TEST_CASE("The second of two wrappers with one heartbeat file says so and leaves the file alone") {
  TempDir work;
  const auto start = [&] { return std::make_unique<Child>(Command{.argv = wrapped({"--enable-heartbeat"}, beating()), .directory = work.path()}); };
  const auto first = start();
  REQUIRE(wait_until([&] { return fs::exists(work / "heartbeat.txt"); }));
  const auto second = start();
  REQUIRE(wait_until([&] { return second->err().find("started") != std::string::npos; }));
  CHECK_THAT(second->err(), contains((work / "heartbeat.txt").string()));
  CHECK_THAT(second->err(), contains("--heartbeat-file"));
  CHECK_THAT(first->err(), !contains("--heartbeat-file"));
  second->kill(SIGTERM);
  second->wait();
  CHECK(fs::exists(work / "heartbeat.txt"));
  first->kill(SIGTERM);
  first->wait();
  CHECK_FALSE(fs::exists(work / "heartbeat.txt"));
}

TEST_CASE("A heartbeat file that was there before is not removed") {
  TempDir work;
  write_file(work / "precious", "mine\n");
  const auto result = run(Command{.argv = wrapped({"--enable-heartbeat", "--heartbeat-file", "precious"}, service({"exit", "0"})), .directory = work.path()});
  CHECK(result.code == 0);
  CHECK(text_of(work / "precious") == "mine\n");
}

TEST_CASE("Without --enable-heartbeat nothing is watched and no file is removed and the other options get a warning") {
  TempDir work;
  write_file(work / "heartbeat.txt", "mine\n");
  Child child({.argv = wrapped({"--timeout", "0.3"}, service({"facts", work / "facts", "sleep", "900", "exit", "0"})),
               .directory = work.path()});
  CHECK(child.wait().code == 0);
  CHECK_FALSE(KeyValues(text_of(work / "facts")).has("env.HEARTBEAT_FILE"));
  CHECK(fs::exists(work / "heartbeat.txt"));
  CHECK_THAT(child.err(), contains("--enable-heartbeat"));
}

TEST_CASE("A wrapper with nothing to do does not wake up") {
  Wrapper wrapper({}, service({}));
  wrapper.await_service();
  const auto switches = [&] { return process_field(wrapper.pid(), "voluntary_ctxt_switches"); };
  std::this_thread::sleep_for(200ms);
  const auto before = switches();
  CHECK(holds_for(1s, [&] { return switches() == before; }));
}

// ---- On a terminal

TEST_CASE("Interrupt at the terminal reaches the service once") {
  TempDir work;
  const auto log = work / "signals";
  Terminal terminal(work.path(), wrapped({"--grace-period", "0.5"}, service({"trap", "got", log})));
  await_lines(log, 1);
  terminal.type("\x03");
  CHECK(terminal.child().wait().code == 128 + SIGKILL);
  CHECK(count_lines(log, "INT") == 1);
  CHECK(count_lines(log, "TERM") == 0);
  CHECK_THAT(terminal.shown(), contains("[SUPERVISOR] INT received"));
}

TEST_CASE("Interrupt twice at the terminal reaches the service twice") {
  TempDir work;
  const auto log = work / "signals";
  Terminal terminal(work.path(), wrapped({"--grace-period", "1.5"}, service({"trap", "got", log})));
  await_lines(log, 1);
  terminal.type("\x03");
  await_lines(log, 3);
  terminal.type("\x03");
  CHECK(terminal.child().wait().code == 128 + SIGKILL);
  CHECK(count_lines(log, "INT") == 2);
}

TEST_CASE("The service reads what is typed and is told of a new window size once") {
  TempDir work;
  const auto log = work / "signals";
  Terminal terminal(work.path(),
                    wrapped({}, {"sh", "-c",
                                 "trap 'echo WINCH >> " + log.string() + "' WINCH; echo ready >> " + log.string() +
                                     "; while ! read line; do :; done; echo \"you said $line\"; exit 0"}));
  await_lines(log, 1);
  const winsize size{.ws_row = 33, .ws_col = 44, .ws_xpixel = 0, .ws_ypixel = 0};
  const auto tty = descriptors(terminal.child().pid())[0];
  const int slave = open(tty.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC);
  REQUIRE(ioctl(slave, TIOCSWINSZ, &size) == 0);
  terminal.type("hello\n");
  terminal.await("you said hello");
  close(slave);
  CHECK(terminal.child().wait().code == 0);
  CHECK(count_lines(log, "WINCH") <= 1);
}

TEST_CASE("Suspend at the terminal stops both and fg continues both and the heartbeat counts anew") {
  SKIP_UNLESS(has_program("bash"), "bash is not here");
  TempDir work;
  const auto command = wrapped(
      {"--enable-heartbeat", "--timeout", "0.7"},
      service({"started", work / "starts", "repeat", kForEver, "6", "beat", "repeat", "10", "2", "sleep", "40"}));
  std::string line;
  for (const auto& word : command) line += "'" + word + "' ";
  Terminal terminal(work.path(), {"bash", "--norc", "-m", "-c", line + "; echo suspended; read x; fg; echo over"});
  await_lines(work / "starts", 1);
  const auto service_pid = pids_in(work / "starts")[0];
  const auto wrapper = process(service_pid)->parent;
  // Just after a beat, so that the next one is a while away.
  const auto beats = [&] { return text_of(work / "heartbeat.txt").size(); };
  REQUIRE(wait_until([&, before = beats()] { return beats() > before; }));
  terminal.type("\x1a");
  terminal.await("suspended");
  CHECK(wait_until([&] { return process(service_pid)->state == 'T' && process(wrapper)->state == 'T'; }));
  std::this_thread::sleep_for(1s);
  terminal.type("\n");
  CHECK(wait_until([&] { return process(wrapper)->state != 'T'; }));
  CHECK(holds_for(1s, [&] { return alive(service_pid) && process(service_pid)->state != 'T'; }));
  CHECK_THAT(terminal.shown(), !contains("no heartbeat"));
  ::kill(wrapper, SIGTERM);
  terminal.await("over");
}

TEST_CASE("A terminal that hangs up reaches the service as HUP even where the wrapper leads the session") {
  TempDir work;
  const auto log = work / "signals";
  Terminal terminal(work.path(), wrapped({}, service({"trap", "got", log})));
  await_lines(log, 1);
  terminal.hang_up();
  CHECK(wait_until([&] { return count_lines(log, "HUP") >= 1; }));
}

TEST_CASE("What is typed reaches a service that has left the foreground group") {
  TempDir work;
  const auto log = work / "signals";
  auto command = service({"trap", "got", log});
  command.insert(command.begin(), "setsid");
  Terminal terminal(work.path(), wrapped({"--grace-period", "0.5"}, command));
  await_lines(log, 1);
  terminal.type("\x03");
  CHECK(terminal.child().wait().code == 128 + SIGKILL);
  CHECK(count_lines(log, "INT") == 1);
}

TEST_CASE("The terminal has its modes again before a start and at the end") {
  TempDir work;
  write_script(work / "client", "stty -a >> modes; echo >> ran; stty raw -echo; echo >> raw; read x; kill -9 $$");
  Terminal terminal(work.path(), wrapped({"--max-restarts", "1", "--backoff-factor", "0.05"}, {work / "client"}));
  REQUIRE(terminal.echoes());
  await_lines(work / "raw", 1);
  CHECK_FALSE(terminal.echoes());
  terminal.type("\n");
  await_lines(work / "raw", 2);
  CHECK(count_lines(work / "modes", " icanon") == 2);
  terminal.type("\n");
  CHECK(wait_until([&] { return terminal.shown().find("giving up") != std::string::npos; }));
  CHECK(wait_until([&] { return terminal.echoes(); }));
}
