#include "sys/status_dir.h"

#include <array>
#include <cerrno>

#include "sys/platform.h"

namespace sys {
namespace {

constexpr unsigned kPrivate = 0600, kPublic = 0644;
constexpr std::size_t kDaemontoolsStatus = 18;

struct Link {
  const char* name;
  const char* target;
};
constexpr Link kShortcut = {"svcontrol", "control"};
constexpr std::array kToolLinks = {Link{"control", "../control"}, Link{"ok", "../ok"}};

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

Failure failure(const char* doing, const char* object, Errno error) { return {doing, object, error}; }

// Whether text is such as some supervise leaves in an entry of this kind.
// With NUL bytes a spare keeps its place on the disk.
bool is_blank(std::string_view text) { return text.find_first_not_of(std::string_view("\n \0", 3)) == std::string_view::npos; }
bool is_state(std::string_view text) { return core::state_value(text, "supervise_pid").has_value(); }
bool is_old_state(std::string_view text) { return is_blank(text) || is_state(text); }
bool is_status(std::string_view text) { return text.size() == core::kStatusSize || text.size() == kDaemontoolsStatus || is_blank(text); }
bool is_pid(std::string_view text) { return text.find_first_not_of("0123456789\n ") == std::string_view::npos; }

struct Owned {
  const char* name;
  bool (*is_ours)(std::string_view text);
};
constexpr std::array kOwned = {Owned{"lock", is_pid},       Owned{"control", is_blank}, Owned{"svcontrol", is_blank},
                               Owned{"ok", is_blank},       Owned{"status", is_status}, Owned{".status", is_status},
                               Owned{"state", is_old_state}, Owned{".state", is_old_state}, Owned{"supervise", is_blank}};

// Whether `name` is a file with words of somebody else. What can't be read is not taken for one: opening it will say so.
bool is_foreign(System& system, int dir, const Owned& entry) {
  const auto named = system.stat_at(dir, entry.name);
  if (!named || named->type != FileType::kRegular) return false;
  const auto fd = owned(system, system.open(dir, entry.name, OpenMode::kRead, 0));
  std::array<char, core::kStateMax> text{};
  const auto n = fd ? system.read(fd->get(), text) : Result<std::size_t>(fd.error());
  return n && !entry.is_ours({text.data(), *n});
}

// Empty where there is none, or none of ours.
Result<core::RecordText> read_text(System& system, int dir, const char* name, unsigned mode) {
  core::RecordText text;
  const auto fd = open_to_read(system, dir, name);
  if (!fd) return fd.error().number == ENOENT || is_obstacle(fd.error()) ? Result(text) : fd.error();
  const auto info = system.stat(fd->get());
  if (!info) return info.error();
  // A log that somebody has given the name of what we publish is not for others to read.
  if ((info->mode & mode) != mode) return text;
  std::array<char, core::kRecordMax> content{};
  const auto n = system.read(fd->get(), content);
  if (!n) return n.error();
  text << std::string_view(content.data(), *n);
  return text;
}

// Nobody but us can have put a file of ours into a directory of ours, nor such a directory into another one: that would change its
// `..`, for which it has to be writable.
Result<core::RecordText> read_record(System& system, int dir) {
  const auto inner = open_to_read(system, dir, "supervise", FileType::kDirectory);
  if (!inner) return inner.error().number == ENOENT || is_obstacle(inner.error()) ? Result(core::RecordText()) : inner.error();
  const auto info = system.stat(inner->get());
  if (!info) return info.error();
  return is_kept_from_others(system, *info) ? read_text(system, inner->get(), "record", kPrivate) : core::RecordText();
}

// What a supervise of another user has left here. Anybody can write such a `state` where we are not alone, so it speaks for that
// user's own processes and no others.
struct Foreign {
  core::RecordText text;            // empty: nothing that counts
  bool is_supervised = false;       // that supervise lives
};

Foreign read_foreign(System& system, int dir) {
  const auto named = system.stat_at(dir, "state");
  if (!named || named->type != FileType::kRegular || named->links != 1 || named->uid == system.own_uid()) return {};
  const auto fd = owned(system, system.open(dir, "state", OpenMode::kRead, 0));
  const auto info = fd ? system.stat(fd->get()) : Result<FileInfo>(fd.error());
  if (!info || !is_same_file(*info, *named)) return {};
  std::array<char, core::kStateMax> content{};
  const auto n = system.read(fd->get(), content);
  if (!n) return {};
  const std::string_view text(content.data(), *n);
  const auto recorded = core::recorded_processes(text);
  const auto is_theirs = [&](const core::ProcessId& process) {
    return process.pid > 0 && process.start != 0 && start_time(system, process.pid) == process.start && platform::user_of(system, process.pid) == info->uid;
  };
  Foreign foreign;
  foreign.is_supervised = is_theirs(recorded.supervise);
  if (foreign.is_supervised || is_theirs(recorded.service)) foreign.text << text;
  return foreign;
}

}  // namespace

// Where others can write, a file of ours is no proof that we have written it for this purpose, as a log of ours can be renamed.
Result<Recorded> read_recorded(System& system, int directory) {
  const auto record = read_record(system, directory);
  if (!record) return record.error();
  const auto info = system.stat(directory);
  if (!info) return info.error();
  const bool is_trusted = is_kept_from_others(system, *info);
  if (!record->view().empty() && !is_trusted) return Recorded{*record};
  const auto state = read_text(system, directory, "state", kPublic);
  if (!state) return state.error();
  // A `state` that has the memory was written by an earlier version, and after the record: we write both.
  const bool is_record = !record->view().empty() && !core::state_value(state->view(), "memory");
  if (is_record) return Recorded{*record};
  if (const auto foreign = state->view().empty() ? read_foreign(system, directory) : Foreign(); !foreign.text.view().empty()) return Recorded{foreign.text, false};
  return Recorded{*state, is_trusted};
}

StatusDir::StatusDir(System& system, std::string path, std::uint32_t group)
    : system_(system),
      path_(std::move(path)),
      group_(group),
      log_(system, false),
      status_(system, "status", ".status", core::kStatusSize, kPublic),
      state_(system, "state", ".state", core::kStateMax, kPublic),
      runit_status_(system, "status", ".status", core::kStatusSize, kPublic),
      record_(system, "record", ".record", core::kRecordMax, kPrivate) {}

Failure StatusDir::open() {
  auto failed = open_directory();
  if (!failed)
    if (const auto* foreign = foreign_entry()) return failure("cannot use a directory with a file that is not supervise's own:", foreign, Errno{EEXIST});
  if (!failed && (is_served() || read_foreign(system_, dir_.get()).is_supervised)) failed = failure("cannot lock", "lock", Errno{EWOULDBLOCK});
  if (!failed) failed = open_lock();
  Check ignored;
  if (!failed) failed = open_entries(ignored);
  if (!failed) {
    if (const auto opened = log_.open(dir_.get()); !opened) failed = failure("cannot open", "supervise.log", opened.error());
  }
  // Who finds the lock held has made nothing.
  if (failed && failed.error.number != EWOULDBLOCK) abandon();
  // Whoever tries again is not to find its own locks.
  if (failed) {
    lock_ = {};
    supervise_dir_ = {};
  }
  return failed;
}

// A file that would be replaced and holds somebody's words; null where there is none. In a directory with a state of ours all is ours, and what was
// planted there is put back.
const char* StatusDir::foreign_entry() {
  if (const auto recorded = read_recorded(system_, dir_.get()); !recorded || is_state(recorded->text.view())) return nullptr;
  for (const auto& entry : kOwned)
    if (is_foreign(system_, dir_.get(), entry)) return entry.name;
  return nullptr;
}

// Links in the path are the administrator's at the start. Whoever makes one later means to lead us elsewhere.
Result<Opened> StatusDir::open_path(Missing missing) {
  if (resolved_) return sys::open_directory(system_, path_, Links::kNone, missing, OpenMode::kDirectory);
  auto opened = sys::open_directory(system_, path_, Links::kAll, missing, OpenMode::kDirectory);
  if (!opened) return opened;
  std::array<char, 4096> path;
  const auto n = platform::resolve(system_, opened->fd.get(), path_.c_str(), path);
  resolved_ = n && *n < path.size() && path[0] == '/';
  if (resolved_) path_.assign(path.data(), *n);
  return opened;
}

Failure StatusDir::open_directory() {
  auto opened = open_path(Missing::kMake);
  if (!opened) return failure("cannot make or open", path_.c_str(), opened.error());
  made_directory_ = opened->made;
  const auto info = system_.stat(opened->fd.get());
  if (!info) return failure("cannot look at", path_.c_str(), info.error());
  found_mode_ = info->mode;
  found_group_ = info->gid;
  watched_ = static_cast<bool>(system_.watch(opened->fd.get()));
  dir_ = std::move(opened->fd);
  watch_parent();
  return group_ == kKeepGroup ? Failure() : set_directory_access();
}

// One that may be passed and not be read can't be watched, for good or for now.
void StatusDir::watch_parent() {
  const auto links = resolved_ ? Links::kNone : Links::kAll;
  auto parent = sys::open_directory(system_, parent_of(path_), links, Missing::kFail, OpenMode::kDirectory);
  parent_ = parent ? std::move(parent->fd) : UniqueFd();
  if (parent_) (void)system_.watch(parent_.get());
}

// A control_group may pass through the directory. Without one it is as it was found.
Failure StatusDir::set_directory_access() {
  const bool none = group_ == kKeepGroup;
  const auto set = set_access(system_, dir_.get(), none ? found_mode_ : found_mode_ | 0010, none ? found_group_ : group_);
  return set ? Failure() : failure("cannot give to control_group", "the status directory", set.error());
}

Failure StatusDir::open_lock() {
  auto fd = open_file(system_, dir_.get(), "lock", kPrivate);
  if (!fd) return failure("cannot open", "lock", fd.error());
  if (const auto locked = system_.lock(fd->get()); !locked) return failure("cannot lock", "lock", locked.error());
  // Whoever removed the name between open and lock would let a second supervise in.
  if (!is_entry(system_, dir_.get(), "lock", fd->get())) return failure("cannot lock", "lock", Errno{ESTALE});
  lock_ = std::move(*fd);
  return {};
}

Failure StatusDir::open_control() {
  // Both ways: without a writer the FIFO would read as ended.
  auto fd = open_fifo(system_, dir_.get(), "control", OpenMode::kReadWrite, fifo_mode(), group_);
  if (!fd) return failure("cannot open", "control", fd.error());
  control_ = std::move(*fd);
  return {};
}

Failure StatusDir::open_ok() {
  auto fd = open_fifo(system_, dir_.get(), "ok", OpenMode::kRead, fifo_mode(), group_);
  if (!fd) return failure("cannot open", "ok", fd.error());
  ok_ = std::move(*fd);
  return {};
}

Failure StatusDir::open_links() {
  if (const auto made = ensure_link(system_, dir_.get(), kShortcut.name, kShortcut.target); !made)
    return failure("cannot make", kShortcut.name, made.error());
  if (!supervise_dir_ || !is_entry(system_, dir_.get(), "supervise", supervise_dir_.get())) {
    auto opened = open_subdirectory(system_, dir_.get(), "supervise", subdirectory_mode(), group_);
    if (!opened) return failure("cannot open", "supervise", opened.error());
    // Of two that start at the moment in which `lock` is removed each has one, but this directory is one, and nobody else can open
    // it. Some file systems lock no directory.
    if (const auto locked = system_.lock(opened->get()); !locked && locked.error().number == EWOULDBLOCK)
      return failure("cannot lock", "supervise", locked.error());
    supervise_dir_ = std::move(*opened);
    runit_status_.detach();
    record_.detach();
    (void)system_.watch(supervise_dir_.get());
  }
  for (const auto& link : kToolLinks)
    if (const auto made = ensure_link(system_, supervise_dir_.get(), link.name, link.target); !made)
      return failure("cannot make", link.name, made.error());
  return {};
}

bool StatusDir::has_link(int dir, const char* name, const char* target) {
  std::array<char, 32> found{};
  const auto n = system_.read_link(dir, name, found);
  return n && std::string_view(found.data(), *n) == target;
}

// Opens what is not open or no longer the entry of its name. The first failure ends it; the next check goes on.
Failure StatusDir::open_entries(Check& result) {
  const auto missing = [&](const UniqueFd& fd, const char* name) {
    if (fd && is_entry(system_, dir_.get(), name, fd.get())) return false;
    if (!result.mended) result.mended = name;
    return true;
  };
  Failure failed;
  if (missing(control_, "control")) failed = open_control();
  if (!failed && missing(ok_, "ok")) failed = open_ok();
  bool links = !missing(supervise_dir_, "supervise");
  if (!has_link(dir_.get(), kShortcut.name, kShortcut.target)) links = false;
  for (const auto& link : kToolLinks)
    if (!has_link(supervise_dir_.get(), link.name, link.target)) links = false;
  if (!links && !result.mended) result.mended = "a link";
  if (!failed && !links) failed = open_links();
  return failed;
}

StatusDir::Check StatusDir::check() {
  Check result;
  taken_ = false;
  UniqueFd before;
  if (!is_in_place()) {
    result.mended = "the directory itself";
    before = std::move(dir_);
    if ((result.failure = open_directory())) {
      if (!dir_) dir_ = std::move(before);
      return result;
    }
  }
  if (!parent_) watch_parent();
  if (before || !lock_ || !is_entry(system_, dir_.get(), "lock", lock_.get())) {
    if (!result.mended) result.mended = "lock";
    result.failure = open_lock();
    // Where the directory that only one can lock is still ours, it is one that has lost the race and will let go.
    const bool lost = !before && supervise_dir_ && is_entry(system_, dir_.get(), "supervise", supervise_dir_.get());
    taken_ = !lost && result.failure.error.number == EWOULDBLOCK && is_lock_anothers();
    if (taken_) {
      if (before) dir_ = std::move(before);
      result.failure = failure("cannot put back, as another supervise has it,", path_.c_str(), Errno{EBUSY});
      return result;
    }
  }
  if (before) {
    status_.detach();
    state_.detach();
  }
  if (const auto failed = open_entries(result); failed && !result.failure) result.failure = failed;
  if (!log_.check(dir_.get()) && !result.mended) result.mended = "supervise.log";
  bool intact = status_.check(dir_.get());
  intact = state_.check(dir_.get()) && intact;
  intact = runit_status_.check(supervise_dir_.get()) && intact;
  intact = record_.check(supervise_dir_.get()) && intact;
  result.republish = !intact;
  if (!intact && !result.mended) result.mended = "status";
  return result;
}

// Our own lock stands in our way where only the look at it had failed.
bool StatusDir::is_lock_anothers() {
  const auto named = system_.stat_at(dir_.get(), "lock"), ours = system_.stat(lock_.get());
  return named && ours && !is_same_file(*named, *ours);
}

bool StatusDir::is_in_place() {
  const auto named = open_path(Missing::kFail);
  // Nothing can be said where even a look fails for want of a descriptor or memory.
  if (!named) return named.error().number != ENOENT && named.error().number != ENOTDIR && named.error().number != ELOOP;
  const auto found = system_.stat(named->fd.get());
  const auto ours = system_.stat(dir_.get());
  return !found || !ours || is_same_file(*found, *ours);
}

bool StatusDir::is_output_open() {
  for (const auto* name : {"stdout", "stderr"}) {
    const auto fd = owned(system_, system_.open(supervise_dir_.get(), name, OpenMode::kWrite, 0));
    if (fd || (fd.error().number != ENOENT && !is_obstacle(fd.error()))) return true;
  }
  return false;
}

bool StatusDir::is_served() {
  if (ok_) return false;
  const auto found = recorded();
  if (!found) return false;
  const auto other = core::recorded_processes(found->text.view()).supervise;
  if (other.pid == 0 || other.start != 0 || other.pid == system_.own_pid()) return false;
  return static_cast<bool>(owned(system_, system_.open(dir_.get(), "ok", OpenMode::kWrite, 0)));
}

void StatusDir::prepare() {
  status_.prepare(dir_.get());
  state_.prepare(dir_.get());
  runit_status_.prepare(supervise_dir_.get());
  record_.prepare(supervise_dir_.get());
}

Failure StatusDir::publish(const core::Status& status, const core::EncodedRecord& record, Means means) {
  if (taken_) return failure("cannot write", "status", Errno{EBUSY});
  const auto ours = core::encode_status(status);
  const auto tools = core::encode_runit_status(status);
  const auto bytes = [](const core::StatusRecord& status_record) {
    return std::string_view(reinterpret_cast<const char*>(status_record.data()), status_record.size());
  };
  // So that all change in one moment, as nearly as can be.
  if (means == Means::kAnyWay) prepare();
  const auto write = means == Means::kAnyWay ? &PublishedFile::publish : &PublishedFile::publish_by_exchange;
  // Whoever is killed in between has left its successor what is true. `state`, for which scripts wait, comes last.
  const auto written_record = (record_.*write)(supervise_dir_.get(), record.view());
  const auto written_tools = (runit_status_.*write)(supervise_dir_.get(), bytes(tools));
  const auto written = (status_.*write)(dir_.get(), bytes(ours));
  const auto written_state = (state_.*write)(dir_.get(), record.state());
  if (!written) return failure("cannot write", "status", written.error());
  if (!written_state) return failure("cannot write", "state", written_state.error());
  if (!written_tools) return failure("cannot write", "supervise/status", written_tools.error());
  if (!written_record) return failure("cannot write", "supervise/record", written_record.error());
  return {};
}

Failure StatusDir::set_group(std::uint32_t group) {
  if (group == group_) return {};
  group_ = group;
  if (const auto failed = set_directory_access()) return failed;
  // Without a group these are entered by nobody but the owner, whatever group they have.
  if (const auto set = set_access(system_, supervise_dir_.get(), subdirectory_mode(), group_); !set)
    return failure("cannot give to control_group", "supervise", set.error());
  for (const int fd : {control_.get(), ok_.get()})
    if (const auto set = set_access(system_, fd, fifo_mode(), group_); !set)
      return failure("cannot give to control_group", "control and ok", set.error());
  return {};
}

void StatusDir::abandon() {
  if (!made_directory_) return;
  if (dir_) remove_entries();
  auto place = find_place(system_, path_, Links::kNone);
  if (place) (void)system_.remove_directory(place->directory.get(), place->name.c_str());
  made_directory_ = false;
}

void StatusDir::remove_entries() {
  for (const auto* name : {"control", "ok", "status", ".status", "stdout", "stderr", "stdout.held", "stderr.held", "logger", "record", ".record"})
    if (supervise_dir_) (void)system_.remove(supervise_dir_.get(), name);
  (void)system_.remove_directory(dir_.get(), "supervise");
  for (const auto* name : {"lock", "control", "ok", "svcontrol", "status", ".status", "state", ".state", "supervise.log", "supervise.log.wf"})
    (void)system_.remove(dir_.get(), name);
}

}  // namespace sys
