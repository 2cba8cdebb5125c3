#include "ctl/judge.h"

#include "core/command.h"
#include "core/outcome.h"

namespace ctl {
namespace {

using core::State;
using core::Want;
using Kind = Verdict::Kind;
using std::string;

Verdict not_yet(const View& view) { return {Kind::kNotYet, string(state_name(view)), kFailed}; }
Verdict done(string text) { return {Kind::kDone, std::move(text), kDone}; }

string with_pid(const char* what, const View& view) { return string(what) + " (pid " + std::to_string(view.pid) + ")"; }

Verdict failed(const View& view) {
  auto text = string(state_name(view));
  if (!view.reason.empty()) text += ": " + view.reason;
  // Of a command that could not be executed it is that of an earlier run.
  if (!view.exit.empty() && view.cause != core::Reason::kNone) text += " (" + view.exit + ")";
  if (view.state == State::kBackoff) text += "; supervise goes on trying";
  return {Kind::kFailed, std::move(text), kFailed};
}

bool is_stopped(const View& view) { return view.pid == 0 && view.want == Want::kDown && view.cause != core::Reason::kTree; }

bool gave_up(const View& view) { return view.state == State::kBackoff || view.state == State::kFatal; }
// Whether supervise stops it because it hangs, which it does again after each start.
bool hangs(const View& view) {
  return view.state == State::kStopping && (view.cause == core::Reason::kNotReady || view.cause == core::Reason::kNoHeartbeat || view.cause == core::Reason::kNoWatchdog);
}
// What makes it wait no longer for a run that has begun.
bool is_lost(const View& view) { return gave_up(view) || hangs(view) || view.state == State::kExited; }

// Foreign views count no starts: there another pid is another run, and one that fails at once is not seen.
bool is_another_run(const View& before, const View& now, bool is_new) {
  if (now.source == View::Source::kForeign) return now.pid != 0 && now.pid != before.pid;
  return is_new || now.starts > before.starts;
}

Verdict of_start(const View& before, const View& now, bool is_new) {
  if (now.state == State::kRunning && now.want == Want::kUp) return done(with_pid("running", now));
  if (!is_another_run(before, now, is_new)) return not_yet(now);
  if (has_ended_well(now)) return done("has run and ended (" + now.exit + ")");
  return is_lost(now) ? failed(now) : not_yet(now);
}

Verdict of_restart(const View& before, const View& now, bool is_new) {
  const bool another = is_another_run(before, now, is_new);
  if (now.state == State::kRunning && now.pid != before.pid && another) return done(with_pid("restarted", now));
  if (another && has_ended_well(now)) return done("has run again and ended (" + now.exit + ")");
  return another && is_lost(now) ? failed(now) : not_yet(now);
}

Verdict of_once(const View& before, const View& now) {
  if (now.source == View::Source::kForeign) return now.pid != 0 ? done(with_pid("running, once", now)) : not_yet(now);
  if (now.want != Want::kOnce) return not_yet(now);
  if (now.state == State::kRunning) return done(with_pid("running, once", now));
  // A run that was under way is the one.
  if (before.pid == 0 && !is_another_run(before, now, false)) return not_yet(now);
  if (has_ended_well(now)) return done("has run and ended (" + now.exit + ")");
  return gave_up(now) || now.state == State::kExited || now.state == State::kStopped ? failed(now) : not_yet(now);
}

Verdict of_reload(const View& before, const View& now) {
  if (now.conf_reads == 0) return done("told to read its configuration again; supervise.log says what became of it");
  if (now.conf_reads == before.conf_reads) return not_yet(now);
  return now.conf_faulty ? Verdict{Kind::kFailed, "the configuration is faulty; the settings in force stay", kFailed} : done("configuration read again");
}

// One that gives no word of it is ready when it is RUNNING.
bool is_ready(const View& view) { return view.ready != core::WallTime{}; }

bool knows_nothing_of(Id id) { return id == Id::kAlarm || id == Id::kReload || id == Id::kUpgrade || id == Id::kRotate; }

Verdict left_alone(const View& view) {
  return {Kind::kFailed, "pid " + std::to_string(view.pid) + " runs on without a supervise; `supervisectl start` lets one adopt it", kFailed};
}

Verdict of_wait(const string& what, const View& before, const View& now) {
  const bool hopeless = was_given_up(now) || (now.supervised && now.state == State::kFatal && now.next_start == core::WallTime{});
  if (hopeless && (what == "up" || what == "ready")) return failed(now);
  if (what == "up") return now.supervised && now.state == State::kRunning ? done(with_pid("up", now)) : not_yet(now);
  // A directory that is away says nothing.
  const bool known = now.source != View::Source::kNone || before.source == View::Source::kNone;
  if (what == "down") return known && !now.orphaned && (!now.supervised || (now.pid == 0 && now.cause != core::Reason::kTree)) ? done("down") : not_yet(now);
  if (what == "ready") return now.supervised && now.state == State::kRunning && now.ready != core::WallTime{} ? done(with_pid("ready", now)) : not_yet(now);
  const bool changed = now.supervised != before.supervised || now.state != before.state || now.pid != before.pid || now.want != before.want;
  return changed ? done(string(state_name(now)) + (now.pid != 0 ? " (pid " + std::to_string(now.pid) + ")" : "")) : not_yet(now);
}

}  // namespace

Verdict judge(const Request& request, const View& before, const View& now, bool is_new) {
  const auto id = request.command->id;
  if (id == Id::kWait) return of_wait(request.first, before, now);
  if (now.orphaned) return left_alone(now);
  if (id == Id::kExit) return now.supervised ? not_yet(now) : done("stopped, its supervise has ended");
  if (!now.supervised) return {Kind::kFailed, "its supervise has ended", kNotRunning};
  switch (id) {
    case Id::kStart:
    case Id::kRestart: {
      const auto verdict = id == Id::kStart ? of_start(before, now, is_new) : of_restart(before, now, is_new);
      return verdict.kind == Kind::kDone && now.pid != 0 && !is_ready(now) ? Verdict{Kind::kNotYet, "not ready", kFailed} : verdict;
    }
    case Id::kStop: return is_stopped(now) ? done("stopped") : not_yet(now);
    case Id::kOnce: return of_once(before, now);
    case Id::kKill: return now.pid != before.pid ? done("killed (was pid " + std::to_string(before.pid) + ")") : not_yet(now);
    case Id::kPause: return now.paused ? done(with_pid("paused", now)) : not_yet(now);
    case Id::kContinue: return !now.paused ? done(with_pid("goes on", now)) : not_yet(now);
    case Id::kAlarm: return now.alarms_on == (request.first == "on") ? done("alarms " + request.first) : not_yet(now);
    case Id::kSignal: return done(request.first + " sent");
    case Id::kRotate: return done("told to begin new logs");
    case Id::kReload: return of_reload(before, now);
    default: return done("done");
  }
}

Verdict judge_at_first(const Request& request, const View& view) {
  const auto id = request.command->id;
  if (id == Id::kWait && request.first != "change") return judge(request, view, view, false);
  if (view.orphaned && id != Id::kStart && id != Id::kWait) return left_alone(view);
  if (!view.supervised) {
    if (id != Id::kStop && id != Id::kExit) return not_yet(view);
    return done("already down, no supervise runs there");
  }
  if (view.source == View::Source::kForeign && knows_nothing_of(id))
    return {Kind::kFailed, "daemontools and runit know no " + string(request.command->name), kFailed};
  switch (id) {
    case Id::kStart:
      return view.state == State::kRunning && view.want == Want::kUp && is_ready(view) ? done("already " + with_pid("running", view)) : not_yet(view);
    case Id::kStop: return is_stopped(view) ? done("already stopped") : not_yet(view);
    case Id::kKill:
    case Id::kSignal:
    case Id::kPause:
    case Id::kContinue:
      if (view.pid == 0) return {Kind::kFailed, "not running: " + string(state_name(view)), kNotRunning};
      break;
    default: break;
  }
  return not_yet(view);
}

string letters_of(const Request& request) {
  if (request.command->id == Id::kAlarm) return request.first == "on" ? "n" : "s";
  if (request.command->id != Id::kSignal) return string(request.command->letters);
  const auto number = core::parse_signal(request.first).value_or(0);
  for (const auto& command : core::commands())
    if (command.signal == number) return string(1, command.byte);
  return {};
}

}  // namespace ctl
