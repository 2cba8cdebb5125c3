#include "core/nearest.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace core {

std::string nearest(std::string_view word, std::span<const std::string> known) {
  constexpr std::size_t kLongest = 64;    // of a name
  if (word.size() > kLongest) return {};
  std::string best;
  std::size_t least = word.size() / 2 + 1;
  for (const auto& name : known) {
    std::vector<std::size_t> row(name.size() + 1);
    for (std::size_t j = 0; j <= name.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= word.size(); ++i) {
      std::size_t diagonal = std::exchange(row[0], i);
      for (std::size_t j = 1; j <= name.size(); ++j) {
        const auto change = diagonal + (word[i - 1] == name[j - 1] ? 0 : 1);
        diagonal = row[j];
        row[j] = std::min({row[j] + 1, row[j - 1] + 1, change});
      }
    }
    if (name.starts_with(word)) row.back() = std::min<std::size_t>(row.back(), 1);
    if (row.back() < least) {
      least = row.back();
      best = name;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view word, std::span<const std::string> known) {
  const auto near = nearest(word, known);
  return near.empty() ? near : "; did you mean " + near + "?";
}

}  // namespace core
