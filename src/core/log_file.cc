#include "core/log_file.h"

#include <algorithm>

namespace core {
namespace {

void append_padded(Stamp& text, std::int64_t number, int digits) {
  std::int64_t factor = 1;
  for (int i = 1; i < digits; ++i) factor *= 10;
  for (; factor > 0; factor /= 10) text << static_cast<char>('0' + number / factor % 10);
}

void append_hex(Stamp& text, std::uint64_t number, int digits) {
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) text << "0123456789abcdef"[number >> shift & 15];
}

Stamp iso(WallTime time, seconds offset) {
  const auto local = time + offset;
  const auto day = std::chrono::floor<std::chrono::days>(local);
  const std::chrono::year_month_day date(std::chrono::sys_days(day.time_since_epoch()));
  const auto in_day = std::chrono::duration_cast<std::chrono::milliseconds>(local - day).count();
  Stamp text;
  append_padded(text, static_cast<int>(date.year()), 4);
  text << '-';
  append_padded(text, static_cast<unsigned>(date.month()), 2);
  text << '-';
  append_padded(text, static_cast<unsigned>(date.day()), 2);
  text << 'T';
  append_padded(text, in_day / 3'600'000, 2);
  text << ':';
  append_padded(text, in_day / 60'000 % 60, 2);
  text << ':';
  append_padded(text, in_day / 1000 % 60, 2);
  text << '.';
  append_padded(text, in_day % 1000, 3);
  const auto minutes = std::chrono::abs(offset).count() / 60;
  text << (offset < seconds::zero() ? '-' : '+');
  append_padded(text, minutes / 60, 2);
  text << ':';
  append_padded(text, minutes % 60, 2);
  return text << ' ';
}

// As all who write it: TAI is taken to be 10 seconds ahead of Unix time, leap seconds left out.
Stamp tai64n(WallTime time) {
  constexpr std::uint64_t kEpoch = (std::uint64_t{1} << 62) + 10;
  const auto whole = std::chrono::floor<seconds>(time.time_since_epoch());
  Stamp text;
  text << '@';
  append_hex(text, kEpoch + static_cast<std::uint64_t>(whole.count()), 16);
  append_hex(text, static_cast<std::uint64_t>((time.time_since_epoch() - whole).count()), 8);
  return text << ' ';
}

}  // namespace

Stamp stamp(LogStamps form, WallTime time, seconds offset) {
  switch (form) {
    case LogStamps::kIso: return iso(time, offset);
    case LogStamps::kTai64n: return tai64n(time);
    case LogStamps::kNone: break;
  }
  return {};
}

bool is_over(const LogPeriod& period, WallTime written, WallTime now, seconds offset) {
  if (period.daily) {
    using std::chrono::days;
    return std::chrono::floor<days>(written + offset) != std::chrono::floor<days>(now + offset);
  }
  if (period.length <= Nanos::zero()) return false;
  return written.time_since_epoch() / period.length != now.time_since_epoch() / period.length;
}

Cut cut(std::string_view waiting, const LogFill& file, std::size_t stamp) {
  const auto room = file.over ? 0 : file.limit - std::min(file.limit, file.size);
  std::size_t taken = 0;
  std::uint64_t needed = 0;
  bool mid_line = file.mid_line;
  while (taken < waiting.size()) {
    const auto end = waiting.find('\n', taken);
    const auto length = (end == std::string_view::npos ? waiting.size() : end + 1) - taken;
    needed += length + (mid_line ? 0 : stamp);
    if (needed > room) break;
    taken += length;
    mid_line = false;
  }
  if (taken != 0) return {taken, false};
  const auto at_least_one = [&](std::uint64_t n) { return static_cast<std::size_t>(std::clamp<std::uint64_t>(n, 1, waiting.size())); };
  if (!file.mid_line && file.size != 0) return {0, true};
  // From here on a line that does not fit: one that fills a file, or the rest of one that was begun.
  if (!file.mid_line) return {at_least_one(room - std::min<std::uint64_t>(room, stamp)), false};
  if (file.size >= 2 * file.limit) return {0, true};
  const auto end = waiting.find('\n');
  return {at_least_one(std::min<std::uint64_t>(2 * file.limit - file.size, end == std::string_view::npos ? waiting.size() : end + 1)), false};
}

}  // namespace core
