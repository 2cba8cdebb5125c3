#include "sys/event_log.h"

#include <time.h>

#include <algorithm>
#include <cerrno>

#include "sys/entry.h"

namespace sys {
namespace {

constexpr unsigned kMode = 0600;
constexpr std::int64_t kMaxSize = 1 << 20;
constexpr int kBackups = 3;

std::string_view name_of(Level level) {
  switch (level) {
    case Level::kNotice: return "NOTICE";
    case Level::kWarning: return "WARNING";
    case Level::kFatal: break;
  }
  return "FATAL";
}

void append_two_digits(core::Text<32>& text, int number) {
  text << static_cast<char>('0' + number / 10 % 10) << static_cast<char>('0' + number % 10);
}

}  // namespace

core::seconds local_offset(core::WallTime time) {
  const time_t seconds = std::chrono::duration_cast<core::seconds>(time.time_since_epoch()).count();
  tm local{};
  localtime_r(&seconds, &local);
  return core::seconds(local.tm_gmtoff);
}

core::Text<32> local_time(core::WallTime time) {
  core::Text<32> text;
  const time_t seconds = std::chrono::duration_cast<core::seconds>(time.time_since_epoch()).count();
  tm local{};
  localtime_r(&seconds, &local);
  text << local.tm_year + 1900 << '-';
  append_two_digits(text, local.tm_mon + 1);
  text << '-';
  append_two_digits(text, local.tm_mday);
  text << ' ';
  append_two_digits(text, local.tm_hour);
  text << ':';
  append_two_digits(text, local.tm_min);
  text << ':';
  append_two_digits(text, local.tm_sec);
  return text;
}

Status LogFile::open(int dir) {
  dir_ = dir;
  auto fd = open_file(system_, dir, name_, kMode);
  if (!fd) return fd.error();
  const auto info = system_.stat(fd->get());
  if (!info) return info.error();
  size_ = info->size;
  fd_ = std::move(*fd);
  return ok();
}

Status LogFile::append(std::string_view line) {
  if (!fd_) return Errno{EBADF};
  if (size_ + static_cast<std::int64_t>(line.size()) > kMaxSize) rotate();
  const auto written = system_.write(fd_.get(), line);
  if (!written) return written.error();
  size_ += static_cast<std::int64_t>(*written);
  if (*written == line.size()) return ok();
  // Half a line is taken back. Somebody may have emptied the file meanwhile.
  const auto info = system_.stat(fd_.get());
  if (info) size_ = std::max<std::int64_t>(0, info->size - static_cast<std::int64_t>(*written));
  if (info) (void)system_.truncate(fd_.get(), size_);
  return Errno{ENOSPC};
}

void LogFile::rotate() {
  for (int i = kBackups; i > 0; --i) {
    core::Text<64> from, to;
    from << name_;
    if (i > 1) from << '.' << i - 1;
    to << name_ << '.' << i;
    (void)system_.rename(dir_, from.c_str(), to.c_str());
  }
  // A rotation that fails leaves the open file growing, which is better than losing lines, until it has doubled.
  if (!open(dir_)) size_ = 0;
}

bool LogFile::check(int dir) {
  dir_ = dir;
  if (fd_ && is_entry(system_, dir_, name_, fd_.get())) return true;
  (void)open(dir_);
  return false;
}

EventLog::EventLog(System& system, bool to_stderr)
    : system_(system), all_(system, "supervise.log"), warnings_(system, "supervise.log.wf"), to_stderr_(to_stderr) {}

Status EventLog::open(int dir) {
  if (const auto opened = all_.open(dir); !opened) return opened;
  return warnings_.open(dir);
}

bool EventLog::check(int dir) {
  const bool all = all_.check(dir);
  return warnings_.check(dir) && all;
}

void EventLog::write(Level level, core::WallTime time, std::string_view text) {
  core::Text<64> stamp;
  stamp << '[' << name_of(level) << "] " << local_time(time).view() << ' ';
  core::Text<768> line;
  if (lost_ != 0) line << stamp.view() << lost_ << " lines before this one could not be written to the log\n";
  const auto head = line.view().size();
  line << stamp.view() << text << '\n';
  if (to_stderr_) (void)system_.write_unless_blocked(2, line.view().substr(head));
  const bool written = static_cast<bool>(all_.append(line.view()));
  lost_ = written ? 0 : lost_ + 1;
  if (level != Level::kNotice) (void)warnings_.append(line.view().substr(head));
}

}  // namespace sys
