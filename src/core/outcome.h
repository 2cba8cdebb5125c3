// How a process ended, and the names of signals.
#pragma once

#include <optional>
#include <string_view>

#include "core/text.h"

namespace core {

struct Outcome {
  enum class Kind { kCode, kSignal, kUnknown };
  Kind kind = Kind::kUnknown;
  int value = 0;        // exit code or signal number
  bool core = false;    // a core was dumped (kSignal only)

  [[nodiscard]] static Outcome code(int code) { return {Kind::kCode, code, false}; }
  [[nodiscard]] static Outcome signal(int number, bool core) { return {Kind::kSignal, number, core}; }
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

using OutcomeText = Text<32>;

// `code 1`, `signal TERM`, `signal SEGV core`, `unknown`: as in the state file.
[[nodiscard]] OutcomeText to_text(const Outcome& outcome);

// The inverse of to_text. Nothing where the text is none of these forms.
[[nodiscard]] std::optional<Outcome> parse_outcome(std::string_view text);

// `TERM` for SIGTERM, `RTMIN+3` for the fourth of the real-time signals; empty for a number without a name.
[[nodiscard]] std::string_view signal_name(int number);

// Accepts a name in any case with or without `SIG`, `RTMIN+N`, `RTMAX-N`, or a number that is a signal here (1 to 64).
[[nodiscard]] std::optional<int> parse_signal(std::string_view text);

}  // namespace core
