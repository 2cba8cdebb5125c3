#include "supervise/tree.h"

#include <algorithm>
#include <cerrno>
#include <csignal>

namespace supervise {
namespace {

constexpr core::Nanos kFirstLook = std::chrono::milliseconds(20);
constexpr core::Nanos kSlowestLook = core::seconds(1);
constexpr int kMaxDepth = 64;

}  // namespace

sys::Result<Orphans> Tree::orphans(std::int32_t service, std::uint64_t started_since) {
  std::array<std::int32_t, 256> pids;
  const auto n = system_.children(pids);
  if (!n) return n.error();
  Orphans out;
  for (const auto pid : std::span(pids).first(*n)) {
    if (pid == service) continue;
    const auto info = system_.process(pid);
    if (info.hidden) return sys::Errno{EAGAIN};
    if (info.start >= started_since && !helpers_.are(pid, info.session)) (void)out.push_back({pid, info});
  }
  return out;
}

bool Tree::contains(std::int32_t pid, std::int32_t service) {
  for (int depth = 0; depth < kMaxDepth && pid > 0; ++depth) {
    if (pid == service) return true;
    const auto info = system_.process(pid);
    if (info.start == 0 || helpers_.are(pid, info.session)) return false;
    if (info.parent == system_.own_pid()) return true;
    pid = info.parent;
  }
  return false;
}

void Tree::end_all(core::Nanos grace, core::Now now) {
  ending_.emplace();
  ending_->kill_due = core::after(now.mono, grace);
  ending_->interval = kFirstLook;
  if (spared_.size() < kMaxSpared) return;
  spared_.clear();
  spared_told_ = 0;
}

// The orphans of the present are enough: when one of them dies its children become ours, and their turn comes with the next
// look, which SIGCHLD brings about.
bool Tree::advance(core::Now now) {
  if (!ending_) return false;
  const auto left = orphans(0);
  const bool kill_now = now.mono >= ending_->kill_due;
  bool is_over = left ? true : left.error().number == ENOSYS;
  for (const auto& orphan : *left) {
    if (is_spared(orphan)) continue;
    is_over = false;
    if (orphan.info.dead) continue;
    if (kill_now)
      kill(orphan);
    else
      tell(orphan.pid);
  }
  if (is_over) {
    ending_.reset();
    return true;
  }
  ending_->next_look = kill_now || !left ? core::after(now.mono, ending_->interval) : ending_->kill_due;
  if (kill_now || !left) ending_->interval = std::min(ending_->interval * 2, kSlowestLook);
  return false;
}

// Together with its process group, so that none escapes by forking faster than we look. Only in a session that one of these
// processes has made: nobody else can be in there.
void Tree::kill(const Process& orphan) {
  const auto own = system_.process(system_.own_pid());
  const bool all_ours = own.start != 0 && orphan.info.session != own.session && orphan.info.group > 1;
  if (all_ours) (void)system_.kill(-orphan.info.group, SIGKILL);
  const auto killed = system_.kill(orphan.pid, SIGKILL);
  // It has become another user's, as sudo(8) does.
  if (!killed && killed.error().number == EPERM) (void)spared_.push_back({orphan.pid, orphan.info.start});
}

bool Tree::is_spared(const Process& orphan) const {
  return std::any_of(spared_.begin(), spared_.end(),
                     [&](const core::ProcessId& p) { return p.pid == orphan.pid && p.start == orphan.info.start && !orphan.info.dead; });
}

std::int32_t Tree::take_spared() {
  return spared_told_ == spared_.size() ? 0 : spared_[spared_told_++].pid;
}

void Tree::tell(std::int32_t pid) {
  if (std::find(ending_->told.begin(), ending_->told.end(), pid) != ending_->told.end()) return;
  (void)ending_->told.push_back(pid);
  (void)system_.kill(pid, SIGTERM);
  (void)system_.kill(pid, SIGCONT);
}

}  // namespace supervise
