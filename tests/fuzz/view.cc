// What supervisectl shows of a status directory that somebody else wrote: the first line is the name of the service, the second
// chooses some of the rest, what follows is its `state`. No control character reaches the screen, JSON is JSON, metrics are metrics.
#include "ctl/view.h"

#include <algorithm>

#include "core/strings.h"
#include "ctl/metrics.h"
#include "ctl/render.h"
#include "fuzz/fuzz.h"
#include "fuzz/json.h"

namespace {

constexpr core::WallTime kNow{core::seconds(1'795'197'787)};

bool has_control_but_newlines(std::string_view text) {
  while (!text.empty())
    if (fuzz::has_control(core::take_line(text))) return true;
  return false;
}

bool is_number(std::string_view text) {
  const auto point = text.find('.');
  const auto digits = [](std::string_view part) { return !part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos; };
  return digits(text.substr(0, point)) && (point == std::string_view::npos || digits(text.substr(point + 1)));
}

// `name{label="value",...} number`.
void check_sample(std::string_view line) {
  const auto brace = line.find('{');
  fuzz::require(brace != std::string_view::npos && line.substr(0, brace).find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string_view::npos, "a metric without a name");
  line.remove_prefix(brace);
  while (!line.starts_with("} ")) {
    line.remove_prefix(1);
    const auto equals = line.find("=\"");
    fuzz::require(equals != std::string_view::npos && line.substr(0, equals).find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string_view::npos, "a metric without a label");
    std::size_t at = equals + 2;
    while (at < line.size() && line[at] != '"') {
      const bool escape = line[at] == '\\';
      fuzz::require(!escape || (at + 1 < line.size() && (line[at + 1] == '"' || line[at + 1] == '\\' || line[at + 1] == 'n')), "a metric with another escape");
      at += escape ? 2 : 1;
    }
    fuzz::require(at < line.size(), "a metric whose label never ends");
    line.remove_prefix(at + 1);
    fuzz::require(line.starts_with(',') || line.starts_with("} "), "a metric with something behind its label");
  }
  fuzz::require(is_number(line.substr(2)), "a metric that is no number");
}

void check_metrics(std::string_view text) {
  fuzz::require(text.ends_with('\n'), "metrics without an end");
  while (!text.empty()) {
    const auto line = core::take_line(text);
    if (!line.starts_with("# ")) check_sample(line);
  }
}

}  // namespace

FUZZ(view) {
  fuzz::Bytes bytes(input);
  const std::string name(bytes.until('\n'));
  fuzz::Bytes choices(bytes.until('\n'));
  const auto text = bytes.rest();
  auto view = ctl::view_of_state(text);
  if (!view) return;
  fuzz::require(view->pid >= 0, "a pid that is none");
  for (const auto* shown : {&view->exit, &view->reason, &view->status, &view->output, &view->errors, &view->heartbeat, &view->conf})
    fuzz::require(!fuzz::has_control(*shown), "a control character that is not made harmless");
  view->supervised = choices.flag();
  view->conf_newer = view->conf_reads % 2 == 1;
  view->orphaned = !view->supervised && choices.flag();
  const std::vector<ctl::Row> rows = {{name, "/srv/status/" + name, *view}, {"other", "/srv/status/other", {}}};
  fuzz::require(!fuzz::has_control(ctl::reason_of(*view, kNow)), "a reason with a control character");
  const auto table = ctl::table(rows, kNow, ctl::Colours::kNo);
  fuzz::require(!has_control_but_newlines(table), "a table with a control character");
  fuzz::require(std::count(table.begin(), table.end(), '\n') == 3, "a table of another number of lines");
  (void)ctl::table(rows, kNow, ctl::Colours::kYes);
  const auto json = ctl::json(rows);
  fuzz::require(fuzz::Json::is_valid(json), "what is no JSON: " + json);
  fuzz::require(!has_control_but_newlines(json), "JSON with a control character");
  std::vector<ctl::Measured> measured = {{rows[0], {choices.byte(), choices.number<std::uint64_t>(), core::Nanos(choices.number<std::uint32_t>())}, {}}, {rows[1], {}, {}}};
  if (choices.flag()) measured[0].heartbeat_age = core::Nanos(choices.number<std::int64_t>());
  check_metrics(ctl::metrics(measured));
  const auto limits = ctl::parse_conditions("uptime<60,exits>10,cores>0,tries>3,heartbeat>30,memory>2G");
  const auto plugin = ctl::plugin(measured, choices.below(2), limits, ctl::parse_conditions("exits>1000"), kNow);
  fuzz::require(plugin.status >= 0 && plugin.status <= 3, "another status of a plugin");
  fuzz::require(std::count(plugin.text.begin(), plugin.text.end(), '|') == 1, "more figures than one");
  fuzz::require(!fuzz::has_control(plugin.text), "a plugin's line with a control character");
  (void)ctl::is_well(*view, kNow);
  fuzz::require(ctl::has_ended_well(*view) <= (view->state == core::State::kExited), "ended well and not ended");
}
