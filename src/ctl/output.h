// Where the words of supervisectl go.
#pragma once

#include <string>

#include "sys/client.h"

namespace ctl {

// On standard output. Once that has failed, nothing more is written, and output_failure() says why (EPIPE: nobody reads it).
void say(const std::string& text);
[[nodiscard]] sys::Errno output_failure();

// A line on standard error.
void complain(const std::string& text);

// One line on a terminal, on standard error, that is written again and again and leaves nothing behind.
class Progress {
 public:
  Progress() : terminal_(sys::is_terminal(2) && sys::is_terminal(1)) {}
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void show(const std::string& text);
  void clear();
  [[nodiscard]] bool is_shown() const { return shown_; }

 private:
  bool terminal_;
  bool shown_ = false;
};

}  // namespace ctl
