// Section 10 of the contract: the configuration file, its inheritance, its diagnostics, its keys, and reading it again.
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "harness.h"

using namespace harness;
using namespace std::string_literals;

namespace {

// What --check says about the service `svc`, or about a whole file.
struct Checked {
  int code;
  std::string err;
  KeyValues settings;
};
Checked check(const std::string& conf, const std::string& name = "svc") {
  TempDir work;
  write_file(work / "c", conf);
  const auto result = supervise({"--check", "-F", "c", "-p", "status/" + name}, work.path());
  return {result.code, result.err, KeyValues(result.out, " : ")};
}
Checked check_all(const std::string& conf) {
  TempDir work;
  write_file(work / "c", conf);
  const auto result = supervise({"--check", "-F", "c"}, work.path());
  return {result.code, result.err, KeyValues(result.out, " : ")};
}

std::set<std::string> words_in(const std::string& text) {
  std::set<std::string> words;
  for (std::size_t at = 0; (at = text.find_first_not_of(" \t", at)) != std::string::npos;) {
    const auto end = std::min(text.find_first_of(" \t", at), text.size());
    CHECK(words.insert(text.substr(at, end - at)).second);
    at = end;
  }
  return words;
}

// The facts that the service reports on its standard output in its latest run.
KeyValues facts_of(const Supervised& svc) {
  svc.await_that("the facts", [&] { return KeyValues(text_of(svc / "__stdout"))["end"] == "yes"; });
  return KeyValues(text_of(svc / "__stdout"));
}
KeyValues facts_with(const std::string& section) {
  const Supervised svc({.command = service({"facts", "-"}), .conf = "[svc]\n" + section});
  return facts_of(svc);
}

void rewrite(const Supervised& svc, const std::string& conf) { write_file(svc.work() / "supervise.conf", conf); }

void restart(const Supervised& svc) {
  const auto pid = svc.await_service();
  svc.write("k");
  svc.await_service(pid);
}

}  // namespace

TEST_CASE("A section after global inherits and overrides and adds its addresses") {
  const auto checked = check(
      "[global]\nalarm_interval : 90\nmax_tries : 10\nmax_tries_if_coredumped : 5\nstopwaitsecs : 33\n"
      "alarm_mail : ops@example.org a@example.org\nalarm_gsm : 111\n"
      "[svc]\nmax_tries : 4\nalarm_mail : a@example.org b@example.org\nalarm_gsm : 222\t111\n");
  CHECK(checked.code == 0);
  CHECK_THAT(checked.err, !contains("/c:"));
  CHECK_THAT(checked.settings["alarm_interval"], matches("90s?"));
  CHECK(checked.settings["max_tries"] == "4");
  CHECK(checked.settings["max_tries_if_coredumped"] == "5");
  CHECK_THAT(checked.settings["stopwaitsecs"], matches("33s?"));
  CHECK(words_in(checked.settings["alarm_mail"]) ==
        std::set<std::string>{"ops@example.org", "a@example.org", "b@example.org"});
  CHECK(words_in(checked.settings["alarm_gsm"]) == std::set<std::string>{"111", "222"});
}

TEST_CASE("A section before global inherits nothing") {
  const auto checked = check(
      "[svc]\nmax_tries : 3\n[global]\nalarm_interval : 60\nalarm_mail : ops@example.org\nmax_tries : 10\nstopwaitsecs "
      ": 33\n");
  CHECK(checked.code == 0);
  CHECK(checked.settings["max_tries"] == "3");
  CHECK(words_in(checked.settings["alarm_mail"]).empty());
  CHECK_THAT(checked.settings["alarm_interval"], matches("0?s?"));
  CHECK_THAT(checked.settings["stopwaitsecs"], matches("10s?"));
}

TEST_CASE("A service without a section has the settings of global") {
  const auto checked = check("[global]\nalarm_interval : 60\nalarm_mail : ops@example.org\n[other]\nmax_tries : 1\n");
  CHECK(words_in(checked.settings["alarm_mail"]) == std::set<std::string>{"ops@example.org"});
  CHECK_THAT(checked.settings["max_tries"], matches("0?"));
}

TEST_CASE("An empty alarm_mail in a section adds nobody and keeps those of global") {
  const auto checked = check("[global]\nalarm_interval : 60\nalarm_mail : ops@example.org\n[svc]\nalarm_mail :\n");
  CHECK(checked.code == 0);
  CHECK(words_in(checked.settings["alarm_mail"]) == std::set<std::string>{"ops@example.org"});
}

TEST_CASE("alarm_interval from 1 to 59 counts as 60 and 0 or empty as none") {
  for (const std::string value : {"1", "30", "59", "60"}) {
    INFO(value);
    CHECK_THAT(check("[svc]\nalarm_interval : " + value + "\n").settings["alarm_interval"], matches("60s?|1m"));
  }
  CHECK_THAT(check("[svc]\nalarm_interval : 61\n").settings["alarm_interval"], matches("61s?"));
  for (const std::string value : {"0", ""}) {
    INFO(value);
    const auto checked = check("[svc]\nalarm_interval :" + value + "\n");
    CHECK(checked.code == 0);
    CHECK_THAT(checked.settings["alarm_interval"], matches("0?s?"));
  }
}

TEST_CASE("Key and value are separated by a colon or an equals sign") {
  const auto checked =
      check("[svc]\nmax_tries=1\nstopwaitsecs = 2\nstopsignal:INT\nstartsecs\t:\t4\nrlimit_nofile :5\n");
  CHECK(checked.code == 0);
  CHECK(checked.settings["max_tries"] == "1");
  CHECK_THAT(checked.settings["stopwaitsecs"], matches("2s?"));
  CHECK(checked.settings["stopsignal"] == "INT");
  CHECK_THAT(checked.settings["startsecs"], matches("4s?"));
  CHECK(checked.settings["rlimit_nofile"] == "5");
}

TEST_CASE("A value may contain colons and equals signs and hashes") {
  const auto checked = check("[svc]\ncommand : a=b:c #d e=f http://x/?y=z\n");
  CHECK(checked.settings["command"] == "a=b:c #d e=f http://x/?y=z");
}

TEST_CASE("Comments begin in the first column or with a semicolon after a blank") {
  const auto checked = check(
      "# startretries : 1\n; startretries : 2\n[svc] ; the service\n#startretries : 3\nstartretries : 4 ; "
      "startretries\nstopsignal : "
      "INT\t; x\n\n");
  CHECK(checked.code == 0);
  CHECK_THAT(checked.err, !contains("/c:"));
  CHECK(checked.settings["startretries"] == "4");
  CHECK(checked.settings["stopsignal"] == "INT");
}

TEST_CASE("An indented line is no item and gets a warning") {
  const auto checked = check("[svc]\nmax_tries : 1\n max_tries : 2\n\tstopsignal : INT\n");
  CHECK(checked.code == 0);
  CHECK(checked.settings["max_tries"] == "1");
  CHECK(checked.settings["stopsignal"] == "TERM");
  CHECK_THAT(checked.err, contains("c:3: warning:"));
  CHECK_THAT(checked.err, contains("c:4: warning:"));
}

TEST_CASE("An indented section header is no header") {
  const auto checked = check("[svc]\nmax_tries : 1\n [other]\nstopsignal : INT\n");
  CHECK(checked.code == 0);
  CHECK(checked.settings["stopsignal"] == "INT");
  CHECK_THAT(checked.err, contains("c:3: warning:"));
}

TEST_CASE("Blanks inside the brackets do not make the section of the service") {
  for (const std::string header : {"[ svc]", "[svc ]", "[ svc ]"}) {
    INFO(header);
    const auto checked = check(header + "\nmax_tries : 7\n");
    CHECK(checked.settings["max_tries"] != "7");
    CHECK_THAT(checked.err, contains("c:1: "));
  }
}

TEST_CASE("A whole file is checked in one round for users and groups and files and programs") {
  const std::string text =
      "[global]\nalarm_interval : 60\nalarm_command : no-such-alarm\n"
      "[a]\ncommand : no-such-command\nuser : no-such-user\nstartsecs : x\nlog_processor : no-such-packer\n"
      "[b]\ncommand : ./no-such-run\ndirectory : /no-such-directory\ncontrol_group : no-such-group\nenvironment_file : /no-such-file\n"
      "[c]\ncommand : true\n";
  const auto all = check_all(text);
  CHECK(all.code == 100);
  for (const auto line : {3, 5, 6, 7, 8, 10, 11, 12, 13}) CHECK_THAT(all.err, contains("c:" + std::to_string(line) + ": error: "));
  CHECK(lines_in(all.err).size() == 9);
  // What keeps a service down does not keep supervise from starting.
  const auto one = check("[svc]\ncommand : no-such-command\n");
  CHECK(one.code == 0);
  CHECK_THAT(one.err, contains("c:2: warning: command: \"no-such-command\""));
  CHECK(check_all("[a]\ncommand : mine\nenvironment : PATH=\"/no-such-directory\"\n[b]\ncommand : sh -c true\n").err.find("c:5") == std::string::npos);
}

TEST_CASE("A check of a whole file names the sections that stand before global") {
  const auto late = check_all("[a]\ncommand : true\n[global]\nstopwaitsecs : 3\n");
  CHECK(late.code == 0);
  CHECK_THAT(late.err, contains("c:3: warning: [global] stands after [a], which inherits nothing from it"));
}

TEST_CASE("A relative command that is missing is reported with the directory it is looked for in") {
  TempDir work;
  fs::create_directories(work / "home");
  write_file(work / "c", "[svc]\ncommand : ./run\ndirectory : " + (work / "home").string() + "\n");
  const auto result = supervise({"-p", "status/svc", "-F", "c"}, work.path());
  CHECK_THAT(result.err, contains("command not found: ./run in " + (work / "home").string()));
  const StatusDir svc(work / "status/svc");
  svc.write("dx");
  svc.await_exit();
}

TEST_CASE("A misspelt option names the one that was meant") {
  TempDir work;
  CHECK_THAT(supervise({"--max-restart", "3", "true"}, work.path()).err, contains("did you mean --max-restarts?"));
}

TEST_CASE("A service without a command is told which file was read") {
  TempDir work;
  CHECK_THAT(supervise({"-p", "status/svc"}, work.path()).err, contains("no configuration file was read"));
  write_file(work / "c", "[other]\ncommand : true\n");
  CHECK_THAT(supervise({"-p", "status/svc", "-F", "c"}, work.path()).err, contains((work / "c").string() + " has none"));
}

TEST_CASE("Only a line with alarm_mail is cut at 2048 bytes") {
  const std::string head = "alarm_mail : ", command = "/bin/true " + std::string(3000, 'x');
  const auto checked = check("[svc]\ncommand : " + command + "\nalarm_interval : 60\n" + head + std::string(3000, 'x') + "\nmax_tries : 3\n");
  CHECK(checked.code == 0);
  CHECK(checked.settings["command"] == command);
  CHECK(checked.settings["alarm_mail"] == std::string(2048 - head.size(), 'x'));
  CHECK(checked.settings["max_tries"] == "3");
  CHECK_THAT(checked.err, contains("c:4: warning: alarm_mail:"));
}

TEST_CASE("CRLF and a byte-order mark and a missing last newline do no harm") {
  const auto checked = check("\xEF\xBB\xBF[svc]\r\nstartretries : 3\r\nstopsignal : INT\r\nexitcodes : 0,3");
  CHECK(checked.code == 0);
  CHECK_THAT(checked.err, !contains("/c:"));
  CHECK(checked.settings["startretries"] == "3");
  CHECK(checked.settings["stopsignal"] == "INT");
  CHECK_THAT(checked.settings["exitcodes"], matches("0[ ,] *3"));
}

TEST_CASE("NUL bytes are told and what follows is still read") {
  const auto checked = check("[svc]\nmax_tries : 3\nalarm_mail : a@b\0c\nstopsignal : INT\n"s);
  CHECK_THAT(checked.err, contains("c:3: "));
  CHECK((checked.code == 100 || (checked.settings["max_tries"] == "3" && checked.settings["stopsignal"] == "INT")));
}

TEST_CASE("A file of random bytes ends in diagnostics") {
  TempDir work;
  REQUIRE(shell("head -c 50000 /dev/urandom > c", work.path()).code == 0);
  const auto result = supervise({"--check", "-F", "c", "-p", "svc"}, work.path());
  CHECK((result.code == 0 || result.code == 100));
  CHECK_FALSE(result.err.empty());
}

TEST_CASE("Unknown keys are warnings with file and line and the service starts") {
  const Supervised svc({.command = service({}), .conf = "[global]\n[svc]\nstopwaitsec : 3\n"});
  CHECK_THAT(svc.launch().err, contains("supervise.conf:3: warning:"));
  CHECK_THAT(svc.launch().err, contains("stopwaitsec"));
  svc.await_service();
}

TEST_CASE("Keys without an effect are warnings with file and line") {
  const std::string conf = "[svc]\nmax_tries : 3\nalarm_mail : root\npidfile : /x\nheartbeat_timeout : 5\nready_timeout : 5\ncommand : a | b\n";
  const Supervised svc({.command = service({}), .conf = conf});
  for (const auto* text : {"2: warning: max_tries has no effect without alarm_interval", "3: warning: alarm_mail has no effect without alarm_interval",
                           "4: warning: pidfile has no effect without forking", "5: warning: heartbeat_timeout has no effect without heartbeat_file",
                           "6: warning: ready_timeout has no effect without notify or ready_fd", "7: warning: command has `|`"})
    CHECK_THAT(svc.launch().err, contains(text));
  const Supervised good({.command = service({}), .conf = "[global]\nalarm_interval : 60\n[svc]\nmax_tries : 3\nforking : true\npidfile : /x\n"});
  CHECK(good.launch().err == "");
}

TEST_CASE("A supervise.conf that somebody else could have written is used only if it is named and by root never") {
  SKIP_UNLESS(is_root(), "only root can give files away");
  TempDir work;
  write_file(work / "supervise.conf", "[svc]\nstopwaitsecs : 7\n", 0644);
  const auto refused = [&] { return supervise({"-u", "svc", "true"}, work.path()); };
  REQUIRE(chown((work / "supervise.conf").c_str(), 12345, 12345) == 0);
  CHECK(refused().code == 100);
  CHECK_THAT(refused().err, contains("belongs to somebody else"));
  REQUIRE(chown((work / "supervise.conf").c_str(), 0, 0) == 0);
  fs::permissions(work / "supervise.conf", fs::perms(0666));
  CHECK(refused().code == 100);
  CHECK_THAT(refused().err, contains("may be written by everybody"));
  CHECK_FALSE(fs::exists(work / "svc"));
  CHECK(supervise({"-F", "supervise.conf", "-u", "svc", "sleep", "100"}, work.path()).code == 100);
  // A user without rights may choose whom to believe.
  fs::permissions(work.path(), fs::perms(0777));
  const Words user = {"setpriv", "--reuid=12345", "--regid=12345", "--clear-groups"};
  const auto as_user = [&](const Words& more) {
    fs::copy_file(supervise_program(), work / "program", fs::copy_options::overwrite_existing);
    Words words = user;
    words.push_back(work / "program");
    words.insert(words.end(), more.begin(), more.end());
    return run({.argv = words, .directory = work.path()});
  };
  CHECK(as_user({"--check", "-p", "svc"}).code == 100);
  CHECK_THAT(as_user({"--check", "-p", "svc"}).err, contains("it is used only if it is named with -F"));
  CHECK_THAT(as_user({"--check", "-F", "supervise.conf", "-p", "svc"}).out, contains("stopwaitsecs : 7"));
}

TEST_CASE("Bad values are errors with file and line and nothing starts") {
  const std::pair<std::string, std::string> bad[] = {{"startsecs", "abc"},
                                                     {"startsecs", "-1"},
                                                     {"startsecs", "5 parsecs"},
                                                     {"stopwaitsecs", "1e99"},
                                                     {"stopsignal", "NOSUCH"},
                                                     {"stopsignal", "99"},
                                                     {"stopasgroup", "maybe"},
                                                     {"autorestart", "sometimes"},
                                                     {"exitcodes", "0 256"},
                                                     {"exitcodes", "x"},
                                                     {"startretries", "-3"},
                                                     {"backoff", "fast"},
                                                     {"backoff_jitter", "2"},
                                                     {"max_tries", "many"},
                                                     {"max_tries", "-1"},
                                                     {"max_tries", "99999999999999999999"},
                                                     {"umask", "9"},
                                                     {"umask", "01000"},
                                                     {"nice", "99"},
                                                     {"rlimit_nofile", "some"},
                                                     {"rlimit_as", "5 apples"},
                                                     {"environment", "A"},
                                                     {"environment", "A=\"x"},
                                                     {"user", "no-such-user-here"},
                                                     {"command", "sh -c 'x"},
                                                     {"alarm_interval", "x"},
                                                     {"control_group", "no-such-group-here"}};
  for (const auto& [key, value] : bad) {
    TempDir work;
    write_file(work / "supervise.conf", "[svc]\n" + key + " : " + value + "\n");
    const auto result = supervise({"-p", "status/svc", "-f", "sleep 100"}, work.path());
    INFO(key << " : " << value << " → " << result.err);
    CHECK(result.code == 100);
    CHECK_THAT(result.err, contains("supervise.conf:2: error:"));
    CHECK_THAT(result.err, contains(key));
    CHECK_FALSE(fs::exists(work / "status"));
  }
}

TEST_CASE("Lines that cannot be understood are errors with file and line") {
  for (const std::string line : {"nonsense", "[svc", "[]", ": 3"}) {
    const auto checked = check("[svc]\n" + line + "\n");
    INFO(line << " → " << checked.err);
    CHECK(checked.code == 100);
    CHECK_THAT(checked.err, contains("c:2: error:"));
  }
}

TEST_CASE("A duplicate key is told with its line") {
  const auto checked = check("[svc]\nmax_tries : 3\nmax_tries : 4\n");
  CHECK_THAT(checked.err, contains("c:3: "));
  CHECK_THAT(checked.err, contains("max_tries"));
}

TEST_CASE("Bad values of other services do not matter for this one but --check reports them all") {
  const std::string conf = "[other]\nstartsecs : abc\n[svc]\nmax_tries : 3\n[third]\nnice : x\n";
  TempDir work;
  write_file(work / "supervise.conf", conf);
  CHECK(supervise({"-p", "status/svc", "-f", "sleep 100"}, work.path()).code == 0);
  const auto all = check_all(conf);
  CHECK(all.code == 100);
  CHECK_THAT(all.err, contains("c:2: error:"));
  CHECK_THAT(all.err, contains("c:6: error:"));
}

TEST_CASE("A bad value in global matters to a section that inherits it") {
  CHECK(check("[global]\nstartsecs : abc\n[svc]\nmax_tries : 3\n").code == 100);
  CHECK(check("[svc]\nmax_tries : 3\n[global]\nstartsecs : abc\n").code == 0);
}

TEST_CASE("Numbers take units") {
  const auto checked =
      check("[svc]\nrlimit_as : 2GB\nrlimit_core : 3MB\nstopwaitsecs : 1m\nstartsecs : 500ms\nfatal_retry : 1h\n");
  CHECK(checked.code == 0);
  const auto facts = facts_with("rlimit_as : 2GB\nrlimit_core : 3KB\n");
  CHECK(facts["rlimit_as"].starts_with("2147483648:"));
  CHECK(facts["rlimit_core"].starts_with("3072:"));
}

TEST_CASE("directory and umask and nice and limits are set for the service") {
  TempDir work;
  const auto facts = facts_with("directory : " + work.path().string() +
                                "\numask : 027\nnice : 7\nrlimit_nofile : 321\nrlimit_core : 0\nrlimit_as : 1GB\n");
  CHECK(facts["directory"] == work.path());
  CHECK(facts["umask"] == "027");
  CHECK(facts["nice"] == "7");
  CHECK(facts["rlimit_nofile"].starts_with("321:"));
  CHECK(facts["rlimit_core"].starts_with("0:"));
  CHECK(facts["rlimit_as"].starts_with("1073741824:"));
}

TEST_CASE("exitcodes are separated by blanks or commas") {
  for (const std::string value : {"0 2 5", "0,2,5", "0, 2, 5"}) {
    const auto checked = check("[svc]\nexitcodes : " + value + "\n");
    INFO(value << " → " << checked.err);
    CHECK(checked.code == 0);
    CHECK_THAT(checked.settings["exitcodes"], matches("0[ ,] *2[ ,] *5"));
  }
}

TEST_CASE("The settings of the service are not those of supervise") {
  TempDir work;
  const Supervised svc({.command = service({"facts", "-"}),
                        .conf = "[svc]\ndirectory : " + work.path().string() + "\nnice : 7\nrlimit_nofile : 321\n"});
  facts_of(svc);
  CHECK(directory_of(svc.pid()) == svc.work().path());
  CHECK(getpriority(PRIO_PROCESS, static_cast<id_t>(svc.pid())) == getpriority(PRIO_PROCESS, 0));
  CHECK(text_of("/proc/" + std::to_string(svc.pid()) + "/limits").find(" 321 ") == std::string::npos);
}

TEST_CASE("environment adds variables with quotes and commas") {
  const Supervised svc({.command = service({"facts", "-"}),
                        .conf = "[svc]\nenvironment : A=\"x, y\",B='it is',C=plain,D=\"\",PATH=\"/bin\"\n",
                        .environment = {{"KEPT", "yes"}, {"C", "before"}}});
  const auto facts = facts_of(svc);
  CHECK(facts["env.A"] == "x, y");
  CHECK(facts["env.B"] == "it is");
  CHECK(facts["env.C"] == "plain");
  CHECK(facts.has("env.D"));
  CHECK(facts["env.D"].empty());
  CHECK(facts["env.PATH"] == "/bin");
  CHECK(facts["env.KEPT"] == "yes");
}

TEST_CASE("The command is looked up in the PATH that environment sets") {
  TempDir work;
  write_script(work / "own-program", "exec sleep 100");
  const Supervised svc({.command = {"own-program"},
                        .conf = "[svc]\nenvironment : PATH=\"" + work.path().string() + ":/usr/bin:/bin\"\n"});
  svc.await_service();
}

TEST_CASE("environment_file is read at the start and at r") {
  TempDir work;
  write_file(work / "env", "# a comment\n\nONE=first\nTWO=with blanks\n");
  const Supervised svc(
      {.command = service({"facts", "-"}), .conf = "[svc]\nenvironment_file : " + (work / "env").string() + "\n"});
  CHECK(facts_of(svc)["env.ONE"] == "first");
  CHECK(facts_of(svc)["env.TWO"] == "with blanks");
  write_file(work / "env", "ONE=second\n");
  svc.write("r");
  restart(svc);
  svc.await_that("the new value", [&] { return facts_of(svc)["env.ONE"] == "second"; });
}

TEST_CASE("user as uid and gid in numbers") {
  SKIP_UNLESS(is_root(), "only root can change users");
  const auto both = facts_with("user : 12345:23456\n");
  CHECK(both["uid"] == "12345\t12345\t12345\t12345");
  CHECK(both["gid"] == "23456\t23456\t23456\t23456");
  CHECK(both["groups"].find_first_not_of(" 23456") == std::string::npos);
  const auto one = facts_with("user : 12345\n");
  CHECK(one["uid"] == "12345\t12345\t12345\t12345");
}

TEST_CASE("user as a name brings its group and supplementary groups") {
  SKIP_UNLESS(is_root(), "only root can change users");
  SKIP_UNLESS(enter_own_mounts(), "no mount namespace to be had");
  TempDir work;
  write_file(work / "passwd", "root:x:0:0:root:/root:/bin/sh\ntester:x:4242:4243:Tester:/home/tester:/bin/sh\n");
  write_file(work / "group",
             "root:x:0:\ntester:x:4243:\nextra:x:4244:root,tester\nother:x:4245:testera\nlast:x:4246:tester\n");
  for (const std::string name : {"passwd", "group"})
    REQUIRE(mount((work / name).c_str(), ("/etc/" + name).c_str(), nullptr, MS_BIND, nullptr) == 0);
  const auto facts = facts_with("user : tester\n");
  CHECK(facts["uid"] == "4242\t4242\t4242\t4242");
  CHECK(facts["gid"] == "4243\t4243\t4243\t4243");
  auto groups = words_in(facts["groups"]);
  groups.erase("4243");
  CHECK(groups == std::set<std::string>{"4244", "4246"});
}

TEST_CASE("A supervise that is not root cannot change the user and says so") {
  SKIP_UNLESS(is_root() && has_program("setpriv"), "needs root and setpriv");
  TempDir work;
  fs::copy_file(supervise_program(), work / "supervise");
  chmod((work / "supervise").c_str(), 0755);
  chmod(work.path().c_str(), 0777);
  write_file(work / "supervise.conf", "[svc]\nuser : 1:1\n");
  const auto result = run(Command{.argv = {"setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", "./supervise",
                                           "-p", "status/svc", "-f", "sleep 100"},
                                  .directory = work.path()});
  INFO(result.err);
  CHECK_FALSE(result.err.empty());
  const auto status = read_status(work / "status/svc/status");
  CHECK((result.code == 100 || (status && status->pid == 0)));
}

TEST_CASE("A section that may have been meant is named where there is no command") {
  const TempDir work;
  write_file(work / "c", "[nginx]\ncommand : sleep 1\n[global]\n");
  const auto said = [&](const std::string& name) { return supervise({"-p", "status/" + name, "-F", "c"}, work.path()).err; };
  CHECK_THAT(said("ngnix"), contains("did you mean [nginx]?"));
  CHECK(said("globe").find("did you mean") == std::string::npos);
}

TEST_CASE("A control_group that cannot enter a directory above is warned of once for all of them") {
  const TempDir work;
  write_file(work / "c", "[svc]\ncommand : sleep 1\ncontrol_group : 54322\n");
  fs::create_directories(work / "open" / "closed");
  fs::permissions(work / "open" / "closed", fs::perms::owner_all);
  const auto said = [&](const std::string& dir) { return supervise({"--check", "-p", work / dir, "-F", "c"}, work.path()).err; };
  const auto closed = (work / "open" / "closed").string();
  CHECK_THAT(said("open/closed/made/svc"), contains("c:3: warning: control_group: the group cannot enter ") && contains(closed + ", " + closed + "/made; chmod o+x"));
  CHECK(said("open/svc").find((work / "open").string()) == std::string::npos);
}

TEST_CASE("control_group lets its members write commands and others not") {
  SKIP_UNLESS(is_root() && has_program("setpriv"), "needs root and setpriv");
  const Supervised svc(
      {.command = service({}), .conf = "[svc]\ncontrol_group : daemon\n", .before_exec = [] { umask(077); }});
  struct stat facts {};
  REQUIRE(stat((svc / "control").c_str(), &facts) == 0);
  const auto group = facts.st_gid;
  CHECK(group != 0);
  CHECK(mode_of(svc / "control") == "fifo 0620");
  CHECK(mode_of(svc.dir()) == "dir 0710");
  CHECK(mode_of(svc / "supervise") == "dir 0710");
  CHECK(mode_of(svc / "lock") == "file 0600");
  chmod((svc.work() / "status").c_str(), 0755);
  const auto echo_as = [&svc](const std::string& gid) {
    return run({"setpriv", "--reuid=54321", "--regid=54321", "--groups=" + gid, "sh", "-c",
                "echo s > '" + (svc / "control").string() + "'"})
        .code;
  };
  CHECK(echo_as("54322") != 0);
  CHECK(svc.state()["alarm"] == "on");
  CHECK(echo_as(std::to_string(group)) == 0);
  svc.await("alarm", "off");
}

TEST_CASE("r takes new settings into force") {
  TempDir work;
  const auto log = work / "signals";
  const Supervised svc({.command = service({"trap", "got", log}), .conf = "[svc]\nstopsignal : TERM\n"});
  svc.await_lines(log, 1);
  rewrite(svc, "[svc]\nstopsignal : USR1\nstopwaitsecs : 0.2\n");
  svc.write("r");
  svc.write("d");
  svc.await_state("STOPPED");
  CHECK(lines_of(log) == Words{"got ready", "got USR1", "got CONT"});
  CHECK(svc.state()["exit"] == "signal KILL");
}

TEST_CASE("HUP to supervise reads the configuration again") {
  const Supervised svc({.command = service({"facts", "-"}), .conf = "[svc]\nenvironment : A=one\n"});
  CHECK(facts_of(svc)["env.A"] == "one");
  rewrite(svc, "[svc]\nenvironment : A=two\n");
  ::kill(svc.pid(), SIGHUP);
  svc.await_that("the new value", [&] {
    restart(svc);
    return facts_of(svc)["env.A"] == "two";
  });
}

TEST_CASE("r does not touch the running service") {
  const Supervised svc({.command = service({}), .conf = "[svc]\nnice : 1\n"});
  const auto pid = svc.await_service();
  rewrite(svc, "[svc]\nnice : 2\n");
  svc.write("r");
  svc.write("s");
  svc.await("alarm", "off");
  CHECK(svc.status().pid == pid);
  CHECK(svc.state()["starts"] == "1");
}

TEST_CASE("A new command in the section is used from the next start on") {
  const Supervised svc({.conf = "[svc]\ncommand : sleep 6001\n"});
  const auto pid = svc.await_service();
  rewrite(svc, "[svc]\ncommand : sleep 6002\n");
  svc.write("r");
  svc.write("k");
  svc.await_command(Words{"sleep", "6002"}, pid);
}

TEST_CASE("A faulty file at r is reported with its line and the old settings stay") {
  TempDir work;
  const auto log = work / "signals";
  const Supervised svc({.command = service({"trap", "got", log}), .conf = "[svc]\nstopsignal : USR1\n"});
  const auto pid = svc.await_service();
  svc.await_lines(log, 1);
  rewrite(svc, "[svc]\nstopsignal : USR2\nstartsecs : abc\n");
  svc.write("r");
  svc.await_log("supervise.conf:3: ");
  CHECK_THAT(svc.log(), contains("startsecs"));
  CHECK(alive(svc.pid()));
  CHECK(svc.status().pid == pid);
  svc.write("d");
  svc.await_lines(log, 3);
  CHECK(lines_of(log) == Words{"got ready", "got USR1", "got CONT"});
}

TEST_CASE("A configuration file that is gone at r is reported and the old settings stay") {
  TempDir work;
  const auto log = work / "signals";
  const Supervised svc({.command = service({"trap", "got", log}), .conf = "[svc]\nstopsignal : USR1\n"});
  svc.await_lines(log, 1);
  fs::remove(svc.work() / "supervise.conf");
  svc.write("r");
  svc.await_log("supervise.conf");
  svc.write("d");
  svc.await_lines(log, 3);
  CHECK(lines_of(log)[1] == "got USR1");
}

TEST_CASE("r finds supervise.conf of the working directory that came later") {
  const Supervised svc({.command = service({"facts", "-"})});
  CHECK_FALSE(facts_of(svc).has("env.LATER"));
  write_file(svc.work() / "supervise.conf", "[svc]\nenvironment : LATER=yes\n");
  svc.write("r");
  restart(svc);
  svc.await_that("the new value", [&] { return facts_of(svc)["env.LATER"] == "yes"; });
}

TEST_CASE("In a user namespace the service runs as the user that supervise is already") {
  SKIP_UNLESS(has_program("unshare") && has_program("setpriv") && shell("unshare -Ur true").code == 0, "no user namespace to be had");
  Words unprivileged = {"unshare", "-Ur"};
  if (is_root()) unprivileged = {"setpriv", "--reuid=65534", "--regid=65534", "--groups=65534,12345", "--", "unshare", "-Ur"};
  TempDir work;
  write_file(work / "c.conf", "[svc]\nuser : root\n");
  if (is_root())
    for (const auto& path : {work.path(), work / "c.conf"}) REQUIRE(chown(path.c_str(), 65534, 65534) == 0);
  fs::copy_file(supervise_program(), work / "supervise");    // where everybody can reach it
  unprivileged.insert(unprivileged.end(), {work / "supervise", "-F", work / "c.conf", "-u", "status/svc", "sleep", "100"});
  const auto result = run(Command{.argv = unprivileged, .directory = work.path()});
  CHECK(result.code == 0);
  CHECK(result.err.empty());
  const StatusDir dir(work / "status/svc");
  const auto pid = dir.await_service();
  CHECK(process_field(pid, "Uid") == process_field(dir.recorded_supervise(), "Uid"));
}
