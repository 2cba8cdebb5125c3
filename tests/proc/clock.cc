// Clock steps (goal F19) and local time. The wall clock is libfaketime's, which can be put before a dynamic program
// only: SUPERVISE_DYNAMIC names one.
#include <ctime>

#include "harness.h"

using namespace harness;

namespace {

std::string dynamic_program() {
  const char* name = std::getenv("SUPERVISE_DYNAMIC");
  return name == nullptr ? "" : name;
}

std::string faketime_library() {
  if (!has_program("faketime")) return {};
  const auto found = shell("faketime -f +0d printenv LD_PRELOAD").out;
  return found.substr(0, found.find('\n'));
}

// A supervise whose wall clock can be set.
class Jumping {
 public:
  Jumping(const Words& command, const std::string& conf)
      : supervised_([&] {
          set("+0d");
          return Setup{.command = command,
                       .conf = conf,
                       .environment = {{"LD_PRELOAD", faketime_library()},
                                       {"FAKETIME_TIMESTAMP_FILE", work_ / "offset"},
                                       {"FAKETIME_NO_CACHE", "1"},
                                       {"DONT_FAKE_MONOTONIC", "1"},
                                       {"FAKETIME_DONT_FAKE_MONOTONIC", "1"},
                                       {"NO_FAKE_STAT", "1"}},
                       .program = dynamic_program()};
        }()) {}

  [[nodiscard]] const Supervised& operator*() const { return supervised_; }
  [[nodiscard]] const Supervised* operator->() const { return &supervised_; }

  void set(const std::string& offset) const {
    write_file(work_ / "offset.new", offset + "\n");
    fs::rename(work_ / "offset.new", work_ / "offset");
  }

 private:
  TempDir work_;
  Supervised supervised_;
};

const std::string kReason = "no dynamic supervise (SUPERVISE_DYNAMIC) or no libfaketime is here";
bool is_possible() { return !dynamic_program().empty() && !faketime_library().empty(); }

constexpr double kYear = 365 * 86400.0;
const Words kJumps = {"+365d", "-365d", "-18250d", "+1h", "-1h", "+0d"};

double wall_now() { return static_cast<double>(std::time(nullptr)); }

}  // namespace

TEST_CASE("Jumps of the clock are seen by a supervise under libfaketime and change nothing while RUNNING") {
  SKIP_UNLESS(is_possible(), kReason);
  const Jumping svc(service({"repeat", "1000000", "3", "beat", "sleep", "100"}),
                    "[svc]\nheartbeat_file : beat\nheartbeat_timeout : 0.8\nstopwaitsecs : 0.5\n");
  const auto pid = svc->await_service();
  svc->await_state("RUNNING");
  for (const auto& jump : kJumps) {
    svc.set(jump);
    svc->write("s");
    svc->await("alarm", "off");
    svc->write("n");
    svc->await("alarm", "on");
    CHECK(holds_for(150ms, [&] { return svc->status().pid == pid && svc->state()["state"] == "RUNNING"; }));
  }
  // The test itself: the clock did jump.
  svc.set("+365d");
  svc->write("k");
  svc->await_service(pid);
  CHECK(svc->state().number("started") - wall_now() > kYear - 100);
  CHECK(svc->status().time - wall_now() > kYear - 100);
  svc.set("-18250d");
  svc->write("k");
  svc->await("exits", "2");
  svc->await_service();
  CHECK(svc->state()["starts"] == "3");
  CHECK(svc->state().number("started") > 0);
  svc->write("dx");
  svc->await_exit();
}

TEST_CASE("Jumps of the clock change no delay of a crash loop and next_start is as far away as it was") {
  SKIP_UNLESS(is_possible(), kReason);
  TempDir work;
  const auto log = work / "starts";
  const Jumping svc(service({"started", log, "exit", "1"}),
                    "[svc]\nbackoff : exponential\nbackoff_factor : 1.2\nbackoff_max : 1.2\n");
  for (std::size_t i = 0; i + 2 < kJumps.size(); ++i) {
    svc->await_lines(log, i + 1);
    svc->await_state("BACKOFF");
    svc.set(kJumps[i]);
    svc->write("s");
    svc->await("alarm", "off");
    svc->write("n");
    svc->await("alarm", "on");
    const auto state = svc->state();
    // Both stamps by the clock as it was set, so that an age is never negative or huge.
    if (state["state"] == "BACKOFF" && state.number("exits") == static_cast<double>(i + 1)) {
      const auto offset = kJumps[i] == "+365d"   ? kYear
                          : kJumps[i] == "-365d" ? -kYear
                          : kJumps[i] == "+1h"   ? 3600.0
                                                 : -50 * kYear;
      const auto left = state.number("next_start") - (wall_now() + offset);
      CHECK(left < allowed(3));
      CHECK(left > -2);
    }
  }
  svc->await_lines(log, 5);
  const auto starts = starts_in(log);
  for (std::size_t i = 0; i + 1 < 5; ++i) {
    CHECK(starts[i + 1] - starts[i] > 1.15);
    CHECK(starts[i + 1] - starts[i] < 1.2 + allowed(0.6));
  }
  CHECK(svc->state().number("exits") >= 4);
}

TEST_CASE("A jump of the clock during stopwaitsecs brings KILL neither sooner nor later") {
  SKIP_UNLESS(is_possible(), kReason);
  for (const std::string jump : {"+365d", "-365d"}) {
    TempDir work;
    const auto log = work / "signals";
    const Jumping svc(service({"trap", "got", log}), "[svc]\nstopwaitsecs : 1.2\n");
    svc->await_lines(log, 1);
    const auto begin = monotonic_now();
    svc->write("d");
    svc->await_state("STOPPING");
    svc.set(jump);
    svc->await_state("STOPPED");
    CHECK(monotonic_now() - begin > 1.1);
    CHECK(monotonic_now() - begin < allowed(2.4));
    CHECK(svc->state()["exit"] == "signal KILL");
  }
}

TEST_CASE("The log is in the local time of every zone as date has it") {
  TempDir work;
  // Of each pair of rules one is in summer time whenever the test is run.
  for (const std::string zone :
       {"UTC", "Europe/Berlin", "Asia/Kolkata", "<+0530>-5:30", "<-0330>3:30:15", "EST5EDT,M3.2.0,M11.1.0",
        "AEST-10AEDT,M10.1.0,M4.1.0/3", "XXX3YYY,M3.2.0/2:30:00,M11.1.0/1", "XXX-3YYY,M11.1.0,M3.2.0",
        "AAA5BBB4:30,J60/0,J300", "AAA5BBB,300/1,60/-1", "AAA5BBB,J300,J60", "EST5EDT", "AAA5BBB,0/0,J365/25",
        "no zone at all", ":"}) {
    INFO("TZ=" << zone);
    const Supervised svc({.command = service({}), .environment = {{"TZ", zone}}});
    const auto first = lines_of(svc / "supervise.log").at(0);
    REQUIRE(first.size() > 29);
    const auto stamp = first.substr(9, 19);
    const auto real = static_cast<long>(svc.state().number("started"));
    Words expected;
    for (const long second : {real - 1, real, real + 1}) {
      auto text = run(Command{.argv = {"date", "-d", "@" + std::to_string(second), "+%Y-%m-%d %H:%M:%S"},
                              .environment = {{"TZ", zone}}})
                      .out;
      expected.push_back(text.substr(0, text.find('\n')));
    }
    CHECK_THAT(stamp, matches(expected[0] + "|" + expected[1] + "|" + expected[2]));
    svc.write("dx");
    svc.await_exit();
  }
}
