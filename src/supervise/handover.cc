#include "supervise/handover.h"

#include <utility>

#include "core/number.h"
#include "core/state.h"

namespace supervise {
namespace {

constexpr std::string_view kResume = "--resume=", kQuestion = "--can-resume=";

}  // namespace

std::string take_record(sys::System& system, Handover& handover) {
  std::array<char, core::kRecordMax> bytes;
  const auto n = system.read(handover.state, bytes);
  if (handover.state >= 0) system.close(std::exchange(handover.state, -1));
  return n ? std::string(bytes.data(), *n) : std::string();
}

std::string to_argument(const Handover& handover) {
  std::string text = std::string(kResume) + std::to_string(kHandoverVersion);
  for (const int number : {static_cast<int>(handover.umask), handover.control, handover.ok, handover.notify, handover.ready, handover.state, handover.logger})
    text += "," + std::to_string(number);
  return text;
}

std::optional<Handover> parse_handover(std::string_view argument) {
  if (!argument.starts_with(kResume)) return std::nullopt;
  argument.remove_prefix(kResume.size());
  std::array<int, 8> numbers{};
  for (auto& number : numbers) {
    const auto text = argument.substr(0, argument.find(','));
    argument.remove_prefix(std::min(argument.size(), text.size() + 1));
    const auto parsed = core::parse_number<int>(text);
    if (!parsed) return std::nullopt;
    number = *parsed;
  }
  const auto [version, umask, control, ok, notify, ready, state, logger] = numbers;
  if (version != kHandoverVersion || !argument.empty()) return std::nullopt;
  // None of the standard descriptors: these are everybody's. And no process but one.
  const Handover handover{static_cast<unsigned>(umask) & 0777U, control, ok, notify, ready, state, logger};
  for (const int fd : handover.descriptors())
    if (fd != -1 && fd <= 2) return std::nullopt;
  if (logger < 0) return std::nullopt;
  return handover;
}

std::string question() { return std::string(kQuestion) + std::to_string(kHandoverVersion); }
bool is_question(std::string_view argument) { return argument.starts_with(kQuestion); }
bool can_answer(std::string_view argument) { return argument == question(); }

}  // namespace supervise
