#include "core/heartbeat.h"

#include <algorithm>

namespace core {
namespace {

// File systems stamp with the time of the last tick of the kernel's clock.
constexpr Nanos kCoarse = std::chrono::milliseconds(10);

}  // namespace

void Heartbeat::begin(const std::optional<FileStamp>& file, Now now) {
  last_ = file;
  looked_ = now.mono;
}

std::optional<Instant> Heartbeat::look(const std::optional<FileStamp>& file, Now now) {
  const bool beat = file && file != last_;
  const auto since_last_look = now.mono - looked_;
  last_ = file;
  looked_ = now.mono;
  if (!beat) return std::nullopt;
  // In this order, as the stamp may be so far away that the difference is no number.
  if (file->modified > now.wall || file->modified < now.wall - (since_last_look + kCoarse)) return now.mono;
  return std::max(now.mono - (now.wall - file->modified), now.mono - since_last_look);
}

}  // namespace core
