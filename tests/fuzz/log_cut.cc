// Where a log is cut: what waits goes into files piece by piece, and all of it is there in the end, in order, with a stamp
// before each line, and no line is split unless it is longer than a file.
#include "core/log_file.h"

#include <algorithm>
#include <vector>

#include "fuzz/fuzz.h"

namespace {

constexpr std::string_view kStamp = "@4000000000000000000000000 ";

std::string without(const std::string& text, std::string_view stamp, bool mid_line) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    if (!mid_line) {
      fuzz::require(std::string_view(text).substr(at).starts_with(stamp), "a line without its stamp");
      at += stamp.size();
    }
    const auto end = std::min(text.find('\n', at), text.size() - 1) + 1;
    out += text.substr(at, end - at);
    at = end;
    mid_line = false;
  }
  return out;
}

}  // namespace

FUZZ(log_cut) {
  fuzz::Bytes bytes(input);
  const std::uint64_t limit = 1 + bytes.number<std::uint16_t>() % 2000;
  const auto stamp = bytes.flag() ? kStamp : std::string_view();
  const std::size_t window = 1 + bytes.byte() * 4U;
  const auto all = bytes.rest();
  std::vector<std::string> files(1);
  std::string_view rest = all;
  bool mid_line = false;
  for (std::size_t turns = 0; !rest.empty(); ++turns) {
    fuzz::require(turns <= 2 * all.size() + 2, "it comes to no end");
    auto& file = files.back();
    core::LogFill fill;
    fill.size = file.size();
    fill.limit = limit;
    fill.mid_line = mid_line;
    fill.over = !file.empty() && turns % 7 == 3;
    const auto cut = core::cut(rest.substr(0, window), fill, stamp.size());
    fuzz::require(cut.rotate == (cut.bytes == 0), "neither bytes nor a rotation, or both");
    if (cut.rotate) {
      fuzz::require(!file.empty(), "an empty file is rotated");
      files.emplace_back();
      continue;
    }
    fuzz::require(cut.bytes <= std::min(window, rest.size()), "more than there is");
    const bool before = mid_line;
    mid_line = core::stamp_lines(rest.substr(0, cut.bytes), stamp, mid_line, [&](std::string_view text) { file += text; });
    fuzz::require(mid_line == (rest[cut.bytes - 1] != '\n') && (cut.bytes != 0 || before == mid_line), "within a line or not");
    rest.remove_prefix(cut.bytes);
  }
  std::string found;
  for (const auto& file : files) {
    fuzz::require(file.size() <= std::max<std::size_t>(2 * limit, 1 + stamp.size()) + stamp.size(), "a file of " + std::to_string(file.size()) + " bytes");
    const bool begins_within = !found.empty() && found.back() != '\n';
    const auto lines = without(file, stamp, begins_within);
    if (begins_within) {
      const auto line_begin = found.rfind('\n') + 1;
      const auto line_size = found.size() - line_begin + std::min(lines.find('\n'), lines.size());
      fuzz::require(line_size + 1 + stamp.size() > limit, "a line is split that is no longer than a file");
    }
    found += lines;
  }
  fuzz::require(found == all, "what is in the files is not what was written");
  // The stamps themselves, and the rotation by time.
  fuzz::Bytes times(input);
  const core::WallTime at{core::Nanos(times.number<std::int64_t>() / 2)}, later{core::Nanos(times.number<std::int64_t>() / 2)};
  const core::seconds offset(times.below(27) * 3600 - 43200);
  for (const auto form : {core::LogStamps::kNone, core::LogStamps::kIso, core::LogStamps::kTai64n}) {
    const auto text = core::stamp(form, at, offset);
    const std::size_t size = form == core::LogStamps::kIso ? 30 : form == core::LogStamps::kTai64n ? 26 : 0;
    fuzz::require(text.view().size() == size && !fuzz::has_control(text.view()) && (size == 0 || text.view().ends_with(' ')), "a stamp that is none");
  }
  const core::LogPeriod daily{true, {}}, hourly{false, std::chrono::hours(1)};
  for (const auto& period : {daily, hourly, core::LogPeriod()}) {
    fuzz::require(!core::is_over(period, at, at, offset), "a file of this moment is old");
    fuzz::require(core::is_over(period, at, later, offset) == core::is_over(period, later, at, offset), "old in one direction alone");
  }
}
