#include "fault/sim_system.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <csignal>

namespace sim {
namespace {

using core::Stage;
using sys::Errno;
using sys::FileType;
using sys::OpenMode;
using sys::Result;
using sys::Status;

constexpr std::size_t kBlock = 4096;
constexpr std::uint64_t kOwnStart = 5000;
constexpr std::int32_t kInit = 1;
constexpr std::string_view kOwnDescriptors = "/proc/self/fd/";

std::int64_t blocks(std::size_t size) { return static_cast<std::int64_t>((size + kBlock - 1) / kBlock); }

struct OpRow {
  const char* name;
  std::vector<Error> errors;
};

const std::array<OpRow, kOps>& rows() {
  static const std::array<OpRow, kOps> table = {{
      {"open", {{EMFILE}, {ENFILE}, {ENOMEM}, {EACCES}, {EIO}}},
      {"create", {{EMFILE}, {ENOSPC}, {EDQUOT}, {EROFS}}},
      {"read", {{EIO}}},
      {"read_at", {{EIO}}},
      {"write", {{ENOSPC}, {EIO}, {EDQUOT}, {kShort}}},
      {"write_at", {{ENOSPC}, {EIO}, {kShort}}},
      {"truncate", {{EIO}, {EPERM}}},
      {"stat", {{EIO}, {ENOMEM}}},
      {"stat_at", {{EIO}, {ENOMEM}, {EACCES}}},
      {"make_directory", {{ENOSPC}, {EACCES}, {ENOMEM}, {EROFS}}},
      {"make_fifo", {{ENOSPC}, {EACCES}, {EDQUOT}}},
      {"make_link", {{ENOSPC}, {EACCES}, {EIO}}},
      {"read_link", {{EIO}, {ENOMEM}}},
      {"remove", {{EIO}, {EACCES}, {EBUSY}}},
      {"remove_directory", {{EACCES}, {EBUSY}}},
      {"rename", {{ENOSPC}, {EIO}, {EACCES}}},
      {"exchange", {{ENOSYS}, {EINVAL}, {EIO}, {ENOMEM}}},
      {"set_mode", {{EIO}, {EPERM}, {EROFS}}},
      {"set_group", {{EPERM}, {EIO}}},
      {"lock", {{ENOLCK}}},
      {"watch", {{ENOMEM}, {EINVAL}}},
      {"pipe_with", {{EMFILE}, {ENFILE}}},
      {"move", {{ENOSPC}, {EIO}, {EDQUOT}, {kShort}}},
      {"peek", {{EMFILE}, {ENOMEM}}},
      {"lock_record", {{ENOLCK}}},
      {"fork", {{EAGAIN}, {ENOMEM}}},
      {"receiver", {{EMFILE}, {ENOMEM}}},
      {"receive", {{ENOMEM}}},
      {"children", {{EMFILE}, {ENOMEM}}},
      {"process", {{EMFILE}}},
      {"watch_process", {{EMFILE}, {ENOSYS}}},
      {"signal", {{ENOSYS}, {EINVAL}, {EPERM}}},
      {"spawn", {{EAGAIN}, {ENOMEM}, {ENOMEM, Stage::kExec}, {EMFILE, Stage::kExec}, {EACCES, Stage::kExec}, {ETXTBSY, Stage::kExec}}},
      {"reap", {{EINVAL}}},
      {"kill", {{EPERM}}},
      {"kill with KILL", {}},
      {"wait", {{ENOMEM}, {EINVAL}}},
  }};
  return table;
}

bool writes(OpenMode mode) {
  return mode == OpenMode::kWrite || mode == OpenMode::kAppend || mode == OpenMode::kReadWrite || mode == OpenMode::kReadWriteFollowing || mode == OpenMode::kCreate ||
         mode == OpenMode::kCreateToRewrite;
}
bool reads(OpenMode mode) { return mode != OpenMode::kWrite && mode != OpenMode::kAppend; }
bool appends(OpenMode mode) { return mode == OpenMode::kAppend || mode == OpenMode::kCreate; }
bool creates(OpenMode mode) { return mode == OpenMode::kCreate || mode == OpenMode::kCreateToRewrite; }
bool wants_directory(OpenMode mode) { return mode == OpenMode::kDirectory || mode == OpenMode::kSearch; }

std::vector<std::string> strings(const char* const* words) {
  std::vector<std::string> out;
  for (; words && *words; ++words) out.emplace_back(*words);
  return out;
}

}  // namespace

std::string name_of(Op op) { return rows()[static_cast<std::size_t>(op)].name; }
const std::vector<Error>& errors_of(Op op) { return rows()[static_cast<std::size_t>(op)].errors; }

SimSystem::SimSystem() { root_ = new_node(FileType::kDirectory, 0755, {}); }

// --- the script's side ---

NodePtr SimSystem::new_node(FileType type, unsigned mode, std::string data) {
  auto node = std::make_shared<Node>();
  node->type = type;
  node->mode = mode;
  node->uid = uid;
  node->inode = ++last_inode_;
  node->data = std::move(data);
  return node;
}

NodePtr SimSystem::find(std::string_view path) const { return walk(root_, path, false, 0).node; }

NodePtr SimSystem::put(const std::string& path, FileType type, std::string data, unsigned mode) {
  const auto slash = path.rfind('/');
  if (slash != 0 && !find(path.substr(0, slash))) put(path.substr(0, slash), FileType::kDirectory, {}, 0755);
  const auto directory = slash == 0 ? root_ : find(path.substr(0, slash));
  auto node = new_node(type, mode, std::move(data));
  directory->entries[path.substr(slash + 1)] = node;
  changed(directory, Op::kCreate);
  return node;
}

void SimSystem::remove_tree(const std::string& path) {
  const auto place = walk(root_, path, false, 0);
  if (!place.node) return;
  while (place.node->type == FileType::kDirectory && !place.node->entries.empty())
    remove_tree(path + "/" + place.node->entries.begin()->first);
  --place.node->links;
  place.directory->entries.erase(place.name);
  changed(place.directory, Op::kRemove);
}

void SimSystem::move(const std::string& from, const std::string& to) {
  const auto source = walk(root_, from, false, 0);
  const auto target = walk(root_, to, false, 0);
  target.directory->entries[target.name] = source.node;
  source.directory->entries.erase(source.name);
  changed(source.directory, Op::kRename);
  changed(target.directory, Op::kRename);
}

bool SimSystem::write_fifo(const std::string& path, std::string_view bytes) {
  const auto node = walk(root_, path, true, 0).node;
  if (!node || node->type != FileType::kFifo || openers(node, false) == 0) return false;
  node->data += bytes;
  return true;
}

bool SimSystem::is_open(const NodePtr& node) const {
  return std::any_of(fds_.begin(), fds_.end(), [&](const auto& fd) { return fd.second->node == node; });
}

void SimSystem::die_in(std::int32_t child, core::Nanos delay, core::Outcome outcome) {
  in(delay, [this, child, outcome] { die(children_.at(child), outcome); });
}

void SimSystem::die(Child& child, core::Outcome outcome) {
  if (!child.alive) return;
  child.alive = false;
  child.died = mono_;
  child.outcome = outcome;
  for (auto& [other_pid, other] : children_) {
    if (other.parent != child.pid) continue;
    other.parent = pid;
    if (!other.alive) zombies_.push_back(other_pid);
  }
  if (child.parent == kInit) child.reaped = init_reaps;
  if (child.parent != pid) return;
  zombies_.push_back(child.pid);
  arrived_.child = true;
}

void SimSystem::kill_supervise() {
  for (auto& [child_pid, child] : children_)
    if (child.parent == pid) child.parent = kInit;
  ++pid;
}

Child& SimSystem::fork_from(std::int32_t parent, const std::string& name) {
  auto child = children_.at(parent);
  child.pid = ++last_pid_;
  child.start = static_cast<std::uint64_t>(child.pid) * 7;
  child.parent = parent;
  child.program = name;
  child.signals.clear();
  child.born = mono_;
  return children_[child.pid] = child;
}

bool SimSystem::notify(std::int32_t sender, std::string message) {
  for (const auto& [fd, description] : fds_) {
    if (description->mode != OpenMode::kReadWrite || !description->node->had_writer || description->node->type != FileType::kOther) continue;
    description->node->datagrams.emplace_back(sender, std::move(message));
    return true;
  }
  return false;
}

void SimSystem::touch(const std::string& path) {
  auto node = find(path);
  if (!node) node = put(path, FileType::kRegular);
  node->modified = now().wall;
}

// --- names ---

SimSystem::Place SimSystem::walk(const NodePtr& from, std::string_view path, bool follow, int depth) const {
  if (depth > 8) return {{}, {}, {}, ELOOP};
  const auto& begin = path.starts_with('/') ? root_ : from;
  Place place{begin, {}, begin, 0};
  while (!path.empty()) {
    const auto name = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(path.size(), name.size() + 1));
    if (name.empty() || name == ".") continue;
    if (!place.node) return {{}, {}, {}, ENOENT};
    if (place.node->type != FileType::kDirectory) return {{}, {}, {}, ENOTDIR};
    const auto found = place.node->entries.find(name);
    place.directory = std::move(place.node);
    place.name = name;
    place.node = found == place.directory->entries.end() ? nullptr : found->second;
    const bool last = path.find_first_not_of('/') == std::string_view::npos;
    if (place.node && place.node->type == FileType::kLink && (!last || follow)) {
      place = walk(place.directory, place.node->data, true, depth + 1);
      if (place.error != 0) return place;
    }
  }
  return place;
}

SimSystem::Place SimSystem::look(int dir, std::string_view name, bool follow) const {
  if (dir == sys::kWorkingDirectory || name.starts_with('/')) return walk(root_, name, follow, 0);
  const auto* from = description(dir);
  if (!from) return {{}, {}, {}, EBADF};
  return walk(from->node, name, follow, 0);
}

// --- descriptors ---

Description* SimSystem::description(int fd) const {
  const auto found = fds_.find(fd);
  return found == fds_.end() ? nullptr : found->second.get();
}

int SimSystem::add_descriptor(Description what) {
  int fd = 3;
  while (fds_.count(fd) != 0) ++fd;
  fds_[fd] = std::make_shared<Description>(std::move(what));
  return fd;
}

std::size_t SimSystem::openers(const NodePtr& node, bool writing) const {
  const auto ours = std::count_if(fds_.begin(), fds_.end(), [&](const auto& fd) {
    return fd.second->node == node && (writing ? writes(fd.second->mode) : reads(fd.second->mode));
  });
  const auto theirs = std::count_if(children_.begin(), children_.end(), [&](const auto& child) {
    return writing && child.second.alive && child.second.ready == node;
  });
  return static_cast<std::size_t>(ours + theirs);
}

const Error* SimSystem::fails(Op op) {
  const auto call = calls_++;
  log_.push_back(op);
  return fault ? fault(op, call) : nullptr;
}

void SimSystem::changed(const NodePtr& directory, Op op) {
  for (const auto& fd : fds_)
    if (fd.second->watching && fd.second->node == directory) arrived_.watched = true;
  if (after) after(op);
}

Result<int> SimSystem::open(int dir, const char* name, OpenMode mode, unsigned permissions) {
  const Exempt exempt;
  if (const auto* error = fails(creates(mode) ? Op::kCreate : Op::kOpen)) return Errno{error->number};
  auto place = look(dir, name, mode == OpenMode::kReadFollowing || mode == OpenMode::kReadWriteFollowing);
  if (place.error != 0) return Errno{place.error};
  if (creates(mode)) {
    if (place.node) return Errno{EEXIST};
    if (place.directory->links == 0) return Errno{ENOENT};
    if (free_blocks <= 0) return Errno{ENOSPC};
    place.node = place.directory->entries[place.name] = new_node(FileType::kRegular, permissions, {});
    changed(place.directory, Op::kCreate);
  }
  if (!place.node) return Errno{ENOENT};
  if (place.node->type == FileType::kLink) return Errno{ELOOP};
  const bool is_directory = place.node->type == FileType::kDirectory;
  if (wants_directory(mode) && !is_directory) return Errno{ENOTDIR};
  if (is_directory && writes(mode)) return Errno{EISDIR};
  if (place.node->type == FileType::kFifo && mode == OpenMode::kWrite) {
    if (openers(place.node, false) == 0) return Errno{ENXIO};
    place.node->had_writer = true;
  }
  ++place.node->opened;
  return add_descriptor({place.node, mode, 0, false});
}

void SimSystem::close(int fd) {
  const Exempt exempt;
  if (fds_.erase(fd) == 0) violation("close of descriptor " + std::to_string(fd) + " which is not open");
}

bool SimSystem::readable(int fd) const {
  if (fd < 0) return false;
  const auto* from = description(fd);
  if (!from) return true;
  if (from->node->watched != 0) return !children_.at(from->node->watched).alive;
  if (!from->node->datagrams.empty()) return true;
  if (from->node->type != FileType::kFifo) return false;
  return !from->node->data.empty() || (from->node->had_writer && openers(from->node, true) == 0);
}

Result<std::size_t> SimSystem::read(int fd, std::span<char> into) {
  const Exempt exempt;
  if (const auto* error = fails(Op::kRead)) return Errno{error->number};
  auto* from = description(fd);
  if (!from || !reads(from->mode)) return Errno{EBADF};
  auto& data = from->node->data;
  if (from->node->type == FileType::kFifo) {
    if (data.empty() && (openers(from->node, true) != 0 || !from->node->had_writer)) return Errno{EAGAIN};
    const auto n = data.copy(into.data(), into.size());
    data.erase(0, n);
    return n;
  }
  if (from->offset >= data.size()) return std::size_t{0};
  const auto n = data.copy(into.data(), into.size(), from->offset);
  from->offset += n;
  return n;
}

Result<std::size_t> SimSystem::read_at(int fd, std::span<char> into, std::int64_t offset) {
  const Exempt exempt;
  if (const auto* error = fails(Op::kReadAt)) return Errno{error->number};
  const auto* from = description(fd);
  if (!from) return Errno{EBADF};
  const auto start = static_cast<std::size_t>(offset);
  return start >= from->node->data.size() ? std::size_t{0} : from->node->data.copy(into.data(), into.size(), start);
}

Result<std::size_t> SimSystem::store(Op op, int fd, std::size_t offset, std::string_view data) {
  const Exempt exempt;
  const auto* error = fails(op);
  if (error && error->number != kShort) return Errno{error->number};
  const auto half = data.substr(0, data.size() / 2);
  if (fd == 2) {
    if (error) data = half;
    stderr_ += data;
    return data.size();
  }
  auto* into = description(fd);
  if (!into || !writes(into->mode)) return Errno{EBADF};
  auto& content = into->node->data;
  if (offset == std::string::npos) offset = appends(into->mode) || into->node->type == FileType::kFifo ? content.size() : into->offset;
  // What goes into the one block that a file has is written as a whole or not at all.
  const bool within_block = op == Op::kWriteAt && offset == 0 && !content.empty() && data.size() <= kBlock;
  if (error && !within_block) data = half;
  const auto more = [&](std::size_t n) { return std::max<std::int64_t>(0, blocks(offset + n) - blocks(content.size())); };
  std::size_t n = data.size();
  if (n != 0 && offset >= file_limit) return Errno{EFBIG};
  n = std::min<std::uint64_t>(n, file_limit - std::min<std::uint64_t>(offset, file_limit));
  while (n > 0 && more(n) > free_blocks) --n;
  if (n == 0 && !data.empty()) return Errno{ENOSPC};
  if (free_blocks != INT64_MAX) free_blocks -= more(n);
  if (content.size() < offset + n) content.resize(offset + n);
  content.replace(offset, n, data.substr(0, n));
  into->offset = offset + n;
  if (after) after(op);
  return n;
}

Result<std::size_t> SimSystem::write(int fd, std::string_view data) { return store(Op::kWrite, fd, std::string::npos, data); }
Result<std::size_t> SimSystem::write_at(int fd, std::string_view data, std::int64_t offset) {
  return store(Op::kWriteAt, fd, static_cast<std::size_t>(offset), data);
}

Result<std::size_t> SimSystem::move(int from, int to, std::int64_t offset, std::size_t n) {
  const Exempt exempt;
  auto* source = description(from);
  if (!source || !description(to)) return Errno{EBADF};
  if (appends(description(to)->mode)) return Errno{EINVAL};
  auto& data = source->node->data;
  if (data.empty()) return openers(source->node, true) != 0 ? Result<std::size_t>(Errno{EAGAIN}) : std::size_t{0};
  const auto moved = store(Op::kMove, to, static_cast<std::size_t>(offset), std::string_view(data).substr(0, n));
  if (moved) data.erase(0, *moved);
  return moved;
}

Result<std::size_t> SimSystem::peek(int from, std::span<char> into) {
  const Exempt exempt;
  if (const auto* error = fails(Op::kPeek)) return Errno{error->number};
  const auto* source = description(from);
  if (!source) return Errno{EBADF};
  const auto& data = source->node->data;
  if (data.empty()) return openers(source->node, true) != 0 ? Result<std::size_t>(Errno{EAGAIN}) : std::size_t{0};
  return data.copy(into.data(), into.size());
}

Status SimSystem::lock_record(int fd) {
  const Exempt exempt;
  if (const auto* error = fails(Op::kLockRecord)) return Errno{error->number};
  return description(fd) ? sys::ok() : Status(Errno{EBADF});
}

Result<std::int32_t> SimSystem::lock_holder(int fd) {
  const Exempt exempt;
  if (const auto* error = fails(Op::kLockRecord)) return Errno{error->number};
  const auto holder = children_.find(record_lock_holder);
  if (!description(fd)) return Errno{EBADF};
  return holder != children_.end() && holder->second.alive ? record_lock_holder : 0;
}

Result<std::int32_t> SimSystem::fork(std::span<const int> kept, int null, const char* title, void (*)(void*), void*) {
  const Exempt exempt;
  if (const auto* error = fails(Op::kFork)) return Errno{error->number};
  for (const int fd : kept)
    if (!description(fd)) violation("a copy is given descriptor " + std::to_string(fd) + " which is not open");
  if (!description(null)) violation("a copy is given no null");
  for (const auto& [other_pid, other] : children_)
    if (other.alive && other.parent == pid && other.program == title) violation("a second logger beside " + std::to_string(other_pid));
  Child child;
  child.pid = ++last_pid_;
  child.start = static_cast<std::uint64_t>(child.pid) * 7;
  child.parent = pid;
  child.session = child.pid;
  child.program = title;
  child.born = mono_;
  for (const int fd : kept)
    if (const auto* what = description(fd); what && what->node->type == FileType::kFifo && what->mode == OpenMode::kWrite) child.ready = what->node;
  children_[child.pid] = child;
  // It waits for the lock as long as another has it.
  if (const auto holder = children_.find(record_lock_holder); holder == children_.end() || !holder->second.alive) record_lock_holder = child.pid;
  return child.pid;
}

Status SimSystem::truncate(int fd, std::int64_t size) {
  const Exempt exempt;
  if (const auto* error = fails(Op::kTruncate)) return Errno{error->number};
  auto* into = description(fd);
  if (!into || !writes(into->mode)) return Errno{EBADF};
  into->node->data.resize(static_cast<std::size_t>(size));
  if (after) after(Op::kTruncate);
  return sys::ok();
}

namespace {
sys::FileInfo info_of(const Node& node) {
  return {node.type, node.mode, node.uid, node.gid, node.links, 1, node.inode, static_cast<std::int64_t>(node.data.size()), node.modified, node.modified};
}
}  // namespace

Result<sys::FileInfo> SimSystem::stat(int fd) {
  const Exempt exempt;
  if (const auto* error = fails(Op::kStat)) return Errno{error->number};
  const auto* what = description(fd);
  if (!what) return Errno{EBADF};
  return info_of(*what->node);
}

Result<sys::FileInfo> SimSystem::stat_following(const char* path) {
  const Exempt exempt;
  if (const auto* error = fails(Op::kStatAt)) return Errno{error->number};
  const auto place = look(sys::kWorkingDirectory, path, true);
  if (!place.node) return Errno{place.error != 0 ? place.error : ENOENT};
  return info_of(*place.node);
}

Result<sys::FileInfo> SimSystem::stat_at(int dir, const char* name) {
  const Exempt exempt;
  if (const auto* error = fails(Op::kStatAt)) return Errno{error->number};
  const auto place = look(dir, name, false);
  if (place.error != 0) return Errno{place.error};
  if (!place.node) return Errno{ENOENT};
  return info_of(*place.node);
}

// --- entries ---

Status SimSystem::make(Op op, int dir, const char* name, FileType type, unsigned mode, std::string data) {
  const Exempt exempt;
  if (const auto* error = fails(op)) return Errno{error->number};
  const auto place = look(dir, name, false);
  if (place.error != 0) return Errno{place.error};
  if (place.node) return Errno{EEXIST};
  if (place.directory->links == 0) return Errno{ENOENT};
  if (free_blocks <= 0) return Errno{ENOSPC};
  place.directory->entries[place.name] = new_node(type, mode, std::move(data));
  changed(place.directory, op);
  return sys::ok();
}

Status SimSystem::make_directory(int dir, const char* name, unsigned mode) {
  return make(Op::kMakeDirectory, dir, name, FileType::kDirectory, mode, {});
}
Status SimSystem::make_fifo(int dir, const char* name, unsigned mode) {
  return make(Op::kMakeFifo, dir, name, FileType::kFifo, mode, {});
}
Status SimSystem::make_link(const char* target, int dir, const char* name) {
  return make(Op::kMakeLink, dir, name, FileType::kLink, 0777, target);
}

Result<std::size_t> SimSystem::read_link(int dir, const char* name, std::span<char> into) {
  const Exempt exempt;
  if (const auto* error = fails(Op::kReadLink)) return Errno{error->number};
  if (const std::string_view link = name; link.starts_with(kOwnDescriptors)) {
    const auto* what = description(std::stoi(std::string(link.substr(kOwnDescriptors.size()))));
    const auto path = what ? path_of(what->node, root_, "") : std::string();
    return path.empty() ? Result<std::size_t>(Errno{ENOENT}) : path.copy(into.data(), into.size());
  }
  const auto place = look(dir, name, false);
  if (place.error != 0) return Errno{place.error};
  if (!place.node) return Errno{ENOENT};
  if (place.node->type != FileType::kLink) return Errno{EINVAL};
  return place.node->data.copy(into.data(), into.size());
}

std::string SimSystem::path_of(const NodePtr& node, const NodePtr& from, const std::string& path) const {
  if (node == from) return path.empty() ? "/" : path;
  for (const auto& [name, entry] : from->entries)
    if (const auto found = path_of(node, entry, path + "/" + name); !found.empty()) return found;
  return {};
}

Status SimSystem::remove(int dir, const char* name) {
  const Exempt exempt;
  if (const auto* error = fails(Op::kRemove)) return Errno{error->number};
  const auto place = look(dir, name, false);
  if (place.error != 0) return Errno{place.error};
  if (!place.node) return Errno{ENOENT};
  if (place.node->type == FileType::kDirectory) return Errno{EISDIR};
  --place.node->links;
  place.directory->entries.erase(place.name);
  changed(place.directory, Op::kRemove);
  return sys::ok();
}

Status SimSystem::remove_directory(int dir, const char* name) {
  const Exempt exempt;
  if (const auto* error = fails(Op::kRemoveDirectory)) return Errno{error->number};
  const auto place = look(dir, name, false);
  if (place.error != 0) return Errno{place.error};
  if (!place.node) return Errno{ENOENT};
  if (place.node->type != FileType::kDirectory) return Errno{ENOTDIR};
  if (!place.node->entries.empty()) return Errno{ENOTEMPTY};
  place.node->links = 0;
  place.directory->entries.erase(place.name);
  changed(place.directory, Op::kRemoveDirectory);
  return sys::ok();
}

Status SimSystem::rename(int dir, const char* from, const char* to) {
  const Exempt exempt;
  if (const auto* error = fails(Op::kRename)) return Errno{error->number};
  const auto source = look(dir, from, false), target = look(dir, to, false);
  if (source.error != 0 || target.error != 0) return Errno{source.error | target.error};
  if (!source.node) return Errno{ENOENT};
  if (target.node && target.node->type == FileType::kDirectory) {
    if (source.node->type != FileType::kDirectory) return Errno{EISDIR};
    if (!target.node->entries.empty()) return Errno{ENOTEMPTY};
  }
  if (target.node) --target.node->links;
  target.directory->entries[target.name] = source.node;
  source.directory->entries.erase(source.name);
  changed(target.directory, Op::kRename);
  return sys::ok();
}

Status SimSystem::exchange(int dir, const char* one, const char* other) {
  const Exempt exempt;
  if (const auto* error = fails(Op::kExchange)) return Errno{error->number};
  const auto a = look(dir, one, false), b = look(dir, other, false);
  if (a.error != 0 || b.error != 0) return Errno{a.error | b.error};
  if (!a.node || !b.node) return Errno{ENOENT};
  a.directory->entries[a.name] = b.node;
  b.directory->entries[b.name] = a.node;
  changed(a.directory, Op::kExchange);
  return sys::ok();
}

Status SimSystem::set_mode(int fd, unsigned mode) {
  const Exempt exempt;
  if (const auto* error = fails(Op::kSetMode)) return Errno{error->number};
  auto* what = description(fd);
  if (!what) return Errno{EBADF};
  what->node->mode = mode;
  return sys::ok();
}

Status SimSystem::set_group(int fd, std::uint32_t gid) {
  const Exempt exempt;
  if (const auto* error = fails(Op::kSetGroup)) return Errno{error->number};
  auto* what = description(fd);
  if (!what) return Errno{EBADF};
  what->node->gid = gid;
  return sys::ok();
}

Status SimSystem::lock(int fd) {
  const Exempt exempt;
  if (const auto* error = fails(Op::kLock)) return Errno{error->number};
  const auto found = fds_.find(fd);
  if (found == fds_.end()) return Errno{EBADF};
  const auto holder = found->second->node->locker.lock();
  if (holder && holder != found->second) return Errno{EWOULDBLOCK};
  found->second->node->locker = found->second;
  return sys::ok();
}

Status SimSystem::watch(int directory) {
  const Exempt exempt;
  if (const auto* error = fails(Op::kWatch)) return Errno{error->number};
  auto* what = description(directory);
  if (!what) return Errno{EBADF};
  what->watching = true;
  return sys::ok();
}

Result<int> SimSystem::pipe_with(std::string_view data) {
  const Exempt exempt;
  if (const auto* error = fails(Op::kPipe)) return Errno{error->number};
  auto node = new_node(FileType::kFifo, 0600, std::string(data));
  node->had_writer = true;
  return add_descriptor({node, OpenMode::kRead, 0, false});
}

Result<sys::Pipe> SimSystem::pipe() {
  const Exempt exempt;
  if (const auto* error = fails(Op::kPipe)) return Errno{error->number};
  auto node = new_node(FileType::kFifo, 0600, {});
  node->had_writer = true;
  const int reader = add_descriptor({node, OpenMode::kRead, 0, false});
  return sys::Pipe{reader, add_descriptor({node, OpenMode::kWrite, 0, false})};
}

Result<int> SimSystem::receiver(std::string_view) {
  const Exempt exempt;
  if (const auto* error = fails(Op::kReceiver)) return Errno{error->number};
  auto node = new_node(FileType::kOther, 0600, {});
  node->had_writer = true;
  return add_descriptor({node, OpenMode::kReadWrite, 0, false});
}

Result<sys::Datagram> SimSystem::receive(int fd, std::span<char> into) {
  const Exempt exempt;
  if (const auto* error = fails(Op::kReceive)) return Errno{error->number};
  auto* from = description(fd);
  if (!from) return Errno{EBADF};
  auto& waiting = from->node->datagrams;
  if (waiting.empty()) return Errno{EAGAIN};
  const auto [sender, message] = waiting.front();
  waiting.erase(waiting.begin());
  message.copy(into.data(), into.size());
  return sys::Datagram{message.size(), sender};
}

// --- processes ---

sys::Spawned SimSystem::spawn(const sys::Spawn& request) {
  const Exempt exempt;
  const auto* error = fails(Op::kSpawn);
  if (error && error->stage == Stage::kFork) return {0, core::StartFailure{Stage::kFork, error->number}};
  Child child;
  child.pid = ++last_pid_;
  child.start = static_cast<std::uint64_t>(child.pid) * 7;
  child.parent = pid;
  child.is_service = request.leads != sys::Leads::kSession;
  child.session = child.is_service ? pid : child.pid;
  child.arguments = strings(request.arguments);
  child.environment = strings(request.environment);
  child.program = child.arguments.at(0);
  child.born = mono_;
  for (const int fd : {request.input, request.output, request.errors}) {
    if (description(fd)) continue;
    violation("a child is given descriptor " + std::to_string(fd) + " which is not open");
    return {0, core::StartFailure{Stage::kDescriptor, EBADF}};
  }
  if (description(request.input)->node->type == FileType::kFifo) child.input = description(request.input)->node->data;
  if (child.is_service)
    for (const auto& [other_pid, other] : children_)
      if (other.is_service && other.alive && other.program == child.program) violation("a second copy of the service beside " + std::to_string(other_pid));
  if (request.extra >= 0) {
    if (!description(request.extra)) violation("a child is handed a descriptor which is not open");
    else child.ready = description(request.extra)->node;
  }
  children_[child.pid] = child;
  if (request.before_exec) {
    const auto ours = fds_;    // the new process has a copy: what it opens or closes does not touch ours
    const auto depth = std::exchange(Exempt::depth, 0);
    request.before_exec(request.context, child.pid);
    Exempt::depth = depth;
    fds_ = ours;
  }
  std::optional<core::StartFailure> failure;
  if (error) failure = core::StartFailure{error->stage, error->number};
  const bool is_late = child.is_service && execution != core::Nanos::zero();
  if (!failure && child.is_service && !is_late) failure = broken_program;
  if (failure) {
    children_.erase(child.pid);
    return {0, failure};
  }
  if (on_start) on_start(children_.at(child.pid));
  return {child.pid, std::nullopt, is_late ? execute_late(child.pid) : -1};
}

// A descriptor that tells, later, whether the program could be executed.
int SimSystem::execute_late(std::int32_t child) {
  const auto node = new_node(FileType::kFifo, 0600, {});
  in(execution, [this, node, child] {
    node->had_writer = true;
    auto& late = children_.at(child);
    if (!broken_program || !late.alive) return;
    const auto left = std::bit_cast<std::array<char, sizeof(sys::LateFailure)>>(
        sys::LateFailure{static_cast<std::int32_t>(broken_program->stage), broken_program->cause});
    node->data.assign(left.begin(), left.end());
    die(late, core::Outcome::code(127));
  });
  return add_descriptor({node, OpenMode::kRead, 0, false});
}

Result<std::optional<sys::Reaped>> SimSystem::reap() {
  const Exempt exempt;
  if (const auto* error = fails(Op::kReap)) return Errno{error->number};
  if (zombies_.empty()) return std::optional<sys::Reaped>();
  auto& child = children_.at(zombies_.front());
  zombies_.erase(zombies_.begin());
  child.reaped = true;
  return std::optional(sys::Reaped{child.pid, child.outcome});
}

Status SimSystem::kill(std::int32_t target, int signal) {
  const Exempt exempt;
  if (const auto* error = fails(signal == SIGKILL ? Op::kKillForGood : Op::kKill)) return Errno{error->number};
  const auto found = children_.find(target < 0 ? -target : target);
  // A look, and no signal.
  if (signal == 0) return (found != children_.end() && !found->second.reaped) || others.contains(target) ? sys::ok() : Errno{ESRCH};
  if (target == 0 || target == -1 || found == children_.end() || found->second.reaped) {
    violation("signal " + std::to_string(signal) + " for a stranger, " + std::to_string(target));
    return Errno{ESRCH};
  }
  deliver(found->second, signal);
  return sys::ok();
}

void SimSystem::deliver(Child& child, int signal) {
  child.signals.push_back(signal);
  const bool deadly = signal == SIGTERM || signal == SIGINT || signal == SIGQUIT;
  if (signal == SIGKILL) return die(child, core::Outcome::signal(SIGKILL, false));
  if (signal == SIGSTOP) child.paused = true;
  if (signal == SIGCONT) child.paused = false;
  if (deadly && !child.ignores_term) child.pending = signal;
  if (child.paused || child.pending == 0) return;
  die_in(child.pid, child.dying, core::Outcome::signal(child.pending, false));
  child.pending = 0;
}

sys::ProcessInfo SimSystem::process(std::int32_t of) {
  const Exempt exempt;
  sys::ProcessInfo info;
  if (fails(Op::kProcess) || !has_proc) {
    const auto child = children_.find(of);
    info.hidden = of == pid || others.contains(of) || (child != children_.end() && !child->second.reaped);
    return info;
  }
  if (of == pid) {
    info.start = kOwnStart;
    info.session = pid;
  }
  if (const auto other = others.find(of); other != others.end()) info.start = other->second;
  const auto found = children_.find(of);
  if (found == children_.end() || found->second.reaped) return info;
  const auto& child = found->second;
  info.start = child.start;
  info.parent = child.parent;
  info.group = child.is_service ? of : child.session;
  info.session = child.session;
  info.dead = !child.alive;
  info.name << child.program;
  return info;
}

Result<std::size_t> SimSystem::children(std::span<std::int32_t> into) {
  const Exempt exempt;
  if (const auto* error = fails(Op::kChildren)) return Errno{error->number};
  std::size_t n = 0;
  for (const auto& [child_pid, child] : children_)
    if (child.parent == pid && !child.reaped && n < into.size()) into[n++] = child_pid;
  return n;
}

Result<int> SimSystem::watch_process(std::int32_t of) {
  const Exempt exempt;
  if (const auto* error = fails(Op::kWatchProcess)) return Errno{error->number};
  if (children_.count(of) == 0) return Errno{ESRCH};
  auto node = new_node(FileType::kOther, 0600, {});
  node->watched = of;
  return add_descriptor({node, OpenMode::kRead, 0, false});
}

Status SimSystem::signal(int watch, int signal, sys::Scope) {
  const Exempt exempt;
  if (const auto* error = fails(Op::kSignal)) return Errno{error->number};
  auto& child = children_.at(description(watch)->node->watched);
  if (child.reaped || (!child.alive && child.parent != pid)) return Errno{ESRCH};
  deliver(child, signal);
  return sys::ok();
}

Result<core::Outcome> SimSystem::end_of(int watch) {
  const Exempt exempt;
  if (const auto* error = fails(Op::kWatchProcess)) return Errno{error->number};
  return children_.at(description(watch)->node->watched).outcome;
}

Status SimSystem::replace(const char*, const char* const* arguments, const char* const*, std::span<const int> kept) {
  const Exempt exempt;
  if (!accepts_replacement) return Errno{ENOEXEC};
  replaced_by = strings(arguments);
  std::erase_if(fds_, [&](const auto& fd) { return std::find(kept.begin(), kept.end(), fd.first) == kept.end(); });
  return sys::ok();
}

// --- waiting ---

void SimSystem::run_events() {
  while (!events_.empty() && events_.begin()->first <= mono_) {
    const auto event = std::move(events_.begin()->second);
    events_.erase(events_.begin());
    event();
  }
}

Status SimSystem::wait(std::span<sys::Poll> polls, core::Instant deadline) {
  const Exempt exempt;
  ++waits_;
  last_deadline_ = deadline;
  // Without descriptors there is nothing that could fail.
  const bool none = std::all_of(polls.begin(), polls.end(), [](const sys::Poll& poll) { return poll.fd < 0; });
  if (const auto* error = none ? nullptr : fails(Op::kWait)) {
    mono_ += std::chrono::microseconds(1);    // so that a spin is seen as one, and ends
    return Errno{error->number};
  }
  while (true) {
    run_events();
    bool ready = arrived_.child || arrived_.terminate || arrived_.hangup || arrived_.watched;
    for (auto& poll : polls) ready = (poll.readable = readable(poll.fd)) || ready;
    if (ready || deadline <= mono_ || horizon_ <= mono_) break;
    const auto next = events_.empty() ? core::kNever : events_.begin()->first;
    mono_ = std::min({deadline, next, horizon_});
  }
  seen_.child |= arrived_.child;
  seen_.terminate |= arrived_.terminate;
  seen_.hangup |= arrived_.hangup;
  seen_.watched |= arrived_.watched;
  arrived_ = {};
  return sys::ok();
}

sys::Signals SimSystem::take_signals() { return std::exchange(seen_, {}); }

}  // namespace sim
