// The version, as -v of each program shows it.
#pragma once

namespace core {

inline constexpr const char* kSupervise = "supervise 0.1";
inline constexpr const char* kSupervisectl = "supervisectl 0.1";

}  // namespace core
