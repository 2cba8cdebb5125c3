// What a supervise that is being replaced (`E`) hands to its successor, which is the same process: as the first argument,
// `--resume=` and numbers. Descriptors are -1 where there is none.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sys/system.h"

namespace supervise {

struct Handover {
  unsigned umask = 022;    // the service's
  // Held open until the successor has opened them itself, so that no letter in them is lost.
  int control = -1, ok = -1;
  // These go on.
  int notify = -1, ready = -1;
  // A pipe with the record of that moment: the file may be gone, or old where it could not be written.
  int state = -1;
  std::int32_t logger = 0;    // a child of ours that is not the service; 0: none

  [[nodiscard]] std::array<int, 5> descriptors() const { return {control, ok, notify, ready, state}; }
};

// Of these numbers, and of what the record remembers beside them: raised with either.
inline constexpr int kHandoverVersion = 3;

// The record that was handed over, which is read once; empty where it can't be.
[[nodiscard]] std::string take_record(sys::System& system, Handover& handover);

[[nodiscard]] std::string to_argument(const Handover& handover);

// Nothing where `argument` is another one, or of another version.
[[nodiscard]] std::optional<Handover> parse_handover(std::string_view argument);

// Asks the program on disk whether it could resume. It answers with its exit status: kCanResume, which is no other program's
// word by chance, or kOtherVersion, or kUsage where it finds the configuration faulty.
inline constexpr int kCanResume = 93, kOtherVersion = 94;
[[nodiscard]] std::string question();
[[nodiscard]] bool is_question(std::string_view argument);
// Whether a program that asks this can be succeeded by us.
[[nodiscard]] bool can_answer(std::string_view argument);

}  // namespace supervise
