// One log of a service: a bounded file that is fed from a FIFO. Nothing that was in the FIFO is lost or written twice, at
// whatever moment this process is killed: a successor that goes on with the same files continues exactly where it ended.
#pragma once

#include <string>
#include <utility>

#include "core/log_file.h"
#include "sys/entry.h"
#include "sys/error_text.h"

namespace supervise {

struct LogSpec {
  std::string directory, name;      // of the file; the directory is absolute
  bool in_status_directory = false; // others may write there: no link is followed, and supervise puts it back
  std::uint64_t maxbytes = 0;       // more than 0
  unsigned backups = 0;
  core::LogPeriod period;
  core::LogStamps stamps = core::LogStamps::kNone;
  std::string suffix;               // of rotated files that the processor has been through
  friend bool operator==(const LogSpec&, const LogSpec&) = default;

  // `NAME.2`, `NAME.2.gz`.
  enum class Form { kPlain, kProcessed };
  [[nodiscard]] core::Text<300> backup(unsigned number, Form form) const;
};

// FIFOs are made to hold as much, where the system allows it: a service that writes in bursts then seldom waits.
inline constexpr std::size_t kFifoSize = 256UL * 1024;

class LogWriter {
 public:
  // `fifo` is read; `held` is a file of ours in which a batch that is being stamped survives us, -1 if there are to be no
  // stamps. Both stay the caller's.
  LogWriter(sys::System& system, LogSpec spec, int fifo, int held);

  // Moves what waits, or a part of it. kEnded: nobody has the FIFO open for writing any more, and all is written.
  enum class Progress { kMuch, kSome, kNone, kEnded, kFailed };
  [[nodiscard]] Progress advance(core::Now now);

  // What keeps it from writing, as of the last kFailed.
  [[nodiscard]] const sys::Failure& failure() const { return failure_; }

  // Whether, since the last question, something that was not ours had to be put aside for the file or its directory.
  [[nodiscard]] bool has_put_aside() { return std::exchange(put_aside_, false); }

  // The file is rotated as soon as no line is split by it.
  void ask_rotation() { rotation_asked_ = true; }
  // Whether something was taken from the FIFO and is not in its place yet, or may be so.
  [[nodiscard]] bool is_half_done() const { return owed_.from || (holds_ && file_) || system_.holds(fifo_); }
  // How many rotations there were.
  [[nodiscard]] unsigned rotations() const { return rotations_; }

  [[nodiscard]] const LogSpec& spec() const { return spec_; }
  // The directory that the file is in; -1 where it is not open.
  [[nodiscard]] int directory() const { return dir_.get(); }

 private:
  [[nodiscard]] sys::Failure open();
  [[nodiscard]] sys::Result<sys::UniqueFd> open_directory();
  [[nodiscard]] sys::Failure rotate();
  [[nodiscard]] Progress rotate(bool mid_line, core::Now now);
  [[nodiscard]] Progress rotate_full(core::Now now);
  [[nodiscard]] sys::Status shift(unsigned number, LogSpec::Form form);
  [[nodiscard]] Progress move(core::Now now);
  [[nodiscard]] Progress move_looking(core::LogFill fill, core::Now now);
  [[nodiscard]] Progress take(std::int64_t offset, std::size_t n, core::Now now);
  [[nodiscard]] Progress hold(std::int64_t offset, bool mid_line, std::size_t n, std::string_view stamp);
  [[nodiscard]] sys::Failure write_held();
  [[nodiscard]] sys::Failure write_owed();
  [[nodiscard]] sys::Status claim(int file);
  [[nodiscard]] bool is_over();
  [[nodiscard]] bool is_in_place();
  [[nodiscard]] sys::Result<bool> ends_mid_line(std::int64_t size);
  [[nodiscard]] Progress failed(const char* doing, sys::Errno error);

  sys::System& system_;
  LogSpec spec_;
  std::string path_;
  int fifo_, held_;
  sys::UniqueFd dir_, file_;
  unsigned mode_ = 0600;             // of a new file
  std::uint32_t group_ = sys::kKeepGroup;
  sys::Failure failure_;
  bool holds_ = true;                // there may be a batch in held_
  bool split_ = false;               // the file begins with the rest of a line
  bool rotation_asked_ = false;
  bool misses_directory_ = true;
  bool put_aside_ = false;
  bool has_claimed_ = false;         // or tried to
  core::Instant grows_until_{};      // rotation has failed: the file grows till then
  unsigned rotations_ = 0;
  // What was written when the file may have been removed already, and is to be written again if it was.
  struct Owed {
    sys::UniqueFd from;
    std::int64_t offset = 0;
    std::size_t n = 0;
  } owed_;
};

}  // namespace supervise
