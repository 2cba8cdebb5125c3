#include "sys/error_text.h"

#include <string.h>

namespace sys {

std::string_view error_text(int number) {
#ifdef __GLIBC__
  // Unlike strerror it brings no message catalogues into a static program.
  const char* text = strerrordesc_np(number);
  return text ? text : "Unknown error";
#else
  return strerror(number);
#endif
}

ErrorText to_text(const Failure& failure) {
  ErrorText text;
  text << failure.doing << ' ' << failure.object;
  if (failure.error.number != 0) text << ": " << error_text(failure.error.number);
  return text;
}

}  // namespace sys
