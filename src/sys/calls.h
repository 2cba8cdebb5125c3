// How the calls of the C library become results.
#pragma once

#include <sys/types.h>

#include <cerrno>
#include <cstddef>

#include "sys/result.h"

namespace sys {

// Calls again as long as a signal has interrupted it.
template <typename Call>
auto retried(Call call) {
  decltype(call()) result;
  do result = call();
  while (result < 0 && errno == EINTR);
  return result;
}

inline Status status_of(int result) { return result < 0 ? Status(Errno{errno}) : ok(); }

inline Result<std::size_t> count_of(ssize_t result) {
  if (result < 0) return Errno{errno};
  return static_cast<std::size_t>(result);
}

}  // namespace sys
