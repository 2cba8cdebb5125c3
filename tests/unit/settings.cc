#include "core/settings.h"

#include <csignal>
#include <map>
#include <set>

#include "catch.h"

namespace {

using core::Settings;

constexpr const char* kTime = "a time: a number of seconds or with a unit, such as 10, 1.5, 500ms, 30s, 5m, 2h, 1d";
constexpr const char* kFlag = "true or false";
constexpr const char* kCount = "a number from 0 to 1000000000";
constexpr const char* kCountOrNone = "a number from 0 to 1000000000, or unlimited (-1)";
constexpr const char* kLimit = "a limit, or SOFT:HARD, each a number (KB, MB, GB) or unlimited";
constexpr const char* kSize = "a size, such as 500KB, 50MB or 1GB; 0 for no limit";

std::string set(Settings& settings, std::string_view key, std::string_view value) {
  const auto* found = core::find_key(key);
  REQUIRE(found);
  return found->set(settings, value);
}

struct Good {
  const char* value;
  const char* printed;
};
struct KeyRows {
  const char* key;
  const char* printed_default;
  std::vector<Good> good;
  std::vector<const char*> bad;
  const char* right;    // what the message says would be right; null: there is no bad value
};

const std::vector<Good> kTimes = {{"0", "0"},        {"10", "10"},      {"1.5", "1.5"},    {"500ms", "0.5"}, {"30s", "30"},
                                  {"5m", "300"},     {"2h", "7200"},    {"1d", "86400"},   {"1.5h", "5400"}, {"5 m", "300"},
                                  {"3M", "180"},     {"0.000000001", "0.000000001"},       {"0.0000000001", "0.000000001"}, {"0.0000001ms", "0.000000001"}, {"0.000", "0"}, {"1.", "1"},      {"1.25ms", "0.00125"}};
const std::vector<const char*> kBadTimes = {"abc", "-1", "1x", "s", ".", "1..2", "1 2", "99999999999999999999", "1e3", "+1", "1,5", "3000000h"};
const std::vector<Good> kFlags = {{"true", "true"}, {"yes", "true"}, {"on", "true"}, {"1", "true"}, {"TRUE", "true"},
                                  {"false", "false"}, {"no", "false"}, {"off", "false"}, {"0", "false"}, {"Off", "false"}};
const std::vector<const char*> kBadFlags = {"maybe", "2", "t", "yess"};
const std::vector<Good> kCounts = {{"0", "0"}, {"7", "7"}, {"1000000000", "1000000000"}};
const std::vector<const char*> kBadCounts = {"-1", "x", "1.5", "1000000001", "99999999999999999999", "7x", "+7"};
const std::vector<Good> kCountsOrNone = {{"0", "0"}, {"3", "3"}, {"-1", "unlimited"}, {"unlimited", "unlimited"}, {"Unlimited", "unlimited"}};
const std::vector<const char*> kBadCountsOrNone = {"-2", "x", "1.5", "1000000001", "3x"};
const std::vector<Good> kLimits = {{"1024", "1024"}, {"1KB", "1024"}, {"1 mb", "1048576"}, {"2GB", "2147483648"}, {"unlimited", "unlimited"},
                                   {"10:20", "10:20"}, {"10:unlimited", "10:unlimited"}, {"0", "0"}, {"5 : 5", "5"}};
const std::vector<const char*> kBadLimits = {"x", "-1", "20:10", "unlimited:10", "1:2:3", "1.5GB", "1PB", ":", "99999999999999999999", "20000000000GB"};

const std::vector<Good> kSizes = {{"0", "0"}, {"100", "100"}, {"16KB", "16384"}, {"50 mb", "52428800"}, {"1GB", "1073741824"}};
const std::vector<const char*> kBadSizes = {"x", "-1", "1.5MB", "1PB", "unlimited", "2000000000GB"};

const std::vector<KeyRows> kRows = {
    {"command", "", {{"redis -p 1", "redis -p 1"}, {"'a b' c", "\"a b\" c"}, {"sh -c 'a; b'", "sh -c \"a; b\""}, {"x ''", "x \"\""}, {"'a\"b\\c'", "\"a\\\"b\\\\c\""}, {"'$x'", "$x"}},
     {"a 'b", "a\\"}, "a command with balanced quotes ("},
    {"directory", "", {{"/var/lib/redis", "/var/lib/redis"}, {"a b", "a b"}}, {}, nullptr},
    {"user", "", {{"redis", "redis"}, {"1:2", "1:2"}}, {}, nullptr},
    {"umask", "", {{"022", "022"}, {"77", "077"}, {"0", "000"}, {"0777", "777"}}, {"8", "1000", "-1", "x", "0x1"}, "an octal mode from 0 to 777, such as 022"},
    {"environment", "", {{"A=\"x\",B=\"y\"", "A=\"x\",B=\"y\""}, {"A=1", "A=\"1\""}, {"A='\"'", "A=\"\\\"\""}, {"A='\\'", "A=\"\\\\\""}},
     {"A", "A=\"", "A=1 B=2"}, "A=\"x\",B=\"y\" ("},
    {"environment_file", "", {{"/etc/default/redis", "/etc/default/redis"}}, {}, nullptr},
    {"rlimit_nofile", "", kLimits, kBadLimits, kLimit},
    {"rlimit_core", "", kLimits, kBadLimits, kLimit},
    {"rlimit_as", "", kLimits, kBadLimits, kLimit},
    {"nice", "", {{"0", "0"}, {"-20", "-20"}, {"19", "19"}}, {"-21", "20", "x", "1.5"}, "a number from -20 to 19"},
    {"control_group", "", {{"ops", "ops"}, {"4", "4"}}, {}, nullptr},
    {"stopsignal", "TERM", {{"INT", "INT"}, {"sigint", "INT"}, {"9", "KILL"}, {"RTMIN+3", "RTMIN+3"}, {"40", "RTMIN+6"}}, {"NOPE", "0", "65"}, "a signal name or number, such as TERM, INT or 15"},
    {"stopwaitsecs", "10", kTimes, kBadTimes, kTime},
    {"stopasgroup", "false", kFlags, kBadFlags, kFlag},
    {"killasgroup", "false", kFlags, kBadFlags, kFlag},
    {"kill_tree", "false", kFlags, kBadFlags, kFlag},
    {"forking", "false", kFlags, kBadFlags, kFlag},
    {"pidfile", "", {{"/run/redis.pid", "/run/redis.pid"}, {"a b", "a b"}}, {}, nullptr},
    {"autorestart", "true", {{"true", "true"}, {"yes", "true"}, {"1", "true"}, {"false", "false"}, {"off", "false"}, {"Unexpected", "unexpected"}}, {"never", "2"}, "true, false or unexpected"},
    {"exitcodes", "0", {{"0", "0"}, {"2,1", "1,2"}, {"0, 255", "0,255"}, {"3,3", "3"}, {"4 2", "2,4"}}, {"256", "-1", "x", "1;2", "1-2", ","}, "exit codes from 0 to 255, separated by commas"},
    {"startsecs", "1", kTimes, kBadTimes, kTime},
    {"startretries", "unlimited", kCountsOrNone, kBadCountsOrNone, kCountOrNone},
    {"backoff", "none", {{"none", "none"}, {"linear", "linear"}, {"Exponential", "exponential"}}, {"x", "1", "linear 2"}, "none, linear or exponential"},
    {"backoff_factor", "1", kTimes, kBadTimes, kTime},
    {"backoff_max", "60", kTimes, kBadTimes, kTime},
    {"backoff_jitter", "0", {{"0", "0"}, {"1", "1"}, {"0.25", "0.25"}, {"1.0", "1"}, {"0.123456789", "0.123456789"}}, {"1.1", "2", "-0.5", "x", ".5", "50%", "1.000000001", ""}, "a fraction from 0 to 1, such as 0.25"},
    {"max_restarts", "unlimited", kCountsOrNone, kBadCountsOrNone, kCountOrNone},
    {"fatal_retry", "0", kTimes, kBadTimes, kTime},
    {"heartbeat_file", "", {{"/run/beat", "/run/beat"}, {"a b", "a b"}}, {}, nullptr},
    {"heartbeat_timeout", "20", kTimes, kBadTimes, kTime},
    {"heartbeat_delay", "0", kTimes, kBadTimes, kTime},
    {"notify", "false", kFlags, kBadFlags, kFlag},
    {"watchdog", "0", kTimes, kBadTimes, kTime},
    {"ready_fd", "", {{"3", "3"}, {"1023", "1023"}}, {"0", "1", "2", "1024", "-1", "x", "3x", "99999999999"}, "a descriptor from 3 to 1023"},
    {"ready_timeout", "0", kTimes, kBadTimes, kTime},
    {"hook_timeout", "10", kTimes, kBadTimes, kTime},
    {"stdout_logfile", "", {{"/var/log/x.log", "/var/log/x.log"}, {"none", "none"}, {"inherit", "inherit"}, {"out.log", "out.log"}}, {}, nullptr},
    {"stdout_logfile_maxbytes", "52428800", kSizes, kBadSizes, kSize},
    {"stdout_logfile_backups", "10", kCounts, kBadCounts, kCount},
    {"stdout_logfile_rotate", "never", {{"never", "never"}, {"Daily", "daily"}, {"6h", "21600"}, {"60", "60"}}, {"59", "hourly", "0", "x", "-1"}, "never, daily, or a period of at least a minute, such as 6h"},
    {"stderr_logfile", "", {{"/var/log/x.log", "/var/log/x.log"}, {"none", "none"}, {"inherit", "inherit"}, {"out.log", "out.log"}}, {}, nullptr},
    {"stderr_logfile_maxbytes", "52428800", kSizes, kBadSizes, kSize},
    {"stderr_logfile_backups", "10", kCounts, kBadCounts, kCount},
    {"stderr_logfile_rotate", "never", {{"never", "never"}, {"Daily", "daily"}, {"6h", "21600"}, {"60", "60"}}, {"59", "hourly", "0", "x", "-1"}, "never, daily, or a period of at least a minute, such as 6h"},
    {"redirect_stderr", "false", kFlags, kBadFlags, kFlag},
    {"log_timestamps", "none", {{"none", "none"}, {"ISO", "iso"}, {"tai64n", "tai64n"}}, {"tai64", "true", "1"}, "none, iso or tai64n"},
    {"log_processor", "", {{"gzip -9", "gzip -9"}}, {"'", "x\\"}, "a command with balanced quotes ("},
    {"alarm_interval", "0", {{"0", "0"}, {"1", "60"}, {"59.999", "60"}, {"60", "60"}, {"2m", "120"}}, kBadTimes, kTime},
    {"max_tries", "0", kCounts, kBadCounts, kCount},
    {"max_tries_if_coredumped", "0", kCounts, kBadCounts, kCount},
    {"alarm_mail", "", {{"a@x", "a@x"}, {"a@x \t b@x a@x", "a@x b@x"}, {"root", "root"}}, {"-oQ/tmp", "a,b", "a@x -f", "<a@x>", "To:x", "\"a\"", "a\x01", "a;b", "(c)"}, "addresses separated by blanks"},
    {"alarm_gsm", "", {{"123", "123"}, {"+49 123", ""}, {"+4912 34 +4912", "+4912 34"}}, {"x", "+", "12a", "-1", "1+2", "++1"}, "telephone numbers separated by blanks"},
    {"alarm_command", "", {{"notify 'a b'", "notify \"a b\""}}, {"'", "x\\"}, "a command with balanced quotes ("},
};

TEST_CASE("every key has rows in this table") {
  std::set<std::string_view> here;
  for (const auto& rows : kRows) here.insert(rows.key);
  for (const auto& key : core::keys()) CHECK(here.count(key.name) == 1);
  CHECK(here.size() == core::keys().size());
}

TEST_CASE("every key of the contract is known once") {
  std::map<std::string_view, int> count;
  for (const auto& key : core::keys()) ++count[key.name];
  for (const auto* name : {"autorestart", "exitcodes", "startsecs", "startretries", "backoff", "backoff_factor", "backoff_max",
                           "backoff_jitter", "max_restarts", "fatal_retry", "alarm_interval", "alarm_mail", "alarm_gsm", "max_tries",
                           "max_tries_if_coredumped", "command", "directory", "user", "umask", "environment", "environment_file",
                           "rlimit_nofile", "rlimit_core", "rlimit_as", "nice", "control_group", "stopsignal", "stopwaitsecs",
                           "stopasgroup", "killasgroup", "alarm_command", "kill_tree", "forking", "pidfile", "heartbeat_file",
                           "heartbeat_timeout", "heartbeat_delay", "notify", "watchdog", "ready_fd", "ready_timeout"}) {
    INFO("key: " << name);
    CHECK(count[name] == 1);
  }
  CHECK(core::find_key("no_such_key") == nullptr);
  CHECK(core::find_key("") == nullptr);
  CHECK(core::find_key("Command") == nullptr);
}

TEST_CASE("every key prints its default") {
  for (const auto& rows : kRows) {
    INFO("key: " << rows.key);
    CHECK(core::find_key(rows.key)->print(Settings()) == rows.printed_default);
  }
}

TEST_CASE("good values are taken and printed in one notation that is taken again") {
  for (const auto& rows : kRows) {
    for (const auto& row : rows.good) {
      if (std::string_view(row.printed).empty()) continue;
      INFO(rows.key << " : " << row.value);
      Settings settings;
      CHECK(set(settings, rows.key, row.value) == "");
      const auto printed = core::find_key(rows.key)->print(settings);
      CHECK(printed == row.printed);
      Settings again;
      CHECK(set(again, rows.key, printed) == "");
      CHECK(core::find_key(rows.key)->print(again) == printed);
    }
  }
}

TEST_CASE("bad values are refused with what would be right and change nothing") {
  for (const auto& rows : kRows) {
    for (const auto* value : rows.bad) {
      if (std::string_view(value).empty()) continue;
      INFO(rows.key << " : " << value);
      Settings settings;
      const auto right = set(settings, rows.key, value);
      const std::string expected = rows.right;
      CHECK(right.substr(0, expected.size()) == expected);
      if (!expected.ends_with('(')) CHECK(right == expected);
      CHECK(core::find_key(rows.key)->print(settings) == rows.printed_default);
    }
  }
}

TEST_CASE("a carriage return in a word of a command is printed within quotes") {
  Settings settings, again;
  REQUIRE(set(settings, "command", "\"a\rb\" c") == "");
  REQUIRE(set(again, "command", core::find_key("command")->print(settings)) == "");
  CHECK(again.command == settings.command);
}

TEST_CASE("a bad value keeps the good one that was there") {
  for (const auto& rows : kRows) {
    if (rows.bad.empty() || rows.good.empty()) continue;
    INFO("key: " << rows.key);
    Settings settings;
    CHECK(set(settings, rows.key, rows.good.front().value) == "");
    CHECK(set(settings, rows.key, rows.bad.front()) != "");
    CHECK(core::find_key(rows.key)->print(settings) == rows.good.front().printed);
  }
}

TEST_CASE("what is printed for any settings is read back to the same settings") {
  Settings settings;
  for (const auto& rows : kRows) CHECK(set(settings, rows.key, rows.good.front().value) == "");
  Settings again;
  for (const auto& key : core::keys()) CHECK(key.set(again, key.print(settings)) == "");
  for (const auto& key : core::keys()) CHECK(key.print(again) == key.print(settings));
}

TEST_CASE("settings reach the fields that the program uses") {
  Settings settings;
  for (const auto& [key, value] : std::map<const char*, const char*>{{"exitcodes", "3,4"}, {"stopsignal", "QUIT"}, {"umask", "027"}, {"rlimit_nofile", "1KB:2KB"}, {"nice", "-5"},
                                                                     {"kill_tree", "on"}, {"forking", "yes"}, {"pidfile", "p"}, {"heartbeat_file", "h"}, {"heartbeat_timeout", "7"},
                                                                     {"heartbeat_delay", "8"}, {"notify", "1"}, {"watchdog", "9"}, {"ready_fd", "5"}, {"ready_timeout", "6"}})
    CHECK(set(settings, key, value) == "");
  CHECK(settings.policy.exitcodes.count() == 2);
  CHECK(settings.policy.exitcodes[3]);
  CHECK_FALSE(settings.policy.exitcodes[0]);
  CHECK(settings.policy.stopsignal == SIGQUIT);
  CHECK(settings.umask->bits == 027);
  CHECK(settings.rlimit_nofile->soft == 1024);
  CHECK(settings.rlimit_nofile->hard == 2048);
  CHECK(*settings.nice == -5);
  CHECK(settings.policy.kill_tree);
  CHECK(settings.policy.forking);
  CHECK(settings.pidfile == "p");
  CHECK(settings.heartbeat_file == "h");
  CHECK(settings.policy.heartbeat_timeout == core::seconds(7));
  CHECK(settings.policy.heartbeat_delay == core::seconds(8));
  CHECK(settings.notify);
  CHECK(settings.policy.watchdog == core::seconds(9));
  CHECK(settings.ready_fd == 5U);
  CHECK(settings.policy.ready_timeout == core::seconds(6));
}

TEST_CASE("what has changed is told apart by whether the service must be started again for it") {
  struct Row {
    std::map<const char*, const char*> before, now;
    std::string in_force, needs_restart;
  };
  const Row rows[] = {
      {{}, {}, "", ""},
      {{{"startsecs", "1"}}, {{"startsecs", "1s"}}, "", ""},
      {{}, {{"startsecs", "7"}, {"stopsignal", "INT"}}, " stopsignal startsecs", ""},
      {{{"user", "a"}}, {{"command", "x"}, {"rlimit_core", "0"}, {"alarm_command", "y"}}, " alarm_command", " command user rlimit_core"},
      {{}, {{"stdout_logfile", "a"}, {"stderr_logfile_maxbytes", "1"}}, " stdout_logfile stderr_logfile_maxbytes", ""},
      {{}, {{"stdout_logfile", "inherit"}, {"stderr_logfile_maxbytes", "0"}}, "", " stdout_logfile stderr_logfile_maxbytes"},
      {{{"stderr_logfile", "/dev/stdout"}}, {{"redirect_stderr", "yes"}}, "", " stderr_logfile redirect_stderr"},
      {{{"stdout_logfile_maxbytes", "0"}, {"stdout_logfile", "a"}}, {{"stdout_logfile_maxbytes", "0"}, {"stdout_logfile", "b"}}, "", " stdout_logfile"},
  };
  const auto with = [](const std::map<const char*, const char*>& keys) {
    Settings settings;
    for (const auto& [key, value] : keys) CHECK(set(settings, key, value) == "");
    return settings;
  };
  const auto joined = [](const std::vector<std::string_view>& names) {
    std::string out;
    for (const auto name : names) out += " " + std::string(name);
    return out;
  };
  for (const auto& row : rows) {
    const auto changes = core::changes(with(row.before), with(row.now));
    CHECK(joined(changes.in_force) == row.in_force);
    CHECK(joined(changes.needs_restart) == row.needs_restart);
  }
}

}  // namespace
