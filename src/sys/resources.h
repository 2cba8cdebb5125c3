// The resource limits of a service's settings as the system knows them.
#pragma once

#include <vector>

#include "core/settings.h"
#include "sys/system.h"

namespace sys {

[[nodiscard]] std::vector<ResourceLimit> resource_limits(const core::Settings& settings);

}  // namespace sys
