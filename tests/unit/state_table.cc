// Every state with every event: the table in src/README.md is this test's, and the machine has to agree with it.
// `UPDATE_README=1 TOP=. build/tests/unit "*state table*"` writes the table anew between its markers.
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>

#include "catch.h"
#include "unit/driver.h"

namespace {

using core::Policy;
using core::State;
using unit::Driver;

constexpr const char* kBegin = "<!-- state table -->";

// The service is wanted up, or was, with the default policy but for what the state needs.
Driver in_state(State state) {
  Policy policy;
  if (state == State::kFatal) policy.startretries = 0;
  if (state == State::kFatal) policy.fatal_retry = core::seconds(30);
  if (state == State::kExited) policy.autorestart = core::Autorestart::kFalse;
  Driver d(policy);
  if (state == State::kStopped) return d;
  d.start("u");
  if (state == State::kRunning || state == State::kStopping) d.run_for(core::seconds(5));
  if (state == State::kStopping) d.command("d");
  if (state == State::kBackoff || state == State::kFatal || state == State::kExited) d.exited(1);
  return d;
}

struct Row {
  const char* event;
  std::function<std::string(Driver&)> send;
  std::function<bool(State)> possible;
};

bool always(State) { return true; }
bool has_process(State state) { return state == State::kStarting || state == State::kRunning || state == State::kStopping; }
bool has_deadline(State state) { return in_state(state).until_due() != core::Nanos::max(); }
bool is_backoff(State state) { return state == State::kBackoff; }

std::string when_due(Driver& d) {
  d.pass(d.until_due());
  return d.due();
}

std::string without_heartbeat(Driver& d) {
  Policy policy;
  policy.heartbeat = true;
  policy.heartbeat_timeout = std::chrono::milliseconds(1);
  d.send(core::event::Reconfigured{policy});
  d.pass_ms(1).due();
  return d.heartbeat_checked();
}

std::string without_watchdog(Driver& d) {
  d.notified("WATCHDOG_USEC=1000");
  return d.pass_ms(1).due();
}

const std::vector<Row> kRows = {
    {"`u` up", [](Driver& d) { return d.command("u"); }, always},
    {"`o` once", [](Driver& d) { return d.command("o"); }, always},
    {"`d` down", [](Driver& d) { return d.command("d"); }, always},
    {"`x` exit", [](Driver& d) { return d.command("x"); }, always},
    {"`t` and other signals", [](Driver& d) { return d.command("t"); }, always},
    {"`p` pause", [](Driver& d) { return d.command("p"); }, always},
    {"`c` continue", [](Driver& d) { return d.command("c"); }, always},
    {"`r` reload", [](Driver& d) { return d.command("r"); }, always},
    {"the deadline", when_due, has_deadline},
    {"started", [](Driver& d) { return when_due(d), d.started(); }, is_backoff},
    {"start failed", [](Driver& d) { return when_due(d), d.start_failed(); }, is_backoff},
    {"start deferred", [](Driver& d) { return when_due(d), d.deferred(); }, is_backoff},
    {"no heartbeat in time", without_heartbeat, has_process},
    {"no `WATCHDOG=1` in time", without_watchdog, has_process},
    {"`STOPPING=1`", [](Driver& d) { return d.notified("STOPPING=1"); }, has_process},
    {"another process is the service", [](Driver& d) { return d.main_changed(5000); }, has_process},
    {"the service died", [](Driver& d) { return d.exited(1); }, has_process},
    {"died, after `u`", [](Driver& d) { return d.command("u"), d.exited(1); }, has_process},
    {"died, after `o`", [](Driver& d) { return d.command("o"), d.exited(1); }, has_process},
    {"died, after `d`", [](Driver& d) { return d.command("d"), d.exited(1); }, has_process},
    {"died, after a hang", [](Driver& d) { return without_watchdog(d), d.exited(0); }, has_process},
    {"died, after `x`", [](Driver& d) { return d.command("x"), d.exited(1); }, has_process},
};

std::string cell(const Row& row, State state) {
  if (!row.possible(state)) return "";
  auto d = in_state(state);
  const auto actions = row.send(d);
  const auto next = d.state() == state ? std::string() : d.state_name();
  if (next.empty() && actions.empty()) return "–";
  return next + (next.empty() || actions.empty() ? "" : ": ") + actions;
}

std::string table() {
  std::string text = "| |";
  std::string rule = "|---|";
  for (int i = 0; i <= static_cast<int>(State::kFatal); ++i) {
    text += " " + std::string(core::to_text(static_cast<State>(i))) + " |";
    rule += "---|";
  }
  text += "\n" + rule + "\n";
  for (const auto& row : kRows) {
    text += std::string("| ") + row.event + " |";
    for (int i = 0; i <= static_cast<int>(State::kFatal); ++i) {
      const auto words = cell(row, static_cast<State>(i));
      text += words.empty() ? " |" : " " + words + " |";
    }
    text += "\n";
  }
  return text;
}

std::string content_of(const std::string& path) {
  std::ifstream file(path);
  std::stringstream content;
  content << file.rdbuf();
  return content.str();
}

TEST_CASE("every state can be reached for the state table") {
  for (int i = 0; i <= static_cast<int>(State::kFatal); ++i) {
    const auto state = static_cast<State>(i);
    CHECK(in_state(state).state() == state);
  }
}

TEST_CASE("the state table in the design document is what the machine does") {
  const char* top = std::getenv("TOP");
  const auto path = std::string(top ? top : ".") + "/src/README.md";
  const auto text = content_of(path);
  const auto begin = text.find(kBegin);
  const auto end = begin == std::string::npos ? begin : text.find(kBegin, begin + 1);
  INFO("TOP must be the source tree, and " << path << " have a state table between two lines " << kBegin);
  REQUIRE(end != std::string::npos);
  const auto from = begin + std::string(kBegin).size();
  if (std::getenv("UPDATE_README")) {
    std::ofstream(path) << text.substr(0, from) << "\n\n" << table() << "\n" << text.substr(end);
    return;
  }
  CHECK(text.substr(from, end - from) == "\n\n" + table() + "\n");
}

}  // namespace
