#include "supervise/check.h"

#include <algorithm>
#include <cerrno>

#include "core/strings.h"
#include "sys/error_text.h"
#include "sys/process.h"

namespace supervise {
namespace {

using std::string;

constexpr std::string_view kGlobal = "global";

bool is_program(sys::System& system, const string& path) {
  const auto info = system.stat_following(path.c_str());
  return info && info->type != sys::FileType::kDirectory && (info->mode & 0111U) != 0;
}

// By the rules of execvp(3).
bool is_found(sys::System& system, const string& program, const string& directory, std::string_view path) {
  if (program.starts_with('/')) return is_program(system, program);
  if (program.find('/') != string::npos) return is_program(system, (directory.empty() ? string() : directory + "/") + program);
  for (bool last = false; !last;) {
    const auto end = path.find(':');
    if (is_program(system, string(path.substr(0, end)) + "/" + program)) return true;
    last = end == std::string_view::npos;
    path.remove_prefix(last ? 0 : end + 1);
  }
  return false;
}

// The PATH that the service is searched in, which may be its own.
string search_path(const core::Settings& settings, const char* const* environment) {
  constexpr std::string_view kPath = "PATH=";
  string path = "/bin:/usr/bin";
  for (auto variable = environment; *variable; ++variable)
    if (std::string_view(*variable).starts_with(kPath)) path = *variable + kPath.size();
  for (const auto& [name, value] : settings.environment)
    if (name == "PATH") path = value;
  return path;
}

class Review {
 public:
  Review(sys::System& system, const Loaded& loaded, const Inherited& inherited, sys::Level level)
      : system_(system), loaded_(loaded), settings_(*loaded.settings), inherited_(inherited), level_(level) {}

  Lines run() {
    problems_ = loaded_.problems;
    const auto own = search_path(settings_, inherited_.environment), ours = search_path({}, inherited_.environment);
    directory();
    program("command", settings_.command, settings_.directory, own);
    program("log_processor", settings_.log_processor, "", ours);
    program("alarm_command", settings_.alarm_command, "", ours);
    (void)Service::prepare(system_, loaded_, inherited_, problems_);
    return std::move(problems_);
  }

 private:
  void directory() {
    const auto& path = settings_.directory;
    if (path.empty()) return;
    const auto info = system_.stat_following(path.c_str());
    if (info && info->type == sys::FileType::kDirectory) return;
    add("directory", path, "cannot be changed to: " + string(sys::error_text(info ? ENOTDIR : info.error().number)));
  }

  void program(std::string_view key, const std::vector<string>& command, const string& directory, const string& path) {
    if (command.empty() || is_found(system_, command.front(), directory, path)) return;
    const bool searched = command.front().find('/') == string::npos;
    add(key, command.front(), searched ? "is no program in PATH" : "is no program that can be executed");
  }

  void add(std::string_view key, std::string_view value, const string& what) { problems_.push_back(loaded_.fault(level_, key, value, what)); }

  sys::System& system_;
  const Loaded& loaded_;
  const core::Settings& settings_;
  const Inherited& inherited_;
  sys::Level level_;
  Lines problems_;
};

// What [global] says is found for each of those that inherit it.
void add_new(Lines& all, const Lines& more) {
  for (const auto& line : more)
    if (std::none_of(all.begin(), all.end(), [&](const Line& known) { return known.text == line.text; })) all.push_back(line);
}

// Often [global] was meant for all.
Lines warn_of_late_global(const core::Conf& conf, const string& path) {
  const auto global = std::find_if(conf.sections.begin(), conf.sections.end(), [](const auto& s) { return s.name == kGlobal; });
  if (global == conf.sections.end() || global == conf.sections.begin()) return {};
  string names;
  for (auto section = conf.sections.begin(); section != global; ++section) names += (names.empty() ? "[" : ", [") + section->name + "]";
  const core::Diagnostic diagnostic{global->line, core::Diagnostic::Severity::kWarning, "[global] stands after " + core::excerpt(names) + ", which inherits nothing from it"};
  return {{sys::Level::kWarning, core::to_text(diagnostic, path)}};
}

Lines check_every_section(sys::System& system, const Identity& identity, const core::Conf& conf) {
  Lines problems;
  const auto check = [&](const string& name) {
    add_new(problems, Review(system, resolve_settings(conf, identity.file(), name), identity.inherited, sys::Level::kFatal).run());
  };
  check(string(kGlobal));
  add_new(problems, warn_of_late_global(conf, identity.file()));
  for (const auto& section : conf.sections)
    if (section.name != kGlobal) check(section.name);
  return problems;
}

}  // namespace

Checked check_configuration(sys::System& system, const Identity& identity) {
  Checked out;
  const auto conf = read_configuration(system, identity.configuration(), out.problems);
  if (!conf) return out;
  const bool one_service = !identity.name.empty();
  auto loaded = resolve_settings(*conf, identity.file(), one_service ? identity.name : string(kGlobal));
  if (one_service) {
    take_command(identity, loaded, sys::Level::kWarning);
    out.problems = Review(system, loaded, identity.inherited, sys::Level::kWarning).run();
  } else {
    out.problems = check_every_section(system, identity, *conf);
  }
  if (!has_errors(out.problems)) out.settings = std::move(loaded.settings);
  return out;
}

}  // namespace supervise
