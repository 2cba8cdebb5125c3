#include "sys/trusted.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include "core/settings.h"
#include "sys/entry.h"
#include "sys/error_text.h"
#include "sys/faults.h"
#include "sys/platform.h"

namespace sys {
namespace {

constexpr int kMaxLinks = 40;
constexpr unsigned kSticky = 01000, kEverybody = 0002, kGroup = 0020;
constexpr unsigned kPrivateDirectory = 0700;
constexpr std::size_t kMaxPath = 4096;

int own_descriptor_of(std::string_view path) {
  const int number = core::descriptor_of(path);
  return number >= 0 ? number : platform::own_descriptor(path);
}

// What is left of a path, at the end of a buffer, so that there is room for the target of a link before it.
class Rest {
 public:
  bool prepend(std::string_view text) {
    if (text.size() > begin_) return false;
    begin_ -= text.size();
    text.copy(buffer_.data() + begin_, text.size());
    return true;
  }
  std::string_view take() {
    skip();
    const auto rest = view();
    const auto name = rest.substr(0, rest.find('/'));
    begin_ += name.size();
    return name;
  }
  // Whether nothing is left but slashes.
  bool ends() {
    skip();
    return begin_ == buffer_.size();
  }

 private:
  [[nodiscard]] std::string_view view() const { return {buffer_.data() + begin_, buffer_.size() - begin_}; }
  void skip() {
    while (begin_ < buffer_.size() && buffer_[begin_] == '/') ++begin_;
  }

  std::array<char, kMaxPath> buffer_;
  std::size_t begin_ = kMaxPath;
};

class Walk {
 public:
  Walk(System& system, Links links, Missing parents) : system_(system), links_(links), parents_(parents), own_(system.own_uid()) {}

  Result<Place> run(std::string_view path) {
    if (!rest_.prepend(path)) return Errno{ENAMETOOLONG};
    place_.descriptor = own_descriptor_of(path);
    const auto root = system_.stat_at(kWorkingDirectory, "/");
    if (!root) return root.error();
    owner_ = root->uid;
    if (const auto begun = begin_at(path.starts_with('/') ? "/" : "."); !begun) return begun.error();
    if (place_.descriptor >= 0) return std::move(place_);
    while (true) {
      const auto more = step();
      if (!more) return more.error();
      if (!*more) return std::move(place_);
    }
  }

 private:
  // Whether there is more to do.
  Result<bool> step() {
    const auto name = rest_.take();
    if (name == ".") return true;
    place_.name.clear();
    place_.name << (name.empty() ? "." : name);
    if (name.size() > 255) return Errno{ENAMETOOLONG};
    if (name.empty()) return found(place_.holder);
    const bool last = rest_.ends();
    auto entry = system_.stat_at(place_.directory.get(), place_.name.c_str());
    if (!entry && entry.error().number == ENOENT && last) {
      place_.entry.reset();
      place_.fixed = place_.fixed && (place_.holder.mode & others()) == 0 && is_trusted(place_.holder.uid);
      return false;
    }
    if (!entry && entry.error().number == ENOENT && parents_ == Missing::kMake) {
      if (const auto made = make(); !made) return made.error();
      entry = system_.stat_at(place_.directory.get(), place_.name.c_str());
    }
    if (!entry) return entry.error();
    if (entry->type == FileType::kLink) return meet_link(*entry);
    if (!last) return enter();
    place_.fixed = place_.fixed && keeps(*entry);
    return found(*entry);
  }

  Result<bool> found(const FileInfo& entry) {
    place_.entry = entry;
    // Of a link the mode says nothing.
    const unsigned open_to = entry.type == FileType::kLink ? 0 : entry.mode & others();
    place_.flaw = !is_trusted(entry.uid)        ? Flaw::kOwner
                  : (open_to & kEverybody) != 0 ? Flaw::kEverybody
                  : (open_to & kGroup) != 0     ? Flaw::kGroup
                  : !place_.fixed               ? Flaw::kPath
                                                : Flaw::kNone;
    return false;
  }

  Result<bool> meet_link(const FileInfo& link) {
    if (links_ == Links::kNone || ++count_ > kMaxLinks) return Errno{ELOOP};
    const bool trusted = place_.fixed && keeps(link) && is_trusted(link.uid);
    if (!trusted) {
      place_.fixed = false;
      if (links_ == Links::kTrusted) return found(link);
      if (!leads(link)) return Errno{ELOOP};
    }
    std::array<char, kMaxPath> target;
    const auto n = system_.read_link(place_.directory.get(), place_.name.c_str(), target);
    if (!n) return n.error();
    const std::string_view text(target.data(), *n);
    if (text.empty()) return Errno{ENOENT};
    if (rest_.ends()) {
      place_.by_link = true;
      // The kernel's own link there is not one that can be walked.
      if (trusted && (place_.descriptor = own_descriptor_of(text)) >= 0) return false;
    }
    if (!rest_.prepend("/") || !rest_.prepend(text)) return Errno{ENAMETOOLONG};
    if (text.starts_with('/'))
      if (const auto begun = begin_at("/"); !begun) return begun.error();
    return true;
  }

  // A link of root's that another could move is as good as that other's, and one of root's on the way changes nothing.
  bool leads(const FileInfo& link) {
    if (is_trusted(link.uid) && place_.led_by) return true;
    const auto who = is_trusted(link.uid) ? place_.holder.uid : link.uid;
    if (is_trusted(who) || place_.led_by.value_or(who) != who) return false;
    place_.led_by = who;
    return true;
  }

  Result<bool> enter() {
    auto next = owned(system_, system_.open(place_.directory.get(), place_.name.c_str(), OpenMode::kSearch, 0));
    if (!next) return next.error();
    const auto info = system_.stat(next->get());
    if (!info) return info.error();
    place_.fixed = place_.fixed && (place_.name.view() == ".." || keeps(*info));
    place_.directory = std::move(*next);
    place_.holder = *info;
    return true;
  }

  // The working directory is the same whatever becomes of its path.
  Status begin_at(const char* directory) {
    auto root = owned(system_, system_.open(kWorkingDirectory, directory, OpenMode::kSearch, 0));
    if (!root) return root.error();
    const auto info = system_.stat(root->get());
    if (!info) return info.error();
    place_.directory = std::move(*root);
    place_.holder = *info;
    return ok();
  }

  Status make() {
    if (place_.led_by && place_.holder.uid != *place_.led_by) return Errno{ELOOP};
    const auto made = system_.make_directory(place_.directory.get(), place_.name.c_str(), kPrivateDirectory);
    return made || made.error().number == EEXIST ? ok() : made;
  }

  // Without a user namespace that hides it, the owner of `/` is root.
  [[nodiscard]] bool is_trusted(std::uint32_t uid) const { return uid == 0 || uid == own_ || uid == owner_; }
  // Who else than root lets a group write has chosen the group.
  [[nodiscard]] unsigned others() const { return own_ == 0 ? kEverybody | kGroup : kEverybody; }
  // Whether nobody else can take this entry out of the directory, or put another in its place.
  [[nodiscard]] bool keeps(const FileInfo& entry) const {
    if (!is_trusted(place_.holder.uid)) return false;
    if ((place_.holder.mode & others()) == 0 || ((place_.holder.mode & kSticky) != 0 && is_trusted(entry.uid))) return true;
    // A volume of a container's configuration has mode 0777 and is mounted read-only.
    return system_.is_read_only(place_.directory.get());
  }

  System& system_;
  Links links_;
  Missing parents_;
  std::uint32_t own_, owner_ = 0;
  Rest rest_;
  Place place_;
  int count_ = 0;
};

// A link of another leads to what is that other's. Where another may write, a second name is not what it seems.
bool is_allowed(const Place& place, const FileInfo& entry) {
  if (place.led_by && entry.uid != *place.led_by) return false;
  return place.fixed || entry.type == FileType::kDirectory || entry.links == 1 || entry.uid == place.holder.uid;
}

std::string_view path_variable(const char* const* environment) {
  constexpr std::string_view kName = "PATH=", kUsual = "/bin:/usr/bin";
  for (; environment && *environment; ++environment)
    if (const std::string_view variable = *environment; variable.starts_with(kName)) return variable.substr(kName.size());
  return kUsual;
}

bool is_program(const Result<Place>& place) {
  return place && place->entry && place->entry->type == FileType::kRegular && (place->entry->mode & 0111U) != 0;
}

}  // namespace

const char* to_text(Flaw flaw) {
  switch (flaw) {
    case Flaw::kNone: break;
    case Flaw::kOwner: return "belongs to somebody else";
    case Flaw::kEverybody: return "may be written by everybody";
    case Flaw::kGroup: return "may be written by its group";
    case Flaw::kPath: return "is in a directory that others may write";
  }
  return "";
}

[[gnu::noinline]] Result<Place> find_place(System& system, std::string_view path, Links links, Missing parents) {
  return Walk(system, links, parents).run(path);
}

Result<UniqueFd> open_place(System& system, Place& place, OpenMode mode) {
  if (!place.entry) return Errno{ENOENT};
  if (!is_allowed(place, *place.entry)) return Errno{EPERM};
  auto fd = owned(system, system.open(place.directory.get(), place.name.c_str(), mode, 0));
  if (!fd) return fd;
  const auto info = system.stat(fd->get());
  if (!info) return info.error();
  return is_same_file(*info, *place.entry) && is_allowed(place, *info) ? std::move(fd) : Errno{EPERM};
}

Result<FileInfo> look_at(System& system, std::string_view path) {
  const auto place = find_place(system, path, Links::kAll);
  if (!place) return place.error();
  if (!place->entry) return Errno{ENOENT};
  return is_allowed(*place, *place->entry) ? Result(*place->entry) : Errno{EPERM};
}

Result<Opened> open_directory(System& system, std::string_view path, Links links, Missing missing, OpenMode mode) {
  Opened out;
  auto place = find_place(system, path, links, missing);
  if (!place) return place.error();
  if (!place->entry && missing == Missing::kMake) {
    if (place->led_by && place->holder.uid != *place->led_by) return Errno{ELOOP};
    const auto made = system.make_directory(place->directory.get(), place->name.c_str(), kPrivateDirectory);
    if (!made && made.error().number != EEXIST) return made.error();
    out.made = static_cast<bool>(made);
    const auto entry = system.stat_at(place->directory.get(), place->name.c_str());
    if (entry) place->entry = *entry;
  }
  if (place->entry && place->entry->type == FileType::kLink) return Errno{ELOOP};
  auto fd = open_place(system, *place, mode);
  if (!fd && out.made) (void)system.remove_directory(place->directory.get(), place->name.c_str());
  if (!fd) return place->led_by && fd.error().number == EPERM ? Errno{ELOOP} : fd.error();
  out.fd = std::move(*fd);
  return out;
}

Result<Opened> open_log_directory(System& system, std::string_view path) {
  auto opened = open_directory(system, path, Links::kAll, Missing::kMake, OpenMode::kSearch);
  if (opened || opened.error().number != ELOOP) return opened;
  auto link = find_place(system, path, Links::kTrusted, Missing::kMake);
  if (!link || !link->entry || link->entry->type != FileType::kLink) return opened;
  if (const auto aside = put_aside(system, link->directory.get(), link->name.c_str()); !aside) return aside.error();
  opened = open_directory(system, path, Links::kAll, Missing::kMake, OpenMode::kSearch);
  if (opened) opened->put_aside = true;
  return opened;
}

Result<Opened> open_log(System& system, std::string_view path, unsigned mode) {
  Opened out;
  auto place = find_place(system, path, Links::kTrusted);
  if (place && place->fixed && place->entry) {
    auto fd = open_place(system, *place, OpenMode::kAppend);
    if (!fd) return fd.error();
    out.fd = std::move(*fd);
    return out;
  }
  const auto slash = path.rfind('/');
  if (!place || (place->entry && place->entry->type == FileType::kLink)) {
    auto directory = open_log_directory(system, path.substr(0, std::max<std::size_t>(slash, 1)));
    if (!directory) return directory.error();
    const auto info = system.stat(directory->fd.get());
    if (!info) return info.error();
    place = Place();
    place->directory = std::move(directory->fd);
    place->holder = *info;
    place->name << path.substr(slash + 1);
    out.put_aside = directory->put_aside;
  }
  const int dir = place->directory.get();
  const char* const name = place->name.c_str();
  const auto found = system.stat_at(dir, name);
  const bool plain = found && found->type == FileType::kRegular && found->links == 1;
  const bool ours = plain && found->uid == system.own_uid();
  // Whoever owns the directory can write to a file of that owner without us.
  if (plain && !ours && found->uid == place->holder.uid) {
    place->entry = *found;
    auto fd = open_place(system, *place, OpenMode::kAppend);
    if (!fd) return fd.error();
    out.fd = std::move(*fd);
    return out;
  }
  auto fd = open_file(system, dir, name, ours ? found->mode & 0777U : mode);
  if (!fd) return fd.error();
  out.fd = std::move(*fd);
  out.put_aside = out.put_aside || (found && !ours);
  return out;
}

void remove_file(System& system, std::string_view path) {
  auto place = find_place(system, path, Links::kAll);
  if (!place || !place->entry || place->by_link || place->entry->type != FileType::kRegular || !is_allowed(*place, *place->entry)) return;
  (void)system.remove(place->directory.get(), place->name.c_str());
}

std::string_view why_not_run(int cause) {
  static_assert(kUntrusted == EPERM);
  return cause == kUntrusted ? "others than root could change it, or a directory of its path" : error_text(cause);
}

Result<std::string> read_file(System& system, std::string_view path, std::size_t limit, Trust trust) {
  auto place = find_place(system, path, Links::kAll);
  if (!place) return place.error();
  if (!place->entry) return Errno{ENOENT};
  if (const auto type = place->entry->type; type != FileType::kRegular) return Errno{type == FileType::kDirectory ? EISDIR : EINVAL};
  if (trust == Trust::kWhole && place->flaw != Flaw::kNone) return Errno{EPERM};
  const auto fd = open_place(system, *place, OpenMode::kRead);
  if (!fd) return fd.error();
  std::string content;
  std::array<char, 4096> chunk{};
  while (true) {
    const auto n = system.read(fd->get(), chunk);
    if (!n) return n.error();
    if (*n == 0) return content;
    if (content.size() + *n > limit) return Errno{EFBIG};
    content.append(chunk.data(), *n);
  }
}

// Who can change nothing of a path cannot change it between this look and execve(2) either. What this look does not find is not executed:
// it may be there a moment later, and the kernel may follow links that we do not.
[[gnu::noinline]] Result<ProgramPath> find_program(System& system, std::string_view program, const char* const* environment) {
  ProgramPath path;
  if (system.own_uid() != 0) return path;
  const auto judged = [](const Place& place) { return place.flaw == Flaw::kNone ? ok() : Status(Errno{kUntrusted}); };
  if (program.find('/') != std::string_view::npos) {
    const auto place = find_place(system, program, Links::kAll);
    if (!place) return place.error();
    if (!place->entry) return Errno{ENOENT};
    const auto status = judged(*place);
    return status ? Result(path) : status.error();
  }
  for (auto rest = path_variable(environment); !rest.empty();) {
    const auto directory = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(rest.size(), directory.size() + 1));
    path.clear();
    path << (directory.empty() ? "." : directory) << '/' << program;
    if (path.full()) continue;
    const auto place = find_place(system, path.view(), Links::kAll);
    if (!place && may_pass(place.error())) return place.error();
    if (!is_program(place)) continue;
    const auto status = judged(*place);
    return status ? Result(path) : status.error();
  }
  return Errno{ENOENT};
}

}  // namespace sys
