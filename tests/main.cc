// main() of every test program. Catch2 3 brings one in its library Catch2Main; version 2 has it compiled here.
#if !__has_include(<catch2/catch_all.hpp>)
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#endif
