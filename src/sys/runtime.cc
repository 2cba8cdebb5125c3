// What replaces parts of libstdc++ that would cost an idle supervise memory which it never needs.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <exception>

namespace __gnu_cxx {

// The original names the exception through a demangler and stdio that nothing else here needs: a third of the memory and
// 100 KB of the program.
void __verbose_terminate_handler() { std::abort(); }

}  // namespace __gnu_cxx

// The original sets 72 KB of the heap aside for exceptions when there is no memory. Here one has a place, which is as many as
// ever are in flight: std::bad_alloc, caught in the loop. The two functions are those of the Itanium C++ ABI, 2.4.2.
namespace {

// Of the exception's header, which lies below the object: more than any platform's.
constexpr std::size_t kHeader = 256;
alignas(std::max_align_t) constinit std::array<char, kHeader + 256> g_reserve{};
constinit bool g_reserve_taken = false;

char* take_reserve(std::size_t size) {
  if (g_reserve_taken || size > g_reserve.size()) std::terminate();
  g_reserve_taken = true;
  return g_reserve.data();
}

}  // namespace

extern "C" void* __cxa_allocate_exception(std::size_t thrown_size) noexcept {
  auto* block = static_cast<char*>(std::malloc(kHeader + thrown_size));
  if (!block) block = take_reserve(kHeader + thrown_size);
  std::fill_n(block, kHeader, '\0');
  return block + kHeader;
}

extern "C" void __cxa_free_exception(void* thrown) noexcept {
  auto* block = static_cast<char*>(thrown) - kHeader;
  if (block == g_reserve.data())
    g_reserve_taken = false;
  else
    std::free(block);
}
