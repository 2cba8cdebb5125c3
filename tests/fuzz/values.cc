// The value of each key by itself, one a line: its first byte chooses the key, the rest is the value. And the small parsers of
// names, numbers and conditions.
#include "core/number.h"
#include "core/outcome.h"
#include "core/settings.h"
#include "core/state.h"
#include "ctl/metrics.h"
#include "fuzz/fuzz.h"

namespace {

std::string all_of(const core::Settings& settings) {
  std::string text;
  for (const auto& key : core::keys()) text += key.print(settings) + "\n";
  return text;
}

void set_key(const core::Key& key, std::string_view value) {
  core::Settings settings;
  const auto before = all_of(settings);
  const auto right = key.set(settings, value);
  if (!right.empty()) {
    fuzz::require(all_of(settings) == before, "a faulty value changes the settings");
    return;
  }
  const auto once = key.print(settings);
  core::Settings again;
  fuzz::require(key.set(again, once).empty(), std::string(key.name) + " : " + once + " is printed and not taken");
  fuzz::require(key.print(again) == once, std::string(key.name) + " : " + once + " becomes " + key.print(again));
  fuzz::require(key.set(settings, "").empty() && (key.adds || all_of(settings) == before), "an empty value is not the default");
}

// The same, digit by digit.
template <typename T>
void check_number(std::string_view text) {
  const auto parsed = core::parse_number<T>(text);
  auto digits = text;
  const bool negative = std::is_signed_v<T> && digits.starts_with('-');
  if (negative) digits.remove_prefix(1);
  bool right = !digits.empty();
  __int128 value = 0;
  for (const char c : digits) {
    right = right && c >= '0' && c <= '9';
    if (right && value < (__int128{1} << 100)) value = value * 10 + (c - '0');
  }
  if (negative) value = -value;
  right = right && value >= std::numeric_limits<T>::min() && value <= std::numeric_limits<T>::max();
  fuzz::require(parsed.has_value() == right && (!right || *parsed == static_cast<T>(value)), "a number is not what its digits say");
}

void check_names(std::string_view text) {
  if (const auto signal = core::parse_signal(text)) {
    fuzz::require(*signal >= 1 && *signal <= 64, "a signal out of its bounds");
    const auto name = core::signal_name(*signal);
    fuzz::require(name.empty() || core::parse_signal(name) == signal, "a signal whose name is another's");
  }
  if (const auto outcome = core::parse_outcome(text))
    fuzz::require(core::parse_outcome(core::to_text(*outcome).view()) == outcome, "an outcome is not what it was");
  const auto reason = core::parse_reason(text);
  fuzz::require(reason == core::Reason::kNone || core::to_text(reason) == text, "a reason in other words");
}

void check_conditions(std::string_view text) {
  const auto conditions = ctl::parse_conditions(text);
  fuzz::require(conditions.error.empty() || conditions.error.size() < text.size() + 200, "more is wrong than was said");
  fuzz::require(conditions.list.size() <= text.size() / 7 + 1, "more conditions than there is room for");
}

}  // namespace

FUZZ(values) {
  const auto keys = core::keys();
  for (fuzz::Bytes bytes(input); !bytes.empty();) {
    fuzz::Bytes line(bytes.until('\n'));
    const auto& key = keys[line.byte() % keys.size()];
    const auto value = line.rest();
    set_key(key, value);
    check_number<std::int32_t>(value);
    check_number<unsigned>(value);
    check_number<std::int64_t>(value);
    check_number<std::uint64_t>(value);
    check_names(value);
    check_conditions(value);
  }
}
