// A test for each bug that a review found, named after what was wrong.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "harness.h"

using namespace harness;

namespace {

constexpr const char* kCaller = "027";    // the umask of who calls supervise
void call_with_umask() { umask(027); }

void obeys(const StatusDir& svc) {
  svc.await_that("control and ok", [&] { return has_reader(svc / "control") && has_reader(svc / "ok"); });
  svc.write("s");
  svc.await("alarm", "off");
  svc.write("n");
  svc.await("alarm", "on");
}

// Everything below a directory, with what would change if somebody did something to it.
Words listing(const fs::path& directory) {
  Words found;
  const auto add = [&found](const fs::path& path) {
    struct stat facts {};
    REQUIRE(lstat(path.c_str(), &facts) == 0);
    found.push_back(path.string() + " " + mode_of(path) + " " + std::to_string(facts.st_uid) + " " + std::to_string(facts.st_gid) + " " +
                    std::to_string(facts.st_mtim.tv_sec) + "." + std::to_string(facts.st_mtim.tv_nsec) + " " + text_of(path));
  };
  add(directory);
  for (const auto& entry : fs::recursive_directory_iterator(directory)) add(entry.path());
  std::ranges::sort(found);
  return found;
}

// At once, so that supervise has no time to put something in an empty place.
void exchange(const fs::path& one, const fs::path& other) {
  REQUIRE(renameat2(AT_FDCWD, one.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE) == 0);
}

// What somebody wants supervise to write to.
void make_victim(const fs::path& directory) {
  fs::create_directory(directory);
  for (const std::string name : {"status", "supervise.log", "lock", "precious"}) write_file(directory / name, "precious\n");
  fs::create_directory(directory / "supervise");
}

// Something of this kind was replaced by a link that leads to the victim.
void check_link_is_not_followed(const Supervised& svc, const fs::path& moved, const fs::path& victim, const Words& before) {
  const StatusDir old(moved);
  const auto pid = old.await_service();
  const auto warned = [&] { return count_lines(moved / "supervise.log.wf", "cannot make or open") >= 1; };
  svc.await_that("a warning", warned);
  ::kill(pid, SIGKILL);
  svc.await_that("the next start", [&] {
    const auto found = children(svc.pid());
    return found.size() == 1 && found[0] != pid && arguments(found[0]) == service({});
  });
  CHECK(holds_for(1300ms, [&] { return listing(victim) == before && alive(svc.pid()); }));
  CHECK(count_lines(moved / "supervise.log.wf", "cannot make or open") == 1);
}

void check_is_right_again(const Supervised& svc) {
  obeys(svc);
  const auto pid = svc.await_service();
  CHECK(children(svc.pid()) == std::vector{pid});
  CHECK(svc.state().number("pid") == pid);
  CHECK(mode_of(svc.dir()) == "dir 0700");
  CHECK(is_taken(svc / "lock"));
  ::kill(pid, SIGKILL);
  svc.await_service(pid);
  svc.write("dx");
  svc.await_exit();
}

// A pipe that nobody reads, as the standard error of a supervise.
class UnreadPipe {
 public:
  UnreadPipe() {
    if (pipe2(ends_, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
    // Of its own, so that the writes of others can block.
    const auto name = "/proc/self/fd/" + std::to_string(ends_[1]);
    filler_ = open(name.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
  }
  ~UnreadPipe() {
    for (const int fd : {ends_[0], ends_[1], filler_}) close(fd);
  }
  UnreadPipe(const UnreadPipe&) = delete;
  UnreadPipe& operator=(const UnreadPipe&) = delete;

  void fill() const {
    for (const char byte = '.'; ::write(filler_, &byte, 1) == 1;) {
    }
  }
  [[nodiscard]] std::string drain() const {
    std::string text(65536, '\0');
    const auto size = read(ends_[0], text.data(), text.size());
    text.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    return text;
  }
  [[nodiscard]] std::function<void()> as_stderr() const {
    return [fd = ends_[1]] { dup2(fd, 2); };
  }

 private:
  int ends_[2] = {-1, -1};
  int filler_ = -1;
};

void check_nothing_waits_for_stderr(const Supervised& svc) {
  auto pid = svc.await_service();
  for (int i = 0; i < 2; ++i) {
    ::kill(pid, SIGKILL);
    pid = svc.await_service(pid);
  }
  obeys(svc);
}

// Field 22 of /proc/PID/stat.
std::string start_time(pid_t pid) {
  const auto text = text_of("/proc/" + std::to_string(pid) + "/stat");
  std::istringstream fields(text.substr(text.rfind(')') + 1));
  std::string field;
  for (int number = 3; number <= 22; ++number) fields >> field;
  return field;
}

// A program that writes what is left until it gets ALRM, after the words of this expression, and hangs.
void write_alarm_reader(const fs::path& program, const fs::path& file, const std::string& expression) {
  write_file(program, "#!/usr/bin/perl\nmy $left = alarm(0); alarm($left);\nopen(my $f, '>>', '" + file.string() +
                          "'); syswrite($f, \"$$ $left \" . " + expression + " . \"\\n\"); close($f);\nsleep(1) while 1;\n", 0755);
}

// What a terminal might take for a command.
bool is_plain(const std::string& text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0U;
    if ((byte < 0x20 && byte != '\n') || byte == 0x7f || (byte == 0xc2 && next >= 0x80 && next < 0xa0)) return false;
  }
  return true;
}
const std::string kEvil = "a\033]0;title\a\xc2\x9b" "31mb\x7f" "c\r\b\xc2\x85z";
const std::string kTame = R"(a\x1b]0;title\x07\u009b31mb\x7fc\r\x08\u0085z)";

std::string group_of(const fs::path& file) {
  struct stat facts {};
  return lstat(file.c_str(), &facts) == 0 ? std::to_string(facts.st_gid) : "none";
}

std::string access_of(const fs::path& file) { return mode_of(file) + " " + group_of(file); }

}  // namespace

TEST_CASE("Scripts of -r and alarm programs have the umask of the caller of supervise") {
  for (const Mode mode : {Mode::kDetached, Mode::kForeground}) {
    TempDir work;
    write_script(work / "helper", "umask > '" + work.path().string() + "'/$1.new; touch '" + work.path().string() + "'/$1.made; mv '" +
                                      work.path().string() + "'/$1.new '" + work.path().string() + "'/$1.umask");
    write_script(work / "alarm", "exec '" + (work / "helper").string() + "' alarm");
    write_script(work / "hook", "exec '" + (work / "helper").string() + "' hook");
    const Supervised svc({.command = service({}),
                          .conf = "[svc]\numask : 077\nalarm_interval : 60\nalarm_command : " + (work / "alarm").string() + "\n",
                          .options = {"-r", work / "hook"},
                          .mode = mode,
                          .before_exec = call_with_umask});
    svc.await_service();
    svc.write("k");
    for (const std::string which : {"alarm", "hook"}) {
      INFO(which);
      svc.await_that("its umask", [&] { return fs::exists(work / (which + ".umask")); });
      CHECK(text_of(work / (which + ".umask")) == "0" + std::string(kCaller) + "\n");
      CHECK(mode_of(work / (which + ".made")) == "file 0640");
    }
  }
}

TEST_CASE("A symbolic link in the place of DIR is not followed and all is well when it is gone") {
  const Supervised svc({.command = service({})});
  const auto& work = svc.work();
  make_victim(work / "victim");
  const auto before = listing(work / "victim");
  svc.await_service();
  fs::create_directory_symlink(work / "victim", work / "old");
  exchange(svc.dir(), work / "old");
  check_link_is_not_followed(svc, work / "old", work / "victim", before);
  fs::remove(svc.dir());
  check_is_right_again(svc);
  CHECK(listing(work / "victim") == before);
}

TEST_CASE("DIR that comes back in the place of a symbolic link is used again") {
  const Supervised svc({.command = service({})});
  const auto& work = svc.work();
  make_victim(work / "victim");
  const auto before = listing(work / "victim");
  svc.await_service();
  const auto aside = work / "old";
  fs::create_directory_symlink(work / "victim", aside);
  exchange(svc.dir(), aside);
  check_link_is_not_followed(svc, aside, work / "victim", before);
  exchange(svc.dir(), aside);
  check_is_right_again(svc);
  CHECK(listing(work / "victim") == before);
  CHECK(mode_of(aside) == "link");
}

TEST_CASE("A symbolic link in the place of a parent of DIR is not followed and all is well when it is gone") {
  for (const bool has_dir : {false, true}) {
    INFO("the victim has a directory of that name: " << has_dir);
    const Supervised svc({.command = service({})});
    const auto& work = svc.work();
    make_victim(work / "victim");
    if (has_dir) make_victim(work / "victim/svc");
    const auto before = listing(work / "victim");
    svc.await_service();
    fs::create_directory_symlink(work / "victim", work / "old");
    exchange(work / "status", work / "old");
    // A watch of DIR and its parent tells nothing of what is above: the next event does.
    ::kill(StatusDir(work / "old/svc").await_service(), SIGKILL);
    const StatusDir old(work / "old/svc");
    const auto warnings = [&] { return count_lines(old / "supervise.log.wf", "cannot make or open"); };
    old.await_that("a warning", [&] { return warnings() >= 1; });
    CHECK(holds_for(1300ms, [&] { return listing(work / "victim") == before; }));
    CHECK(warnings() == 1);
    CHECK(alive(svc.pid()));
    old.await_service();
    exchange(work / "status", work / "old");
    check_is_right_again(svc);
    CHECK(listing(work / "victim") == before);
  }
}

TEST_CASE("With -n a stderr that nobody reads holds up neither a restart nor a command") {
  {
    const UnreadPipe pipe;
    const Supervised svc({.command = service({}), .mode = Mode::kForeground, .before_exec = pipe.as_stderr()});
    svc.await_service();
    pipe.fill();
    check_nothing_waits_for_stderr(svc);
    // What comes when there is room again is told.
    CHECK_THAT(pipe.drain(), contains("...."));
    const auto pid = svc.await_service();
    svc.write("k");
    svc.await_service(pid);
    svc.write("dx");
    svc.await_exit();
    CHECK_THAT(pipe.drain(), contains("service exited! pid " + std::to_string(pid)));
  }
  {
    const UnreadPipe pipe;
    pipe.fill();
    const Supervised svc({.command = service({}), .mode = Mode::kForeground, .before_exec = pipe.as_stderr()});
    check_nothing_waits_for_stderr(svc);
    ::kill(svc.pid(), SIGTERM);
    svc.await_exit();
  }
}

TEST_CASE("With -n a terminal that nobody reads holds up neither a restart nor a command") {
  const int screen = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  SKIP_UNLESS(screen >= 0 && grantpt(screen) == 0 && unlockpt(screen) == 0, "no terminal to be had");
  const std::string name = ptsname(screen);
  const int terminal = open(name.c_str(), O_WRONLY | O_NOCTTY | O_CLOEXEC);
  const int filler = open(name.c_str(), O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  REQUIRE(filler >= 0);
  {
    const Supervised svc({.command = service({}), .conf = "[svc]\n", .mode = Mode::kForeground, .before_exec = [terminal] { dup2(terminal, 2); }});
    svc.await_service();
    for (const char byte = '.'; ::write(filler, &byte, 1) == 1;) {
    }
    // Room for some lines and a part of one, and more lines than that.
    std::string text(1000, '\0');
    REQUIRE(read(screen, text.data(), text.size()) > 0);
    std::string conf = "[svc]\n";
    for (int i = 0; i < 50; ++i) conf += "unknown" + std::to_string(i) + " : 1\n";
    write_file(svc.work() / "supervise.conf", conf);
    svc.write("r");
    svc.await_log("unknown0");
    check_nothing_waits_for_stderr(svc);
  }
  for (const int fd : {screen, terminal, filler}) close(fd);
}

TEST_CASE("With -n a first start that fails waits for no stderr that nobody reads") {
  const UnreadPipe pipe;
  pipe.fill();
  const Supervised svc({.command = {"/no/such/program"}, .mode = Mode::kForeground, .before_exec = pipe.as_stderr()});
  obeys(svc);
  svc.write("dx");
  svc.await_exit();
}

TEST_CASE("With user the service finds its own pid in status as soon as it begins") {
  SKIP_UNLESS(is_root(), "only root can change users");
  TempDir work;
  // Several at once, each with a DIR that the user may read and not change.
  constexpr std::size_t kStarts = 3;
  write_file(work / "supervise.conf", "[global]\nuser : 12345:23456\n");
  fs::create_directory(work / "out");
  chmod((work / "out").c_str(), 0777);
  std::vector<StatusDir> all;
  for (const std::string name : {"a", "b", "c", "d"}) {
    const auto& svc = all.emplace_back(work / name);
    fs::create_directory(svc.dir());
    chmod(svc.dir().c_str(), 0755);
    Words words = {"-F", work / "supervise.conf", "-u", svc.dir()};
    for (const auto& word : service({"status", svc.dir(), work / "out" / name})) words.push_back(word);
    REQUIRE(supervise(words, work.path()).code == 0);
    CHECK(process_field(svc.await_service(), "Uid") == "12345\t12345\t12345\t12345");
  }
  const auto log_of = [&](const StatusDir& svc) { return work / "out" / svc.dir().filename(); };
  for (std::size_t starts = 1; starts <= kStarts; ++starts) {
    for (const auto& svc : all) svc.await_lines(log_of(svc), starts);
    if (starts == kStarts) break;
    for (const auto& svc : all) svc.write("k");
  }
  for (const auto& svc : all) CHECK(lines_of(log_of(svc)) == Words(kStarts, "same"));
}

TEST_CASE("The start time of the service is in state although it may open eight files only") {
  const Supervised svc({.command = service({}), .conf = "[svc]\nrlimit_nofile : 8\n"});
  auto pid = svc.await_service();
  for (int i = 0; i < 2; ++i) {
    CHECK(svc.state()["pid_start"] == start_time(pid));
    CHECK(svc.status().pid == pid);
    svc.write("k");
    pid = svc.await_service(pid);
  }
  svc.await_state("RUNNING");
  CHECK(svc.state()["pid_start"] == start_time(pid));
}

TEST_CASE("The output and the log of a DIR whose owner was changed are kept aside") {
  SKIP_UNLESS(is_root(), "only root can change owners");
  TempDir work;
  const StatusDir svc(work / "status/svc");
  const auto start = [&](const std::string& said) {
    Words words = {"-u", svc.dir()};
    for (const auto& word : service({"out", "said " + said, "err", "complained " + said})) words.push_back(word);
    REQUIRE(supervise(words, work.path()).code == 0);
    // Written by the logger, which may have to put something aside first.
    svc.await_that("its output", [&] {
      return text_of(svc / "__stdout") == "said " + said + "\n" && text_of(svc / "__stderr") == "complained " + said + "\n";
    });
  };
  start("once");
  svc.write("Z");
  svc.await_log("unknown byte");
  svc.write("dx");
  svc.await_exit();
  const auto log = svc.log();
  const auto warnings = text_of(svc / "supervise.log.wf");
  REQUIRE(shell("chown -R 12345:23456 '" + svc.dir().string() + "'").code == 0);

  start("twice");
  CHECK(text_of(svc / "__stdout.replaced") == "said once\n");
  CHECK(text_of(svc / "__stderr.replaced") == "complained once\n");
  CHECK(text_of(svc / "supervise.log.replaced") == log);
  CHECK(text_of(svc / "supervise.log.wf.replaced") == warnings);
  CHECK(text_of(svc / "__stdout") == "said twice\n");
  CHECK(text_of(svc / "__stderr") == "complained twice\n");
  for (const std::string name : {"__stdout", "__stderr", "supervise.log", "supervise.log.wf", "lock", "status", "state"}) {
    INFO(name);
    struct stat facts {};
    CHECK(lstat((svc / name).c_str(), &facts) == 0);
    CHECK(facts.st_uid == 0);
  }
  svc.write("dx");
  svc.await_exit();
}

TEST_CASE("An alarm program that hangs at give-up has an ALRM coming when supervise is gone") {
  SKIP_UNLESS(has_program("perl"), "perl is not here");
  TempDir work;
  write_alarm_reader(work / "alarm", work / "log", "$ENV{SUPERVISE_EVENT}");
  const Supervised svc({.command = service({"exit", "1"}),
                        .conf = "[svc]\nalarm_interval : 60\nmax_tries : 1\nalarm_command : " + (work / "alarm").string() + "\n",
                        .mode = Mode::kForeground,
                        .before_exec = [] {
                          signal(SIGALRM, SIG_IGN);
                          sigset_t blocked;
                          sigemptyset(&blocked);
                          sigaddset(&blocked, SIGALRM);
                          sigprocmask(SIG_BLOCK, &blocked, nullptr);
                        }});
  CHECK(svc.foreground().wait().code == 0);
  svc.await_lines(work / "log", 2);
  Words events;
  for (const auto& line : lines_of(work / "log")) {
    INFO(line);
    std::istringstream words(line);
    pid_t pid = 0;
    int left = 0;
    std::string event;
    REQUIRE(words >> pid >> left >> event);
    events.push_back(event);
    CHECK(left > 50);
    CHECK(left <= 62);
    CHECK(alive(pid));
    ::kill(pid, SIGALRM);
    CHECK(wait_until([pid = pid] { return !alive(pid); }));
  }
  CHECK(events == Words{"exit", "give_up"});
}

TEST_CASE("A -r script that hangs does not outlive a killed supervise for long") {
  TempDir work;
  write_script(work / "hook", "echo $$ > '" + (work / "pid").string() + "'; exec sleep 1000");
  const Supervised svc(
      {.command = service({}), .conf = "[svc]\nhook_timeout : 1\n", .options = {"-r", work / "hook"}, .before_exec = [] { signal(SIGALRM, SIG_IGN); }});
  svc.write("k");
  svc.await_lines(work / "pid", 1);
  const auto pid = pids_in(work / "pid").at(0);
  ::kill(svc.pid(), SIGKILL);
  svc.await_exit();
  CHECK(wait_until([&] { return !alive(pid); }));
}

TEST_CASE("stopasgroup stops a service that has left its process group") {
  SKIP_UNLESS(has_program("perl"), "perl is not here");
  for (const bool obedient : {true, false}) {
    INFO("it obeys TERM: " << obedient);
    TempDir work;
    const std::string program = std::string(obedient ? "" : "$SIG{TERM} = 'IGNORE'; ") + "setpgrp(0, getpgrp(getppid())); open(F, '>', '" +
                                (work / "left").string() + "'); close F; sleep 1 while 1";
    const Supervised svc(
        {.command = {"perl", "-e", program}, .conf = std::string("[svc]\nstopasgroup : true\nstopwaitsecs : ") + (obedient ? "20" : "0.3") + "\n"});
    const auto pid = svc.await_service();
    svc.await_that("its leaving", [&] { return fs::exists(work / "left"); });
    REQUIRE(process(pid)->group == process(svc.pid())->group);
    svc.write("d");
    svc.await_state("STOPPED");
    CHECK_FALSE(alive(pid));
    CHECK(svc.state()["exit"] == (obedient ? "signal TERM" : "signal KILL"));
    CHECK(alive(svc.pid()));
    svc.write("x");
    svc.await_exit();
  }
}

TEST_CASE("Control characters of the configuration and the command line do not reach the terminal") {
  TempDir work;
  const auto conf = [&](const std::string& text) {
    write_file(work / "c", text);
    return Words{"-F", "c"};
  };
  const auto join = [](Words words, const Words& more) {
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  // Values that --check prints.
  for (const std::string key : {"command", "directory", "environment", "heartbeat_file", "pidfile", "alarm_command"}) {
    const auto value = key == "environment" ? "A=\"" + kEvil + "\"" : "'x" + kEvil + "'";
    const auto result = supervise(join({"--check", "-p", "status/svc"}, conf("[svc]\ncommand : true\n" + key + " : " + value + "\n")), work.path());
    INFO(key << ": " << result.out << result.err);
    CHECK(result.code == 0);
    CHECK_THAT(result.out, contains(kTame));
    CHECK(is_plain(result.out));
    CHECK(is_plain(result.err));
  }
  // Diagnostics, each with a part of the configuration or of the command line.
  const Words first = {"--check", "-p", "status/svc"};
  for (const auto& words :
       {join(first, conf("[svc]\nstartsecs : " + kEvil + "\n")), join(first, conf("[svc]\n" + kEvil + " : 1\n")), join(first, conf("[svc]\n" + kEvil + "\n")),
        join(first, conf("[svc]\nuser : " + kEvil + "\n")), join(first, conf("[svc]\ncontrol_group : " + kEvil + "\n")),
        join(first, conf("[svc]\nenvironment : " + kEvil + "\n")), join(first, conf("[svc]\nenvironment_file : " + kEvil + "\n")),
        join(first, conf("[svc]\ncommand : 'x" + kEvil + "\n")), join(first, conf("[svc]\nalarm_mail : " + kEvil + "\n")),
        Words{"--check", "-F", kEvil}, Words{"--check", "-p", "status/" + kEvil}, Words{"-p", "status/" + kEvil},
        Words{"-p", "status/svc", "-f", "true | '" + kEvil},
        Words{"-p", "status/svc", "-t", kEvil, "-f", "true"}, Words{"--" + kEvil}, Words{"-p", "status/svc", "-f", "true", kEvil}}) {
    const auto result = supervise(words, work.path());
    INFO(text_of(work / "c") << result.out << result.err);
    CHECK_THAT(result.err, contains(R"(\x1b]0;title\x07)"));
    CHECK(is_plain(result.out));
    CHECK(is_plain(result.err));
  }
  // A start that fails, and who holds DIR.
  const Supervised svc({.command = {"no-such-" + kEvil}, .mode = Mode::kDetached, .name = "n" + kEvil});
  CHECK_THAT(svc.launch().err, contains("no-such-" + kTame));
  CHECK(is_plain(svc.launch().err));
  CHECK(is_plain(svc.log()));
  CHECK(is_plain(text_of(svc / "state")));
  const auto second = supervise({"-p", svc.dir(), "-f", "true"}, work.path());
  CHECK(second.code == 100);
  CHECK_THAT(second.err, contains(kTame));
  CHECK(is_plain(second.err));
  // And read again.
  const Supervised foreground({.command = service({}), .conf = "[svc]\n", .mode = Mode::kForeground});
  write_file(foreground.work() / "supervise.conf", "[svc]\nstartsecs : " + kEvil + "\n");
  foreground.write("r");
  foreground.await_log("startsecs: \"" + kTame + "\"");
  CHECK(is_plain(foreground.foreground().err()));
  CHECK(is_plain(foreground.log()));
}

TEST_CASE("Ten thousand ru do not fill the log and the last r counts") {
  for (const std::string conf : {"[svc]\n", "[svc]\nstartsecs : never\n"}) {
    INFO(conf);
    const Supervised svc({.command = service({}), .conf = "[svc]\n"});
    const auto pid = svc.await_service();
    write_file(svc.work() / "supervise.conf", conf);
    std::string flood;
    for (int i = 0; i < 10'000; ++i) flood += "ru";
    const auto begin = Clock::now();
    svc.write(flood);
    svc.await_that("an empty control", [&] {
      svc.write("s");
      return svc.state()["alarm"] == "off";
    });
    const auto seconds = static_cast<std::size_t>(std::chrono::duration<double>(Clock::now() - begin).count());
    const auto told = count_lines(svc / "supervise.log", "configuration");
    CHECK(told >= 1);
    CHECK(told <= 3 * (seconds + 5));
    CHECK(lines_of(svc / "supervise.log").size() <= 6 * (seconds + 10));
    CHECK(svc.status().pid == pid);
    write_file(svc.work() / "supervise.conf", "[svc]\nstopsignal : KILL\n");
    svc.write("r");
    svc.write("d");
    svc.await_state("STOPPED");
    CHECK(svc.state()["exit"] == "signal KILL");
  }
}

TEST_CASE("control_group takes nothing from an existing DIR and gives back mode and group") {
  SKIP_UNLESS(is_root(), "only root can give a file to another group");
  for (const auto& [mode, with_group] : {std::pair(0755U, "dir 0755"), std::pair(0700U, "dir 0710"), std::pair(0750U, "dir 0750"),
                                         std::pair(0U, "dir 0710")}) {
    TempDir work;
    const StatusDir svc(work / "status/svc");
    // 0: supervise makes it.
    if (mode != 0) {
      fs::create_directories(svc.dir());
      REQUIRE(chown(svc.dir().c_str(), 0, 777) == 0);
      chmod(svc.dir().c_str(), mode);
    }
    const auto before = mode != 0 ? access_of(svc.dir()) : "dir 0700 " + std::to_string(getegid());
    INFO(before);
    write_file(work / "c", "[svc]\ncontrol_group : 54322\n");
    Words words = {"-F", "c", "-u", svc.dir()};
    for (const auto& word : service({})) words.push_back(word);
    REQUIRE(supervise(words, work.path()).code == 0);
    CHECK(access_of(svc.dir()) == std::string(with_group) + " 54322");
    CHECK(access_of(svc / "supervise") == "dir 0710 54322");
    CHECK(access_of(svc / "control") == "fifo 0620 54322");
    CHECK(access_of(svc / "ok") == "fifo 0620 54322");

    write_file(work / "c", "[svc]\n");
    svc.write("r");
    svc.await_that("its mode and group of before", [&] { return access_of(svc.dir()) == before; });
    svc.await_log("configuration read again");
    CHECK(mode_of(svc / "supervise") == "dir 0700");
    CHECK(mode_of(svc / "control") == "fifo 0600");
    CHECK(mode_of(svc / "ok") == "fifo 0600");

    write_file(work / "c", "[svc]\ncontrol_group : 54323\n");
    svc.write("r");
    svc.await_that("the other group", [&] { return access_of(svc / "ok") == "fifo 0620 54323"; });
    CHECK(access_of(svc.dir()) == std::string(with_group) + " 54323");
    svc.write("dx");
    svc.await_exit();
  }
}

TEST_CASE("Will keep trying is said only when it will") {
  const auto said = [](const std::string& conf, const std::string& state) {
    const Supervised svc({.command = {"/no/such/program"}, .conf = "[svc]\n" + conf});
    svc.await_state(state);
    CHECK_THAT(svc.launch().err, contains("/no/such/program"));
    return svc.launch().err.find("will keep trying") != std::string::npos;
  };
  CHECK(said("", "BACKOFF"));
  CHECK(said("startretries : 5\n", "BACKOFF"));
  CHECK_FALSE(said("autorestart : false\n", "EXITED"));
  CHECK_FALSE(said("startretries : 0\n", "FATAL"));
}

TEST_CASE("hook_timeout 0 is no limit for the -r script") {
  TempDir work;
  const auto log = work / "log";
  write_script(work / "hook", "echo began >> '" + log.string() + "'; until [ -e '" + (work / "go").string() + "' ]; do sleep 0.02; done; echo done >> '" +
                                  log.string() + "'");
  const Supervised svc({.command = service({}), .conf = "[svc]\nhook_timeout : 0\n", .options = {"-r", work / "hook"}});
  const auto pid = svc.await_service();
  svc.write("k");
  svc.await_lines(log, 1);
  CHECK(holds_for(2500ms, [&] { return svc.status().pid == 0 && lines_of(log).size() == 1; }));
  write_file(work / "go", "");
  svc.await_service(pid);
  CHECK(lines_of(log) == Words{"began", "done"});
  CHECK(text_of(svc / "supervise.log.wf").empty());
}

TEST_CASE("Slashes and dots that say nothing are no part of the name of the service") {
  TempDir work;
  write_file(work / "supervise.conf", "[redis]\ncommand : the-right-one\n[web/a]\ncommand : the-right-one\n");
  for (const std::string path : {"status//redis", "status/./redis", "./status/redis/", "status/redis/.", "status/redis//", ".//status///.//redis",
                                 "other//redis", "other/redis/.", "status//web/a", "status/web//a", "status/web/./a/"})
    for (const auto& before : {std::string(), work.path().string() + "//"}) {
      const auto result = supervise({"--check", "-p", before + path}, work.path());
      INFO(before + path << ": " << result.err);
      CHECK(result.code == 0);
      CHECK_THAT(result.out, contains("command : the-right-one\n"));
    }
  write_file(work / "c", "[redis]\ncommand : sleep 1000\n");
  const StatusDir svc(work / "status/redis");
  for (const std::string path : {"status//redis", "status/./redis"}) {
    INFO(path);
    REQUIRE(supervise({"-F", "c", "-p", path}, work.path()).code == 0);
    svc.await_service();
    CHECK(svc.state()["name"] == "redis");
    svc.write("dx");
    svc.await_exit();
  }
}

TEST_CASE("control is one descriptor that is open both ways") {
  const Supervised svc({.command = service({})});
  const auto check = [&] {
    std::vector<int> found;
    for (const auto& [fd, target] : descriptors(svc.pid()))
      if (target == (svc / "control").string()) found.push_back(fd);
    REQUIRE(found.size() == 1);
    const KeyValues facts(text_of("/proc/" + std::to_string(svc.pid()) + "/fdinfo/" + std::to_string(found[0])), ":\t");
    CHECK((std::stoul(facts["flags"], nullptr, 8) & O_ACCMODE) == O_RDWR);
  };
  check();
  fs::remove(svc / "control");
  svc.await_that("another control", [&] { return has_reader(svc / "control"); });
  obeys(svc);
  check();
  // The last writer that goes away makes it neither end nor spin.
  const auto before = processor_time(svc.pid());
  CHECK(holds_for(300ms, [&] { return alive(svc.pid()); }));
  CHECK(processor_time(svc.pid()) - before < 0.1);
}

TEST_CASE("A lock that another program holds is told and nothing is made") {
  TempDir work;
  const auto dir = work / "status/svc";
  fs::create_directories(dir);
  write_file(dir / "lock", "", 0600);
  const int fd = open((dir / "lock").c_str(), O_RDWR | O_CLOEXEC);
  REQUIRE(flock(fd, LOCK_EX) == 0);
  const auto before = listing(dir);
  for (const Words& options : {Words{}, Words{"-n"}}) {
    Words words = options;
    words.insert(words.end(), {"-p", dir, "-f", "sleep 1000"});
    const auto result = supervise(words, work.path());
    INFO(result.err);
    CHECK(result.code == 100);
    CHECK_THAT(result.err, contains(dir.string() + " is already supervised: its lock is held"));
    CHECK(lines_in(result.err).size() == 1);
    CHECK(listing(dir) == before);
  }
  close(fd);
  REQUIRE(supervise({"-p", dir, "-f", "sleep 1000"}, work.path()).code == 0);
  const StatusDir svc(dir);
  svc.await_service();
  svc.write("dx");
  svc.await_exit();
}

TEST_CASE("A service that is started after an upgrade has no descriptor of ours") {
  TempDir place;
  fs::copy_file(supervise_program(), place / "supervise");
  const Supervised svc({.command = service({}), .conf = "[svc]\nnotify : true\nready_fd : 7\n", .program = place / "supervise"});
  const auto first = svc.await_service();
  svc.await_state("RUNNING");
  const auto before = descriptors(first).size();
  svc.write("E");
  svc.await_log("goes on as");
  svc.write("k");
  const auto second = svc.await_command(service({}), first);
  CHECK(descriptors(second).size() == before);
  svc.await_state("RUNNING");
}

TEST_CASE("A path and a name that are not ASCII go through to state and supervisectl") {
  TempDir work;
  const auto dir = work / "\xC3\xA9";
  fs::create_directories(dir);
  const std::string name = "\u4e2d\u6587";
  const Supervised svc({.command = {"sh", "-c", "echo hello; exec sleep 100"}, .name = name});
  svc.await_service();
  const auto at = dir / "status" / name;
  const auto launched = supervise({"-u", at, "sh", "-c", "echo hello; exec sleep 100"}, dir);
  REQUIRE(launched.code == 0);
  CHECK(svc.state()["name"] == name);
  CHECK(svc.state()["stdout"] == (svc / "__stdout").string());
  const StatusDir below(at);
  CHECK(below.state()["stdout"] == (at / "__stdout").string());
  below.write("dx");
  below.await_exit();
}
