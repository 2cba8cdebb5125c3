// Leads a core::Machine through its life in a few words: time passes when told, a start is answered when told, and what the
// machine wants done comes back as text (`signal TERM, signal CONT`).
#pragma once

#include <string>

#include "core/machine.h"
#include "core/outcome.h"

namespace unit {

inline std::string to_text(const core::Action& action) {
  const std::string signal(core::signal_name(action.value));
  switch (action.kind) {
    case core::Action::Kind::kStart: return "start";
    case core::Action::Kind::kSignal: return signal;
    case core::Action::Kind::kSignalGroup: return "group " + signal;
    case core::Action::Kind::kHook: return "hook " + std::to_string(action.value);
    case core::Action::Kind::kUpgrade: return "upgrade";
    case core::Action::Kind::kEndTree: return "end tree";
    case core::Action::Kind::kCheckHeartbeat: return "check heartbeat";
    case core::Action::Kind::kAlarm: return "alarm";
    case core::Action::Kind::kGiveUp: return "give up";
    case core::Action::Kind::kReload: return "reload";
    case core::Action::Kind::kRotate: return "rotate";
    case core::Action::Kind::kExit: return "exit";
  }
  return "?";
}

inline std::string to_text(const core::Actions& actions) {
  std::string text;
  for (const auto& action : actions) text += (text.empty() ? "" : ", ") + to_text(action);
  return text;
}

core::Policy policy_with(auto change) {
  core::Policy policy;
  change(policy);
  return policy;
}

class Driver {
 public:
  static constexpr std::int32_t kPid = 4711;

  explicit Driver(const core::Policy& policy = {}, bool hook = false, core::Nanos hook_reset = core::Nanos::zero())
      : machine_(policy, now_, 1) {
    send(core::event::Reconfigured{policy, hook, hook_reset});
  }

  std::string send(const core::Event& event) { return to_text(machine_.step(event, now_)); }

  // Every byte of `bytes` as a command; the actions of the last one.
  std::string command(std::string_view bytes) {
    std::string actions;
    for (const char byte : bytes) {
      const auto* found = core::find_command(byte);
      actions = found ? send(core::event::Commanded{found->verb, found->signal}) : "no command";
    }
    return actions;
  }

  // Time passes, and nobody looks at the machine.
  Driver& pass(core::Nanos time) {
    now_.mono += time;
    now_.wall += time;
    return *this;
  }
  Driver& pass_ms(std::int64_t millis) { return pass(std::chrono::milliseconds(millis)); }

  std::string due() { return send(core::event::Due{}); }
  std::string started(std::int32_t pid = kPid) { return send(core::event::Started{pid}); }
  std::string exited(const core::Outcome& outcome) { return send(core::event::Exited{outcome}); }
  std::string exited(int code) { return exited(core::Outcome::code(code)); }
  std::string hook_ended() { return send(core::event::HookEnded{}); }
  std::string tree_ended() { return send(core::event::TreeEnded{}); }
  std::string main_changed(std::int32_t pid) { return send(core::event::MainChanged{pid}); }
  // The answer to `check heartbeat`: the last beat was that long ago; nothing: there was none.
  std::string heartbeat_checked(std::optional<core::Nanos> age = {}) {
    return send(core::event::HeartbeatChecked{age ? std::optional(now_.mono - *age) : std::nullopt});
  }
  std::string ready() { return send(core::event::Ready{}); }
  std::string notified(std::string_view message) { return send(core::event::Notified{core::parse_notification(message)}); }
  std::string start_failed(int cause = 2) { return send(core::event::StartFailed{{core::Stage::kExec, cause}}); }
  std::string deferred(int cause = 11) { return send(core::event::StartDeferred{{core::Stage::kFork, cause}}); }

  // Up to the start that is due next, which works.
  Driver& start(std::string_view bytes = "") {
    command(bytes);
    const auto wait = until_due();
    if (wait > core::Nanos::zero() && wait != core::Nanos::max()) pass(wait);
    start_asked_ = due() == "start";
    started();
    return *this;
  }
  Driver& run_for(core::Nanos time) {
    pass(time);
    due();
    return *this;
  }
  [[nodiscard]] bool start_asked() const { return start_asked_; }

  // How long it is to the deadline; Nanos::max() if there is none.
  [[nodiscard]] core::Nanos until_due() const {
    return machine_.deadline() == core::kNever ? core::Nanos::max() : machine_.deadline() - now_.mono;
  }
  [[nodiscard]] std::int64_t ms_until_due() const {
    const auto left = until_due();
    return left == core::Nanos::max() ? -1 : std::chrono::duration_cast<std::chrono::milliseconds>(left).count();
  }
  [[nodiscard]] core::State state() const { return machine_.facts().state; }
  [[nodiscard]] std::string state_name() const { return std::string(core::to_text(state())); }
  [[nodiscard]] core::Reason reason() const { return machine_.facts().reason; }
  [[nodiscard]] core::Facts facts() const { return machine_.facts(); }
  [[nodiscard]] core::Now now() const { return now_; }
  void step_wall_clock(core::Nanos by) { now_.wall += by; }
  core::Machine& machine() { return machine_; }

 private:
  core::Now now_{core::Instant(core::seconds(1000)), core::WallTime(core::seconds(1'795'197'787))};
  core::Machine machine_;
  bool start_asked_ = false;
};

}  // namespace unit
