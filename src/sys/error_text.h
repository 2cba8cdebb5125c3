// Words for errors, made at the boundary.
#pragma once

#include <string_view>

#include "core/text.h"
#include "sys/result.h"

namespace sys {

using ErrorText = core::Text<256>;

// `No such file or directory`.
[[nodiscard]] std::string_view error_text(int number);

// `cannot open lock: Permission denied`.
[[nodiscard]] ErrorText to_text(const Failure& failure);

}  // namespace sys
