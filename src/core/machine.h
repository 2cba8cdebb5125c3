// The life of one service as a pure state machine: `step(event, now)` returns what is to be done. It reads no clock, opens
// nothing and knows no errno. The table of states and events stands in src/README.md.
//
// Invariants: a start is asked for only while there is no process; two starts are at least kStartPacing apart; every state
// that waits for a time has a deadline() that is not kNever.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>

#include "core/command.h"
#include "core/fixed_vector.h"
#include "core/liveness.h"
#include "core/notification.h"
#include "core/outcome.h"
#include "core/policy.h"
#include "core/status.h"
#include "core/time.h"

namespace core {

// supervisord's process states (http://supervisord.org/subprocess.html#process-states).
enum class State : std::uint8_t { kStopped, kStarting, kRunning, kBackoff, kStopping, kExited, kFatal };

[[nodiscard]] std::string_view to_text(State state);

// The step between fork and exec that failed.
enum class Stage : std::uint8_t {
  kFork, kProcessGroup, kDirectory, kDescriptor, kUmask, kLimit, kPriority, kGroups, kGroup, kUser, kSignals, kExec
};

// `cause` is the shell's error number; the core passes it on unread.
struct StartFailure {
  Stage stage = Stage::kExec;
  int cause = 0;
  friend bool operator==(const StartFailure&, const StartFailure&) = default;
};

enum class Reason : std::uint8_t {
  kNone,
  kStartFailed,          // facts().failure says how
  kStartDeferred,        // a fault of ours; facts().failure says which
  kExitedTooQuickly,
  kExpectedExit,
  kNoRestart,            // autorestart: false
  kOnce,                 // the run that `o` asked for has ended
  kPacing,               // waits for kStartPacing
  kHook,                 // waits for the restart script
  kTree,                 // waits for the end of what the service left behind
  kNoHeartbeat,          // this and the next two: supervise stops it, because it hangs
  kNoWatchdog,
  kNotReady,
  kStopsItself,          // STOPPING=1
  kTooManyExits,
  kTooManyCoreDumps,
  kTooManyRestarts,
};

// For people: `exited too quickly`. Empty for kNone; the failure's own words say more for the two of a failed start.
[[nodiscard]] std::string_view to_text(Reason reason);
// The inverse; kNone for other words.
[[nodiscard]] Reason parse_reason(std::string_view text);

namespace event {
struct Commanded { Verb verb; int signal = 0; };
struct Started { std::int32_t pid; };
struct StartFailed { StartFailure failure; };      // after Started or instead of it: the service could not be executed
struct StartDeferred { StartFailure failure; };    // no process could be made; counts nothing
struct Exited { Outcome outcome; };                // the process of the last Started is gone
struct HookEnded {};
struct TreeEnded {};                               // nothing is left of what kEndTree was about
struct Resumed {};                                 // supervise itself was stopped, and perhaps the service with it
struct MainChanged { std::int32_t pid; };          // another process is the service from now on
struct HeartbeatChecked { std::optional<Instant> last; };    // nothing: no beat since the last check
struct Ready {};
struct Notified { Notification message; };         // its readiness too
struct Due {};                                     // deadline() may have been reached
struct Reconfigured { Policy policy; bool hook = false; Nanos hook_reset{0}; };
}  // namespace event

using Event = std::variant<event::Commanded, event::Started, event::StartFailed, event::StartDeferred, event::Exited,
                           event::HookEnded, event::TreeEnded, event::Resumed, event::MainChanged, event::HeartbeatChecked, event::Ready,
                           event::Notified, event::Due, event::Reconfigured>;

struct Action {
  enum class Kind : std::uint8_t {
    kStart,          // answer with Started, StartFailed or StartDeferred
    kSignal,         // value: signal, to the process
    kSignalGroup,    // value: signal, to its process group
    kHook,           // value: N; answer with HookEnded
    kEndTree,        // end what the service left behind, and then answer with TreeEnded
    kCheckHeartbeat, // answer with HeartbeatChecked, at once
    kAlarm,          // the first exit of a window; whether alarms are on is in facts()
    kGiveUp,         // a limit was reached: facts().reason says which; kAlarm is not sent as well
    kUpgrade,        // replace supervise
    kRotate,         // the logs
    kReload,         // answer with Reconfigured, or with nothing
    kExit,           // the service is down, supervise is to end
  };
  Kind kind;
  int value = 0;
  friend bool operator==(const Action&, const Action&) = default;
};

using Actions = FixedVector<Action, 8>;

// What is published about a service.
struct Facts {
  State state = State::kStopped;
  Want want = Want::kDown;
  std::int32_t pid = 0;
  bool paused = false;
  bool alarms_on = true;
  WallTime stamp{};                        // the last start or exit
  WallTime since{};                        // when this state began
  WallTime started{};                      // the last start; the epoch if there was none
  WallTime ready{};                        // when it became ready; the epoch if it is not
  std::optional<Outcome> exit;             // the last one
  std::uint64_t starts = 0;                // attempts
  std::uint64_t exits = 0;
  std::uint64_t exits_nonzero = 0;         // of these: with a code other than 0,
  std::uint64_t exits_signal = 0;          // by a signal,
  std::uint64_t exits_core = 0;            // by a signal and with a core dump
  unsigned tries = 0;                      // in the present window
  unsigned coredumps = 0;
  std::optional<Instant> next_start;       // in BACKOFF, and in FATAL with fatal_retry
  Reason reason = Reason::kNone;
  StartFailure failure;
  friend bool operator==(const Facts&, const Facts&) = default;
};

// What of a machine outlives its supervise, so that the next one on the same directory goes on where it ended. The monotonic
// clock is the same for all processes from one boot to the next.
struct Snapshot {
  Facts facts;                             // but for the failure
  unsigned failures = 0;
  int restarts = 0;
  Instant window_opened = kNever;
  Instant started{};
  Instant kill_due = kNever;
  Instant next_start = kNever;
  int hook_runs = 0;
  Instant last_exit = kNever;
};

class Machine {
 public:
  // A stopped service, wanted down. `seed` feeds the jitter.
  Machine(const Policy& policy, Now now, std::uint32_t seed);

  [[nodiscard]] Snapshot snapshot() const;
  // Goes on from a snapshot, as the machine's first event. A service that it names is there, or its end will be told.
  void restore(const Snapshot& snapshot, Now now);

  [[nodiscard]] Actions step(const Event& event, Now now);

  // When Due has something to do next; kNever if nothing is waited for.
  [[nodiscard]] Instant deadline() const;

  // When facts().tries changes by itself, with the next Due; kNever if it does not.
  [[nodiscard]] Instant window_end() const { return window_.end(policy_); }

  [[nodiscard]] Facts facts() const;
  [[nodiscard]] std::int32_t pid() const { return pid_; }
  [[nodiscard]] bool exiting() const { return exiting_; }
  [[nodiscard]] int restarts() const { return restarts_; }    // consecutive ones
  [[nodiscard]] Nanos uptime(Now now) const { return now.mono - started_; }

 private:
  void on(const event::Commanded& event);
  void on(const event::Started& event);
  void on(const event::StartFailed& event);
  void on(const event::StartDeferred& event);
  void on(const event::Exited& event);
  void on(const event::HookEnded& event);
  void on(const event::TreeEnded& event);
  void on(const event::Resumed& event);
  void on(const event::MainChanged& event);
  void on(const event::HeartbeatChecked& event);
  void on(const event::Ready& event);
  void on(const event::Notified& event);
  void on(const event::Due& event);
  void on(const event::Reconfigured& event);

  void want_up(Want want);
  void stop();
  void hang(Reason reason);
  void begin_stop(Reason reason);
  void send_stop();
  void check_liveness();
  void take_signs(const Notification& message);
  void clear_up();
  void ended(const Outcome& outcome, Reason young_reason);
  void restart(const Outcome& outcome, Reason young_reason);
  void fail(Reason reason);
  void schedule(Nanos delay, Reason reason);
  void run_hook();
  void promote();
  void prove();
  void enter(State state, Reason reason = Reason::kNone);
  void act(Action::Kind kind, int value = 0) { (void)actions_.push_back({kind, value}); }
  void send(int signal, bool to_group);
  void forget_failures();
  [[nodiscard]] double draw();
  [[nodiscard]] Instant running_due() const { return after(started_, policy_.startsecs); }
  [[nodiscard]] Instant liveness_due() const { return paused_ ? kNever : liveness_.deadline(); }
  [[nodiscard]] bool start_is_held() const { return hook_running_ || tree_running_; }
  [[nodiscard]] bool is_hanging() const { return reason_ == Reason::kNoHeartbeat || reason_ == Reason::kNoWatchdog || reason_ == Reason::kNotReady; }

  Policy policy_;
  State state_ = State::kStopped;
  Want want_ = Want::kDown;
  Reason reason_ = Reason::kNone;
  StartFailure failure_;
  std::int32_t pid_ = 0;
  bool paused_ = false;
  bool alarms_on_ = true;
  bool exiting_ = false;
  bool hook_wanted_ = false;
  bool hook_running_ = false;
  bool tree_running_ = false;
  bool good_run_ = false;    // the present run has lasted startsecs, and become ready in its time
  bool ever_started_ = false;
  Nanos hook_reset_{0};
  int hook_runs_ = 0;
  std::optional<Instant> last_exit_;
  Instant started_{};
  Instant next_start_ = kNever;
  Instant deferred_until_{};    // a start that failed through a fault of ours is not tried again before
  Instant kill_due_ = kNever;
  WallTime stamp_{}, since_{}, started_wall_{};
  std::optional<Outcome> exit_;
  std::uint64_t starts_ = 0, exits_ = 0, exits_nonzero_ = 0, exits_signal_ = 0, exits_core_ = 0;
  unsigned failures_ = 0;    // consecutive failed starts
  int restarts_ = 0;         // consecutive restarts
  Window window_;
  Liveness liveness_;
  std::uint32_t random_;

  Now now_{};                // of the step under way
  Actions actions_;          // of the step under way
};

}  // namespace core
