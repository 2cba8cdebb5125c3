// What somebody may have meant who misspelt a name.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace core {

// The one of `known` that is nearest to `word` by the edits it takes; empty if none is near.
[[nodiscard]] std::string nearest(std::string_view word, std::span<const std::string> known);

// `; did you mean NAME?`; empty if none is near.
[[nodiscard]] std::string did_you_mean(std::string_view word, std::span<const std::string> known);

}  // namespace core
