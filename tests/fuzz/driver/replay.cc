// The corpus as tests.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "fuzz/fuzz.h"

namespace fuzz {

void replay(const std::string& name, Target target) {
  const char* top = std::getenv("TOP");
  const auto corpus = std::filesystem::path(top ? top : ".") / "tests/fuzz/corpus" / name;
  std::vector<std::filesystem::path> paths;
  if (std::filesystem::is_directory(corpus))
    for (const auto& entry : std::filesystem::directory_iterator(corpus)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  for (const auto& path : paths) {
    INFO(path.string());
    std::ifstream file(path, std::ios::binary);
    const std::string input((std::istreambuf_iterator<char>(file)), {});
    REQUIRE(file.good());
    REQUIRE(input.size() <= kMaxInput);
    REQUIRE_NOTHROW(target(input));
  }
  INFO(corpus.string());
  REQUIRE(!paths.empty());
}

}  // namespace fuzz
