// The pure parts of supervisectl: its command line, its judgement, what it shows.
#include <csignal>

#include "catch.h"
#include "core/state.h"
#include "core/strings.h"
#include "ctl/commands.h"
#include "ctl/judge.h"
#include "ctl/metrics.h"
#include "ctl/render.h"
#include "ctl/request.h"
#include "ctl/services.h"

namespace {

using core::State;
using core::Want;
using ctl::Id;
using ctl::View;
using Kind = ctl::Verdict::Kind;
using Strings = std::vector<std::string>;

core::WallTime at(std::int64_t seconds) { return core::WallTime(core::seconds(seconds)); }

View up(std::int32_t pid, std::uint64_t starts = 1) {
  View view;
  view.source = View::Source::kOurs;
  view.supervised = true;
  view.state = State::kRunning;
  view.want = Want::kUp;
  view.pid = pid;
  view.supervise_pid = 100;
  view.starts = starts;
  view.started = view.since = view.ready = at(1000);
  return view;
}

View in(State state, Want want, std::uint64_t starts = 1) {
  auto view = up(0, starts);
  view.state = state;
  view.want = want;
  view.ready = {};
  return view;
}

TEST_CASE("supervisectl takes options anywhere, long and short, joined or not") {
  struct Row {
    Strings words;
    std::string expected;    // command, root, first, names, timeout, rolling
  };
  const auto shown = [](const Strings& words) {
    const auto request = ctl::parse_request(words);
    if (!request.error.empty()) return request.error;
    std::string names;
    for (const auto& name : request.names) names += "," + name;
    return std::string(request.command ? request.command->name : "") + " root=" + request.root + " first=" + request.first + " names=" + names +
           " timeout=" + std::to_string(request.timeout / core::seconds(1)) + " rolling=" + std::to_string(request.rolling) + (request.waits ? "" : " no-wait");
  };
  const Row rows[] = {
      {{"stop", "a", "b"}, "stop root= first= names=,a,b timeout=60 rolling=0"},
      {{"-d", "x", "restart", "-t5", "a", "--rolling=2"}, "restart root=x first= names=,a timeout=5 rolling=2"},
      {{"restart", "a", "--timeout", "7", "--no-wait", "-dx"}, "restart root=x first= names=,a timeout=7 rolling=0 no-wait"},
      {{"signal", "sighup", "a"}, "signal root= first=HUP names=,a timeout=60 rolling=0"},
      {{"wait", "ready", "-t", "0", "--", "-a"}, "wait root= first=ready names=,-a timeout=0 rolling=0"},
      {{"tail", "-fn5", "a", "stderr"}, "tail root= first=stderr names=,a timeout=60 rolling=0"},
      {{"tail", "stdout"}, "tail needs a NAME, a pattern, or all; usage: supervisectl tail [-f] [-n LINES] NAME... [stdout|stderr|log]"},
      {{"alarm", "maybe", "a"}, "\"maybe\" is not on|off; usage: supervisectl alarm [--no-wait] [-t SECONDS] on|off NAME..."},
      {{"alarm"}, "alarm needs on|off; usage: supervisectl alarm [--no-wait] [-t SECONDS] on|off NAME..."},
      {{"stop", "-t"}, "-t needs a value"},
      {{"stop", "--timeout=", "a"}, "--timeout: \"\" is no number of seconds"},
      {{"status", "--json=yes"}, "--json has no value"},
      {{"restart", "--rolling", "0", "a"}, "--rolling: \"0\" is no number of services"},
      {{"-N", "stop", "a"}, "no option -N; `supervisectl help` and `supervisectl help COMMAND` list them"},
      {{"help", "stop", "start"}, "usage: supervisectl help [COMMAND]"},
      {{"signal", "9", "a"}, "signal root= first=KILL names=,a timeout=60 rolling=0"},
      {{"restart", "--rolling", "1", "--no-wait", "a"}, "--rolling waits for each service, and --no-wait does not"},
      {{"status", "-wj"}, "--watch goes with neither --json nor --quiet"},
  };
  for (const auto& row : rows) CHECK(shown(row.words) == row.expected);
}

TEST_CASE("every command and option of supervisectl is in its help, its manual and its completions") {
  const auto help = ctl::help(), manual = ctl::manual_items(), bash = ctl::bash_completion(), zsh = ctl::zsh_completion();
  for (const auto& command : ctl::commands()) {
    const std::string name(command.name);
    INFO(name);
    CHECK(help.find("\n  " + name) != std::string::npos);
    CHECK(ctl::help(command).starts_with("usage: supervisectl " + name));
    CHECK(manual.find(".It Ic " + name) != std::string::npos);
    CHECK(bash.find("        " + name + ")\n") != std::string::npos);
    CHECK(zsh.find("        '" + name + ":") != std::string::npos);
  }
  for (const auto& option : ctl::options()) {
    INFO(option.name);
    CHECK(manual.find("Fl " + std::string(option.name.substr(1))) != std::string::npos);
    CHECK(bash.find(option.name) != std::string::npos);
    CHECK(zsh.find(option.name) != std::string::npos);
  }
}

TEST_CASE("no line that supervisectl help prints is wider than a terminal") {
  std::string all = ctl::help();
  for (const auto& command : ctl::commands()) all += ctl::help(command);
  for (std::string_view rest = all; !rest.empty();) {
    const auto line = core::take_line(rest);
    INFO(line);
    CHECK((line.size() <= 78 || line.starts_with("usage: ")));
  }
}

TEST_CASE("what a command asked for is judged by what is seen before and after") {
  struct Row {
    Strings words;
    View before, now;
    Kind kind;
    std::string text;
  };
  auto spawn_error = in(State::kBackoff, Want::kUp, 2);
  spawn_error.reason = "command not found: x";
  auto quick = in(State::kFatal, Want::kUp, 2);
  quick.reason = "exited too quickly";
  quick.cause = core::Reason::kExitedTooQuickly;
  quick.exit = "code 3";
  auto ran = in(State::kExited, Want::kUp, 2);
  ran.exit = "code 0";
  ran.cause = core::Reason::kExpectedExit;
  auto ran_once = ran;
  ran_once.want = Want::kOnce;
  ran_once.cause = core::Reason::kOnce;
  auto not_executed = ran_once;
  not_executed.cause = core::Reason::kNone;
  not_executed.reason = "command not found: x";
  auto orphan = up(7);
  orphan.supervised = false;
  orphan.orphaned = true;
  auto lost = View{};
  const std::string alone = "pid 7 runs on without a supervise; `supervisectl start` lets one adopt it";
  auto retried = quick;
  retried.next_start = at(2000);
  auto gone = up(7);
  gone.supervised = false;
  auto paused = up(7);
  paused.paused = true;
  auto silent = up(7);
  silent.alarms_on = false;
  auto once = up(8, 2);
  once.want = Want::kOnce;
  auto unready = up(8, 2);
  unready.ready = {};
  auto unready_in_time = unready;
  unready_in_time.state = State::kStopping;
  unready_in_time.cause = core::Reason::kNotReady;
  unready_in_time.reason = "not ready in time";
  auto with_tree = in(State::kStopped, Want::kDown);
  with_tree.cause = core::Reason::kTree;
  auto given_up = in(State::kFatal, Want::kUp);
  given_up.supervised = false;
  given_up.reason = "max_tries reached";
  const auto stopped = in(State::kStopped, Want::kDown);
  const Row rows[] = {
      {{"start", "a"}, stopped, up(8, 2), Kind::kDone, "running (pid 8)"},
      {{"start", "a"}, stopped, stopped, Kind::kNotYet, "STOPPED"},
      {{"start", "a"}, quick, quick, Kind::kNotYet, "FATAL"},
      {{"start", "a"}, stopped, spawn_error, Kind::kFailed, "BACKOFF: command not found: x; supervise goes on trying"},
      {{"start", "a"}, stopped, quick, Kind::kFailed, "FATAL: exited too quickly (code 3)"},
      {{"start", "a"}, stopped, ran, Kind::kDone, "has run and ended (code 0)"},
      {{"start", "a"}, stopped, in(State::kStarting, Want::kUp, 2), Kind::kNotYet, "STARTING"},
      {{"start", "a"}, stopped, gone, Kind::kFailed, "its supervise has ended"},
      {{"start", "a"}, stopped, unready, Kind::kNotYet, "not ready"},
      {{"start", "a"}, stopped, unready_in_time, Kind::kFailed, "STOPPING: not ready in time"},
      {{"restart", "--rolling", "1", "a"}, up(7), unready_in_time, Kind::kFailed, "STOPPING: not ready in time"},
      {{"stop", "a"}, up(7), with_tree, Kind::kNotYet, "STOPPED"},
      {{"wait", "down", "a"}, up(7), with_tree, Kind::kNotYet, "STOPPED"},
      {{"wait", "up", "a"}, up(7), given_up, Kind::kFailed, "FATAL: max_tries reached"},
      {{"start", "--rolling", "1", "a"}, stopped, unready, Kind::kNotYet, "not ready"},
      {{"stop", "a"}, up(7), stopped, Kind::kDone, "stopped"},
      {{"stop", "a"}, up(7), up(7), Kind::kNotYet, "RUNNING"},
      {{"stop", "a"}, up(7), in(State::kBackoff, Want::kUp), Kind::kNotYet, "BACKOFF"},
      {{"stop", "a"}, quick, in(State::kFatal, Want::kDown), Kind::kDone, "stopped"},
      {{"restart", "a"}, up(7), up(8, 2), Kind::kDone, "restarted (pid 8)"},
      {{"restart", "a"}, up(7), up(7), Kind::kNotYet, "RUNNING"},
      {{"restart", "a"}, up(7), in(State::kStopped, Want::kDown), Kind::kNotYet, "STOPPED"},
      {{"restart", "a"}, up(7), quick, Kind::kFailed, "FATAL: exited too quickly (code 3)"},
      {{"restart", "a"}, up(7), ran, Kind::kDone, "has run again and ended (code 0)"},
      {{"once", "a"}, stopped, once, Kind::kDone, "running, once (pid 8)"},
      {{"once", "a"}, stopped, up(8, 2), Kind::kNotYet, "RUNNING"},
      {{"once", "a"}, stopped, ran_once, Kind::kDone, "has run and ended (code 0)"},
      {{"once", "a"}, in(State::kStopped, Want::kDown, 2), ran_once, Kind::kNotYet, "EXITED"},
      {{"once", "a"}, up(7, 2), ran_once, Kind::kDone, "has run and ended (code 0)"},
      {{"once", "a"}, stopped, not_executed, Kind::kFailed, "EXITED: command not found: x"},
      {{"stop", "a"}, up(7), orphan, Kind::kFailed, alone},
      {{"exit", "a"}, up(7), orphan, Kind::kFailed, alone},
      {{"wait", "down", "a"}, up(7), orphan, Kind::kNotYet, "UNSUPERVISED"},
      {{"wait", "down", "a"}, up(7), lost, Kind::kNotYet, "UNSUPERVISED"},
      {{"wait", "up", "a"}, stopped, quick, Kind::kFailed, "FATAL: exited too quickly (code 3)"},
      {{"wait", "ready", "a"}, stopped, retried, Kind::kNotYet, "FATAL"},
      {{"kill", "a"}, up(7), up(7), Kind::kNotYet, "RUNNING"},
      {{"kill", "a"}, up(7), in(State::kBackoff, Want::kUp), Kind::kDone, "killed (was pid 7)"},
      {{"pause", "a"}, up(7), paused, Kind::kDone, "paused (pid 7)"},
      {{"pause", "a"}, up(7), up(7), Kind::kNotYet, "RUNNING"},
      {{"cont", "a"}, paused, up(7), Kind::kDone, "goes on (pid 7)"},
      {{"alarm", "off", "a"}, up(7), silent, Kind::kDone, "alarms off"},
      {{"alarm", "on", "a"}, silent, silent, Kind::kNotYet, "RUNNING"},
      {{"exit", "a"}, up(7), up(7), Kind::kNotYet, "RUNNING"},
      {{"exit", "a"}, up(7), gone, Kind::kDone, "stopped, its supervise has ended"},
      {{"wait", "up", "a"}, stopped, up(7), Kind::kDone, "up (pid 7)"},
      {{"wait", "down", "a"}, up(7), stopped, Kind::kDone, "down"},
      {{"wait", "down", "a"}, up(7), gone, Kind::kDone, "down"},
      {{"wait", "ready", "a"}, up(7), unready, Kind::kNotYet, "RUNNING"},
      {{"wait", "ready", "a"}, up(7), up(7), Kind::kDone, "ready (pid 7)"},
      {{"wait", "change", "a"}, up(7), up(7), Kind::kNotYet, "RUNNING"},
      {{"wait", "change", "a"}, up(7), up(8), Kind::kDone, "RUNNING (pid 8)"},
  };
  for (const auto& row : rows) {
    const auto request = ctl::parse_request(row.words);
    REQUIRE(request.error == "");
    const auto verdict = ctl::judge(request, row.before, row.now, false);
    INFO(row.words[0] << ": " << verdict.text << ", expected: " << row.text);
    CHECK(verdict.kind == row.kind);
    CHECK(verdict.text == row.text);
  }
}

TEST_CASE("a foreign service that was restarted is known by its pid") {
  auto before = up(7, 0), down = in(State::kBackoff, Want::kUp, 0), now = up(8, 0);
  for (auto* view : {&before, &down, &now}) view->source = View::Source::kForeign;
  down.started = at(2000);
  const auto request = ctl::parse_request({"restart", "a"});
  CHECK(ctl::judge(request, before, down, false).kind == Kind::kNotYet);
  CHECK(ctl::judge(request, before, now, false).kind == Kind::kDone);
}

TEST_CASE("what is true already is not waited for, and what can't be is said") {
  struct Row {
    Strings words;
    View view;
    Kind kind;
    std::string text;
    int status;
  };
  auto orphan = up(7);
  orphan.supervised = false;
  orphan.orphaned = true;
  auto none = orphan;
  none.orphaned = false;
  auto foreign = up(7);
  foreign.source = View::Source::kForeign;
  const auto stopped = in(State::kStopped, Want::kDown);
  const Row rows[] = {
      {{"start", "a"}, up(7), Kind::kDone, "already running (pid 7)", 0},
      {{"stop", "a"}, stopped, Kind::kDone, "already stopped", 0},
      {{"stop", "a"}, none, Kind::kDone, "already down, no supervise runs there", 0},
      {{"exit", "a"}, orphan, Kind::kFailed, "pid 7 runs on without a supervise; `supervisectl start` lets one adopt it", 1},
      {{"restart", "a"}, orphan, Kind::kFailed, "pid 7 runs on without a supervise; `supervisectl start` lets one adopt it", 1},
      {{"alarm", "on", "a"}, foreign, Kind::kFailed, "daemontools and runit know no alarm", 1},
      {{"reload", "a"}, foreign, Kind::kFailed, "daemontools and runit know no reload", 1},
      {{"signal", "HUP", "a"}, stopped, Kind::kFailed, "not running: STOPPED", 3},
      {{"pause", "a"}, stopped, Kind::kFailed, "not running: STOPPED", 3},
      {{"wait", "down", "a"}, stopped, Kind::kDone, "down", 0},
  };
  for (const auto& row : rows) {
    const auto verdict = ctl::judge_at_first(ctl::parse_request(row.words), row.view);
    INFO(row.words[0] << ": " << verdict.text);
    CHECK(verdict.kind == row.kind);
    CHECK(verdict.text == row.text);
    CHECK(verdict.status == row.status);
  }
  for (const auto& words : {Strings{"start", "a"}, Strings{"restart", "a"}, Strings{"reload", "a"}, Strings{"wait", "change", "a"}})
    CHECK(ctl::judge_at_first(ctl::parse_request(words), stopped).kind == Kind::kNotYet);
}

TEST_CASE("a supervise that was started for a command begins a run that counts") {
  const auto request = ctl::parse_request({"start", "a"});
  auto fatal = in(State::kFatal, Want::kUp, 1);
  fatal.reason = "command not found: x";
  CHECK(ctl::judge(request, in(State::kStopped, Want::kDown, 7), fatal, true).kind == Kind::kFailed);
  CHECK(ctl::judge(request, in(State::kStopped, Want::kDown, 7), fatal, false).kind == Kind::kNotYet);
}

TEST_CASE("a service has ended well by its reason and not by its last exit alone") {
  struct Row {
    core::Reason cause;
    const char* exit;
    bool well;
  };
  const Row rows[] = {{core::Reason::kExpectedExit, "code 2", true}, {core::Reason::kExpectedExit, "code 0", true}, {core::Reason::kOnce, "code 0", true},
                      {core::Reason::kOnce, "code 1", false},        {core::Reason::kNoRestart, "code 0", true},    {core::Reason::kNoRestart, "signal KILL", false},
                      {core::Reason::kNotReady, "code 0", false},    {core::Reason::kNone, "code 0", false},        {core::Reason::kExitedTooQuickly, "code 0", false}};
  for (const auto& row : rows) {
    auto view = in(State::kExited, Want::kUp);
    view.cause = row.cause;
    view.exit = row.exit;
    INFO(static_cast<int>(row.cause) << " " << row.exit);
    CHECK(ctl::has_ended_well(view) == row.well);
    CHECK(ctl::is_well(view, at(2000)) == row.well);
  }
  auto paused = up(7);
  paused.paused = true;
  CHECK_FALSE(ctl::is_well(paused, at(2000)));
  CHECK(ctl::is_well(in(State::kStarting, Want::kUp), at(2000)));
  for (const auto state : {State::kStarting, State::kRunning}) {
    auto loop = up(7);
    loop.state = state;
    loop.tries = 1;
    CHECK(ctl::is_well(loop, at(1001)));
    loop.tries = 2;
    CHECK_FALSE(ctl::is_well(loop, at(1001)));
    CHECK(ctl::is_well(loop, at(1060)));
  }
}

TEST_CASE("a service whose output waits is not well and that is shown everywhere") {
  const auto text = [](const std::string& output) {
    return "state=RUNNING\npid=7\nsupervise_pid=42\nwant=up\nsince=1000.500\nstarted=1000.500\nready=1001.000\nreason=\noutput=" + output + "\npaused=0\nstdout=/a/__stdout\n";
  };
  const std::string why = "stdout waits: cannot write to __stdout: No space left on device";
  for (const auto& output : {std::string(), why}) {
    INFO(output);
    auto view = ctl::view_of_state(text(output));
    REQUIRE(view);
    view->supervised = true;
    CHECK(view->output == "/a/__stdout");
    CHECK(ctl::reason_of(*view, at(2000)) == output);
    CHECK(ctl::is_well(*view, at(2000)) == output.empty());
    CHECK_THAT(ctl::json({{"a", "/a", *view}}), Catch::Contains(output.empty() ? "\"output\": null" : "\"output\": \"" + why + "\""));
    const auto gauge = [&] { return ctl::metrics({{{"a", "/a", *view}, {}, {}}}); };
    CHECK_THAT(gauge(), Catch::Contains(output.empty() ? "supervise_output_waits{service=\"a\"} 0\n" : "supervise_output_waits{service=\"a\"} 1\n"));
    const auto result = ctl::plugin({{{"a", "/a", *view}, {}, {}}}, 0, {}, {}, at(2000));
    CHECK(result.text == (output.empty() ? "SUPERVISE OK - 1 of 1 up | up=1 services=1" : "SUPERVISE CRITICAL - 1 of 1 up: a RUNNING (" + why + ") | up=1 services=1"));
    // What nobody looks after any more may have changed since.
    view->supervised = false;
    CHECK_THAT(gauge(), Catch::Contains("supervise_output_waits{service=\"a\"} 0\n"));
  }
}

TEST_CASE("a service whose supervise gave up is FATAL and not just unsupervised") {
  auto view = in(State::kFatal, Want::kUp);
  view.supervised = false;
  view.reason = "max_tries reached";
  CHECK(ctl::state_name(view) == "FATAL");
  CHECK(ctl::reason_of(view, at(0)) == "max_tries reached; no supervise runs there");
  CHECK(ctl::metrics({{{"a", "/a", view}, {}, {}}}).find("supervise_state{service=\"a\",state=\"FATAL\"} 1\n") != std::string::npos);
}

TEST_CASE("a configuration that is not in force shows where there is no other reason") {
  auto view = up(7);
  CHECK(ctl::reason_of(view, at(0)) == "");
  view.conf_faulty = true;
  CHECK(ctl::reason_of(view, at(0)) == "the configuration is faulty");
  view.conf_newer = true;
  view.status = "serving";
  CHECK(ctl::reason_of(view, at(0)) == "serving; the configuration is newer than what runs; reload");
  view.reason = "exited too quickly";
  CHECK(ctl::reason_of(view, at(0)) == "exited too quickly; serving");
}

TEST_CASE("a reload is done when the configuration was read once more") {
  const auto request = ctl::parse_request({"reload", "a"});
  auto before = up(7), now = up(7);
  CHECK_THAT(ctl::judge(request, before, now, false).text, Catch::StartsWith("told to read its configuration again"));
  before.conf_reads = now.conf_reads = 2;
  CHECK((ctl::judge(request, before, now, false).kind == Kind::kNotYet));
  now.conf_reads = 3;
  CHECK(ctl::judge(request, before, now, false).text == "configuration read again");
  now.conf_faulty = true;
  CHECK((ctl::judge(request, before, now, false).kind == Kind::kFailed));
}

TEST_CASE("commands are written with the letters of the control FIFO") {
  const auto letters = [](const Strings& words) { return ctl::letters_of(ctl::parse_request(words)); };
  CHECK(letters({"start", "a"}) == "u");
  CHECK(letters({"stop", "a"}) == "d");
  CHECK(letters({"restart", "a"}) == "du");
  CHECK(letters({"exit", "a"}) == "dx");
  CHECK(letters({"alarm", "on", "a"}) == "n");
  CHECK(letters({"alarm", "off", "a"}) == "s");
  CHECK(letters({"signal", "USR1", "a"}) == "1");
  CHECK(letters({"signal", "STOP", "a"}) == "p");
  for (const auto* name : {"HUP", "TERM", "INT", "QUIT", "KILL", "ALRM", "USR1", "USR2", "WINCH", "STOP", "CONT"}) CHECK(letters({"signal", name, "a"}).size() == 1);
}

TEST_CASE("a state text is shown without what could harm a terminal, and only if it is one") {
  const std::string text = "state=BACKOFF\npid=0\nsupervise_pid=42\nwant=up\nsince=1000.500\nnext_start=1010.000\nexit=code 1\nstarts=3\nexits=3\nexits_nonzero=2\n"
                           "reason=exited \x1b[2Jtoo quickly\nalarm=off\npaused=0\nstdout=/a/b\n";
  const auto view = ctl::view_of_state(text);
  REQUIRE(view);
  CHECK(view->state == State::kBackoff);
  CHECK(view->supervise_pid == 42);
  CHECK(view->since == core::WallTime(std::chrono::milliseconds(1'000'500)));
  CHECK(view->next_start == at(1010));
  CHECK(view->exits_nonzero == 2);
  CHECK(view->reason == "exited \\x1b[2Jtoo quickly");
  CHECK(view->output == "/a/b");
  CHECK_FALSE(view->alarms_on);
  for (const auto* bad : {"", "state=RUNNING\n", "state=RUNNING\nwant=up\npid=x\n", "state=LOST\nwant=up\npid=1\n", "state=RUNNING\nwant=up\npid=-1\n"})
    CHECK_FALSE(ctl::view_of_state(bad));
}

TEST_CASE("the records of daemontools and runit are read") {
  core::Status status;
  status.stamp = at(1'795'197'787);
  status.pid = 4711;
  status.want = Want::kUp;
  const auto record = core::encode_runit_status(status);
  const auto all = std::span<const unsigned char>(record);
  for (const auto size : {std::size_t{18}, std::size_t{20}}) {
    const auto view = ctl::view_of_record(all.first(size));
    REQUIRE(view);
    CHECK(view->pid == 4711);
    CHECK(view->want == Want::kUp);
    CHECK(view->state == State::kRunning);
    CHECK(view->since == status.stamp);
  }
  status.term_sent = true;
  CHECK(ctl::view_of_record(core::encode_runit_status(status))->state == State::kStopping);
  status = {at(1), 0, false, Want::kDown, true, false};
  CHECK(ctl::view_of_record(core::encode_runit_status(status))->state == State::kStopped);
  auto torn = record;
  torn[0] = 0xff;
  CHECK_FALSE(ctl::view_of_record(torn));
  CHECK_FALSE(ctl::view_of_record(all.first(19)));
  CHECK_FALSE(ctl::view_of_record({}));
}

TEST_CASE("the table is aligned, and names what is out of order") {
  auto bad = in(State::kBackoff, Want::kUp);
  bad.reason = "command not found: x";
  bad.next_start = at(5003);
  auto gone = up(9);
  gone.supervised = false;
  auto begun = up(123456);
  begun.started = at(5000 - 3 * 86400 - 3600);
  CHECK(ctl::table({{"db", "/s/db", begun}, {"long-name", "/s/l", bad}, {"x", "/s/x", gone}}, at(5000), ctl::Colours::kNo) ==
        "NAME       STATE            PID  FOR     REASON\n"
        "db         RUNNING       123456  3d 01h\n"
        "long-name  BACKOFF            -  1h 06m  command not found: x; next start in 3s\n"
        "x          UNSUPERVISED       -  1h 06m  no supervise runs there\n");
  const auto coloured = ctl::table({{"db", "/s/db", begun}}, at(5000), ctl::Colours::kYes);
  CHECK(coloured.find("\x1b[32mRUNNING\x1b[0m") != std::string::npos);
}

TEST_CASE("the columns of the table are aligned whatever the width of the characters") {
  const auto text = ctl::table({{"\u4e2d\u6587", "/a", up(1)}, {"abcd", "/b", up(2)}, {"a\u0308\u00f6", "/c", up(3)}}, at(1010), ctl::Colours::kNo);
  CHECK_THAT(text, Catch::Contains("\u4e2d\u6587  RUNNING") && Catch::Contains("abcd  RUNNING") && Catch::Contains("a\u0308\u00f6    RUNNING"));
}

TEST_CASE("times are brief") {
  CHECK(ctl::brief(core::seconds(0)) == "0s");
  CHECK(ctl::brief(core::seconds(59)) == "59s");
  CHECK(ctl::brief(core::seconds(61)) == "1m 01s");
  CHECK(ctl::brief(core::seconds(7384)) == "2h 03m");
  CHECK(ctl::brief(core::seconds(86400 * 5 + 4 * 3600)) == "5d 04h");
  CHECK(ctl::brief(core::seconds(-5)) == "0s");
}

TEST_CASE("a JSON string is one whatever is in it") {
  CHECK(ctl::json_string("a\"b\\c\n\x01\xc3") == R"("a\"b\\c\\n\\x01\\xc3")");
  CHECK(ctl::json_string("\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa7") == "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa7\"");
  CHECK(ctl::json_string("\xff!") == R"("\\xff!")");
  CHECK(ctl::json_string("\u202e\xe2\x82") == R"("\\u202e\\xe2\\x82")");
  CHECK(ctl::json({}) == "[]\n");
}

TEST_CASE("patterns match as those of the shell") {
  struct Row {
    const char* pattern;
    const char* text;
    bool matches;
  };
  const Row rows[] = {{"web-*", "web-1", true},  {"web-*", "web-", true},  {"web-*", "db-1", false}, {"*", "", true},        {"?", "", false},
                      {"w?b", "web", true},      {"w?b", "wb", false},     {"[a-c]x", "bx", true},   {"[a-c]x", "dx", false}, {"[!a-c]x", "dx", true},
                      {"[]x]", "]", true},       {"[a-]", "-", true},      {"*-*-*", "a-b-c", true}, {"*-*-*", "a-b", false}, {"web", "web2", false}};
  for (const auto& row : rows) {
    INFO(row.pattern << " " << row.text);
    CHECK(ctl::matches(row.pattern, row.text) == row.matches);
  }
}

TEST_CASE("a pattern of many stars takes no more time than one of few") {
  std::string pattern = "*", text;
  for (int i = 0; i < 40; ++i) pattern += "a*";
  text.assign(2000, 'a');
  CHECK(ctl::matches(pattern, text));
  CHECK_FALSE(ctl::matches(pattern + "b", text));
}

TEST_CASE("the nearest name is one that a typing error makes") {
  const Strings known = {"redis", "web-1", "web-2", "database"};
  CHECK(ctl::nearest("rdeis", known) == "redis");
  CHECK(ctl::nearest("web", known) == "web-1");
  CHECK(ctl::nearest("databse", known) == "database");
  CHECK(ctl::nearest("nginx", known).empty());
  CHECK(ctl::nearest("x", {}).empty());
}

TEST_CASE("thresholds of the monitoring plugin") {
  const auto result = [](const View& view, const char* warn, const char* crit) {
    ctl::Measured service{{"svc", "/s/svc", view}, {1, 5 << 20, core::seconds(1)}, core::seconds(90)};
    return ctl::plugin({service}, 0, ctl::parse_conditions(warn), ctl::parse_conditions(crit), at(1100));
  };
  auto many = up(7);
  many.exits = 11;
  CHECK(result(up(7), "", "").text == "SUPERVISE OK - 1 of 1 up | up=1 services=1");
  CHECK(result(many, "exits>10", "exits>20").text == "SUPERVISE WARNING - 1 of 1 up: svc exits 11 > 10 | up=1 services=1");
  CHECK(result(many, "exits>10", "exits>10").status == 2);
  CHECK(result(many, "exits>11", "exits>11").status == 0);
  CHECK(result(up(7), "uptime<101", "").status == 1);
  CHECK(result(up(7), "uptime<100", "").status == 0);
  CHECK(result(up(7), "", "memory>4M,heartbeat>900").text == "SUPERVISE CRITICAL - 1 of 1 up: svc memory 5242880 > 4194304 | up=1 services=1");
  CHECK(result(up(7), "heartbeat>60", "").status == 1);
  CHECK(result(in(State::kFatal, Want::kUp), "", "").status == 2);
  CHECK(result(in(State::kStopped, Want::kDown), "", "").status == 0);
  CHECK(ctl::plugin({}, 0, {}, {}, at(0)).status == 3);
  CHECK(ctl::plugin({{{"svc", "", up(7)}, {}, {}}}, 1, {}, {}, at(1000)).status == 3);
  for (const auto* bad : {"uptime", "uptime=3", "colour>1", "exits>", "exits>-1", "memory>1X", ",", "exits>1,,"}) {
    INFO(bad);
    CHECK_FALSE(ctl::parse_conditions(bad).error.empty());
  }
}

TEST_CASE("the name of a service cannot harm the line of the monitoring plugin") {
  const ctl::Measured service{{"a\x1b[2J|b\n", "", up(7)}, {}, {}};
  CHECK(ctl::plugin({service}, 0, ctl::parse_conditions("exits<1"), {}, at(1000)).text == "SUPERVISE WARNING - 1 of 1 up: a\\x1b[2J/b\\n exits 0 < 1 | up=1 services=1");
}

TEST_CASE("a service uses what its descendants use, and those that its supervise took in") {
  const auto process = [](std::int32_t pid, std::int32_t parent, std::int32_t session) { return sys::Usage{pid, parent, session, 1000, core::seconds(1)}; };
  // 100 is supervise; 7 the service, with a child that has a lower pid and a grandchild in a session of its own; 20 was taken in;
  // 30 is a helper of supervise's, 31 its child; 1 and 40 are others.
  const std::vector<sys::Usage> processes = {process(1, 0, 1),     process(5, 7, 100),  process(6, 5, 6),     process(7, 100, 100), process(20, 100, 100),
                                             process(30, 100, 30), process(31, 30, 30), process(40, 1, 100), process(100, 1, 100)};
  const auto usage = ctl::Processes(processes).usage_of(up(7));
  CHECK(usage.processes == 4);
  CHECK(usage.memory == 4000);
  CHECK(usage.cpu == core::seconds(4));
  CHECK(ctl::Processes(processes).usage_of(in(State::kStopped, Want::kDown)).processes == 0);
}

TEST_CASE("metrics are counted by kind, and labels can't be broken out of") {
  auto view = up(7);
  view.exits = 10;
  view.exits_nonzero = 3;
  view.exits_signal = 2;
  view.exits_core = 1;
  const auto text = ctl::metrics({{{"a\"b", "/s/a", view}, {2, 4096, core::Nanos(1'500'000'000)}, {}}});
  const auto has = [&](const std::string& line) { return text.find(line + "\n") != std::string::npos; };
  CHECK(has(R"(supervise_up{service="a\"b"} 1)"));
  CHECK(has(R"(supervise_exits_total{service="a\"b",kind="zero"} 4)"));
  CHECK(has(R"(supervise_exits_total{service="a\"b",kind="nonzero"} 3)"));
  CHECK(has(R"(supervise_exits_total{service="a\"b",kind="signal"} 2)"));
  CHECK(has(R"(supervise_exits_total{service="a\"b",kind="core"} 1)"));
  CHECK(has(R"(supervise_cpu_seconds_total{service="a\"b"} 1.500)"));
  CHECK(has(R"(supervise_start_time_seconds{service="a\"b"} 1000.000)"));
  CHECK(text.find("supervise_heartbeat_age_seconds{") == std::string::npos);
}

}  // namespace
