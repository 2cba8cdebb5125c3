#include "core/state.h"

#include "core/number.h"
#include "core/strings.h"

namespace core {
namespace {

constexpr std::size_t kMaxName = 64;
constexpr std::size_t kMaxReason = 160;

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
    text.printable(value.substr(0, limit)) << '\n';
  }
  void put_time(std::string_view key, WallTime time) {
    text << key << '=';
    if (time != WallTime{}) text.seconds(time.time_since_epoch(), 3);
    text << '\n';
  }
  StateText text;
};

template <typename T>
T number_or_zero(std::optional<std::string_view> value) {
  return value ? parse_number<T>(*value).value_or(0) : 0;
}

}  // namespace

StateText encode_state(const StateRecord& record) {
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
  out.put("tries", facts.tries);
  out.put("coredumps", facts.coredumps);
  out.put_time("next_start", facts.next_start ? record.now.wall + (*facts.next_start - record.now.mono) : WallTime{});
  out.put_words("reason", record.reason, kMaxReason);
  out.put_words("status", record.status, kMaxReason);
  out.put("alarm", facts.alarms_on ? "on" : "off");
  out.put("paused", facts.paused ? 1 : 0);
  out.put("pid_start", record.service.start);
  out.put("supervise_start", record.supervise.start);
  out.put("boot_id", record.boot_id);
  return out.text;
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
  out.boot_id = state_value(text, "boot_id").value_or(std::string_view());
  return out;
}

}  // namespace core
