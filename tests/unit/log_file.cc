// The rules of bounded logs: stamps, when a file is old, and where it may be cut.
#include "core/log_file.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "catch.h"
#include "core/conf.h"

namespace {

using core::Cut;
using core::LogFill;
using core::LogPeriod;
using core::LogStamps;
using core::Nanos;
using core::seconds;
using core::WallTime;
using std::chrono::hours;
using std::chrono::minutes;

constexpr Nanos kMilli{1'000'000};

WallTime at(std::int64_t unix_seconds, Nanos more = Nanos(0)) { return WallTime(seconds(unix_seconds) + more); }

std::string text_of(LogStamps form, WallTime time, seconds offset = seconds(0)) { return std::string(core::stamp(form, time, offset).view()); }

// --- stamps ---

TEST_CASE("a stamp in ISO 8601 has local time with milliseconds and the offset from UTC") {
  struct Row {
    WallTime time;
    seconds offset;
    const char* text;
  };
  constexpr std::int64_t kEvening = 1'795'197'787;    // 2026-11-20 18:03:07 UTC
  const Row rows[] = {
      {at(0), seconds(0), "1970-01-01T00:00:00.000+00:00 "},
      {at(kEvening, 42 * kMilli), seconds(0), "2026-11-20T18:03:07.042+00:00 "},
      {at(kEvening, 42 * kMilli), hours(1), "2026-11-20T19:03:07.042+01:00 "},
      {at(kEvening), hours(6), "2026-11-21T00:03:07.000+06:00 "},
      {at(kEvening), -(hours(5) + minutes(30)), "2026-11-20T12:33:07.000-05:30 "},
      {at(kEvening), -minutes(30), "2026-11-20T17:33:07.000-00:30 "},
      {at(kEvening), hours(5) + minutes(45), "2026-11-20T23:48:07.000+05:45 "},
      {at(kEvening), hours(14), "2026-11-21T08:03:07.000+14:00 "},
      // Cut, not rounded: a stamp is never later than its line.
      {at(kEvening, Nanos(999'999'999)), seconds(0), "2026-11-20T18:03:07.999+00:00 "},
      {at(951'782'400), seconds(0), "2000-02-29T00:00:00.000+00:00 "},
      {at(951'782'400), -hours(1), "2000-02-28T23:00:00.000-01:00 "},
      {at(1'798'761'599), hours(1), "2027-01-01T00:59:59.000+01:00 "},
      {at(4'107'542'400), seconds(0), "2100-03-01T00:00:00.000+00:00 "},
  };
  for (const auto& row : rows) CHECK(text_of(LogStamps::kIso, row.time, row.offset) == row.text);
}

TEST_CASE("a stamp in TAI64N is the label that all who write it have agreed on") {
  struct Row {
    WallTime time;
    const char* text;
  };
  const Row rows[] = {
      {at(0), "@400000000000000a00000000 "},
      {at(1, Nanos(1)), "@400000000000000b00000001 "},
      {at(0, Nanos(999'999'999)), "@400000000000000a3b9ac9ff "},
      {at(935'467'445, Nanos(787'492'500)), "@4000000037c219bf2ef02e94 "},    // the digits of tai64nlocal(8)
      {at(1'795'197'787, 42 * kMilli), "@400000006b008b650280de80 "},
  };
  for (const auto& row : rows) CHECK(text_of(LogStamps::kTai64n, row.time) == row.text);
  // The offset is nothing to it.
  CHECK(text_of(LogStamps::kTai64n, at(1'795'197'787), hours(3)) == text_of(LogStamps::kTai64n, at(1'795'197'787)));
}

TEST_CASE("without stamps there is nothing before a line") { CHECK(text_of(LogStamps::kNone, at(1'795'197'787)).empty()); }

// --- when a file is old ---

TEST_CASE("a file is over with the first line of another local day") {
  constexpr std::int64_t kMidnight = 1'795'219'200;    // 2026-11-21 00:00:00 UTC
  struct Row {
    std::int64_t written, now;
    seconds offset;
    bool over;
  };
  const Row rows[] = {
      {kMidnight - 1, kMidnight, seconds(0), true},
      {kMidnight - 86'400, kMidnight - 1, seconds(0), false},
      {kMidnight, kMidnight, seconds(0), false},
      {kMidnight - 1, kMidnight, hours(1), false},                  // 00:59:59 and 01:00:00
      {kMidnight - 3601, kMidnight - 3600, hours(1), true},         // 23:59:59 and 00:00:00
      {kMidnight - 1, kMidnight, -hours(5), false},
      {kMidnight + 5 * 3600 - 1, kMidnight + 5 * 3600, -hours(5), true},
      {kMidnight - 20'000, kMidnight + 30 * 86'400, seconds(0), true},
      {kMidnight + 60, kMidnight - 60, seconds(0), true},           // the clock was set back across midnight
      {kMidnight + 120, kMidnight + 60, seconds(0), false},
      {kMidnight - 86'400, kMidnight, -minutes(30), true},
  };
  for (const auto& row : rows) {
    INFO(row.written - kMidnight << " to " << row.now - kMidnight << ", offset " << row.offset.count());
    CHECK(core::is_over({true, Nanos(0)}, at(row.written), at(row.now), row.offset) == row.over);
  }
}

TEST_CASE("a file is over with the first line of another period whatever the time zone") {
  const LogPeriod six_hours{false, hours(6)};
  constexpr std::int64_t kDay = 86'400 * 20'000;
  for (const auto offset : {seconds(0), seconds(hours(3)), seconds(-hours(7))}) {
    CHECK_FALSE(core::is_over(six_hours, at(kDay), at(kDay + 6 * 3600 - 1), offset));
    CHECK(core::is_over(six_hours, at(kDay + 6 * 3600 - 1), at(kDay + 6 * 3600), offset));
    CHECK(core::is_over(six_hours, at(kDay), at(kDay + 86'400), offset));
    CHECK(core::is_over(six_hours, at(kDay), at(kDay - 1), offset));
  }
  CHECK(core::is_over({false, seconds(60)}, at(59, Nanos(999'999'999)), at(60), seconds(0)));
}

TEST_CASE("without a period no file is ever over") {
  CHECK_FALSE(core::is_over({}, at(0), at(1'795'197'787), seconds(0)));
  CHECK_FALSE(core::is_over({}, at(1'795'197'787), at(0), hours(3)));
}

// --- where to cut ---

struct CutRow {
  const char* what;
  std::string waiting;
  LogFill file;
  std::size_t stamp;
  Cut expected;
};

constexpr Cut take(std::size_t bytes) { return {bytes, false}; }
constexpr Cut kRotate{0, true};

TEST_CASE("a log is cut where no line is split if that can be") {
  const std::string long_line(50, 'x');
  const CutRow rows[] = {
      {"all fits", "aa\nbb\n", {0, 100, false}, 0, take(6)},
      {"an unfinished line fits as well", "aa\nbb", {0, 100, false}, 0, take(5)},
      {"it is exactly full then", "aaaa\nbbbb\n", {0, 10, false}, 0, take(10)},
      {"it is exactly full then with an unfinished line", "aaaa\nbbb", {2, 10, false}, 0, take(8)},
      {"one byte too many", "aaaa\nbbbb\n", {0, 9, false}, 0, take(5)},
      {"up to the last newline that fits", "aa\nbb\ncc\ndd\n", {3, 10, false}, 0, take(6)},
      {"an unfinished line that does not fit waits", "aa\nbbbbbb", {0, 8, false}, 0, take(3)},
      {"empty lines count", "\n\n\n\n", {7, 10, false}, 0, take(3)},
      {"nothing fits", "aaaa\n", {8, 10, false}, 0, kRotate},
      {"an unfinished line does not fit", "aaaa", {8, 10, false}, 0, kRotate},
      {"the file is full", "\n", {10, 10, false}, 0, kRotate},
      {"the file is more than full", "a\n", {17, 10, false}, 0, kRotate},
      {"the limit was lowered", "a\n", {1000, 10, false}, 0, kRotate},
      {"a line longer than a file in an empty one", long_line + "\n", {0, 10, false}, 0, take(10)},
      {"the same without its end", long_line, {0, 10, false}, 0, take(10)},
      {"a line as long as a file in an empty one", "123456789\n", {0, 10, false}, 0, take(10)},
      {"a line longer than a file in one with something", long_line + "\n", {1, 10, false}, 0, kRotate},

      {"the rest of a line fits", "a\nbb\n", {5, 10, true}, 0, take(5)},
      {"the rest of a line fits and the next line does not", "a\nbbbb\n", {5, 10, true}, 0, take(2)},
      {"the rest of a line goes beyond the limit", "aaaaaa\nbb\n", {8, 10, true}, 0, take(7)},
      {"and nothing after it", "aaa\nb\n", {10, 10, true}, 0, take(4)},
      {"the rest of a line without its end", "aaaaaa", {8, 10, true}, 0, take(6)},
      {"the rest of a line to twice the limit", long_line + "\n", {8, 10, true}, 0, take(12)},
      {"one byte below twice the limit", long_line + "\n", {19, 10, true}, 0, take(1)},
      {"twice the limit is reached", long_line + "\n", {20, 10, true}, 0, kRotate},
      {"twice the limit is exceeded", "a\n", {21, 10, true}, 0, kRotate},
      {"the rest of a line in a new file", "aaa\nb\n", {0, 10, true}, 0, take(6)},
      {"a long rest of a line in a new file", long_line + "\n", {0, 10, true}, 0, take(20)},

      {"with stamps two lines fit", "aaaa\nbbbb\ncccc\n", {0, 20, false}, 5, take(10)},
      {"with stamps it is exactly full", "aaaa\nbbbb\n", {0, 20, false}, 5, take(10)},
      {"with stamps one byte too many", "aaaa\nbbbb\n", {1, 20, false}, 5, take(5)},
      {"the rest of a line has no stamp", "aaaa\nbbbb\n", {5, 20, true}, 5, take(10)},
      {"and the next line has one", "aaaa\nbbbb\n", {6, 20, true}, 5, take(5)},
      {"with its stamp a line is too long for the rest of a file", "aaaa\n", {15, 20, false}, 5, kRotate},
      {"with its stamp a line is longer than a file", "aaaaaaaaaaaaaaaaaa\n", {0, 20, false}, 5, take(15)},
      {"the rest beyond the limit has no stamp", "aaaa\nb\n", {20, 20, true}, 5, take(5)},
      {"no further line is to come", "a\n", {5, 100, false, true}, 0, kRotate},
      {"no further line is to come but the rest of one", "a\nb\n", {5, 100, true, true}, 0, take(2)},
      {"and all of that", "aaaa", {5, 100, true, true}, 0, take(4)},
      {"also beyond the limit", "aaaa\nb\n", {99, 100, true, true}, 0, take(5)},
      {"but not beyond twice the limit", long_line, {190, 100, true, true}, 0, take(10)},
      {"nor without end", "a", {200, 100, true, true}, 0, kRotate},

      {"a stamp longer than a file", "aaaa\n", {0, 3, false}, 5, take(1)},
      {"a file of one byte", "ab\n", {0, 1, false}, 0, take(1)},
  };
  for (const auto& row : rows) {
    INFO(row.what);
    const auto cut = core::cut(row.waiting, row.file, row.stamp);
    CHECK(cut.bytes == row.expected.bytes);
    CHECK(cut.rotate == row.expected.rotate);
  }
}

// Writes what comes as cut() says, and remembers what became of each line.
class Files {
 public:
  Files(std::uint64_t limit, std::size_t stamp) : limit_(limit), stamp_(stamp) {}

  // What is left of the bytes that wait. `window`: so many of them are looked at.
  std::string write(std::string waiting, std::size_t window) {
    while (!waiting.empty()) {
      const auto seen = std::string_view(waiting).substr(0, window);
      const auto cut = core::cut(seen, {sizes_.back(), limit_, mid_line_}, stamp_);
      if ((cut.bytes != 0) == cut.rotate) return problem_ = "neither bytes nor a rotation, or both", waiting;
      if (cut.bytes > seen.size()) return problem_ = "more bytes than there are", waiting;
      if (cut.rotate) {
        rotate(seen);
      } else {
        add(seen.substr(0, cut.bytes));
        waiting.erase(0, cut.bytes);
      }
      if (!problem_.empty()) return waiting;
    }
    return waiting;
  }

  [[nodiscard]] const std::string& problem() const { return problem_; }
  [[nodiscard]] const std::string& written() const { return written_; }
  [[nodiscard]] std::uint64_t largest() const { return *std::max_element(sizes_.begin(), sizes_.end()); }
  [[nodiscard]] std::size_t count() const { return sizes_.size(); }
  // The shortest line that is in more than one file, with its stamp; SIZE_MAX: there is none.
  [[nodiscard]] std::size_t shortest_split() const {
    auto shortest = SIZE_MAX;
    for (const auto& line : lines_)
      if (line.files > 1) shortest = std::min(shortest, line.size);
    return shortest;
  }

 private:
  struct Line {
    std::size_t size = 0;     // with its stamp and its end
    std::size_t files = 0;    // that it is in
  };

  void rotate(std::string_view seen) {
    if (sizes_.back() == 0) problem_ = "an empty file was rotated";
    const auto line = seen.substr(0, seen.find('\n') + 1);
    if (!mid_line_ && !line.empty() && sizes_.back() + stamp_ + line.size() <= limit_) problem_ = "a file was rotated that the next line fits into";
    sizes_.push_back(0);
    begun_here_ = false;
  }

  void add(std::string_view bytes) {
    written_ += bytes;
    for (const char c : bytes) {
      if (!mid_line_) {
        lines_.push_back({stamp_, 0});
        sizes_.back() += stamp_;
        begun_here_ = false;
      }
      if (!begun_here_) ++lines_.back().files;
      begun_here_ = true;
      ++lines_.back().size;
      ++sizes_.back();
      mid_line_ = c != '\n';
    }
  }

  std::uint64_t limit_;
  std::size_t stamp_;
  std::vector<std::uint64_t> sizes_ = {0};
  std::vector<Line> lines_;
  bool mid_line_ = false, begun_here_ = false;
  std::string written_, problem_;
};

TEST_CASE("whatever comes nothing is lost and no line is split that is not longer than a file") {
  std::mt19937 random(20'261'120);
  const auto upto = [&random](std::size_t n) { return static_cast<std::size_t>(random() % (n + 1)); };
  std::size_t rotations = 0, splits = 0;
  for (int round = 0; round < 3000; ++round) {
    const std::size_t stamp = round % 3 == 0 ? 0 : round % 3 == 1 ? 26 : 30;
    const std::uint64_t limit = 1 + stamp + upto(200);
    const auto longest = upto(round % 2 == 0 ? limit : 5 * limit);
    Files files(limit, stamp);
    std::string all, waiting;
    const auto pieces = 1 + upto(40);
    for (std::size_t i = 0; i < pieces; ++i) {
      std::string piece;
      for (auto n = upto(6); n > 0; --n) piece += std::string(upto(longest), static_cast<char>('a' + n)) + (upto(9) == 0 ? "" : "\n");
      all += piece;
      waiting = files.write(waiting + piece, 1 + upto(300));
      if (!files.problem().empty()) break;
    }
    INFO("round " << round << ", limit " << limit << ", stamp " << stamp);
    REQUIRE(files.problem() == "");
    REQUIRE(waiting.empty());
    REQUIRE(files.written() == all);
    REQUIRE(files.largest() <= 2 * limit);
    REQUIRE(files.shortest_split() > limit);
    rotations += files.count() - 1;
    splits += files.shortest_split() != SIZE_MAX;
  }
  CHECK(rotations > 3000);
  CHECK(splits > 300);
}

// --- stamps before lines ---

struct Stamped {
  std::string text;
  bool mid_line;
};

Stamped with_stamps(std::string_view lines, bool mid_line, std::string_view stamp = "@1 ") {
  Stamped out;
  out.mid_line = core::stamp_lines(lines, stamp, mid_line, [&](std::string_view text) { out.text += text; });
  return out;
}

TEST_CASE("a stamp stands before every line and never within one") {
  struct Row {
    const char* lines;
    bool mid_line;
    const char* text;
    bool unfinished;
  };
  const Row rows[] = {
      {"", false, "", false},
      {"", true, "", true},
      {"a\n", false, "@1 a\n", false},
      {"a", false, "@1 a", true},
      {"a\nb\n", false, "@1 a\n@1 b\n", false},
      {"a\nb", false, "@1 a\n@1 b", true},
      {"\n", false, "@1 \n", false},
      {"\n\n", false, "@1 \n@1 \n", false},
      {"a\n", true, "a\n", false},
      {"a", true, "a", true},
      {"\n", true, "\n", false},
      {"a\nb\nc", true, "a\n@1 b\n@1 c", true},
      {"\na", true, "\n@1 a", true},
  };
  for (const auto& row : rows) {
    INFO("lines: " << row.lines << ", mid-line: " << row.mid_line);
    const auto out = with_stamps(row.lines, row.mid_line);
    CHECK(out.text == row.text);
    CHECK(out.mid_line == row.unfinished);
  }
  CHECK(with_stamps("a\nb", false, "").text == "a\nb");
  CHECK(with_stamps(std::string_view("a\0b\n", 4), false).text == std::string("@1 a\0b\n", 7));
}

TEST_CASE("however lines are cut into pieces their stamps are where they are without cuts") {
  const std::string lines = "one\n\ntwo two\nthree\n\n\nfour";
  const auto whole = with_stamps(lines, false);
  for (std::size_t a = 0; a <= lines.size(); ++a) {
    for (std::size_t b = a; b <= lines.size(); ++b) {
      const auto first = with_stamps(lines.substr(0, a), false);
      const auto second = with_stamps(lines.substr(a, b - a), first.mid_line);
      const auto third = with_stamps(lines.substr(b), second.mid_line);
      REQUIRE(first.text + second.text + third.text == whole.text);
      REQUIRE(third.mid_line == whole.mid_line);
    }
  }
}

// --- the keys ---

struct Read {
  core::Settings settings;
  std::vector<std::string> problems;
};

Read read(const std::string& text, std::string_view service = "redis") {
  const auto conf = core::parse_conf(text);
  auto resolved = core::resolve(conf, service);
  Read out{std::move(resolved.settings), {}};
  for (const auto& diagnostic : conf.diagnostics) out.problems.push_back(core::to_text(diagnostic, "F"));
  for (const auto& diagnostic : resolved.diagnostics) out.problems.push_back(core::to_text(diagnostic, "F"));
  return out;
}

TEST_CASE("logs are bounded unless the configuration says otherwise") {
  const core::Settings settings;
  for (const auto* output : {&settings.output, &settings.errors}) {
    CHECK(output->logfile.empty());
    CHECK(output->maxbytes == 50 * 1024 * 1024);
    CHECK(output->backups == 10);
    CHECK(output->rotate == LogPeriod{});
  }
  CHECK_FALSE(settings.redirect_stderr);
  CHECK(settings.log_timestamps == LogStamps::kNone);
  CHECK(settings.log_processor.empty());
}

TEST_CASE("what is said of one output is not said of the other") {
  const auto out = read(
      "[redis]\nstdout_logfile : /var/log/redis\nstdout_logfile_maxbytes : 16MB\nstdout_logfile_backups : 3\nstdout_logfile_rotate : daily\n"
      "stderr_logfile : none\nstderr_logfile_maxbytes : 0\nstderr_logfile_backups : 0\nstderr_logfile_rotate : 6h\n");
  CHECK(out.problems.empty());
  const auto& output = out.settings.output;
  const auto& errors = out.settings.errors;
  CHECK(output.logfile == "/var/log/redis");
  CHECK(output.maxbytes == 16 << 20);
  CHECK(output.backups == 3);
  CHECK(output.rotate == LogPeriod{true, Nanos(0)});
  CHECK(errors.logfile == "none");
  CHECK(errors.maxbytes == 0);
  CHECK(errors.backups == 0);
  CHECK(errors.rotate == LogPeriod{false, hours(6)});
}

TEST_CASE("the keys of logs are taken in these notations") {
  struct Row {
    const char* key;
    const char* value;
    const char* printed;
  };
  const Row rows[] = {
      {"_logfile_maxbytes", "0", "0"},          {"_logfile_maxbytes", "1", "1"},
      {"_logfile_maxbytes", "500KB", "512000"}, {"_logfile_maxbytes", "50mb", "52428800"},
      {"_logfile_maxbytes", "2 GB", "2147483648"},
      {"_logfile_backups", "0", "0"},           {"_logfile_backups", "200", "200"},
      {"_logfile_rotate", "never", "never"},    {"_logfile_rotate", "daily", "daily"},
      {"_logfile_rotate", "Daily", "daily"},    {"_logfile_rotate", "6h", "21600"},
      {"_logfile_rotate", "60", "60"},          {"_logfile_rotate", "1m", "60"},
      {"_logfile_rotate", "1.5h", "5400"},      {"_logfile_rotate", "7d", "604800"},
      {"_logfile", "/var/log/x", "/var/log/x"}, {"_logfile", "none", "none"},
      {"_logfile", "inherit", "inherit"},       {"_logfile", "app.log", "app.log"},
  };
  for (const std::string output : {"stdout", "stderr"}) {
    for (const auto& row : rows) {
      INFO(output << row.key << " : " << row.value);
      const auto out = read("[redis]\n" + output + row.key + " : " + row.value + "\n");
      CHECK(out.problems.empty());
      CHECK(core::find_key(output + row.key)->print(out.settings) == row.printed);
    }
  }
  CHECK(read("[redis]\nlog_timestamps : iso\n").settings.log_timestamps == LogStamps::kIso);
  CHECK(read("[redis]\nlog_timestamps : TAI64N\n").settings.log_timestamps == LogStamps::kTai64n);
  CHECK(read("[redis]\nlog_timestamps : none\n").settings.log_timestamps == LogStamps::kNone);
  CHECK(read("[redis]\nredirect_stderr : yes\n").settings.redirect_stderr);
  CHECK(read("[redis]\nlog_processor : gzip -9\n").settings.log_processor == std::vector<std::string>{"gzip", "-9"});
}

TEST_CASE("a faulty value of a log's key is an error that says what would be right") {
  struct Row {
    const char* line;
    const char* right;
  };
  constexpr const char* kSize = "a size, such as 500KB, 50MB or 1GB; 0 for no limit";
  constexpr const char* kPeriod = "never, daily, or a period of at least a minute, such as 6h";
  constexpr const char* kForm = "none, iso or tai64n";
  const Row rows[] = {
      {"stdout_logfile_maxbytes : many", kSize},  {"stdout_logfile_maxbytes : -1", kSize}, {"stderr_logfile_maxbytes : 1.5MB", kSize},
      {"stdout_logfile_maxbytes : 10PB", kSize},  {"stderr_logfile_maxbytes : unlimited", kSize},
      {"stdout_logfile_maxbytes : 99999999999999999999", kSize},
      {"stdout_logfile_backups : -1", "a number from 0"}, {"stderr_logfile_backups : x", "a number from 0"},
      {"stdout_logfile_rotate : 30s", kPeriod},   {"stdout_logfile_rotate : 59.9", kPeriod}, {"stderr_logfile_rotate : 0", kPeriod},
      {"stdout_logfile_rotate : weekly", kPeriod}, {"stdout_logfile_rotate : -6h", kPeriod},
      {"log_timestamps : yes", kForm},            {"log_timestamps : tai64", kForm},
      {"redirect_stderr : both", "true or false"},
      {"log_processor : gzip '", "balanced quotes"},
  };
  for (const auto& row : rows) {
    INFO(row.line);
    const auto out = read(std::string("[redis]\n") + row.line + "\n");
    REQUIRE(out.problems.size() == 1);
    CHECK_THAT(out.problems[0], contains("F:2: error: "));
    CHECK_THAT(out.problems[0], contains(row.right));
    CHECK(out.settings.output.maxbytes == core::Settings().output.maxbytes);
    CHECK(out.settings.output.rotate == LogPeriod{});
  }
}

TEST_CASE("a service has the logs of the global section unless it says otherwise") {
  const std::string text =
      "[lone]\n[global]\nstdout_logfile_maxbytes : 1MB\nstdout_logfile_rotate : daily\nstderr_logfile_backups : 2\nlog_timestamps : iso\n"
      "log_processor : gzip\nredirect_stderr : true\n[redis]\nstdout_logfile_rotate : never\nlog_timestamps : tai64n\nlog_processor :\n"
      "stderr_logfile_backups :\n";
  const auto redis = read(text);
  CHECK(redis.problems.empty());
  CHECK(redis.settings.output.maxbytes == 1 << 20);
  CHECK(redis.settings.output.rotate == LogPeriod{});
  CHECK(redis.settings.errors.backups == 10);    // an empty value is the default
  CHECK(redis.settings.log_timestamps == LogStamps::kTai64n);
  CHECK(redis.settings.log_processor.empty());
  CHECK(redis.settings.redirect_stderr);
  const auto other = read(text, "other");
  CHECK(other.settings.output.rotate == LogPeriod{true, Nanos(0)});
  CHECK(other.settings.errors.backups == 2);
  CHECK(other.settings.log_timestamps == LogStamps::kIso);
  CHECK(other.settings.log_processor == std::vector<std::string>{"gzip"});
  const auto lone = read(text, "lone");
  CHECK(lone.settings.output.maxbytes == 50 << 20);
  CHECK(lone.settings.log_timestamps == LogStamps::kNone);
}

}  // namespace
