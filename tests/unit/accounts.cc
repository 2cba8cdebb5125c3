#include "core/accounts.h"

#include "catch.h"

namespace {

constexpr const char* kPasswd =
    "root:x:0:0:root:/root:/bin/sh\n"
    "broken line\n"
    "nouid:x::5::/:\n"
    ":x:9:9::/:\n"
    "redis:x:101:102:,,,:/var/lib/redis:/usr/sbin/nologin\n"
    "other:x:102:7::/:\n"
    "1000:x:555:555::/:";
constexpr const char* kGroup =
    "root:x:0:\n"
    "redis:x:102:\n"
    "ssl:x:110:redis,other\n"
    "log:x:111:other,redis\n"
    "almost:x:112:redisx,xredis\n"
    "redis-own:x:102:redis\n"
    "bad:x:no:redis\n"
    "last:x:120:redis";

using Groups = std::vector<std::uint32_t>;

TEST_CASE("a user is found by name or number with all groups") {
  struct Row {
    const char* spec;
    std::uint32_t uid, gid;
    Groups groups;
  };
  const Row rows[] = {
      {"redis", 101, 102, {102, 110, 111, 120}}, {"101", 101, 102, {102, 110, 111, 120}},
      {"root", 0, 0, {0}},                       {"0", 0, 0, {0}},
      {"101:7", 101, 7, {7, 110, 111, 102, 120}}, {"4000:5000", 4000, 5000, {5000}},
      {"0:0", 0, 0, {0}},                        {"4000", 4000, 4000, {4000}},
  };
  for (const auto& row : rows) {
    INFO("user: " << row.spec);
    const auto account = core::find_account(row.spec, kPasswd, kGroup);
    REQUIRE(account.has_value());
    CHECK(account->uid == row.uid);
    CHECK(account->gid == row.gid);
    CHECK(account->groups == row.groups);
  }
}

TEST_CASE("a user that cannot be found is refused") {
  for (const auto* spec : {"", "nobody", "redi", "REDIS", "40x0", "redis:102", "4000:", ":5", "4000:x", "-1", "4000:5000:1",
                           "99999999999", "nouid", "broken line", "4000 :5"}) {
    INFO("user: " << spec);
    CHECK_FALSE(core::find_account(spec, kPasswd, kGroup).has_value());
  }
  CHECK_FALSE(core::find_account("redis", "", "").has_value());
  CHECK(core::find_account("7:8", "", "").has_value());
}

TEST_CASE("a group is found by name or number") {
  CHECK(core::find_group("ssl", kGroup) == 110U);
  CHECK(core::find_group("last", kGroup) == 120U);
  CHECK(core::find_group("4242", kGroup) == 4242U);
  for (const auto* name : {"", "bad", "none", "ss", "ssl2", "-1"}) {
    INFO("group: " << name);
    CHECK_FALSE(core::find_group(name, kGroup).has_value());
  }
}

}  // namespace
