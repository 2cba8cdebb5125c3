#include "supervise/options.h"

#include "catch.h"
#include "core/command.h"
#include "supervise/service.h"

namespace {

using supervise::Options;
using Strings = std::vector<std::string>;

Options parse(Strings words) {
  words.insert(words.begin(), "supervise");
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  return supervise::parse_options(static_cast<int>(words.size()), argv.data());
}

TEST_CASE("the command is one string after -f or separate words after -u DIR") {
  struct Row {
    Strings words;
    std::string directory;
    Strings command;
  };
  const Row rows[] = {
      {{"-p", "status/redis", "-f", "redis -c 'a b'"}, "status/redis", {"redis", "-c", "a b"}},
      {{"-f", "redis", "-p", "d"}, "d", {"redis"}},
      {{"-pd", "-fredis x"}, "d", {"redis", "x"}},
      {{"-u", "d", "redis", "-c", "a b"}, "d", {"redis", "-c", "a b"}},
      {{"-ud", "redis"}, "d", {"redis"}},
      {{"-u", "d", "redis", "-n", "-p"}, "d", {"redis", "-n", "-p"}},
      {{"-nu", "d", "redis", ""}, "d", {"redis", ""}},
      {{"-p", "d"}, "d", {}},
      {{"-p", "d", "--"}, "d", {}},
      {{"-p", "-d"}, "-d", {}},
  };
  for (const auto& row : rows) {
    INFO("first words: " << row.words[0] << ' ' << row.words[1]);
    const auto options = parse(row.words);
    CHECK(options.error == "");
    CHECK(options.warning == "");
    CHECK((options.mode == Options::Mode::kRun));
    CHECK(options.directory == row.directory);
    CHECK(options.command == row.command);
  }
}

TEST_CASE("the other options are taken in any order before -u DIR") {
  const auto options = parse({"-n", "-F", "my.conf", "-r", "./hook", "-t", "1.5m", "-u", "d", "x"});
  CHECK(options.error == "");
  CHECK(options.foreground);
  CHECK(options.conf == "my.conf");
  CHECK(options.hook == "./hook");
  CHECK(options.hook_reset == core::seconds(90));
  const auto plain = parse({"-p", "d", "-f", "x"});
  CHECK_FALSE(plain.foreground);
  CHECK(plain.conf.empty());
  CHECK(plain.hook.empty());
  CHECK(plain.hook_reset == core::seconds(0));
  CHECK(parse({"--foreground", "-p", "d"}).foreground);
  CHECK(parse({"-nfx", "-p", "d"}).command == Strings{"x"});
}

TEST_CASE("the modes that start nothing need no directory") {
  struct Row {
    Strings words;
    Options::Mode mode;
  };
  const Row rows[] = {{{"-h"}, Options::Mode::kShowHelp},       {{"--help"}, Options::Mode::kShowHelp},
                      {{"-v"}, Options::Mode::kShowVersion},    {{"--version"}, Options::Mode::kShowVersion},
                      {{"--check"}, Options::Mode::kCheck},     {{"--check", "-F", "c"}, Options::Mode::kCheck},
                      {{"--check", "-p", "d", "-f", "x"}, Options::Mode::kCheck}};
  for (const auto& row : rows) {
    const auto options = parse(row.words);
    INFO("first word: " << row.words[0]);
    CHECK(options.error == "");
    CHECK((options.mode == row.mode));
  }
}

TEST_CASE("wrong usage is an error that says what is wrong") {
  struct Row {
    Strings words;
    const char* error;
  };
  const Row rows[] = {
      {{}, "no status directory; -p DIR or -u DIR is needed"},
      {{"-f", "x"}, "no status directory; -p DIR or -u DIR is needed"},
      {{"-p"}, "option -p needs DIR"},
      {{"-p", ""}, "option -p needs DIR"},
      {{"--timeout=", "5", "sleep"}, "option --timeout needs S"},
      {{"-u"}, "option -u needs DIR"},
      {{"-u", "d"}, "-u DIR needs a COMMAND"},
      {{"-p", "d", "-f"}, "option -f needs COMMAND"},
      {{"-p", "d", "-f", "  "}, "-f: the command is empty"},
      {{"-p", "d", "-F"}, "option -F needs CONF"},
      {{"-p", "d", "-Z"}, "unknown option -Z"},
      {{"-p", "d", "-nZ"}, "unknown option -Z"},
      {{"--nope", "-p", "d"}, "unknown option --nope"},
      {{"-p", "d", "x"}, "`x` is not expected; the command goes to -f, or after -u DIR"},
      {{"-p", "d", "-", "y"}, "`-` is not expected; the command goes to -f, or after -u DIR"},
      {{"-p", "d", "-u", "e", "x"}, "one of -p DIR and -u DIR is enough"},
      {{"-u", "d", "-n", "redis"}, "`-n` after -u DIR is taken as the command; options go before -u"},
      {{"-f", "x", "-u", "d", "y"}, "-u takes the command from the words after DIR; leave out -f"},
      {{"-p", "d", "-f", "a 'b"}, "-f: unbalanced ' in `a 'b`; quote as in a POSIX shell"},
      {{"-p", "d", "-t", "x"}, "-t: \"x\" is not a time: a number of seconds or with a unit, such as 10, 1.5, 500ms, 30s, 5m, 2h, 1d"},
  };
  for (const auto& row : rows) {
    INFO("expected: " << row.error);
    CHECK(parse(row.words).error == row.error);
  }
}

TEST_CASE("an unquoted shell operator in -f gets a warning that says to use sh") {
  for (const auto* command : {"a | b", "a && b", "a; b", "a > b", "a < b", "a $(b)"}) {
    INFO("command: " << command);
    const auto options = parse({"-p", "d", "-f", command});
    CHECK(options.error == "");
    CHECK_THAT(options.warning, contains("sh -c"));
  }
  CHECK(parse({"-p", "d", "-f", "sh -c 'a | b'"}).warning == "");
  CHECK(parse({"-u", "d", "a", "|", "b"}).warning == "");
}

TEST_CASE("the help names every option and every control letter") {
  const auto text = supervise::help();
  for (const auto* part : {"-p DIR", "-u DIR", "-f COMMAND", "-F CONF", "-r SCRIPT", "-t SECONDS", "-n, --foreground", "--check",
                           "-v, --version", "-h, --help"})
    CHECK_THAT(text, contains(part));
  for (const auto& command : core::commands())
    CHECK_THAT(text, contains(std::string("  ") + command.byte + "  " + std::string(command.help) + "\n"));
}

TEST_CASE("the name of a service is what follows status or the last component") {
  struct Row {
    const char* path;
    const char* name;
  };
  const Row rows[] = {
      {"/srv/status/redis", "redis"}, {"/status/redis", "redis"}, {"/srv/redis", "redis"},           {"/redis", "redis"},
      {"/srv/status/a/b", "a/b"},     {"/srv/status", "status"},  {"/srv/mystatus/redis", "redis"}, {"/srv/status/my redis", "my redis"},
  };
  for (const auto& row : rows) {
    INFO("path: " << row.path);
    CHECK(supervise::service_name(row.path) == row.name);
  }
}

}  // namespace
