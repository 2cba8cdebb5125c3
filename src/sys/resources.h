// The resource limits of a service's settings as the system knows them, and what supervise itself needs.
#pragma once

#include <vector>

#include "core/settings.h"
#include "sys/system.h"

namespace sys {

[[nodiscard]] std::vector<ResourceLimit> resource_limits(const core::Settings& settings);

// How many open files a supervise needs that has a status directory, with all that it may have to look at; and a wrapper.
inline constexpr unsigned kDescriptors = 48, kWrapperDescriptors = 12;

// Lets this process have `n` open files: raises its soft limit where that is lower. False where the hard limit forbids it.
[[nodiscard]] bool raise_descriptor_limit(unsigned n);
// Puts back the soft limit that the caller had set, for a program that is about to be executed. Safe after vfork.
void restore_descriptor_limit();

}  // namespace sys
