#include "core/environment.h"

#include "catch.h"

namespace {

using core::Variables;

TEST_CASE("environment takes names and values quoted or bare") {
  struct Row {
    const char* text;
    Variables variables;
  };
  const Row rows[] = {
      {"", {}},
      {"A=\"x\",B=\"y\"", {{"A", "x"}, {"B", "y"}}},
      {"A=x , B=y", {{"A", "x"}, {"B", "y"}}},
      {"A=,B=\"\"", {{"A", ""}, {"B", ""}}},
      {"A='a \"b\" \\c'", {{"A", "a \"b\" \\c"}}},
      {R"(A="a \"b\" \\c")", {{"A", "a \"b\" \\c"}}},
      {"A=\"x,y\",_b9=1", {{"A", "x,y"}, {"_b9", "1"}}},
      {"PATH=\"/bin\":'/usr/bin':x", {{"PATH", "/bin:/usr/bin:x"}}},
      {"A=a=b", {{"A", "a=b"}}},
      {"A=\"x\",", {{"A", "x"}}},
      {"A=1,A=2", {{"A", "1"}, {"A", "2"}}},
      {"A=%h;c", {{"A", "%h;c"}}},
  };
  for (const auto& row : rows) {
    INFO("text: " << row.text);
    const auto parsed = core::parse_environment(row.text);
    CHECK(parsed.error == "");
    CHECK(parsed.variables == row.variables);
  }
}

TEST_CASE("a faulty environment is refused with the place") {
  struct Row {
    const char* text;
    const char* error;
  };
  const Row rows[] = {
      {"A", "a NAME=\"VALUE\" is expected at `A`"},
      {"1A=x", "a NAME=\"VALUE\" is expected at `1A=x`"},
      {"=x", "a NAME=\"VALUE\" is expected at `=x`"},
      {"A=x,,B=y", "a NAME=\"VALUE\" is expected at `,B=y`"},
      {"A =x", "a NAME=\"VALUE\" is expected at `A`"},
      {"A=\"x", "the quote in the value of A is not closed"},
      {"A=1,B='x", "the quote in the value of B is not closed"},
      {"A=x B=y", "a comma is expected after the value of A"},
  };
  for (const auto& row : rows) {
    INFO("text: " << row.text);
    CHECK(core::parse_environment(row.text).error == row.error);
  }
}

TEST_CASE("an environment file holds a variable a line") {
  const auto parsed = core::parse_environment_file(
      "# comment\n; comment\n\n  A=x \nB=\"a b\"\nC='c'\nD=\nE=\"\nF=a#b\r\nG=\"x\"y\n  # indented comment\nH=\"\"");
  CHECK(parsed.error == "");
  CHECK(parsed.variables ==
        Variables{{"A", "x"}, {"B", "a b"}, {"C", "c"}, {"D", ""}, {"E", "\""}, {"F", "a#b"}, {"G", "\"x\"y"}, {"H", ""}});
}

TEST_CASE("a faulty line of an environment file is named") {
  struct Row {
    const char* text;
    int line;
  };
  const Row rows[] = {{"A=1\nB\n", 2}, {"=1", 1}, {"#\n\nA B=1", 3}, {"A=1\n1=2", 2}};
  for (const auto& row : rows) {
    const auto parsed = core::parse_environment_file(row.text);
    CHECK(parsed.error == "not NAME=VALUE");
    CHECK(parsed.line == row.line);
  }
}

TEST_CASE("a line of a shell script in an environment file is told what is too much") {
  const auto out = core::parse_environment_file("A=1\nexport B=2\n");
  CHECK(out.line == 2);
  CHECK(out.error == "NAME=VALUE is expected, without export");
}

}  // namespace
