#include "core/outcome.h"

#include <csignal>

#include "catch.h"

namespace {

using core::Outcome;

TEST_CASE("outcomes have the words of the state file and are read back from them") {
  struct Row {
    Outcome outcome;
    std::string text;
  };
  const Row rows[] = {
      {Outcome{}, "unknown"},
      {Outcome::code(0), "code 0"},
      {Outcome::code(255), "code 255"},
      {Outcome::signal(SIGTERM, false), "signal TERM"},
      {Outcome::signal(SIGSEGV, true), "signal SEGV core"},
      {Outcome::signal(SIGKILL, false), "signal KILL"},
      {Outcome::signal(40, false), "signal RTMIN+6"},
      {Outcome::signal(64, true), "signal RTMIN+30 core"},
  };
  for (const auto& row : rows) {
    CHECK(core::to_text(row.outcome).view() == row.text);
    CHECK(core::parse_outcome(row.text) == row.outcome);
  }
}

TEST_CASE("text that is no outcome is refused") {
  for (const auto* text : {"", "code", "code ", "code x", "code -1", "code 256", "code 1 ", "signal", "signal ", "signal NOPE",
                           "signal 0", "signal 65", "signal core", "signal TERM  core", "Unknown", "code 1 core"}) {
    INFO("text: " << text);
    CHECK_FALSE(core::parse_outcome(text).has_value());
  }
}

TEST_CASE("every signal name leads to its number and back") {
  for (int number = 1; number <= 64; ++number) {
    if (number == 32) number = SIGRTMIN;
    const auto name = core::signal_name(number);
    INFO("signal " << number);
    REQUIRE_FALSE(name.empty());
    CHECK(core::parse_signal(name) == number);
    CHECK(core::parse_signal("SIG" + std::string(name)) == number);
    CHECK(core::parse_signal(std::to_string(number)) == number);
  }
  CHECK(core::signal_name(0).empty());
  CHECK(core::signal_name(-1).empty());
  CHECK(core::signal_name(32).empty());
  CHECK(core::signal_name(SIGRTMIN) == "RTMIN");
  CHECK(core::signal_name(SIGRTMIN + 3) == "RTMIN+3");
  CHECK(core::signal_name(64) == "RTMIN+30");
}

TEST_CASE("signals are named in any case with or without SIG or by number") {
  struct Row {
    const char* text;
    std::optional<int> signal;
  };
  const Row rows[] = {
      {"TERM", SIGTERM}, {"term", SIGTERM},      {"SIGTERM", SIGTERM},    {"sigterm", SIGTERM},     {"SigUsr1", SIGUSR1},
      {"15", SIGTERM},   {"64", 64},             {"65", std::nullopt},    {"0", std::nullopt},      {"-9", std::nullopt},
      {"", std::nullopt}, {"SIG", std::nullopt}, {"SIG15", std::nullopt}, {"TERM ", std::nullopt},  {"+9", std::nullopt},
      {"9x", std::nullopt},
      {"RTMIN", SIGRTMIN}, {"SIGRTMIN+3", SIGRTMIN + 3}, {"rtmin+15", SIGRTMIN + 15}, {"RTMAX", 64}, {"RTMAX-2", 62},
      {"RTMIN+0", SIGRTMIN}, {"RTMIN+31", std::nullopt}, {"RTMIN-1", std::nullopt}, {"RTMAX+1", std::nullopt},
      {"RTMIN+", std::nullopt}, {"RTMIN3", std::nullopt}, {"RTMAX-31", std::nullopt}, {"RTMIN+-1", std::nullopt},
  };
  for (const auto& row : rows) {
    INFO("text: " << row.text);
    CHECK((core::parse_signal(row.text) == row.signal));
  }
}

}  // namespace
