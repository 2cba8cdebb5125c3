// The test framework under one name: Catch2 2 and 3 keep their headers, and some of their matchers, in different
// places.
#pragma once

#include <string>

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

#if __has_include(<catch2/catch_all.hpp>)
inline auto contains(const std::string& part) { return Catch::Matchers::ContainsSubstring(part); }
#else
inline auto contains(const std::string& part) { return Catch::Matchers::Contains(part); }
#endif
inline auto matches(const std::string& regex) { return Catch::Matchers::Matches(regex); }
