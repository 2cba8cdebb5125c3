#include "core/words.h"

#include "catch.h"

namespace {

using Strings = std::vector<std::string>;

TEST_CASE("a command line is split and quoted as a POSIX shell does it") {
  struct Row {
    std::string line;
    Strings words;
  };
  const Row rows[] = {
      {"", {}},
      {"   \t\n ", {}},
      {"redis", {"redis"}},
      {"  redis   -p\t6379 \n", {"redis", "-p", "6379"}},
      {"'a b' c", {"a b", "c"}},
      {"\"a b\" c", {"a b", "c"}},
      {"a\\ b c", {"a b", "c"}},
      {"a'b'\"c\"d", {"abcd"}},
      {"'' \"\" x", {"", "", "x"}},
      {"'a\\b'", {"a\\b"}},
      {"'say \"hi\"'", {"say \"hi\""}},
      {"\"it's\"", {"it's"}},
      {R"("a\"b\\c\$d\`e")", {R"(a"b\c$d`e)"}},
      {R"("a\nb\ c")", {R"(a\nb\ c)"}},
      {"\\'a\\\"", {"'a\""}},
      {"'a\nb'", {"a\nb"}},
      {"sh -c 'a | b; c'", {"sh", "-c", "a | b; c"}},
      {"$HOME *.c ~", {"$HOME", "*.c", "~"}},
      {"a#b #c", {"a#b", "#c"}},
      {"\xC3\xA4 \xFF", {"\xC3\xA4", "\xFF"}},
  };
  for (const auto& row : rows) {
    INFO("line: " << row.line);
    const auto split = core::split_words(row.line);
    CHECK(split.error == "");
    CHECK(split.words == row.words);
    CHECK(split.shell_operator == "");
  }
}

TEST_CASE("a backslash before a newline joins two lines of a command") {
  CHECK(core::split_words("redis \\\n  -p 1").words == Strings{"redis", "-p", "1"});
  CHECK(core::split_words("\"a\\\nb\"").words == Strings{"ab"});
}

TEST_CASE("an unbalanced quote in a command is an error that names it") {
  struct Row {
    std::string line;
    std::string error;
  };
  const Row rows[] = {
      {"a 'b", "unbalanced '"},
      {"a \"b", "unbalanced \""},
      {"a \"b\\\"", "unbalanced \""},
      {"'", "unbalanced '"},
      {"a\\", "nothing follows the last \\"},
  };
  for (const auto& row : rows) {
    INFO("line: " << row.line);
    CHECK(core::split_words(row.line).error == row.error);
  }
}

TEST_CASE("the first unquoted shell operator of a command is found") {
  struct Row {
    std::string line;
    std::string found;
  };
  const Row rows[] = {
      {"a | b", "|"},  {"a&", "&"},           {"a; b", ";"},        {"a <b", "<"},       {"a 2>&1", ">"},
      {"a $(b)", "$("}, {"a `b`", "`"},       {"a '|' \";\"", ""},  {"a \\| b", ""},     {"a $HOME", ""},
      {"a ';' > b | c", ">"},
  };
  for (const auto& row : rows) {
    INFO("line: " << row.line);
    CHECK(core::split_words(row.line).shell_operator == row.found);
  }
}

}  // namespace
