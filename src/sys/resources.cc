#include "sys/resources.h"

#include <sys/resource.h>

namespace sys {

std::vector<ResourceLimit> resource_limits(const core::Settings& settings) {
  std::vector<ResourceLimit> limits;
  const auto add = [&limits](int resource, const std::optional<core::Limit>& limit) {
    const auto value = [](std::uint64_t n) { return n == core::Limit::kInfinite ? RLIM_INFINITY : static_cast<rlim_t>(n); };
    if (limit) limits.push_back({resource, value(limit->soft), value(limit->hard)});
  };
  add(RLIMIT_NOFILE, settings.rlimit_nofile);
  add(RLIMIT_CORE, settings.rlimit_core);
  add(RLIMIT_AS, settings.rlimit_as);
  return limits;
}

}  // namespace sys
