// supervise.log and supervise.log.wf: `[LEVEL] YYYY-MM-DD HH:MM:SS text`, local time, a line an event. Bounded: a full file
// is renamed to .1, that one to .2, and so on. A log that can't be written costs nothing but its lines, which are counted.
#pragma once

#include <string_view>

#include "core/text.h"
#include "sys/unique_fd.h"

namespace sys {

enum class Level { kNotice, kWarning, kFatal };

using Message = core::Text<512>;

// Of local time from UTC, at `time`.
[[nodiscard]] core::seconds local_offset(core::WallTime time);

// `YYYY-MM-DD HH:MM:SS` in local time.
[[nodiscard]] core::Text<32> local_time(core::WallTime time);

// One bounded file.
class LogFile {
 public:
  LogFile(System& system, const char* name) : system_(system), name_(name) {}
  // Opens it in `dir`, which must stay open.
  Status open(int dir);
  // Appends a whole line or nothing.
  Status append(std::string_view line);
  // Opens it again if it is not what bears its name in `dir`, which must stay open. Returns whether it was.
  bool check(int dir);

 private:
  void rotate();

  System& system_;
  const char* name_;
  int dir_ = -1;
  UniqueFd fd_;
  std::int64_t size_ = 0;
};

class EventLog {
 public:
  // `to_stderr`: write every line to standard error, too (foreground).
  EventLog(System& system, bool to_stderr);

  void to_stderr(bool on) { to_stderr_ = on; }

  Status open(int dir);
  // Finds and mends files that were removed. Returns whether all were there.
  bool check(int dir);

  // Logs one line; `text` must be free of control characters (Text::printable).
  void write(Level level, core::WallTime time, std::string_view text);

 private:
  System& system_;
  LogFile all_, warnings_;
  bool to_stderr_;
  unsigned lost_ = 0;
};

}  // namespace sys
