#include "supervise/helpers.h"

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "sys/faults.h"
#include "sys/trusted.h"

namespace supervise {

namespace {

constexpr std::int64_t kMaxLimit = 1'000'000'000;

}  // namespace

std::optional<core::StartFailure> Helpers::start(HelperKind kind, sys::Spawn spawn, core::Nanos limit, core::Now now) {
  const auto free = std::find_if(helpers_.begin(), helpers_.end(), [](const Helper& h) { return h.pid == 0; });
  if (free == helpers_.end()) return core::StartFailure{core::Stage::kFork, EAGAIN};
  spawn.leads = sys::Leads::kSession;
  spawn.umask = umask_;
  auto program = sys::find_program(system_, spawn.arguments[0], spawn.environment);
  // What may be there is tried again.
  if (!program) return core::StartFailure{sys::may_pass(program.error()) ? core::Stage::kFork : core::Stage::kExec, program.error().number};
  if (!program->view().empty()) spawn.program = program->c_str();
  const bool limited = limit != core::Nanos::zero();
  // For those that outlive us, and a little later.
  if (limited) spawn.time_limit = static_cast<unsigned>(std::min<std::int64_t>(limit / core::seconds(1), kMaxLimit)) + 2;
  const auto spawned = system_.spawn(spawn);
  if (spawned.failure) return spawned.failure;
  *free = Helper{spawned.pid, spawned.pid, kind, false, limited ? core::after(now.mono, limit) : core::kNever};
  return std::nullopt;
}

std::optional<HelperEnd> Helpers::ended(std::int32_t pid, const core::Outcome& outcome) {
  const auto dead = std::find_if(helpers_.begin(), helpers_.end(), [pid](const Helper& h) { return h.pid == pid; });
  if (dead == helpers_.end()) return std::nullopt;
  const HelperEnd end{dead->kind, outcome, dead->timed_out};
  dead->pid = 0;
  return end;
}

void Helpers::forget_sessions() {
  for (auto& helper : helpers_) {
    if (helper.pid != 0 || helper.session == 0) continue;
    // Its number is not given to another process as long as its group has members.
    const auto left = system_.kill(-helper.session, 0);
    if (!left && left.error().number == ESRCH) helper.session = 0;
  }
}

bool Helpers::are(std::int32_t pid, std::int32_t session) const {
  if (session == 0) return pid == companion_;
  if (pid == companion_ || session == companion_) return true;
  return std::any_of(helpers_.begin(), helpers_.end(), [session](const Helper& h) { return h.session == session; });
}

bool Helpers::none_run() const {
  return std::none_of(helpers_.begin(), helpers_.end(), [](const Helper& h) { return h.pid != 0; });
}

void Helpers::expire(core::Now now) {
  for (auto& helper : helpers_) {
    if (helper.pid == 0 || now.mono < helper.limit) continue;
    helper.timed_out = true;
    helper.limit = core::kNever;
    (void)system_.kill(-helper.pid, SIGKILL);
  }
}

core::Instant Helpers::deadline() const {
  auto earliest = core::kNever;
  for (const auto& helper : helpers_)
    if (helper.pid != 0) earliest = std::min(earliest, helper.limit);
  return earliest;
}

}  // namespace supervise
