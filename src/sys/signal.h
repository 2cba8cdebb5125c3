// Signals to processes that are not our unreaped children: their pids may be those of strangers at any moment.
#pragma once

#include <cerrno>

#include "sys/system.h"

namespace sys {

// To the group that `pid` leads, or to the process alone if it has left its group.
inline Status kill(System& system, std::int32_t pid, int signal, Scope scope) {
  if (scope == Scope::kProcess) return system.kill(pid, signal);
  const auto sent = system.kill(-pid, signal);
  return sent || sent.error().number != ESRCH ? sent : system.kill(pid, signal);
}

// To `pid` through `watch`, which is of the process that is meant; -1: there is none. Where the system refuses that, `is_it` looks
// whether the pid is that process still. ESRCH if it has ended.
template <class IsIt>
Status signal_other(System& system, int watch, std::int32_t pid, int signal, Scope scope, IsIt is_it) {
  if (watch >= 0) {
    auto sent = system.signal(watch, signal, scope);
    if (!sent && sent.error().number == ESRCH && scope == Scope::kGroup) sent = system.signal(watch, signal, Scope::kProcess);
    if (sent || sent.error().number == ESRCH) return sent;
  }
  return is_it() ? kill(system, pid, signal, scope) : Status(Errno{ESRCH});
}

}  // namespace sys
