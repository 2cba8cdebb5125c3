// F14 to F16, F20, F21 and F23: what the service itself does, and what it writes.
#include <csignal>

#include "faults/site.h"

using namespace faults;

namespace {

// Stop, and KILL two seconds later, in the way that each kind has for it.
void stop_by_force(Site& site) {
  if (site.is("runit")) (void)peers::run({"sv", "-w", "2", "force-stop", site.fleet().directory(0)});
  else site.tell('d');
}
Plan forceful(const Words& verbs) {
  return {.verbs = verbs, .conf = "stopwaitsecs : 2", .supervisord = "stopwaitsecs=2", .s6 = "timeout-kill 2000"};
}

std::size_t living(const fs::path& file) {
  std::size_t count = 0;
  for (const auto& line : lines_of(file)) count += is_running(line);
  return count;
}

// Writes by this shell command, and then says that it has started: the log has to have it all.
void write_and_compare(const peers::Kind& kind, const std::string& command, const std::string& expected) {
  TempDir marks;
  Site site(kind, {.verbs = {"sleep", "1"}, .logging = peers::Logging::kOwn});
  const auto run = site.fleet().directory(0) / "run";
  const auto text = text_of(run);
  const auto done = (marks / "done").string();
  write_script(run, "[ -e " + done + " ] || { " + command + "; : >" + done + "; }\n" + text.substr(text.find('\n') + 1));
  site.start_anew();
  const bool came = wait_until([&] { return site.starts() == 1; }, 120s);
  expect(came, "the service cannot write it");
  (void)wait_until([&] { return site.output().size() >= expected.size(); }, deadline() + 5s);
  const auto written = site.output();
  expect(written.size() >= expected.size(), "bytes lost");
  expect(written == expected, "bytes changed");
  site.begin_fault();
  site.check_everything();
  site.check_cost();
}

}  // namespace

FAULT("F14a the service ignores TERM and is told d") {
  Site site(kind, forceful({"ignore", "TERM"}));
  site.start();
  const auto pid = site.service();
  stop_by_force(site);
  site.await("is never killed", [&] { return !alive(pid); });
  site.await_told();
  site.tell('u');
  site.await_running(pid);
  site.await_told();
}

FAULT("F14b the service is stopped with STOP and is told d") {
  Site site(kind, forceful({}));
  site.start();
  ::kill(site.service(), SIGSTOP);
  stop_by_force(site);
  site.await_stopped();
  site.await_told();
  site.tell('u');
  site.check_everything();
}

FAULT("F15 the service goes into the background") {
  TempDir work;
  const auto daemons = work / "daemons";
  Site site(kind, {.verbs = {"child", "3", "session", "started", daemons, "await", daemons, "exit", "0"}, .conf = "forking : true"});
  site.start_anew();
  (void)wait_until([&] { return living(daemons) == 1; });
  (void)holds_for(in_full<Clock::duration>(6s, 1500ms), [&] { return living(daemons) >= 1; });
  expect(living(daemons) == 1, std::to_string(living(daemons)) + " copies");
  const auto pid = last_pid_in(daemons);
  expect(wait_until([&] { return site.fleet().told_pid(0) == pid; }, deadline()), "wrong pid in status");
  site.tell('d');
  site.await("copies left after d", [&] { return living(daemons) == 0; });
}

FAULT("F16 children of the service in sessions of their own are left when it is told d") {
  TempDir work;
  const auto left = work / "left";
  Site site(kind, {.verbs = {"child", "3", "session", "started", left, "child", "3", "session", "started", left},
                   .logging = peers::Logging::kOwn,
                   .conf = "kill_tree : true",
                   .supervisord = "stopasgroup=true\nkillasgroup=true"});
  site.start();
  (void)wait_until([&] { return living(left) == 2; });
  site.tell('d');
  site.await_stopped();
  site.await("left behind", [&] { return living(left) == 0; });
  site.tell('u');
  site.check_everything();
  site.check_cost();
}

FAULT("F20a 100 MB without a newline") {
  const auto size = in_full(100'000'000UL, 4'000'000UL);
  write_and_compare(kind, "head -c " + std::to_string(size) + " /dev/zero | tr '\\0' x; echo", std::string(size, 'x') + "\n");
}

FAULT("F20b NUL bytes") {
  write_and_compare(kind, "head -c 1000 /dev/zero; echo; echo end", std::string(1000, 0) + "\nend\n");
}

FAULT("F20c a million writes of one byte") {
  const auto lines = in_full(144'750, 2'000);
  std::string expected;
  for (int i = 1; i <= lines; ++i) expected += std::to_string(i) + "\n";
  write_and_compare(kind, "seq 1 " + std::to_string(lines) + " | dd bs=1 2>/dev/null", expected);
}

FAULT("F21 the service dies with an unterminated last line: 15 times") {
  Site site(kind, {.verbs = {"out", "begin", "print", "the tail", "sleep", "1100", "exit", "1"}, .logging = peers::Logging::kOwn});
  site.start_anew();
  const auto times = in_full<std::size_t>(15, 2);
  expect(wait_until([&] { return site.starts() > times; }, 60s), "service not back");
  expect(wait_until([&] { return site.written("the tail") >= times && site.written("begin\n") >= times; }, deadline()), "last bytes lost");
  expect(site.written("the tail") <= site.starts(), "last bytes doubled");
}

FAULT("F23 the alarm program hangs: the service dies 5 times (ours only)") {
  if (kind.name != "supervise") throw Meaningless();
  TempDir work;
  write_script(work / "alarm", "yes >&2 | sleep 1000");
  Site site(kind, {.conf = "alarm_interval : 60\nalarm_command : " + (work / "alarm").string()});
  site.start();
  for (int i = 0; i < in_full(5, 2); ++i) {
    const auto pid = site.service();
    site.kill_service();
    site.await_running(pid);
    site.await_told();
  }
  site.check_everything();
}
