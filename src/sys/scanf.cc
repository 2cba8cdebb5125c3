// Replaces a part of the C library in the static program, and only there.
#include <cstdarg>
#include <cstdlib>

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)
// The only user is tzset(3) in the C library, which reads the two formats `%hu%n:%hu%n:%hu%n` and `M%hu.%hu.%hu%n` from TZ; the
// original brings all of scanf and of strtod along, 110 KB. Knows `%hu` and `%n`.
extern "C" int __isoc99_sscanf(const char* text, const char* format, ...) {
  va_list values;
  va_start(values, format);
  const char* at = text;
  int stored = 0;
  for (; *format != '\0'; ++format) {
    if (*format != '%') {
      if (*at++ != *format) break;
    } else if (*++format == 'n') {
      *va_arg(values, int*) = static_cast<int>(at - text);
    } else {
      ++format;    // the `h` of `hu`
      const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
      if (!is_digit(*at)) break;
      unsigned number = 0;
      while (is_digit(*at)) number = number * 10 + static_cast<unsigned>(*at++ - '0');
      *va_arg(values, unsigned short*) = static_cast<unsigned short>(number);
      ++stored;
    }
  }
  va_end(values);
  return stored;
}
#endif
