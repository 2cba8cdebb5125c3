// A whole supervise in the simulated world: letters, deaths, notifications, new configurations, files
// that vanish, calls that fail, KILLs and a wall clock that jumps, as the input has them. The faults end, and then all is right.
#include "fault/bench.h"
#include "fuzz/fuzz.h"

namespace {

using sim::kMilli;

constexpr std::size_t kMaxEvents = 40;
constexpr const char* kWorker = "worker";

constexpr const char* kConfs[] = {
    "",
    "stopwaitsecs : 2\nkill_tree : true\n",
    "backoff : exponential\nbackoff_max : 3\nstartretries : 3\nfatal_retry : 4\n",
    "notify : true\nwatchdog : 5\nready_timeout : 4\n",
    "heartbeat_file : /run/beat\nheartbeat_timeout : 3\n",
    "alarm_interval : 60\nalarm_mail : ops@example.org\nalarm_gsm : 123\nmax_tries : 9\n",
    "forking : true\npidfile : /run/redis.pid\n",
    "this is no configuration\n",
};
constexpr const char* kEntries[] = {"control", "ok", "lock", "status", "state", "supervise.log", "svcontrol", "supervise/logger", "supervise"};

// Of the calls by which a record is published.
bool writes(sim::Op op) {
  using sim::Op;
  return op == Op::kOpen || op == Op::kCreate || op == Op::kWriteAt || op == Op::kTruncate || op == Op::kStat || op == Op::kStatAt || op == Op::kRemove || op == Op::kRename || op == Op::kExchange;
}

class Run {
 public:
  explicit Run(std::string_view input)
      : bytes_(input),
        files_(bytes_.flag() ? "stdout_logfile_maxbytes : 0\nstderr_logfile_maxbytes : 0\n" : ""),
        conf_(kConfs[bytes_.below(7)] + files_),
        bench_(conf_, bytes_.flag() ? "/bin/hook" : "") {
    bench_.system.fault = [this](sim::Op op, std::size_t) -> const sim::Error* {
      const auto& errors = sim::errors_of(op);
      return op == faulty_ && !errors.empty() ? &errors[which_ % errors.size()] : nullptr;
    };
  }

  void live() {
    fuzz::require(bench_.start(), "it does not start: " + bench_.error());
    for (std::size_t i = 0; i < kMaxEvents && !bytes_.empty() && !bench_.ended(); ++i) {
      now_ += (1 + bytes_.below(60)) * 50 * kMilli;
      bench_.run_until(now_);
      event();
    }
    // Everything is in order again, and there is time.
    faulty_.reset();
    bench_.write_conf("stopwaitsecs : 2\n" + files_);
    if (!bench_.ended()) bench_.run_until(now_ += core::seconds(20));
    // What the service left behind would be taken for it.
    for (auto& [pid, child] : bench_.system.children())
      if (child.alive && child.program == kWorker && bench_.state("pid") != std::to_string(pid)) {
        bench_.system.die(child, core::Outcome::code(0));
        child.reaped = child.parent != bench_.system.pid;
      }
    if (!bench_.ended()) bench_.run_until(now_ += core::seconds(5));
    const auto violations = bench_.violations();
    fuzz::require(violations.empty(), violations);
    if (bench_.ended()) return;
    const auto unsettled = bench_.unsettled();
    fuzz::require(unsettled.empty(), unsettled);
    fuzz::require(bench_.state("want") != "up" || bench_.state("state") != "STOPPED", "wanted up and forgotten");
  }

 private:
  void event() {
    switch (bytes_.below(12)) {
      case 0:
      case 1: return bench_.control(bytes_.text(1 + bytes_.below(4)));
      case 2:
        if (auto* child = bench_.service()) bench_.system.die(*child, bytes_.flag() ? core::Outcome::code(static_cast<int>(bytes_.below(3))) : core::Outcome::signal(11, bytes_.flag()));
        return;
      case 3: return notify();
      case 4: return bench_.write_conf(kConfs[bytes_.below(8)] + files_);
      case 5:
        faulty_ = static_cast<sim::Op>(bytes_.below(sim::kOps));
        which_ = bytes_.byte();
        return;
      case 6: return faulty_.reset();
      case 7: return bench_.system.step_wall_clock(core::seconds(bytes_.number<std::int32_t>() / 32));
      case 8: return remove();
      case 9: return start_again();
      case 10: return bench_.system.touch("/run/beat");
      default:
        if (auto* child = bench_.service()) (void)bench_.system.fork_from(child->pid, kWorker);
    }
  }

  void notify() {
    const auto* child = bench_.service();
    const auto sender = child && bytes_.below(4) != 0 ? child->pid : 4711;
    (void)bench_.system.notify(sender, std::string(bytes_.text(bytes_.byte())));
  }

  void remove() {
    const auto path = sim::Bench::path(kEntries[bytes_.below(std::size(kEntries))]);
    bench_.system.remove_tree(path);
  }

  // Killed, and the next one finds what it left.
  void start_again() {
    bench_.kill_supervise();
    // Where nothing could be written nothing tells of it, and where it could not be looked at it is waited for.
    sim::Child* child = nullptr;
    for (auto* one : bench_.services())
      if (one->alive && one->program != kWorker) child = one;
    const bool is_untold = faulty_ && writes(*faulty_) && child && bench_.state("pid") != std::to_string(child->pid);
    const bool is_unknown = faulty_ == sim::Op::kProcess && child && bench_.state("pid_start") == "0";
    if (is_untold || is_unknown) bench_.system.die(*child, core::Outcome::code(0));
    faulty_.reset();
    bench_.write_conf("stopwaitsecs : 2\n" + files_);
    bench_.pass(100 * kMilli);
    fuzz::require(bench_.start(), "it does not start again: " + bench_.error());
  }

  fuzz::Bytes bytes_;
  // The input is read in this order, whatever the compiler.
  std::string files_;    // the service writes its output itself, in all configurations
  std::string conf_;
  sim::Bench bench_;
  core::Nanos now_{0};
  std::optional<sim::Op> faulty_;
  std::size_t which_ = 0;
};

}  // namespace

FUZZ(daemon) { Run(input).live(); }
