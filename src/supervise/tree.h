// The processes below supervise that are neither the service itself nor helpers: what a service leaves behind, and what of it
// goes on as the service when the command puts itself into the background. As a child subreaper (prctl(2), Linux) supervise
// is the parent of all that lose theirs, so that each can be seen, is signalled while its pid is its own, and is reaped.
#pragma once

#include <optional>

#include "core/fixed_vector.h"
#include "core/state.h"
#include "supervise/helpers.h"

namespace supervise {

struct Process {
  std::int32_t pid = 0;
  sys::ProcessInfo info;
};
using Orphans = core::FixedVector<Process, 64>;

// The end of a tree, under way.
struct TreeEnding {
  core::Instant kill_due = core::kNever;
  core::Instant next_look = core::kNever;
  core::Nanos interval{0};
  core::FixedVector<std::int32_t, 64> told;    // whom TERM was sent to
};

class Tree {
 public:
  Tree(sys::System& system, const Helpers& helpers) : system_(system), helpers_(helpers) {}

  // Our children but for helpers and `service` that were started then or later (clock ticks since boot). With one that is dead
  // among them there may be others, its children, that have come to us since. ENOSYS where the system does not tell.
  [[nodiscard]] sys::Result<Orphans> orphans(std::int32_t service, std::uint64_t started_since = 0);

  // Whether `pid`, which may be dead, is the service, or descends from it, or from us and not from a helper.
  [[nodiscard]] bool contains(std::int32_t pid, std::int32_t service);

  // Begins to end all orphans and what descends from them: TERM, and after `grace` KILL.
  void end_all(core::Nanos grace, core::Now now);
  // Goes on with that. True once, when nothing is left but what we may not kill.
  [[nodiscard]] bool advance(core::Now now);
  // One that we may not kill, each once; 0: no more.
  [[nodiscard]] std::int32_t take_spared();
  [[nodiscard]] bool is_ending() const { return ending_.has_value(); }
  [[nodiscard]] core::Instant deadline() const { return ending_ ? ending_->next_look : core::kNever; }

 private:
  void tell(std::int32_t pid);
  void kill(const Process& orphan);
  [[nodiscard]] bool is_spared(const Process& orphan) const;

  static constexpr std::size_t kMaxSpared = 32;
  sys::System& system_;
  const Helpers& helpers_;
  std::optional<TreeEnding> ending_;
  core::FixedVector<core::ProcessId, kMaxSpared> spared_;    // those that we may not kill, and wait for no longer
  std::size_t spared_told_ = 0;
};

}  // namespace supervise
