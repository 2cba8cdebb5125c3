// A value or an errno. Nothing here throws.
#pragma once

#include <utility>

namespace sys {

// What a system call said: `number` is an errno, 0 for none.
struct Errno {
  int number = 0;
  friend bool operator==(Errno, Errno) = default;
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}
  Result(Errno error) : error_(error) {}
  [[nodiscard]] explicit operator bool() const { return error_.number == 0; }
  [[nodiscard]] Errno error() const { return error_; }
  [[nodiscard]] T& operator*() { return value_; }
  [[nodiscard]] const T& operator*() const { return value_; }
  [[nodiscard]] T* operator->() { return &value_; }
  [[nodiscard]] const T* operator->() const { return &value_; }

 private:
  T value_{};
  Errno error_;
};

struct Nothing {};
using Status = Result<Nothing>;
inline Status ok() { return Status(Nothing{}); }

// A failed step of a larger action. Made into text once, where it is reported.
struct Failure {
  const char* doing = nullptr;    // "cannot open"; null: no failure
  const char* object = "";        // an entry's name
  Errno error;
  [[nodiscard]] explicit operator bool() const { return doing != nullptr; }
};

}  // namespace sys
