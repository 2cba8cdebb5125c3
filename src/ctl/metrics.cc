#include "ctl/metrics.h"

#include <algorithm>
#include <array>
#include <functional>

#include "core/number.h"
#include "core/strings.h"

namespace ctl {
namespace {

using Figure = Condition::Figure;
using std::string;

struct FigureName {
  std::string_view name;
  Figure figure;
};
constexpr std::array kFigures = {FigureName{"uptime", Figure::kUptime}, FigureName{"exits", Figure::kExits}, FigureName{"cores", Figure::kCores},
                                 FigureName{"tries", Figure::kTries}, FigureName{"heartbeat", Figure::kHeartbeat}, FigureName{"memory", Figure::kMemory}};

std::optional<std::uint64_t> parse_size(std::string_view text) {
  std::uint64_t unit = 1;
  if (text.size() > 1 && text.back() == 'B' && text[text.size() - 2] > '9') text.remove_suffix(1);
  if (!text.empty()) {
    const auto at = std::string_view("KMGT").find(text.back());
    if (at != std::string_view::npos) {
      unit = std::uint64_t{1} << (10 * (at + 1));
      text.remove_suffix(1);
    }
  }
  const auto number = core::parse_number<std::uint64_t>(text);
  if (!number || *number > UINT64_MAX / unit) return std::nullopt;
  return *number * unit;
}

std::optional<Condition> parse_condition(std::string_view text) {
  const auto at = text.find_first_of("<>");
  if (at == std::string_view::npos) return std::nullopt;
  const auto name = core::trim(text.substr(0, at));
  const auto* found = std::find_if(kFigures.begin(), kFigures.end(), [&](const auto& f) { return f.name == name; });
  const auto value = core::trim(text.substr(at + 1));
  if (found == kFigures.end()) return std::nullopt;
  const auto limit = found->figure == Figure::kMemory ? parse_size(value) : core::parse_number<std::uint64_t>(value);
  if (!limit) return std::nullopt;
  return Condition{found->figure, text[at] == '<', *limit};
}

std::uint64_t whole_seconds(core::Nanos time) { return static_cast<std::uint64_t>(std::max<std::int64_t>(0, time.count() / 1'000'000'000)); }

// Nothing where the figure does not apply.
std::optional<std::uint64_t> figure_of(Figure figure, const Measured& service, core::WallTime now) {
  const auto& view = service.row.view;
  switch (figure) {
    case Figure::kUptime: return view.is_up() ? std::optional(whole_seconds(now - view.started)) : std::nullopt;
    case Figure::kExits: return view.exits;
    case Figure::kCores: return view.exits_core;
    case Figure::kTries: return view.tries;
    case Figure::kHeartbeat: return view.is_up() && service.heartbeat_age ? std::optional(whole_seconds(*service.heartbeat_age)) : std::nullopt;
    case Figure::kMemory: return service.usage.memory;
  }
  return std::nullopt;
}

// `exits 12 > 10`; empty where no condition is met.
string met(const Conditions& conditions, const Measured& service, core::WallTime now) {
  for (const auto& condition : conditions.list) {
    const auto value = figure_of(condition.figure, service, now);
    if (!value || (condition.below ? *value >= condition.limit : *value <= condition.limit)) continue;
    const auto* name = std::find_if(kFigures.begin(), kFigures.end(), [&](const auto& f) { return f.figure == condition.figure; });
    return string(name->name) + " " + std::to_string(*value) + (condition.below ? " < " : " > ") + std::to_string(condition.limit);
  }
  return {};
}

class Exposition {
 public:
  explicit Exposition(const std::vector<Measured>& services) : services_(services) {}

  using Value = std::function<std::optional<string>(const Measured&)>;
  void family(std::string_view name, const char* type, const char* help, const Value& value) {
    header(name, type, help);
    for (const auto& service : services_)
      if (const auto figure = value(service)) sample(name, service, "", *figure);
  }
  void header(std::string_view name, const char* type, const char* help) {
    text += "# HELP supervise_" + string(name) + " " + help + "\n# TYPE supervise_" + string(name) + " " + type + "\n";
  }
  void sample(std::string_view name, const Measured& service, const string& label, const string& value) {
    text += "supervise_" + string(name) + "{service=" + json_string(service.row.name) + label + "} " + value + "\n";
  }

  string text;

 private:
  const std::vector<Measured>& services_;
};

}  // namespace

Processes::Processes(std::vector<sys::Usage> all) : all_(std::move(all)) {
  std::sort(all_.begin(), all_.end(), [](const auto& a, const auto& b) { return a.parent < b.parent; });
}

std::span<const sys::Usage> Processes::children(std::int32_t pid) const {
  const auto begin = std::lower_bound(all_.begin(), all_.end(), pid, [](const auto& p, std::int32_t parent) { return p.parent < parent; });
  const auto end = std::find_if(begin, all_.end(), [&](const auto& p) { return p.parent != pid; });
  return {begin, end};
}

TreeUsage Processes::usage_of(const View& view) const {
  TreeUsage out;
  if (!view.is_up()) return out;
  const auto add = [&](const auto& self, const sys::Usage& process) -> void {
    ++out.processes;
    out.memory += process.memory;
    out.cpu += process.cpu;
    for (const auto& child : children(process.pid))
      if (child.pid != process.pid) self(self, child);
  };
  const auto find = [&](std::int32_t pid) { return std::find_if(all_.begin(), all_.end(), [&](const auto& p) { return p.pid == pid; }); };
  const auto service = find(view.pid), supervise = find(view.supervise_pid);
  if (service != all_.end()) add(add, *service);
  if (supervise == all_.end()) return out;
  for (const auto& child : children(view.supervise_pid))
    if (child.pid != view.pid && child.session == supervise->session) add(add, child);
  return out;
}

string metrics(const std::vector<Measured>& services) {
  Exposition out(services);
  const auto truth = [](bool value) { return std::optional(string(value ? "1" : "0")); };
  const auto number = [](std::uint64_t value) { return std::optional(std::to_string(value)); };
  const auto ours = [](const Measured& service) { return service.row.view.source == View::Source::kOurs; };
  out.family("up", "gauge", "Whether the service runs.", [&](const auto& s) { return truth(s.row.view.is_up()); });
  out.family("supervised", "gauge", "Whether a supervise runs for the service.", [&](const auto& s) { return truth(s.row.view.supervised); });
  out.family("wanted", "gauge", "Whether the service is wanted up.", [&](const auto& s) { return truth(s.row.view.want != core::Want::kDown); });
  out.family("ready", "gauge", "Whether the service is ready.", [&](const auto& s) { return truth(s.row.view.is_up() && s.row.view.ready != core::WallTime{}); });
  out.family("output_waits", "gauge", "Whether what the service writes cannot be put into its log.",
             [&](const auto& s) { return ours(s) ? truth(s.row.view.supervised && !s.row.view.output_waits.empty()) : std::nullopt; });
  out.header("state", "gauge", "1 for the state that the service is in.");
  for (const auto& service : services)
    for (int i = 0; i <= static_cast<int>(core::State::kFatal); ++i) {
      const auto state = static_cast<core::State>(i);
      out.sample("state", service, ",state=\"" + string(core::to_text(state)) + "\"", state_name(service.row.view) == core::to_text(state) ? "1" : "0");
    }
  out.family("starts_total", "counter", "Starts of the service, failed ones included.", [&](const auto& s) { return ours(s) ? number(s.row.view.starts) : std::nullopt; });
  out.header("exits_total", "counter", "Exits of the service by kind: code 0 or not known, another code, signal, core dump.");
  for (const auto& service : services) {
    if (!ours(service)) continue;
    const auto& view = service.row.view;
    const auto others = view.exits_nonzero + view.exits_signal + view.exits_core;
    out.sample("exits_total", service, ",kind=\"zero\"", std::to_string(view.exits - std::min(view.exits, others)));
    out.sample("exits_total", service, ",kind=\"nonzero\"", std::to_string(view.exits_nonzero));
    out.sample("exits_total", service, ",kind=\"signal\"", std::to_string(view.exits_signal));
    out.sample("exits_total", service, ",kind=\"core\"", std::to_string(view.exits_core));
  }
  out.family("start_time_seconds", "gauge", "When the service was last started, in Unix seconds.",
             [&](const auto& s) { return s.row.view.started == core::WallTime{} ? std::nullopt : std::optional(seconds_text(s.row.view.started)); });
  out.family("heartbeat_age_seconds", "gauge", "Time since the last heartbeat of a service that has a heartbeat file.", [&](const auto& s) {
    return s.heartbeat_age && s.row.view.is_up() ? std::optional(seconds_text(core::WallTime(std::max(*s.heartbeat_age, core::Nanos(0))))) : std::nullopt;
  });
  out.family("processes", "gauge", "Processes of the service and its descendants.", [&](const auto& s) { return number(s.usage.processes); });
  out.family("memory_bytes", "gauge", "Resident memory of the service and its descendants.", [&](const auto& s) { return number(s.usage.memory); });
  out.family("cpu_seconds_total", "counter", "CPU time of the service and its descendants since its start.",
             [&](const auto& s) { return std::optional(seconds_text(core::WallTime(s.usage.cpu))); });
  return out.text;
}

Conditions parse_conditions(std::string_view text) {
  Conditions out;
  while (!text.empty() && out.error.empty()) {
    const auto part = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    if (const auto condition = parse_condition(part))
      out.list.push_back(*condition);
    else
      out.error = "\"" + string(part) + "\" is no condition; one is FIGURE<N or FIGURE>N, with uptime, exits, cores, tries, heartbeat or memory";
  }
  return out;
}

bool is_well(const View& view, core::WallTime now) {
  if (!view.supervised || view.paused || !view.output_waits.empty()) return false;
  if (view.pid == 0 && view.want == core::Want::kDown) return true;
  if (has_ended_well(view)) return true;
  // One that dies again and again is up at most looks.
  constexpr core::Nanos kProven = core::seconds(60);
  const bool keeps_dying = view.tries > 1 && now - view.started < kProven;
  return (view.state == core::State::kRunning || view.state == core::State::kStarting) && !keeps_dying;
}

PluginResult plugin(const std::vector<Measured>& services, std::size_t unknown, const Conditions& warn, const Conditions& crit, core::WallTime now) {
  enum Level { kGood, kWarning, kCritical };
  auto worst = kGood;
  std::size_t up = 0;
  string critical, warning;
  for (const auto& service : services) {
    const auto& view = service.row.view;
    up += view.is_up() ? 1 : 0;
    auto why = met(crit, service, now);
    if (why.empty() && !is_well(view, now)) {
      why = string(state_name(view));
      if (const auto reason = reason_of(view, now); !reason.empty()) why += " (" + reason + ")";
    }
    auto& list = why.empty() ? warning : critical;
    const auto level = why.empty() ? kWarning : kCritical;
    if (why.empty()) why = met(warn, service, now);
    if (why.empty()) continue;
    worst = std::max(worst, level);
    list += (list.empty() ? "" : ", ") + core::printable(service.row.name) + " " + why;
  }
  const auto figures = std::to_string(up) + " of " + std::to_string(services.size()) + " up";
  const auto data = " | up=" + std::to_string(up) + " services=" + std::to_string(services.size());
  auto details = critical + (critical.empty() || warning.empty() ? "" : ", ") + warning;
  if (!details.empty()) details = ": " + details;
  // Of a plain-text line | begins the figures.
  std::replace(details.begin(), details.end(), '|', '/');
  if (worst == kCritical) return {"SUPERVISE CRITICAL - " + figures + details + data, 2};
  if (unknown != 0 || services.empty()) return {"SUPERVISE UNKNOWN - " + (services.empty() ? "no service" : std::to_string(unknown) + " unknown, " + figures) + details + data, 3};
  if (worst == kWarning) return {"SUPERVISE WARNING - " + figures + details + data, 1};
  return {"SUPERVISE OK - " + figures + data, 0};
}

}  // namespace ctl
