// Where the service's two outputs go, and the life of its logger. An output that is logged is a FIFO, which supervise and the
// service have open both ways: it breaks for nobody, whoever dies, and whoever comes back finds what was written. It is in
// DIR/supervise, where a service that owns DIR can move nothing.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "supervise/helpers.h"
#include "supervise/logger.h"
#include "supervise/service.h"
#include "sys/status_dir.h"

namespace supervise {

class Output {
 public:
  // `path` is that of the status directory. `environment` is the log processor's.
  Output(sys::System& system, Helpers& helpers, const char* const* environment);

  // Makes the outputs what `service` wants them to be. `dir` is the status directory, `path` its name, and `inner` the directory
  // in it that is ours alone. An output that can't be opened goes into a pipe until it can, or where there is none to be had to
  // `null`; returns why. Of a service that runs nothing is taken away: what becomes another kind of output does so with the
  // next renew(), or the one after it where no logger has had the FIFO yet.
  sys::Failure open(const Service& service, int dir, int inner, const std::string& path, int null);

  // For a service that was not started by us: it may write to a FIFO that has lost its name.
  void adopt(std::int32_t pid);

  // Looks whether somebody has taken away what is open, or the status directory, which is `dir` now. A file is opened again,
  // and the logger begins anew with another lock. A FIFO is used on by a service that runs; the next start makes another if a logger has this one.
  sys::StatusDir::Check check(int dir, int inner);
  // Before a start: puts back what is gone, and makes what has to wait for it take effect.
  sys::Failure renew(core::Now now);

  // To be given to a process: descriptors in blocking mode.
  [[nodiscard]] int output();
  [[nodiscard]] int errors();

  // Starts the logger, if one is wanted and it is time. Returns why it could not be.
  sys::Failure run_logger(core::Now now);
  // The logger of the program that this process was before; 0: none.
  [[nodiscard]] std::int32_t logger() const { return pid_; }
  void replace_logger(std::int32_t former);
  // Whether the dead child `pid` was the logger, and ended as it should.
  enum class End { kWanted, kFailed };
  [[nodiscard]] std::optional<End> ended(std::int32_t pid, const core::Outcome& outcome);
  void rotate();

  // What the logger has to say: readable, and lines of a digit (sys::Level) and text.
  [[nodiscard]] int reports() const { return reports_.get(); }
  [[nodiscard]] std::size_t read_reports(std::span<char> into);

  // Whether nothing is lost if we close the FIFOs now, and the service is dead: a logger has them, which is not about to end.
  [[nodiscard]] bool is_kept() const { return !wants_logger() || (pid_ == 0 ? all_written_ : !told_); }

  // Lets the logger end once it has written everything. True when it has, or has had its time.
  [[nodiscard]] bool finish(core::Now now);
  [[nodiscard]] bool logger_lives() const { return pid_ != 0; }

  [[nodiscard]] core::Instant deadline() const;

  // The file that keeps the service's output, or its errors; empty where none does.
  enum class Which { kOutput, kErrors };
  [[nodiscard]] core::FileName file(Which which) const;

  // Whether nothing that the service wrote to its errors waits for the logger.
  [[nodiscard]] bool errors_are_written();
  // The last bytes of what the service wrote to its errors, at most as many as `into` holds.
  [[nodiscard]] std::string_view tail_of_errors(std::span<char> into);

 private:
  enum class Kind { kNone, kInherit, kFile, kLog };
  // Where an output is to go.
  struct Target {
    Kind kind = Kind::kNone;
    int inherited = -1;    // our descriptor that it gets
    LogSpec spec;          // of a file, too
    friend bool operator==(const Target&, const Target&) = default;
  };
  struct Stream {
    Target target;
    sys::UniqueFd writer, reader, held;
    bool named = false;    // the FIFO, or the file, is the one that has the name
    bool made = false;     // the FIFO had to be made: there may be another, without a name, that somebody still empties
    bool has_logger = false;    // that has the FIFO and is not told to end
    std::string path;      // of a file that can't be opened
  };
  struct Names {
    const char* fifo;
    const char* held;
    const char* file;
    int inherited;
  };
  static constexpr std::array kNames = {Names{"stdout", "stdout.held", "__stdout", 1}, Names{"stderr", "stderr.held", "__stderr", 2}};

  [[nodiscard]] Target target_of(const core::OutputSettings& settings, const Service& service, const Names& names, const std::string& path);
  [[nodiscard]] sys::Failure open(std::size_t which);
  [[nodiscard]] bool has_name(std::size_t which) const;
  [[nodiscard]] std::string path_of(const Target& target) const { return target.spec.directory + "/" + target.spec.name; }
  [[nodiscard]] sys::Failure open_log(std::size_t which);
  [[nodiscard]] sys::Failure open_held(std::size_t which);
  [[nodiscard]] sys::Failure open_file(std::size_t which);
  [[nodiscard]] sys::Failure open_lock();
  [[nodiscard]] int end_signal();
  [[nodiscard]] core::Instant former_due() const;
  void end_former(core::Instant now);
  // Whoever else has the lock, 0 for none.
  [[nodiscard]] std::int32_t former_logger();
  [[nodiscard]] bool wants_logger() const;
  [[nodiscard]] int descriptor(std::size_t which);
  void end_logger(core::Nanos patience);

  sys::System& system_;
  Helpers& helpers_;
  const char* const* environment_;
  int dir_ = -1, inner_ = -1, null_ = -1;
  std::array<Stream, 2> streams_;
  std::array<Target, 2> wanted_, usual_;
  sys::Failure failure_;                        // of the last attempt to open what is wanted
  bool redirected_ = false, redirection_wanted_ = false;    // errors go where output goes
  std::vector<std::string> processor_;
  std::string path_;
  sys::UniqueFd lock_, reports_;
  std::int32_t pid_ = 0;
  bool told_ = false;                           // to end
  bool all_written_ = false;                    // and nobody is left who could write
  core::Instant next_start_{};
  core::Instant kill_due_ = core::kNever;       // the logger is given up then
  core::Instant former_due_ = core::kNever;     // and so is one that another supervise has left
  core::Instant finish_due_ = core::kNever;
};

}  // namespace supervise
