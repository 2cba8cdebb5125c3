// A supervise is killed and the next one on its directory takes over the service that goes on.
#include "catch.h"
#include "fault/bench.h"

namespace {

using core::Outcome;
using core::seconds;
using sim::Bench;
using sim::kMilli;

// Killed at `when`, and followed by another one `pause` later.
void replace_supervise(Bench& bench, core::Nanos when, core::Nanos pause = seconds(1)) {
  bench.run_until(when);
  bench.kill_supervise();
  bench.pass(pause);
  REQUIRE(bench.start());
}

TEST_CASE("the next supervise adopts the service and starts no second one") {
  Bench bench;
  REQUIRE(bench.start());
  const auto pid = bench.state("pid");
  replace_supervise(bench, seconds(3));
  bench.run_until(seconds(6));
  CHECK(bench.services().size() == 1);
  CHECK(bench.state("pid") == pid);
  CHECK(bench.state("state") == "RUNNING");
  CHECK(bench.state("starts") == "1");
  CHECK_THAT(bench.log(), contains("adopted the service, which is running: pid " + pid));
  CHECK(bench.warning().empty());
  CHECK(bench.unsettled() == "");
  CHECK(bench.violations() == "");
}

TEST_CASE("the death of an adopted service is noticed at once with its exit and it is restarted") {
  Bench bench;
  REQUIRE(bench.start());
  replace_supervise(bench, seconds(3));
  bench.service_dies_at(seconds(5), Outcome::signal(11, true));
  bench.run_until(seconds(5) + 100 * kMilli);
  CHECK(bench.services().size() == 2);
  CHECK(bench.state("exit") == "signal SEGV core");
  CHECK(bench.state("exits") == "1");
  CHECK(bench.state("starts") == "2");
  bench.service_dies_at(seconds(7), Outcome::code(3));    // this one is a child again
  bench.run_until(seconds(8));
  CHECK(bench.state("exit") == "code 3");
  CHECK(bench.unsettled() == "");
  CHECK(bench.violations() == "");
}

TEST_CASE("where the kernel watches no process the death of an adopted service is noticed within a second or so") {
  Bench bench;
  REQUIRE(bench.start());
  static const sim::Error missing{38};
  bench.system.fault = [](sim::Op op, std::size_t) { return op == sim::Op::kWatchProcess ? &missing : nullptr; };
  replace_supervise(bench, seconds(3));
  bench.service_dies_at(seconds(5) + 300 * kMilli, Outcome::code(0));
  bench.run_until(seconds(7));
  CHECK(bench.services().size() == 2);
  CHECK(bench.state("exit") == "unknown");
  CHECK(bench.violations() == "");
}

TEST_CASE("a pid that another process has by now is not taken for the service") {
  Bench bench;
  REQUIRE(bench.start());
  bench.run_until(seconds(3));
  auto* service = bench.service();
  const auto pid = service->pid;
  bench.kill_supervise();
  bench.system.die(*service, Outcome::code(0));
  bench.system.others[pid] = service->start + 1;
  REQUIRE(bench.start());
  bench.run_until(seconds(6));
  CHECK(bench.services().size() == 2);
  CHECK_THAT(bench.log(), !contains("adopted"));
  CHECK(bench.violations() == "");
}

TEST_CASE("a service whose start nobody could tell is waited for and never signalled") {
  Bench bench;
  REQUIRE(bench.start());
  bench.run_until(seconds(3));
  bench.kill_supervise();
  const auto* service = bench.service();
  bench.forge("pid_start", "0");
  bench.forge("left_running_session", bench.state("supervise_pid"));
  REQUIRE(bench.start());
  bench.control_at(seconds(4), "tk");
  bench.control_at(seconds(5), "du");
  bench.run_until(seconds(6));
  CHECK(bench.services().size() == 1);
  CHECK(service->signals.empty());
  CHECK(bench.state("state") == "BACKOFF");
  CHECK(bench.state("pid") == "0");
  CHECK(bench.record("left_running") == std::to_string(service->pid));
  CHECK_THAT(bench.state("reason"), contains("waiting for the end of pid " + std::to_string(service->pid)));
  // The next one knows it as well.
  bench.kill_supervise();
  REQUIRE(bench.start());
  bench.run_until(seconds(8));
  CHECK(bench.services().size() == 1);
  bench.service_dies_at(seconds(9), Outcome::code(0));
  bench.run_until(seconds(10));
  CHECK(bench.services().size() == 2);
  CHECK(bench.state("state") != "BACKOFF");
  CHECK(bench.violations() == "");
}

TEST_CASE("what could not be looked at in the moment of its start is known a second later") {
  Bench bench;
  static const sim::Error no_descriptor{24};
  bench.system.fault = [&](sim::Op op, std::size_t) { return op == sim::Op::kProcess ? &no_descriptor : nullptr; };
  REQUIRE(bench.start());
  CHECK(bench.state("pid_start") == "0");
  CHECK(bench.state("supervise_start") == "0");
  bench.system.fault = nullptr;
  bench.run_until(seconds(2));
  CHECK(bench.state("pid_start") == std::to_string(bench.service()->start));
  CHECK(bench.state("supervise_start") != "0");
  replace_supervise(bench, seconds(3));
  bench.run_until(seconds(4));
  CHECK(bench.services().size() == 1);
  CHECK_THAT(bench.log(), contains("adopted the service"));
  CHECK(bench.violations() == "");
}

TEST_CASE("an adopted service is stopped by its pid and no stranger is signalled after that") {
  Bench bench("stopwaitsecs : 2\n");
  REQUIRE(bench.start());
  bench.system.children().begin()->second.ignores_term = true;
  replace_supervise(bench, seconds(3));
  bench.control_at(seconds(5), "dx");
  bench.run_until(seconds(10));
  CHECK(bench.ended());
  CHECK(bench.services().front()->signals == std::vector<int>{15, 18, 9});
  CHECK(bench.violations() == "");
}

TEST_CASE("what was wanted outlives supervise") {
  Bench bench("stopwaitsecs : 4\n");
  bench.system.on_start = [](sim::Child& child) { child.ignores_term = true; };
  REQUIRE(bench.start());
  bench.control_at(seconds(2), "sd");
  replace_supervise(bench, seconds(3));
  CHECK(bench.state("state") == "STOPPING");
  CHECK(bench.state("alarm") == "off");
  bench.run_until(seconds(5) + 900 * kMilli);
  CHECK(bench.service());
  bench.run_until(seconds(6) + 100 * kMilli);    // four seconds after the d, not after the adoption
  CHECK(bench.state("state") == "STOPPED");
  CHECK(bench.violations() == "");
}

TEST_CASE("a supervise that is killed while it ends as it was told leaves the next one nothing but to start the service") {
  Bench bench("backoff : exponential\nbackoff_factor : 9\n");
  REQUIRE(bench.start());
  bench.system.die(*bench.service(), Outcome::code(1));
  bench.run_until(20 * kMilli);
  REQUIRE(bench.state("state") == "BACKOFF");
  bench.control("x");
  bench.run_until(40 * kMilli);
  REQUIRE_FALSE(bench.ended());
  REQUIRE(bench.state("state") == "STOPPED");
  replace_supervise(bench, 60 * kMilli, seconds(2));
  bench.run_until(seconds(5));
  CHECK(bench.state("state") == "RUNNING");
  CHECK(bench.state("starts") == "2");
  CHECK_THAT(bench.log(), !contains("which it still is"));
  CHECK(bench.unsettled() == "");
  CHECK(bench.violations() == "");
}

TEST_CASE("the window of exits and the count of failed starts outlive supervise") {
  Bench bench("alarm_interval : 60\nmax_tries : 2\n");
  REQUIRE(bench.start());
  bench.service_dies_at(seconds(2), Outcome::code(1));
  bench.service_dies_at(seconds(4), Outcome::code(1));
  replace_supervise(bench, seconds(6));
  CHECK(bench.state("tries") == "2");
  bench.service_dies_at(seconds(8), Outcome::code(1));
  bench.run_until(seconds(9));
  CHECK(bench.ended());
  CHECK(bench.state("state") == "FATAL");
  CHECK(bench.state("exits") == "3");
}

TEST_CASE("the service is adopted even if the rest of the record is of another version or torn by hand") {
  for (const auto& [what, with] : {std::pair("memory=1 ", "memory=2 "), std::pair("\nwant=up", "\nwant=maybe"), std::pair("state=RUNNING", "state=STOPPED")}) {
    Bench bench;
    REQUIRE(bench.start());
    bench.run_until(seconds(3));
    bench.kill_supervise();
    const auto node = bench.system.find(Bench::path("supervise/record"));
    const auto at = node->data.find(what);
    REQUIRE(at != std::string::npos);
    node->data.replace(at, std::string(what).size(), with);
    bench.system.violations().clear();
    REQUIRE(bench.start());
    CHECK_THAT(bench.log(), contains("adopted"));
    CHECK(bench.services().size() == 1);
    CHECK(bench.state("state") == "RUNNING");
    CHECK(bench.violations() == "");
  }
}

// Until it is published anew the state is what the test has made of it.
std::string other_violations(Bench& bench) {
  std::erase_if(bench.system.violations(), [](const auto& what) { return what.starts_with("state is torn"); });
  return bench.violations();
}

// What a version left that had all of it in `state`.
void make_older(Bench& bench) {
  auto text = bench.content("supervise/record");
  text.resize(text.find("left_running_start="));
  bench.system.put(Bench::path("state"), sys::FileType::kRegular, text, 0644);
  bench.system.remove_tree(Bench::path("supervise/record"));
}

TEST_CASE("a state of an earlier version is believed in a directory of ours alone") {
  const auto with = GENERATE(std::pair(0U, 0700U), std::pair(33U, 0700U), std::pair(0U, 0770U));
  INFO("user " << with.first << " mode " << with.second);
  const bool is_ours = with == std::pair(0U, 0700U);
  Bench bench;
  REQUIRE(bench.start());
  bench.run_until(seconds(3));
  bench.kill_supervise();
  make_older(bench);
  bench.system.find(sim::kDirectory)->uid = with.first;
  bench.system.find(sim::kDirectory)->mode = with.second;
  bench.system.violations().clear();
  REQUIRE(bench.start());
  bench.control_at(seconds(4), "tk");
  bench.run_until(seconds(6));
  CHECK((bench.log().find("adopted") != std::string::npos) == is_ours);
  if (is_ours) return;
  // Neither a signal nor a second copy.
  CHECK(bench.services().size() == 1);
  CHECK(bench.service()->signals.empty());
  CHECK_THAT(bench.log(), contains("pid " + std::to_string(bench.service()->pid) + " may be the service; it is left alone"));
  CHECK_THAT(bench.state("reason"), contains("waiting for the end of pid"));
  // The next one knows it as well.
  bench.kill_supervise();
  REQUIRE(bench.start());
  bench.service_dies_at(seconds(8), Outcome::code(0));
  bench.run_until(seconds(10));
  CHECK(bench.services().size() == 2);
  CHECK(bench.state("state") == "RUNNING");
  CHECK(other_violations(bench) == "");
}

TEST_CASE("a state of an earlier version that ran last is believed and not the record before it") {
  Bench bench;
  REQUIRE(bench.start());
  bench.run_until(seconds(2));
  const auto record = bench.content("supervise/record");
  bench.service_dies_at(seconds(3), Outcome::code(0));
  bench.run_until(seconds(5));
  bench.kill_supervise();
  make_older(bench);
  bench.system.put(Bench::path("supervise/record"), sys::FileType::kRegular, record, 0600);
  bench.system.violations().clear();
  REQUIRE(bench.start());
  CHECK_THAT(bench.log(), contains("adopted"));
  CHECK(bench.services().size() == 2);
  CHECK(other_violations(bench) == "");
}

TEST_CASE("the state in a directory of another user counts nothing beside the record") {
  Bench bench;
  REQUIRE(bench.start());
  bench.run_until(seconds(3));
  const auto pid = bench.service()->pid;
  bench.kill_supervise();
  bench.system.others[4711] = 99;
  bench.system.find(sim::kDirectory)->uid = 33;
  auto forged = bench.content("supervise/record");
  for (const auto& [what, with] : {std::pair("\npid=" + std::to_string(pid), std::string("\npid=4711")), std::pair("pid_start=" + bench.state("pid_start"), std::string("pid_start=99"))})
    forged.replace(forged.find(what), what.size(), with);
  bench.system.put(Bench::path("state"), sys::FileType::kRegular, forged, 0644);
  bench.system.violations().clear();
  REQUIRE(bench.start());
  CHECK_THAT(bench.log(), contains("adopted the service, which is running: pid " + std::to_string(pid)));
  CHECK(other_violations(bench) == "");
}

TEST_CASE("a record is believed only where it and its directory are ours") {
  Bench bench;
  REQUIRE(bench.start());
  bench.run_until(seconds(3));
  bench.kill_supervise();
  bench.system.remove_tree(Bench::path("state"));
  SECTION("it belongs to another user") { bench.system.find(Bench::path("supervise"))->uid = 33; }
  SECTION("the record belongs to another user") { bench.system.find(Bench::path("supervise/record"))->uid = 33; }
  bench.system.violations().clear();
  REQUIRE(bench.start());
  CHECK_THAT(bench.log(), !contains("adopted"));
}

TEST_CASE("a process that can't have become like this from the service is left alone") {
  struct Row {
    const char *key, *value;
    bool is_adopted;
  };
  const Row rows[] = {{"session", "4000", false}, {"session", "0", true}, {"directory", "/srv/status/other", false}, {"directory", "", true}, {"user", "33", false}, {"user", "0", true}, {"user", "", true}};
  for (const auto& row : rows) {
    INFO(row.key << '=' << row.value);
    Bench bench;
    REQUIRE(bench.start());
    bench.run_until(seconds(3));
    bench.kill_supervise();
    bench.forge(row.key, row.value);
    bench.system.put("/proc/" + bench.state("pid") + "/status", sys::FileType::kRegular, "Name:\tredis\nUid:\t34\t34\t34\t34\n");
    bench.system.violations().clear();
    REQUIRE(bench.start());
    bench.control_at(seconds(4), "tk");
    bench.run_until(seconds(6));
    CHECK((bench.log().find("adopted") != std::string::npos) == row.is_adopted);
    if (row.is_adopted) continue;
    CHECK(bench.services().size() == 1);
    CHECK(bench.service()->signals.empty());
  }
}

TEST_CASE("the parent of an orphan is older than the supervise that it is the orphan of") {
  for (const auto& [start, is_adopted] : {std::pair(1U, true), std::pair(100'000'000U, false)}) {
    Bench bench;
    REQUIRE(bench.start());
    bench.run_until(seconds(3));
    bench.kill_supervise();
    bench.system.others[1] = start;
    REQUIRE(bench.start());
    CHECK((bench.log().find("adopted") != std::string::npos) == is_adopted);
  }
}

TEST_CASE("what was recorded in other namespaces names no process of ours") {
  Bench bench;
  REQUIRE(bench.start());
  bench.run_until(seconds(3));
  bench.kill_supervise();
  bench.move_to("pid:[2]");
  bench.system.set_horizon(core::kNever);
  SECTION("nobody has its output open") {
    bench.system.die(*bench.service(), Outcome::code(0));
    REQUIRE(bench.start());
    bench.run_until(seconds(6));
    CHECK_THAT(bench.log(), !contains("adopted"));
    CHECK(bench.state("state") == "RUNNING");
    CHECK(bench.violations() == "");
  }
  SECTION("the service has its output open") {
    const auto output = bench.system.open(sys::kWorkingDirectory, Bench::path("supervise/stdout").c_str(), sys::OpenMode::kRead, 0);
    REQUIRE(output);
    CHECK_FALSE(bench.start());
    CHECK(bench.error_status() == 100);
    CHECK_THAT(bench.error(), contains("its service runs in another pid or time namespace"));
    CHECK(bench.services().size() == 1);
    CHECK(bench.service()->signals.empty());
    bench.system.close(*output);
    CHECK(bench.violations() == "");
  }
  SECTION("after a reboot") {
    bench.forge("boot_id", "before");
    bench.system.die(*bench.service(), Outcome::code(0));
    bench.system.violations().clear();
    REQUIRE(bench.start());
    CHECK(bench.services().size() == 2);
  }
}

sim::Child* logger_of(Bench& bench) {
  for (auto& [pid, child] : bench.system.children())
    if (child.alive && child.program.starts_with("supervise-log ")) return &child;
  return nullptr;
}

// The program on disk is one that can take over.
void allow_upgrade(Bench& bench) {
  bench.system.accepts_replacement = true;
  bench.system.on_start = [&bench](sim::Child& child) {
    if (child.arguments.size() > 1 && child.arguments[1].starts_with("--can-resume=")) bench.system.die_in(child.pid, kMilli, Outcome::code(supervise::kCanResume));
  };
}

TEST_CASE("an upgrade waits until there is a logger that keeps what a service wrote") {
  Bench bench;
  allow_upgrade(bench);
  REQUIRE(bench.start());
  // The third one comes no sooner than 0.1 s after the second.
  for (const auto when : {seconds(3) + 0 * kMilli, seconds(3) + 10 * kMilli}) {
    bench.run_until(when);
    REQUIRE(logger_of(bench) != nullptr);
    bench.system.die(*logger_of(bench), Outcome::signal(9, false));
  }
  bench.control("E");
  bench.run_until(seconds(3) + 50 * kMilli);
  CHECK(logger_of(bench) == nullptr);
  CHECK_FALSE(bench.system.replaced_by);
  bench.run_until(seconds(4));
  CHECK(logger_of(bench) != nullptr);
  CHECK(bench.system.replaced_by);
}

TEST_CASE("the logger of the program before an upgrade is not taken for what a forking service has left") {
  Bench bench("forking : true\n");
  allow_upgrade(bench);
  REQUIRE(bench.start());
  bench.run_until(20 * kMilli);
  const auto former = logger_of(bench)->pid;
  bench.control("E");
  bench.run_until(seconds(1));
  REQUIRE(bench.system.replaced_by);
  const auto daemon = bench.system.fork_from(bench.service()->pid, "daemon").pid;
  for (auto* child : bench.services())
    if (child->pid != daemon) bench.system.die(*child, Outcome::code(0));
  REQUIRE(bench.start_as_successor());
  bench.run_until(seconds(2));
  CHECK(bench.state("pid") == std::to_string(daemon));
  REQUIRE(logger_of(bench) != nullptr);
  CHECK(logger_of(bench)->pid != former);
  CHECK(bench.unsettled() == "");
  CHECK(bench.violations() == "");
}

TEST_CASE("an upgrade waits for a start of which it is unknown whether the program can be executed") {
  Bench bench;
  allow_upgrade(bench);
  bench.system.execution = seconds(3);
  REQUIRE(bench.start());
  bench.control_at(seconds(1), "E");
  bench.run_until(seconds(2));
  CHECK_FALSE(bench.system.replaced_by);
  bench.run_until(seconds(4));
  CHECK(bench.system.replaced_by);
}

TEST_CASE("an upgrade goes on with the service although the directory is gone or the record is an old one") {
  const bool removed = GENERATE(true, false);
  Bench bench;
  allow_upgrade(bench);
  REQUIRE(bench.start());
  bench.run_until(seconds(2));
  const auto old_record = bench.content("supervise/record");
  bench.system.die(*bench.service(), Outcome::code(0));
  bench.run_until(seconds(4));
  const auto pid = bench.service()->pid;
  bench.control("E");
  bench.run_until(seconds(5));
  REQUIRE(bench.system.replaced_by);
  if (removed)
    bench.system.remove_tree(sim::kDirectory);
  else
    bench.system.find(Bench::path("supervise/record"))->data = old_record;
  REQUIRE(bench.start_as_successor());
  bench.run_until(seconds(8));
  CHECK(bench.state("pid") == std::to_string(pid));
  CHECK(bench.state("starts") == "2");
  CHECK(bench.services().size() == 2);
  CHECK(bench.unsettled() == "");
  CHECK(bench.violations() == "");
}

TEST_CASE("a logger with a FIFO that has lost its name gets time to empty it from the supervise that follows") {
  const bool upgraded = GENERATE(true, false);
  Bench bench("autorestart : false\n");
  if (upgraded) allow_upgrade(bench);
  REQUIRE(bench.start());
  bench.run_until(seconds(2));
  const auto* former = logger_of(bench);
  REQUIRE(former != nullptr);
  bench.system.remove_tree(Bench::path("supervise/stdout"));
  bench.system.die(*bench.service(), Outcome::code(0));
  bench.run_until(seconds(3));
  if (upgraded) {
    bench.control("E");
    bench.run_until(seconds(4));
    REQUIRE(bench.start_as_successor());
  } else {
    bench.kill_supervise();
    REQUIRE(bench.start());
  }
  const auto begin = bench.system.mono().time_since_epoch();
  bench.run_until(begin + 500 * kMilli);
  CHECK(former->alive);
  bench.run_until(begin + seconds(2));
  CHECK_FALSE(former->alive);
  CHECK(bench.log().find("was missing") == std::string::npos);
  CHECK(bench.unsettled() == "");
  CHECK(bench.violations() == "");
}

TEST_CASE("a program that went on with E and could not open its directory finds no lock of its own when it tries again") {
  Bench bench;
  allow_upgrade(bench);
  REQUIRE(bench.start());
  bench.run_until(seconds(2));
  bench.control("E");
  bench.run_until(seconds(3));
  REQUIRE(bench.system.replaced_by);
  const sim::Error none{.number = ENFILE};
  bool locked = false, failed = false;
  bench.system.fault = [&](sim::Op op, std::size_t) -> const sim::Error* {
    if (op == sim::Op::kLock) locked = true;
    if (!locked || failed || op != sim::Op::kOpen) return nullptr;
    failed = true;
    return &none;
  };
  CHECK(bench.start_as_successor());
  CHECK(failed);
  CHECK(bench.error() == "");
}

}  // namespace
