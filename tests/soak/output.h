// Whether the log of a service has every line once and in order. It is read while it is written and rotated.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <utility>

#include "record.h"

namespace soak {

enum class Stamps { kNone, kBeforeEachLine };

class Output {
 public:
  // What is wrong is handed to `complain`, as what was expected and what was found.
  using Complain = std::function<void(const std::string& expected, const std::string& found)>;
  Output(std::filesystem::path log, Record& record, Stamps stamps, Complain complain);
  ~Output();
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  // Reads what is new.
  void look();
  // To be called when nothing more comes: the last run is judged as well.
  void end();
  // True if all that the service has surely written has been read.
  [[nodiscard]] bool is_complete();

 private:
  struct File {
    int fd = -1;
    std::uint64_t inode = 0;
  };

  [[nodiscard]] File open_file(int number) const;
  // The files that are newer than the one which is read, the oldest first.
  [[nodiscard]] std::deque<File> newer_files() const;
  void read_on();
  void take(std::string text);
  void take_line(std::string_view line);
  void end_runs_before(std::uint64_t next);

  std::mutex mutex_;
  std::filesystem::path log_;
  Record& record_;
  Stamps stamps_;
  Complain complain_;
  File file_;            // what is read; kept open, so that its inode names it
  std::string pending_;  // a line whose end is not there yet
  std::uint64_t run_ = 0;
  std::uint64_t lines_ = 0;  // of that run
};

}  // namespace soak
