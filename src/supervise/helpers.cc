#include "supervise/helpers.h"

#include <algorithm>
#include <cerrno>
#include <csignal>

namespace supervise {

std::optional<core::StartFailure> Helpers::start(HelperKind kind, sys::Spawn spawn, core::Nanos limit, core::Now now) {
  const auto free = std::find_if(helpers_.begin(), helpers_.end(), [](const Helper& h) { return h.pid == 0; });
  if (free == helpers_.end()) return core::StartFailure{core::Stage::kFork, EAGAIN};
  spawn.session = true;
  const auto spawned = system_.spawn(spawn);
  if (spawned.failure) return spawned.failure;
  *free = Helper{spawned.pid, kind, false, core::after(now.mono, limit)};
  return std::nullopt;
}

std::optional<HelperEnd> Helpers::ended(std::int32_t pid, const core::Outcome& outcome) {
  const auto dead = std::find_if(helpers_.begin(), helpers_.end(), [pid](const Helper& h) { return h.pid == pid; });
  if (dead == helpers_.end()) return std::nullopt;
  const HelperEnd end{dead->kind, outcome, dead->timed_out};
  dead->pid = 0;
  return end;
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
