// Datagrams of sd_notify(3): against a second reading of them, line by line, and into a machine.
#include "core/notification.h"

#include <algorithm>
#include <map>

#include "core/machine.h"
#include "fuzz/fuzz.h"

namespace {

// The last value of each key.
std::map<std::string, std::string> values_of(std::string text) {
  std::map<std::string, std::string> out;
  if (!text.empty() && text.back() == '\0') text.pop_back();
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    const auto line = text.substr(at, end - at);
    if (const auto equals = line.find('='); equals != std::string::npos) {
      const auto key = line.substr(0, equals), value = line.substr(equals + 1);
      const bool of_watchdog = key == "WATCHDOG" && (value == "1" || value == "trigger");
      out[of_watchdog ? key + "=" + value : key] = value;
    }
    at = end + 1;
  }
  return out;
}

bool is_number(const std::string& text) { return !text.empty() && text.size() < 18 && text.find_first_not_of("0123456789") == std::string::npos; }

}  // namespace

FUZZ(notification) {
  const auto message = core::parse_notification(input);
  auto values = values_of(std::string(input));
  fuzz::require(message.ready == (values["READY"] == "1"), "ready or not");
  fuzz::require(message.stopping == (values["STOPPING"] == "1"), "stopping or not");
  fuzz::require(message.watchdog == values.contains("WATCHDOG=1") && message.watchdog_trigger == values.contains("WATCHDOG=trigger"), "watchdog or not");
  fuzz::require(message.status.has_value() == values.contains("STATUS") && (!message.status || *message.status == values["STATUS"]), "another status");
  fuzz::require(!message.main_pid || *message.main_pid > 0, "a main process that is none");
  if (const auto pid = values["MAINPID"]; is_number(pid) && pid.size() < 10 && std::stoi(pid) > 0) fuzz::require(message.main_pid == std::stoi(pid), "another main process");
  for (const auto& [key, time] : {std::pair("WATCHDOG_USEC", message.watchdog_timeout), std::pair("EXTEND_TIMEOUT_USEC", message.extension)}) {
    fuzz::require(!time || *time >= core::Nanos::zero(), "a time that is none");
    if (const auto value = values[key]; is_number(value) && value.size() < 16) fuzz::require(time == std::chrono::microseconds(std::stoll(value)), "another time");
  }
  // Whatever it says: a signal goes to the service alone, and no deadline is behind us for ever.
  core::Now now{core::Instant(core::seconds(1000)), core::WallTime(core::seconds(1'795'197'787))};
  core::Policy policy;
  policy.tells_ready = true;
  policy.ready_timeout = core::seconds(30);
  core::Machine machine(policy, now, 1);
  (void)machine.step(core::event::Commanded{core::Verb::kUp}, now);
  (void)machine.step(core::event::Due{}, now);
  (void)machine.step(core::event::Started{4711}, now);
  for (int i = 0; i < 20; ++i) {
    const auto actions = machine.step(i % 4 == 0 ? core::Event(core::event::Notified{message}) : core::Event(core::event::Due{}), now);
    for (const auto& action : actions) fuzz::require(action.kind == core::Action::Kind::kSignal && machine.pid() == 4711, "an action that no message asks for");
    fuzz::require(machine.pid() == 4711, "another process");
    if (machine.deadline() == core::kNever) break;
    fuzz::require(i % 4 == 0 || machine.deadline() > now.mono || machine.facts().state == core::State::kStopping || machine.facts().state == core::State::kStarting, "a deadline that does not move");
    now.mono = std::max(now.mono, machine.deadline());
  }
}
