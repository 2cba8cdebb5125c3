// Regressions: what a life of the machine, made up by a machine, found.
#include <csignal>

#include "catch.h"
#include "core/machine.h"
#include "unit/driver.h"

namespace {

using namespace std::string_view_literals;
using core::Policy;
using core::Reason;
using core::seconds;
using core::State;
using unit::Driver;
using unit::policy_with;

TEST_CASE("a FATAL service is not tried again after exit") {
  Driver d(policy_with([](Policy& p) {
    p.startretries = 0;
    p.fatal_retry = seconds(30);
  }));
  d.start("u").exited(1);
  CHECK(d.command("x") == "exit");
  CHECK(d.ms_until_due() == -1);
  d.pass(seconds(30)).due();
  CHECK(d.due() == "");
}

TEST_CASE("a service may say in one message that it stops and needs time for it") {
  Driver d;
  d.start("u").run_for(seconds(5)).notified("STOPPING=1\nEXTEND_TIMEOUT_USEC=60000000");
  CHECK(d.state() == State::kStopping);
  CHECK(d.ms_until_due() == 60000);
}

TEST_CASE("one NUL at the end of a notification is left out") {
  CHECK(core::parse_notification("READY=1\0"sv).ready);
  CHECK(core::parse_notification("MAINPID=5\0"sv).main_pid == 5);
  CHECK(core::parse_notification("READY=1\nSTATUS=up\0"sv).status == "up"sv);
}

TEST_CASE("a process that becomes the service after the KILL is killed in its turn") {
  Driver d;
  d.start("u").run_for(seconds(5)).command("d");
  CHECK(d.pass(seconds(10)).due() == "KILL");
  CHECK(d.main_changed(5000) == "TERM, CONT");
  CHECK(d.ms_until_due() >= 0);
}

TEST_CASE("a longer heartbeat_timeout counts for the beat that is waited for") {
  const auto beating = [](int timeout) {
    return policy_with([=](Policy& p) {
      p.heartbeat = true;
      p.heartbeat_timeout = seconds(timeout);
    });
  };
  Driver d(beating(20));
  d.start("u").run_for(seconds(10));
  d.send(core::event::Reconfigured{beating(600)});
  d.pass(seconds(10)).due();
  CHECK(d.heartbeat_checked() == "");
  CHECK(d.state() == State::kRunning);
}

TEST_CASE("a pause does not take away the time that a service has asked for") {
  Driver d(policy_with([](Policy& p) { p.watchdog = seconds(3); }));
  d.start("u").run_for(seconds(5)).notified("WATCHDOG=1\nEXTEND_TIMEOUT_USEC=60000000");
  CHECK(d.ms_until_due() == 60000);
  d.command("pc");
  CHECK(d.ms_until_due() == 60000);
}

TEST_CASE("a service that ran once and hung says that it hung") {
  Driver d;
  d.start("o").run_for(seconds(5)).notified("WATCHDOG=trigger");
  d.exited(0);
  CHECK(d.state() == State::kExited);
  CHECK(d.reason() == Reason::kNoWatchdog);
}

}  // namespace
