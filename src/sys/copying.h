// What waits in a FIFO moved through our memory, where the system has no splice(2) and tee(2) or refuses them. What was taken and
// is not written yet is lost if we are killed: at most 16 KiB of each FIFO, of which there are two.
#pragma once

#include <cstdint>
#include <span>

#include "sys/result.h"

namespace sys::copying {

// As System::move, peek and holds. What peek() has read stays in memory for the next move().
[[nodiscard]] Result<std::size_t> move(int from, int to, std::int64_t offset, std::size_t n);
[[nodiscard]] Result<std::size_t> peek(int from, std::span<char> into);
[[nodiscard]] bool holds(int from);

}  // namespace sys::copying
