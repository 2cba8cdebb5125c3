// An open descriptor that is closed with its owner.
#pragma once

#include <utility>

#include "sys/system.h"

namespace sys {

class UniqueFd {
 public:
  UniqueFd() = default;
  UniqueFd(System& system, int fd) : system_(&system), fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : system_(other.system_), fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) {
      reset();
      system_ = other.system_;
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~UniqueFd() { reset(); }

  void reset() {
    if (fd_ >= 0) system_->close(fd_);
    fd_ = -1;
  }
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] explicit operator bool() const { return fd_ >= 0; }
  friend void swap(UniqueFd& a, UniqueFd& b) noexcept {
    std::swap(a.system_, b.system_);
    std::swap(a.fd_, b.fd_);
  }

 private:
  System* system_ = nullptr;
  int fd_ = -1;
};

// The system's result as an owned descriptor.
inline Result<UniqueFd> owned(System& system, Result<int> fd) {
  if (!fd) return fd.error();
  return UniqueFd(system, *fd);
}

}  // namespace sys
