#include "ctl/view.h"

#include <algorithm>

#include "core/state.h"
#include "core/strings.h"

namespace ctl {
namespace {

using std::string;

constexpr std::size_t kDaemontools = 18;

}  // namespace

std::optional<View> view_of_state(std::string_view text) {
  const auto facts = core::recorded_facts(text);
  if (!facts) return std::nullopt;
  const auto value = [text](std::string_view key) { return core::printable(core::state_value(text, key).value_or(std::string_view())); };
  View view;
  view.source = View::Source::kOurs;
  view.state = facts->state;
  view.want = facts->want;
  view.pid = facts->pid;
  view.supervise_pid = core::recorded_processes(text).supervise.pid;
  view.paused = facts->paused;
  view.alarms_on = facts->alarms_on;
  view.since = facts->since;
  view.started = facts->started;
  view.ready = facts->ready;
  view.next_start = core::recorded_next_start(text);
  view.starts = facts->starts;
  view.exits = facts->exits;
  view.exits_nonzero = facts->exits_nonzero;
  view.exits_signal = facts->exits_signal;
  view.exits_core = facts->exits_core;
  view.tries = facts->tries;
  view.coredumps = facts->coredumps;
  view.cause = facts->reason;
  view.ended = value("memory").empty();
  view.exit = value("exit");
  view.reason = value("reason");
  view.status = value("status");
  view.output_waits = value("output");
  view.output = value("stdout");
  view.errors = value("stderr");
  view.heartbeat = value("heartbeat");
  view.conf = value("conf");
  const auto conf = core::recorded_conf(text);
  view.conf_time = conf.time;
  view.conf_reads = conf.reads;
  view.conf_faulty = conf.faulty;
  return view;
}

std::optional<View> view_of_record(std::span<const unsigned char> record) {
  if (record.size() != kDaemontools && record.size() != core::kStatusSize) return std::nullopt;
  // The two records have the same stamp; the rest differs from ours.
  std::uint64_t label = 0;
  for (std::size_t i = 0; i < 8; ++i) label = label << 8 | record[i];
  std::uint32_t nanoseconds = 0;
  for (std::size_t i = 8; i < 12; ++i) nanoseconds = nanoseconds << 8 | record[i];
  constexpr std::uint64_t kEpoch = (std::uint64_t{1} << 62) + 10;
  std::uint32_t pid = 0;
  for (std::size_t i = 16; i-- > 12;) pid = pid << 8 | record[i];
  if (label < kEpoch || label - kEpoch > 1ULL << 33 || nanoseconds > 999'999'999 || pid > INT32_MAX) return std::nullopt;
  View view;
  view.source = View::Source::kForeign;
  view.since = view.started = core::WallTime(core::seconds(static_cast<std::int64_t>(label - kEpoch)) + core::Nanos(nanoseconds));
  view.pid = static_cast<std::int32_t>(pid);
  view.paused = record[16] != 0;
  view.want = record[17] == 'u' ? core::Want::kUp : record[17] == 'd' ? core::Want::kDown : core::Want::kOnce;
  const bool term_sent = record.size() == core::kStatusSize && record[18] != 0;
  // runit has `d` for a service that is to run once, too.
  const bool is_stopping = record.size() == core::kStatusSize ? term_sent : view.want == core::Want::kDown;
  if (view.pid != 0)
    view.state = is_stopping ? core::State::kStopping : core::State::kRunning;
  else
    view.state = view.want == core::Want::kUp ? core::State::kBackoff : view.want == core::Want::kDown ? core::State::kStopped : core::State::kExited;
  if (view.state == core::State::kRunning) view.ready = view.since;
  return view;
}

bool has_ended_well(const View& view) {
  if (view.state != core::State::kExited) return false;
  if (view.cause == core::Reason::kExpectedExit) return true;
  return (view.cause == core::Reason::kOnce || view.cause == core::Reason::kNoRestart) && view.exit == "code 0";
}

bool was_given_up(const View& view) { return !view.supervised && view.pid == 0 && view.state == core::State::kFatal; }

std::string_view state_name(const View& view) { return view.supervised || was_given_up(view) ? core::to_text(view.state) : "UNSUPERVISED"; }

string reason_of(const View& view, core::WallTime now) {
  if (!view.supervised) {
    if (view.orphaned) return "pid " + std::to_string(view.pid) + " runs on; a supervise that is started will adopt it";
    const string none = view.source == View::Source::kNone ? "never started" : "no supervise runs there";
    return was_given_up(view) && !view.reason.empty() ? view.reason + "; " + none : none;
  }
  string out = view.reason;
  const auto add = [&out](const string& text) { out += (out.empty() ? "" : "; ") + text; };
  if (view.paused) add("paused");
  if (!view.output_waits.empty()) add(view.output_waits);
  if (!view.status.empty()) add(view.status);
  const bool down = view.pid == 0 && view.state != core::State::kStopped;
  if (down && !view.exit.empty()) add(view.exit);
  if (view.pid == 0 && view.next_start > now) add("next start in " + brief(view.next_start - now));
  if (view.state == core::State::kRunning && view.source == View::Source::kOurs && view.ready == core::WallTime{}) add("not ready");
  if (view.pid != 0 && view.want == core::Want::kOnce) add("once");
  if (view.pid != 0 && view.tries > 1) add(std::to_string(view.tries) + " exits lately" + (view.exit.empty() ? "" : ", the last: " + view.exit));
  if (!view.alarms_on) add("alarms off");
  if (view.reason.empty() && view.conf_newer) add(string(conf_flaw(view)) + "; reload");
  if (view.reason.empty() && !view.conf_newer && view.conf_faulty) add(string(conf_flaw(view)));
  return out;
}

std::string_view conf_flaw(const View& view) {
  if (view.conf_newer) return "the configuration is newer than what runs";
  return view.conf_faulty ? "the configuration is faulty" : "";
}

core::WallTime since(const View& view) { return view.is_up() ? view.started : view.since; }

string brief(core::Nanos time) {
  const auto seconds = std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::seconds>(time).count());
  const auto two = [](std::int64_t n) { return (n < 10 ? "0" : "") + std::to_string(n); };
  if (seconds < 60) return std::to_string(seconds) + "s";
  if (seconds < 3600) return std::to_string(seconds / 60) + "m " + two(seconds % 60) + "s";
  if (seconds < 86400) return std::to_string(seconds / 3600) + "h " + two(seconds / 60 % 60) + "m";
  return std::to_string(seconds / 86400) + "d " + two(seconds / 3600 % 24) + "h";
}

}  // namespace ctl
