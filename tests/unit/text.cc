#include "core/text.h"

#include <cstdint>
#include <limits>

#include "catch.h"
#include "core/fixed_vector.h"
#include "core/number.h"
#include "core/strings.h"
#include "core/time.h"

namespace {

using namespace std::string_view_literals;

TEST_CASE("a text takes words and characters and numbers") {
  core::Text<64> text;
  text << "a" << std::string_view("bc") << 'd' << 42 << ' ' << -7 << ' ' << std::numeric_limits<std::uint64_t>::max();
  CHECK(text.view() == "abcd42 -7 18446744073709551615");
  CHECK(std::string(text.c_str()) == text.view());
  text.clear();
  CHECK(text.view().empty());
}

TEST_CASE("a text that is full is cut and never overrun") {
  core::Text<4> text;
  text << "abc";
  CHECK_FALSE(text.full());
  text << "def" << 'g' << 8;
  CHECK(text.view() == "abcd");
  CHECK(text.full());
  CHECK(std::string(text.c_str()) == "abcd");
}

TEST_CASE("seconds are cut to the decimal places that are asked for") {
  struct Row {
    std::int64_t nanos;
    int places;
    const char* text;
  };
  const Row rows[] = {{0, 1, "0.0"},
                      {1'999'999'999, 1, "1.9"},
                      {1'000'000'001, 9, "1.000000001"},
                      {1'050'000'000, 3, "1.050"},
                      {-1'500'000'000, 2, "-1.50"},
                      {-1, 9, "-0.000000001"},
                      {std::numeric_limits<std::int64_t>::max(), 3, "9223372036.854"}};
  for (const auto& row : rows) {
    core::Text<40> text;
    text.seconds(core::Nanos(row.nanos), row.places);
    CHECK(text.view() == row.text);
  }
}

TEST_CASE("foreign text shows UTF-8 as it is and escapes what is none or acts on a terminal") {
  struct Row {
    std::string_view text, shown;
  };
  const Row rows[] = {{"a\0b\n\t\r\x1b[1m\x7f ~"sv, "a\\x00b\\n\\t\\r\\x1b[1m\\x7f ~"},
                      {"\xC3\xA4 \xE4\xB8\xAD\xE6\x96\x87 \xF0\x9F\x98\x80", "\xC3\xA4 \xE4\xB8\xAD\xE6\x96\x87 \xF0\x9F\x98\x80"},
                      {"\xff \xC3 \xC3(", "\\xff \\xc3 \\xc3("},
                      {"\xC0\xAF \xE0\x80\xAF \xED\xA0\x80 \xF4\x90\x80\x80", "\\xc0\\xaf \\xe0\\x80\\xaf \\xed\\xa0\\x80 \\xf4\\x90\\x80\\x80"},
                      {"\xC2\x85 \xC2\x9B", "\\u0085 \\u009b"},
                      {"\u202a\u202e\u2066\u2069\u200e\u200f", "\\u202a\\u202e\\u2066\\u2069\\u200e\\u200f"}};
  for (const auto& row : rows) {
    INFO("text: " << row.text);
    core::Text<64> text;
    text.printable(row.text);
    CHECK(text.view() == row.shown);
    CHECK(core::printable(row.text) == row.shown);
    CHECK(core::printable(row.shown) == row.shown);
    CHECK(core::is_printable(row.text) == (row.text == row.shown));
  }
}

TEST_CASE("text is cut between two characters and never within an escape") {
  core::Text<5> plain, printable;
  plain << "ab\xE4\xB8\xAD\xE6\x96\x87";
  CHECK(plain.view() == "ab\xE4\xB8\xAD");
  printable.printable("ab\xff");
  CHECK(printable.view() == "ab");
  core::Text<64> limited;
  limited.printable("\xE4\xB8\xAD\xE6\x96\x87", 5) << '|';
  CHECK(limited.view() == "\xE4\xB8\xAD|");
  CHECK(core::excerpt(std::string(200, 'x')) == std::string(200, 'x'));
  CHECK(core::excerpt(std::string(199, 'x') + "\xC3\xA4") == std::string(199, 'x') + "...");
}

TEST_CASE("a wide character takes two columns and a combining one none") {
  struct Row {
    std::string_view text;
    std::size_t columns;
  };
  const Row rows[] = {{"", 0}, {"abc", 3}, {"\u00e4", 1}, {"a\u0308", 1}, {"\u4e2d\u6587", 4}, {"\uac00", 2}, {"\uff21", 2}, {"\U0001F600", 2}, {"\u20ac", 1}};
  for (const auto& row : rows) {
    INFO("text: " << row.text);
    CHECK(core::columns(row.text) == row.columns);
  }
  CHECK(core::first_columns("\u4e2d\u6587", 3) == "\u4e2d");
  CHECK(core::first_columns("a\u0308b", 1) == "a\u0308");
}

TEST_CASE("lines and words are taken one after the other") {
  std::string_view text = "one\n\nthree\nlast";
  CHECK(core::take_line(text) == "one");
  CHECK(core::take_line(text) == "");
  CHECK(core::take_line(text) == "three");
  CHECK(core::take_line(text) == "last");
  CHECK(text.empty());
  std::string_view words = " \ta  b\tc ";
  CHECK(core::take_word(words) == "a");
  CHECK(core::take_word(words) == "b");
  CHECK(core::take_word(words) == "c");
  CHECK(core::take_word(words) == "");
  CHECK(core::trim(" \t a b\r ") == "a b");
  CHECK(core::trim(" \t ") == "");
}

TEST_CASE("a number is the whole of its text") {
  CHECK(core::parse_number<int>("42") == 42);
  CHECK(core::parse_number<int>("-42") == -42);
  CHECK(core::parse_number<unsigned>("755", 8) == 0755U);
  for (const auto* text : {"", " 1", "1 ", "+1", "1x", "99999999999", "0x1"}) {
    INFO("text: " << text);
    CHECK_FALSE(core::parse_number<int>(text).has_value());
  }
  CHECK_FALSE(core::parse_number<unsigned>("-1").has_value());
  CHECK_FALSE(core::parse_number<unsigned>("8", 8).has_value());
}

TEST_CASE("a fixed vector refuses what does not fit") {
  core::FixedVector<int, 2> vector;
  CHECK(vector.empty());
  CHECK(vector.push_back(1));
  CHECK(vector.push_back(2));
  CHECK_FALSE(vector.push_back(3));
  CHECK(vector.size() == 2);
  CHECK(vector[1] == 2);
  vector.clear();
  CHECK(vector.begin() == vector.end());
}

TEST_CASE("a delay too long to represent never comes") {
  const core::Instant now(core::seconds(5));
  CHECK((core::after(now, core::seconds(2)) == core::Instant(core::seconds(7))));
  CHECK((core::after(now, core::Nanos::max()) == core::kNever));
  CHECK((core::after(now, core::kNever - now) == core::kNever));
  CHECK((core::after(core::kNever, core::seconds(1)) == core::kNever));
}

}  // namespace
