// The heartbeat file as a sequence of sightings: a change of its time stamp is a beat, and the stamp tells when it was, so
// that one look at each deadline is enough. Wall clock steps do no harm.
#pragma once

#include <cstdint>
#include <optional>

#include "core/time.h"

namespace core {

// What tells one state of the file from another.
struct FileStamp {
  WallTime modified{};
  std::uint64_t inode = 0;
  WallTime changed{};    // of the inode: where a file replaces another, the numbers of inodes come again
  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

class Heartbeat {
 public:
  // The file before the service starts; nothing where there is none. What an earlier run left is no beat.
  void begin(const std::optional<FileStamp>& file, Now now);

  // The moment of the last beat since the last look; nothing if there was none. Where its stamp makes no sense (the clock was
  // set), that is now.
  [[nodiscard]] std::optional<Instant> look(const std::optional<FileStamp>& file, Now now);

 private:
  std::optional<FileStamp> last_;
  Instant looked_{};
};

}  // namespace core
