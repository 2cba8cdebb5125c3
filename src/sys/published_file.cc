#include "sys/published_file.h"

#include <array>
#include <cerrno>
#include <utility>

#include "core/text.h"
#include "sys/entry.h"
#include "sys/faults.h"

namespace sys {
namespace {

constexpr std::size_t kMaxReserve = 3072;

}  // namespace

PublishedFile::PublishedFile(System& system, const char* name, const char* spare_name, std::size_t reserve, unsigned mode)
    : system_(system), name_(name), spare_name_(spare_name), reserve_(reserve < kMaxReserve ? reserve : kMaxReserve), mode_(mode) {}

Status PublishedFile::publish_by_exchange(int dir, std::string_view content) {
  if (!spare_.fd || spare_renamed_) return Errno{EBADF};
  if (const auto filled = fill(spare_, content); !filled) return filled;
  // Nothing else is to have our name, not even the spare's.
  auto done = live_.fd ? system_.exchange(dir, spare_name_, name_) : Status(Errno{ENOENT});
  const bool is_renamed = !done && (is_refused(done.error()) || done.error().number == ENOENT);
  if (is_renamed) done = system_.rename(dir, spare_name_, name_);
  if (!done) return done;
  spare_renamed_ = is_renamed;
  std::swap(live_, spare_);
  return ok();
}

Status PublishedFile::publish(int dir, std::string_view content) {
  prepare(dir);
  // What an earlier run left has its place on the disk, even if that is full now.
  if (!live_.fd && !spare_.fd) {
    if (auto live = take_over(dir, name_)) live_ = std::move(*live);
    if (auto spare = take_over(dir, spare_name_); spare && live_.fd) spare_ = std::move(*spare);
  }
  if (publish_by_exchange(dir, content)) return ok();
  const auto replaced = replace(dir, content);
  if (replaced || !live_.fd || !is_entry(system_, dir, name_, live_.fd.get())) return replaced;
  return write_in_place(content);
}

void PublishedFile::prepare(int dir) {
  if (!std::exchange(spare_renamed_, false)) return;
  spare_ = {};
  // Not empty, so that it keeps its place on the disk.
  if (auto spare = make_copy(dir, "\n")) spare_ = std::move(*spare);
}

// One write and no truncation: no reader sees a half of each.
Status PublishedFile::write_in_place(std::string_view content) {
  core::Text<kMaxReserve> padded;
  padded << content;
  while (padded.view().size() < live_.size && !padded.full()) padded << '\n';
  return fill(live_, padded.view());
}

Status PublishedFile::replace(int dir, std::string_view content) {
  spare_ = {};
  spare_renamed_ = false;
  auto fresh = make_copy(dir, content);
  if (!fresh) return fresh.error();
  auto renamed = system_.rename(dir, spare_name_, name_);
  if (!renamed && (renamed.error().number == EISDIR || renamed.error().number == ENOTEMPTY)) {
    if (!system_.remove_directory(dir, name_))
      if (const auto aside = put_aside(system_, dir, name_); !aside) return aside;
    renamed = system_.rename(dir, spare_name_, name_);
  }
  if (!renamed) return renamed;
  live_ = std::move(*fresh);
  if (auto spare = make_copy(dir, content)) spare_ = std::move(*spare);
  return ok();
}

Result<PublishedFile::Copy> PublishedFile::take_over(int dir, const char* name) {
  auto fd = open_to_rewrite(system_, dir, name);
  if (!fd) return fd.error();
  const auto info = system_.stat(fd->get());
  if (!info) return info.error();
  // Another file of ours that somebody has given this name is not for others to read.
  if ((info->mode & mode_) != mode_) return Errno{EACCES};
  if (const auto set = set_access(system_, fd->get(), mode_, kKeepGroup); !set) return set.error();
  return Copy{std::move(*fd), static_cast<std::size_t>(info->size)};
}

Result<PublishedFile::Copy> PublishedFile::make_copy(int dir, std::string_view content) {
  Copy copy;
  auto fd = make_file(system_, dir, spare_name_, mode_);
  if (!fd) return fd.error();
  copy.fd = std::move(*fd);
  const std::array<char, kMaxReserve> zeros{};
  if (const auto claimed = fill(copy, {zeros.data(), reserve_}); !claimed) return claimed.error();
  if (const auto filled = fill(copy, content); !filled) return filled.error();
  return copy;
}

Status PublishedFile::fill(Copy& copy, std::string_view content) {
  const auto written = system_.write_at(copy.fd.get(), content, 0);
  if (!written) return written.error();
  if (*written != content.size()) return Errno{ENOSPC};
  if (copy.size > content.size())
    if (const auto cut = system_.truncate(copy.fd.get(), static_cast<std::int64_t>(content.size())); !cut) return cut;
  copy.size = content.size();
  return ok();
}

bool PublishedFile::check(int dir) {
  prepare(dir);
  if (!live_.fd || !spare_.fd) return false;
  const bool is_live = is_entry(system_, dir, name_, live_.fd.get()), is_spare = is_entry(system_, dir, spare_name_, spare_.fd.get());
  if (!is_spare) spare_ = {};
  // The spare takes its place, on a full disk as well.
  else if (!is_live) live_ = {};
  return is_live && is_spare;
}

void PublishedFile::detach() {
  live_ = {};
  spare_ = {};
  spare_renamed_ = false;
}

}  // namespace sys
