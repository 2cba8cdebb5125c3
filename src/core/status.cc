#include "core/status.h"

#include <limits>

namespace core {
namespace {

// TAI64 label of the Unix epoch plus the ten seconds by which TAI was ahead then.
constexpr std::uint64_t kTaiEpoch = (std::uint64_t{1} << 62) + 10;
constexpr std::int64_t kGiga = 1'000'000'000;

void put_big_endian(std::span<unsigned char> out, std::uint64_t value) {
  for (std::size_t i = out.size(); i-- > 0; value >>= 8) out[i] = static_cast<unsigned char>(value);
}

std::uint64_t get_big_endian(std::span<const unsigned char> in) {
  std::uint64_t value = 0;
  for (const auto byte : in) value = value << 8 | byte;
  return value;
}

void put_little_endian(std::span<unsigned char> out, std::uint32_t value) {
  for (auto& byte : out) {
    byte = static_cast<unsigned char>(value);
    value >>= 8;
  }
}

std::uint32_t get_little_endian(std::span<const unsigned char> in) {
  std::uint32_t value = 0;
  for (std::size_t i = in.size(); i-- > 0;) value = value << 8 | in[i];
  return value;
}

void put_stamp(std::span<unsigned char> out, WallTime stamp) {
  const auto since_epoch = stamp.time_since_epoch().count();
  auto whole = since_epoch / kGiga;
  auto nanos = since_epoch % kGiga;
  if (nanos < 0) {
    nanos += kGiga;
    --whole;
  }
  put_big_endian(out.first(8), kTaiEpoch + static_cast<std::uint64_t>(whole));
  put_big_endian(out.subspan(8, 4), static_cast<std::uint64_t>(nanos));
}

unsigned char want_byte(Want want) {
  switch (want) {
    case Want::kUp: return 'u';
    case Want::kDown: return 'd';
    case Want::kOnce: break;
  }
  return 0;
}

}  // namespace

StatusRecord encode_status(const Status& status) {
  StatusRecord record{};
  const std::span<unsigned char> out(record);
  put_stamp(out, status.stamp);
  record[12] = status.paused ? 1 : 0;
  record[13] = want_byte(status.want);
  record[14] = status.alarms_on ? 'o' : 'x';
  put_little_endian(out.subspan(16, 4), static_cast<std::uint32_t>(status.pid));
  return record;
}

std::optional<Status> decode_status(std::span<const unsigned char> record) {
  if (record.size() != kStatusSize) return std::nullopt;
  const auto whole = static_cast<std::int64_t>(get_big_endian(record.first(8)) - kTaiEpoch);
  const auto nanos = static_cast<std::int64_t>(get_big_endian(record.subspan(8, 4)));
  constexpr auto kMaxWhole = std::numeric_limits<std::int64_t>::max() / kGiga - 1;
  if (whole > kMaxWhole || whole < -kMaxWhole || nanos >= kGiga) return std::nullopt;
  if (record[12] > 1 || record[15] != 0 || (record[14] != 'o' && record[14] != 'x')) return std::nullopt;
  Status status;
  switch (record[13]) {
    case 'u': status.want = Want::kUp; break;
    case 'd': status.want = Want::kDown; break;
    case 0: status.want = Want::kOnce; break;
    default: return std::nullopt;
  }
  status.stamp = WallTime(Nanos(whole * kGiga + nanos));
  status.paused = record[12] == 1;
  status.alarms_on = record[14] == 'o';
  status.pid = static_cast<std::int32_t>(get_little_endian(record.subspan(16, 4)));
  if (status.pid < 0) return std::nullopt;
  return status;
}

StatusRecord encode_runit_status(const Status& status) {
  StatusRecord record{};
  const std::span<unsigned char> out(record);
  put_stamp(out, status.stamp);
  put_little_endian(out.subspan(12, 4), static_cast<std::uint32_t>(status.pid));
  record[16] = status.paused ? 1 : 0;
  // `o` is the wish to be down afterwards: runsv says `d`.
  record[17] = status.want == Want::kOnce ? 'd' : want_byte(status.want);
  record[18] = status.term_sent ? 1 : 0;
  record[19] = status.pid != 0 ? 1 : 0;
  return record;
}

}  // namespace core
