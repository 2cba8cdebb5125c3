#include "ctl/launch.h"

#include <algorithm>

#include "core/conf.h"
#include "core/nearest.h"
#include "core/strings.h"
#include "sys/client.h"
#include "sys/trusted.h"
#include "sys/process.h"

namespace ctl {
namespace {

using std::string;

constexpr std::size_t kMaxFile = 1 << 20;

bool is_there(sys::System& system, const string& path) { return static_cast<bool>(system.stat_following(path.c_str())); }

bool is_executable(sys::System& system, const string& path) {
  const auto info = system.stat_following(path.c_str());
  return info && info->type == sys::FileType::kRegular && (info->mode & 0111U) != 0;
}

// The supervise that belongs to this program: beside it, else in PATH.
string supervise_program(sys::System& system) {
  const auto own = sys::own_program();
  const auto beside = own.substr(0, own.rfind('/') + 1) + "supervise";
  return is_executable(system, beside) ? beside : "supervise";
}

constexpr const char* kHere = "supervise.conf";
constexpr const char* kSystemWide = "/etc/supervise.conf";

// The file that -F names, or the first default that is there; empty: none.
string conf_of(sys::System& system, const Request& request) {
  if (!request.conf.empty()) return sys::absolute_path(request.conf);
  for (const auto* path : {kHere, kSystemWide})
    if (is_there(system, path)) return sys::absolute_path(path);
  return {};
}

// With the configuration file, but for one in the working directory that was not named: supervise finds it by itself, and has
// its own mind about whom that may belong to.
std::vector<string> supervise_words(sys::System& system, const Request& request) {
  std::vector<string> words = {supervise_program(system)};
  const bool finds_it = request.conf.empty() && is_there(system, kHere);
  if (const auto conf = conf_of(system, request); !conf.empty() && !finds_it) words.insert(words.end(), {"-F", conf});
  return words;
}

// What others can do to it. Where that is nothing, the path leads to the same file when it is executed.
sys::Flaw flaw_of(sys::System& system, const string& path) {
  const auto place = sys::find_place(system, path, sys::Links::kAll);
  return place && place->entry ? place->flaw : sys::Flaw::kPath;
}

bool has_command(std::string_view settings) {
  while (!settings.empty()) {
    const auto line = core::take_line(settings);
    if (line.starts_with("command : ")) return true;
  }
  return false;
}

}  // namespace

Start find_start(sys::System& system, const Request& request, const ServiceRef& service) {
  const auto& dir = service.dir;
  const auto failed = [&](const string& text, int status) { return Start{{}, {}, {service.name + ": " + text, status}}; };
  auto words = supervise_words(system, request);
  auto checked = words;
  checked.insert(checked.end(), {"--check", "-p", dir});
  const auto check = sys::output_of(checked);
  constexpr int kFaulty = 100;    // supervise(8)
  if (check.status == kFaulty) {
    (void)sys::run(checked, "", sys::Output::kErrorsOnly);
    return failed("not started: the configuration is faulty", kFailed);
  }
  if (check.status != 0)
    return failed("not started: " + words[0] + " cannot be run, or is another program (exit status " + std::to_string(check.status) + ")", kFailed);
  if (has_command(check.text)) {
    words.insert(words.end(), {"-p", dir});
    return {words, "", {}};
  }
  const auto conf = conf_of(system, request);
  const auto run = dir + "/run";
  if (!is_executable(system, run)) {
    const auto looked = conf.empty() ? "neither ./supervise.conf nor /etc/supervise.conf is there (-F names another)" : conf + " has no command for it";
    return failed("no supervise runs there, and nothing says what it would run: " + string(looked) + ", and there is no " + run + core::did_you_mean(service.name, configured_services(system, request)), service.exists ? kNotRunning : kUnknown);
  }
  // It would be run with our rights.
  for (const auto& path : {run, dir})
    if (const auto flaw = flaw_of(system, path); flaw != sys::Flaw::kNone) return failed("not started: " + path + " " + sys::to_text(flaw), kFailed);
  words.resize(1);
  if (!conf.empty()) words.insert(words.end(), {"-F", conf});    // it has passed the check, and would not be found from there
  words.insert(words.end(), {"-u", dir, "./run"});
  return {words, dir, {}};
}

std::vector<string> configured_services(sys::System& system, const Request& request) {
  std::vector<string> names;
  const auto path = conf_of(system, request);
  if (path.empty()) return names;
  const auto text = sys::read_file(system, path, kMaxFile, sys::Trust::kPlace);
  if (!text) return names;
  for (const auto& section : core::parse_conf(*text).sections) {
    const auto has_command = [](const core::Conf::Item& item) { return item.key == "command"; };
    if (section.name != "global" && std::any_of(section.items.begin(), section.items.end(), has_command)) names.push_back(section.name);
  }
  return names;
}

int check_configuration(sys::System& system, const Request& request, const ServiceRef& service, const Reading& reading) {
  const auto output = request.command->id == Id::kReload ? sys::Output::kErrorsOnly : sys::Output::kAll;
  const auto supervise = reading.trusted && request.conf.empty() ? supervise_of(system, reading) : 0;
  auto running = supervise != 0 ? sys::command_line(system, supervise) : std::vector<string>();
  if (running.size() > 1) {
    running[0] = supervise_program(system);
    // One that has gone on as another program was told so first.
    if (running[1].starts_with("--resume=")) running.erase(running.begin() + 1);
    running.insert(running.begin() + 1, "--check");
    return sys::run(running, sys::working_directory(system, supervise), output);
  }
  auto words = supervise_words(system, request);
  words.insert(words.end(), {"--check", "-p", service.dir});
  return sys::run(words, "", output);
}

}  // namespace ctl
