#include "core/state.h"

#include <algorithm>

#include "core/number.h"
#include "core/strings.h"
#include "core/utf8.h"

namespace core {
namespace {

constexpr std::size_t kMaxName = 64;
constexpr std::size_t kMaxReason = 160;
constexpr std::size_t kMaxPath = 255;

std::string_view to_text(Want want) {
  switch (want) {
    case Want::kUp: return "up";
    case Want::kDown: return "down";
    case Want::kOnce: break;
  }
  return "once";
}

class Writer {
 public:
  template <typename Value>
  void put(std::string_view key, const Value& value) {
    text << key << '=' << value << '\n';
  }
  void put_words(std::string_view key, std::string_view value, std::size_t limit) {
    text << key << '=';
    text.printable(value, limit) << '\n';
  }
  void put_file(std::string_view key, const FileName& file) {
    const bool fits = file.directory.size() + 1 + file.name.size() <= kMaxPath && is_printable(file.directory) && is_printable(file.name);
    text << key << '=';
    if (fits && !file.directory.empty()) text << file.directory << (file.directory.ends_with('/') ? "" : "/") << file.name;
    text << '\n';
  }
  void put_time(std::string_view key, WallTime time) {
    text << key << '=';
    if (time != WallTime{}) text.seconds(time.time_since_epoch(), 3);
    text << '\n';
  }
  // For the next supervise: a version, and what the other keys do not say.
  void put_memory(const Snapshot& snapshot) {
    text << "memory=" << kMemoryVersion << ' ' << snapshot.facts.stamp.time_since_epoch().count() << ' ' << snapshot.failures << ' ' << snapshot.restarts << ' ' << snapshot.hook_runs;
    for (const auto instant : {snapshot.started, snapshot.window_opened, snapshot.kill_due, snapshot.next_start, snapshot.last_exit})
      text << ' ' << (instant == kNever ? -1 : std::chrono::duration_cast<std::chrono::milliseconds>(instant.time_since_epoch()).count());
    text << '\n';
  }
  RecordText text;
};

template <typename T>
std::optional<T> take_number(std::string_view& text) {
  return parse_number<T>(take_word(text));
}

std::optional<Instant> take_instant(std::string_view& text) {
  constexpr std::int64_t kMax = Nanos::max().count() / 1'000'000;
  const auto millis = take_number<std::int64_t>(text);
  if (!millis || *millis < -1 || *millis > kMax) return std::nullopt;
  return *millis < 0 ? kNever : Instant(std::chrono::milliseconds(*millis));
}

// `1795247518.217`; the epoch where there is none.
WallTime parse_time(std::string_view text) {
  const auto point = text.find('.');
  if (point == std::string_view::npos) return {};
  const auto whole = parse_number<std::int64_t>(text.substr(0, point));
  const auto millis = parse_number<unsigned>(text.substr(point + 1));
  constexpr std::int64_t kMax = Nanos::max().count() / 1'000'000'000 - 1;
  if (!whole || *whole < 0 || *whole > kMax || !millis || *millis > 999) return {};
  return WallTime(seconds(*whole) + std::chrono::milliseconds(*millis));
}

std::optional<State> parse_state_name(std::string_view text) {
  for (int i = 0; i <= static_cast<int>(State::kFatal); ++i)
    if (text == to_text(static_cast<State>(i))) return static_cast<State>(i);
  return std::nullopt;
}

std::optional<Want> parse_want(std::string_view text) {
  for (const auto want : {Want::kUp, Want::kDown, Want::kOnce})
    if (text == to_text(want)) return want;
  return std::nullopt;
}

template <typename T>
T number_or_zero(std::optional<std::string_view> value) {
  return value ? parse_number<T>(*value).value_or(0) : 0;
}

}  // namespace

EncodedRecord encode_record(const StateRecord& record) {
  const Facts& facts = record.facts;
  Writer out;
  out.put_words("name", record.name, kMaxName);
  out.put("state", core::to_text(facts.state));
  out.put("pid", facts.pid);
  out.put("supervise_pid", record.supervise.pid);
  out.put("want", to_text(facts.want));
  out.put_time("since", facts.since);
  out.put_time("started", facts.started);
  out.put_time("ready", facts.ready);
  out.put("exit", facts.exit ? core::to_text(*facts.exit).view() : std::string_view());
  out.put("starts", facts.starts);
  out.put("exits", facts.exits);
  out.put("exits_nonzero", facts.exits_nonzero);
  out.put("exits_signal", facts.exits_signal);
  out.put("exits_core", facts.exits_core);
  out.put("tries", facts.tries);
  out.put("coredumps", facts.coredumps);
  out.put_time("next_start", facts.next_start ? record.now.wall + (*facts.next_start - record.now.mono) : WallTime{});
  out.put_words("reason", record.reason, kMaxReason);
  out.put_words("status", record.status, kMaxReason);
  out.put_words("output", record.output_waits, kMaxReason);
  out.put_file("stdout", record.output);
  out.put_file("stderr", record.errors);
  out.put_file("heartbeat", record.heartbeat);
  out.put_file("conf", record.conf);
  out.put_time("conf_time", record.conf_time);
  out.put("conf_reads", record.conf_reads);
  out.put("conf_faulty", record.conf_faulty ? 1 : 0);
  out.put("alarm", facts.alarms_on ? "on" : "off");
  out.put("paused", facts.paused ? 1 : 0);
  out.put("pid_start", record.service.start);
  out.put("supervise_start", record.supervise.start);
  out.put("boot_id", record.boot_id);
  const auto state_size = out.text.view().size();
  if (record.ended)
    out.put("memory", "");
  else
    out.put_memory(record.snapshot);
  out.put("notify", record.notify_name);
  out.put("left_running", record.left.pid);
  out.put("left_running_session", record.left.session);
  out.put("left_running_start", record.left.start);
  out.put("directory", record.directory.size() <= kMaxPath && is_printable(record.directory) ? record.directory : std::string_view());
  out.put("namespaces", record.namespaces);
  out.put("parent", record.origin.parent);
  out.put("session", record.origin.session);
  if (record.origin.user)
    out.put("user", *record.origin.user);
  else
    out.put("user", "");
  return {out.text, state_size};
}

std::optional<std::string_view> state_value(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const auto line = take_line(text);
    if (line.size() > key.size() && line.starts_with(key) && line[key.size()] == '=') return line.substr(key.size() + 1);
  }
  return std::nullopt;
}

RecordedProcesses recorded_processes(std::string_view text) {
  RecordedProcesses out;
  out.supervise.pid = number_or_zero<std::int32_t>(state_value(text, "supervise_pid"));
  out.supervise.start = number_or_zero<std::uint64_t>(state_value(text, "supervise_start"));
  out.service.pid = number_or_zero<std::int32_t>(state_value(text, "pid"));
  out.service.start = number_or_zero<std::uint64_t>(state_value(text, "pid_start"));
  out.left = {number_or_zero<std::int32_t>(state_value(text, "left_running")), number_or_zero<std::int32_t>(state_value(text, "left_running_session")),
              number_or_zero<std::uint64_t>(state_value(text, "left_running_start"))};
  // It led a group in the session of its supervise.
  if (out.service.pid > 0 && out.service.start == 0) out.left.pid = out.service.pid;
  const auto value = [text](std::string_view key) { return state_value(text, key).value_or(std::string_view()); };
  out.origin = {number_or_zero<std::int32_t>(value("parent")), number_or_zero<std::int32_t>(value("session")), parse_number<std::uint32_t>(value("user"))};
  out.boot_id = value("boot_id");
  out.namespaces = value("namespaces");
  out.name = value("name");
  out.directory = value("directory");
  return out;
}

std::optional<Facts> recorded_facts(std::string_view text) {
  const auto value = [text](std::string_view key) { return state_value(text, key).value_or(std::string_view()); };
  const auto state = parse_state_name(value("state"));
  const auto want = parse_want(value("want"));
  const auto pid = parse_number<std::int32_t>(value("pid"));
  if (!state || !want || !pid || *pid < 0) return std::nullopt;
  Facts facts;
  facts.state = *state;
  facts.want = *want;
  facts.pid = *pid;
  facts.paused = value("paused") == "1";
  facts.alarms_on = value("alarm") != "off";
  facts.since = parse_time(value("since"));
  facts.started = parse_time(value("started"));
  facts.reason = parse_reason(value("reason"));
  facts.ready = parse_time(value("ready"));
  facts.exit = parse_outcome(value("exit"));
  facts.starts = number_or_zero<std::uint64_t>(value("starts"));
  facts.exits = number_or_zero<std::uint64_t>(value("exits"));
  facts.exits_nonzero = number_or_zero<std::uint64_t>(value("exits_nonzero"));
  facts.exits_signal = number_or_zero<std::uint64_t>(value("exits_signal"));
  facts.exits_core = number_or_zero<std::uint64_t>(value("exits_core"));
  facts.tries = number_or_zero<unsigned>(value("tries"));
  facts.coredumps = number_or_zero<unsigned>(value("coredumps"));
  return facts;
}

WallTime recorded_next_start(std::string_view text) { return parse_time(state_value(text, "next_start").value_or(std::string_view())); }

RecordedConf recorded_conf(std::string_view text) {
  const auto value = [text](std::string_view key) { return state_value(text, key).value_or(std::string_view()); };
  return {value("conf"), parse_time(value("conf_time")), number_or_zero<std::uint64_t>(value("conf_reads")), value("conf_faulty") == "1"};
}

std::optional<Snapshot> recorded_snapshot(std::string_view text) {
  const auto facts = recorded_facts(text);
  auto memory = state_value(text, "memory").value_or(std::string_view());
  Snapshot out;
  const auto version = take_number<int>(memory);
  const auto stamp = take_number<std::int64_t>(memory);
  const auto failures = take_number<unsigned>(memory);
  const auto restarts = take_number<int>(memory);
  const auto hook_runs = take_number<int>(memory);
  const auto started = take_instant(memory), window = take_instant(memory), kill_due = take_instant(memory),
             next_start = take_instant(memory), last_exit = take_instant(memory);
  const bool understood = facts && version == kMemoryVersion && stamp && failures && restarts && hook_runs && started && window && kill_due &&
                          next_start && last_exit;
  if (!understood) return std::nullopt;
  const bool has_service = facts->state == State::kStarting || facts->state == State::kRunning || facts->state == State::kStopping;
  if (has_service != (facts->pid > 0) || *stamp < 0 || (has_service && *started == kNever) || *restarts < 0 || *hook_runs < 0) return std::nullopt;
  out.facts = *facts;
  out.facts.stamp = WallTime(Nanos(*stamp));
  out.failures = *failures;
  out.restarts = *restarts;
  out.hook_runs = *hook_runs;
  out.started = *started;
  out.window_opened = *window;
  out.kill_due = *kill_due;
  out.next_start = *next_start;
  out.last_exit = *last_exit;
  return out;
}

std::string_view recorded_notify_name(std::string_view text) {
  constexpr std::size_t kMax = 64;
  const auto name = state_value(text, "notify").value_or(std::string_view());
  const auto is_of_a_name = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return name.size() <= kMax && std::all_of(name.begin(), name.end(), is_of_a_name) ? name : std::string_view();
}

}  // namespace core
