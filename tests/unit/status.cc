#include "core/status.h"

#include "catch.h"

namespace {

using core::Status;
using core::StatusRecord;
using core::Want;

core::WallTime at(std::int64_t seconds, std::int64_t nanos) {
  return core::WallTime(core::seconds(seconds) + core::Nanos(nanos));
}

struct Row {
  Status status;
  StatusRecord ours;
  StatusRecord runit;
};

const Row kRows[] = {
    {{at(0, 0), 0, false, Want::kDown, true, false},
     {0x40, 0, 0, 0, 0, 0, 0, 0x0A, 0, 0, 0, 0, 0, 'd', 'o', 0, 0, 0, 0, 0},
     {0x40, 0, 0, 0, 0, 0, 0, 0x0A, 0, 0, 0, 0, 0, 0, 0, 0, 0, 'd', 0, 0}},
    {{at(1'000'000'000, 999'999'999), 0x01020304, false, Want::kUp, true, false},
     {0x40, 0, 0, 0, 0x3B, 0x9A, 0xCA, 0x0A, 0x3B, 0x9A, 0xC9, 0xFF, 0, 'u', 'o', 0, 4, 3, 2, 1},
     {0x40, 0, 0, 0, 0x3B, 0x9A, 0xCA, 0x0A, 0x3B, 0x9A, 0xC9, 0xFF, 4, 3, 2, 1, 0, 'u', 0, 1}},
    {{at(0xFFFFFFFF, 1), 4711, true, Want::kOnce, false, true},
     {0x40, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 1, 1, 0, 'x', 0, 0x67, 0x12, 0, 0},
     {0x40, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 1, 0x67, 0x12, 0, 0, 1, 'd', 1, 1}},
    {{at(-11, 500), 1, false, Want::kUp, true, false},
     {0x3F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 1, 0xF4, 0, 'u', 'o', 0, 1, 0, 0, 0},
     {0x3F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 1, 0xF4, 1, 0, 0, 0, 0, 'u', 0, 1}},
};

TEST_CASE("the status record has exactly the 20 bytes of the predecessor") {
  for (const auto& row : kRows) CHECK(core::encode_status(row.status) == row.ours);
}

TEST_CASE("the record for the tools has exactly the 20 bytes of runit") {
  for (const auto& row : kRows) CHECK(core::encode_runit_status(row.status) == row.runit);
}

TEST_CASE("a status record is decoded to what was encoded") {
  for (const auto& row : kRows) {
    auto expected = row.status;
    expected.term_sent = false;    // ours has no room for it
    CHECK((core::decode_status(row.ours) == expected));
  }
}

TEST_CASE("bytes that are no status record are refused") {
  const auto good = kRows[1].ours;
  CHECK(core::decode_status(good).has_value());
  CHECK_FALSE(core::decode_status(std::span(good).first(19)).has_value());
  CHECK_FALSE(core::decode_status({}).has_value());
  const std::array<unsigned char, 21> longer{};
  CHECK_FALSE(core::decode_status(longer).has_value());
  struct Change {
    std::size_t byte;
    unsigned char value;
  };
  const Change changes[] = {{12, 2}, {13, 'x'}, {14, 0}, {14, 'u'}, {15, 1}, {19, 0x80}, {8, 0xFF}, {0, 0}, {0, 0x80}};
  for (const auto& change : changes) {
    INFO("byte " << change.byte << " = " << int{change.value});
    auto bad = good;
    bad[change.byte] = change.value;
    CHECK_FALSE(core::decode_status(bad).has_value());
  }
  CHECK_FALSE(core::decode_status(StatusRecord{}).has_value());
}

TEST_CASE("stamps between the first and the last moment of a wall clock survive the record") {
  for (const auto stamp : {at(-2'000'000'000, 0), at(-1, 999'999'999), at(0, 1), at(4'000'000'000, 5), at(9'000'000'000, 999'999'999)}) {
    Status status;
    status.stamp = stamp;
    const auto decoded = core::decode_status(core::encode_status(status));
    REQUIRE(decoded.has_value());
    CHECK(decoded->stamp.time_since_epoch().count() == stamp.time_since_epoch().count());
  }
}

}  // namespace
