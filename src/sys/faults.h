// Telling faults of ours from faults of the service.
#pragma once

#include "core/machine.h"
#include "sys/result.h"

namespace sys {

// Whether a start failed for want of a resource, which is no fault of the program that was to be started.
[[nodiscard]] bool is_shortage(const core::StartFailure& failure);

// Whether a look that failed says nothing of what it was to look at, and another look might.
[[nodiscard]] bool may_pass(Errno error);

// Whether the system does not have a call, or a filter in front of it refuses it (seccomp(2), gVisor): another way is to be
// taken.
[[nodiscard]] bool is_refused(Errno error);

}  // namespace sys
