#include "fault/log_world.h"

namespace sim::log {
namespace {

bool is_stamp(std::string_view text, LogStamps form) {
  const std::string_view pattern = form == LogStamps::kIso ? "2026-11-2d dd:dd:dd.ddd+dd:dd " : "@4000000xxxxxxxxxxxxxxxxx ";
  if (text.size() != pattern.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char p = pattern[i], c = text[i];
    const bool digit = c >= '0' && c <= '9';
    const bool right = p == 'd'   ? digit
                       : p == 'x' ? digit || (c >= 'a' && c <= 'f')
                       : p == ' ' && i == 10 && form == LogStamps::kIso ? c == 'T'
                       : p == '+' ? c == '+' || c == '-'
                                  : c == p;
    if (!right) return false;
  }
  return true;
}

// Where two texts part, for a failure that can be understood.
std::string difference(const std::string& found, const std::string& expected) {
  if (found == expected) return {};
  std::size_t at = 0;
  while (at < std::min(found.size(), expected.size()) && found[at] == expected[at]) ++at;
  const auto around = [at](const std::string& text) {
    auto part = text.substr(at - std::min<std::size_t>(at, 20), 50);
    std::replace(part.begin(), part.end(), '\n', '|');
    return part;
  };
  return "after " + std::to_string(at) + " of " + std::to_string(expected.size()) + " bytes (found " + std::to_string(found.size()) + "): \"" + around(found) +
         "\" instead of \"" + around(expected) + "\"; ";
}

// Everything is there and in order. With fewer backups than were needed: the newest part of everything.
std::string lost(World& world, const LogSpec& spec, bool all_kept, bool long_lines) {
  const auto files = world.files();
  std::string text;
  const auto found = joined(files, spec.stamps);
  if (all_kept) text += difference(found, world.all);
  else if (!world.all.ends_with(found)) text += "not the end of all: " + difference(found, world.all.substr(world.all.size() - std::min(world.all.size(), found.size())));
  for (std::size_t i = 0; i + 1 < files.size(); ++i) {
    if (files[i].empty()) text += "an empty file was rotated; ";
    else if (files[i].back() != '\n' && !long_lines) text += "a line is split: \"" + files[i].substr(files[i].size() - std::min<std::size_t>(files[i].size(), 30)) + "\"; ";
  }
  return text;
}

}  // namespace

LogSpec spec_of(std::uint64_t limit, unsigned backups, LogStamps stamps) {
  LogSpec spec;
  spec.directory = kFolder;
  spec.name = kName;
  spec.maxbytes = limit;
  spec.backups = backups;
  spec.stamps = stamps;
  return spec;
}

std::size_t stamp_size(LogStamps form) { return core::stamp(form, core::WallTime(seconds(1)), seconds(0)).view().size(); }

std::string without_stamps(std::string_view text, LogStamps form, bool mid_line) {
  std::string out;
  const auto n = stamp_size(form);
  while (!text.empty()) {
    if (!mid_line && form != LogStamps::kNone) {
      if (!is_stamp(text.substr(0, n), form)) out += "<no stamp>";
      else text.remove_prefix(n);
    }
    const auto end = std::min(text.find('\n'), text.size() - (text.empty() ? 0 : 1)) + 1;
    out += text.substr(0, end);
    text.remove_prefix(std::min(end, text.size()));
    mid_line = false;
  }
  return out;
}

std::string joined(const Strings& files, LogStamps form) {
  std::string out;
  for (const auto& file : files) out += without_stamps(file, form, !out.empty() && out.back() != '\n');
  return out;
}

std::string wrong_with(World& world, const LogSpec& spec, bool settled, Checked checked) {
  auto text = settled ? std::string() : std::string("it is never done; ");
  text += lost(world, spec, checked.all_kept, checked.long_lines);
  const auto files = world.files();
  if (files.size() > spec.backups + 1) text += "more backups than wanted; ";
  for (const auto& file : files)
    if (checked.bounded && file.size() > 2 * spec.maxbytes) text += "a file has " + std::to_string(file.size()) + " bytes; ";
  return text + world.wrong();
}

}  // namespace sim::log
