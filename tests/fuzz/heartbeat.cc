// The heartbeat file: what a look at it says, whatever stamps it has and whatever the wall clock does meanwhile.
#include "core/heartbeat.h"

#include "core/liveness.h"
#include "fuzz/fuzz.h"

namespace {

using core::Instant;
using core::Nanos;
using core::WallTime;

std::optional<core::FileStamp> stamp_of(fuzz::Bytes& bytes, const std::optional<core::FileStamp>& last, core::Now now) {
  switch (bytes.below(6)) {
    case 0: return std::nullopt;
    case 1: return last;
    case 2: return core::FileStamp{now.wall, bytes.byte(), now.wall};
    case 3: return core::FileStamp{now.wall - bytes.byte() * std::chrono::milliseconds(50), 1, now.wall};
    case 4: return core::FileStamp{WallTime(Nanos(bytes.number<std::int64_t>())), 1, WallTime(Nanos(bytes.number<std::int64_t>()))};
    default: return core::FileStamp{last ? last->modified : WallTime{}, bytes.byte(), now.wall};
  }
}

}  // namespace

FUZZ(heartbeat) {
  fuzz::Bytes bytes(input);
  core::Now now{Instant(core::seconds(1000)), WallTime(core::seconds(1'795'197'787))};
  core::Policy policy;
  policy.heartbeat = true;
  policy.heartbeat_timeout = core::seconds(1 + bytes.below(60));
  policy.heartbeat_delay = core::seconds(bytes.below(60));
  core::Heartbeat heartbeat;
  core::Liveness liveness;
  std::optional<core::FileStamp> last;
  heartbeat.begin(last = stamp_of(bytes, last, now), now);
  liveness.begin(policy, now.mono);
  auto looked = now.mono;
  while (!bytes.empty()) {
    now.mono += bytes.byte() * std::chrono::milliseconds(100);
    if (now.wall > WallTime(std::chrono::hours(24 * 365 * 100)) || now.wall < WallTime{}) return;
    now.wall += bytes.flag() ? Nanos(core::seconds(bytes.number<std::int32_t>())) : Nanos(std::chrono::milliseconds(100));
    const auto stamp = stamp_of(bytes, last, now);
    const auto beat = heartbeat.look(stamp, now);
    fuzz::require(beat.has_value() == (stamp.has_value() && stamp != last), "a beat that is none, or none that is one");
    fuzz::require(!beat || (*beat <= now.mono && *beat >= looked), "a beat in the future, or from before the last look");
    if (beat) liveness.heartbeat(*beat);
    fuzz::require(!beat || liveness.deadline() == *beat + policy.heartbeat_timeout, "a deadline that is not a timeout after the beat");
    fuzz::require(liveness.deadline() <= now.mono + policy.heartbeat_timeout + policy.heartbeat_delay, "a deadline far away");
    last = stamp;
    looked = now.mono;
  }
}
