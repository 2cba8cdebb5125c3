// Section 1 of the contract: how supervise is called, what it says, how it detaches.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "harness.h"

using namespace harness;

namespace {

std::string quoted(const Words& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "'" : " '") + word + "'";
  return text;
}

// What arrives as arguments when the service is started with -f and this text after `service argv FILE`.
std::string arguments_after_splitting(const std::string& text) {
  TempDir work;
  const StatusDir dir(work / "status/svc");
  const auto file = work / "argv";
  const auto result = supervise({"-p", dir.dir(), "-f", quoted(service({"argv", file})) + " " + text}, work.path());
  INFO(result.err);
  REQUIRE(result.code == 0);
  dir.await_that("the arguments", [&] { return fs::exists(file); });
  return text_of(file);
}

std::set<std::string> everything_in(const fs::path& directory) {
  std::set<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) names.insert(entry.path());
  return names;
}

}  // namespace

TEST_CASE("The command of -f is put under supervision") {
  TempDir work;
  const StatusDir dir(work / "status/svc");
  const auto words = service({"sleep", "100000"});
  const auto result = supervise({"-p", dir.dir(), "-f", quoted(words)}, work.path());
  CHECK(result.code == 0);
  CHECK(result.out.empty());
  CHECK(result.err.empty());
  dir.await_command(words);
}

TEST_CASE("After -u DIR the rest is separate words and options among them are not ours") {
  TempDir work;
  const StatusDir dir(work / "status/svc");
  Words words = {"-u", dir.dir()};
  for (const auto& word : service({"argv", work / "argv", "two words", "", "-F", "-n", "$HOME", "a'b\"c\\"}))
    words.push_back(word);
  REQUIRE(supervise(words, work.path()).code == 0);
  dir.await_that("the arguments", [&] { return fs::exists(work / "argv"); });
  CHECK(text_of(work / "argv") == "[two words]\n[]\n[-F]\n[-n]\n[$HOME]\n[a'b\"c\\]\n");
}

TEST_CASE("The string of -f is split at blanks and quotes as a POSIX shell does") {
  CHECK(arguments_after_splitting("a  b\tc ") == "[a]\n[b]\n[c]\n");
  CHECK(arguments_after_splitting(R"('a b' "c d" e\ f)") == "[a b]\n[c d]\n[e f]\n");
  CHECK(arguments_after_splitting(R"('' "" x""y)") == "[]\n[]\n[xy]\n");
  CHECK(arguments_after_splitting(R"('a\b' "a\"b\\c\d" "'" '"')") == "[a\\b]\n[a\"b\\c\\d]\n[']\n[\"]\n");
  CHECK(arguments_after_splitting(R"(--opt='v w' a'b'"c"\d)") == "[--opt=v w]\n[abcd]\n");
}

TEST_CASE("The string of -f is not expanded and starts no shell") {
  CHECK(arguments_after_splitting("$HOME * ~ ${x} `id` '$HOME'") == "[$HOME]\n[*]\n[~]\n[${x}]\n[`id`]\n[$HOME]\n");
}

TEST_CASE("An unbalanced quote is a usage error") {
  TempDir work;
  for (const std::string text : {"sleep '100", "sleep \"100", "sleep 100\\"}) {
    const auto result = supervise({"-p", work / "status/svc", "-f", text}, work.path());
    INFO(text << ": " << result.err);
    CHECK(result.code == 100);
    CHECK_FALSE(result.err.empty());
    CHECK_FALSE(fs::exists(work / "status"));
  }
}

TEST_CASE("An unquoted shell operator gets a warning that says to use sh -c") {
  for (const std::string text :
       {"sleep 100 | cat", "sleep 100 &", "sleep 100; true", "sleep 100 < x", "sleep 100 > x", "sleep $(echo 100)"}) {
    TempDir work;
    const auto result = supervise({"-p", work / "status/svc", "-f", text}, work.path());
    INFO(text);
    CHECK(result.code == 0);
    CHECK_THAT(result.err, contains("sh -c"));
  }
}

TEST_CASE("A quoted shell operator gets no warning") {
  TempDir work;
  const auto result =
      supervise({"-p", work / "status/svc", "-f", R"(sh -c 'sleep 100 | cat > x; $(:)' "a&b" c\;d)"}, work.path());
  CHECK(result.code == 0);
  CHECK(result.err.empty());
}

TEST_CASE("Without -f the command comes from the section of the service") {
  const Supervised svc({.conf = "[svc]\ncommand : sleep 4711\n"});
  svc.await_command(Words{"sleep", "4711"});
}

TEST_CASE("The command of -f comes before that of the section") {
  TempDir work;
  const StatusDir dir(work / "status/svc");
  write_file(work / "c", "[svc]\ncommand : sleep 1\n");
  REQUIRE(supervise({"-F", "c", "-p", dir.dir(), "-f", "sleep 4712"}, work.path()).code == 0);
  dir.await_command(Words{"sleep", "4712"});
}

TEST_CASE("No command at all is a usage error") {
  TempDir work;
  const auto result = supervise({"-p", work / "status/svc"}, work.path());
  CHECK(result.code == 100);
  CHECK_FALSE(result.err.empty());
  CHECK(supervise({"-u", work / "status/svc"}, work.path()).code == 100);
  CHECK(supervise({"-p", work / "status/svc", "-f", ""}, work.path()).code == 100);
  CHECK_FALSE(fs::exists(work / "status"));
}

TEST_CASE("supervise.conf in the working directory is the default") {
  TempDir work;
  const StatusDir dir(work / "status/svc");
  write_file(work / "supervise.conf", "[svc]\ncommand : sleep 4713\n");
  REQUIRE(supervise({"-p", "status/svc"}, work.path()).code == 0);
  dir.await_command(Words{"sleep", "4713"});
}

TEST_CASE("The file of -F is relative to the working directory") {
  TempDir work;
  const StatusDir dir(work / "status/svc");
  fs::create_directory(work / "etc");
  write_file(work / "supervise.conf", "[svc]\ncommand : sleep 1\n");
  write_file(work / "etc/other.conf", "[svc]\ncommand : sleep 4714\n");
  REQUIRE(supervise({"-p", dir.dir(), "-F", "etc/other.conf"}, work.path()).code == 0);
  dir.await_command(Words{"sleep", "4714"});
}

TEST_CASE("A file named with -F that cannot be read is an error") {
  TempDir work;
  for (const std::string name : {"missing.conf", "."}) {
    const auto result = supervise({"-F", name, "-p", "status/svc", "-f", "sleep 100"}, work.path());
    INFO(name << ": " << result.err);
    CHECK(result.code == 100);
    CHECK_THAT(result.err, contains(name));
    CHECK_FALSE(fs::exists(work / "status"));
  }
}

TEST_CASE("The -r script is run with N after every exit and before the restart") {
  TempDir work;
  const auto log = work / "log";
  write_script(work / "hook",
               "echo \"hook $1\" >> " + log.string() + "\nsleep 0.1\necho \"done $1\" >> " + log.string());
  const Supervised svc({.command = service({"append", log, "start", "exit", "3"}), .options = {"-r", work / "hook"}});
  svc.await_lines(log, 8);
  auto lines = lines_of(log);
  lines.resize(8);
  CHECK(lines == Words{"start", "hook 1", "done 1", "start", "hook 2", "done 2", "start", "hook 3"});
}

TEST_CASE("With -t the script counts from 1 again when that much time lies between two exits") {
  TempDir work;
  const auto log = work / "log";
  write_script(work / "hook", "echo \"$1\" >> " + log.string());
  const Supervised svc({.command = service({}), .options = {"-r", work / "hook", "-t", "3"}});
  auto end_service_after = [&svc, up = pid_t{0}](Clock::duration time) mutable {
    up = svc.await_service(up);
    std::this_thread::sleep_for(time);
    ::kill(up, SIGKILL);
  };
  end_service_after(0s);
  end_service_after(0s);
  svc.await_lines(log, 2);
  end_service_after(3200ms);
  svc.await_lines(log, 3);
  CHECK(lines_of(log) == Words{"1", "2", "1"});
}

TEST_CASE("Without -t the script only counts up") {
  TempDir work;
  const auto log = work / "log";
  write_script(work / "hook", "echo \"$1\" >> " + log.string());
  const Supervised svc({.command = service({"exit", "0"}), .options = {"-r", work / "hook"}});
  svc.await_lines(log, 3);
  CHECK(text_of(log).substr(0, 6) == "1\n2\n3\n");
}

TEST_CASE("A relative -r script is found from the working directory") {
  Supervised svc({.command = service({}), .options = {"-r", "./hook"}});
  write_script(svc.work() / "hook", "echo \"$1\" > hooked");
  svc.write("k");
  svc.await_that("the hook", [&] { return text_of(svc.work() / "hooked") == "1\n"; });
}

TEST_CASE("Commands are obeyed while the -r script runs") {
  TempDir work;
  write_script(work / "hook", "touch " + (work / "hooked").string() + "; exec sleep 100");
  const Supervised svc({.command = service({}), .options = {"-r", work / "hook"}});
  svc.write("k");
  svc.await_that("the hook", [&] { return fs::exists(work / "hooked"); });
  svc.write("s");
  svc.await_that("byte 14", [&] { return svc.status().alarm == 'x'; });
  svc.write("d");
  svc.await_that("want down", [&] { return svc.status().want == 'd'; });
  CHECK(svc.status().pid == 0);
}

TEST_CASE("A -r script that hangs is killed after hook_timeout and the restart goes on") {
  TempDir work;
  write_script(work / "hook", "echo $$ > " + (work / "pid").string() + "; exec sleep 100");
  const Supervised svc({.command = service({}), .conf = "[svc]\nhook_timeout : 1\n", .options = {"-r", work / "hook"}});
  const auto before = svc.await_service();
  svc.write("k");
  svc.await_service(before);
  CHECK_FALSE(alive(std::atoi(text_of(work / "pid").c_str())));
  svc.await_log("[WARNING]");
}

TEST_CASE("A -r script that does not exist is logged and delays nothing") {
  const Supervised svc({.command = service({}), .options = {"-r", "/nonexistent/hook"}});
  const auto before = svc.await_service();
  svc.write("k");
  svc.await_service(before);
  svc.await_log("/nonexistent/hook");
}

TEST_CASE("The -r script runs clean and in a session of its own") {
  TempDir work;
  const auto facts = work / "facts";
  write_script(work / "hook", "exec " + quoted(service({"facts", facts, "exit", "0"})));
  const Supervised svc({.command = service({}), .options = {"-r", work / "hook"}});
  svc.write("k");
  svc.await_that("the facts", [&] { return fs::exists(facts); });
  const KeyValues of(text_of(facts));
  CHECK(of["session"] == of["pid"]);
  CHECK(of["blocked"] == "0000000000000000");
  CHECK(of["ignored"] == "0000000000000000");
  for (const auto& [key, value] : of.all())
    if (key.starts_with("fd.")) CHECK_THAT(key, matches("fd\\.[012]"));
}

TEST_CASE("With -n and --foreground it does not detach") {
  for (const std::string flag : {"-n", "--foreground"}) {
    TempDir work;
    const StatusDir dir(work / "svc");
    Words argv = {supervise_program(), flag, "-u", dir.dir()};
    for (const auto& word : service({})) argv.push_back(word);
    Child child({.argv = argv});
    dir.await_that("the set-up", [&] { return has_reader(dir / "ok") && dir.state().has("supervise_pid"); });
    CHECK(dir.recorded_supervise() == child.pid());
    CHECK(process(dir.await_service())->parent == child.pid());
    CHECK(child.running());
    dir.write("dx");
    CHECK(child.wait().code == 0);
  }
}

TEST_CASE("With -n the events are also told on stderr") {
  const Supervised svc({.command = {"/nonexistent/program"}, .mode = Mode::kForeground});
  svc.await_that("a word", [&] { return svc.foreground().err().find("/nonexistent/program") != std::string::npos; });
}

TEST_CASE("With -n and a controlling terminal it stays in the session of the terminal") {
  SKIP_UNLESS(has_program("script"), "script(1) is not here");
  TempDir work;
  const StatusDir dir(work / "svc");
  write_script(work / "start", "ps -o sid= -p $$ > sid\nexec " + supervise_program() + " -n -u " + dir.dir().string() +
                                   " " + quoted(service({})));
  Child terminal({.argv = {"script", "-q", "-e", "-c", work / "start", "/dev/null"}, .directory = work.path()});
  dir.await_that("the service", [&] { return has_reader(dir / "ok") && dir.state()["pid"] != ""; });
  const auto session = process(dir.recorded_supervise())->session;
  CHECK(session == std::atoi(text_of(work / "sid").c_str()));
  CHECK(process(dir.await_service())->session == session);
  dir.write("dx");
  terminal.wait();
}

TEST_CASE("The name of the service is what follows status in DIR") {
  TempDir work;
  write_file(work / "c",
             "[redis]\ncommand : sleep 5001\n[web/a]\ncommand : sleep 5002\n[plain]\ncommand : sleep 5003\n"
             "[a]\ncommand : sleep 5004\n");
  const std::pair<std::string, std::string> expected[] = {{"status/redis", "5001"}, {"x/status/web/a", "5002"},
                                                          {"run/plain", "5003"},    {"./status/redis/", "5001"},
                                                          {"laststatus/a", "5004"}, {"mystatus/web/a", "5004"}};
  for (const auto& [path, seconds] : expected) {
    INFO(path);
    const StatusDir dir(work / path);
    const auto result = supervise({"-F", "c", "-p", path}, work.path());
    INFO(result.err);
    REQUIRE(result.code == 0);
    dir.await_command(Words{"sleep", seconds});
    dir.write("dx");
    dir.await_exit();
  }
}

TEST_CASE("Detaching returns when the service is under supervision") {
  for (int i = 0; i < 10; ++i) {
    const Supervised svc({.command = service({})});
    CHECK(is_taken(svc / "lock"));
    CHECK(has_reader(svc / "ok"));
    CHECK(has_reader(svc / "control"));
    CHECK(alive(svc.status().pid));
    CHECK(svc.state()["pid"] == std::to_string(svc.status().pid));
    CHECK(alive(svc.pid()));
    CHECK(svc.launch().out.empty());
    CHECK(svc.launch().err.empty());
  }
}

TEST_CASE("Detaching lets go of the descriptors of the caller") {
  const Supervised svc({.command = service({})});
  const auto open_files = descriptors(svc.pid());
  for (const int fd : {0, 1, 2}) CHECK(open_files.at(fd) == "/dev/null");
  for (const auto& [fd, target] : open_files) {
    INFO(fd << " → " << target);
    CHECK_THAT(target, !contains("memfd:"));
  }
}

TEST_CASE("A command substitution around the detaching command returns") {
  TempDir work;
  const StatusDir dir(work / "svc");
  const auto command = supervise_program() + " -u " + dir.dir().string() + " " + quoted(service({}));
  const auto result = shell("text=$(" + command + " 2>&1); echo \"[$text]\"; " + command + " | cat", work.path());
  CHECK(result.out == "[]\n");
  CHECK(alive(dir.await_service()));
}

TEST_CASE("Descriptors that the caller left open are not kept") {
  const Supervised svc({.command = service({}), .before_exec = [] {
                          for (const int fd : {3, 7, 19}) dup2(1, fd);
                        }});
  for (const auto& [fd, target] : descriptors(svc.pid())) {
    INFO(fd << " → " << target);
    CHECK_THAT(target, !contains("memfd:"));
  }
}

TEST_CASE("Closed standard descriptors at the start do no harm") {
  TempDir work;
  const StatusDir dir(work / "svc");
  Words argv = {supervise_program(), "-u", dir.dir()};
  for (const auto& word : service({"facts", work / "facts"})) argv.push_back(word);
  const auto result = run(Command{.argv = argv, .before_exec = [] {
                                    for (const int fd : {0, 1, 2}) close(fd);
                                  }});
  CHECK(result.code == 0);
  dir.await_that("the facts", [&] { return fs::exists(work / "facts"); });
  const KeyValues facts(text_of(work / "facts"));
  CHECK(facts["fd.0"] == "/dev/null");
  CHECK(facts["fd.1"] == (dir / "supervise/stdout").string());
  CHECK(facts["fd.2"] == (dir / "supervise/stderr").string());
  CHECK(is_taken(dir / "lock"));
}

TEST_CASE("Detached supervise leads a session of its own with the service in it") {
  const Supervised svc({.command = service({})});
  const auto facts = process(svc.pid());
  CHECK(facts->session == svc.pid());
  CHECK(facts->session != getsid(0));
  CHECK(process(svc.await_service())->session == svc.pid());
  CHECK(children(svc.pid()) == std::vector{svc.await_service()});
}

TEST_CASE("The working directory stays and relative commands keep working") {
  TempDir work;
  const StatusDir dir(work / "status/svc");
  write_script(work / "start", "pwd > where; exec " + quoted(service({})));
  REQUIRE(supervise({"-p", "status/svc", "-f", "./start"}, work.path()).code == 0);
  CHECK(directory_of(dir.recorded_supervise()) == work.path());
  const auto first = dir.await_service();
  dir.await_that("the working directory", [&] { return text_of(work / "where") == work.path().string() + "\n"; });
  ::kill(first, SIGKILL);
  CHECK(directory_of(dir.await_service(first)) == work.path());
}

TEST_CASE("DIR and its parents are created with mode 0700 whatever the umask") {
  for (const mode_t mask : {0U, 022U, 077U, 0777U}) {
    TempDir work;
    const Words argv = {supervise_program(), "-p", work / "one/two/svc", "-f", "sleep 100"};
    const auto result = run(Command{.argv = argv, .before_exec = [mask] { umask(mask); }});
    INFO("umask " << mask << ": " << result.err);
    CHECK(result.code == 0);
    for (const std::string name : {"one", "one/two", "one/two/svc"}) CHECK(mode_of(work / name) == "dir 0700");
  }
}

TEST_CASE("An existing DIR keeps its other content") {
  TempDir work;
  fs::create_directories(work / "status/svc/log");
  write_file(work / "status/svc/notes", "mine", 0640);
  REQUIRE(supervise({"-p", "status/svc", "-f", "sleep 100"}, work.path()).code == 0);
  CHECK(text_of(work / "status/svc/notes") == "mine");
  CHECK(mode_of(work / "status/svc/notes") == "file 0640");
  CHECK(fs::is_directory(work / "status/svc/log"));
}

TEST_CASE("A set-up that fails is said on stderr and leaves nothing behind") {
  TempDir work;
  write_file(work / "file", "");
  fs::create_directory(work / "dir");
  const auto before = everything_in(work.path());
  const auto check = [&](const Words& wrapper, const std::string& path) {
    Words argv = wrapper;
    argv.insert(argv.end(), {supervise_program(), "-p", path, "-f", "sleep 424242"});
    const auto result = run(Command{.argv = argv, .directory = work.path()});
    INFO(path << ": " << result.err);
    CHECK(result.code == 111);
    CHECK_FALSE(result.err.empty());
    CHECK(everything_in(work.path()) == before);
  };
  check({}, "file/status/svc");
  check({"prlimit", "--nofile=5"}, "new/status/svc");
  check({"prlimit", "--nofile=5"}, "dir/svc");
  CHECK(wait_until([] { return run({"pgrep", "-f", "sleep 424242"}).code == 1; }));
}

TEST_CASE("DIR that is a file is refused") {
  TempDir work;
  write_file(work / "svc", "precious");
  const auto result = supervise({"-p", "svc", "-f", "sleep 100"}, work.path());
  CHECK((result.code == 100 || result.code == 111));
  CHECK_THAT(result.err, contains("svc"));
  CHECK(text_of(work / "svc") == "precious");
}

TEST_CASE("A first start that fails is said on stderr and the retries go on") {
  TempDir work;
  const StatusDir dir(work / "status/svc");
  fs::create_directory(work / "bin");
  const auto path = (work / "bin").string() + ":/usr/bin:/bin";
  const auto result = run(Command{.argv = {supervise_program(), "-p", "status/svc", "-f", "redis-sever --port 0"},
                                  .directory = work.path(),
                                  .environment = {{"PATH", path}}});
  CHECK(result.code == 0);
  CHECK_THAT(result.err, contains("command not found: redis-sever"));
  CHECK(dir.status().pid == 0);
  CHECK(alive(dir.recorded_supervise()));
  write_script(work / "bin/redis-sever", "exec sleep 100");
  dir.await_service();
}

TEST_CASE("Wrong usage exits with 100 and says what is wrong") {
  TempDir work;
  const Words wrong[] = {{},
                         {"-p"},
                         {"-Q"},
                         {"-p", "svc", "--no-such-option"},
                         {"-p", "svc", "-f"},
                         {"-p", "svc", "-f", "sleep 1", "left over"},
                         {"-p", "svc", "-f", "sleep 1", "-r", "hook", "-t", "soon"},
                         {"-p", "", "-f", "sleep 1"}};
  for (const auto& words : wrong) {
    const auto result = supervise(words, work.path());
    INFO(quoted(words) << ": " << result.err);
    CHECK(result.code == 100);
    CHECK_FALSE(result.err.empty());
    CHECK(result.out.empty());
  }
  CHECK(fs::is_empty(work.path()));
}

TEST_CASE("Version with -v and a summary with the control letters with -h") {
  TempDir work;
  const auto version = supervise({"-v"}, work.path());
  CHECK(version.code == 0);
  CHECK_THAT(version.out, contains("supervise"));
  CHECK(version.err.empty());
  const auto help = supervise({"-h"}, work.path());
  CHECK(help.code == 0);
  for (const std::string part : {"-p", "-u", "-f", "-F", "-r", "-t", "-n", "--check", "control"})
    CHECK_THAT(help.out, contains(part));
  for (const char letter : std::string_view("duoxktihapcq12wsnr")) {
    INFO(letter << " is missing in\n" << help.out);
    CHECK(std::ranges::any_of(lines_in(help.out), [letter](const std::string& line) {
      const auto first = line.find_first_not_of(' ');
      return first != std::string::npos && line[first] == letter && line.substr(first + 1, 1) == " ";
    }));
  }
}

TEST_CASE("A second supervise on the same DIR exits with 100 and says who holds it") {
  const Supervised first({.command = service({})});
  const auto service_pid = first.await_service();
  fs::create_directory_symlink(first.dir(), first.work() / "alias");
  for (const std::string path : {"status/svc", "./status/../status/svc/", "alias"})
    for (const Words& options : {Words{}, Words{"-n"}}) {
      Words words = options;
      words.insert(words.end(), {"-p", path, "-f", "sleep 100"});
      const auto result = supervise(words, first.work().path());
      INFO(quoted(words) << ": " << result.err);
      CHECK(result.code == 100);
      CHECK_THAT(result.err, contains(std::to_string(first.pid())));
    }
  CHECK(alive(first.pid()));
  CHECK(first.status().pid == service_pid);
  first.write("s");
  first.await("alarm", "off");
}

TEST_CASE("Of twenty supervises started at once on one DIR exactly one stays") {
  TempDir work;
  const StatusDir dir(work / "svc");
  std::vector<std::unique_ptr<Child>> starters;
  for (int i = 0; i < 20; ++i)
    starters.push_back(
        std::make_unique<Child>(Command{.argv = {supervise_program(), "-p", dir.dir(), "-f", "sleep 100"}}));
  int winners = 0;
  for (const auto& starter : starters) {
    const auto result = starter->wait();
    INFO(result.err);
    if (result.code == 0)
      ++winners;
    else
      CHECK(result.code == 100);
  }
  CHECK(winners == 1);
  CHECK(children(dir.recorded_supervise()) == std::vector{dir.await_service()});
}

TEST_CASE("DIR can be used again when its supervise has ended") {
  const Supervised first({.command = service({})});
  const auto before = first.await_service();
  first.write("dx");
  first.await_exit();
  CHECK(first.status().pid == 0);
  REQUIRE(supervise({"-p", first.dir(), "-f", "sleep 100"}, first.work().path()).code == 0);
  first.await_service(before);
  CHECK(first.recorded_supervise() != first.pid());
}

TEST_CASE("With --check the effective settings are printed and nothing is started") {
  TempDir work;
  write_file(work / "supervise.conf", "[global]\nstopwaitsecs : 7\n[svc]\ncommand : sleep 424343\nstopsignal : INT\n");
  const auto result = supervise({"--check", "-p", "status/svc"}, work.path());
  CHECK(result.code == 0);
  CHECK(result.err.empty());
  const KeyValues settings(result.out, " : ");
  CHECK(settings["command"] == "sleep 424343");
  CHECK(settings["stopsignal"] == "INT");
  CHECK_THAT(settings["stopwaitsecs"], matches("7s?"));
  CHECK(settings["autorestart"] == "true");
  CHECK_FALSE(fs::exists(work / "status"));
  CHECK(run({"pgrep", "-f", "sleep 424343"}).code == 1);
}

TEST_CASE("The output of --check is a configuration that means the same") {
  TempDir work;
  write_file(work / "one",
             "[svc]\ncommand : sh -c 'sleep 1; true'\nstopwaitsecs : 1m\nrlimit_as : 2GB\nexitcodes : 0,2\n"
             "environment : A=\"x, y\",B=z\nbackoff : linear\nbackoff_jitter : 0.25\nstopasgroup : yes\n");
  const auto first = supervise({"--check", "-F", "one", "-p", "svc"}, work.path());
  REQUIRE(first.code == 0);
  write_file(work / "two", "[svc]\n" + first.out);
  const auto second = supervise({"--check", "-F", "two", "-p", "svc"}, work.path());
  INFO(first.out << second.err);
  CHECK(second.code == 0);
  CHECK(second.out == first.out);
}

TEST_CASE("With --check a faulty file is told and the exit status is 100") {
  TempDir work;
  write_file(work / "bad.conf", "[svc]\nstartsecs : abc\n");
  const auto result = supervise({"--check", "-F", "bad.conf", "-p", "svc"}, work.path());
  CHECK(result.code == 100);
  CHECK_THAT(result.err, contains("bad.conf:2:"));
  CHECK_THAT(result.err, contains("startsecs"));
}

TEST_CASE("Supervise in the foreground exits with 0 after TERM") {
  const Supervised svc({.command = service({}), .mode = Mode::kForeground});
  const auto service_pid = svc.await_service();
  svc.foreground().kill(SIGTERM);
  CHECK(svc.foreground().wait().code == 0);
  CHECK_FALSE(alive(service_pid));
  CHECK(svc.status().pid == 0);
}
