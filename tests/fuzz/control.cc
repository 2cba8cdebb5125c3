// Control bytes, exits and time against the state machine, with the settings that a service has by default, and against a
// reference that is written from the contract (supervise(8)) alone: both must do the same at every moment.
#include <algorithm>
#include <array>
#include <csignal>
#include <utility>
#include <vector>

#include "core/machine.h"
#include "fuzz/fuzz.h"

namespace {

using core::Action;
using core::Instant;
using core::Want;
using Kind = Action::Kind;
using Done = std::vector<std::pair<Kind, int>>;

constexpr core::Nanos kSecond = core::seconds(1), kGrace = core::seconds(10), kDeferral = std::chrono::milliseconds(500);

struct Reference {
  Want want = Want::kDown;
  bool runs = false, told = false, paused = false, alarms = true, exiting = false;
  Instant start = core::kNever, kill = core::kNever, earliest{};
  Done done;

  void signal(int number) {
    if (runs) done.emplace_back(Kind::kSignal, number);
  }
  void schedule(Instant now) { start = std::max(now, earliest); }

  void letter(char c, Instant now) {
    switch (c) {
      case 'd':
        want = Want::kDown;
        start = core::kNever;
        if (!runs || std::exchange(told, true)) return;
        signal(SIGTERM);
        signal(SIGCONT);
        kill = now + kGrace;
        paused = false;
        return;
      case 'u':
      case 'o':
        want = c == 'u' ? Want::kUp : Want::kOnce;
        if (!runs && !exiting) schedule(now);
        return;
      case 'x':
        exiting = true;
        if (runs) return;
        start = core::kNever;
        return void(done.emplace_back(Kind::kExit, 0));
      case 's':
      case 'n': alarms = c == 'n'; return;
      case 'p': paused = runs; return signal(SIGSTOP);
      case 'c': paused = false; return signal(SIGCONT);
      case 'r': return void(done.emplace_back(Kind::kReload, 0));
      case 'l': return void(done.emplace_back(Kind::kRotate, 0));
      case 'E': return void(done.emplace_back(Kind::kUpgrade, 0));
      default: break;
    }
    constexpr std::string_view kLetters = "tkhiaq12w";
    constexpr std::array kSignals = {SIGTERM, SIGKILL, SIGHUP, SIGINT, SIGALRM, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH};
    if (const auto at = kLetters.find(c); at != std::string_view::npos) signal(kSignals[at]);
  }
  void due(Instant now) {
    if (kill <= now) {
      kill = core::kNever;
      signal(SIGKILL);
    }
    if (start <= now) done.emplace_back(Kind::kStart, 0);
  }
  void started(Instant now) {
    runs = true;
    told = false;
    start = core::kNever;
    earliest = now + kSecond;
  }
  void ended(Instant now) {
    runs = paused = false;
    kill = core::kNever;
    const bool again = std::exchange(told, false) || want == Want::kUp;
    if (exiting) return void(done.emplace_back(Kind::kExit, 0));
    start = core::kNever;
    if (want != Want::kDown && again) schedule(now);
  }
  void start_failed(Instant now) {
    earliest = now + kSecond;
    ended(now);
  }
};

class Run {
 public:
  // Of a byte the upper half of its values is what happens, the lower a letter.
  void live(fuzz::Bytes bytes) {
    while (!bytes.empty()) {
      const auto byte = bytes.byte();
      if (byte < 0x80) letter(static_cast<char>(byte));
      else if (byte < 0xc0) advance((byte - 0x80) * std::chrono::milliseconds(50));
      else if (byte < 0xe0) advance((byte - 0xc0) * kSecond);
      else if (byte < 0xf0) end(byte % 2 == 0 ? core::Outcome::code(byte / 2 % 2) : core::Outcome::signal(SIGSEGV, false));
      else next_start_ = byte % 3;
      if (exited_) return;
    }
  }

 private:
  void letter(char c) {
    const auto* command = core::find_command(c);
    fuzz::require(command || std::string_view("duoxtkhiaq12wpcsnrlE").find(c) == std::string_view::npos, "a letter that is not known");
    if (!command) return;
    reference_.letter(c, now_.mono);
    step(core::event::Commanded{command->verb, command->signal});
  }

  void end(core::Outcome outcome) {
    if (!reference_.runs) return;
    reference_.ended(now_.mono);
    step(core::event::Exited{outcome});
  }

  void advance(core::Nanos time) {
    const auto until = now_.mono + time;
    for (int i = 0; !exited_; ++i) {
      const auto next = std::min(machine_.deadline(), std::min(reference_.start, reference_.kill));
      if (next > until) break;
      fuzz::require(i < 200, "a storm");
      if (next > now_.mono) now_.mono = next;
      reference_.due(now_.mono);
      step(core::event::Due{});
    }
    now_.mono = std::max(now_.mono, until);
  }

  void step(const core::Event& event) {
    Done done;
    for (const auto& action : machine_.step(event, now_)) done.emplace_back(action.kind, action.value);
    fuzz::require(done == reference_.done, "not the actions that were to be expected");
    reference_.done.clear();
    compare();
    for (const auto& [kind, value] : done) {
      if (kind == Kind::kStart) start();
      if (kind == Kind::kExit) exited_ = true;
    }
  }

  void start() {
    switch (next_start_) {
      case 0:
        reference_.started(now_.mono);
        return step(core::event::Started{++pid_});
      case 1:
        reference_.start_failed(now_.mono);
        return step(core::event::StartFailed{{core::Stage::kExec, 2}});
      default:
        reference_.start = reference_.earliest = now_.mono + kDeferral;
        return step(core::event::StartDeferred{{core::Stage::kFork, 11}});
    }
  }

  void compare() const {
    const auto facts = machine_.facts();
    fuzz::require(facts.want == reference_.want, "another wish");
    fuzz::require((facts.pid != 0) == reference_.runs && (facts.pid == 0 || facts.pid == pid_), "another process");
    fuzz::require(facts.paused == reference_.paused, "paused or not");
    fuzz::require(facts.alarms_on == reference_.alarms, "alarms or not");
    fuzz::require(machine_.exiting() == reference_.exiting, "exiting or not");
    fuzz::require(facts.next_start.value_or(core::kNever) == reference_.start, "another next start");
    fuzz::require((facts.state == core::State::kStopping) == reference_.told, "stopping or not");
  }

  core::Now now_{Instant(core::seconds(1000)), core::WallTime(core::seconds(1'795'197'787))};
  core::Machine machine_{core::Policy(), now_, 1};
  Reference reference_;
  int pid_ = 100, next_start_ = 0;
  bool exited_ = false;
};

}  // namespace

FUZZ(control) { Run().live(fuzz::Bytes(input)); }
