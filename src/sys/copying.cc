#include "sys/copying.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <utility>

#include "sys/calls.h"

namespace sys::copying {
namespace {

// What was taken out of a FIFO and is not written yet.
struct Taken {
  int fifo = -1;
  std::size_t begin = 0, end = 0;
  std::array<char, 16384> bytes{};

  [[nodiscard]] std::size_t size() const { return end - begin; }

  // Takes what there is room for. 0: the end; EAGAIN: none waits.
  Result<std::size_t> take() {
    std::memmove(bytes.data(), bytes.data() + begin, size());
    end -= std::exchange(begin, 0);
    const auto n = count_of(retried([&] { return ::read(fifo, bytes.data() + end, bytes.size() - end); }));
    if (n) end += *n;
    return n;
  }
};

// Of the two outputs of a service. Only a logger uses them, and only where it must.
constinit std::array<std::unique_ptr<Taken>, 2> g_taken;

Taken* find_taken(int fifo) {
  const auto found = std::find_if(g_taken.begin(), g_taken.end(), [fifo](const auto& taken) { return taken && taken->fifo == fifo; });
  return found == g_taken.end() ? nullptr : found->get();
}

Taken& taken_of(int fifo) {
  if (auto* const known = find_taken(fifo)) return *known;
  auto& free = *std::find(g_taken.begin(), g_taken.end(), nullptr);
  free = std::make_unique<Taken>();
  free->fifo = fifo;
  return *free;
}

}  // namespace

Result<std::size_t> move(int from, int to, std::int64_t offset, std::size_t n) {
  auto& taken = taken_of(from);
  if (taken.size() == 0)
    if (const auto more = taken.take(); !more || *more == 0) return more;
  const auto written = count_of(retried([&] { return ::pwrite(to, taken.bytes.data() + taken.begin, std::min(n, taken.size()), offset); }));
  if (written) taken.begin += *written;
  return written;
}

Result<std::size_t> peek(int from, std::span<char> into) {
  auto& taken = taken_of(from);
  if (taken.size() < std::min(into.size(), taken.bytes.size()))
    if (const auto more = taken.take(); taken.size() == 0) return more;
  const auto n = std::min(into.size(), taken.size());
  std::memcpy(into.data(), taken.bytes.data() + taken.begin, n);
  return n;
}

bool holds(int from) {
  const auto* taken = find_taken(from);
  return taken && taken->size() != 0;
}

}  // namespace sys::copying
