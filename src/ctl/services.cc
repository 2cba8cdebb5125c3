#include "ctl/services.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include "core/state.h"
#include "core/strings.h"
#include "sys/client.h"
#include "sys/entry.h"
#include "sys/error_text.h"
#include "sys/process.h"
#include "sys/trusted.h"

namespace ctl {
namespace {

using std::string;
using sys::OpenMode;

bool is_pattern(std::string_view word) { return word.find_first_of("*?[") != std::string_view::npos; }

string error_text(sys::Errno error) { return string(sys::error_text(error.number)); }

// The rest is done relative to it, and follows no link: a service may own its directory.
sys::Result<sys::UniqueFd> open_directory(sys::System& system, const string& path) {
  auto opened = sys::open_directory(system, path, sys::Links::kAll, sys::Missing::kFail, OpenMode::kSearch);
  return opened ? sys::Result(std::move(opened->fd)) : opened.error();
}

// What was exchanged while it was read is the spare by now, and may be written to: it is read again.
struct Entry {
  string text;
  bool trusted = false;    // nobody but root and ourselves can have written it
};
sys::Result<Entry> read_entry(sys::System& system, int dir, const char* name, std::size_t limit) {
  constexpr int kAttempts = 5;
  for (int i = 1;; ++i) {
    const auto fd = sys::owned(system, system.open(dir, name, OpenMode::kRead, 0));
    if (!fd) return fd.error();
    const auto info = system.stat(fd->get());
    if (!info) return info.error();
    if (info->type != sys::FileType::kRegular) return sys::Errno{EINVAL};
    Entry entry{string(limit, '\0'), sys::is_kept_from_others(system, *info) && info->links == 1};
    const auto n = system.read(fd->get(), entry.text);
    if (!n) return n.error();
    entry.text.resize(*n);
    if (i == kAttempts || sys::is_entry(system, dir, name, fd->get())) return entry;
  }
}

sys::Result<sys::UniqueFd> open_inner(sys::System& system, int dir) { return sys::owned(system, system.open(dir, "supervise", OpenMode::kDirectory, 0)); }

// What supervise records for itself in a directory that is closed to others: empty where there is none that we may read, or where it belongs to
// somebody else than root or us.
string read_record(sys::System& system, int dir) {
  const auto inner = open_inner(system, dir);
  const auto info = inner ? system.stat(inner->get()) : sys::Result<sys::FileInfo>(inner.error());
  if (!info || !sys::is_kept_from_others(system, *info)) return {};
  auto record = read_entry(system, inner->get(), "record", core::kRecordMax);
  return record && record->trusted ? std::move(record->text) : string();
}

// For writing, without waiting: ENXIO where nobody reads it. Ours are in the directory itself, those of daemontools and runit
// in `supervise`.
sys::Result<sys::UniqueFd> open_fifo(sys::System& system, int dir, const char* name) {
  auto fd = sys::owned(system, system.open(dir, name, OpenMode::kWrite, 0));
  if (!fd && fd.error().number == ENOENT) {
    const auto inner = open_inner(system, dir);
    if (!inner) return inner.error();
    fd = sys::owned(system, system.open(inner->get(), name, OpenMode::kWrite, 0));
  }
  if (!fd) return fd;
  const auto info = system.stat(fd->get());
  if (!info) return info.error();
  if (info->type != sys::FileType::kFifo) return sys::Errno{EINVAL};
  return fd;
}

bool is_there(sys::System& system, const string& path) { return static_cast<bool>(system.stat_at(sys::kWorkingDirectory, path.c_str())); }

// One that may not be looked into may be one.
bool is_status_directory(sys::System& system, const string& dir) {
  for (const auto* entry : {"/state", "/supervise"}) {
    const auto info = system.stat_at(sys::kWorkingDirectory, (dir + entry).c_str());
    if (info || info.error().number == EACCES) return true;
  }
  return false;
}

// The services below `root`/`prefix`, which may be some directories deep.
void add_services(sys::System& system, const string& root, const string& prefix, std::vector<string>& into, unsigned depth = 3) {
  const auto names = sys::list_directory(system, root + "/" + prefix);
  if (!names) return;
  for (const auto& entry : *names) {
    if (entry[0] == '.') continue;
    const auto name = prefix + entry;
    const auto info = system.stat_at(sys::kWorkingDirectory, (root + "/" + name).c_str());
    const bool link = info && info->type == sys::FileType::kLink;
    if (!info || (info->type != sys::FileType::kDirectory && !link)) continue;
    if (is_status_directory(system, root + "/" + name))
      into.push_back(name);
    else if (depth > 1 && !link)
      add_services(system, root, name + "/", into, depth - 1);
  }
}

bool lives(sys::System& system, const core::ProcessId& process) {
  return process.pid != 0 && process.start != 0 && sys::start_time(system, process.pid) == process.start;
}

// What says that something is not there, or not what it would have to be. Every other error says nothing at all.
bool is_absence(sys::Errno error) {
  return error.number == ENOENT || error.number == ENOTDIR || error.number == ENXIO || error.number == ELOOP || error.number == EINVAL;
}

string owner_of(sys::System& system, const string& path) {
  const auto info = system.stat_following(path.c_str());
  return info ? sys::user_name(system, info->uid) : "somebody else";
}

string explained(sys::System& system, const ServiceRef& service, const char* entry, sys::Errno error) {
  const auto path = service.dir + (*entry ? "/" : "") + entry;
  if (error.number == EACCES) return service.name + ": no permission: " + path + " belongs to " + owner_of(system, service.dir);
  return service.name + ": " + path + ": " + error_text(error);
}

// Or older, where an earlier file was put back. A file that has gone is not newer.
bool is_conf_newer(sys::System& system, const View& view) {
  if (view.conf.empty() || view.conf_reads == 0) return false;
  const auto info = sys::look_at(system, view.conf);
  return info && std::chrono::floor<std::chrono::milliseconds>(info->modified) != view.conf_time;
}

bool matches_set(std::string_view& pattern, char c) {
  std::size_t at = 0;
  const bool negated = at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^');
  if (negated) ++at;
  bool found = false;
  for (bool first = true; at < pattern.size() && (first || pattern[at] != ']'); first = false) {
    const char low = pattern[at++];
    char high = low;
    if (at + 1 < pattern.size() && pattern[at] == '-' && pattern[at + 1] != ']') {
      high = pattern[at + 1];
      at += 2;
    }
    found = found || (low <= c && c <= high);
  }
  pattern.remove_prefix(std::min(pattern.size(), at + 1));
  return found != negated;
}

// Takes from the pattern what stands for one character.
bool matches_one(std::string_view& pattern, char c) {
  const char p = pattern.front();
  pattern.remove_prefix(1);
  return p == '[' ? matches_set(pattern, c) : p == '?' || p == c;
}

}  // namespace

// Where something does not match, the last `*` takes one character more. An earlier one need not: what it took was enough.
bool matches(std::string_view pattern, std::string_view text) {
  std::optional<std::string_view> after_star;
  std::string_view text_at_star;
  while (!pattern.empty() || !text.empty()) {
    if (pattern.starts_with('*')) {
      pattern.remove_prefix(1);
      after_star = pattern;
      text_at_star = text;
      continue;
    }
    if (!pattern.empty() && !text.empty() && matches_one(pattern, text.front())) {
      text.remove_prefix(1);
      continue;
    }
    if (!after_star || text_at_star.empty()) return false;
    pattern = *after_star;
    text_at_star.remove_prefix(1);
    text = text_at_star;
  }
  return true;
}

string root_of(const Request& request) {
  const auto* variable = sys::environment_variable("SUPERVISE_ROOT");
  return sys::absolute_path(!request.root.empty() ? request.root : variable && *variable ? variable : "status");
}

Selection select(sys::System& system, const string& root, const std::vector<string>& names, const std::vector<string>& configured) {
  Selection out;
  auto known = configured;
  std::optional<sys::Errno> listed;    // what the listing of the root ended with
  // One name is found without the others.
  const auto list = [&] {
    if (listed) return;
    const auto names_of_root = sys::list_directory(system, root);
    listed = names_of_root ? sys::Errno{} : names_of_root.error();
    if (names_of_root) add_services(system, root, "", known);
    std::sort(known.begin(), known.end());
    known.erase(std::unique(known.begin(), known.end()), known.end());
  };
  const auto add = [&](const string& name, const string& dir) {
    const auto same = [&](const ServiceRef& other) { return other.dir == dir; };
    if (std::none_of(out.services.begin(), out.services.end(), same)) out.services.push_back({core::printable(name), dir, is_there(system, dir)});
  };
  const auto complain = [&](const string& text) { out.complaints.push_back({text, kUnknown}); };
  const auto lacks_root = [&] {
    list();
    if (listed->number == 0 || !known.empty()) return false;
    complain(root + ": " + error_text(*listed) + (listed->number == ENOENT ? "; -d ROOT or SUPERVISE_ROOT names the directory of the status directories" : ""));
    return true;
  };
  const std::vector<string> all = {"all"};
  for (const auto& word : names.empty() ? all : names) {
    const bool slash = word.find('/') != string::npos;
    // Services that are deeper in the root have a slash in their names, too.
    const bool is_known = std::find(known.begin(), known.end(), word) != known.end();
    const bool path = slash && !is_known && !is_pattern(word) && (is_there(system, word) || !is_there(system, root + "/" + word));
    const auto dir = path ? sys::absolute_path(word) : root + "/" + word;
    if (word == "all" || is_pattern(word)) {
      if (lacks_root()) return out;
      bool found = false;
      for (const auto& name : known) {
        if (word != "all" && !matches(word, name)) continue;
        found = true;
        add(name, root + "/" + name);
      }
      if (!found && word != "all") complain(word + ": no service of " + root + " matches");
      if (!found && word == "all")
        complain("no services in " + root + (is_status_directory(system, root) ? ", which is a status directory itself: name it as a path" : ""));
    } else if (is_known || (is_there(system, dir) && (is_status_directory(system, dir) || is_there(system, dir + "/run")))) {
      add(word, dir);
    } else if (is_there(system, dir)) {
      complain(word + ": " + dir + " is no status directory: nothing was ever supervised there");
    } else if (const auto info = system.stat_at(sys::kWorkingDirectory, dir.c_str()); !info && info.error().number == EACCES) {
      complain(word + ": no permission to look at " + dir);
    } else if (path) {
      complain(word + ": no such status directory");
    } else {
      if (lacks_root()) return out;
      const auto near = nearest(word, known);
      complain(word + ": no such service in " + root + (near.empty() ? "" : "; did you mean " + near + "?"));
    }
  }
  return out;
}

Reading read(sys::System& system, const ServiceRef& service) {
  Reading out;
  const auto dir = open_directory(system, service.dir);
  const auto failed = [&](const char* entry, sys::Errno error) {
    out.error = explained(system, service, entry, error);
    return out;
  };
  if (!dir) return is_absence(dir.error()) ? out : failed("", dir.error());
  const auto state = read_entry(system, dir->get(), "state", core::kStateMax);
  if (!state && !is_absence(state.error())) return failed("state", state.error());
  const auto ok = open_fifo(system, dir->get(), "ok");
  std::optional<View> view;
  core::RecordedProcesses processes;
  string record;
  if (state) view = view_of_state(state->text);
  if (view) {
    // A file of root's is no proof in a directory in which others give names to files.
    const auto info = system.stat(dir->get());
    const bool is_safe = state->trusted && info && sys::is_kept_from_others(system, *info);
    if (!is_safe || !ok) record = read_record(system, dir->get());
    const auto recorded = view_of_state(record);
    out.trusted = is_safe || recorded;
    processes = core::recorded_processes(is_safe || !recorded ? state->text : record);
    if (recorded) view->ended = recorded->ended;
    if (!is_safe && recorded) view = recorded;
    if (!is_safe && !recorded) view->output = view->errors = view->heartbeat = view->conf = "";
  } else if (const auto inner = open_inner(system, dir->get())) {
    const auto status = read_entry(system, inner->get(), "status", 64);
    if (!status && !is_absence(status.error())) return failed("supervise/status", status.error());
    const auto info = system.stat(inner->get());
    out.trusted = status && status->trusted && info && sys::is_kept_from_others(system, *info);
    if (status) view = view_of_record({reinterpret_cast<const unsigned char*>(status->text.data()), status->text.size()});
  } else if (!is_absence(inner.error())) {
    return failed("supervise", inner.error());
  }
  if (view) view->conf_newer = is_conf_newer(system, *view);
  if (view) out.view = *view;
  // Who may not write there can still tell whether the process is there.
  const bool unknown = !ok && ok.error().number == EACCES;
  if (!ok && !is_absence(ok.error()) && !(unknown && state)) return failed("ok", ok.error());
  const bool supervised = ok ? true : unknown && lives(system, processes.supervise);
  if (supervised && !view) {
    out.error = service.name + ": a supervise runs in " + service.dir + ", but its state can't be read";
    return out;
  }
  out.view.supervised = supervised;
  out.supervise = processes.supervise;
  out.view.orphaned = !supervised && lives(system, processes.service);
  return out;
}

std::int32_t supervise_of(sys::System& system, const Reading& reading) { return lives(system, reading.supervise) ? reading.supervise.pid : 0; }

Complaint not_supervised(const ServiceRef& service) {
  return {service.name + ": no supervise runs in " + service.dir + "; `supervisectl start " + service.name + "` or `supervise -p " + service.dir +
              " -f COMMAND` starts one",
          kNotRunning};
}

Complaint send(sys::System& system, const ServiceRef& service, std::string_view letters) {
  const auto dir = open_directory(system, service.dir);
  const auto fifo = dir ? open_fifo(system, dir->get(), "control") : sys::Result<sys::UniqueFd>(dir.error());
  if (!fifo) {
    const auto error = fifo.error().number;
    if (error == ENXIO || error == ENOENT) return not_supervised(service);
    const auto text = explained(system, service, "control", fifo.error());
    return {text + (error == EACCES ? "; `control_group` in its configuration would let a group write there" : ""), error == EACCES ? kUnknown : kFailed};
  }
  const auto written = system.write(fifo->get(), letters);
  if (!written && written.error().number == EAGAIN) return {service.name + ": its supervise takes no commands: " + service.dir + "/control is full", kFailed};
  if (!written || *written != letters.size()) return {explained(system, service, "control", written.error()), kFailed};
  return {};
}

// A log may be a link of the administrator's. What is to be emptied is one, or a file of ours.
sys::Result<sys::UniqueFd> open_elsewhere(sys::System& system, const string& path, OpenMode mode) {
  auto place = sys::find_place(system, path, sys::Links::kAll);
  if (!place) return place.error();
  if (!place->entry) return sys::Errno{ENOENT};
  const auto& entry = *place->entry;
  const bool ours = entry.uid == system.own_uid() && entry.links == 1;
  if (entry.type != sys::FileType::kRegular || (mode != OpenMode::kRead && !place->fixed && !ours)) return sys::Errno{EINVAL};
  return sys::open_place(system, *place, mode);
}

sys::Result<sys::UniqueFd> open_log(sys::System& system, const ServiceRef& service, const string& path, OpenMode mode) {
  const auto slash = path.rfind('/');
  auto dir = open_directory(system, service.dir);
  if (!dir) return dir.error();
  auto named = open_directory(system, path.substr(0, slash + 1));
  if (!named) return named;
  const auto own = system.stat(dir->get()), there = system.stat(named->get());
  if (!own || !there) return own ? there.error() : own.error();
  if (!sys::is_same_file(*own, *there)) return open_elsewhere(system, path, mode);
  const auto* name = path.c_str() + slash + 1;
  if (mode != OpenMode::kRead) return sys::open_to_rewrite(system, dir->get(), name);
  auto fd = sys::owned(system, system.open(dir->get(), name, mode, 0));
  const auto info = fd ? system.stat(fd->get()) : sys::Result<sys::FileInfo>(fd.error());
  if (!info) return info.error();
  const bool plain = info->type == sys::FileType::kRegular && info->links == 1;
  return plain ? std::move(fd) : sys::Errno{EINVAL};
}

}  // namespace ctl
