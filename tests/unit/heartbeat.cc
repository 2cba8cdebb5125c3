#include "core/heartbeat.h"

#include "catch.h"

namespace {

using core::FileStamp;
using core::Heartbeat;
using core::Nanos;
using core::seconds;
using File = std::optional<FileStamp>;

const File kNoFile;
constexpr seconds kYear(365 * 86400);

// A moment, in seconds since the service was started, with the wall clock off by `stepped`.
core::Now at(int second, Nanos stepped = {}) {
  return {core::Instant(seconds(1000 + second)), core::WallTime(seconds(1'795'197'787 + second) + stepped)};
}

File changed(int second, Nanos more = {}, std::uint64_t inode = 7) { return FileStamp{at(second).wall + more, inode}; }

// How long ago the beat was; Nanos::max() for none.
Nanos age(const std::optional<core::Instant>& beat, core::Now now) { return beat ? now.mono - *beat : Nanos::max(); }
constexpr auto kNone = Nanos::max();

TEST_CASE("what changed in the heartbeat file since the start is a beat and nothing else is") {
  struct Row {
    const char* what;
    File before, after;
    Nanos age;
  };
  const Row rows[] = {
      {"no file", kNoFile, kNoFile, kNone},
      {"the file of an earlier run", changed(-500), changed(-500), kNone},
      {"the file of an earlier run is removed", changed(-500), kNoFile, kNone},
      {"the file appears", kNoFile, changed(15), seconds(5)},
      {"the file is modified", changed(-500), changed(15), seconds(5)},
      {"the file is modified this moment", changed(-500), changed(20), seconds(0)},
      {"the file is modified just after the start", changed(-500), changed(0), seconds(20)},
      {"the file is replaced by another", changed(-500), changed(15, {}, 8), seconds(5)},
      {"the file is replaced by one with the same time", changed(-500), changed(-500, {}, 8), seconds(0)},
  };
  for (const auto& row : rows) {
    INFO(row.what);
    Heartbeat heartbeat;
    heartbeat.begin(row.before, at(0));
    CHECK(age(heartbeat.look(row.after, at(20)), at(20)) == row.age);
  }
}

TEST_CASE("every beat is seen once") {
  Heartbeat heartbeat;
  heartbeat.begin(kNoFile, at(0));
  CHECK(age(heartbeat.look(changed(15), at(20)), at(20)) == seconds(5));
  CHECK(age(heartbeat.look(changed(15), at(35)), at(35)) == kNone);
  CHECK(age(heartbeat.look(changed(36), at(55)), at(55)) == seconds(19));
  CHECK(age(heartbeat.look(changed(36), at(56)), at(56)) == kNone);
}

TEST_CASE("a heartbeat file that is removed and made again goes on beating") {
  Heartbeat heartbeat;
  heartbeat.begin(changed(-1), at(0));
  CHECK(age(heartbeat.look(kNoFile, at(20)), at(20)) == kNone);
  CHECK(age(heartbeat.look(changed(25, {}, 8), at(30)), at(30)) == seconds(5));
}

TEST_CASE("the start of a new run makes the beats of the last one old") {
  Heartbeat heartbeat;
  heartbeat.begin(kNoFile, at(0));
  CHECK(age(heartbeat.look(changed(5), at(20)), at(20)) == seconds(15));
  heartbeat.begin(changed(25), at(30));
  CHECK(age(heartbeat.look(changed(25), at(50)), at(50)) == kNone);
}

TEST_CASE("a beat whose time makes no sense is one of now") {
  struct Row {
    const char* what;
    File file;
    Nanos stepped;
  };
  const Row rows[] = {
      {"the clock was set forward a year after the beat", changed(15), kYear},
      {"the clock was set back a year after the beat", changed(15), -kYear},
      {"the file is from the future", changed(21), {}},
      {"the file is from next year", changed(15, kYear), {}},
      {"the file is from last year", changed(15, -kYear), {}},
      {"the file is from the epoch", FileStamp{core::WallTime{}, 7}, {}},
      {"the file is from before the last look", changed(0, std::chrono::milliseconds(-20)), {}},
      {"the file is from the end of time", FileStamp{core::WallTime::max(), 7}, {}},
      {"the file is from its beginning", FileStamp{core::WallTime::min(), 7}, {}},
  };
  for (const auto& row : rows) {
    INFO(row.what);
    Heartbeat heartbeat;
    heartbeat.begin(changed(-500), at(0));
    const auto now = at(20, row.stepped);
    CHECK(age(heartbeat.look(row.file, now), now) == seconds(0));
  }
}

TEST_CASE("a beat that should have been seen at the last look is one of now") {
  Heartbeat heartbeat;
  heartbeat.begin(kNoFile, at(0));
  CHECK(age(heartbeat.look(changed(5), at(20)), at(20)) == seconds(15));
  CHECK(age(heartbeat.look(changed(10), at(40)), at(40)) == seconds(0));
}

TEST_CASE("a step of the clock is no beat and the next beats are seen as they were") {
  for (const Nanos stepped : {kYear, -kYear}) {
    Heartbeat heartbeat;
    heartbeat.begin(changed(-500), at(0));
    CHECK(age(heartbeat.look(changed(-500), at(20, stepped)), at(20)) == kNone);
    CHECK(age(heartbeat.look(changed(37, stepped), at(40, stepped)), at(40)) == seconds(3));
  }
}

}  // namespace
