#include "supervise/handover.h"

#include "catch.h"

namespace {

TEST_CASE("what is handed over is what was handed over") {
  const supervise::Handover handover{027, 5, 6, -1, 7, 8, 4711};
  const auto read = supervise::parse_handover(supervise::to_argument(handover));
  REQUIRE(read);
  CHECK(read->umask == 027);
  CHECK(read->control == 5);
  CHECK(read->ok == 6);
  CHECK(read->notify == -1);
  CHECK(read->ready == 7);
  CHECK(read->state == 8);
  CHECK(read->logger == 4711);
}

TEST_CASE("no standard descriptor is taken over and no process group") {
  CHECK(supervise::parse_handover("--resume=3,18,3,4,-1,-1,-1,0"));
  for (const auto* argument : {"--resume=3,18,0,4,-1,-1,-1,0", "--resume=3,18,3,1,-1,-1,-1,0", "--resume=3,18,3,4,2,-1,-1,0", "--resume=3,18,3,4,-1,-2,-1,0", "--resume=3,18,3,4,-1,-1,0,0", "--resume=3,18,3,4,-1,-1,-1,-4711"}) CHECK_FALSE(supervise::parse_handover(argument));
}

}  // namespace
