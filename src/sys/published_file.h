// A small file that readers always see whole: written into a spare of full size, then exchanged with it. So publishing
// makes no inode, never shows half a record, and works on a full disk. Where names can't be exchanged, or the file is gone, the
// spare is renamed to its name, and a new one made; where even that fails the content is written in place, with newlines in the
// place of what was longer.
#pragma once

#include <string_view>

#include "sys/unique_fd.h"

namespace sys {

class PublishedFile {
 public:
  // `name` and `spare_name` must outlive this; `reserve` bytes are claimed on the disk at the first publication.
  PublishedFile(System& system, const char* name, const char* spare_name, std::size_t reserve, unsigned mode);

  // Replaces the content of `dir`/name. At most `reserve` bytes.
  Status publish(int dir, std::string_view content);

  // The same by the exchange alone, or where there is none by renaming the spare, which opens nothing: for a process that shares
  // our memory but not our descriptors.
  Status publish_by_exchange(int dir, std::string_view content);

  // Makes a new spare if the last one was renamed.
  void prepare(int dir);

  // Whether the file and its spare are still there under their names. If not, the next publication makes them again.
  [[nodiscard]] bool check(int dir);

  // Forgets the files, for another directory.
  void detach();

 private:
  struct Copy {
    UniqueFd fd;
    std::size_t size = 0;
  };
  Status fill(Copy& copy, std::string_view content);
  Status write_in_place(std::string_view content);
  Result<Copy> make_copy(int dir, std::string_view content);
  Status replace(int dir, std::string_view content);
  Result<Copy> take_over(int dir, const char* name);

  System& system_;
  const char* name_;
  const char* spare_name_;
  std::size_t reserve_;
  unsigned mode_;
  Copy live_, spare_;
  bool spare_renamed_ = false;    // spare_ is what was replaced, and has no name any more
};

}  // namespace sys
