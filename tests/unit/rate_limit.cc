#include "core/rate_limit.h"

#include "catch.h"

namespace {

using std::chrono::milliseconds;

class Clock {
 public:
  core::Instant operator()(int millis) const { return core::Instant(core::seconds(1'000'000)) + milliseconds(millis); }
};

TEST_CASE("a burst passes and then one event an interval") {
  const Clock at;
  core::RateLimit limit(3, core::seconds(1));
  struct Row {
    int millis;
    bool allowed;
  };
  const Row rows[] = {{0, true},     {0, true},     {10, true},   {20, false},   {999, false},  {1000, true}, {1001, false},
                      {1999, false}, {2000, true},  {2001, false}, {60000, true}, {60000, true}, {60000, true}, {60000, false}};
  for (const auto& row : rows) {
    INFO("at " << row.millis << " ms");
    CHECK(limit.allow(at(row.millis)) == row.allowed);
  }
}

TEST_CASE("what was held back is counted once") {
  const Clock at;
  core::RateLimit limit(1, core::seconds(1));
  CHECK(limit.allow(at(0)));
  CHECK(limit.take_held_back() == 0);
  for (int i = 0; i < 5; ++i) CHECK_FALSE(limit.allow(at(i)));
  CHECK(limit.take_held_back() == 5);
  CHECK(limit.take_held_back() == 0);
}

TEST_CASE("over a long time no more than one event an interval passes") {
  const Clock at;
  core::RateLimit limit(1, core::seconds(1));
  int allowed = 0;
  for (int millis = 0; millis < 100'000; millis += 7) allowed += limit.allow(at(millis)) ? 1 : 0;
  CHECK(allowed <= 101);
  CHECK(allowed >= 99);
}

}  // namespace
