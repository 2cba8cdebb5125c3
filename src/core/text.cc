#include "core/text.h"

#include <algorithm>
#include <charconv>

#include "core/utf8.h"

namespace core::text {
namespace {

std::size_t append_number(char* at, std::size_t room, auto number) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  return append(at, room, {digits.data(), static_cast<std::size_t>(end - digits.data())});
}

// `\n`, `\x1b`, `\u202e`: the code of a character, or the byte that is none.
Text<8> escape(char32_t code, char byte) {
  Text<8> out;
  const bool is_byte = code < 0x80 || code == Character::kInvalid;
  if (code == Character::kInvalid) code = static_cast<unsigned char>(byte);
  const auto short_form = std::string_view("\n\t\r").find(static_cast<char>(code));
  if (code < 0x20 && short_form != std::string_view::npos) return out << '\\' << "ntr"[short_form];
  out << (is_byte ? "\\x" : "\\u");
  for (int shift = is_byte ? 4 : 12; shift >= 0; shift -= 4) out << "0123456789abcdef"[code >> shift & 0xfU];
  return out;
}

}  // namespace

std::size_t append(char* at, std::size_t room, std::string_view s) {
  const auto whole = whole_characters(s, room);
  std::copy_n(whole.data(), whole.size(), at);
  return whole.size();
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
  std::size_t size = 0;
  while (!s.empty()) {
    const auto [bytes, code] = first_character(s);
    const bool shown = is_shown(code);
    const auto escaped = shown ? Text<8>() : escape(code, s[0]);
    const auto piece = shown ? s.substr(0, bytes) : escaped.view();
    if (piece.size() > room - size) break;
    size += append(at + size, room - size, piece);
    s.remove_prefix(bytes);
  }
  return size;
}

}  // namespace core::text
