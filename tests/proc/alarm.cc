// Section 11 of the contract, and the limits of section 7: who is told about an exit, how, how often, and when
// supervise gives up.
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <regex>

#include "harness.h"

using namespace harness;

namespace {

// A program that keeps what each of its runs was given: arguments, environment and input.
class Recorder {
 public:
  Recorder(const TempDir& work, const fs::path& program, const std::string& ending = "") : runs_(work / "runs") {
    fs::create_directories(runs_);
    write_script(program, "part=" + runs_.string() + "/.$$\n" +
                              "{ for word; do printf 'arg=%s\\n' \"$word\"; done; env | grep ^SUPERVISE_\n" +
                              "echo 'input:'; cat; } > \"$part\"\nmv \"$part\" " + runs_.string() + "/$$\n" + ending);
  }

  [[nodiscard]] std::size_t count() const { return texts().size(); }
  [[nodiscard]] Words texts() const {
    std::vector<fs::directory_entry> files;
    for (const auto& entry : fs::directory_iterator(runs_))
      if (entry.path().filename().string()[0] != '.') files.push_back(entry);
    std::ranges::sort(files, {}, [](const auto& entry) { return entry.last_write_time(); });
    Words found;
    for (const auto& entry : files) found.push_back(text_of(entry.path()));
    return found;
  }
  void await(const StatusDir& dir, std::size_t count) const {
    dir.await_that(std::to_string(count) + " alarms", [&] { return this->count() >= count; });
  }

 private:
  fs::path runs_;
};

std::string input_of(const std::string& text) {
  const std::string mark = "input:\n";
  const auto at = text.find(mark);
  return at == std::string::npos ? "" : text.substr(at + mark.size());
}

std::string host() {
  std::string name(256, '\0');
  gethostname(name.data(), name.size() - 1);
  return name.c_str();
}

std::string section(const std::string& settings) { return "[svc]\nalarm_interval : 60\n" + settings + "\n"; }
std::string alarm_command(const fs::path& program) { return "alarm_command : " + program.string() + "\n"; }

// Puts a directory of our own with nothing but this sendmail in the place of /usr/sbin, for this test alone.
void replace_sendmail(const fs::path& program) {
  mount_tmpfs("/usr/sbin");
  if (!program.empty()) fs::copy_file(program, "/usr/sbin/sendmail");
}

}  // namespace

TEST_CASE("Only the first exit within alarm_interval raises an alarm and later ones are logged") {
  TempDir work;
  const Recorder alarms(work, work / "alarm");
  const Supervised svc({.command = service({"exit", "1"}), .conf = section(alarm_command(work / "alarm"))});
  alarms.await(svc, 1);
  svc.await("starts", "4");
  CHECK(alarms.count() == 1);
  CHECK(count_lines(svc / "supervise.log", "service exited!") >= 3);
  CHECK(svc.state().number("tries") >= 3);
}

TEST_CASE("alarm_command gets the facts in its environment and the text as its input") {
  TempDir work;
  const Recorder alarms(work, work / "alarm");
  const Supervised svc({.command = service({"err", "last words", "exit", "42"}),
                        .conf = section("alarm_command : '" + (work / "alarm").string() + "' one 'two words'\n")});
  alarms.await(svc, 1);
  const auto text = alarms.texts()[0];
  INFO(text);
  CHECK_THAT(text, contains("arg=one\narg=two words\n"));
  CHECK_THAT(text, contains("SUPERVISE_SERVICE=svc\n"));
  CHECK_THAT(text, contains("SUPERVISE_EVENT="));
  CHECK_THAT(text, contains("SUPERVISE_EXIT=code 42\n"));
  CHECK_THAT(input_of(text), contains("[Alarm: " + host() + "] Service svc exited!"));
  CHECK_THAT(input_of(text), contains("last words"));
}

TEST_CASE("An exit with a core dump says so in log and alarm and counters") {
  TempDir work;
  SKIP_UNLESS(can_dump_core(work.path()), "no core dumps can be made here");
  const Recorder alarms(work, work / "alarm");
  const Supervised svc({.command = service({"core"}), .conf = section(alarm_command(work / "alarm"))});
  alarms.await(svc, 1);
  svc.await_log("service exited with coredump!");
  CHECK_THAT(input_of(alarms.texts()[0]), contains("Service svc exited with coredump!"));
  CHECK_THAT(alarms.texts()[0], contains("SUPERVISE_EXIT=signal SEGV core\n"));
  CHECK(svc.state().number("coredumps") >= 1);
}

TEST_CASE("More than max_tries exits and supervise gives up") {
  TempDir work;
  const Recorder alarms(work, work / "alarm");
  const Supervised svc({.command = service({"started", work / "starts", "exit", "1"}),
                        .conf = section("max_tries : 2\n" + alarm_command(work / "alarm")),
                        .mode = Mode::kForeground});
  CHECK(svc.foreground().wait().code == 0);
  CHECK(lines_of(work / "starts").size() == 3);
  CHECK(svc.state()["state"] == "FATAL");
  CHECK_THAT(svc.state()["reason"], contains("max_tries"));
  CHECK(svc.status().pid == 0);
  CHECK_THAT(svc.log(), contains("[FATAL]"));
  alarms.await(svc, 2);
  const auto texts = alarms.texts();
  CHECK_THAT(texts[1], contains("SUPERVISE_SERVICE=svc\n"));
  CHECK(texts[0] != texts[1]);
  CHECK_FALSE(has_reader(svc / "ok"));
}

TEST_CASE("A detached supervise gives up as well") {
  const Supervised svc({.command = service({"exit", "0"}), .conf = section("max_tries : 1")});
  svc.await_exit();
  CHECK(svc.state()["state"] == "FATAL");
  CHECK(svc.state()["exits"] == "2");
}

TEST_CASE("max_tries_if_coredumped core dumps and supervise gives up") {
  TempDir work;
  SKIP_UNLESS(can_dump_core(work.path()), "no core dumps can be made here");
  const Supervised svc({.command = service({"core"}),
                        .conf = section("max_tries_if_coredumped : 2\nmax_tries : 10"),
                        .mode = Mode::kForeground});
  CHECK(svc.foreground().wait().code == 0);
  CHECK(svc.state()["exits"] == "2");
  CHECK(svc.state()["coredumps"] == "2");
  CHECK(svc.state()["state"] == "FATAL");
  CHECK_THAT(svc.state()["reason"], contains("max_tries_if_coredumped"));
}

TEST_CASE("Exits by a signal without a core dump do not count as core dumps") {
  const Supervised svc({.command = service({"raise", "TERM"}), .conf = section("max_tries_if_coredumped : 1")});
  svc.await("starts", "3");
  CHECK(svc.state()["coredumps"] == "0");
}

TEST_CASE("An empty or zero max_tries is no limit") {
  for (const std::string value : {"", "0"}) {
    const Supervised svc({.command = service({"exit", "1"}),
                          .conf = section("max_tries : " + value + "\nmax_tries_if_coredumped : " + value)});
    svc.await("starts", "4");
    CHECK(alive(svc.pid()));
  }
}

TEST_CASE("Without alarm_interval there are neither alarms nor limits") {
  for (const std::string interval : {"", "alarm_interval : 0\n", "alarm_interval :\n"}) {
    TempDir work;
    const Recorder alarms(work, work / "alarm");
    const Supervised svc({.command = service({"exit", "1"}),
                          .conf = "[svc]\n" + interval + "max_tries : 1\n" + alarm_command(work / "alarm")});
    svc.await("starts", "4");
    CHECK(alive(svc.pid()));
    CHECK(alarms.count() == 0);
  }
}

TEST_CASE("Exits that were asked for raise no alarm and count no try") {
  TempDir work;
  const Recorder alarms(work, work / "alarm");
  const Supervised svc({.command = service({}), .conf = section("max_tries : 1\n" + alarm_command(work / "alarm"))});
  auto pid = svc.await_service();
  for (int i = 0; i < 2; ++i) {
    svc.write("du");
    pid = svc.await_service(pid);
  }
  svc.write("d");
  svc.await_state("STOPPED");
  CHECK(svc.state()["tries"] == "0");
  svc.write("x");
  svc.await_exit();
  CHECK(alarms.count() == 0);
}

TEST_CASE("Exits after t and k count like any other") {
  const Supervised svc({.command = service({}), .conf = section("max_tries : 1"), .mode = Mode::kForeground});
  auto pid = svc.await_service();
  svc.write("t");
  pid = svc.await_service(pid);
  CHECK(svc.state()["tries"] == "1");
  svc.write("k");
  CHECK(svc.foreground().wait().code == 0);
  CHECK(svc.state()["state"] == "FATAL");
}

TEST_CASE("A command that cannot be executed raises the alarm and counts") {
  TempDir work;
  const Recorder alarms(work, work / "alarm");
  const Supervised svc({.command = {"/nonexistent/program"},
                        .conf = section("max_tries : 1\n" + alarm_command(work / "alarm")),
                        .mode = Mode::kForeground});
  CHECK(svc.foreground().wait().code == 0);
  alarms.await(svc, 2);
  CHECK_THAT(input_of(alarms.texts()[0]), contains("/nonexistent/program"));
}

TEST_CASE("s switches the alarms off") {
  TempDir work;
  const Recorder alarms(work, work / "alarm");
  const Supervised svc({.command = service({}), .conf = section(alarm_command(work / "alarm"))});
  const auto pid = svc.await_service();
  svc.write("s");
  svc.write("k");
  svc.await_service(pid);
  svc.await_log("service exited!");
  CHECK(holds_for(500ms, [&] { return alarms.count() == 0; }));
}

TEST_CASE("A hanging alarm program delays neither a restart nor a command") {
  TempDir work;
  const Recorder alarms(work, work / "alarm", "exec sleep 100");
  const Supervised svc({.command = service({}), .conf = section(alarm_command(work / "alarm"))});
  auto pid = svc.await_service();
  svc.write("k");
  pid = svc.await_service(pid);
  alarms.await(svc, 1);
  svc.write("k");
  svc.await_service(pid);
  CHECK(children(svc.pid()).size() == 2);
  svc.write("d");
  svc.await_state("STOPPED");
  svc.write("x");
  svc.await_exit();
}

TEST_CASE("An alarm program that does not read its text delays nothing") {
  TempDir work;
  write_script(work / "alarm", "exec sleep 100");
  const Supervised svc(
      {.command = service({"err", std::string(100'000, 'x')}), .conf = section(alarm_command(work / "alarm"))});
  auto pid = svc.await_service();
  svc.write("k");
  pid = svc.await_service(pid);
  svc.write("d");
  svc.await_state("STOPPED");
}

TEST_CASE("An alarm program that ends without reading does not kill supervise") {
  const Supervised svc({.command = service({}), .conf = section("alarm_command : true")});
  const auto pid = svc.await_service();
  svc.write("k");
  svc.await_service(pid);
  svc.await_that("the end of the program", [&] { return children(svc.pid()).size() == 1; });
  CHECK(alive(svc.pid()));
}

TEST_CASE("Alarm programs that fail or are missing are logged by name") {
  for (const std::string program : {"false", "/nonexistent/alarm-program"}) {
    const Supervised svc({.command = service({}), .conf = section("alarm_command : " + program)});
    const auto pid = svc.await_service();
    svc.write("k");
    svc.await_service(pid);
    svc.await_that("a warning", [&] { return count_lines(svc / "supervise.log.wf", program) > 0; });
  }
}

TEST_CASE("Alarm programs run clean and in a session of their own") {
  TempDir work;
  const auto program = service({"facts", work / "facts", "exit", "0"});
  std::string command;
  for (const auto& word : program) command += word + " ";
  const Supervised svc({.command = service({}), .conf = section("alarm_command : " + command)});
  svc.write("k");
  svc.await_that("the facts", [&] { return fs::exists(work / "facts"); });
  const KeyValues facts(text_of(work / "facts"));
  CHECK(facts["session"] == facts["pid"]);
  CHECK(facts["blocked"] == "0000000000000000");
  CHECK(facts["ignored"] == "0000000000000000");
  for (const auto& [key, value] : facts.all())
    if (key.starts_with("fd.")) CHECK_THAT(key, matches("fd\\.[012]"));
}

TEST_CASE("gsmsend-script is run with NUMBER@TEXT for each number") {
  TempDir work;
  fs::create_directory(work / "bin");
  const Recorder messages(work, work / "bin/gsmsend-script");
  const Supervised svc(
      {.command = service({"exit", "1"}),
       .conf = "[global]\nalarm_interval : 60\nalarm_gsm : 4915550100\n[svc]\nalarm_gsm : 4915550101\t4915550100\n",
       .environment = {{"PATH", (work / "bin").string() + ":/usr/bin:/bin"}}});
  messages.await(svc, 2);
  auto texts = messages.texts();
  std::ranges::sort(texts);
  REQUIRE(texts.size() == 2);
  for (std::size_t i = 0; i < 2; ++i) {
    INFO(texts[i]);
    CHECK(texts[i].starts_with("arg=491555010" + std::to_string(i) + "@"));
    CHECK_THAT(texts[i], contains("[Alarm: " + host() + "] Service svc exited!"));
    CHECK(texts[i].find("arg=", 4) == std::string::npos);
  }
}

TEST_CASE("At most ten numbers get a message and the others a warning") {
  TempDir work;
  fs::create_directory(work / "bin");
  const Recorder messages(work, work / "bin/gsmsend-script");
  const Supervised svc({.command = service({"exit", "1"}),
                        .conf = section("alarm_gsm : 1 2 3 4 5 6 7 8 9 10 11 12"),
                        .environment = {{"PATH", (work / "bin").string() + ":/usr/bin:/bin"}}});
  CHECK_THAT(svc.launch().err, contains("supervise.conf:3: warning: alarm_gsm"));
  messages.await(svc, 10);
  svc.await("starts", "2");
  CHECK(messages.count() == 10);
}

TEST_CASE("Without gsmsend-script nothing is sent and nothing breaks") {
  const Supervised svc({.command = service({}), .conf = section("alarm_gsm : 4915550100")});
  const auto pid = svc.await_service();
  svc.write("k");
  svc.await_service(pid);
  svc.write("s");
  svc.await("alarm", "off");
}

TEST_CASE("A letter arrives in the mailbox through a real mailer") {
  SKIP_UNLESS(is_root(), "only root can put a mailbox of its own in place");
  SKIP_UNLESS(fs::exists("/usr/sbin/sendmail") && fs::canonical("/usr/sbin/sendmail").filename() == "dma",
              "/usr/sbin/sendmail is not dma");
  SKIP_UNLESS(enter_own_mounts(), "no mount namespace to be had");
  struct stat mail {};
  REQUIRE(stat("/var/mail", &mail) == 0);
  const auto group = ",gid=" + std::to_string(mail.st_gid);
  mount_tmpfs("/etc/dma", "mode=0755");
  write_file("/etc/dma/dma.conf", "MAILNAME localhost\n");
  write_file("/etc/dma/auth.conf", "");
  mount_tmpfs("/var/mail", "mode=2775" + group);
  mount_tmpfs("/var/spool/dma", "mode=2770" + group);

  const Supervised svc(
      {.command = service({"err", "redis: out of luck", "exit", "3"}), .conf = section("alarm_mail : root")});
  svc.await_that("a letter", [&] { return text_of("/var/mail/root").find("out of luck") != std::string::npos; });
  const auto letter = text_of("/var/mail/root");
  INFO(letter);
  const auto header_end = letter.find("\n\n");
  REQUIRE(header_end != std::string::npos);
  const std::regex subject(R"(Subject: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \[Alarm: [^\]]+\] Service svc exited!)");
  CHECK(std::ranges::any_of(lines_in(letter.substr(0, header_end)),
                            [&](const auto& line) { return std::regex_match(line, subject); }));
  CHECK_THAT(letter, contains("[Alarm: " + host() + "]"));
  CHECK_THAT(letter.substr(header_end), contains("code 3"));
}

TEST_CASE("Mail goes through sendmail -t to everybody once") {
  SKIP_UNLESS(is_root() && enter_own_mounts(), "no mount namespace to be had");
  TempDir work;
  const Recorder letters(work, work / "sendmail");
  replace_sendmail(work / "sendmail");
  const Supervised svc({.command = service({"exit", "3"}),
                        .conf = "[global]\nalarm_interval : 60\nalarm_mail : ops@example.org a@example.org\n"
                                "[svc]\nalarm_mail : a@example.org\tb@example.org\n"});
  letters.await(svc, 1);
  svc.await("starts", "2");
  std::string recipients;
  for (const auto& text : letters.texts()) {
    INFO(text);
    CHECK_THAT(text, contains("arg=-t\n"));
    const auto letter = input_of(text);
    const auto header = letter.substr(0, letter.find("\n\n"));
    CHECK_THAT(header, contains("Subject: "));
    for (const auto& line : lines_in(header))
      if (line.starts_with("To:")) recipients += line;
  }
  for (const std::string person : {"ops@example.org", "a@example.org", "b@example.org"}) {
    INFO(recipients);
    const auto at = recipients.find(person);
    CHECK(at != std::string::npos);
    CHECK(recipients.find(person, at + 1) == std::string::npos);
  }
}

TEST_CASE("Without sendmail the program mail is used") {
  SKIP_UNLESS(is_root() && enter_own_mounts(), "no mount namespace to be had");
  TempDir work;
  fs::create_directory(work / "bin");
  const Recorder letters(work, work / "bin/mail");
  replace_sendmail("");
  const Supervised svc({.command = service({"exit", "3"}),
                        .conf = section("alarm_mail : ops@example.org"),
                        .environment = {{"PATH", (work / "bin").string() + ":/usr/bin:/bin"}}});
  letters.await(svc, 1);
  const auto text = letters.texts()[0];
  INFO(text);
  CHECK_THAT(text, contains("arg=-s\n"));
  CHECK_THAT(text, contains("Service svc exited!"));
  CHECK_THAT(text, contains("arg=ops@example.org\n"));
}

TEST_CASE("Hostile names add no header and run nothing") {
  SKIP_UNLESS(is_root() && enter_own_mounts() && unshare(CLONE_NEWUTS) == 0, "no namespaces to be had");
  TempDir work;
  const Recorder letters(work, work / "sendmail");
  replace_sendmail(work / "sendmail");
  const std::string host_name = "h\r\nBcc: spy@example.org";
  REQUIRE(sethostname(host_name.data(), host_name.size()) == 0);
  const Supervised svc({.command = service({"err", "$(touch pwned)\n.\nBcc: spy@example.org", "exit", "3"}),
                        .conf = "[global]\nalarm_interval : 60\nalarm_mail : ops@example.org\n",
                        .name = "a\r\nBcc: spy@example.org\n\n$(touch pwned)`touch pwned`;touch pwned\"'"});
  letters.await(svc, 1);
  const auto letter = input_of(letters.texts()[0]);
  INFO(letter);
  const auto header = letter.substr(0, letter.find("\n\n"));
  for (const auto& line : lines_in(header)) {
    CHECK_FALSE(line.starts_with("Bcc"));
    CHECK(line.find('\r') == std::string::npos);
  }
  svc.await("starts", "2");
  CHECK(run({"find", work.path(), svc.work().path(), "-name", "pwned"}).out.empty());
}

TEST_CASE("Alarm settings can be changed with r") {
  TempDir work;
  const Recorder alarms(work, work / "alarm");
  const Supervised svc({.command = service({}), .conf = "[svc]\n"});
  const auto pid = svc.await_service();
  write_file(svc.work() / "supervise.conf", section(alarm_command(work / "alarm")));
  svc.write("rk");
  svc.await_service(pid);
  alarms.await(svc, 1);
}
