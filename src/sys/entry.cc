#include "sys/entry.h"

#include <array>
#include <cerrno>

#include "core/text.h"

namespace sys {
namespace {

bool is_ours(System& system, const FileInfo& info, FileType type) {
  return info.type == type && info.uid == system.own_uid() && (type == FileType::kDirectory || info.links == 1);
}

// Gives it a name that nothing has yet: NAME.replaced, NAME.replaced.1, and so on.
Status rename_aside(System& system, int dir, const char* name) {
  constexpr int kMost = 10'000;
  for (int i = 0; i < kMost; ++i) {
    core::Text<300> aside;
    aside << name << ".replaced";
    if (i != 0) aside << '.' << i;
    const auto taken = system.stat_at(dir, aside.c_str());
    if (!taken && taken.error().number == ENOENT) return system.rename(dir, name, aside.c_str());
    if (!taken) return taken.error();
  }
  return Errno{EEXIST};
}

// Takes whatever bears the name out of the way: removed, or where that can't be, renamed.
Status make_room(System& system, int dir, const char* name) {
  const auto removed = system.remove(dir, name);
  if (removed || removed.error().number == ENOENT) return ok();
  if (system.remove_directory(dir, name)) return ok();
  return rename_aside(system, dir, name);
}

// Opens `name` if it is an entry of ours of that type. ENOENT where there is none, EINVAL where there is another thing.
Result<UniqueFd> open_ours(System& system, int dir, const char* name, FileType type, OpenMode mode) {
  const auto before = system.stat_at(dir, name);
  if (!before) return before.error();
  if (!is_ours(system, *before, type)) return Errno{EINVAL};
  auto fd = owned(system, system.open(dir, name, mode, 0));
  if (!fd) return fd;
  const auto info = system.stat(fd->get());
  if (!info) return info.error();
  if (!is_ours(system, *info, type)) return Errno{EINVAL};
  // Another's file of which this was a second name has one link again when that is removed. Under a name that still is, it has two.
  const auto named = system.stat_at(dir, name);
  if (!named) return named.error();
  if (!is_same_file(*named, *info) || !is_ours(system, *named, type)) return Errno{EINVAL};
  return fd;
}

}  // namespace

Status put_aside(System& system, int dir, const char* name) {
  const auto info = system.stat_at(dir, name);
  if (!info) return info.error().number == ENOENT ? ok() : info.error();
  const bool is_empty = info->type == FileType::kRegular && info->size == 0;
  return is_empty ? make_room(system, dir, name) : rename_aside(system, dir, name);
}

bool is_obstacle(Errno error) { return error.number == EINVAL || error.number == ELOOP || error.number == ENXIO; }

Status set_access(System& system, int fd, unsigned mode, std::uint32_t group) {
  const auto info = system.stat(fd);
  if (!info) return info.error();
  if (group != kKeepGroup && info->gid != group)
    if (const auto done = system.set_group(fd, group); !done) return done;
  return info->mode == mode ? ok() : system.set_mode(fd, mode);
}

Result<UniqueFd> make_file(System& system, int dir, const char* name, unsigned mode) {
  if (const auto aside = make_room(system, dir, name); !aside) return aside.error();
  return owned(system, system.open(dir, name, OpenMode::kCreateToRewrite, mode));
}

Result<UniqueFd> open_to_read(System& system, int dir, const char* name, FileType type) {
  return open_ours(system, dir, name, type, type == FileType::kDirectory ? OpenMode::kDirectory : OpenMode::kRead);
}

Result<UniqueFd> open_to_rewrite(System& system, int dir, const char* name) {
  return open_ours(system, dir, name, FileType::kRegular, OpenMode::kReadWrite);
}

Result<UniqueFd> open_file(System& system, int dir, const char* name, unsigned mode, Writing writing) {
  const auto existing = writing == Writing::kAppend ? OpenMode::kAppend : OpenMode::kReadWrite;
  const auto fresh = writing == Writing::kAppend ? OpenMode::kCreate : OpenMode::kCreateToRewrite;
  auto fd = open_ours(system, dir, name, FileType::kRegular, existing);
  if (!fd && fd.error().number == ENOENT) {
    fd = owned(system, system.open(dir, name, fresh, mode));
    if (fd || fd.error().number != EEXIST) return fd;
    // Somebody was quicker: another supervise that starts, at best.
    fd = open_ours(system, dir, name, FileType::kRegular, existing);
  }
  if (!fd) {
    if (!is_obstacle(fd.error())) return fd;
    if (const auto aside = put_aside(system, dir, name); !aside) return aside.error();
    return owned(system, system.open(dir, name, fresh, mode));
  }
  if (const auto set = set_access(system, fd->get(), mode, kKeepGroup); !set) return set.error();
  return fd;
}

Result<UniqueFd> open_fifo(System& system, int dir, const char* name, OpenMode how, unsigned mode, std::uint32_t group) {
  auto fd = open_ours(system, dir, name, FileType::kFifo, how);
  if (!fd) {
    if (fd.error().number != ENOENT && !is_obstacle(fd.error())) return fd;
    if (const auto aside = make_room(system, dir, name); !aside) return aside.error();
    if (const auto made = system.make_fifo(dir, name, mode); !made) return made.error();
    fd = open_ours(system, dir, name, FileType::kFifo, how);
    if (!fd) return fd;
  }
  if (const auto set = set_access(system, fd->get(), mode, group); !set) return set.error();
  return fd;
}

Result<UniqueFd> open_subdirectory(System& system, int dir, const char* name, unsigned mode, std::uint32_t group) {
  auto fd = open_ours(system, dir, name, FileType::kDirectory, OpenMode::kDirectory);
  if (!fd) {
    if (fd.error().number != ENOENT && !is_obstacle(fd.error())) return fd;
    if (const auto aside = make_room(system, dir, name); !aside) return aside.error();
    if (const auto made = system.make_directory(dir, name, mode); !made) return made.error();
    fd = open_ours(system, dir, name, FileType::kDirectory, OpenMode::kDirectory);
    if (!fd) return fd;
  }
  if (const auto set = set_access(system, fd->get(), mode, group); !set) return set.error();
  return fd;
}

Status ensure_link(System& system, int dir, const char* name, const char* target) {
  std::array<char, 64> found{};
  const auto n = system.read_link(dir, name, found);
  if (n && std::string_view(found.data(), *n) == target) return ok();
  if (const auto aside = make_room(system, dir, name); !aside) return aside;
  return system.make_link(target, dir, name);
}

bool is_kept_from_others(System& system, const FileInfo& info) {
  return (info.uid == 0 || info.uid == system.own_uid()) && (info.mode & 0022U) == 0;
}

bool is_entry(System& system, int dir, const char* name, int fd) {
  const auto named = system.stat_at(dir, name);
  const auto opened = system.stat(fd);
  return named && opened && is_same_file(*named, *opened);
}

}  // namespace sys
