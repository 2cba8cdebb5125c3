// Opening what whoever runs supervise names outside the status directory: configuration, logs, directories, programs. A path
// is trusted whole or not at all, so it is walked component by component with descriptors, and no link is followed by the kernel.
//
// Trusted are root, this user, and the owner of `/`. A directory is safe if it belongs to one of them and nobody else may write
// there, or it is mounted read-only, or it is sticky and what is looked at in it belongs to one of them. A link that one of them has
// put into a safe directory is followed. A link of another leads only to what belongs to that same user, who needs no help of
// ours to write there.
#pragma once

#include <optional>
#include <string>

#include "core/text.h"
#include "sys/unique_fd.h"

namespace sys {

// Which links are followed: none; those of trusted users, where the walk ends at the first one of another; or all, as above.
enum class Links { kNone, kTrusted, kAll };
// What becomes of directories on the way that are missing. They are made with mode 0700, and in no place to which another's link leads.
enum class Missing { kFail, kMake };

// What others can do to it.
enum class Flaw { kNone, kOwner, kEverybody, kGroup, kPath };
[[nodiscard]] const char* to_text(Flaw flaw);

// Where a path leads.
struct Place {
  UniqueFd directory;               // for looking things up
  FileInfo holder;                  // of that directory
  core::Text<255> name;             // in it; `.` where the path is that of the directory itself
  std::optional<FileInfo> entry;    // what has the name: a link only if it is another's and not followed
  bool fixed = true;                // nobody else can make the path lead elsewhere
  std::optional<std::uint32_t> led_by;    // whose link was followed
  Flaw flaw = Flaw::kNone;          // of the entry and of the path
  bool by_link = false;             // the last name of the path was a link
  int descriptor = -1;              // of this process, where the path is a name of that
};
// The path may be relative. ELOOP: there is a link that is not to be followed.
Result<Place> find_place(System& system, std::string_view path, Links links, Missing parents = Missing::kFail);

// Opens what was found there and nothing else; ENOENT where nothing was, EPERM where it is not what it must be.
Result<UniqueFd> open_place(System& system, Place& place, OpenMode mode);

// What the path leads to, as System::stat does.
Result<FileInfo> look_at(System& system, std::string_view path);
// Removes a regular file.
void remove_file(System& system, std::string_view path);

// `made` is set if it was missing, `put_aside` if something else was in its place.
struct Opened {
  UniqueFd fd;
  bool made = false;
  bool put_aside = false;
};
Result<Opened> open_directory(System& system, std::string_view path, Links links, Missing missing, OpenMode mode);
// That of a log, made where it is missing, for looking things up. A link that leads where it must not is put aside.
Result<Opened> open_log_directory(System& system, std::string_view path);
// A log, opened for appending. Where nobody else can change the path it is whatever has the name, else a regular file with one link
// that belongs to this user or to the directory's owner: anything else is put aside. A new one has `mode`.
Result<Opened> open_log(System& system, std::string_view path, unsigned mode);

// The content of a regular file, at most `limit` bytes (EFBIG beyond). kWhole: EPERM if others can change it or its path, as it is
// obeyed; kPlace: it is only read.
enum class Trust { kWhole, kPlace };
Result<std::string> read_file(System& system, std::string_view path, std::size_t limit, Trust trust);

// What root executes for `program`, which is searched for in the PATH of `environment`; empty: `program` itself. kUntrusted if others
// can change it or its path, ENOENT if there is none. Other users run what they like.
using ProgramPath = core::Text<1024>;
[[nodiscard]] Result<ProgramPath> find_program(System& system, std::string_view program, const char* const* environment);
// Why what was not found, or failed with that errno, is not run.
inline constexpr int kUntrusted = 1;    // EPERM, asserted in trusted.cc
[[nodiscard]] std::string_view why_not_run(int cause);

}  // namespace sys
