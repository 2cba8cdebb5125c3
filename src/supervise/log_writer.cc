#include "supervise/log_writer.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "sys/entry.h"
#include "sys/event_log.h"
#include "sys/trusted.h"

namespace supervise {
namespace {

using sys::Errno;
using sys::Failure;
using Progress = LogWriter::Progress;

constexpr std::uint64_t kNoLimit = std::uint64_t{1} << 61;
// So near to a file's limit what waits is looked at before it is moved.
constexpr std::size_t kLook = 16UL * 1024;
constexpr std::size_t kMaxMove = 1 << 20;
constexpr core::Nanos kGrow = core::seconds(10);

// What is to become of the bytes that follow in the file: they are lines of `stamp`, and belong at `offset` of that log.
struct Batch {
  static constexpr std::array<char, 8> kMagic = {'b', 'a', 't', 'c', 'h', ' ', '1', '\n'};
  std::array<char, 8> magic = kMagic;
  std::uint64_t device = 0, inode = 0;
  std::int64_t offset = 0;
  std::uint32_t mid_line = 0, stamp_size = 0;
  std::array<char, 40> stamp{};
};
using BatchBytes = std::array<char, sizeof(Batch)>;

Failure problem(const char* doing, Errno error) { return {doing, "", error}; }

Failure write_batch(sys::System& system, int held, const Batch& batch) {
  BatchBytes bytes;
  std::memcpy(bytes.data(), &batch, sizeof batch);
  const auto written = system.write_at(held, {bytes.data(), bytes.size()}, 0);
  if (written && *written == bytes.size()) return {};
  return problem("cannot hold a batch for", written ? Errno{ENOSPC} : written.error());
}

// Writes the pieces of a text one after another.
class Writer {
 public:
  Writer(sys::System& system, int fd, std::int64_t offset) : system_(system), fd_(fd), offset_(offset) {}

  void add(std::string_view text) {
    while (!text.empty()) {
      const auto n = text.copy(buffer_.data() + size_, buffer_.size() - size_);
      size_ += n;
      text.remove_prefix(n);
      if (size_ == buffer_.size()) flush();
    }
  }
  void flush() {
    std::string_view rest(buffer_.data(), size_);
    while (!rest.empty() && error_.number == 0) {
      const auto n = system_.write_at(fd_, rest, offset_);
      error_ = n.error();
      if (!n) break;
      offset_ += static_cast<std::int64_t>(*n);
      rest.remove_prefix(*n);
    }
    size_ = 0;
  }
  [[nodiscard]] Errno error() const { return error_; }

 private:
  sys::System& system_;
  int fd_;
  std::int64_t offset_;
  Errno error_;
  std::size_t size_ = 0;
  std::array<char, 4096> buffer_;
};

}  // namespace

core::Text<300> LogSpec::backup(unsigned number, Form form) const {
  core::Text<300> text;
  text << name;
  if (number != 0) text << '.' << number;
  if (form == Form::kProcessed) text << suffix;
  return text;
}

LogWriter::LogWriter(sys::System& system, LogSpec spec, int fifo, int held)
    : system_(system), spec_(std::move(spec)), path_(spec_.directory + "/" + spec_.name), fifo_(fifo), held_(held) {}

Progress LogWriter::failed(const char* doing, Errno error) {
  failure_ = {doing, path_.c_str(), error};
  return Progress::kFailed;
}

Progress LogWriter::advance(core::Now now) {
  Failure failure;
  if (!file_) failure = open();
  if (!failure && owed_.from) failure = write_owed();
  if (!failure && holds_) failure = write_held();
  if (failure) return is_over() ? Progress::kEnded : failed(failure.doing, failure.error);
  // It may have been displaced while a batch was written.
  return file_ ? move(now) : Progress::kSome;
}

// Where nothing can be written there may be nothing to write any more, nor anybody who could.
bool LogWriter::is_over() {
  char byte = 0;
  const auto held = held_ < 0 ? sys::Result<sys::FileInfo>(sys::FileInfo()) : system_.stat(held_);
  const auto waiting = owed_.from || !held || held->size != 0 ? sys::Result<std::size_t>(Errno{EAGAIN}) : system_.peek(fifo_, {&byte, 1});
  return waiting && *waiting == 0;
}

sys::Result<sys::UniqueFd> LogWriter::open_directory() {
  const auto links = spec_.in_status_directory ? sys::Links::kNone : sys::Links::kAll;
  auto opened = sys::open_directory(system_, spec_.directory, links, sys::Missing::kFail, sys::OpenMode::kSearch);
  if (opened) return std::move(opened->fd);
  if (spec_.in_status_directory || (opened.error().number != ENOENT && opened.error().number != ELOOP)) return opened.error();
  // Whoever has removed it has a moment to put it back as it was; one that was never seen is made at once.
  if (opened.error().number == ENOENT && !std::exchange(misses_directory_, true)) return opened.error();
  opened = sys::open_log_directory(system_, spec_.directory);
  if (!opened) return opened.error();
  put_aside_ = put_aside_ || opened->put_aside;
  return std::move(opened->fd);
}

Failure LogWriter::open() {
  auto dir = open_directory();
  if (!dir) return problem("cannot open the directory of", dir.error());
  misses_directory_ = false;
  // Who may read a log elsewhere is the administrator's choice, which a new file takes over.
  const auto found = system_.stat_at(dir->get(), spec_.name.c_str());
  const bool ours = found && found->type == sys::FileType::kRegular && found->uid == system_.own_uid() && found->links == 1;
  if (ours && !spec_.in_status_directory) {
    mode_ = found->mode & 0777;
    group_ = found->gid;
  }
  auto file = sys::open_file(system_, dir->get(), spec_.name.c_str(), mode_, sys::Writing::kAnywhere);
  if (!file) return problem("cannot open", file.error());
  put_aside_ = put_aside_ || (found && !ours);
  if (!ours && group_ != sys::kKeepGroup) (void)sys::set_access(system_, file->get(), mode_, group_);
  // It was in its place all the time, and only the look had failed.
  const auto was = owed_.from ? system_.stat(owed_.from.get()) : sys::Result<sys::FileInfo>(Errno{EBADF}), is = system_.stat(file->get());
  if (was && is && sys::is_same_file(*was, *is)) {
    *file = std::move(owed_.from);
    owed_ = {};
    dir_ = std::move(*dir);
    file_ = std::move(*file);
    return {};
  }
  // Two who write to one file would overwrite what the other has written.
  if (const auto claimed = claim(file->get()); !claimed) {
    const bool taken = claimed.error().number == EWOULDBLOCK;
    return problem(taken ? "another process writes to" : "cannot lock", taken ? Errno{EBUSY} : claimed.error());
  }
  dir_ = std::move(*dir);
  file_ = std::move(*file);
  holds_ = held_ >= 0;
  return {};
}

// The logger before us, which was killed, may have ended so far that its lock on `supervise/logger` is gone, and not this one.
sys::Status LogWriter::claim(int file) {
  constexpr int kAttempts = 50;
  constexpr core::Nanos kPause = std::chrono::milliseconds(10);
  const int attempts = std::exchange(has_claimed_, true) ? 1 : kAttempts;
  auto claimed = system_.claim(file);
  for (int i = 1; i < attempts && !claimed && claimed.error().number == EWOULDBLOCK; ++i) {
    (void)system_.wait({}, core::after(system_.now().mono, kPause));
    claimed = system_.claim(file);
  }
  return claimed;
}

bool LogWriter::is_in_place() { return sys::is_entry(system_, sys::kWorkingDirectory, path_.c_str(), file_.get()); }

sys::Result<bool> LogWriter::ends_mid_line(std::int64_t size) {
  if (size == 0) return split_;
  char last = '\n';
  const auto n = system_.read_at(file_.get(), {&last, 1}, size - 1);
  if (!n) return n.error();
  return last != '\n';
}

Progress LogWriter::move(core::Now now) {
  const auto info = system_.stat(file_.get());
  if (!info) return failed("cannot look at", info.error());
  // Somebody has removed it. Between this look and the write there is little time; take() and write_held() look again.
  if (info->links == 0) {
    file_.reset();
    return Progress::kSome;
  }
  const bool may_rotate = now.mono >= grows_until_;
  core::LogFill fill;
  fill.size = static_cast<std::uint64_t>(info->size);
  fill.limit = may_rotate ? spec_.maxbytes : kNoLimit;
  const auto old = [&] { return spec_.period != core::LogPeriod() && core::is_over(spec_.period, info->modified, now.wall, sys::local_offset(now.wall)); };
  fill.over = may_rotate && info->size > 0 && (rotation_asked_ || old());
  if (info->size == 0) rotation_asked_ = false;
  const bool near = fill.size + kLook >= fill.limit;
  if (near || fill.over || spec_.stamps != core::LogStamps::kNone) return move_looking(fill, now);
  return take(info->size, std::min<std::uint64_t>(fill.limit - fill.size - kLook, kMaxMove), now);
}

// This one and some others are kept out of line: their buffers would be on the stack of every wait.
[[gnu::noinline]] Progress LogWriter::move_looking(core::LogFill fill, core::Now now) {
  std::array<char, kLook> bytes;
  const auto size = static_cast<std::int64_t>(fill.size);
  const auto waiting = system_.peek(fifo_, bytes);
  const bool none = !waiting && waiting.error().number == EAGAIN;
  if (!waiting && !none) return failed("cannot read what is for", waiting.error());
  if (waiting && *waiting == 0) return Progress::kEnded;
  const auto mid_line = ends_mid_line(size);
  if (!mid_line) return failed("cannot read the end of", mid_line.error());
  fill.mid_line = *mid_line;
  if (none && (!rotation_asked_ || !fill.over || fill.mid_line)) return Progress::kNone;
  // The line that was begun comes first, and makes the file younger.
  rotation_asked_ = rotation_asked_ || fill.over;
  const auto stamp = core::stamp(spec_.stamps, now.wall, sys::local_offset(now.wall));
  const auto cut = none ? core::Cut{0, true} : core::cut({bytes.data(), *waiting}, fill, stamp.view().size());
  if (cut.rotate) return rotate(fill.mid_line, now);
  return spec_.stamps == core::LogStamps::kNone ? take(size, cut.bytes, now) : hold(size, fill.mid_line, cut.bytes, stamp.view());
}

Progress LogWriter::rotate(bool mid_line, core::Now now) {
  const auto failure = rotate();
  split_ = !failure && mid_line;
  if (!failure) return Progress::kSome;
  grows_until_ = core::after(now.mono, kGrow);
  return failed(failure.doing, failure.error);
}

// The system lets no file grow further, before its limit or in the middle of a line: a line that is split beats none.
Progress LogWriter::rotate_full(core::Now now) {
  const auto info = system_.stat(file_.get());
  if (!info) return failed("cannot look at", info.error());
  if (info->size == 0) return failed("cannot write to", Errno{EFBIG});
  const auto mid_line = ends_mid_line(info->size);
  if (!mid_line) return failed("cannot read the end of", mid_line.error());
  return rotate(*mid_line, now);
}

Progress LogWriter::take(std::int64_t offset, std::size_t n, core::Now now) {
  const auto moved = system_.move(fifo_, file_.get(), offset, n);
  if (!moved && moved.error().number == EAGAIN) return Progress::kNone;
  if (!moved && moved.error().number == EFBIG) return rotate_full(now);
  if (!moved) return failed("cannot write to", moved.error());
  if (*moved == 0) return Progress::kEnded;
  split_ = false;
  if (!is_in_place()) owed_ = {std::move(file_), offset, *moved};
  return *moved >= kFifoSize / 4 ? Progress::kMuch : Progress::kSome;
}

[[gnu::noinline]] Failure LogWriter::write_owed() {
  const auto old = system_.stat(owed_.from.get());
  if (!old) return problem("cannot look at what was", old.error());
  // Moved away and not removed: it is all there.
  if (old->links != 0) owed_.n = 0;
  std::array<char, 4096> bytes;
  while (owed_.n != 0) {
    const auto here = system_.stat(file_.get());
    if (!here) return problem("cannot look at", here.error());
    const auto n = system_.read_at(owed_.from.get(), std::span(bytes).first(std::min(owed_.n, bytes.size())), owed_.offset);
    if (!n) return problem("cannot read what was", n.error());
    if (*n == 0) break;
    const auto written = system_.write_at(file_.get(), {bytes.data(), *n}, here->size);
    if (!written) return problem("cannot write to", written.error());
    owed_.offset += static_cast<std::int64_t>(*written);
    owed_.n -= *written;
  }
  owed_ = {};
  return {};
}

// Stamps are put in after the bytes have been taken from the FIFO, and before that is told where they belong. So it can be
// done again by whoever finds it half done, with the same bytes at the same places.
[[gnu::noinline]] Progress LogWriter::hold(std::int64_t offset, bool mid_line, std::size_t n, std::string_view stamp) {
  const auto info = system_.stat(file_.get());
  if (!info) return failed("cannot look at", info.error());
  Batch batch;
  batch.device = info->device;
  batch.inode = info->inode;
  batch.offset = offset;
  batch.mid_line = mid_line ? 1 : 0;
  batch.stamp_size = static_cast<std::uint32_t>(stamp.copy(batch.stamp.data(), batch.stamp.size()));
  if (const auto failure = write_batch(system_, held_, batch)) return failed(failure.doing, failure.error);
  const auto moved = system_.move(fifo_, held_, sizeof batch, n);
  if (!moved && moved.error().number == EAGAIN) return Progress::kNone;
  if (!moved) return failed("cannot hold a batch for", moved.error());
  if (*moved == 0) return Progress::kEnded;
  holds_ = true;
  split_ = false;
  if (const auto failure = write_held()) return failed(failure.doing, failure.error);
  return Progress::kSome;
}

[[gnu::noinline]] Failure LogWriter::write_held() {
  const auto held = system_.stat(held_);
  if (!held) return problem("cannot look at the batch for", held.error());
  BatchBytes bytes;
  Batch batch;
  const auto n = system_.read_at(held_, bytes, 0);
  if (!n) return problem("cannot read the batch for", n.error());
  std::memcpy(&batch, bytes.data(), *n == sizeof batch ? sizeof batch : 0);
  const bool sound = *n == sizeof batch && batch.magic == Batch::kMagic && batch.stamp_size <= batch.stamp.size() && batch.offset >= 0 &&
                     held->size <= static_cast<std::int64_t>(sizeof batch + kLook);
  if (sound && held->size > static_cast<std::int64_t>(sizeof batch)) {
    const auto file = system_.stat(file_.get());
    if (!file) return problem("cannot look at", file.error());
    const bool same = file->inode == batch.inode && file->device == batch.device && file->size >= batch.offset;
    if (!same) {
      batch.inode = file->inode;
      batch.device = file->device;
      batch.offset = file->size;
      if (const auto failure = write_batch(system_, held_, batch)) return failure;
    }
    Writer writer(system_, file_.get(), batch.offset);
    const std::string_view stamp(batch.stamp.data(), batch.stamp_size);
    std::array<char, 4096> lines;
    bool mid_line = batch.mid_line != 0;
    for (auto at = static_cast<std::int64_t>(sizeof batch); at < held->size;) {
      const auto read = system_.read_at(held_, lines, at);
      if (!read || *read == 0) return problem("cannot read the batch for", read ? Errno{EIO} : read.error());
      mid_line = core::stamp_lines({lines.data(), *read}, stamp, mid_line, [&](std::string_view text) { writer.add(text); });
      at += static_cast<std::int64_t>(*read);
    }
    writer.flush();
    if (writer.error().number == EFBIG && batch.offset > 0) {
      // No file may grow further: all of it goes into the next one.
      const auto undone = system_.truncate(file_.get(), batch.offset);
      return undone ? rotate() : problem("cannot write to", undone.error());
    }
    if (writer.error().number != 0) return problem("cannot write to", writer.error());
    const auto written = system_.stat(file_.get());
    if (!written) return problem("cannot look at", written.error());
    if (!is_in_place()) {
      file_.reset();
      if (written->links == 0) return {};    // to be written again, elsewhere
    }
  }
  if (held->size != 0)
    if (const auto done = system_.truncate(held_, 0); !done) return problem("cannot end the batch for", done.error());
  holds_ = false;
  return {};
}

// Gives the backup before it, if there is one, this number.
sys::Status LogWriter::shift(unsigned number, LogSpec::Form form) {
  auto from = spec_.backup(number - 1, number == 1 ? LogSpec::Form::kPlain : form), to = spec_.backup(number, form);
  const auto renamed = system_.rename(dir_.get(), from.c_str(), to.c_str());
  return renamed || renamed.error().number == ENOENT ? sys::ok() : renamed;
}

// A rotation that was broken off has left a gap. Only what stands before the first one moves.
[[gnu::noinline]] Failure LogWriter::rotate() {
  using Form = LogSpec::Form;
  const bool processed = !spec_.suffix.empty();
  Errno error;
  const auto is_there = [&](unsigned number, Form form) {
    const auto info = system_.stat_at(dir_.get(), spec_.backup(number, form).c_str());
    if (!info && info.error().number != ENOENT) error = info.error();
    return static_cast<bool>(info);
  };
  unsigned last = 1;
  while (last < spec_.backups && (is_there(last, Form::kPlain) || (processed && is_there(last, Form::kProcessed)))) ++last;
  // Where a look has failed a gap may be none.
  if (error.number != 0) return problem("cannot rotate", error);
  const auto removed = [&](core::Text<300> name) {
    const auto done = system_.remove(dir_.get(), name.c_str());
    if (!done && done.error().number != ENOENT) error = done.error();
    return error.number == 0;
  };
  // The oldest makes room; where none are kept, the file itself does.
  const bool room = spec_.backups == 0 ? removed(spec_.backup(0, Form::kPlain))
                                       : last < spec_.backups || (removed(spec_.backup(last, Form::kPlain)) &&
                                                                  (!processed || removed(spec_.backup(last, Form::kProcessed))));
  if (!room) return problem("cannot rotate", error);
  for (; last > 0 && spec_.backups != 0; --last)
    for (const auto form : {Form::kPlain, Form::kProcessed}) {
      if (form == Form::kProcessed && (!processed || last == 1)) continue;
      if (const auto shifted = shift(last, form); !shifted) return problem("cannot rotate", shifted.error());
    }
  if (const auto info = system_.stat(file_.get()); info && !spec_.in_status_directory) {
    mode_ = info->mode & 0777;
    group_ = info->gid;
  }
  file_.reset();
  rotation_asked_ = false;
  ++rotations_;
  return {};
}

}  // namespace supervise
