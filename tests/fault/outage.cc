// Calls that fail not once but for seconds, as on a full disk, without descriptors, or where the system lacks a call. Meanwhile
// services die and are restarted, commands are obeyed; two seconds after the end of the outage everything is as it should be.
#include <algorithm>
#include <cerrno>

#include "catch.h"
#include "fault/bench.h"

namespace {

using core::Outcome;
using core::seconds;
using sim::Bench;
using sim::kMilli;
using sim::Op;

using Ops = std::vector<Op>;

constexpr core::Nanos kFrom = seconds(2), kTo = seconds(7), kLength = seconds(9);

// Outages in which an unasked death cannot be made good before they end.
bool prevents_restart(Op op) { return op == Op::kSpawn || op == Op::kReap; }

std::string outage(const Ops& ops, const sim::Error& error, bool restarts) {
  Bench bench("alarm_interval : 60\nalarm_mail : a@x\n");
  bench.system.on_start = [&](sim::Child& child) {
    if (!child.is_service) bench.system.die_in(child.pid, 10 * kMilli, Outcome::code(0));
  };
  bench.system.fault = [&](Op op, std::size_t) -> const sim::Error* {
    const auto now = bench.system.mono().time_since_epoch();
    const bool hit = now >= kFrom && now < kTo && std::find(ops.begin(), ops.end(), op) != ops.end();
    return hit ? &error : nullptr;
  };
  std::string text;
  if (!bench.start()) return "it did not start";
  bench.run_until(kFrom - kMilli);
  const auto descriptors = bench.system.open_descriptors();
  bench.service_dies_at(seconds(3), Outcome::code(1));
  bench.service_dies_at(seconds(3) + 100 * kMilli, Outcome::signal(11, true));
  bench.control_at(seconds(5), "h");
  bench.system.at(seconds(5), [&] { bench.system.remove_tree(Bench::path("svcontrol")); });
  bench.run_until(seconds(4) + 500 * kMilli);
  if (restarts && !bench.service()) text += "no restart during the outage; ";
  bench.run_until(kLength);
  text += bench.violations();
  if (bench.ended()) return text + "supervise has ended; ";
  text += bench.unsettled();
  if (!bench.service()) text += "the service is not up; ";
  if (bench.system.open_descriptors() != descriptors) text += "a descriptor leaked or was lost; ";
  return text;
}

TEST_CASE("any kind of call may fail for five seconds") {
  std::string report;
  for (int i = 0; i < sim::kOps; ++i) {
    const auto op = static_cast<Op>(i);
    for (const auto& error : sim::errors_of(op)) {
      if (error.number == sim::kShort) continue;
      const auto text = outage({op}, error, !prevents_restart(op));
      if (!text.empty()) report += "\n" + sim::name_of(op) + " with errno " + std::to_string(error.number) + ": " + text;
    }
  }
  INFO(report);
  CHECK(report.empty());
}

TEST_CASE("a shortage of descriptors delays no restart") {
  CHECK(outage({Op::kOpen, Op::kCreate, Op::kPipe}, {EMFILE}, true) == "");
}

TEST_CASE("a full disk delays no restart and leaves status right") {
  for (const auto* lines : {"", "alarm_interval : 60\nalarm_mail : a@x\n"}) {
    Bench bench(lines);
    REQUIRE(bench.start());
    bench.system.at(seconds(2), [&] { bench.system.free_blocks = 0; });
    bench.service_dies_at(seconds(3), Outcome::code(1));
    bench.service_dies_at(seconds(5), Outcome::signal(11, true));
    bench.control_at(seconds(7), "d");
    bench.control_at(seconds(8), "u");
    for (const int second : {3, 5, 7, 8}) {
      bench.run_until(seconds(second) + 200 * kMilli);
      CHECK(bench.unsettled() == "");
      CHECK((bench.service() != nullptr) == (second != 7));
    }
    CHECK(bench.violations() == "");
    CHECK(bench.state("exits") == "3");
  }
}

TEST_CASE("a record that is removed while the disk is full is put back and the next supervise finds the service") {
  for (const auto* name : {"state", "status", "supervise/status", ".state", ".status"}) {
    Bench bench;
    REQUIRE(bench.start());
    bench.system.at(seconds(2), [&] { bench.system.free_blocks = 0; });
    bench.system.at(seconds(3), [&] { bench.system.remove_tree(Bench::path(name)); });
    bench.service_dies_at(seconds(5), Outcome::code(1));
    for (const int second : {4, 6}) {
      bench.run_until(seconds(second));
      INFO(name << " at " << second);
      CHECK(bench.unsettled() == "");
    }
    bench.kill_supervise();
    REQUIRE(bench.start());
    bench.run_until(seconds(8));
    CHECK(bench.violations() == "");
    CHECK(bench.services().size() == 2);
  }
}

TEST_CASE("another file of ours in the place of a record is neither shown to others nor written") {
  Bench bench;
  REQUIRE(bench.start());
  bench.run_until(seconds(2));
  // Neither the record nor its spare can be had for a while.
  bench.system.remove_tree(Bench::path("state"));
  bench.system.put(Bench::path("state"), sys::FileType::kDirectory, {}, 0755);
  bench.system.put(Bench::path("state/entry"), sys::FileType::kRegular, "", 0644);
  bench.control("h");
  bench.run_until(seconds(4));
  bench.system.remove_tree(Bench::path("state"));
  bench.system.put(Bench::path("state"), sys::FileType::kRegular, "secret", 0600);
  const auto log = bench.system.find(Bench::path("state"));
  bench.run_until(seconds(6));
  CHECK(log->mode == 0600);
  CHECK(log->data == "secret");
  CHECK(bench.unsettled() == "");
}

TEST_CASE("a system that cannot exchange names still publishes whole records") {
  for (const int error : {ENOSYS, EINVAL}) {
    Bench bench;
    const sim::Error no_exchange{error};
    bench.system.fault = [&](Op op, std::size_t) { return op == Op::kExchange ? &no_exchange : nullptr; };
    REQUIRE(bench.start());
    bench.service_dies_at(seconds(3), Outcome::code(1));
    bench.control_at(seconds(5), "du");
    for (const int second : {2, 4, 6}) {
      bench.run_until(seconds(second));
      CHECK(bench.unsettled() == "");
    }
    CHECK(bench.violations() == "");
    CHECK(bench.services().size() == 3);
  }
}

TEST_CASE("a directory in which nothing can be made or renamed still shows whole records") {
  const Ops ops = {Op::kCreate, Op::kRemove, Op::kRename, Op::kMakeFifo, Op::kMakeLink, Op::kMakeDirectory, Op::kSetMode, Op::kExchange};
  CHECK(outage(ops, {EACCES}, true) == "");
}

TEST_CASE("lines that could not be logged on a full disk are counted when there is room again") {
  Bench bench;
  REQUIRE(bench.start());
  bench.run_until(seconds(2));
  bench.system.find(Bench::path("supervise.log"))->data.resize(4096, '.');
  bench.system.free_blocks = 0;
  bench.service_dies_at(seconds(3), Outcome::code(1));
  bench.run_until(seconds(4));
  CHECK(bench.log().size() == 4096);
  bench.system.free_blocks = 100;
  bench.control_at(seconds(5), "h");
  bench.run_until(seconds(6));
  CHECK_THAT(bench.log(), contains(" lines before this one could not be written to the log\n"));
  CHECK_THAT(bench.log(), contains("control: h\n"));
}

TEST_CASE("a disk whose every access fails keeps nothing from being restarted") {
  const Ops ops = {Op::kOpen, Op::kCreate, Op::kReadAt, Op::kWrite, Op::kWriteAt, Op::kTruncate, Op::kStat, Op::kStatAt, Op::kMakeFifo,
                   Op::kMakeLink, Op::kMakeDirectory, Op::kReadLink, Op::kRemove, Op::kRename, Op::kExchange, Op::kSetMode};
  CHECK(outage(ops, {EIO}, true) == "");
}

TEST_CASE("what could not be published is published within a second after the fault") {
  Bench bench;
  const sim::Error error{EIO};
  bench.system.fault = [&](Op op, std::size_t) -> const sim::Error* {
    const auto now = bench.system.mono();
    const bool on_disk = op != Op::kRead && op != Op::kSpawn && op != Op::kReap && op != Op::kKill && op != Op::kWait;
    return on_disk && now >= core::Instant(seconds(2)) && now < core::Instant(seconds(7)) ? &error : nullptr;
  };
  REQUIRE(bench.start());
  bench.service_dies_at(seconds(3), Outcome::code(1));
  bench.run_until(seconds(6));
  CHECK(bench.service() != nullptr);
  CHECK(bench.unsettled() != "");
  bench.run_until(seconds(8) + 100 * kMilli);
  CHECK(bench.unsettled() == "");
  CHECK(bench.violations() == "");
}

TEST_CASE("a fork that fails for an hour is retried every second and counts nothing") {
  Bench bench("startretries : 0\nmax_restarts : 0\nalarm_interval : 60\nmax_tries : 1\n");
  const sim::Error again{EAGAIN};
  std::size_t tried = 0;
  bench.system.fault = [&](Op op, std::size_t) {
    const bool fails = op == Op::kSpawn && bench.system.mono() < core::Instant(seconds(3600));
    tried += fails ? 1 : 0;
    return fails ? &again : nullptr;
  };
  REQUIRE(bench.start());
  CHECK_THAT(bench.warning(), contains("cannot make a process"));
  bench.run_until(seconds(3602));
  CHECK(tried >= 3600);
  CHECK(tried <= 3 * 3600);
  CHECK(bench.service() != nullptr);
  CHECK(bench.state("tries") == "0");
  CHECK(bench.state("exits") == "0");
  CHECK(bench.violations() == "");
  CHECK(bench.log().size() < 3000);
}

TEST_CASE("the alarm of giving up is sent even if no process could be made at that moment") {
  for (const auto op : {Op::kPipe, Op::kSpawn}) {
    Bench bench("alarm_interval : 60\nmax_tries : 1\nalarm_mail : a@x\n");
    const sim::Error error{op == Op::kPipe ? EMFILE : EAGAIN};
    bool giving_up = false;
    int left = 1;
    bench.system.fault = [&](Op now, std::size_t) { return giving_up && now == op && left-- > 0 ? &error : nullptr; };
    bench.system.on_start = [&](sim::Child& child) {
      if (!child.is_service) bench.system.die_in(child.pid, 10 * kMilli, Outcome::code(0));
    };
    REQUIRE(bench.start());
    bench.service_dies_at(seconds(2), Outcome::code(1));
    bench.system.at(seconds(4), [&] { giving_up = true; });
    bench.service_dies_at(seconds(4), Outcome::code(1));
    bench.run_until(seconds(10));
    CHECK(bench.ended());
    CHECK(bench.helpers("/usr/sbin/sendmail").size() == 2);
  }
}

}  // namespace

TEST_CASE("a directory with entries in the place of state is put aside") {
  Bench bench;
  REQUIRE(bench.start());
  bench.run_until(seconds(2));
  bench.system.remove_tree(Bench::path("state"));
  bench.system.put(Bench::path("state"), sys::FileType::kDirectory, {}, 0755);
  bench.system.put(Bench::path("state/entry"), sys::FileType::kRegular, "theirs", 0644);
  bench.run_until(seconds(5));
  REQUIRE(bench.system.find(Bench::path("state")));
  CHECK(bench.system.find(Bench::path("state"))->type == sys::FileType::kRegular);
  REQUIRE(bench.system.find(Bench::path("state.replaced/entry")));
  CHECK(bench.system.find(Bench::path("state.replaced/entry"))->data == "theirs");
  CHECK(bench.unsettled() == "");
}
