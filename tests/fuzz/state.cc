// The state file as the next supervise reads it: whatever it says, no pid of it can mean a stranger's group or everybody, what
// is understood is written again with the same meaning, and a machine that goes on from it keeps to its rules.
#include "core/state.h"

#include <algorithm>

#include "core/strings.h"
#include "fuzz/fuzz.h"

namespace {

using core::Action;
using core::Instant;

constexpr core::Now kNow{Instant(core::seconds(5000)), core::WallTime(core::seconds(1'795'197'787))};

core::Policy policy_of(fuzz::Bytes& bytes) {
  core::Policy policy;
  policy.autorestart = static_cast<core::Autorestart>(bytes.below(3));
  policy.backoff = static_cast<core::Backoff>(bytes.below(3));
  policy.startretries = static_cast<int>(bytes.below(4)) - 1;
  policy.max_restarts = static_cast<int>(bytes.below(4)) - 1;
  policy.alarm_interval = core::seconds(bytes.below(2) * 60);
  policy.max_tries = bytes.below(3);
  policy.kill_tree = bytes.flag();
  policy.tells_ready = bytes.flag();
  policy.ready_timeout = core::seconds(bytes.below(2) * 30);
  policy.watchdog = core::seconds(bytes.below(2) * 30);
  policy.fatal_retry = core::seconds(bytes.below(2) * 20);
  return policy;
}

// What a supervise does with its machine, but for the service, which ends when it is told to, or lives on.
class Going {
 public:
  Going(const core::Snapshot& snapshot, fuzz::Bytes bytes) : bytes_(bytes), machine_(policy_of(bytes_), kNow, 1) {
    machine_.restore(snapshot, now_);
    check();
    (void)machine_.step(core::event::Reconfigured{policy_of(bytes_), bytes_.flag(), core::seconds(60)}, now_);
  }

  void go_on() {
    for (int i = 0; i < 40 && !exited_; ++i) {
      const auto choice = bytes_.below(6);
      if (choice < 2) step(core::event::Commanded{core::commands()[bytes_.below(20)].verb, 15});
      if (choice == 2 && machine_.pid() != 0) step(core::event::Exited{core::Outcome::code(static_cast<int>(bytes_.below(2)))});
      if (choice == 3) now_.mono += bytes_.below(100) * std::chrono::milliseconds(500);
      if (choice > 3 && machine_.deadline() != core::kNever) now_.mono = std::max(now_.mono, machine_.deadline());
      if (now_.mono > Instant(std::chrono::hours(24 * 365 * 150))) return;    // since boot
      if (machine_.deadline() <= now_.mono) step(core::event::Due{});
    }
  }

 private:
  void step(const core::Event& event) {
    if (exited_) return;
    for (const auto& action : machine_.step(event, now_)) {
      const bool signals = action.kind == Action::Kind::kSignal || action.kind == Action::Kind::kSignalGroup;
      fuzz::require(!signals || machine_.pid() > 0, "a signal for nobody, or for everybody");
      if (action.kind == Action::Kind::kStart) {
        fuzz::require(machine_.pid() == 0, "a second copy");
        fuzz::require(last_start_ == core::kNever || now_.mono - last_start_ >= core::kStartPacing, "two starts within a second");
        last_start_ = now_.mono;
        step(core::event::Started{4711});
      }
      if (action.kind == Action::Kind::kHook) step(core::event::HookEnded{});
      if (action.kind == Action::Kind::kEndTree) step(core::event::TreeEnded{});
      if (action.kind == Action::Kind::kExit) exited_ = true;
    }
    check();
  }

  // It can be told again, and is the same then.
  void check() {
    const auto facts = machine_.facts();
    fuzz::require(facts.pid >= 0, "a pid that is none");
    core::StateRecord record;
    record.name = "redis";
    record.facts = facts;
    record.now = now_;
    record.boot_id = "boot";
    record.service = {facts.pid, 7};
    record.snapshot = machine_.snapshot();
    const std::string overlong(300, 'x');
    record.output = {"/srv/status/redis", "__stdout"};
    record.errors = {"/srv/status/redis/", facts.paused ? std::string_view(overlong) : "__stderr"};
    record.output_waits = facts.paused ? std::string_view(overlong) : "stdout waits\n";
    record.conf = {facts.paused ? "/srv/\xff" : "/srv", "supervise.conf"};
    record.conf_time = kNow.wall;
    record.conf_reads = facts.starts;
    record.conf_faulty = facts.paused;
    record.heartbeat = {facts.alarms_on ? std::string_view() : "/run/\n", "beat"};
    const auto text = core::encode_record(record);
    const auto conf = core::recorded_conf(text.view());
    fuzz::require(conf.file == (facts.paused ? "" : "/srv/supervise.conf") && conf.time == kNow.wall && conf.reads == facts.starts && conf.faulty == facts.paused,
                  "a configuration that reads otherwise than it was written");
    fuzz::require(text.state().ends_with("\nboot_id=boot\n") && text.view().ends_with("\nuser=\n"), "a record that is cut");
    const auto again = core::recorded_snapshot(text.view());
    fuzz::require(again.has_value(), "a state that the next supervise does not understand");
    fuzz::require(again->facts.pid == facts.pid && again->facts.state == facts.state && again->facts.want == facts.want && again->facts.starts == facts.starts &&
                      again->facts.exits == facts.exits && again->facts.tries == facts.tries && again->failures == record.snapshot.failures &&
                      again->restarts == record.snapshot.restarts && again->facts.exit == facts.exit,
                  "a state that says something else when it is read");
  }

  fuzz::Bytes bytes_;
  core::Now now_ = kNow;
  core::Machine machine_;
  Instant last_start_ = core::kNever;
  bool exited_ = false;
};

}  // namespace

// The first line, without its end, is what happens then.
FUZZ(state) {
  fuzz::Bytes bytes(input);
  const auto choices = bytes.until('\n');
  const auto text = bytes.rest();
  const auto processes = core::recorded_processes(text);
  const auto facts = core::recorded_facts(text);
  fuzz::require(!facts || facts->pid >= 0, "facts with a pid that is none");
  fuzz::require(!facts || processes.service.pid == facts->pid, "two pids in one state");
  fuzz::require(text.find(processes.boot_id) != std::string_view::npos, "a boot_id from nowhere");
  const auto name = core::recorded_notify_name(text);
  fuzz::require(name.size() <= 64 && !fuzz::has_control(name) && name.find('/') == std::string_view::npos, "a socket that nobody would have named so");
  fuzz::require(core::recorded_next_start(text) >= core::WallTime{}, "a next start before 1970");
  fuzz::require(core::recorded_conf(text).time >= core::WallTime{}, "a configuration from before 1970");
  const auto snapshot = core::recorded_snapshot(text);
  if (!snapshot) return;
  fuzz::require(facts.has_value(), "a snapshot without facts");
  Going(*snapshot, fuzz::Bytes(choices)).go_on();
}
