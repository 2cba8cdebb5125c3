// The binary status records. Ours is the predecessor's layout; the second is runit's, whose first 18 bytes are
// daemontools' (https://cr.yp.to/daemontools/supervise.html, runit's runsv(8) and sv(8)). Stamps are TAI64N labels
// (https://cr.yp.to/libtai/tai64.html).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "core/time.h"

namespace core {

enum class Want : std::uint8_t { kOnce, kUp, kDown };

struct Status {
  WallTime stamp;             // the last start or exit
  std::int32_t pid = 0;       // of the service; 0 while it is down
  bool paused = false;
  Want want = Want::kDown;
  bool alarms_on = true;
  bool term_sent = false;     // runit's record only: told to stop, not yet gone
  friend bool operator==(const Status&, const Status&) = default;
};

inline constexpr std::size_t kStatusSize = 20;
using StatusRecord = std::array<unsigned char, kStatusSize>;

// DIR/status.
[[nodiscard]] StatusRecord encode_status(const Status& status);

// Nothing where `record` is not exactly a record of encode_status.
[[nodiscard]] std::optional<Status> decode_status(std::span<const unsigned char> record);

// DIR/supervise/status, for daemontools' and runit's tools.
[[nodiscard]] StatusRecord encode_runit_status(const Status& status);

}  // namespace core
