// Where the words of supervisectl go.
#pragma once

#include <string>

#include "sys/client.h"
#include "sys/process.h"

namespace ctl {

// A line on standard error.
void sys_error(const std::string& text);

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
