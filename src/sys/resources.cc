#include "sys/resources.h"

#include <sys/resource.h>

namespace sys {
namespace {

// The caller's soft limit, where ours is higher; it is a limit below the one that we need, so never RLIM_INFINITY.
constinit rlim_t g_lower_limit = RLIM_INFINITY;

}  // namespace

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

bool raise_descriptor_limit(unsigned n) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= n) return true;
  const auto before = limit.rlim_cur;
  limit.rlim_cur = n;
  if (limit.rlim_max < n || setrlimit(RLIMIT_NOFILE, &limit) < 0) return false;
  g_lower_limit = before;
  return true;
}

void restore_descriptor_limit() {
  rlimit limit{};
  if (g_lower_limit == RLIM_INFINITY || getrlimit(RLIMIT_NOFILE, &limit) < 0) return;
  limit.rlim_cur = g_lower_limit;
  (void)setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace sys
