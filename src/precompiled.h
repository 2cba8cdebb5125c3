// What most sources include, compiled once (Makefile). Each source includes what it uses all the same: clang and clang-tidy, which do
// without this, see to that.
#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
