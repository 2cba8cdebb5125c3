// supervisectl(1): what only looks, and the way to the rest.
#include <algorithm>
#include <cerrno>

#include "core/strings.h"
#include "core/version.h"
#include "ctl/act.h"
#include "ctl/launch.h"
#include "ctl/metrics.h"
#include "ctl/output.h"
#include "ctl/services.h"
#include "sys/entry.h"
#include "sys/trusted.h"
#include "sys/error_text.h"
#include "sys/process.h"
#include "sys/real_system.h"

namespace ctl {
namespace {

using std::string;

constexpr int kPluginUnknown = 3;

int usage_error(const string& text) {
  complain(text);
  return kUsage;
}

// The services of a request, those that can be read; what is wrong with the others is said, and in `status`.
struct Look {
  struct Found {
    ServiceRef service;
    Reading reading;
  };
  std::vector<Found> found;
  std::size_t unknown = 0;
  int status = kDone;

  [[nodiscard]] std::vector<Row> rows() const {
    std::vector<Row> out;
    for (const auto& one : found) out.push_back({one.service.name, one.service.dir, one.reading.view});
    return out;
  }
  void fail(const string& text, int what) {
    complain(text);
    status = std::max(status, what);
  }
};

Look look(sys::System& system, const Request& request) {
  Look out;
  auto selection = select(system, root_of(request), request.names);
  for (const auto& complaint : selection.complaints) {
    out.fail(complaint.text, complaint.status);
    ++out.unknown;
  }
  for (auto& service : selection.services) {
    auto reading = read(system, service);
    if (reading.error.empty()) {
      out.found.push_back({std::move(service), std::move(reading)});
      continue;
    }
    out.fail(reading.error, kUnknown);
    ++out.unknown;
  }
  return out;
}

std::vector<Measured> measure(sys::System& system, std::vector<Row> rows) {
  const Processes processes(sys::all_processes(system));
  const auto now = system.now().wall;
  std::vector<Measured> out;
  for (auto& row : rows) {
    Measured measured{std::move(row), {}, {}};
    const auto& view = measured.row.view;
    measured.usage = processes.usage_of(view);
    if (!view.heartbeat.empty())
      if (const auto info = sys::look_at(system, view.heartbeat)) measured.heartbeat_age = now - info->modified;
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
  const bool all_up = std::all_of(found.found.begin(), found.found.end(), [](const auto& one) { return one.reading.view.supervised && one.reading.view.is_up(); });
  return std::max<int>(found.status, all_up ? kDone : kNotRunning);
}

std::vector<string> lines_of(std::string_view text) {
  std::vector<string> lines;
  while (!text.empty()) lines.emplace_back(core::take_line(text));
  return lines;
}

// On a terminal a screen that is drawn anew, else the lines that have changed, each after the time of day. Until nobody reads it.
int watch(sys::System& system, const Request& request) {
  const auto root = root_of(request);
  sys::Changes changes(system);
  const bool screen = sys::is_terminal(1);
  std::vector<string> shown;
  while (output_failure().number == 0) {
    // Watched before they are read, so that nothing is missed; and what is no status directory may become one.
    changes.watch(root);
    if (const auto names = sys::list_directory(system, root))
      for (const auto& name : *names) {
        changes.watch(root + "/" + name);
        changes.watch(root + "/" + name + "/supervise");
      }
    for (const auto& service : select(system, root, request.names).services) {
      changes.watch(service.dir);
      changes.watch(service.dir + "/supervise");
    }
    if (screen) say("\x1b[H\x1b[J");
    const auto found = look(system, request);
    // No directory tells that a supervise was killed.
    std::vector<sys::UniqueFd> supervises;
    std::vector<int> ends;
    for (const auto& one : found.found) {
      const auto supervise = supervise_of(system, one.reading);
      if (supervise == 0) continue;
      if (const auto end = system.watch_process(supervise)) supervises.emplace_back(system, *end), ends.push_back(*end);
    }
    const auto now = system.now().wall;
    auto lines = lines_of(table(found.rows(), now, colours(), sys::time_of_day));
    if (screen) {
      const std::size_t room = sys::terminal_lines(1);
      const bool cut = room > 4 && lines.size() + 2 > room;
      for (std::size_t i = 0; i < (cut ? room - 3 : lines.size()); ++i) say(lines[i] + "\n");
      if (cut) say("and " + std::to_string(lines.size() - (room - 3)) + " more\n");
      say("\n" + sys::time_of_day(now) + "  Ctrl-C ends this");
    } else {
      for (std::size_t i = 1; i < lines.size(); ++i)
        if (std::find(shown.begin(), shown.end(), lines[i]) == shown.end()) say(sys::time_of_day(now) + "  " + lines[i] + "\n");
      shown = std::move(lines);
    }
    if (output_failure().number == 0) changes.wait(ends, core::seconds(3600));
  }
  return kDone;
}

int status(sys::System& system, const Request& request) {
  if (request.watch) return watch(system, request);
  const auto found = look(system, request);
  const auto rows = found.rows();
  if (request.quiet)
    for (const auto& row : rows) say(row.name + "\n");
  else if (request.json)
    say(json(rows));
  else if (!rows.empty())
    say(table(rows, system.now().wall, colours()));
  return status_of(found);
}

// It is for kill(1). Where others could have written it, it must be that of a process of the directory's owner.
bool is_proven(sys::System& system, const Look::Found& one) {
  if (one.reading.trusted) return true;
  const auto directory = sys::look_at(system, one.service.dir);
  return directory && sys::platform::user_of(system, one.reading.view.pid) == directory->uid;
}

int pid(sys::System& system, const Request& request) {
  auto found = look(system, request);
  for (const auto& one : found.found) {
    const bool is_up = one.reading.view.is_up(), proven = is_up && is_proven(system, one);
    say(std::to_string(proven ? one.reading.view.pid : 0) + "\n");
    if (is_up && !proven) found.fail(one.service.name + ": its pid is not known: others can write to " + one.service.dir, kUnknown);
  }
  return status_of(found);
}

int check(sys::System& system, const Request& request) {
  const bool is_plugin = !request.warn.empty() || !request.crit.empty();
  const auto warn = parse_conditions(request.warn), crit = parse_conditions(request.crit);
  for (const auto* conditions : {&warn, &crit}) {
    if (conditions->error.empty()) continue;
    say("SUPERVISE UNKNOWN - " + conditions->error + "\n");
    return kPluginUnknown;
  }
  auto found = look(system, request);
  if (is_plugin) {
    const auto result = plugin(measure(system, found.rows()), found.unknown, warn, crit, system.now().wall);
    say(result.text + "\n");
    return result.status;
  }
  for (const auto& row : found.rows()) {
    if (is_well(row.view, system.now().wall)) continue;
    const auto reason = reason_of(row.view, system.now().wall);
    say(row.name + ": " + string(state_name(row.view)) + (reason.empty() ? "" : ": " + reason) + "\n");
    found.status = std::max<int>(found.status, kNotRunning);
  }
  return found.status;
}

int metrics(sys::System& system, const Request& request) {
  const auto found = look(system, request);
  // Nothing rather than figures of no service at all, which would be taken for all there is.
  if (found.status == kDone || !found.found.empty()) say(metrics(measure(system, found.rows())));
  return found.status;
}

// The paths of the output files of a service; none where it has none, or where its state is not to be trusted with a path.
std::vector<string> logs_of(const Look::Found& one, const string& which) {
  if (which == "log") return {one.service.dir + "/supervise.log"};
  const auto& view = one.reading.view;
  std::vector<string> paths;
  if (which != "stderr") paths.push_back(view.output);
  if (which != "stdout" && (paths.empty() || paths[0] != view.errors)) paths.push_back(view.errors);
  std::erase(paths, "");
  return paths;
}

string no_logs(const Look::Found& one, const string& what) {
  if (one.reading.view.source != View::Source::kOurs) return one.service.name + ": where its output goes is not known";
  if (!one.reading.trusted) return one.service.name + ": its state belongs to somebody else, and is not trusted with a path; do it as that user";
  return one.service.name + ": " + what + " goes to no file";
}

string why_not(sys::Errno error) { return error.number == EINVAL ? "it is not a plain file of ours" : string(sys::error_text(error.number)); }

// tail(1) does the work. With --follow it also goes on with what comes to bear the name after a rotation.
int tail(sys::System& system, const Request& request) {
  auto found = look(system, request);
  std::vector<string> words = {"tail", "-n", request.lines};
  if (request.follow) words.emplace_back("-F");
  words.emplace_back("--");
  const auto fixed = words.size();
  const string which = request.first.empty() ? "stdout" : request.first;
  for (const auto& one : found.found) {
    const auto paths = logs_of(one, which);
    if (paths.empty()) {
      found.fail(no_logs(one, "its " + which), kFailed);
      continue;
    }
    const auto fd = open_log(system, one.service, paths[0], sys::OpenMode::kRead);
    if (fd)
      words.push_back(paths[0]);
    else
      found.fail(one.service.name + ": cannot read " + paths[0] + ": " + why_not(fd.error()), kFailed);
  }
  if (words.size() == fixed) return found.status;
  if (found.status != kDone) return std::max(found.status, sys::run(words, ""));
  complain("cannot run tail: " + string(sys::error_text(sys::become(words).number)));
  return kFailed;
}

int clear(sys::System& system, const Request& request) {
  auto found = look(system, request);
  for (const auto& one : found.found) {
    const auto paths = logs_of(one, "");
    if (paths.empty()) found.fail(no_logs(one, "its output"), kFailed);
    std::size_t cleared = 0;
    for (const auto& path : paths) {
      const auto fd = open_log(system, one.service, path, sys::OpenMode::kReadWrite);
      const auto done = fd ? system.truncate(fd->get(), 0) : sys::Status(fd.error());
      if (done || done.error().number == ENOENT)
        ++cleared;
      else
        found.fail(one.service.name + ": cannot empty " + path + ": " + why_not(done.error()), kFailed);
    }
    if (cleared == paths.size() && cleared != 0) say(one.service.name + ": logs emptied\n");
  }
  return found.status;
}

int config(sys::System& system, const Request& request) {
  const auto selection = select(system, root_of(request), request.names, configured_services(system, request));
  int worst = kDone;
  for (const auto& complaint : selection.complaints) {
    complain(complaint.text);
    worst = std::max(worst, complaint.status);
  }
  for (const auto& service : selection.services) {
    const auto reading = read(system, service);
    if (!reading.error.empty() || reading.view.source == View::Source::kForeign) {
      complain(reading.error.empty() ? service.name + ": daemontools and runit know no config" : reading.error);
      worst = std::max<int>(worst, reading.error.empty() ? kFailed : kUnknown);
      continue;
    }
    if (selection.services.size() > 1) say("[" + service.name + "]\n");
    if (check_configuration(system, request, service, reading) != 0) worst = std::max<int>(worst, kFailed);
  }
  return worst;
}

int explain(const Request& request) {
  if (request.first.empty()) {
    say(help());
    return kDone;
  }
  if (request.first == "bash" || request.first == "zsh" || request.first == "mdoc") {
    say(request.first == "bash" ? bash_completion() : request.first == "zsh" ? zsh_completion() : manual_items());
    return kDone;
  }
  const auto* command = find_command(request.first);
  if (!command) return usage_error("no command " + request.first + "; `supervisectl help` lists them");
  say(help(*command));
  return kDone;
}

int run(sys::System& system, const Request& request) {
  const bool is_plugin = !request.warn.empty() || !request.crit.empty();
  if (!request.error.empty() && is_plugin) return say("SUPERVISE UNKNOWN - " + request.error + "\n"), kPluginUnknown;
  if (!request.error.empty()) return usage_error(request.error);
  if (request.version) {
    say(string(core::kSupervisectl) + "\n");
    return kDone;
  }
  if (request.help) {
    say(request.command ? help(*request.command) : help());
    return kDone;
  }
  if (!request.command) {
    (void)sys::write_all(2, help());
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
  sys::remember_arguments(argc, argv);
  sys::ensure_standard_descriptors();
  sys::ignore_broken_pipes();
  sys::allow_many_descriptors();
  try {
    const int status = ctl::run(system, ctl::parse_request({argv + std::min(argc, 1), argv + argc}));
    const auto failure = ctl::output_failure();
    if (failure.number == 0 || failure.number == EPIPE) return status;
    ctl::complain("cannot write to standard output: " + std::string(sys::error_text(failure.number)));
    return std::max<int>(status, ctl::kFailed);
  } catch (const std::bad_alloc&) {
    ctl::complain("no memory");
    return ctl::kFailed;
  }
}
