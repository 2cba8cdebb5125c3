// supervisectl(1): what only looks, and the way to the rest.
#include <algorithm>
#include <cerrno>

#include "core/version.h"
#include "ctl/act.h"
#include "ctl/metrics.h"
#include "ctl/output.h"
#include "ctl/services.h"
#include "sys/entry.h"
#include "sys/error_text.h"
#include "sys/real_system.h"

namespace ctl {
namespace {

using std::string;

int usage_error(const string& text) {
  sys_error("supervisectl: " + text);
  return kUsage;
}

// The services of a request, those that can be read; what is wrong with the others is said, and in `status`.
struct Look {
  std::vector<Row> rows;
  std::size_t unknown = 0;
  int status = kDone;
};

Look look(sys::System& system, const Request& request) {
  Look out;
  const auto complain = [&](const string& text, int status) {
    sys_error("supervisectl: " + text);
    out.status = std::max(out.status, status);
    ++out.unknown;
  };
  const auto selection = select(system, root_of(request), request.names, Missing::kComplain);
  for (const auto& complaint : selection.complaints) complain(complaint.text, complaint.status);
  for (const auto& service : selection.services) {
    auto reading = read(system, service);
    if (!reading.error.empty())
      complain(reading.error, kUnknown);
    else
      out.rows.push_back({service.name, service.dir, std::move(reading.view)});
  }
  return out;
}

std::vector<Measured> measure(sys::System& system, std::vector<Row> rows) {
  const auto processes = sys::all_processes(system);
  const auto now = system.now().wall;
  std::vector<Measured> out;
  for (auto& row : rows) {
    Measured measured{std::move(row), {}, {}};
    const auto& view = measured.row.view;
    measured.usage = usage_of(view, processes);
    if (!view.heartbeat.empty())
      if (const auto info = system.stat_following(view.heartbeat.c_str())) measured.heartbeat_age = now - info->modified;
    out.push_back(std::move(measured));
  }
  return out;
}

Colours colours() {
  const auto* terminal = sys::environment_variable("TERM");
  const auto* no = sys::environment_variable("NO_COLOR");
  const bool able = terminal && *terminal && string(terminal) != "dumb";
  return able && !(no && *no) && sys::is_terminal(1) ? Colours::kYes : Colours::kNo;
}

int status_of(const Look& found) {
  const bool all_up = std::all_of(found.rows.begin(), found.rows.end(), [](const Row& row) { return row.view.is_up(); });
  return std::max<int>(found.status, all_up ? kDone : kNotRunning);
}

// On a terminal a screen that is drawn anew, else the lines that have changed, each after the time of day.
int watch(sys::System& system, const Request& request) {
  const auto root = root_of(request);
  sys::Changes changes(system);
  const bool screen = sys::is_terminal(1);
  std::vector<string> shown;
  if (screen) sys::print("\x1b[?25l\x1b[2J");
  while (true) {
    // Watched before they are read, so that nothing is missed; and what is no status directory may become one.
    changes.watch(root);
    std::vector<string> directories;
    if (const auto names = sys::list_directory(root))
      for (const auto& name : *names) directories.push_back(root + "/" + name);
    for (const auto& service : select(system, root, request.names, Missing::kMayBeNew).services) directories.push_back(service.dir);
    for (const auto& directory : directories) {
      changes.watch(directory);
      changes.watch(directory + "/supervise");
    }
    if (screen) sys::print("\x1b[H\x1b[J");
    const auto found = look(system, request);
    const auto now = system.now().wall;
    auto text = table(found.rows, now, colours(), sys::time_of_day);
    if (screen) {
      sys::print(text + "\n" + sys::time_of_day(now) + "  Ctrl-C ends this\n");
    } else {
      std::vector<string> lines;
      for (std::string_view rest = text; !rest.empty();) {
        lines.emplace_back(rest.substr(0, rest.find('\n')));
        rest.remove_prefix(std::min(rest.size(), lines.back().size() + 1));
      }
      for (std::size_t i = 1; i < lines.size(); ++i)
        if (std::find(shown.begin(), shown.end(), lines[i]) == shown.end()) sys::print(sys::time_of_day(now) + "  " + lines[i] + "\n");
      shown = std::move(lines);
    }
    changes.wait({}, core::seconds(3600));
  }
}

int status(sys::System& system, const Request& request) {
  if (request.watch) return watch(system, request);
  const auto found = look(system, request);
  if (request.quiet)
    for (const auto& row : found.rows) sys::print(row.name + "\n");
  else if (request.json)
    sys::print(json(found.rows));
  else if (!found.rows.empty())
    sys::print(table(found.rows, system.now().wall, colours()));
  else if (found.status == kDone)
    sys::print("no services in " + root_of(request) + "\n");
  return status_of(found);
}

int pid(sys::System& system, const Request& request) {
  const auto found = look(system, request);
  for (const auto& row : found.rows) sys::print(std::to_string(row.view.is_up() ? row.view.pid : 0) + "\n");
  return status_of(found);
}

int check(sys::System& system, const Request& request) {
  const bool is_plugin = !request.warn.empty() || !request.crit.empty();
  const auto warn = parse_conditions(request.warn), crit = parse_conditions(request.crit);
  for (const auto* conditions : {&warn, &crit}) {
    if (conditions->error.empty()) continue;
    sys::print("SUPERVISE UNKNOWN - " + conditions->error + "\n");
    return 3;
  }
  auto found = look(system, request);
  if (is_plugin) {
    const auto result = plugin(measure(system, std::move(found.rows)), found.unknown, warn, crit, system.now().wall);
    sys::print(result.text + "\n");
    return result.status;
  }
  for (const auto& row : found.rows) {
    if (is_well(row.view)) continue;
    const auto reason = reason_of(row.view, system.now().wall);
    sys::print(row.name + ": " + string(state_name(row.view)) + (reason.empty() ? "" : ": " + reason) + "\n");
    found.status = std::max<int>(found.status, kNotRunning);
  }
  return found.status;
}

int metrics(sys::System& system, const Request& request) {
  auto found = look(system, request);
  // Nothing rather than figures of no service at all, which would be taken for all there is.
  if (found.status == kDone || !found.rows.empty()) sys::print(metrics(measure(system, std::move(found.rows))));
  return found.status;
}

// Without --follow the file as it is; else also what comes to bear its name after a rotation.
int tail(sys::System& system, const Request& request) {
  auto found = look(system, request);
  std::vector<string> words = {"tail", "-n", request.lines};
  if (request.follow) words.emplace_back("-F");
  words.emplace_back("--");
  const auto fixed = words.size();
  for (const auto& row : found.rows) {
    const auto& view = row.view;
    const bool ours = view.source == View::Source::kOurs;
    auto path = request.first == "log" ? row.dir + "/supervise.log" : request.first == "stderr" ? view.errors : view.output;
    if (path.empty() && ours && (request.first != "log")) {
      sys_error("supervisectl: " + row.name + ": its " + (request.first.empty() ? "stdout" : request.first) + " goes to no file");
      found.status = std::max<int>(found.status, kFailed);
      continue;
    }
    if (path.empty() || !system.stat_following(path.c_str())) {
      sys_error("supervisectl: " + row.name + ": " + (path.empty() ? "where its output goes is not known" : path + ": " + string(sys::error_text(ENOENT))));
      found.status = std::max<int>(found.status, kFailed);
      continue;
    }
    words.push_back(path);
  }
  if (words.size() == fixed) return found.status;
  if (found.status != kDone) return std::max(found.status, sys::run(words, ""));
  return usage_error("tail: " + string(sys::error_text(sys::become(words).number)));
}

int clear(sys::System& system, const Request& request) {
  auto found = look(system, request);
  for (const auto& row : found.rows) {
    std::vector<string> paths = {row.view.output, row.view.errors};
    if (paths[0] == paths[1]) paths.pop_back();
    std::size_t cleared = 0;
    for (const auto& path : paths) {
      if (path.empty()) continue;
      const auto slash = path.rfind('/');
      auto dir = sys::owned(system, system.open(sys::kWorkingDirectory, path.substr(0, slash + 1).c_str(), sys::OpenMode::kDirectoryFollowing, 0));
      auto fd = dir ? sys::open_to_rewrite(system, dir->get(), path.c_str() + slash + 1) : sys::Result<sys::UniqueFd>(dir.error());
      const auto done = fd ? system.truncate(fd->get(), 0) : sys::Status(fd.error());
      if (done || done.error().number == ENOENT) {
        ++cleared;
        continue;
      }
      const auto why = done.error().number == EINVAL ? "it is not a plain file of ours" : string(sys::error_text(done.error().number));
      sys_error("supervisectl: " + row.name + ": cannot empty " + path + ": " + why);
      found.status = std::max<int>(found.status, kFailed);
    }
    if (cleared != 0) sys::print(row.name + ": logs emptied\n");
  }
  return found.status;
}

int config(sys::System& system, const Request& request) {
  const auto selection = select(system, root_of(request), request.names, Missing::kMayBeNew);
  int worst = kDone;
  for (const auto& complaint : selection.complaints) {
    sys_error("supervisectl: " + complaint.text);
    worst = std::max(worst, complaint.status);
  }
  for (const auto& service : selection.services) {
    if (selection.services.size() > 1) sys::print("[" + service.name + "]\n");
    const auto reading = read(system, service);
    if (check_configuration(system, request, service, reading.view) != 0) worst = std::max<int>(worst, kFailed);
  }
  return worst;
}

int explain(const Request& request) {
  if (request.first.empty()) {
    sys::print(help());
    return kDone;
  }
  if (request.first == "bash" || request.first == "zsh" || request.first == "mdoc") {
    sys::print(request.first == "bash" ? bash_completion() : request.first == "zsh" ? zsh_completion() : manual_items());
    return kDone;
  }
  const auto* command = find_command(request.first);
  if (!command) return usage_error("no command " + request.first + "; `supervisectl help` lists them");
  sys::print(help(*command));
  return kDone;
}

int run(sys::System& system, const Request& request) {
  if (!request.error.empty()) return usage_error(request.error);
  if (request.version) {
    sys::print(string(core::kSupervisectl) + "\n");
    return kDone;
  }
  if (request.help) {
    sys::print(request.command ? help(*request.command) : help());
    return kDone;
  }
  if (!request.command) {
    sys::print_error(help());
    return kUsage;
  }
  switch (request.command->id) {
    case Id::kStatus: return status(system, request);
    case Id::kPid: return pid(system, request);
    case Id::kTail: return tail(system, request);
    case Id::kCheck: return check(system, request);
    case Id::kClear: return clear(system, request);
    case Id::kConfig: return config(system, request);
    case Id::kMetrics: return metrics(system, request);
    case Id::kHelp: return explain(request);
    default: return act(system, request);
  }
}

}  // namespace
}  // namespace ctl

int main(int argc, char** argv) {
  sys::RealSystem system;
  sys::ensure_standard_descriptors();
  sys::ignore_broken_pipes();
  try {
    return ctl::run(system, ctl::parse_request({argv + std::min(argc, 1), argv + argc}));
  } catch (const std::bad_alloc&) {
    sys::print_error("supervisectl: no memory\n");
    return ctl::kFailed;
  }
}
