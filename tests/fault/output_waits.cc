// Output that cannot be put into its log, from the logger that finds out to the state that says so.
#include <algorithm>
#include <array>
#include <cerrno>

#include "catch.h"
#include "fault/bench.h"
#include "supervise/logger.h"

namespace {

using core::seconds;
using sim::Bench;
using sim::kMilli;
using sim::Op;

sim::Child& logger_of(Bench& bench) {
  auto& children = bench.system.children();
  const auto found = std::find_if(children.rbegin(), children.rend(), [](const auto& child) { return child.second.alive && child.second.program.starts_with("supervise-log"); });
  REQUIRE(found != children.rend());
  return found->second;
}

void say(Bench& bench, std::string_view reports) {
  logger_of(bench).ready->data += reports;
  bench.run_until(bench.system.mono().time_since_epoch() + 50 * kMilli);
}

TEST_CASE("what the logger says of an output that waits is in the state until it is written again") {
  Bench bench;
  REQUIRE(bench.start());
  bench.run_until(seconds(1));
  CHECK(bench.state("output") == "");
  say(bench, "1something for the log\nocannot write to __stdout: No space left on device\n");
  CHECK(bench.state("output") == "stdout waits: cannot write to __stdout: No space left on device");
  say(bench, "ecannot open __stderr: Permission denied\n");
  CHECK(bench.state("output") == "stdout waits: cannot write to __stdout: No space left on device");
  say(bench, "o\n");
  CHECK(bench.state("output") == "stderr waits: cannot open __stderr: Permission denied");
  say(bench, "e" + std::string(400, '\x01') + "\n");
  CHECK(bench.state("output").size() <= 160);
  say(bench, "e\n");
  CHECK(bench.state("output") == "");
  CHECK(bench.unsettled() == "");
  CHECK(bench.violations() == "");
}

TEST_CASE("nothing that the logger says of an output that waits is lost among many reports") {
  for (std::size_t length = 1000; length < 1050; ++length) {
    Bench bench;
    REQUIRE(bench.start());
    bench.run_until(seconds(1));
    std::string many;
    while (many.size() + 200 < length) many += "0" + std::string(98, 'x') + "\n";
    many += "0" + std::string(length - many.size() - 2, 'o') + "\n";
    say(bench, many + "ocannot write to it: Input/output error\n");
    INFO(length);
    CHECK(bench.state("output") == "stdout waits: cannot write to it: Input/output error");
  }
}

TEST_CASE("what a logger said of an output that waits ends with the logger") {
  Bench bench;
  REQUIRE(bench.start());
  bench.run_until(seconds(1));
  const auto former = logger_of(bench).pid;
  // Its last word comes with its end.
  bench.system.die(logger_of(bench), core::Outcome::signal(9, false));
  bench.system.children().at(former).ready->data += "ocannot write to __stdout: No space left on device\n";
  bench.run_until(seconds(4));
  CHECK(logger_of(bench).pid != former);
  CHECK(bench.state("output") == "");
}

TEST_CASE("a log that cannot be opened is in the state until it can") {
  Bench bench("stdout_logfile : /log/x\nstdout_logfile_maxbytes : 0\n");
  bench.system.put("/log/other", sys::FileType::kRegular);
  REQUIRE(bench.start());
  const sim::Error denied{EROFS};
  bool fails = false;
  bench.system.fault = [&](Op op, std::size_t) { return fails && op == Op::kCreate ? &denied : nullptr; };
  bench.system.at(seconds(2), [&] {
    bench.system.remove_tree("/log/x");
    fails = true;
  });
  bench.service_dies_at(seconds(3), core::Outcome::code(1));
  bench.run_until(seconds(5));
  CHECK(bench.state("output") == "cannot open /log/x: Read-only file system");
  bench.system.at(seconds(6), [&] { fails = false; });
  bench.service_dies_at(seconds(7), core::Outcome::code(1));
  bench.run_until(seconds(9));
  CHECK(bench.state("output") == "");
}

TEST_CASE("a logger says once why an output waits and once that it does no longer") {
  sim::SimSystem system;
  system.put("/srv/stdout", sys::FileType::kFifo, {}, 0600);
  system.put("/log/app.log", sys::FileType::kRegular, {}, 0600);
  const int writer = *system.open(sys::kWorkingDirectory, "/srv/stdout", sys::OpenMode::kReadWrite, 0);
  const auto pipe = *system.pipe();
  supervise::LoggerPlan plan;
  supervise::LogSpec spec;
  spec.directory = "/log";
  spec.name = "app.log";
  spec.maxbytes = 1 << 20;
  plan.sources.push_back({spec, 1, *system.open(sys::kWorkingDirectory, "/srv/stdout", sys::OpenMode::kRead, 0), -1});
  plan.reports = pipe.writer;
  supervise::Logger logger(system, plan);
  std::string said;
  const auto run_for = [&](core::Nanos time) {
    const auto end = system.mono() + time;
    system.set_horizon(end);
    while (system.mono() < end) REQUIRE(logger.turn());
    std::array<char, 4096> bytes;
    if (const auto n = system.read(pipe.reader, bytes)) said.append(bytes.data(), *n);
  };
  const sim::Error full{ENOSPC};
  bool is_full = true;
  system.fault = [&](Op op, std::size_t) { return is_full && op == Op::kMove ? &full : nullptr; };
  REQUIRE(system.write(writer, "hello\n"));
  run_for(seconds(5));
  CHECK(said == "1cannot write to /log/app.log: No space left on device; the output waits\necannot write to app.log: No space left on device\n");
  said.clear();
  is_full = false;
  run_for(seconds(5));
  CHECK(said == "0app.log is written again\ne\n");
  CHECK(system.find("/log/app.log")->data == "hello\n");
}

}  // namespace
