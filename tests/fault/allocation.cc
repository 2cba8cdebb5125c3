#include "fault/allocation.h"

#include <cstdint>
#include <cstdlib>
#include <new>

#include "fault/sim_system.h"

namespace sim {
namespace {

std::size_t g_failing = SIZE_MAX;
std::size_t g_count = 0;

}  // namespace

void fail_allocation(std::size_t number) {
  g_failing = number;
  g_count = 0;
}

std::size_t allocations() { return g_count; }

static void* try_to_allocate(std::size_t size) {
  if (Exempt::depth == 0 && g_count++ == g_failing) return nullptr;
  return std::malloc(size == 0 ? 1 : size);
}

static void* allocate(std::size_t size) {
  if (void* memory = try_to_allocate(size)) return memory;
  throw std::bad_alloc();
}

}  // namespace sim

void* operator new(std::size_t size) { return sim::allocate(size); }
void* operator new[](std::size_t size) { return sim::allocate(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return sim::try_to_allocate(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return sim::try_to_allocate(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
