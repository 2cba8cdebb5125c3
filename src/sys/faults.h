// Telling faults of ours from faults of the service.
#pragma once

#include "core/machine.h"

namespace sys {

// Whether a start failed for want of a resource, which is no fault of the program that was to be started.
[[nodiscard]] bool is_shortage(const core::StartFailure& failure);

}  // namespace sys
