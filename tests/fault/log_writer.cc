// One log, fed by a FIFO, in the simulated world: whatever call fails, wherever its writer is killed and whatever somebody does
// to the files meanwhile, what was put into the FIFO is in the files, in order, once, and no line is torn.
#include "supervise/log_writer.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <random>

#include "catch.h"
#include "fault/log_world.h"

namespace {

using namespace sim::log;
using core::LogStamps;
using core::seconds;
using sim::Op;
using supervise::LogSpec;
using supervise::LogWriter;
using Progress = LogWriter::Progress;

constexpr std::uint64_t kPlenty = 1 << 20;
constexpr unsigned kMany = 500;
constexpr core::Nanos kGrow = seconds(10);    // for which a log goes on that can't be rotated

std::string numbered(int from, int to, std::size_t width = 0) {
  std::string out;
  for (int i = from; i < to; ++i) {
    auto line = "line " + std::to_string(i);
    line.resize(std::max(width, line.size() + static_cast<std::size_t>(i % 7)), '.');
    out += line + "\n";
  }
  return out;
}

// --- scenarios ---

// Bytes in pieces that heed no line, with less than enough turns between them, so that they come together in many ways.
void feed(World& world, const std::string& text, std::size_t piece, int turns) {
  for (std::size_t at = 0; at < text.size(); at += piece) {
    world.put(text.substr(at, piece));
    for (int i = 0; i < turns; ++i) (void)world.advance();
  }
}

bool may_prevent_rotation(Op op) { return op == Op::kRename || op == Op::kRemove || op == Op::kStatAt; }

// Runs the script undisturbed, then with each call failing once in each way, then with a KILL before each call.
void sweep(const LogSpec& spec, const std::function<void(World&)>& script, Checked checked = {}) {
  std::vector<Op> calls;
  std::size_t first = 0;
  {
    World world(spec);
    script(world);
    const bool settled = world.settle();
    calls = world.system.log();
    first = world.first_call;
    const bool ended = world.end();
    REQUIRE(wrong_with(world, spec, settled && ended, checked) == "");
    CHECK(world.failures == 0);
  }
  std::size_t runs = 0, bad = 0;
  std::map<std::string, std::pair<int, std::string>> report;    // by what was done: how often it went wrong, and how
  const auto run = [&](const Disturbance& disturbance, const std::string& what) {
    World world(spec);
    world.disturbances = {disturbance};
    script(world);
    const bool settled = world.settle() && world.end();
    ++runs;
    const auto op = calls[disturbance.call];
    auto check = checked;
    if (disturbance.what == Disturbance::What::kError && may_prevent_rotation(op)) check.bounded = false;
    const auto text = wrong_with(world, spec, settled, check);
    if (text.empty()) return;
    ++bad;
    auto& [count, first_text] = report[sim::name_of(op) + " " + what];
    if (++count == 1) first_text = "call " + std::to_string(disturbance.call) + ": " + text;
  };
  for (std::size_t call = first; call < calls.size(); ++call) {
    for (const auto& error : sim::errors_of(calls[call])) run({call, Disturbance::What::kError, error, {}}, "with errno " + std::to_string(error.number));
    run({call, Disturbance::What::kKill, {}, {}}, "never made because of a KILL");
  }
  std::string text;
  for (const auto& [what, found] : report) text += "\n" + what + ", " + std::to_string(found.first) + " times; the first: " + found.second;
  INFO(runs << " runs, " << bad << " bad" << text);
  CHECK(bad == 0);
  CHECK(runs > 60);
}

// All scenarios that have lines no longer than a file.
const std::string kLines = numbered(0, 25);

TEST_CASE("a log that is not full takes what comes") {
  for (const auto stamps : {LogStamps::kNone, LogStamps::kIso, LogStamps::kTai64n}) {
    INFO("stamps " << static_cast<int>(stamps));
    sweep(spec_of(kPlenty, kMany, stamps), [](World& world) { feed(world, kLines, 37, 2); });
  }
}

TEST_CASE("a log is rotated where no line ends") {
  sweep(spec_of(60, kMany), [](World& world) { feed(world, kLines, 37, 2); });
  sweep(spec_of(90, kMany), [](World& world) { feed(world, kLines, 5, 1); });
  sweep(spec_of(90, kMany), [](World& world) { feed(world, kLines, 200, 3); });
}

TEST_CASE("a log with stamps is rotated where no line ends") {
  sweep(spec_of(300, kMany, LogStamps::kIso), [](World& world) { feed(world, kLines, 37, 2); });
  sweep(spec_of(200, kMany, LogStamps::kTai64n), [](World& world) { feed(world, kLines, 11, 1); });
}

TEST_CASE("of a log the newest backups are kept") {
  for (const unsigned backups : {0U, 1U, 2U, 3U}) {
    INFO(backups << " backups");
    sweep(spec_of(60, backups), [](World& world) { feed(world, kLines, 37, 2); }, {.all_kept = false});
    sweep(spec_of(80, backups, LogStamps::kTai64n), [](World& world) { feed(world, kLines, 37, 2); }, {.all_kept = false});
  }
}

TEST_CASE("a log that is so large that it is not looked at is cut at lines as well") {
  sweep(spec_of(40'000, kMany), [](World& world) { feed(world, numbered(0, 1200, 99), 30'000, 2); });
  sweep(spec_of(40'000, kMany, LogStamps::kTai64n), [](World& world) { feed(world, numbered(0, 600, 99), 23'456, 2); });
}


TEST_CASE("a line that is longer than a file goes on in the next one") {
  const auto text = numbered(0, 4) + std::string(500, 'x') + "\n" + numbered(4, 8) + std::string(61, 'y') + "\n" + std::string(300, 'z');
  sweep(spec_of(60, kMany), [&](World& world) { feed(world, text, 50, 2); }, {.long_lines = true});
  // A writer that comes anew does not know that a file begins within a line, so there is no KILL here.
  for (const auto stamps : {LogStamps::kIso, LogStamps::kTai64n}) {
    const auto spec = spec_of(100, kMany, stamps);
    World world(spec);
    feed(world, text, 50, 2);
    CHECK(wrong_with(world, spec, world.settle() && world.end(), {.long_lines = true}) == "");
    CHECK(world.names().size() > 4);
  }
}

TEST_CASE("a log in the status directory is written like any other") {
  auto spec = spec_of(90, kMany);
  spec.in_status_directory = true;
  sweep(spec, [](World& world) { feed(world, kLines, 37, 2); });
  spec.stamps = LogStamps::kIso;
  spec.maxbytes = 300;
  sweep(spec, [](World& world) { feed(world, kLines, 37, 2); });
}

TEST_CASE("backups that a processor has been through take part in a rotation") {
  auto spec = spec_of(60, kMany);
  spec.suffix = ".gz";
  const auto script = [](World& world) {
    for (std::size_t at = 0; at < kLines.size(); at += 37) {
      world.put(kLines.substr(at, 37));
      (void)world.advance();
      // All but the newest, so that there are some of both kinds.
      for (const auto& name : world.names())
        if (name != kName && name != "out.1" && !name.ends_with(".gz"))
          world.system.move(std::string(kFolder) + "/" + name, std::string(kFolder) + "/" + name + ".gz");
      (void)world.advance();
    }
  };
  sweep(spec, script);
  for (spec.backups = 1; spec.backups < 4; ++spec.backups) {
    INFO(spec.backups << " backups");
    sweep(spec, script, {.all_kept = false});
  }
}

// --- rotation that is asked for, and with time ---

TEST_CASE("a rotation that is asked for comes at the next end of a line") {
  const auto spec = spec_of(kPlenty, kMany);
  World world(spec);
  world.writer().ask_rotation();
  CHECK(world.settle());
  CHECK(world.files() == Strings{""});    // nothing to be rotated
  world.put("one\n");
  CHECK(world.settle());
  CHECK(world.files() == Strings{"one\n"});    // and that is forgotten
  world.writer().ask_rotation();
  CHECK(world.settle());
  CHECK(world.files() == Strings{"one\n", ""});
  CHECK(world.writer().rotations() == 1);
  world.put("two");
  CHECK(world.settle());
  world.writer().ask_rotation();
  world.writer().ask_rotation();
  CHECK(world.settle());
  CHECK(world.files() == Strings{"one\n", "two"});
  world.put(" and a half\nthree\n");
  CHECK(world.settle());
  CHECK(world.files() == Strings{"one\n", "two and a half\n", "three\n"});
  CHECK(world.writer().rotations() == 2);
  CHECK(wrong_with(world, spec, world.end()) == "");
}

TEST_CASE("any call may fail and the writer be killed while rotations are asked for") {
  for (const auto stamps : {LogStamps::kNone, LogStamps::kTai64n})
    sweep(spec_of(kPlenty, kMany, stamps), [](World& world) {
      for (std::size_t at = 0; at < kLines.size(); at += 37) {
        world.put(kLines.substr(at, 37));
        world.writer().ask_rotation();
        (void)world.advance();
        (void)world.advance();
      }
    });
}

TEST_CASE("a line without an end does not make a log grow without one when a rotation is asked for") {
  for (const auto stamps : {LogStamps::kNone, LogStamps::kTai64n}) {
    const auto spec = spec_of(1000, kMany, stamps);
    World world(spec);
    world.put("begun");
    CHECK(world.settle());
    world.writer().ask_rotation();
    feed(world, std::string(20'000, 'x'), 400, 2);
    CHECK(wrong_with(world, spec, world.settle() && world.end(), {.long_lines = true}) == "");
  }
}

LogSpec daily(LogStamps stamps = LogStamps::kNone) {
  auto spec = spec_of(kPlenty, kMany, stamps);
  spec.period.daily = true;
  return spec;
}

TEST_CASE("the first line of another day begins a file") {
  for (const auto stamps : {LogStamps::kNone, LogStamps::kIso}) {
    const auto spec = daily(stamps);
    World world(spec);
    world.put("one\n");
    CHECK(world.settle());
    world.put("two\n");
    CHECK(world.settle());
    world.pass(std::chrono::hours(24));
    CHECK(world.settle());
    CHECK(world.files().size() == 1);    // not before there is a line
    world.put("three\n");
    CHECK(world.settle());
    CHECK(world.files().size() == 2);
    world.put("four\n");
    CHECK(world.settle());
    CHECK(joined({world.files().back()}, stamps) == "three\nfour\n");
    // One that comes anew goes by the time of the file.
    world.begin();
    world.pass(std::chrono::hours(24));
    world.put("five\n");
    CHECK(world.settle());
    CHECK(joined({world.files().back()}, stamps) == "five\n");
    CHECK(world.files().size() == 3);
    CHECK(wrong_with(world, spec, world.end()) == "");
  }
}

TEST_CASE("a line that goes on after midnight does not prevent the rotation") {
  for (const auto stamps : {LogStamps::kNone, LogStamps::kIso}) {
    INFO("stamps " << static_cast<int>(stamps));
    const auto spec = daily(stamps);
    World world(spec);
    world.put("one\ntwo");
    CHECK(world.settle());
    world.pass(std::chrono::hours(24));
    world.put(" and a half\n");
    CHECK(world.settle());
    world.put("three\n");
    CHECK(world.settle());
    CHECK(joined({world.files().front()}, stamps) == "one\ntwo and a half\n");
    CHECK(joined({world.files().back()}, stamps) == "three\n");
    CHECK(wrong_with(world, spec, world.end()) == "");
  }
}

TEST_CASE("any call may fail and the writer be killed while days go by") {
  for (const auto stamps : {LogStamps::kNone, LogStamps::kIso})
    sweep(daily(stamps), [](World& world) {
      for (std::size_t at = 0; at < kLines.size(); at += 37) {
        world.put(kLines.substr(at, 37));
        (void)world.advance();
        (void)world.advance();
        if (at % 3 == 0) world.pass(std::chrono::hours(10));
      }
    });
}

// --- what lasts longer than one call ---

TEST_CASE("on a full disk the output waits and nothing is missing when there is room") {
  for (const auto stamps : {LogStamps::kNone, LogStamps::kIso}) {
    const auto spec = spec_of(10'000, kMany, stamps);
    World world(spec);
    const auto text = numbered(0, 400, 99);
    feed(world, text.substr(0, 5000), 1000, 2);
    world.system.free_blocks = 1;    // and so many are enough for a part
    feed(world, text.substr(5000), 3000, 3);
    CHECK(world.failures > 3);
    CHECK(world.writer().failure().error.number == ENOSPC);
    CHECK(world.waiting() > 0);
    for (int i = 0; i < 3; ++i) {
      world.begin();
      world.system.free_blocks = 2;
      (void)world.advance();
      (void)world.advance();
      world.system.free_blocks = 0;
      CHECK(world.advance() == Progress::kFailed);
    }
    world.system.free_blocks = INT64_MAX;
    CHECK(wrong_with(world, spec, world.settle() && world.end()) == "");
  }
}

TEST_CASE("a log that can't be rotated grows and is rotated when that is possible again") {
  const auto spec = spec_of(100, kMany);
  World world(spec);
  bool broken = true;
  sim::Error error{EACCES};
  world.system.fault = [&](Op op, std::size_t) -> const sim::Error* { return broken && op == Op::kRename ? &error : nullptr; };
  for (int second = 0; second < 25; ++second) {
    world.put(numbered(second, second + 1));
    (void)world.advance();
    (void)world.advance();
    world.pass(seconds(1));
  }
  CHECK(world.waiting() < 40);    // nobody waits for long
  CHECK(world.failures > 1);
  CHECK(world.failures < 6);
  CHECK(world.files().size() == 1);
  broken = false;
  world.pass(kGrow);
  world.put("the end\n");
  CHECK(world.settle());
  CHECK(world.files().size() == 2);
  CHECK(world.files().back() == "the end\n");
  CHECK(wrong_with(world, spec, world.end(), {.bounded = false}) == "");
}

// --- what a writer finds that comes anew ---

TEST_CASE("a batch that is no batch is thrown away") {
  const auto spec = spec_of(kPlenty, kMany, LogStamps::kTai64n);
  for (const std::string& held : {std::string("x"), std::string(84, '\0'), std::string("batch 1\n"), "batch 1\n" + std::string(40, '\xff'), std::string(5000, 'b')}) {
    World world(spec);
    world.system.find(kHeld)->data = held;
    world.put("a\nb\n");
    CHECK(world.settle());
    CHECK(world.files().size() == 1);
    CHECK(joined(world.files(), spec.stamps) == "a\nb\n");
    CHECK(wrong_with(world, spec, world.end()) == "");
  }
}

TEST_CASE("a batch is written even if no stamps are wanted any more") {
  const auto spec = spec_of(kPlenty, kMany, LogStamps::kTai64n);
  // Wherever it was killed.
  for (std::size_t call = 0;; ++call) {
    World world(spec);
    world.disturbances = {{world.first_call + call, Disturbance::What::kKill, {}, {}}};
    world.put("a\nb\n");
    const bool done = world.settle();
    if (world.kills == 0) break;
    CHECK(done);
    // What follows is not stamped, and a writer with other settings comes after each KILL.
    World other(spec);
    other.disturbances = {{other.first_call + call, Disturbance::What::kKill, {}, {}}};
    other.put("a\nb\n");
    auto plain = spec;
    plain.stamps = LogStamps::kNone;
    other.on_kill = plain;
    CHECK(other.settle());
    auto text = joined(other.files(), LogStamps::kNone);
    for (std::size_t at; (at = text.find('@')) != std::string::npos;) text.erase(at, stamp_size(spec.stamps));
    INFO("call " << call);
    CHECK(text == "a\nb\n");
    CHECK(other.wrong() == "");
  }
}

// --- what others do to the files ---

// Every line that was put is in one of the files, whole; those of `kept` are in order and there once. `doubled`: lines may be in
// `gone`, or in a file that was moved, as well.
std::string missing_lines(const World& world, const Strings& gone, const Strings& kept, LogStamps form, bool doubled) {
  std::string text;
  std::map<std::string, int> expected;
  const auto lines = [form](const Strings& files) {
    Strings out;
    for (const auto& file : files) {
      auto rest = without_stamps(file, form);
      while (!rest.empty()) {
        const auto end = rest.find('\n');
        out.push_back(rest.substr(0, end == std::string::npos ? end : end + 1));
        rest.erase(0, out.back().size());
      }
    }
    return out;
  };
  auto rest = world.all;
  while (!rest.empty()) {
    const auto line = rest.substr(0, rest.find('\n') + 1);
    expected[line] = 0;
    rest.erase(0, line.size());
  }
  auto last = -1;
  for (const auto& line : lines(kept)) {
    const auto found = expected.find(line);
    if (found == expected.end()) {
      text += "\"" + line.substr(0, 30) + "\" was never put in; ";
      continue;
    }
    const auto number = std::atoi(line.c_str() + 5);
    if (++found->second > 1) text += "line " + std::to_string(number) + " is there twice; ";
    if (number < last) text += "line " + std::to_string(number) + " is out of order; ";
    last = number;
  }
  for (const auto& line : lines(gone)) {
    const auto found = expected.find(line);
    // What was written when the file was taken away may be torn there.
    if (found == expected.end()) continue;
    if (++found->second > 1 && !doubled) text += "line " + std::to_string(std::atoi(line.c_str() + 5)) + " is in what is gone and is there again; ";
  }
  for (const auto& [line, count] : expected)
    if (count == 0) text += "line " + std::to_string(std::atoi(line.c_str() + 5)) + " is lost; ";
  return text;
}

// Whole lines at once, so that none is torn by what is done to the files between two writes.
void feed_lines(World& world, int count) {
  for (int i = 0; i < count; i += 2) {
    world.put(numbered(i, std::min(i + 2, count)));
    for (int turn = 0; turn < 3; ++turn) (void)world.advance();
  }
}

enum class Deed { kRemove, kMove, kRemoveFolder, kMoveFolder, kReplaceByFolder, kReplaceByLink };
constexpr const char* kDeeds[] = {"removed", "moved", "its directory removed", "its directory moved", "replaced by a directory", "replaced by a link"};

enum class Besides { kNothing, kKill, kFailure };

// Does it before each call, and lets some later call be the last of a writer, or fail.
void interfere(const LogSpec& spec, Deed deed, Besides besides) {
  const int line_count = besides == Besides::kNothing ? 24 : 10;
  std::size_t calls = 0, first = 0;
  {
    World world(spec);
    feed_lines(world, line_count);
    REQUIRE(world.settle());
    calls = world.system.calls();
    first = world.first_call;
  }
  std::size_t runs = 0, bad = 0, done = 0;
  std::string report;
  const auto run = [&](std::size_t call, std::size_t other, Disturbance::What what) {
    World world(spec);
    Strings gone, moved;
    const auto act = [&] {
      const auto file = world.system.find(kFile);
      if (!file && deed != Deed::kRemoveFolder && deed != Deed::kMoveFolder) return;
      ++done;
      switch (deed) {
        case Deed::kRemove:
        case Deed::kReplaceByLink:
        case Deed::kReplaceByFolder:
          gone.push_back(file->data);
          world.system.remove_tree(kFile);
          if (deed == Deed::kReplaceByFolder) world.system.put(kFile, sys::FileType::kDirectory, {}, 0755);
          if (deed == Deed::kReplaceByLink) world.system.put(kFile, sys::FileType::kLink, "/log/redis/other");
          return;
        case Deed::kMove: world.system.move(kFile, std::string(kFolder) + "/moved"); return;
        case Deed::kRemoveFolder:
          gone = world.files();
          world.system.remove_tree(kFolder);
          return;
        case Deed::kMoveFolder: world.system.move(kFolder, "/log/moved"); return;
      }
    };
    world.disturbances.push_back({call, Disturbance::What::kAct, {}, act});
    if (other != SIZE_MAX) world.disturbances.push_back({other, what, {}, {}});
    feed_lines(world, line_count);
    const bool settled = world.settle();
    // What was moved is there, and was still written to.
    if (const auto node = world.system.find(std::string(kFolder) + "/moved")) moved.push_back(node->data);
    if (const auto folder = world.system.find("/log/moved"))
      for (const auto& [name, node] : folder->entries)
        if (name != "other") moved.push_back(node->data);
    auto text = std::string(settled ? "" : "it is never done; ");
    for (const auto& file : moved) gone.push_back(file);
    // What had just been written to a file that was removed is written again; what is moved is not, unless it was killed.
    const bool doubled = moved.empty() || (spec.stamps != LogStamps::kNone && other != SIZE_MAX);
    text += missing_lines(world, gone, world.files(), spec.stamps, doubled);
    if (deed == Deed::kReplaceByLink && world.content("other") != "other\n") text += "a link was followed; ";
    ++runs;
    if (text.empty() || ++bad > 5) return;
    const auto called = [&](std::size_t number) {
      return "call " + std::to_string(number) + (number < world.system.log().size() ? " (" + sim::name_of(world.system.log()[number]) + ")" : "");
    };
    report += "\n" + std::string(kDeeds[static_cast<int>(deed)]) + " before " + called(call) +
              (other == SIZE_MAX ? "" : ", " + called(other) + (what == Disturbance::What::kKill ? " killed" : " failed")) + ": " + text;
  };
  for (std::size_t call = first; call < calls; ++call) {
    if (besides == Besides::kNothing) run(call, SIZE_MAX, Disturbance::What::kAct);
    for (std::size_t other = call; besides != Besides::kNothing && other < std::min(calls, call + 20); ++other) {
      if (besides == Besides::kKill) run(call, other, Disturbance::What::kKill);
      else
        for (const auto what : {Disturbance::What::kFirstError, Disturbance::What::kLastError}) {
          // What is half written when it is moved goes on elsewhere, in the middle of a line.
          if (deed != Deed::kMove || what == Disturbance::What::kFirstError) run(call, other, what);
        }
    }
  }
  INFO(runs << " runs, " << bad << " bad" << report);
  CHECK(bad == 0);
  CHECK(done > 20);
}

TEST_CASE("a log that somebody takes away is begun anew with all that comes after") {
  for (const auto deed : {Deed::kRemove, Deed::kMove, Deed::kRemoveFolder, Deed::kMoveFolder, Deed::kReplaceByFolder, Deed::kReplaceByLink}) {
    for (const auto stamps : {LogStamps::kNone, LogStamps::kTai64n}) {
      INFO("a log is " << kDeeds[static_cast<int>(deed)] << ", stamps " << static_cast<int>(stamps));
      interfere(spec_of(kPlenty, kMany, stamps), deed, Besides::kNothing);
    }
  }
}

TEST_CASE("a log that somebody takes away while it is rotated is begun anew with all that comes after") {
  for (const auto deed : {Deed::kRemove, Deed::kMove}) {
    INFO("a log is " << kDeeds[static_cast<int>(deed)]);
    interfere(spec_of(80, kMany), deed, Besides::kNothing);
    interfere(spec_of(160, kMany, LogStamps::kTai64n), deed, Besides::kNothing);
  }
}

TEST_CASE("a log that somebody moves while its writer is killed has lost nothing") {
  for (const auto stamps : {LogStamps::kNone, LogStamps::kTai64n}) interfere(spec_of(kPlenty, kMany, stamps), Deed::kMove, Besides::kKill);
}

TEST_CASE("a log with stamps that somebody removes while its writer is killed has lost nothing that comes after") {
  interfere(spec_of(kPlenty, kMany, LogStamps::kTai64n), Deed::kRemove, Besides::kKill);
}

TEST_CASE("a log that somebody takes away while a call fails is begun anew with all that comes after") {
  for (const auto deed : {Deed::kRemove, Deed::kMove, Deed::kRemoveFolder}) {
    INFO("a log is " << kDeeds[static_cast<int>(deed)]);
    interfere(spec_of(kPlenty, kMany), deed, Besides::kFailure);
  }
  interfere(spec_of(kPlenty, kMany, LogStamps::kTai64n), Deed::kRemove, Besides::kFailure);
}

TEST_CASE("a log that somebody empties is continued") {
  const auto spec = spec_of(90, kMany);
  World world(spec);
  feed(world, numbered(0, 3), 100, 3);
  CHECK(world.settle());
  world.system.find(kFile)->data.clear();
  feed(world, numbered(3, 20), 37, 3);
  CHECK(world.settle());
  world.all = numbered(3, 20);
  CHECK(wrong_with(world, spec, world.end()) == "");
}

TEST_CASE("a log that somebody takes away after a line that was longer than a file has a stamp on every line") {
  for (const auto deed : {Deed::kRemove, Deed::kMove}) {
    INFO("a log is " << kDeeds[static_cast<int>(deed)]);
    const auto spec = spec_of(100, kMany, LogStamps::kTai64n);
    World world(spec);
    world.put(std::string(200, 'x') + "\nshort\n");
    CHECK(world.settle());
    REQUIRE(world.files().size() >= 2);
    REQUIRE(world.files().back().ends_with("short\n"));
    if (deed == Deed::kRemove) world.system.remove_tree(kFile);
    else world.system.move(kFile, std::string(kFolder) + "/moved");
    for (const auto* line : {"first\n", "second\n", "third\n"}) {
      world.put(line);
      CHECK(world.settle());
    }
    // It is found out with the next write, which is done again unless it can be read where it is.
    CHECK(without_stamps(world.files().back(), spec.stamps) == (deed == Deed::kRemove ? "first\nsecond\nthird\n" : "second\nthird\n"));
  }
}

TEST_CASE("a file that the system lets grow no further is rotated though it is below its own limit") {
  for (const auto stamps : {LogStamps::kNone, LogStamps::kIso}) {
    INFO("stamps " << static_cast<int>(stamps));
    const auto spec = spec_of(kPlenty, kMany, stamps);
    World world(spec);
    world.system.file_limit = stamps == LogStamps::kNone ? 150 : 500;
    feed(world, kLines, 37, 2);
    const bool done = world.settle() && world.end();
    CHECK(wrong_with(world, spec, done, {.long_lines = true}) == "");
    CHECK(world.files().size() > 1);
    for (const auto& file : world.files()) CHECK(file.size() <= world.system.file_limit);
  }
}

TEST_CASE("a log that cannot be opened ends with its last writer") {
  for (const auto stamps : {LogStamps::kNone, LogStamps::kIso}) {
    World world(spec_of(kPlenty, kMany, stamps));
    const sim::Error error{ENOENT};
    world.system.fault = [&](Op op, std::size_t) { return op == Op::kOpen ? &error : nullptr; };
    CHECK(world.writer().advance(world.now) == Progress::kFailed);
    CHECK(world.end());
  }
}

// --- everything at random ---

TEST_CASE("with failures and KILLs at random everything is there") {
  std::mt19937 random(4);
  const auto upto = [&random](std::size_t n) { return static_cast<std::size_t>(random() % (n + 1)); };
  std::size_t kills = 0, failures = 0, files = 0;
  for (int round = 0; round < 400; ++round) {
    const auto stamps = static_cast<LogStamps>(round % 3);
    const auto spec = spec_of(100 + upto(300), kMany, stamps);
    World world(spec);
    std::mt19937 chance(static_cast<unsigned>(round));
    sim::Error error;
    bool calm = false;
    std::size_t open_line = 0;
    // Rotations that fail, after which a file grows beyond its bound and may end within a line, have a test of their own.
    world.system.fault = [&](Op op, std::size_t) -> const sim::Error* {
      if (calm) return nullptr;
      if (chance() % 23 == 0) throw Killed();
      const auto& errors = sim::errors_of(op);
      if (may_prevent_rotation(op) || errors.empty() || chance() % 17 != 0) return nullptr;
      error = errors[chance() % errors.size()];
      return &error;
    };
    for (std::size_t i = 0; i < 30; ++i) {
      // No line longer than a file: that has a test of its own.
      std::string piece;
      for (auto n = upto(5); n > 0; --n) {
        const auto size = upto(60);
        if (open_line + size > 70) piece += '\n', open_line = 0;
        piece += std::string(size, static_cast<char>('a' + n));
        open_line += size;
        if (upto(7) != 0) piece += '\n', open_line = 0;
      }
      world.put(piece);
      for (auto turns = upto(4); turns > 0; --turns) (void)world.advance();
      if (upto(20) == 0) world.writer().ask_rotation();
    }
    calm = true;
    const bool done = world.settle() && world.end();
    INFO("round " << round << ", limit " << spec.maxbytes);
    REQUIRE(wrong_with(world, spec, done, {.bounded = false}) == "");
    kills += world.kills;
    failures += world.failures;
    files += world.files().size();
  }
  CHECK(kills > 1000);
  CHECK(failures > 300);
  CHECK(files > 1000);
}

}  // namespace
