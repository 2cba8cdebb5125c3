// The rules of a bounded log: what its lines begin with, where it may be cut, when it is old. supervise.conf(5), OUTPUT.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/text.h"

namespace core {

enum class LogStamps { kNone, kIso, kTai64n };

// When a file is to be rotated, however small it is: with the first line of another day, or of another period since 1970.
struct LogPeriod {
  bool daily = false;
  Nanos length{0};    // 0: never
  friend bool operator==(const LogPeriod&, const LogPeriod&) = default;
};

// What stands before a line that was read at `time`, with the blank that ends it; nothing for kNone. `offset` is that of local
// time from UTC. ISO 8601 with milliseconds, or the TAI64N label of tai64nlocal(8).
using Stamp = Text<40>;
[[nodiscard]] Stamp stamp(LogStamps form, WallTime time, seconds offset);

// Whether a file last written to at `written` must not be continued at `now`.
[[nodiscard]] bool is_over(const LogPeriod& period, WallTime written, WallTime now, seconds offset);

// How full a file is.
struct LogFill {
  std::uint64_t size = 0;
  std::uint64_t limit = 0;
  bool mid_line = false;    // the line that came last is unfinished
  bool over = false;        // no further line is to come, however much room there is
};

// What to do with bytes that wait.
struct Cut {
  std::size_t bytes = 0;    // so many of them go into the file
  bool rotate = false;      // none does, but it is to be rotated first
  friend bool operator==(const Cut&, const Cut&) = default;
};

// No line is split but one that is longer than a file may be. For that a file may become longer than its limit, up to twice
// that. `stamp` bytes are to be put before each line. Always one or the other: some bytes, or a rotation.
[[nodiscard]] Cut cut(std::string_view waiting, const LogFill& file, std::size_t stamp);

// Calls `write(text)` for the pieces of `lines` with `stamp` before each of them, but the first if that is a line's rest.
// Returns whether the last line is unfinished.
template <typename Write>
bool stamp_lines(std::string_view lines, std::string_view stamp, bool mid_line, Write write) {
  while (!lines.empty()) {
    if (!mid_line) write(stamp);
    const auto end = lines.find('\n');
    mid_line = end == std::string_view::npos;
    const auto line = lines.substr(0, mid_line ? lines.size() : end + 1);
    write(line);
    lines.remove_prefix(line.size());
  }
  return mid_line;
}

}  // namespace core
