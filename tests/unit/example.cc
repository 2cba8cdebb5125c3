// The example status directory is what our codecs write and read.
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "catch.h"
#include "core/outcome.h"
#include "core/state.h"
#include "core/status.h"

namespace {

std::string example(const std::string& name) {
  const char* top = std::getenv("TOP");
  std::ifstream file(std::string(top ? top : ".") + "/status.example/" + name, std::ios::binary);
  INFO("TOP must be the source tree; file " << name);
  REQUIRE(file.good());
  return {std::istreambuf_iterator<char>(file), {}};
}

std::span<const unsigned char> bytes(const std::string& text) {
  return {reinterpret_cast<const unsigned char*>(text.data()), text.size()};
}

std::string value(const std::string& state, std::string_view key) {
  const auto found = core::state_value(state, key);
  REQUIRE(found.has_value());
  return std::string(*found);
}

std::string to_string(const core::StatusRecord& record) { return {record.begin(), record.end()}; }

TEST_CASE("the example status is a record that agrees with the example state") {
  const auto raw = example("status");
  const auto status = core::decode_status(bytes(raw));
  REQUIRE(status.has_value());
  const auto state = example("state");
  CHECK(std::to_string(status->pid) == value(state, "pid"));
  CHECK((status->want == core::Want::kUp));
  CHECK(value(state, "want") == "up");
  CHECK(status->alarms_on == (value(state, "alarm") == "on"));
  CHECK(status->paused == (value(state, "paused") == "1"));
  core::Text<40> stamp;
  stamp.seconds(status->stamp.time_since_epoch(), 3);
  CHECK(stamp.view() == value(state, "started"));
  CHECK(to_string(core::encode_status(*status)) == raw);
  CHECK(to_string(core::encode_runit_status(*status)) == example("supervise/status"));
}

TEST_CASE("the example state and record have the keys that are written and in their order") {
  core::StateRecord record;
  record.name = "redis";
  record.origin.user = 0;
  const auto written = core::encode_record(record);
  const auto keys = [](std::string_view text) {
    std::vector<std::string> names;
    while (!text.empty()) {
      const auto line = text.substr(0, text.find('\n'));
      names.emplace_back(line.substr(0, line.find('=')));
      text.remove_prefix(std::min(text.size(), line.size() + 1));
    }
    return names;
  };
  CHECK(keys(example("state")) == keys(written.state()));
  CHECK(keys(example("supervise/record")) == keys(written.view()));
  CHECK(example("supervise/record").starts_with(example("state")));
  CHECK(core::recorded_snapshot(example("supervise/record")));
}

TEST_CASE("the example state is what an encoder writes for these facts") {
  const auto state = example("state");
  CHECK(state.size() < core::kStateMax);
  CHECK(state.ends_with('\n'));
  CHECK(value(state, "state") == "RUNNING");
  CHECK(core::parse_outcome(value(state, "exit")).has_value());
  const auto processes = core::recorded_processes(state);
  CHECK(processes.supervise.pid > 0);
  CHECK(processes.supervise.start > 0);
  CHECK(processes.service.start > processes.supervise.start);
  CHECK(processes.boot_id.size() == 36);
}

TEST_CASE("the example logs have a level and a time in every line") {
  for (const auto* name : {"supervise.log", "supervise.log.wf"}) {
    std::string_view rest;
    const auto text = example(name);
    rest = text;
    CHECK(rest.ends_with('\n'));
    while (!rest.empty()) {
      const std::string line(rest.substr(0, rest.find('\n')));
      CHECK_THAT(line, matches(R"(\[(NOTICE|WARNING|FATAL)\] \d{4}-\d\d-\d\d \d\d:\d\d:\d\d .+)"));
      rest.remove_prefix(line.size() + 1);
    }
  }
}

}  // namespace
