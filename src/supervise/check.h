// What can be told about a configuration before anything is started by it: all that is wrong, in one round.
#pragma once

#include <optional>

#include "supervise/daemon.h"

namespace supervise {

struct Checked {
  Lines problems;
  std::optional<core::Settings> settings;    // nothing if there are errors
};

// Of the service that `identity` names, or of every section where it names none; its settings, or those of [global]. What keeps a
// service down but lets supervise start, such as a program that is missing, is a warning for one service, as it is at a start, and an
// error where a whole file is looked at.
[[nodiscard]] Checked check_configuration(sys::System& system, const Identity& identity);

}  // namespace supervise
