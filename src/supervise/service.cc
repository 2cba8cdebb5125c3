#include "supervise/service.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include "core/conf.h"
#include "core/environment.h"
#include "core/nearest.h"
#include "core/strings.h"
#include "core/words.h"
#include "sys/error_text.h"
#include "sys/process.h"
#include "sys/resources.h"
#include "sys/trusted.h"

namespace supervise {
namespace {

using std::string;

constexpr std::array<std::string_view, 8> kEntries = {"lock", "control", "svcontrol", "ok", "status", "state", "supervise", "core"};

constexpr std::size_t kMaxLogName = 200;

// Of a path in a reason, whose cause is to be seen as well.
constexpr std::size_t kMaxQuoted = 160;

constexpr std::size_t kMaxFile = 1 << 20;

// EPERM: others can change it, or a link or a second name of theirs leads to it.
string reading_failed(sys::System& system, const string& path, sys::Errno error) {
  if (error.number == EINVAL) return "not a regular file";
  const auto place = error.number == EPERM ? sys::find_place(system, path, sys::Links::kAll) : sys::Result<sys::Place>(error);
  if (place && place->flaw != sys::Flaw::kNone) return string("it ") + sys::to_text(place->flaw);
  return string(sys::error_text(error.number));
}

// What is in it is run. A user may name a file of somebody else; what is found without being named must be trusted.
sys::Trust trust_of(sys::System& system, const Configuration& from) {
  return from.named && system.own_uid() != 0 ? sys::Trust::kPlace : sys::Trust::kWhole;
}

void add_error(Lines& problems, string text) { problems.push_back({sys::Level::kFatal, std::move(text)}); }

void add_diagnostics(Lines& problems, const std::vector<core::Diagnostic>& diagnostics, const string& path) {
  for (const auto& diagnostic : diagnostics) {
    const bool is_error = diagnostic.severity == core::Diagnostic::Severity::kError;
    problems.push_back({is_error ? sys::Level::kFatal : sys::Level::kWarning, core::to_text(diagnostic, path)});
  }
}

// A key that is in the file and does nothing.
struct Idle {
  const char* key;
  bool (*does_nothing)(const core::Settings& settings);
  const char* what;
};
bool no_alarms(const core::Settings& settings) { return settings.policy.alarm_interval == core::Nanos::zero(); }
bool no_heartbeat(const core::Settings& settings) { return settings.heartbeat_file.empty(); }
constexpr std::array kIdle = {
    Idle{"max_tries", no_alarms, "has no effect without alarm_interval"},
    Idle{"max_tries_if_coredumped", no_alarms, "has no effect without alarm_interval"},
    Idle{"alarm_mail", no_alarms, "has no effect without alarm_interval"},
    Idle{"alarm_gsm", no_alarms, "has no effect without alarm_interval"},
    Idle{"alarm_command", no_alarms, "has no effect without alarm_interval"},
    Idle{"heartbeat_timeout", no_heartbeat, "has no effect without heartbeat_file"},
    Idle{"heartbeat_delay", no_heartbeat, "has no effect without heartbeat_file"},
    Idle{"ready_timeout", [](const core::Settings& s) { return !s.notify && !s.ready_fd && s.policy.watchdog == core::Nanos::zero(); },
         "has no effect without notify or ready_fd"},
    Idle{"pidfile", [](const core::Settings& s) { return !s.policy.forking; }, "has no effect without forking"},
};

void warn_of_idle_keys(const Loaded& loaded, Lines& problems) {
  for (const auto& idle : kIdle)
    if (loaded.line_of(idle.key) != 0 && idle.does_nothing(*loaded.settings)) problems.push_back(loaded.warning(idle.key, idle.what));
  for (const auto& item : loaded.items)
    if (const auto split = core::split_words(item.value); item.key == "command" && item.line == loaded.line_of("command") && !split.shell_operator.empty())
      problems.push_back(loaded.warning("command", "has `" + split.shell_operator + "`, an ordinary character here, as no shell is used; for a shell's meaning of it use sh -c '...'"));
}

// A key that asks for what only some systems can do.
struct Demand {
  const char* key;
  bool (*is_made)(const core::Settings& settings);
  sys::Ability ability;
};
constexpr std::array kDemands = {
    Demand{"forking", [](const core::Settings& s) { return s.policy.forking; }, sys::Ability::kTellProcesses},
    Demand{"kill_tree", [](const core::Settings& s) { return s.policy.kill_tree; }, sys::Ability::kTellProcesses},
    Demand{"notify", [](const core::Settings& s) { return s.notify; }, sys::Ability::kNameSenders},
    Demand{"watchdog", [](const core::Settings& s) { return s.policy.watchdog != core::Nanos::zero(); }, sys::Ability::kNameSenders},
};

// `NAME=` of `NAME=VALUE`.
std::string_view name_part(std::string_view variable) { return variable.substr(0, variable.find('=') + 1); }

}  // namespace

bool has_errors(const Lines& problems) {
  return std::any_of(problems.begin(), problems.end(), [](const Line& line) { return line.level == sys::Level::kFatal; });
}

int Loaded::line_of(std::string_view key) const {
  int line = 0;
  for (const auto& item : items)
    if (item.key == key) line = item.line;
  return line;
}

Line Loaded::warning(std::string_view key, std::string_view what) const {
  const core::Diagnostic diagnostic{line_of(key), core::Diagnostic::Severity::kWarning, string(key) + (what.starts_with(':') ? "" : " ") + string(what)};
  return {sys::Level::kWarning, core::to_text(diagnostic, file)};
}

Line Loaded::error(std::string_view key, std::string_view value, std::string_view what) const {
  return fault(sys::Level::kFatal, key, value, what);
}

Line Loaded::fault(sys::Level level, std::string_view key, std::string_view value, std::string_view what) const {
  const auto text = string(key) + ": \"" + core::excerpt(value) + "\" " + string(what);
  // The command may stand in the command line.
  const bool fatal = level == sys::Level::kFatal;
  if (line_of(key) == 0) return {level, (fatal ? "" : "warning: ") + text};
  const auto severity = fatal ? core::Diagnostic::Severity::kError : core::Diagnostic::Severity::kWarning;
  return {level, core::to_text({line_of(key), severity, text}, file)};
}

std::optional<Service> Service::prepare(sys::System& system, Loaded loaded, const Inherited& inherited, Lines& problems) {
  Service service;
  service.settings_ = std::move(*loaded.settings);
  service.umask_ = service.settings_.umask ? service.settings_.umask->bits : inherited.umask;
  bool good = service.check_abilities(system, loaded, problems);
  good = service.look_up(system, loaded, problems) && good;
  service.check_parents(system, loaded, inherited.directory, problems);
  good = service.read_environment_file(system, loaded, problems) && good;
  good = check_output(system, loaded, "stdout_logfile", service.settings_.output, problems) && good;
  good = check_output(system, loaded, "stderr_logfile", service.settings_.errors, problems) && good;
  if (!good) return std::nullopt;
  for (const auto& [name, value] : service.settings_.environment) service.set_variable(name, value);
  service.limits_ = sys::resource_limits(service.settings_);
  service.set_up_signs(inherited);
  service.lay_out(inherited.environment);
  return service;
}

// `path` as the service itself would find it.
string Service::own_path(const string& path) const {
  const bool in_directory = !path.starts_with('/') && !settings_.directory.empty();
  return sys::absolute_path(in_directory ? settings_.directory + "/" + path : path);
}

void Service::set_up_signs(const Inherited& inherited) {
  auto& policy = settings_.policy;
  policy.heartbeat = !settings_.heartbeat_file.empty() && policy.heartbeat_timeout != core::Nanos::zero();
  policy.tells_ready = settings_.notify || settings_.ready_fd;
  if (!settings_.pidfile.empty()) pidfile_path_ = own_path(settings_.pidfile);
  if (policy.heartbeat) {
    heartbeat_path_ = own_path(settings_.heartbeat_file);
    set_variable("HEARTBEAT_FILE", heartbeat_path_);
  }
  if (!wants_socket()) return;
  set_variable("NOTIFY_SOCKET", "@" + inherited.notify_name);
  if (policy.watchdog != core::Nanos::zero())
    set_variable("WATCHDOG_USEC", std::to_string(std::chrono::ceil<std::chrono::microseconds>(policy.watchdog).count()));
}

// Later values of a name replace earlier ones.
void Service::set_variable(const string& name, const string& value) {
  auto variable = name + "=" + value;
  std::erase_if(variables_, [&](const string& other) { return name_part(other) == name_part(variable); });
  variables_.push_back(std::move(variable));
}

void Service::lay_out(const char* const* inherited_environment) {
  std::size_t inherited_count = 0;
  while (inherited_environment[inherited_count]) ++inherited_count;
  arguments_.reserve(settings_.command.size() + 1);
  environment_.reserve(inherited_count + variables_.size() + 1);
  for (const auto& word : settings_.command) arguments_.push_back(word.c_str());
  arguments_.push_back(nullptr);
  for (auto inherited = inherited_environment; *inherited; ++inherited) {
    const auto name = name_part(*inherited);
    // What our own manager wants to be told is not the service's affair.
    if (name == "NOTIFY_SOCKET=" || name == "WATCHDOG_USEC=" || name == "WATCHDOG_PID=") continue;
    if (std::none_of(variables_.begin(), variables_.end(), [&](const string& own) { return name_part(own) == name; }))
      environment_.push_back(*inherited);
  }
  for (const auto& variable : variables_) environment_.push_back(variable.c_str());
  environment_.push_back(nullptr);
}

bool Service::check_abilities(sys::System& system, const Loaded& loaded, Lines& problems) const {
  const auto before = problems.size();
  for (const auto& demand : kDemands)
    if (demand.is_made(settings_) && !system.can(demand.ability))
      problems.push_back(loaded.error(demand.key, core::find_key(demand.key)->print(settings_), "needs Linux, and what this system refuses or this program was built without"));
  return problems.size() == before;
}

bool Service::look_up(sys::System& system, const Loaded& loaded, Lines& problems) {
  if (settings_.user.empty() && settings_.control_group.empty()) return true;
  const auto passwd = sys::read_file(system, "/etc/passwd", kMaxFile, sys::Trust::kPlace);
  const auto group = sys::read_file(system, "/etc/group", kMaxFile, sys::Trust::kPlace);
  const auto before = problems.size();
  if (!settings_.user.empty()) {
    account_ = core::find_account(settings_.user, passwd ? *passwd : "", group ? *group : "");
    if (!account_) problems.push_back(loaded.error("user", settings_.user, "is not in /etc/passwd; a name from there or UID:GID would be right"));
  }
  if (!settings_.control_group.empty()) {
    const auto gid = core::find_group(settings_.control_group, group ? *group : "");
    control_group_ = gid.value_or(sys::kKeepGroup);
    if (!gid) problems.push_back(loaded.error("control_group", settings_.control_group, "is not in /etc/group; a name from there or a GID would be right"));
  }
  return problems.size() == before;
}

// One that is not there yet is made for its user alone.
void Service::check_parents(sys::System& system, const Loaded& loaded, std::string_view directory, Lines& problems) const {
  if (control_group_ == sys::kKeepGroup) return;
  const auto lets_in = [&](const sys::FileInfo& info) { return (info.mode & (info.gid == control_group_ ? 0010U : 0001U)) != 0; };
  string closed;
  for (auto slash = directory.find('/', 1); slash != std::string_view::npos; slash = directory.find('/', slash + 1)) {
    const string parent(directory.substr(0, slash));
    const auto info = system.stat_following(parent.c_str());
    if (info ? !lets_in(*info) : info.error().number == ENOENT) closed += (closed.empty() ? "" : ", ") + parent;
  }
  if (!closed.empty()) problems.push_back(loaded.warning("control_group", ": the group cannot enter " + core::excerpt(closed) + "; chmod o+x would let it"));
}

bool Service::check_output(sys::System& system, const Loaded& loaded, const char* key, core::OutputSettings& output, Lines& problems) {
  // A link of the administrator's to a descriptor is that descriptor.
  if (output.logfile.starts_with('/'))
    if (const auto place = sys::find_place(system, output.logfile, sys::Links::kTrusted); place && place->descriptor >= 0)
      output.logfile = "/dev/fd/" + std::to_string(place->descriptor);
  const auto& path = output.logfile;
  if (path.empty() || path == "none" || path == "inherit") return true;
  if (!path.starts_with('/')) {
    const bool taken = path.find('/') != string::npos || path.starts_with('.') || path.starts_with("supervise.log") ||
                       path.size() > kMaxLogName || std::find(kEntries.begin(), kEntries.end(), path) != kEntries.end();
    if (taken) problems.push_back(loaded.error(key, path, "cannot be the name of a log in DIR; none, inherit, an absolute path or another name would be right"));
    return !taken;
  }
  if (const int number = core::descriptor_of(path); number >= 0) {
    if (number == 1 || number == 2) return true;
    problems.push_back(loaded.error(key, path, "is a descriptor that supervise does not keep; /dev/stdout or /dev/stderr would be right"));
    return false;
  }
  const auto name = path.substr(path.rfind('/') + 1);
  const auto there = system.stat_following(path.c_str());
  if (name.empty() || name == "." || name == ".." || name.size() > kMaxLogName || (there && there->type == sys::FileType::kDirectory)) {
    problems.push_back(loaded.error(key, path, "is no path of a log; the path of a file, with a name of at most 200 bytes, would be right"));
    return false;
  }
  const auto directory = path.substr(0, std::max<std::size_t>(path.rfind('/'), 1));
  const auto info = system.stat_following(directory.c_str());
  if (info && info->type == sys::FileType::kDirectory) return true;
  if (!info && info.error().number == ENOENT) {
    const core::Diagnostic diagnostic{loaded.line_of(key), core::Diagnostic::Severity::kNotice, string(key) + ": the directory " + directory + " is not there and will be made"};
    problems.push_back({sys::Level::kNotice, core::to_text(diagnostic, loaded.file)});
    return true;
  }
  problems.push_back(loaded.error(key, path, "cannot be made: " + directory + ": " + string(sys::error_text(info ? ENOTDIR : info.error().number))));
  return false;
}

bool Service::read_environment_file(sys::System& system, const Loaded& loaded, Lines& problems) {
  if (settings_.environment_file.empty()) return true;
  const auto& path = settings_.environment_file;
  // Its variables say what root runs and loads, unless the service is of another.
  const bool obeyed = system.own_uid() == 0 && (!account_ || account_->uid == 0);
  const auto text = sys::read_file(system, path, kMaxFile, obeyed ? sys::Trust::kWhole : sys::Trust::kPlace);
  if (!text) {
    problems.push_back(loaded.error("environment_file", path, "cannot be read: " + reading_failed(system, path, text.error())));
    return false;
  }
  const auto parsed = core::parse_environment_file(*text);
  if (!parsed.error.empty()) {
    add_error(problems, path + ":" + std::to_string(parsed.line) + ": error: " + parsed.error);
    return false;
  }
  for (const auto& [name, value] : parsed.variables) set_variable(name, value);
  environment_hash_ = std::hash<string>()(*text);
  return true;
}

core::Changes Service::changes(const Service& fresh) const {
  constexpr std::string_view kFile = "environment_file";
  auto out = core::changes(settings_, fresh.settings_);
  auto& names = out.needs_restart;
  if (environment_hash_ != fresh.environment_hash_ && std::find(names.begin(), names.end(), kFile) == names.end()) names.push_back(kFile);
  return out;
}

sys::Spawn Service::spawn() const {
  sys::Spawn spawn{};
  spawn.arguments = arguments_.data();
  spawn.environment = environment_.data();
  spawn.directory = settings_.directory.empty() ? nullptr : settings_.directory.c_str();
  spawn.umask = umask_;
  spawn.nice = settings_.nice;
  spawn.limits = limits_;
  if (account_) spawn.credentials = sys::Credentials{account_->uid, account_->gid, account_->groups};
  return spawn;
}

core::Text<256> Service::explain(sys::System& system, const core::StartFailure& failure) const {
  core::Text<256> text;
  const auto& command = settings_.command.front();
  const auto cause = sys::error_text(failure.cause);
  switch (failure.stage) {
    case core::Stage::kFork: text << "cannot make a process"; break;
    case core::Stage::kProcessGroup: text << "cannot make a process group"; break;
    case core::Stage::kDescriptor: text << "cannot set up standard input and output"; break;
    case core::Stage::kUmask: text << "cannot set the umask"; break;
    case core::Stage::kSignals: text << "cannot reset signals"; break;
    case core::Stage::kLimit: text << "cannot set a resource limit"; break;
    case core::Stage::kPriority: text << "cannot set nice"; break;
    case core::Stage::kGroups:
    case core::Stage::kGroup:
    case core::Stage::kUser: text << "cannot become user "; text.printable(settings_.user, kMaxQuoted); break;
    case core::Stage::kDirectory: text << "cannot change to directory "; text.printable(settings_.directory, kMaxQuoted); break;
    case core::Stage::kExec:
      if (failure.cause == ENOENT) {
        const bool is_path = command.find('/') != string::npos;
        const bool exists = is_path && system.stat_at(sys::kWorkingDirectory, own_path(command).c_str());
        text << (exists ? "interpreter not found, see the first line of: " : "command not found: ");
        text.printable(command, kMaxQuoted);
        if (is_path && !command.starts_with('/')) (text << " in ").printable(sys::absolute_path(settings_.directory.empty() ? "." : settings_.directory));
        return text;
      }
      text << "cannot execute ";
      text.printable(command, kMaxQuoted);
      break;
  }
  text << ": " << cause;
  return text;
}

std::optional<core::Conf> read_configuration(sys::System& system, const Configuration& from, Lines& problems) {
  const auto& path = from.path;
  if (path.empty()) return core::Conf();
  const auto text = sys::read_file(system, path, kMaxFile, trust_of(system, from));
  if (text) return core::parse_conf(*text);
  if (text.error().number == ENOENT && !from.required) return core::Conf();
  const auto* hint = system.own_uid() != 0 ? "; it is used only if it is named with -F" : "; root uses none that others can change";
  if (text.error().number != EPERM) hint = "";
  add_error(problems, "the configuration file " + path + " cannot be read: " + reading_failed(system, path, text.error()) + hint);
  return std::nullopt;
}

namespace {
string section_meant(const core::Conf& conf, const string& service) {
  std::vector<string> names;
  for (const auto& section : conf.sections) names.push_back(section.name);
  if (std::find(names.begin(), names.end(), service) != names.end()) return {};
  std::erase(names, "global");
  const auto near = core::nearest(service, names);
  return near.empty() ? near : "; did you mean [" + near + "]?";
}
}  // namespace

Loaded resolve_settings(const core::Conf& conf, const string& path, const string& service) {
  Loaded loaded;
  auto resolved = core::resolve(conf, service);
  loaded.file = path;
  loaded.items = std::move(resolved.items);
  loaded.settings = std::move(resolved.settings);
  loaded.meant = section_meant(conf, service);
  add_diagnostics(loaded.problems, conf.diagnostics, path);
  add_diagnostics(loaded.problems, resolved.diagnostics, path);
  if (service != "global") warn_of_idle_keys(loaded, loaded.problems);
  return loaded;
}

string service_name(const string& path) {
  constexpr std::string_view kMark = "/status/";
  const auto mark = path.rfind(kMark);
  if (mark != string::npos) return path.substr(mark + kMark.size());
  return path.substr(path.rfind('/') + 1);
}

}  // namespace supervise
