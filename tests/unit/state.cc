#include "core/state.h"

#include <climits>
#include <csignal>

#include "catch.h"

namespace {

core::WallTime wall(std::int64_t seconds, std::int64_t millis) {
  return core::WallTime(core::seconds(seconds) + std::chrono::milliseconds(millis));
}

core::StateRecord running() {
  core::StateRecord record;
  record.name = "redis";
  record.facts.state = core::State::kRunning;
  record.facts.want = core::Want::kUp;
  record.facts.pid = 4733;
  record.facts.since = wall(1'795'197'788, 204);
  record.facts.started = wall(1'795'197'787, 204);
  record.facts.ready = wall(1'795'197'789, 310);
  record.facts.exit = core::Outcome::signal(SIGKILL, false);
  record.facts.starts = 2;
  record.facts.exits = 1;
  record.facts.exits_nonzero = 4;
  record.facts.exits_signal = 5;
  record.facts.exits_core = 6;
  record.facts.tries = 1;
  record.supervise = {4709, 918204};
  record.service = {4733, 944811};
  record.boot_id = "2f0c4d0e-7a55-4c3b-9d4e-5b6f3b1d8c11";
  record.output = {"/srv/redis", "__stdout"};
  record.errors = {"/", "err"};
  record.conf = {"/srv", "supervise.conf"};
  record.conf_time = wall(1795197000, 125);
  record.conf_reads = 3;
  record.conf_faulty = true;
  record.notify_name = "supervise-0123456789abcdef";
  record.directory = "/srv/status/redis";
  record.namespaces = "pid:[4026531836] time:[4026531834]";
  record.origin = {4709, 4701, 33};
  record.snapshot.facts.stamp = core::WallTime(core::Nanos(1'795'197'787'204'567'890));
  record.snapshot.failures = 2;
  record.snapshot.restarts = 3;
  record.snapshot.hook_runs = 4;
  record.snapshot.started = core::Instant(std::chrono::milliseconds(9448110));
  record.snapshot.window_opened = core::Instant(core::seconds(9440));
  record.snapshot.next_start = core::Instant(core::seconds(9450));
  record.snapshot.last_exit = core::Instant(std::chrono::milliseconds(9448100));
  return record;
}

std::string value(const core::StateRecord& record, std::string_view key) {
  const auto text = core::encode_record(record);
  return std::string(core::state_value(text.view(), key).value_or("(missing)"));
}

TEST_CASE("the state file of a running service is exactly this text") {
  CHECK(core::encode_record(running()).state() ==
        "name=redis\nstate=RUNNING\npid=4733\nsupervise_pid=4709\nwant=up\nsince=1795197788.204\nstarted=1795197787.204\n"
        "ready=1795197789.310\nexit=signal KILL\nstarts=2\nexits=1\nexits_nonzero=4\nexits_signal=5\nexits_core=6\ntries=1\ncoredumps=0\nnext_start=\nreason=\nstatus=\noutput=\nstdout=/srv/redis/__stdout\nstderr=/err\nheartbeat=\n"
        "conf=/srv/supervise.conf\nconf_time=1795197000.125\nconf_reads=3\nconf_faulty=1\nalarm=on\n"
        "paused=0\npid_start=944811\nsupervise_start=918204\nboot_id=2f0c4d0e-7a55-4c3b-9d4e-5b6f3b1d8c11\n");
}

TEST_CASE("what only the next supervise needs follows in the record") {
  const auto record = core::encode_record(running());
  CHECK(record.view().starts_with(record.state()));
  CHECK(record.view().substr(record.state().size()) ==
        "memory=1 1795197787204567890 2 3 4 9448110 9440000 -1 9450000 9448100\nnotify=supervise-0123456789abcdef\n"
        "left_running=0\nleft_running_session=0\nleft_running_start=0\ndirectory=/srv/status/redis\n"
        "namespaces=pid:[4026531836] time:[4026531834]\nparent=4709\nsession=4701\nuser=33\n");
  const auto recorded = core::recorded_processes(record.view());
  CHECK(recorded.directory == "/srv/status/redis");
  CHECK(recorded.namespaces == "pid:[4026531836] time:[4026531834]");
  CHECK(recorded.origin.parent == 4709);
  CHECK(recorded.origin.session == 4701);
  CHECK(recorded.origin.user == 33U);
  CHECK_FALSE(core::recorded_processes(record.state()).origin.user);
}

TEST_CASE("the configuration that was read last is told and read back") {
  const auto text = core::encode_record(running());
  const auto conf = core::recorded_conf(text.view());
  CHECK(conf.file == "/srv/supervise.conf");
  CHECK(conf.time == wall(1'795'197'000, 125));
  CHECK(conf.reads == 3);
  CHECK(conf.faulty);
  CHECK(core::recorded_conf("state=RUNNING\n").reads == 0);
}

TEST_CASE("the state file of a service that never ran leaves empty what is not known") {
  core::StateRecord record;
  record.name = "x";
  for (const auto* key : {"since", "started", "ready", "exit", "next_start", "reason", "status", "output"}) {
    INFO("key: " << key);
    CHECK(value(record, key) == "");
  }
  CHECK(value(record, "state") == "STOPPED");
  CHECK(value(record, "want") == "down");
  CHECK(value(record, "pid") == "0");
}

TEST_CASE("the states and wishes have the names of supervisord") {
  struct Row {
    core::State state;
    const char* name;
  };
  const Row rows[] = {{core::State::kStopped, "STOPPED"},   {core::State::kStarting, "STARTING"}, {core::State::kRunning, "RUNNING"},
                      {core::State::kBackoff, "BACKOFF"},   {core::State::kStopping, "STOPPING"}, {core::State::kExited, "EXITED"},
                      {core::State::kFatal, "FATAL"}};
  for (const auto& row : rows) {
    auto record = running();
    record.facts.state = row.state;
    CHECK(value(record, "state") == row.name);
  }
  auto record = running();
  record.facts.want = core::Want::kOnce;
  CHECK(value(record, "want") == "once");
  record.facts.want = core::Want::kDown;
  CHECK(value(record, "want") == "down");
}

TEST_CASE("next_start is given in wall time") {
  auto record = running();
  record.now = {core::Instant(core::seconds(100)), wall(5000, 0)};
  record.facts.next_start = core::Instant(core::seconds(103)) + std::chrono::milliseconds(250);
  CHECK(value(record, "next_start") == "5003.250");
  record.facts.next_start = core::Instant(core::seconds(99));
  CHECK(value(record, "next_start") == "4999.000");
}

TEST_CASE("alarm and paused are told in the state file") {
  auto record = running();
  record.facts.alarms_on = false;
  record.facts.paused = true;
  CHECK(value(record, "alarm") == "off");
  CHECK(value(record, "paused") == "1");
}

TEST_CASE("the longest state file is whole and fits") {
  const std::string long_text(5000, 'n');
  core::StateRecord record;
  record.name = long_text;
  record.reason = long_text;
  record.status = record.output_waits = long_text;
  const std::string long_path = "/" + std::string(250, 'p');
  record.output = record.errors = record.heartbeat = record.conf = {long_path, "abc"};
  record.conf_reads = UINT64_MAX;
  record.conf_time = wall(INT64_MAX / 1'000'000'000 - 1, 999);
  record.facts.exits_nonzero = record.facts.exits_signal = record.facts.exits_core = UINT64_MAX;
  record.boot_id = "2f0c4d0e-7a55-4c3b-9d4e-5b6f3b1d8c11";
  record.facts.exit = core::Outcome::signal(SIGVTALRM, true);
  record.facts.pid = record.supervise.pid = record.service.pid = INT32_MAX;
  record.supervise.start = record.service.start = UINT64_MAX;
  record.facts.starts = record.facts.exits = UINT64_MAX;
  record.facts.tries = record.facts.coredumps = UINT32_MAX;
  record.facts.state = core::State::kRunning;
  record.facts.since = record.facts.started = record.facts.ready = core::WallTime(core::Nanos(INT64_MAX));
  record.facts.next_start = core::Instant(core::Nanos(INT64_MAX / 2));
  record.notify_name = "supervise-0123456789abcdef";
  record.left = {INT32_MAX, INT32_MAX, UINT64_MAX};
  record.origin = {INT32_MAX, INT32_MAX, UINT32_MAX};
  record.directory = long_path;
  record.namespaces = "pid:[4294967295] time:[4294967295]";
  record.snapshot.facts.stamp = core::WallTime::max();
  record.snapshot.failures = UINT_MAX;
  record.snapshot.restarts = record.snapshot.hook_runs = INT_MAX;
  for (auto* instant : {&record.snapshot.started, &record.snapshot.window_opened, &record.snapshot.kill_due, &record.snapshot.next_start,
                        &record.snapshot.last_exit})
    *instant = core::Instant(core::Nanos::max() - core::Nanos(1));
  const auto text = core::encode_record(record);
  CHECK_FALSE(text.text.full());
  CHECK(text.view().size() < core::kRecordMax);
  CHECK(text.view().ends_with("\nuser=4294967295\n"));
  CHECK(text.state().size() < core::kStateMax);
  CHECK(text.state().ends_with("boot_id=2f0c4d0e-7a55-4c3b-9d4e-5b6f3b1d8c11\n"));
  CHECK(core::state_value(text.view(), "name")->size() == 64);
  CHECK(core::state_value(text.view(), "reason")->size() == 160);
  CHECK(core::state_value(text.view(), "status")->size() == 160);
  CHECK(core::state_value(text.view(), "output")->size() == 160);
  CHECK(core::state_value(text.view(), "heartbeat")->size() == 255);
}

TEST_CASE("a path that the state file could not show as it is is left out") {
  auto record = running();
  record.output = {"/srv/a\npid=1", "__stdout"};
  record.errors = {"/srv/\xc3\xa4", "__stderr"};
  record.heartbeat = {std::string_view(), "name"};
  CHECK(value(record, "stdout") == "");
  CHECK(value(record, "stderr") == "/srv/\xc3\xa4/__stderr");
  CHECK(value(record, "heartbeat") == "");
  record.errors = {"/srv/\xff", "__stderr"};
  CHECK(value(record, "stderr") == "");
  record.errors = {"/srv/\u202e", "__stderr"};
  CHECK(value(record, "stderr") == "");
  const std::string long_path = "/" + std::string(255, 'p');
  record.output = {long_path, "a"};
  CHECK(value(record, "stdout") == "");
}

TEST_CASE("the record names a directory of any printable path") {
  auto record = running();
  for (const auto& [directory, recorded] : {std::pair("/srv/status/k\u00fcche", "/srv/status/k\u00fcche"), std::pair("/srv/a\nb", ""), std::pair("/srv/\xff", "")}) {
    record.directory = directory;
    CHECK(core::recorded_processes(core::encode_record(record).view()).directory == recorded);
  }
}

TEST_CASE("foreign text cannot forge a line of the state file") {
  auto record = running();
  record.name = "a\npid=1";
  record.reason = "x\r\n\x1b[2Jpid=2\x7f";
  record.status = "ok\nalarm=off";
  record.output_waits = "stdout waits: cannot write to x\npid=3";
  CHECK(value(record, "name") == "a\\npid=1");
  CHECK(value(record, "reason") == "x\\r\\n\\x1b[2Jpid=2\\x7f");
  CHECK(value(record, "status") == "ok\\nalarm=off");
  CHECK(value(record, "output") == "stdout waits: cannot write to x\\npid=3");
  CHECK(value(record, "pid") == "4733");
  CHECK(value(record, "alarm") == "on");
}

TEST_CASE("a value is found by its whole key") {
  const std::string text = "pid_start=7\npid=4\nempty=\nlast=x";
  struct Row {
    const char* key;
    std::optional<std::string_view> value;
  };
  const Row rows[] = {{"pid", "4"}, {"pid_start", "7"}, {"empty", ""}, {"last", "x"}, {"pi", std::nullopt}, {"start", std::nullopt}};
  for (const auto& row : rows) {
    INFO("key: " << row.key);
    CHECK((core::state_value(text, row.key) == row.value));
  }
  CHECK_FALSE(core::state_value("", "pid").has_value());
}

TEST_CASE("the recorded processes are read back from a state file") {
  const auto text = core::encode_record(running());
  const auto recorded = core::recorded_processes(text.view());
  CHECK((recorded.supervise == core::ProcessId{4709, 918204}));
  CHECK((recorded.service == core::ProcessId{4733, 944811}));
  CHECK(recorded.boot_id == "2f0c4d0e-7a55-4c3b-9d4e-5b6f3b1d8c11");
}

TEST_CASE("a process that may be the service is one whose start nobody could tell") {
  auto record = running();
  CHECK(core::recorded_processes(core::encode_record(record).view()).left.pid == 0);
  record.service.start = 0;
  record.left.session = 4709;
  auto left = core::recorded_processes(core::encode_record(record).view()).left;
  CHECK(left.pid == 4733);
  CHECK(left.session == 4709);
  record.facts.pid = 0;
  record.left = left;
  left = core::recorded_processes(core::encode_record(record).view()).left;
  CHECK(left.pid == 4733);
  CHECK(left.session == 4709);
}

TEST_CASE("a state file that makes no sense names no process") {
  for (const auto* text : {"", "\n\n", "pid=", "pid=-\npid_start=x", "pid=99999999999999999999", "garbage", "pid=1x\nsupervise_pid= 4"}) {
    INFO("text: " << text);
    const auto recorded = core::recorded_processes(text);
    CHECK((recorded.supervise == core::ProcessId{}));
    CHECK((recorded.service == core::ProcessId{}));
    CHECK(recorded.boot_id.empty());
  }
}

TEST_CASE("what a state file remembers is read back") {
  const auto record = running();
  const auto text = core::encode_record(record);
  const auto snapshot = core::recorded_snapshot(text.view());
  REQUIRE(snapshot);
  CHECK(snapshot->facts.state == core::State::kRunning);
  CHECK(snapshot->facts.want == core::Want::kUp);
  CHECK(snapshot->facts.pid == 4733);
  CHECK(snapshot->facts.since == record.facts.since);
  CHECK(snapshot->facts.started == record.facts.started);
  CHECK(snapshot->facts.ready == record.facts.ready);
  CHECK(snapshot->facts.exit == record.facts.exit);
  CHECK(snapshot->facts.starts == 2);
  CHECK(snapshot->facts.exits == 1);
  CHECK(snapshot->facts.tries == 1);
  CHECK(snapshot->facts.alarms_on);
  CHECK_FALSE(snapshot->facts.paused);
  CHECK(snapshot->facts.stamp == record.snapshot.facts.stamp);
  CHECK(snapshot->failures == 2);
  CHECK(snapshot->restarts == 3);
  CHECK(snapshot->hook_runs == 4);
  CHECK(snapshot->started == record.snapshot.started);
  CHECK(snapshot->window_opened == record.snapshot.window_opened);
  CHECK(snapshot->kill_due == core::kNever);
  CHECK(snapshot->next_start == record.snapshot.next_start);
  CHECK(snapshot->last_exit == record.snapshot.last_exit);
  CHECK(core::recorded_notify_name(text.view()) == "supervise-0123456789abcdef");
}

TEST_CASE("a memory that no supervise of this version has written is none") {
  const std::string good(core::encode_record(running()).view());
  const std::string memory = "memory=1 1795197787204567890 2 3 4 9448110 9440000 -1 9450000 9448100";
  REQUIRE(good.find(memory) != std::string::npos);
  for (const auto* bad : {"memory=", "memory=2 9 2 3 4 1 1 1 1 1", "memory=1 9 2 3 4 1 1 1 1", "memory=1 9 -2 3 4 1 1 1 1 1", "memory=1 9 2 -3 4 1 1 1 1 1", "memory=1 -9 2 3 4 1 1 1 1 1",
                          "memory=1 9 2 3 4 -1 1 1 1 1", "memory=1 9 2 3 4 99999999999999999999 1 1 1 1", "memory=1 9 2 3 4 9223372036854775807 1 1 1 1",
                          "memory=1 9 2 3 4 x 1 1 1 1", "memory=1 9 2 3 4 -7 1 1 1 1"}) {
    INFO(bad);
    auto text = good;
    text.replace(text.find(memory), memory.size(), bad);
    CHECK_FALSE(core::recorded_snapshot(text));
  }
  for (const auto& [what, with] : {std::pair("pid=4733\n", "pid=0\n"), std::pair("pid=4733\n", "pid=-5\n"), std::pair("state=RUNNING", "state=STOPPED"),
                                   std::pair("state=RUNNING", "state=ASLEEP"), std::pair("want=up", "want=")}) {
    INFO(with);
    auto text = good;
    text.replace(text.find(what), std::string(what).size(), with);
    CHECK_FALSE(core::recorded_snapshot(text));
  }
}

TEST_CASE("a machine goes on from numbers at their end without leaving their range") {
  const std::string text = std::string("state=BACKOFF\nwant=up\npid=0\n") + "memory=1 9223372036854775807 4294967295 2147483647 2147483647 9223372036854 9223372036854 9223372036854 9223372036854 9223372036854\n";
  for (const auto* state : {"BACKOFF", "FATAL"})
    for (const auto retry : {core::seconds(0), core::seconds(20)}) {
      auto forged = text;
      forged.replace(6, 7, state);
      const auto snapshot = core::recorded_snapshot(forged);
      REQUIRE(snapshot);
      core::Policy policy;
      policy.fatal_retry = retry;
      policy.alarm_interval = core::seconds(60);
      core::Now now{core::Instant(core::seconds(1000)), core::WallTime(core::seconds(1'795'197'787))};
      core::Machine machine(policy, now, 1);
      machine.restore(*snapshot, now);
      const auto next = machine.facts().next_start;
      CHECK((!next || *next <= now.mono + policy.backoff_max + policy.pacing));
      (void)machine.step(core::event::Commanded{core::Verb::kOnce}, now);
      now.mono = machine.deadline();
      (void)machine.step(core::event::Due{}, now);
      (void)machine.step(core::event::Started{4711}, now);
      (void)machine.step(core::event::Reconfigured{policy}, now);
      (void)machine.step(core::event::Exited{core::Outcome::code(1)}, now);
      CHECK(machine.snapshot().restarts >= 0);
      CHECK(machine.snapshot().hook_runs >= 0);
      core::StateRecord record;
      record.facts = machine.facts();
      record.now = now;
      record.snapshot = machine.snapshot();
      CHECK(core::recorded_snapshot(core::encode_record(record).view()));
    }
}

TEST_CASE("the name of a notification socket is one that a supervise would choose") {
  CHECK(core::recorded_notify_name("notify=supervise-1f\n") == "supervise-1f");
  for (const auto& name : {std::string(), std::string("../x"), std::string("A"), std::string("a b"), std::string(65, 'a'), std::string("a\0b", 3)})
    CHECK(core::recorded_notify_name("notify=" + name + "\n").empty());
}

}  // namespace
