// What supervisectl shows of services: pure text.
#pragma once

#include <string>
#include <vector>

#include "ctl/view.h"

namespace ctl {

struct Row {
  std::string name, dir;
  View view;
};

enum class Colours { kNo, kYes };

// Aligned columns: name, state, pid, uptime, reason. With `clock` the time of day since when it is so, for a screen that
// stands still while nothing changes; it is given what makes it a text.
using Clock = std::string (*)(core::WallTime);
[[nodiscard]] std::string table(const std::vector<Row>& rows, core::WallTime now, Colours colours, Clock clock = nullptr);

// An array, an object a service; times are Unix seconds, null where there is none.
[[nodiscard]] std::string json(const std::vector<Row>& rows);

// `text` as a JSON string (RFC 8259), with its quotes. What a terminal must not get is escaped as by core::printable().
[[nodiscard]] std::string json_string(std::string_view text);

// `1795197788.204`.
[[nodiscard]] std::string seconds_text(core::WallTime time);

}  // namespace ctl
