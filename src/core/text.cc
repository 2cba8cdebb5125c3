#include "core/text.h"

#include <algorithm>
#include <charconv>

namespace core::text {
namespace {

std::size_t append_number(char* at, std::size_t room, auto number) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  return append(at, room, {digits.data(), static_cast<std::size_t>(end - digits.data())});
}

}  // namespace

std::size_t append(char* at, std::size_t room, std::string_view s) {
  const auto n = std::min(s.size(), room);
  std::copy_n(s.data(), n, at);
  return n;
}

std::size_t append_signed(char* at, std::size_t room, std::int64_t number) { return append_number(at, room, number); }
std::size_t append_unsigned(char* at, std::size_t room, std::uint64_t number) { return append_number(at, room, number); }

std::size_t append_seconds(char* at, std::size_t room, Nanos time, int places) {
  constexpr std::int64_t kBillion = 1'000'000'000;
  const bool negative = time < Nanos::zero();
  const auto count = negative ? -time.count() : time.count();
  auto fraction = count % kBillion + kBillion;
  for (int i = places; i < 9; ++i) fraction /= 10;
  Text<48> text;
  text << (negative ? "-" : "") << count / kBillion;
  const auto point = text.view().size();
  // The 1 that keeps the leading zeros makes room for the point.
  text << fraction;
  std::array<char, 48> out;
  std::copy_n(text.view().data(), text.view().size(), out.data());
  out[point] = '.';
  return append(at, room, {out.data(), text.view().size()});
}

std::size_t append_brief_seconds(char* at, std::size_t room, Nanos time, int places) {
  Text<48> text;
  text.seconds(time, places);
  auto brief = text.view();
  while (brief.ends_with('0')) brief.remove_suffix(1);
  if (brief.ends_with('.')) brief.remove_suffix(1);
  return append(at, room, brief);
}

std::size_t append_printable(char* at, std::size_t room, std::string_view s) {
  const auto n = append(at, room, s);
  const auto byte = [at](std::size_t i) { return static_cast<unsigned char>(at[i]); };
  for (std::size_t i = 0; i < n; ++i) {
    // U+0080 to U+009F in UTF-8: control characters as well.
    const bool c1 = i + 1 < n && byte(i) == 0xc2 && byte(i + 1) < 0xa0;
    if (c1) at[i + 1] = '?';
    if (c1 || byte(i) < 0x20 || byte(i) == 0x7f) at[i] = '?';
  }
  return n;
}

}  // namespace core::text
