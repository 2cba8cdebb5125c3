// Every call fails once in every way: each scenario runs undisturbed first, and then once for each of its calls and each error
// that this call may have. Whatever fails, supervise goes on, and two seconds later the world is as it should be.
#include "catch.h"
#include "fault/allocation.h"
#include "fault/bench.h"

namespace {

using core::Outcome;
using core::seconds;
using sim::Bench;
using sim::Child;
using sim::kMilli;
using sim::Op;

constexpr core::Nanos kGrace = seconds(2);

struct Scenario {
  std::string conf;
  std::string hook;
  std::function<void(Bench&)> script;
  core::Nanos length;                              // by then everything has happened and has settled
  std::function<std::string(Bench&)> goal;         // what is missing; empty: nothing
  bool ends = false;                               // supervise is to have ended
};

struct Fault {
  std::size_t call = SIZE_MAX;
  sim::Error error;
  std::size_t allocation = SIZE_MAX;    // after the start
};

struct Run {
  Bench bench;
  bool started = false;
  std::size_t first_call_after_start = 0;
  std::size_t allocations = 0;
  core::Nanos fault_time{0};

  Run(const Scenario& scenario, const Fault& fault) : bench(scenario.conf, scenario.hook) {
    bench.system.fault = [this, fault](Op, std::size_t call) -> const sim::Error* {
      if (call != fault.call) return nullptr;
      fault_time = bench.system.mono().time_since_epoch();
      error_ = fault.error;
      return &error_;
    };
    scenario.script(bench);
    started = bench.start();
    first_call_after_start = bench.system.calls();
    if (!started) return;
    sim::fail_allocation(fault.allocation);
    bench.run_until(scenario.length);
    bench.run_until(std::max(scenario.length, fault_time + grace(fault)));
    allocations = sim::allocations();
    sim::fail_allocation(SIZE_MAX);
  }

 private:
  // A signal that could not be sent is made good by the KILL that follows.
  core::Nanos grace(const Fault& fault) const {
    const bool signal = fault.call < bench.system.log().size() && bench.system.log()[fault.call] == Op::kKill;
    return signal ? kGrace + seconds(4) : kGrace;
  }
  sim::Error error_;
};

std::string wrong_with(Run& run, const Scenario& scenario, std::size_t descriptors) {
  auto& bench = run.bench;
  auto text = bench.violations();
  if (bench.ended() != scenario.ends) text += bench.ended() ? "supervise has ended; " : "supervise has not ended; ";
  text += bench.unsettled();
  text += scenario.goal(bench);
  if (!bench.ended() && bench.system.open_descriptors() != descriptors)
    text += std::to_string(bench.system.open_descriptors()) + " descriptors are open instead of " + std::to_string(descriptors) + "; ";
  return text;
}

// A start that failed has said so and has left nothing behind.
std::string wrong_with_failed_start(Bench& bench, Op op) {
  auto text = bench.violations();
  if (bench.error().empty()) text += "no word of it; ";
  if (bench.error_status() != 100 && bench.error_status() != 111) text += "exit status " + std::to_string(bench.error_status()) + "; ";
  if (bench.service()) text += "the service is left running; ";
  if (bench.system.open_descriptors() != 0) text += "a descriptor is left open; ";
  // A look that failed may have been at the lock, and without that the entries may be another supervise's.
  const bool could_not_remove = op == Op::kRemove || op == Op::kRemoveDirectory || op == Op::kStat || op == Op::kStatAt;
  if (bench.system.find(sim::kDirectory) && !could_not_remove) text += "the directory is left behind; ";
  return text;
}

// The tests' own allocations never fail.
const sim::Exempt kTestsAreExempt;

enum class Sweep { kAfterStart, kFromTheBeginning };

void sweep(const Scenario& scenario, Sweep which = Sweep::kAfterStart) {
  Run undisturbed(scenario, {});
  REQUIRE(undisturbed.started);
  const auto descriptors = undisturbed.bench.system.open_descriptors();
  REQUIRE(wrong_with(undisturbed, scenario, descriptors) == "");
  const auto calls = undisturbed.bench.system.log();
  std::size_t faults = 0, failures = 0;
  std::string report;
  for (std::size_t allocation = 0; allocation < undisturbed.allocations; ++allocation) {
    Run run(scenario, {SIZE_MAX, {}, allocation});
    ++faults;
    const auto text = wrong_with(run, scenario, descriptors);
    if (!text.empty() && ++failures <= 12) report += "\nallocation " + std::to_string(allocation) + ": " + text;
  }
  for (std::size_t call = which == Sweep::kAfterStart ? undisturbed.first_call_after_start : 0; call < calls.size(); ++call) {
    for (const auto& error : sim::errors_of(calls[call])) {
      const Fault fault{call, error};
      Run run(scenario, fault);
      ++faults;
      const bool may_refuse = call < undisturbed.first_call_after_start;
      auto text = run.started ? wrong_with(run, scenario, descriptors)
                              : may_refuse ? wrong_with_failed_start(run.bench, calls[call]) : "it did not start; ";
      if (text.empty() || ++failures > 12) continue;
      report += "\ncall " + std::to_string(call) + " (" + sim::name_of(calls[call]) + ") with errno " + std::to_string(error.number) + " at stage " +
                std::to_string(static_cast<int>(error.stage)) + " at " + std::to_string(run.fault_time / kMilli) + " ms: " + text;
    }
  }
  INFO(faults << " faults, " << failures << " with failures" << report);
  CHECK(failures == 0);
  CHECK(faults > 20);
}

std::string up(Bench& bench) {
  if (!bench.service()) return "the service is not up; ";
  return bench.state("want") == "up" ? "" : "it is not wanted up; ";
}
std::string down(Bench& bench) { return bench.service() ? "the service is up; " : ""; }
std::string nothing(Bench&) { return ""; }

TEST_CASE("any call may fail once at start") {
  sweep({"", "", [](Bench&) {}, seconds(3), up}, Sweep::kFromTheBeginning);
}

TEST_CASE("any call may fail once at start in an old status directory") {
  sweep({"", "",
         [](Bench& b) {
           b.system.put(Bench::path("lock"), sys::FileType::kRegular, "", 0600);
           b.system.put(Bench::path("control"), sys::FileType::kRegular, "", 0666);
           b.system.put(Bench::path("ok"), sys::FileType::kLink, "/etc/passwd");
           b.system.put(Bench::path("supervise.log"), sys::FileType::kRegular, "old\n", 0666);
           b.system.find("/srv/status")->mode = 0755;
           b.system.violations().clear();
         },
         seconds(3), up},
        Sweep::kAfterStart);
}

// What is wrong after a supervise was killed, and its service as well if it does not live, and the fault was that of the next one.
std::string wrong_after_kill(const std::string& conf, bool lives, bool reaped, const Fault& fault, std::vector<Op>& calls) {
  Bench bench(conf);
  bench.system.init_reaps = reaped;
  REQUIRE(bench.start());
  bench.run_until(seconds(2));
  bench.kill_supervise();
  if (!lives) bench.system.die(*bench.service(), Outcome::code(1));
  const auto before = bench.system.calls();
  bench.system.fault = [&](Op, std::size_t call) { return call == before + fault.call ? &fault.error : nullptr; };
  std::string text;
  if (!bench.start()) {
    if (bench.error().empty() || (bench.error_status() != 100 && bench.error_status() != 111)) text += "exit status " + std::to_string(bench.error_status()) + ": " + bench.error() + "; ";
    // Its user tries again.
    if (!bench.start()) return text + "it does not start again: " + bench.error();
  }
  bench.run_until(seconds(6));
  calls.assign(bench.system.log().begin() + static_cast<std::ptrdiff_t>(before), bench.system.log().end());
  if (bench.services().size() != (lives ? 1U : 2U)) text += std::to_string(bench.services().size()) + " starts; ";
  return text + bench.violations() + bench.unsettled() + up(bench);
}

TEST_CASE("any call may fail once while the next supervise finds the service or its end") {
  for (const std::string conf : {"", "forking : true\nkill_tree : true\n"})
    for (const auto& [lives, reaped] : {std::pair(true, true), std::pair(false, true), std::pair(false, false)}) {
      std::vector<Op> calls, ignored;
      REQUIRE(wrong_after_kill(conf, lives, reaped, {}, calls) == "");
      std::string report;
      for (std::size_t call = 0; call < calls.size(); ++call)
        for (const auto& error : sim::errors_of(calls[call]))
          if (const auto text = wrong_after_kill(conf, lives, reaped, {call, error}, ignored); !text.empty())
            report += "\n" + std::to_string(call) + " (" + sim::name_of(calls[call]) + ") with errno " + std::to_string(error.number) + ": " + text;
      INFO("it lives: " << lives << ", " << calls.size() << " calls, " << conf << report);
      CHECK(report.empty());
    }
}

TEST_CASE("any call may fail once while a service dies and is restarted") {
  sweep({"", "",
         [](Bench& b) {
           b.service_dies_at(seconds(3), Outcome::code(1));
           b.service_dies_at(seconds(3) + 300 * kMilli, Outcome::signal(11, true));
         },
         seconds(6), up});
}

TEST_CASE("any call may fail once while a service that dies young is retried with back-off") {
  sweep({"backoff : exponential\nstartretries : 10\n", "",
         [](Bench& b) {
           b.system.on_start = [&b](Child& child) {
             if (b.services().size() < 3) b.system.die_in(child.pid, 20 * kMilli, Outcome::code(1));
           };
         },
         seconds(10), up});
}

TEST_CASE("any call may fail once until supervise gives up on a crash loop") {
  sweep({"alarm_interval : 60\nmax_tries : 2\nalarm_mail : a@x\n", "",
         [](Bench& b) {
           b.system.on_start = [&b](Child& child) { b.system.die_in(child.pid, 20 * kMilli, Outcome::code(1)); };
         },
         seconds(8),
         [](Bench& b) {
           auto text = down(b);
           if (b.state("state") != "FATAL") text += "state does not say FATAL; ";
           return text;
         },
         true});
}

TEST_CASE("any call may fail once while a service is stopped and started by control") {
  sweep({"stopwaitsecs : 2\n", "",
         [](Bench& b) {
           b.control_at(seconds(2), "d\n");
           b.control_at(seconds(3), "u\n");
           b.control_at(seconds(5), "p");
           b.control_at(seconds(6), "c");
           b.control_at(seconds(7), "du");
         },
         seconds(9), up});
}

TEST_CASE("any call may fail once while a stubborn service is stopped") {
  sweep({"stopwaitsecs : 2\n", "",
         [](Bench& b) {
           b.system.on_start = [](Child& child) { child.ignores_term = true; };
           b.control_at(seconds(2), "d");
         },
         seconds(5), [](Bench& b) { return down(b) + (b.state("state") == "STOPPED" ? "" : "it is not STOPPED; "); }});
}

TEST_CASE("any call may fail once while supervise is told to end") {
  sweep({"stopwaitsecs : 2\n", "", [](Bench& b) { b.control_at(seconds(2), "dx"); }, seconds(4), down, true});
  sweep({"stopwaitsecs : 2\n", "", [](Bench& b) { b.system.at(seconds(2), [&b] { b.system.signal_terminate(); }); }, seconds(4), down, true});
}

TEST_CASE("any call may fail once while the configuration is read again") {
  sweep({"stopsignal : INT\nstopwaitsecs : 2\n", "",
         [](Bench& b) {
           b.system.at(seconds(2), [&b] {
             b.write_conf("stopsignal : QUIT\nstopwaitsecs : 2\nalarm_interval : 60\n");
             b.control("r");
           });
           b.control_at(seconds(3), "d");
         },
         seconds(6), down});
  sweep({"", "",
         [](Bench& b) {
           b.system.at(seconds(2), [&b] {
             b.write_conf("startsecs : nonsense\n");
             b.system.signal_hangup();
           });
         },
         seconds(5), up});
}

TEST_CASE("any call may fail once while entries of the directory are removed") {
  sweep({"", "",
         [](Bench& b) {
           for (const auto* name : {"control", "status", "lock", "supervise.log", "supervise", "svcontrol", ".state", "ok"})
             b.system.at(seconds(2), [&b, name] { b.system.remove_tree(Bench::path(name)); });
         },
         seconds(6), [](Bench& b) { return up(b) + (b.services().size() == 1 ? "" : "the service was restarted; "); }});
}

TEST_CASE("any call may fail once while entries of the directory are replaced") {
  sweep({"stdout_logfile_maxbytes : 0\nstderr_logfile_maxbytes : 0\n", "",
         [](Bench& b) {
           b.system.at(seconds(2), [&b] {
             b.system.put(Bench::path("status/x"), sys::FileType::kRegular);
             b.system.put(Bench::path("control"), sys::FileType::kLink, "/etc/passwd");
             b.system.put(Bench::path("__stdout"), sys::FileType::kLink, "/dev/null");
             b.system.put(Bench::path("ok"), sys::FileType::kDirectory, {}, 0755);
             b.system.put(Bench::path("lock"), sys::FileType::kRegular, {}, 0666);
             b.system.violations().clear();
           });
         },
         seconds(5), up});
}

TEST_CASE("any call may fail once while the whole directory is removed") {
  sweep({"", "", [](Bench& b) { b.system.at(seconds(2), [&b] { b.system.remove_tree(sim::kDirectory); }); }, seconds(6),
         [](Bench& b) { return up(b) + (b.services().size() == 1 ? "" : "the service was restarted; "); }});
}

TEST_CASE("any call may fail once while alarms are sent") {
  sweep({"alarm_interval : 60\nalarm_mail : a@x b@x\nalarm_gsm : 1 2\nalarm_command : notify x\n", "",
         [](Bench& b) {
           b.system.on_start = [&b](Child& child) {
             const bool hangs = child.program == "gsmsend-script" && child.arguments.at(1).starts_with("2@");
             if (!child.is_service && !hangs) b.system.die_in(child.pid, 200 * kMilli, Outcome::code(child.program == "notify" ? 3 : 0));
           };
           b.service_dies_at(seconds(3), Outcome::code(1));
         },
         seconds(66),
         [](Bench& b) {
           auto text = up(b);
           for (const auto& [program, count] : {std::pair("/usr/sbin/sendmail", 1), std::pair("gsmsend-script", 2), std::pair("notify", 1)}) {
             const auto sent = b.helpers(program);
             if (sent.size() > static_cast<std::size_t>(count)) text += std::string(program) + " was run too often; ";
             for (const auto* child : sent)
               if (child->alive) text += std::string(program) + " is still alive; ";
           }
           return text;
         }});
}

TEST_CASE("any call may fail once while the restart script runs") {
  sweep({"hook_timeout : 3\n", "./hook",
         [](Bench& b) {
           b.system.on_start = [&b](Child& child) {
             if (!child.is_service && b.helpers("./hook").size() == 1) b.system.die_in(child.pid, 300 * kMilli, Outcome::code(0));
           };
           b.service_dies_at(seconds(3), Outcome::code(1));
           b.service_dies_at(seconds(6), Outcome::code(1));    // whose script hangs
         },
         seconds(11), up});
}

TEST_CASE("any call may fail once while a program that is missing is retried") {
  sweep({"alarm_interval : 60\nalarm_mail : a@x\n", "",
         [](Bench& b) {
           b.system.broken_program = core::StartFailure{core::Stage::kExec, 2};
           b.system.at(seconds(3) + 500 * kMilli, [&b] { b.system.broken_program.reset(); });
         },
         seconds(6), up});
}

TEST_CASE("any call may fail once while a service that is FATAL waits and is tried again") {
  sweep({"startretries : 0\nfatal_retry : 2\n", "",
         [](Bench& b) {
           b.service_dies_at(500 * kMilli, Outcome::code(1));
         },
         seconds(5), up});
}

TEST_CASE("any call may fail once while garbage floods control") {
  sweep({"", "",
         [](Bench& b) {
           b.control_at(seconds(2), std::string(10000, '?') + "d" + std::string(5000, '!') + "u\n");
         },
         seconds(5), up});
}

TEST_CASE("any call may fail once while nothing happens") {
  sweep({"", "", [](Bench& b) { b.control_at(seconds(2), "sn"); b.control_at(seconds(3), "hw"); }, seconds(4), nothing});
}

TEST_CASE("any call may fail once while a service gives signs of life and then no more") {
  sweep({"heartbeat_file : /srv/beat\nheartbeat_timeout : 2\nstopwaitsecs : 1\n", "",
         [](Bench& b) {
           for (int i = 1; i <= 4; ++i) b.system.at(seconds(i), [&b] { b.system.touch("/srv/beat"); });
           b.system.on_start = [&b](Child& child) {
             if (b.services().size() == 1) child.ignores_term = true;
             else b.system.in(seconds(1), [&b] { b.system.touch("/srv/beat"); });
           };
         },
         seconds(9), [](Bench& b) { return up(b) + (b.services().size() >= 2 ? "" : "the service that hangs was not restarted; "); }});
}

TEST_CASE("any call may fail once while a service notifies") {
  sweep({"notify : true\nready_fd : 3\nwatchdog : 2\n", "",
         [](Bench& b) {
           b.system.on_start = [&b](Child& child) {
             const auto pid = child.pid;
             b.system.in(500 * kMilli, [&b, pid] { b.system.notify(pid, "READY=1\nSTATUS=ready"); });
             b.system.in(600 * kMilli, [&b, pid] { b.system.children().at(pid).ready->data += "\n"; });
             for (int i = 1; i < 8; ++i) b.system.in(seconds(i), [&b, pid] { b.system.notify(pid, "WATCHDOG=1"); });
           };
           b.service_dies_at(seconds(3), Outcome::code(1));
         },
         seconds(7), [](Bench& b) { return up(b) + (b.services().size() == 2 ? "" : "a sign of life was missed; "); }});
}

TEST_CASE("any call may fail once while a service names another process as the main one and is stopped") {
  sweep({"notify : true\nkill_tree : true\nstopwaitsecs : 1\n", "",
         [](Bench& b) {
           b.system.on_start = [&b](Child& child) {
             const auto pid = child.pid;
             b.system.in(500 * kMilli, [&b, pid] { b.system.notify(pid, "READY=1\nMAINPID=" + std::to_string(b.system.fork_from(pid, "worker").pid)); });
           };
           b.control_at(seconds(3), "d");
         },
         seconds(7), [](Bench& b) {
           for (const auto& [pid, child] : b.system.children())
             if (child.alive && child.program == "worker") return down(b) + "worker is left; ";
           return down(b) + (b.state("starts") == "1" ? "" : "it was started again; ");
         }});
}

TEST_CASE("any call may fail once while a service goes into the background") {
  sweep({"forking : true\n", "",
         [](Bench& b) {
           b.system.on_start = [&b](Child& child) {
             const auto pid = child.pid;
             b.system.in(100 * kMilli, [&b, pid] {
               (void)b.system.fork_from(pid, "daemon");
               b.system.die(b.system.children().at(pid), Outcome::code(0));
             });
           };
         },
         seconds(4), [](Bench& b) { return up(b) + (b.services().size() == 2 ? "" : "it was started again; "); }});
}

TEST_CASE("any call may fail once while what a service leaves behind is ended") {
  sweep({"kill_tree : true\nstopwaitsecs : 1\n", "",
         [](Bench& b) {
           b.system.at(seconds(2), [&b] {
             const auto pid = b.service()->pid;
             b.system.fork_from(pid, "worker").ignores_term = true;
             (void)b.system.fork_from(pid, "helper");
             b.system.die(b.system.children().at(pid), Outcome::code(1));
           });
         },
         seconds(6),
         [](Bench& b) {
           auto text = up(b);
           for (const auto& [pid, child] : b.system.children())
             if (child.alive && (child.program == "worker" || child.program == "helper")) text += child.program + " is left; ";
           return text;
         }});
}

}  // namespace
