#include "sys/faults.h"

#include <cerrno>

namespace sys {

bool is_shortage(const core::StartFailure& failure) {
  if (failure.stage == core::Stage::kFork) return true;
  switch (failure.cause) {
    case EAGAIN:
    case ENOMEM:
    case EMFILE:
    case ENFILE: return true;
    default: return false;
  }
}

bool is_refused(Errno error) { return error.number == ENOSYS || error.number == EPERM || error.number == EINVAL; }

bool may_pass(Errno error) {
  switch (error.number) {
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case EIO: return true;
    default: return false;
  }
}

}  // namespace sys
