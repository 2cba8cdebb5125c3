// The process that writes a service's logs, one for both of its outputs. A copy of supervise that shares nothing with it but
// descriptors: whatever it waits for, supervise does not. It ends when nobody has the FIFOs open for writing any more and
// all is written, so it outlives a supervise that is killed, and the last words of a service.
//
// All that it does can be broken off by KILL at any moment and continued by another; supervise replaces it in no other way.
#pragma once

#include <array>
#include <csignal>
#include <optional>
#include <vector>

#include "supervise/log_processor.h"
#include "sys/event_log.h"

namespace supervise {

// Tells the logger to leave what waits to another, as soon as nothing is half done.
inline constexpr int kLeave = SIGIO;

// What a report begins with that says why an output waits, and nothing more where it waits no longer.
inline constexpr std::array kWaits = {'o', 'e'};
// The longest report, with its end.
inline constexpr std::size_t kMaxReport = 420;

struct LogSource {
  LogSpec spec;
  std::size_t which = 0;    // of kWaits
  int fifo = -1;
  int held = -1;
};

struct LoggerPlan {
  std::vector<LogSource> sources;         // one or two
  std::vector<std::string> processor;     // empty: none
  const char* const* environment = nullptr;
  int null = -1;
  std::int32_t parent = 0;                // the supervise that has made it
  int lock = -1;                          // who holds a record lock on it writes
  int reports = -1;                       // of lines: a digit (sys::Level) and text for the log of supervise, or one of kWaits and why
};

class Logger {
 public:
  Logger(sys::System& system, const LoggerPlan& plan);

  // Moves what waits, or waits for it. False at the end.
  [[nodiscard]] bool turn();

 private:
  struct Log {
    LogWriter writer;
    int fifo;
    bool ended = false;
    bool troubled = false;
    std::size_t which = 0;
    int told = 0;              // why it waits, as supervise knows: an errno, 0: it does not
    core::Instant retry{};
    unsigned processed = 0;    // rotations that the processor knows of
  };

  [[nodiscard]] LogWriter::Progress advance(Log& log);
  [[nodiscard]] LogSpec within_limit(LogSpec spec);
  void process();
  void reap();
  void report(sys::Level level, std::string_view text);
  void tell_waits(Log& log, const sys::Failure& failure);
  [[nodiscard]] bool send(char kind, std::string_view text);

  sys::System& system_;
  std::vector<Log> logs_;
  LogProcessor processor_;
  int reports_;
  core::Now now_;
  core::Nanos pause_;
  bool process_wanted_ = true;
  bool leaves_ = false;
};

}  // namespace supervise
