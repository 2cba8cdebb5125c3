// What supervise promises about time, idleness, floods and its directory, in a world where an hour takes no time.
#include <cerrno>
#include <csignal>
#include <utility>

#include "catch.h"
#include "core/state.h"
#include "fault/bench.h"
#include "sys/entry.h"

namespace {

using core::Outcome;
using core::seconds;
using sim::Bench;
using sim::Child;
using sim::kMilli;

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t n = 0;
  for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + part.size())) ++n;
  return n;
}

// Everything that happens to children, with its time since the beginning.
std::string timeline(Bench& bench) {
  std::string text;
  for (const auto* child : bench.services()) {
    text += "born " + std::to_string(child->born.time_since_epoch() / kMilli);
    for (const int signal : child->signals) text += " signal " + std::to_string(signal);
    text += child->alive ? " lives\n" : " died " + std::to_string(child->died.time_since_epoch() / kMilli) + "\n";
  }
  return text;
}

TEST_CASE("a death is followed by a new start in the same turn") {
  Bench bench;
  REQUIRE(bench.start());
  for (const int second : {5, 10, 15}) bench.service_dies_at(seconds(second), Outcome::code(1));
  bench.run_until(seconds(20));
  const auto services = bench.services();
  REQUIRE(services.size() == 4);
  for (std::size_t i = 1; i < services.size(); ++i) CHECK((services[i]->born == services[i - 1]->died));
  CHECK(bench.violations() == "");
}

TEST_CASE("the pid is in status before the service runs its first instruction") {
  Bench bench;
  std::size_t seen = 0;
  bench.system.on_start = [&](Child& child) {
    if (!child.is_service) return;
    ++seen;
    CHECK(bench.state("pid") == std::to_string(child.pid));
    CHECK(bench.state("state") == "STARTING");
    const auto record = bench.content("status");
    REQUIRE(record.size() == 20);
    CHECK(static_cast<unsigned char>(record[16]) + 256 * static_cast<unsigned char>(record[17]) == child.pid);
  };
  REQUIRE(bench.start());
  bench.service_dies_at(seconds(5), Outcome::code(1));
  bench.service_dies_at(seconds(5) + 100 * kMilli, Outcome::code(1));
  bench.run_until(seconds(10));
  CHECK(seen == 3);
}

TEST_CASE("the stop is in status before the service is told") {
  Bench bench;
  REQUIRE(bench.start());
  bench.control_at(seconds(3), "d");
  std::string state_when_signalled;
  bench.system.fault = [&](sim::Op op, std::size_t) -> const sim::Error* {
    if (op == sim::Op::kKill && state_when_signalled.empty()) state_when_signalled = bench.state("state") + " " + bench.state("want");
    return nullptr;
  };
  bench.run_until(seconds(5));
  CHECK(state_when_signalled == "STOPPING down");
}

TEST_CASE("an idle supervise does not wake up") {
  for (const auto* lines : {"", "alarm_interval : 60\nalarm_mail : a@x\n", "fatal_retry : 60\nstopwaitsecs : 2\n"}) {
    Bench bench(lines);
    REQUIRE(bench.start());
    bench.run_until(seconds(10));
    const auto waits = bench.system.waits();
    CHECK((bench.system.last_deadline() == core::kNever));
    bench.run_until(seconds(100'000));
    CHECK(bench.system.waits() - waits <= 2);
    CHECK(bench.violations() == "");
  }
}

TEST_CASE("a crash loop starts once a second and wakes up a few times a second") {
  Bench bench;
  bench.system.on_start = [&](Child& child) { bench.system.die_in(child.pid, 10 * kMilli, Outcome::code(1)); };
  REQUIRE(bench.start());
  bench.run_until(seconds(1000));
  CHECK(bench.services().size() >= 999);
  CHECK(bench.services().size() <= 1001);
  CHECK(bench.system.waits() < 1000 * 12);
  CHECK(bench.violations() == "");
}

TEST_CASE("ten thousand commands settle within a second and cost one start at most") {
  Bench bench;
  REQUIRE(bench.start());
  std::string flood;
  for (int i = 0; i < 5000; ++i) flood += "du";
  bench.control_at(seconds(3), flood);
  bench.run_until(seconds(4));
  CHECK(bench.services().size() == 2);
  CHECK(bench.service() != nullptr);
  CHECK(bench.unsettled() == "");
  CHECK(bench.violations() == "");
}

TEST_CASE("endless garbage delays no restart and loses no command") {
  Bench bench;
  REQUIRE(bench.start());
  for (int i = 0; i < 400; ++i) bench.control_at(seconds(3) + 10 * i * kMilli, std::string(200, '?'));
  bench.service_dies_at(seconds(4), Outcome::code(1));
  bench.control_at(seconds(5), "???d???");
  bench.system.at(seconds(4) + 5 * kMilli, [&] { CHECK(bench.service() != nullptr); });
  bench.run_until(seconds(5) + 500 * kMilli);
  CHECK(bench.service() == nullptr);
  CHECK(bench.state("state") == "STOPPED");
  CHECK(count(bench.log(), "unknown byte") <= 4);
  CHECK(count(bench.log(), "unknown byte") >= 1);
}

TEST_CASE("TERM and INT for supervise stop the service and end supervise") {
  Bench bench("stopwaitsecs : 2\n");
  bench.system.on_start = [](Child& child) { child.ignores_term = true; };
  REQUIRE(bench.start());
  bench.system.at(seconds(3), [&] { bench.system.signal_terminate(); });
  bench.run_until(seconds(10));
  CHECK(bench.ended());
  CHECK(timeline(bench) == "born 0 signal 15 signal 18 signal 9 died 5000\n");
  CHECK(bench.unsettled() == "");
}

// --- clocks ---

struct Life {
  const char* lines;
  std::function<void(Bench&)> script;
};

const std::vector<Life>& lives() {
  static const std::vector<Life> all = {
      {"", [](Bench& b) { b.service_dies_at(seconds(4), Outcome::code(1)); b.service_dies_at(seconds(4) + 200 * kMilli, Outcome::code(1)); }},
      {"backoff : linear\n", [](Bench& b) { b.system.on_start = [&b](Child& c) { b.system.die_in(c.pid, 100 * kMilli, Outcome::code(1)); }; }},
      {"startretries : 0\nfatal_retry : 5\n", [](Bench& b) { b.service_dies_at(500 * kMilli, Outcome::code(1)); }},
      {"stopwaitsecs : 4\n", [](Bench& b) { b.system.on_start = [](Child& c) { c.ignores_term = true; }; b.control_at(seconds(3), "du"); }},
      {"alarm_interval : 60\nmax_tries : 3\n", [](Bench& b) { b.system.on_start = [&b](Child& c) { b.system.die_in(c.pid, 1500 * kMilli, Outcome::code(1)); }; }},
  };
  return all;
}

TEST_CASE("steps of the wall clock by a year or fifty change no delay and no counter") {
  constexpr std::int64_t kYear = 365 * 86400;
  for (const auto& life : lives()) {
    Bench undisturbed(life.lines);
    life.script(undisturbed);
    REQUIRE(undisturbed.start());
    undisturbed.run_until(seconds(15));
    for (const auto by : {kYear, -kYear, 50 * kYear, -50 * kYear}) {
      for (int step = 0; step < 30; ++step) {
        Bench bench(life.lines);
        life.script(bench);
        bench.system.at(step * 250 * kMilli + 50 * kMilli, [&] { bench.system.step_wall_clock(seconds(by)); });
        REQUIRE(bench.start());
        bench.run_until(seconds(15));
        INFO(life.lines << "step by " << by / kYear << " years after " << step * 250 << " ms");
        REQUIRE(timeline(bench) == timeline(undisturbed));
        REQUIRE(bench.ended() == undisturbed.ended());
        for (const auto* key : {"state", "starts", "exits", "tries", "coredumps"}) REQUIRE(bench.state(key) == undisturbed.state(key));
        REQUIRE(bench.violations() == "");
      }
    }
  }
}

// --- the directory ---

// The service writes its outputs itself; else they are the logger's affair.
constexpr const char* kFiles = "stdout_logfile_maxbytes : 0\nstderr_logfile_maxbytes : 0\n";
bool is_output(const std::string& name) { return name.starts_with("__"); }

TEST_CASE("a removed entry is put back within a second with one warning") {
  for (const auto* name : {"lock", "control", "ok", "svcontrol", "status", "state", ".status", ".state", "__stdout", "__stderr", "supervise/logger", "supervise.log",
                           "supervise.log.wf", "supervise/control", "supervise/ok", "supervise/status", "supervise"}) {
    INFO("entry: " << name);
    Bench bench(is_output(name) ? kFiles : "");
    REQUIRE(bench.start());
    bench.run_until(seconds(3));
    const auto descriptors = bench.system.open_descriptors();
    bench.system.remove_tree(Bench::path(name));
    bench.run_until(seconds(4));
    CHECK(bench.unsettled() == "");
    bench.run_until(seconds(30));
    CHECK(bench.unsettled() == "");
    CHECK(count(bench.log(), "put back") == 1);
    CHECK(bench.system.open_descriptors() == descriptors);
    CHECK((bench.system.last_deadline() == core::kNever));
    CHECK(bench.services().size() == 1);
    CHECK(bench.violations() == "");
  }
}

TEST_CASE("a removed or moved directory is made again and the service is not touched") {
  for (const bool moved : {false, true}) {
    Bench bench;
    REQUIRE(bench.start());
    bench.run_until(seconds(3));
    const auto descriptors = bench.system.open_descriptors();
    if (moved)
      bench.system.move(sim::kDirectory, "/srv/status/elsewhere");
    else
      bench.system.remove_tree(sim::kDirectory);
    bench.run_until(seconds(5));
    CHECK(bench.unsettled() == "");
    CHECK(bench.services().size() == 1);
    CHECK(bench.service()->signals.empty());
    CHECK(bench.system.open_descriptors() == descriptors);
    bench.control_at(seconds(6), "d");
    bench.run_until(seconds(8));
    CHECK(bench.state("state") == "STOPPED");
    CHECK(bench.violations() == "");
  }
}

TEST_CASE("links put in place of entries are not followed") {
  for (const auto* name : {"control", "ok", "lock", "status", "state", ".status", ".state", "__stdout", "__stderr", "supervise.log", "supervise"}) {
    for (const bool before : {true, false}) {
      INFO("entry: " << name << (before ? " before the start" : " while it runs"));
      Bench bench(is_output(name) ? kFiles : "");
      const auto victim = bench.system.put("/etc/victim", sys::FileType::kRegular, "precious", 0600);
      const auto plant = [&] {
        bench.system.remove_tree(Bench::path(name));
        bench.system.put(Bench::path(name), sys::FileType::kLink, "/etc/victim");
        bench.system.violations().clear();
      };
      if (before) plant();
      REQUIRE(bench.start());
      bench.run_until(seconds(3));
      if (!before) plant();
      bench.service_dies_at(seconds(5), Outcome::code(1));
      bench.run_until(seconds(7));
      CHECK(bench.unsettled() == "");
      CHECK(victim->data == "precious");
      CHECK(victim->mode == 0600);
    }
  }
}

TEST_CASE("a device or a FIFO in place of a file is replaced and not even opened") {
  for (const auto* name : {"lock", "status", "state", ".status", "__stdout", "__stderr", "supervise.log"}) {
    for (const auto type : {sys::FileType::kOther, sys::FileType::kFifo}) {
      INFO("entry: " << name);
      Bench bench(is_output(name) ? kFiles : "");
      const auto device = bench.system.put(Bench::path(name), type, {}, 0666);
      bench.system.find(sim::kDirectory)->mode = 0700;
      REQUIRE(bench.start());
      bench.run_until(seconds(3));
      CHECK(bench.unsettled() == "");
      CHECK(device->opened == 0);
    }
  }
}

TEST_CASE("files of another owner or with a second name are replaced") {
  for (const auto* name : {"lock", "__stdout", "__stderr", "supervise.log"}) {
    for (const bool owner : {true, false}) {
      INFO("entry: " << name);
      Bench bench(is_output(name) ? kFiles : "");
      const auto node = bench.system.put(Bench::path(name), sys::FileType::kRegular, "4711", 0666);
      if (owner) node->uid = 4711;
      if (!owner) node->links = 2;
      bench.system.find(sim::kDirectory)->mode = 0700;
      REQUIRE(bench.start());
      bench.run_until(seconds(3));
      CHECK(bench.unsettled() == "");
      CHECK(bench.system.find(Bench::path(name)) != node);
      CHECK(node->data == "4711");
      CHECK(node->mode == 0666);
    }
  }
}

TEST_CASE("a second supervise is refused while the lock is held") {
  Bench bench;
  const auto lock = bench.system.put(Bench::path("lock"), sys::FileType::kRegular, {}, 0600);
  const auto holder = std::make_shared<sim::Description>();
  lock->locker = holder;
  CHECK_FALSE(bench.start());
  CHECK(bench.error_status() == 100);
  CHECK_THAT(bench.error(), contains("already supervised"));
  CHECK(bench.system.open_descriptors() == 0);
  CHECK(bench.services().empty());
}

TEST_CASE("a second supervise is refused while the recorded one lives even without its lock") {
  struct Row {
    std::uint64_t start;
    const char* boot;
    bool refused;
  };
  const Row rows[] = {{99, "boot", true}, {98, "boot", false}, {99, "before", false}, {0, "boot", false}};
  for (const auto& row : rows) {
    Bench bench;
    core::StateRecord record;
    record.name = "redis";
    record.supervise = {55, 99};
    record.boot_id = row.boot;
    bench.system.put(Bench::path("state"), sys::FileType::kRegular, std::string(core::encode_record(record).view()));
    if (row.start != 0) bench.system.others[55] = row.start;
    bench.system.violations().clear();
    INFO("start " << row.start << " boot " << row.boot);
    CHECK(bench.start() == !row.refused);
    if (!row.refused) continue;
    CHECK(bench.error_status() == 100);
    CHECK_THAT(bench.error(), contains("already supervised by pid 55"));
    CHECK(bench.services().empty());
    CHECK(bench.system.open_descriptors() == 0);
  }
}

TEST_CASE("a bad configuration is refused at start and leaves nothing behind") {
  Bench bench("startsecs : x\n");
  CHECK_FALSE(bench.start());
  CHECK(bench.error_status() == 100);
  CHECK_THAT(bench.error(), contains("supervise.conf:2: error: startsecs:"));
  CHECK(bench.system.find(sim::kDirectory) == nullptr);
}

TEST_CASE("the control group may write to control and enter the directory") {
  Bench bench("control_group : ops\n");
  bench.system.put("/etc/group", sys::FileType::kRegular, "root:x:0:\nops:x:42:\n");
  bench.system.put("/etc/passwd", sys::FileType::kRegular, "root:x:0:0::/:\n");
  REQUIRE(bench.start());
  bench.run_until(seconds(2));
  const auto check = [&](const std::string& path, unsigned mode, std::uint32_t gid) {
    INFO("entry: " << path);
    REQUIRE(bench.system.find(path));
    CHECK(bench.system.find(path)->mode == mode);
    CHECK(bench.system.find(path)->gid == gid);
  };
  check(sim::kDirectory, 0710, 42);
  check(Bench::path("supervise"), 0710, 42);
  check(Bench::path("control"), 0620, 42);
  check(Bench::path("lock"), 0600, 0);
  bench.system.at(seconds(3), [&] {
    bench.write_conf("");
    bench.control("r");
  });
  bench.run_until(seconds(5));
  CHECK(bench.system.find(Bench::path("control"))->mode == 0600);
  CHECK(bench.system.find(sim::kDirectory)->mode == 0700);
}

TEST_CASE("a faulty configuration at reload is logged with its line and the settings in force stay") {
  Bench bench("stopsignal : INT\n");
  REQUIRE(bench.start());
  bench.system.at(seconds(2), [&] {
    bench.write_conf("stopsignal : QUIT\nstartsecs : x\n");
    bench.control("r");
  });
  bench.control_at(seconds(3), "d");
  bench.run_until(seconds(4));
  CHECK(timeline(bench) == "born 0 signal 2 signal 18 died 3005\n");
  CHECK_THAT(bench.log(), contains("supervise.conf:3: error: startsecs:"));
  CHECK_THAT(bench.log(), contains("the settings in force stay"));
}

TEST_CASE("a reload names the settings that have changed and those that need a restart") {
  Bench bench("stopsignal : INT\nenvironment_file : /env\nstdout_logfile_backups : 3\n");
  bench.system.put("/env", sys::FileType::kRegular, "A=1\n");
  REQUIRE(bench.start());
  CHECK(bench.state("conf") == sim::kConf);
  CHECK(bench.state("conf_reads") == "1");
  CHECK(bench.state("conf_faulty") == "0");
  const auto began = bench.state("conf_time");
  CHECK(began != "");
  const auto reload_at = [&](core::Nanos when, const std::string& lines) {
    bench.system.at(when, [&bench, lines] {
      bench.write_conf(lines);
      bench.control("r");
    });
    bench.run_until(when + 500 * kMilli);
  };
  reload_at(seconds(2), "stopsignal : QUIT\nenvironment_file : /env\nuser : 7\nstdout_logfile_backups : 4\n");
  CHECK_THAT(bench.log(), contains("configuration read again; in force now: stopsignal, stdout_logfile_backups; needs a restart of the service: user"));
  CHECK(bench.state("conf_reads") == "2");
  CHECK(bench.state("conf_time") != began);
  bench.system.put("/env", sys::FileType::kRegular, "A=2\n");
  reload_at(seconds(3), "stopsignal : QUIT\nenvironment_file : /env\nuser : 7\nstdout_logfile : none\nstdout_logfile_backups : 4\n");
  CHECK_THAT(bench.log(), contains("configuration read again; needs a restart of the service: stdout_logfile, environment_file\n"));
  reload_at(seconds(4), "stopsignal : x\n");
  CHECK(bench.state("conf_reads") == "4");
  CHECK(bench.state("conf_faulty") == "1");
  reload_at(seconds(5), "stopsignal : QUIT\nenvironment_file : /env\nuser : 7\nstdout_logfile : none\nstdout_logfile_backups : 4\n");
  CHECK_THAT(bench.log(), contains("configuration read again; nothing has changed\n"));
  CHECK(bench.state("conf_faulty") == "0");
}

TEST_CASE("a program that is missing is said at start and in state and is retried every second") {
  Bench bench;
  bench.system.broken_program = core::StartFailure{core::Stage::kExec, 2};
  REQUIRE(bench.start());
  CHECK(bench.warning() == "command not found: redis; will keep trying");
  bench.run_until(seconds(3) + 500 * kMilli);
  CHECK(bench.state("state") == "BACKOFF");
  CHECK(bench.state("reason") == "command not found: redis");
  CHECK(count(bench.log(), "command not found: redis") == 4);
  bench.system.broken_program.reset();
  bench.run_until(seconds(6));
  CHECK(timeline(bench) == "born 4000 lives\n");
  CHECK(bench.state("reason") == "");
  CHECK(bench.unsettled() == "");
}

// --- helpers ---

TEST_CASE("a hanging alarm program is killed after a minute and delays nothing") {
  Bench bench("alarm_interval : 60\nalarm_command : notify\n");
  REQUIRE(bench.start());
  bench.service_dies_at(seconds(3), Outcome::code(7));
  bench.run_until(seconds(4));
  CHECK(bench.services().at(1)->born == core::Instant(seconds(3)));
  REQUIRE(bench.helpers("notify").size() == 1);
  bench.run_until(seconds(62));
  CHECK(bench.helpers("notify")[0]->alive);
  bench.run_until(seconds(64));
  CHECK_FALSE(bench.helpers("notify")[0]->alive);
  CHECK_THAT(bench.log(), contains("alarm program notify took too long and was killed"));
  CHECK(bench.unsettled() == "");
}

TEST_CASE("each alarm program gets its facts and its text") {
  Bench bench("alarm_interval : 60\nalarm_mail : a@x b@x\nalarm_gsm : 123\nalarm_command : notify 'a b'\n");
  REQUIRE(bench.start());
  bench.service_dies_at(seconds(3), Outcome::code(7));
  bench.run_until(seconds(4));
  const auto mail = bench.helpers("/usr/sbin/sendmail");
  const auto gsm = bench.helpers("gsmsend-script");
  const auto command = bench.helpers("notify");
  REQUIRE(mail.size() == 1);
  REQUIRE(gsm.size() == 1);
  REQUIRE(command.size() == 1);
  CHECK_THAT(mail[0]->input, contains("To: a@x, b@x\n"));
  CHECK_THAT(mail[0]->input, contains("[Alarm: host] Service redis exited!\n"));
  CHECK_THAT(mail[0]->input, contains("code 7"));
  CHECK(gsm[0]->arguments.size() == 2);
  CHECK_THAT(gsm[0]->arguments.at(1), matches("123@.* \\[Alarm: host\\] Service redis exited!"));
  CHECK(command[0]->arguments == std::vector<std::string>{"notify", "a b"});
  std::string environment;
  for (const auto& variable : command[0]->environment) environment += variable + "\n";
  for (const auto* variable : {"SUPERVISE_SERVICE=redis\n", "SUPERVISE_EVENT=exit\n", "SUPERVISE_EXIT=code 7\n", "PATH=/bin\n"})
    CHECK_THAT(environment, contains(variable));
}

TEST_CASE("an alarm quotes the end of __stderr") {
  Bench bench("alarm_interval : 60\nalarm_mail : a@x\n");
  REQUIRE(bench.start());
  bench.run_until(seconds(2));
  bench.system.put(Bench::path("__stderr"), sys::FileType::kRegular, {}, 0600)->data = std::string(5000, 'x') + "\nlast words\n\x1b[2Jcleared\n";
  bench.service_dies_at(seconds(3), Outcome::code(7));
  bench.run_until(seconds(4));
  REQUIRE(bench.helpers("/usr/sbin/sendmail").size() == 1);
  const auto letter = bench.helpers("/usr/sbin/sendmail")[0]->input;
  CHECK_THAT(letter, contains("  last words\n  \\x1b[2Jcleared\n"));
  CHECK(letter.size() <= 4096);
}

TEST_CASE("an alarm quotes no file that somebody put in the place of __stderr") {
  struct Row {
    const char* what;
    sys::FileType type;
    std::uint64_t links;
    std::uint32_t uid;
  };
  const Row rows[] = {{"a second name of a file of ours", sys::FileType::kRegular, 2, 0},
                      {"a file of another owner", sys::FileType::kRegular, 1, 4711},
                      {"a FIFO", sys::FileType::kFifo, 1, 0},
                      {"a device", sys::FileType::kOther, 1, 0}};
  for (const auto& row : rows) {
    INFO(row.what);
    Bench bench("alarm_interval : 60\nalarm_mail : a@x\n");
    REQUIRE(bench.start());
    // The directory is looked at just before, and so not again until after the death.
    bench.system.at(seconds(3) - 50 * kMilli, [&] { bench.system.remove_tree(Bench::path("svcontrol")); });
    bench.system.at(seconds(3), [&] {
      bench.system.remove_tree(Bench::path("__stderr"));
      const auto planted = bench.system.put(Bench::path("__stderr"), row.type, "secret\n", 0600);
      planted->links = row.links;
      planted->uid = row.uid;
    });
    bench.service_dies_at(seconds(3), Outcome::code(7));
    bench.run_until(seconds(4));
    REQUIRE(bench.helpers("/usr/sbin/sendmail").size() == 1);
    CHECK_THAT(bench.helpers("/usr/sbin/sendmail")[0]->input, !contains("secret"));
  }
}

TEST_CASE("a second name of another file that is removed while it is opened does not make that file ours") {
  sim::SimSystem system;
  system.put("/dir/log", sys::FileType::kRegular, "", 0600);
  const auto victim = system.put("/secret", sys::FileType::kRegular, "secret\n", 0644);
  auto& entries = system.find("/dir")->entries;
  const auto dir = system.open(sys::kWorkingDirectory, "/dir", sys::OpenMode::kDirectory, 0);
  REQUIRE(dir);
  bool linked = false, removed = false;
  system.fault = [&](sim::Op op, std::size_t) -> const sim::Error* {
    if (op == sim::Op::kOpen && !linked) {
      linked = true;
      entries["log"] = victim;
      victim->links = 2;
    } else if (op == sim::Op::kStat && linked && !removed) {
      removed = true;
      entries.erase("log");
      victim->links = 1;
    }
    return nullptr;
  };
  const auto log = sys::open_file(system, *dir, "log", 0600);
  CHECK(removed);
  REQUIRE(log);
  CHECK(system.write(log->get(), "a line"));
  CHECK(victim->data == "secret\n");
  CHECK(victim->mode == 0644);
  CHECK(system.find("/dir/log")->data == "a line");
}

TEST_CASE("a program that is executed late or not at all holds nothing and is told") {
  Bench bench;
  bench.system.execution = seconds(3);
  REQUIRE(bench.start());
  CHECK(bench.state("reason").starts_with("the program is not executed yet"));
  bench.run_until(seconds(4));
  CHECK(bench.state("reason") == "");
  CHECK(bench.state("state") == "RUNNING");
  bench.system.broken_program = core::StartFailure{core::Stage::kExec, EACCES};
  bench.service_dies_at(seconds(5), Outcome::code(1));
  bench.run_until(seconds(8) + 500 * kMilli);
  CHECK(bench.services().size() == 3);
  CHECK(bench.state("exits") == "1");
  CHECK(count(bench.log(), "cannot execute") == 1);
  // One that is told to stop meanwhile has ended as it was told.
  bench.control_at(seconds(9) + 500 * kMilli, "d");
  bench.run_until(seconds(15));
  CHECK(bench.state("state") == "STOPPED");
  CHECK(bench.violations() == "");
}

TEST_CASE("a heartbeat file that cannot be looked at for want of descriptors says nothing of the service") {
  Bench bench("heartbeat_file : /srv/beat\nheartbeat_timeout : 2\nstopwaitsecs : 1\n");
  REQUIRE(bench.start());
  for (int second = 1; second < 20; ++second) bench.system.at(seconds(second), [&bench] { bench.system.touch("/srv/beat"); });
  static const sim::Error enfile{ENFILE};
  bool is_short = false;
  bench.system.fault = [&](sim::Op op, std::size_t) { return op == sim::Op::kOpen && is_short ? &enfile : nullptr; };
  bench.system.at(seconds(5), [&] { is_short = true; });
  bench.system.at(seconds(12), [&] { is_short = false; });
  bench.run_until(seconds(19));
  CHECK(bench.services().size() == 1);
  // It is not forgotten.
  bench.run_until(seconds(23));
  CHECK(bench.services().size() == 2);
  CHECK(bench.violations() == "");
}

TEST_CASE("a new process that ended before its program gets no signal once it is reaped") {
  Bench bench;
  bench.system.execution = seconds(3);
  bench.system.broken_program = core::StartFailure{core::Stage::kExec, EACCES};
  static const sim::Error enomem{ENOMEM};
  // Then the end of the process is seen before what it has left.
  bench.system.fault = [&](sim::Op op, std::size_t) { return op == sim::Op::kWait ? &enomem : nullptr; };
  REQUIRE(bench.start());
  bench.run_until(seconds(4));
  CHECK(count(bench.log(), "cannot execute") == 1);
  CHECK(bench.violations() == "");
}

TEST_CASE("a signal that could not be sent stays in the reason and killed is only what was") {
  Bench bench("stopwaitsecs : 2\n");
  REQUIRE(bench.start());
  bool forbidden = true;
  static const sim::Error eperm{EPERM};
  bool term_only = true;
  bench.system.fault = [&](sim::Op op, std::size_t) -> const sim::Error* {
    if (op == sim::Op::kKill && std::exchange(term_only, false)) return &eperm;
    return op == sim::Op::kKillForGood && forbidden ? &eperm : nullptr;
  };
  bench.control_at(seconds(3), "d");
  bench.run_until(seconds(4));
  // CONT could be sent.
  CHECK(bench.state("reason") == "TERM could not be sent to the service: Operation not permitted");
  bench.run_until(seconds(7));
  CHECK(bench.state("state") == "STOPPING");
  CHECK(bench.state("reason") == "KILL could not be sent to the service: Operation not permitted");
  CHECK(count(bench.log(), "and cannot be killed") == 1);
  CHECK(count(bench.log(), "and is killed") == 0);
  forbidden = false;
  bench.run_until(seconds(9));
  CHECK(bench.state("state") == "STOPPED");
  CHECK(bench.state("reason") == "");
  CHECK(bench.violations() == "");
}

TEST_CASE("an adopted service that proc no longer shows gets signals through its pidfd alone") {
  const bool has_pidfd = GENERATE(true, false);
  Bench bench;
  REQUIRE(bench.start());
  bench.run_until(seconds(2));
  bench.kill_supervise();
  REQUIRE(bench.start());
  bench.run_until(seconds(4));
  bench.system.has_proc = false;
  static const sim::Error enosys{ENOSYS};
  bench.system.fault = [&](sim::Op op, std::size_t) { return op == sim::Op::kSignal && !has_pidfd ? &enosys : nullptr; };
  bench.control_at(seconds(5), "h");
  bench.run_until(seconds(6));
  CHECK(bench.service()->signals.size() == (has_pidfd ? 1 : 0));
  CHECK(bench.state("reason") == (has_pidfd ? "" : "HUP could not be sent to the service: nothing tells it from a stranger now"));
  CHECK(bench.violations() == "");
}

TEST_CASE("alarms that are switched off are not sent") {
  Bench bench("alarm_interval : 60\nalarm_mail : a@x\n");
  REQUIRE(bench.start());
  bench.control_at(seconds(2), "s");
  bench.service_dies_at(seconds(3), Outcome::code(7));
  bench.run_until(seconds(4));
  CHECK(bench.helpers("/usr/sbin/sendmail").empty());
}

TEST_CASE("a restart script that hangs is killed after hook_timeout and the restart goes on") {
  Bench bench("hook_timeout : 3\n", "./hook");
  REQUIRE(bench.start());
  bench.service_dies_at(seconds(5), Outcome::code(1));
  bench.run_until(seconds(20));
  CHECK(timeline(bench) == "born 0 died 5000\nborn 8000 lives\n");
  REQUIRE(bench.helpers("./hook").size() == 1);
  CHECK(bench.helpers("./hook")[0]->arguments == std::vector<std::string>{"./hook", "1"});
  CHECK_THAT(bench.log(), contains("restart script ./hook took too long and was killed"));
}

TEST_CASE("the logs stay bounded and are rotated") {
  Bench bench;
  REQUIRE(bench.start());
  for (int i = 1; i <= 30'000; ++i) bench.control_at(seconds(2 * i), "h");
  bench.run_until(seconds(60'010));
  CHECK(bench.log().size() <= (1 << 20));
  CHECK(bench.content("supervise.log.1").size() <= (1 << 20));
  CHECK(bench.content("supervise.log.1").size() > (1 << 19));
  CHECK(bench.system.find(Bench::path("supervise.log.4")) == nullptr);
  CHECK(bench.violations() == "");
}

TEST_CASE("the exits of a crash loop are counted without an alarm interval and forgotten when their window is over") {
  Bench bench;
  REQUIRE(bench.start());
  for (const int second : {5, 10, 15}) bench.service_dies_at(seconds(second), Outcome::code(1));
  bench.run_until(seconds(60));
  CHECK(bench.state("tries") == "3");
  bench.run_until(seconds(66));
  CHECK(bench.state("tries") == "0");
  CHECK(bench.state("exits") == "3");
  const auto waits = bench.system.waits();
  bench.run_until(seconds(3600));
  CHECK(bench.system.waits() <= waits + 2);
}

}  // namespace
