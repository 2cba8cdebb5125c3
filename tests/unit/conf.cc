#include "core/conf.h"

#include "catch.h"

namespace {

using namespace std::string_view_literals;
using core::Settings;
using core::seconds;
using Strings = std::vector<std::string>;

// What a file says for `service`, and everything that is wrong with it, as text.
struct Read {
  Settings settings;
  Strings problems;
};

Read read(std::string_view text, std::string_view service = "redis") {
  const auto conf = core::parse_conf(text);
  auto resolved = core::resolve(conf, service);
  Read out{std::move(resolved.settings), {}};
  for (const auto& diagnostic : conf.diagnostics) out.problems.push_back(core::to_text(diagnostic, "F"));
  for (const auto& diagnostic : resolved.diagnostics) out.problems.push_back(core::to_text(diagnostic, "F"));
  return out;
}

TEST_CASE("the example of the contract is read as it says") {
  const std::string text =
      "[lone]\nmax_tries : 3\n[global]\nalarm_interval : 60\nalarm_mail : ops@example.org\nalarm_gsm :\nmax_tries : 10\n"
      "max_tries_if_coredumped : 10\n[redis]\nalarm_mail : a@example.org b@example.org\n";
  const auto redis = read(text);
  CHECK(redis.problems == Strings{});
  CHECK(redis.settings.policy.alarm_interval == seconds(60));
  CHECK(redis.settings.policy.max_tries == 10);
  CHECK(redis.settings.policy.max_tries_if_coredumped == 10);
  CHECK(redis.settings.alarm_mail == Strings{"ops@example.org", "a@example.org", "b@example.org"});
  CHECK(redis.settings.alarm_gsm.empty());
  const auto lone = read(text, "lone");
  CHECK(lone.settings.policy.max_tries == 3);
  CHECK(lone.settings.policy.alarm_interval == seconds(0));
  CHECK(lone.settings.alarm_mail.empty());
  const auto other = read(text, "not-named");
  CHECK(other.settings.policy.max_tries == 10);
  CHECK(other.settings.alarm_mail == Strings{"ops@example.org"});
}

TEST_CASE("an empty file and a file of comments set nothing") {
  for (const auto* text : {"", "\n", "\n\n\n", "# c", "; c\n#c\n", "\xEF\xBB\xBF", "\r\n\r\n", "  \t \n", " # c\n\t; c\n"}) {
    const auto out = read(text);
    CHECK(out.problems == Strings{});
    CHECK(out.settings.policy.startretries == core::kUnlimited);
  }
}

// Lines that set startretries of [redis], one row a notation.
TEST_CASE("an item may be written in all these ways") {
  for (const auto* line : {"startretries : 5", "startretries = 5", "startretries:5", "startretries=5", "startretries\t:\t5\t", "startretries :5 ; c",
                           "startretries : 5\t;c", "startretries : 5 ; c ; d", "startretries : 5\r", "startretries  =  5  "}) {
    INFO("line: " << line);
    const auto out = read(std::string("[redis]\n") + line + "\n");
    CHECK(out.problems == Strings{});
    CHECK(out.settings.policy.startretries == 5);
  }
}

TEST_CASE("a value holds colons and equal signs and hashes and a semicolon that no blank precedes") {
  struct Row {
    const char* line;
    Strings command;
  };
  const Row rows[] = {
      {"command : a:b=c", {"a:b=c"}},      {"command = a = b : c", {"a", "=", "b", ":", "c"}}, {"command : a # b", {"a", "#", "b"}},
      {"command : sh -c a;b", {"sh", "-c", "a;b"}}, {"command : a ;b", {"a"}},                  {"command : ;a", {}},
  };
  for (const auto& row : rows) {
    INFO("line: " << row.line);
    CHECK(read(std::string("[redis]\n") + row.line).settings.command == row.command);
  }
}

TEST_CASE("a byte-order mark and CRLF line ends are dealt with silently") {
  const auto out = read("\xEF\xBB\xBF[redis]\r\nstartretries : 5\r\ncommand : a b\r\n");
  CHECK(out.problems == Strings{});
  CHECK(out.settings.policy.startretries == 5);
  CHECK(out.settings.command == Strings{"a", "b"});
}

TEST_CASE("NUL bytes are taken out with a warning") {
  const auto out = read("[red\0is]\nstart\0retries : 5\0\n"sv);
  CHECK(out.problems == Strings{"F:1: warning: NUL bytes are ignored", "F:2: warning: NUL bytes are ignored"});
  CHECK(out.settings.policy.startretries == 5);
}

TEST_CASE("a line with alarm_mail is cut after 2048 bytes with a warning that names it") {
  const std::string head = "alarm_mail : ";
  const auto line = [&](std::size_t size) { return head + std::string(size - head.size(), 'x'); };
  const auto whole = read("[redis]\n" + line(2048) + "\n");
  CHECK(whole.problems == Strings{});
  CHECK(whole.settings.alarm_mail.at(0).size() == 2048 - head.size());
  const auto cut = read("[redis]\n" + line(2049) + "\nstartretries : 5\n");
  CHECK(cut.problems == Strings{"F:2: warning: alarm_mail: the line is longer than 2048 bytes and is cut there"});
  CHECK(cut.settings.alarm_mail.at(0).size() == 2048 - head.size());
  CHECK(cut.settings.policy.startretries == 5);
  CHECK(read("[redis]\r\n" + line(2048) + "\r\n").problems == Strings{});
  CHECK(read("[redis]\nalarm_mail : a@b" + std::string(2048, ' ') + "\n").problems == cut.problems);
}

TEST_CASE("any other value may have 128 KiB and more is an error") {
  const auto line = [](std::size_t size) { return "[redis]\ncommand : " + std::string(size, 'x') + "\nstartretries : 5\n"; };
  const auto whole = read(line(128 << 10));
  CHECK(whole.problems == Strings{});
  CHECK(whole.settings.command.at(0).size() == 128 << 10);
  const auto longer = read(line((128 << 10) + 1));
  CHECK(longer.problems == Strings{"F:2: error: command: the value is longer than 128 KiB"});
  CHECK(longer.settings.command.empty());
  CHECK(read("# " + std::string(1 << 18, 'x') + "\n").problems == Strings{});
}

TEST_CASE("no message quotes a whole long line") {
  const std::string much(5000, 'x');
  for (const auto& text : {much, much + " : 1", "startretries : " + much, "environment : A=1 " + much, "command : \"" + much, "[ " + much + "]", "[a:" + much + "]"}) {
    const auto out = read("[redis]\n" + text + "\n");
    INFO("text: " << text.substr(0, 20));
    REQUIRE(out.problems.size() == 1);
    CHECK(out.problems[0].size() < 500);
  }
}

TEST_CASE("an indented line is no item and gets a warning") {
  const std::string warning = ": warning: an indented line is not an item and is ignored; items start in the first column";
  const auto out = read("[redis]\n startretries : 5\n\tstartretries : 6\n [lone]\n");
  CHECK(out.problems == Strings{"F:2" + warning, "F:3" + warning, "F:4" + warning});
  CHECK(out.settings.policy.startretries == core::kUnlimited);
}

TEST_CASE("lines that are no items are errors with their number") {
  struct Row {
    const char* text;
    const char* problem;
  };
  const Row rows[] = {
      {"[redis]\nstartretries 5\n", "F:2: error: \"startretries 5\" is not an item; `key : value` is expected"},
      {"[redis]\n: 5\n", "F:2: error: the item has no key; `key : value` is expected"},
      {"startretries : 5\n[redis]\n", "F:1: error: item \"startretries\" stands before any section; [global] or [SERVICE] is expected first"},
      {"[redis\nstartretries : 5\n", "F:1: error: the section header has no ]"},
      {"[]\nstartretries : 5\n", "F:1: error: the section has no name; [NAME] is expected"},
      {"[ redis]\nstartretries : 5\n", "F:1: error: no blanks between the brackets and the name; [redis] would be right"},
      {"[redis ]\nstartretries : 5\n", "F:1: error: no blanks between the brackets and the name; [redis] would be right"},
      {"[redis\t]\n", "F:1: error: no blanks between the brackets and the name; [redis] would be right"},
      {"[redis] startretries : 5\n", "F:1: error: nothing but a comment may follow the ] of a section header"},
      {"[redis]x\n", "F:1: error: nothing but a comment may follow the ] of a section header"},
      {"[program:redis]\nstartretries : 5\n", "F:1: warning: unknown kind of section [program:redis], ignored; [redis] would be right"},
  };
  for (const auto& row : rows) {
    INFO("text: " << row.text);
    const auto out = read(row.text);
    CHECK(out.problems == Strings{row.problem});
    CHECK(out.settings.policy.startretries == core::kUnlimited);
  }
}

TEST_CASE("a header may be followed by blanks and a comment") {
  for (const auto* header : {"[redis]", "[redis] ", "[redis]\t; c", "[redis] ;c", "[redis]\r"}) {
    INFO("header: " << header);
    const auto out = read(std::string(header) + "\nstartretries : 5\n");
    CHECK(out.problems == Strings{});
    CHECK(out.settings.policy.startretries == 5);
  }
}

TEST_CASE("section names are taken as they are") {
  CHECK(read("[my service/1]\nstartretries : 5\n", "my service/1").settings.policy.startretries == 5);
  CHECK(read("[Redis]\nstartretries : 5\n").settings.policy.startretries == core::kUnlimited);
  CHECK(read("[redis2]\nstartretries : 5\n").settings.policy.startretries == core::kUnlimited);
  CHECK(read("[]]\nstartretries : 5\n").problems.size() == 1);
}

TEST_CASE("an unknown key is a warning and the rest counts") {
  const auto out = read("[redis]\nstartretry : 5\nstartretries : 6\nSTARTRETRIES : 7\n");
  CHECK(out.problems == Strings{"F:2: warning: unknown key \"startretry\", ignored; did you mean startretries?",
                                "F:4: warning: unknown key \"STARTRETRIES\", ignored; did you mean startretries?"});
  CHECK(out.settings.policy.startretries == 6);
}

TEST_CASE("of a duplicate key the last one counts with a warning") {
  const auto out = read("[redis]\nstartretries : 5\nstartretries : 6\n");
  CHECK(out.problems == Strings{"F:3: warning: duplicate key \"startretries\", first in line 2; this one counts"});
  CHECK(out.settings.policy.startretries == 6);
}

TEST_CASE("a section that comes again goes on with a warning") {
  const auto out = read("[redis]\nstartretries : 5\n[x]\n[redis]\nnice : 2\n");
  CHECK(out.problems == Strings{"F:4: warning: section [redis] again, first in line 1; the two count as one"});
  CHECK(out.settings.policy.startretries == 5);
  CHECK(out.settings.nice == 2);
}

TEST_CASE("a bad value is an error that says what would be right and the old value stays") {
  const auto out = read("[global]\nstartsecs : 3\n[redis]\nstartsecs : abc\nmax_tries : -1\n");
  CHECK(out.problems ==
        Strings{"F:4: error: startsecs: \"abc\" is not a time: a number of seconds or with a unit, such as 10, 1.5, 500ms, 30s, 5m, 2h, 1d",
                "F:5: error: max_tries: \"-1\" is not a number from 0 to 1000000000"});
  CHECK(out.settings.policy.startsecs == seconds(3));
}

TEST_CASE("errors in the sections of other services do not matter but syntax errors do") {
  const std::string text = "[global]\nstartretries : 2\n[other]\nstartretries : x\nunknown : 1\n[redis]\n";
  CHECK(read(text).problems == Strings{});
  CHECK(read(text, "other").problems.size() == 2);
  CHECK(read("[other]\nnonsense\n[redis]\n").problems.size() == 1);
}

TEST_CASE("errors are told from warnings") {
  CHECK(core::has_errors(core::parse_conf("nonsense").diagnostics));
  CHECK_FALSE(core::has_errors(core::parse_conf("[a:b]").diagnostics));
  CHECK_FALSE(core::has_errors({}));
}

TEST_CASE("a section after global inherits and overrides and one before it does not") {
  struct Row {
    const char* text;
    unsigned max_tries;
    int startretries;
  };
  const Row rows[] = {
      {"[global]\nmax_tries : 1\nstartretries : 2\n[redis]\nmax_tries : 5\n", 5, 2},
      {"[redis]\nmax_tries : 5\n[global]\nmax_tries : 1\nstartretries : 2\n", 5, core::kUnlimited},
      {"[global]\nmax_tries : 1\nstartretries : 2\n[redis]\n", 1, 2},
      {"[redis]\n[global]\nmax_tries : 1\n", 0, core::kUnlimited},
      {"[global]\nmax_tries : 1\n[x]\nmax_tries : 7\n", 1, core::kUnlimited},
      {"[x]\nmax_tries : 7\n[redis]\nmax_tries : 5\n", 5, core::kUnlimited},
      {"[global]\nmax_tries : 1\n[redis]\nmax_tries :\n", 0, core::kUnlimited},
      {"[global]\nmax_tries : 1\n[redis]\nmax_tries : 0\n", 0, core::kUnlimited},
  };
  for (const auto& row : rows) {
    INFO("text: " << row.text);
    const auto out = read(row.text);
    CHECK(out.settings.policy.max_tries == row.max_tries);
    CHECK(out.settings.policy.startretries == row.startretries);
  }
}

TEST_CASE("alarm addresses and numbers add up and each person is told once") {
  const auto out = read(
      "[global]\nalarm_mail : a@x b@x\talarm@x  a@x\nalarm_gsm : 1 +2\n[redis]\nalarm_mail : b@x c@x\nalarm_gsm : +2 3\n");
  CHECK(out.problems == Strings{});
  CHECK(out.settings.alarm_mail == Strings{"a@x", "b@x", "alarm@x", "c@x"});
  CHECK(out.settings.alarm_gsm == Strings{"1", "+2", "3"});
}

TEST_CASE("an empty alarm_mail of a service leaves the global one") {
  const auto out = read("[global]\nalarm_mail : a@x\nalarm_gsm : 1\n[redis]\nalarm_mail :\nalarm_gsm : \t\n");
  CHECK(out.problems == Strings{});
  CHECK(out.settings.alarm_mail == Strings{"a@x"});
  CHECK(out.settings.alarm_gsm == Strings{"1"});
}

TEST_CASE("at most ten numbers are told and more get a warning") {
  const std::string ten = "[global]\nalarm_gsm : 1 2 3 4 5\n[redis]\nalarm_gsm : 5 6 7 8 9 10";
  CHECK(read(ten).problems == Strings{});
  CHECK(read(ten).settings.alarm_gsm.size() == 10);
  const auto eleven = read(ten + " 11\n");
  REQUIRE(eleven.problems.size() == 1);
  CHECK(eleven.problems[0] == "F:4: warning: alarm_gsm has more than 10 numbers; the first 10 count");
  CHECK(eleven.settings.alarm_gsm.size() == 10);
}

TEST_CASE("an alarm interval below a minute counts as a minute and none or 0 or empty is off") {
  struct Row {
    const char* value;
    core::Nanos interval;
  };
  const Row rows[] = {{"0", seconds(0)},   {"", seconds(0)},     {"1", seconds(60)},   {"59", seconds(60)}, {"0.5", seconds(60)},
                      {"60", seconds(60)}, {"61", seconds(61)},  {"5m", seconds(300)}, {"500ms", seconds(60)}};
  for (const auto& row : rows) {
    INFO("value: " << row.value);
    const auto out = read(std::string("[redis]\nalarm_interval : ") + row.value);
    CHECK(out.problems == Strings{});
    CHECK(out.settings.policy.alarm_interval == row.interval);
  }
  CHECK(read("[global]\nalarm_interval : 90\n[redis]\nalarm_interval :\n").settings.policy.alarm_interval == seconds(0));
  CHECK(read("").settings.policy.alarm_interval == seconds(0));
}

TEST_CASE("an empty value restores the default of any key") {
  for (const auto& key : core::keys()) {
    INFO("key: " << key.name);
    const auto out = read("[redis]\n" + std::string(key.name) + " :\n");
    CHECK(out.problems == Strings{});
    CHECK(key.print(out.settings) == key.print(Settings()));
  }
}

TEST_CASE("the items that count are told in the order of their taking effect") {
  const auto conf = core::parse_conf("[global]\nmax_tries : 1\nunknown : 1\n[other]\nnice : 1\n[redis]\nmax_tries : 2\nalarm_mail :\n");
  std::string told;
  for (const auto& item : core::resolve(conf, "redis").items) told += std::to_string(item.line) + ":" + item.key + "=" + item.value + " ";
  CHECK(told == "2:max_tries=1 7:max_tries=2 ");
}

TEST_CASE("a printed command survives a configuration file") {
  for (const Strings& command : {Strings{"a", "; b"}, Strings{"a", ";"}, Strings{";a", " ;b ;c"}, Strings{"\t;x", "a;b"}, Strings{"a ", " b"},
                                 Strings{"$x", "`y`", "#z"}, Strings{"'", "\"", "\\"}, Strings{"", "x"}}) {
    Settings settings;
    settings.command = command;
    const auto printed = core::find_key("command")->print(settings);
    INFO("printed: " << printed);
    CHECK(read("[redis]\ncommand : " + printed + "\n").settings.command == command);
  }
}

TEST_CASE("a printed environment survives a configuration file") {
  for (const auto* value : {"x", "a ; b", " ;", "a,b", "a\"b\\c", "'", "", "#", "a=b"}) {
    Settings settings;
    settings.environment = {{"A", value}, {"B", "end"}};
    const auto printed = core::find_key("environment")->print(settings);
    INFO("printed: " << printed);
    CHECK(read("[redis]\nenvironment : " + printed + "\n").settings.environment == settings.environment);
  }
}

TEST_CASE("no bytes make the parser fail") {
  std::uint32_t random = 12345;
  const auto alphabet = "[]global\nredis:=;# \t\r\0\xEF\xBB\xBF\"'\\,0159max_tries"sv;
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    for (int i = 0; i < 60; ++i) {
      random = random * 1664525 + 1013904223;
      text += alphabet[(random >> 8) % alphabet.size()];
    }
    const auto out = read(text);
    for (const auto& problem : out.problems) REQUIRE(problem.starts_with("F:"));
  }
}

TEST_CASE("messages name what was meant") {
  struct Row {
    const char* line;
    const char* problem;
  };
  const Row rows[] = {
      {"alarm_mial : a@b", "F:2: warning: unknown key \"alarm_mial\", ignored; did you mean alarm_mail?"},
      {"command : sh -c \"a ; b\"", "F:2: error: command: \"sh -c \"a\" is not a command with balanced quotes (unbalanced \"); a ; after a blank begins a comment, also within quotes; without the blank it begins none"},
      {"command : worker # of mine", "F:2: warning: command: what follows # is part of the value; a comment begins with a ; after a blank"},
      {"command : sh -c 'a # b'", ""},
      {"command : sh -c 'a # b' x#y", ""},
      {"max_restarts : x", "F:2: error: max_restarts: \"x\" is not a number from 0 to 1000000000, or unlimited (-1)"},
      {"stdout_logfile_maxbytes : 2G", ""},
      {"stdout_logfile_maxbytes : 2gb", ""},
  };
  for (const auto& row : rows) {
    INFO("line: " << row.line);
    const auto out = read(std::string("[redis]\n") + row.line + "\n");
    CHECK(out.problems == (*row.problem ? Strings{row.problem} : Strings{}));
  }
}

}  // namespace
