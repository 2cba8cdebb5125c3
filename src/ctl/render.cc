#include "ctl/render.h"

#include <algorithm>
#include <array>

#include "core/strings.h"
#include "core/text.h"
#include "core/utf8.h"

namespace ctl {
namespace {

using std::string;

constexpr std::size_t kColumns = 5;
using Cells = std::array<string, kColumns>;

const char* colour_of(const View& view) {
  if (!view.supervised) return "\x1b[31m";
  switch (view.state) {
    case core::State::kRunning: return "\x1b[32m";
    case core::State::kStarting:
    case core::State::kStopping: return "\x1b[33m";
    case core::State::kBackoff:
    case core::State::kFatal: return "\x1b[31m";
    case core::State::kStopped:
    case core::State::kExited: break;
  }
  return "";
}

}  // namespace

string table(const std::vector<Row>& rows, core::WallTime now, Colours colours, Clock clock) {
  std::vector<Cells> lines = {{"NAME", "STATE", "PID", clock ? "SINCE" : "FOR", "REASON"}};
  for (const auto& row : rows) {
    const auto& view = row.view;
    const auto begin = since(view);
    const bool timed = begin != core::WallTime{};
    lines.push_back({core::printable(row.name), string(state_name(view)), view.is_up() ? std::to_string(view.pid) : "-",
                     !timed ? "-" : clock ? clock(begin) : brief(now - begin), reason_of(view, now)});
  }
  std::array<std::size_t, kColumns> widths{};
  for (const auto& line : lines)
    for (std::size_t i = 0; i < kColumns; ++i) widths[i] = std::max(widths[i], core::columns(line[i]));
  string out;
  for (std::size_t n = 0; n < lines.size(); ++n) {
    string line;
    for (std::size_t i = 0; i < kColumns; ++i) {
      const string colour = colours == Colours::kYes && i == 1 && n > 0 ? colour_of(rows[n - 1].view) : "";
      const auto& cell = lines[n][i];
      if (i == 2) line += string(widths[i] - core::columns(cell), ' ');
      line += colour.empty() ? cell : colour + cell + "\x1b[0m";
      if (i != 2) line += string(widths[i] - core::columns(cell), ' ');
      line += "  ";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

string json_string(std::string_view text) {
  string out = "\"";
  for (const char c : core::printable(text)) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

string seconds_text(core::WallTime time) {
  core::Text<32> text;
  text.seconds(time.time_since_epoch(), 3);
  return string(text.view());
}

string json(const std::vector<Row>& rows) {
  string out = "[";
  for (const auto& row : rows) {
    const auto& view = row.view;
    if (out.size() > 1) out += ",";
    out += "\n  {";
    bool first = true;
    const auto put = [&](std::string_view key, const string& value) {
      out += (first ? "" : ", ") + json_string(key) + ": " + value;
      first = false;
    };
    const auto text = [](const string& value) { return value.empty() ? "null" : json_string(value); };
    const auto time = [](core::WallTime value) { return value == core::WallTime{} ? string("null") : seconds_text(value); };
    const auto truth = [](bool value) { return string(value ? "true" : "false"); };
    put("name", json_string(row.name));
    put("directory", json_string(row.dir));
    put("supervised", truth(view.supervised));
    put("state", json_string(state_name(view)));
    put("want", json_string(view.want == core::Want::kUp ? "up" : view.want == core::Want::kDown ? "down" : "once"));
    put("pid", std::to_string(view.pid));
    put("supervise_pid", std::to_string(view.supervise_pid));
    put("since", time(view.since));
    put("started", time(view.started));
    put("ready", time(view.ready));
    put("next_start", time(view.next_start));
    put("exit", text(view.exit));
    put("reason", text(view.reason));
    put("status", text(view.status));
    put("output", text(view.output_waits));
    put("starts", std::to_string(view.starts));
    put("exits", std::to_string(view.exits));
    put("exits_nonzero", std::to_string(view.exits_nonzero));
    put("exits_signal", std::to_string(view.exits_signal));
    put("exits_core", std::to_string(view.exits_core));
    put("tries", std::to_string(view.tries));
    put("coredumps", std::to_string(view.coredumps));
    put("alarm", truth(view.alarms_on));
    put("paused", truth(view.paused));
    put("stdout", text(view.output));
    put("stderr", text(view.errors));
    put("heartbeat", text(view.heartbeat));
    put("conf", text(view.conf));
    put("conf_time", time(view.conf_time));
    put("conf_reads", std::to_string(view.conf_reads));
    put("conf_faulty", truth(view.conf_faulty));
    put("conf_newer", truth(view.conf_newer));
    out += "}";
  }
  return out + (rows.empty() ? "]\n" : "\n]\n");
}

}  // namespace ctl
