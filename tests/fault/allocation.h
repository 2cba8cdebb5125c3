// Allocations that fail. Only those of the code under test count: the simulation and the tests are exempt.
#pragma once

#include <cstddef>

namespace sim {

// Lets the allocation with this number (0, 1, ...) from now on fail; SIZE_MAX: none. Counting starts anew.
void fail_allocation(std::size_t number);

// How many there were since.
[[nodiscard]] std::size_t allocations();

}  // namespace sim
