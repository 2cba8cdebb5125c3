#include "ctl/services.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include "core/state.h"
#include "sys/client.h"
#include "sys/entry.h"
#include "sys/error_text.h"
#include "sys/process.h"

namespace ctl {
namespace {

using std::string;
using sys::OpenMode;

bool is_pattern(std::string_view word) { return word.find_first_of("*?[") != std::string_view::npos; }

string error_text(sys::Errno error) { return string(sys::error_text(error.number)); }

// A file that a service may have put there: no link is followed, and no more is read than it can have.
sys::Result<string> read_entry(sys::System& system, const string& path, std::size_t limit) {
  const auto fd = sys::owned(system, system.open(sys::kWorkingDirectory, path.c_str(), OpenMode::kRead, 0));
  if (!fd) return fd.error();
  const auto info = system.stat(fd->get());
  if (!info) return info.error();
  if (info->type != sys::FileType::kRegular) return sys::Errno{EINVAL};
  string text(limit, '\0');
  const auto n = system.read(fd->get(), text);
  if (!n) return n.error();
  text.resize(*n);
  return text;
}

// A FIFO for writing, without waiting: ENXIO where nobody reads it.
sys::Result<sys::UniqueFd> open_fifo(sys::System& system, const string& path) {
  auto fd = sys::owned(system, system.open(sys::kWorkingDirectory, path.c_str(), OpenMode::kWrite, 0));
  if (!fd) return fd;
  const auto info = system.stat(fd->get());
  if (!info) return info.error();
  if (info->type != sys::FileType::kFifo) return sys::Errno{EINVAL};
  return fd;
}

bool is_there(sys::System& system, const string& path) { return static_cast<bool>(system.stat_at(sys::kWorkingDirectory, path.c_str())); }

// Ours have the FIFOs in the directory itself, and links to them where daemontools and runit have theirs.
string fifo_of(sys::System& system, const ServiceRef& service, const char* name) {
  const auto own = service.dir + "/" + name;
  return is_there(system, own) ? own : service.dir + "/supervise/" + name;
}

bool is_status_directory(sys::System& system, const string& dir) { return is_there(system, dir + "/state") || is_there(system, dir + "/supervise"); }

string owner_of(sys::System& system, const string& path) {
  const auto info = system.stat_following(path.c_str());
  return info ? sys::user_name(info->uid) : "somebody else";
}

string denied(sys::System& system, const ServiceRef& service, const string& path) {
  return service.name + ": no permission: " + path + " belongs to " + owner_of(system, service.dir);
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

}  // namespace

bool matches(std::string_view pattern, std::string_view text) {
  while (!pattern.empty()) {
    const char p = pattern.front();
    pattern.remove_prefix(1);
    if (p == '*') {
      for (std::size_t skip = 0; skip <= text.size(); ++skip)
        if (matches(pattern, text.substr(skip))) return true;
      return false;
    }
    if (text.empty()) return false;
    const char c = text.front();
    text.remove_prefix(1);
    if (p == '[' ? !matches_set(pattern, c) : p != '?' && p != c) return false;
  }
  return text.empty();
}

string root_of(const Request& request) {
  const auto* variable = sys::environment_variable("SUPERVISE_ROOT");
  return sys::absolute_path(!request.root.empty() ? request.root : variable && *variable ? variable : "status");
}

Selection select(sys::System& system, const string& root, const std::vector<string>& names, Missing missing) {
  Selection out;
  std::vector<string> known;
  const auto listed = sys::list_directory(root);
  if (listed)
    for (const auto& name : *listed)
      if (name[0] != '.' && is_status_directory(system, root + "/" + name)) known.push_back(name);
  const auto add = [&](ServiceRef service) {
    const auto same = [&](const ServiceRef& other) { return other.dir == service.dir; };
    if (std::none_of(out.services.begin(), out.services.end(), same)) out.services.push_back(std::move(service));
  };
  const auto need_root = [&] {
    if (listed) return true;
    out.complaints.push_back({root + ": " + error_text(listed.error()) + "; -d ROOT or SUPERVISE_ROOT names the directory of the status directories", kUnknown});
    return false;
  };
  const std::vector<string> all = {"all"};
  for (const auto& word : names.empty() ? all : names) {
    if (word == "all" || (is_pattern(word) && word.find('/') == string::npos)) {
      if (!need_root()) return out;
      const auto before = out.services.size();
      for (const auto& name : known)
        if (word == "all" || matches(word, name)) add({name, root + "/" + name});
      if (word != "all" && out.services.size() == before) out.complaints.push_back({word + ": no service of " + root + " matches", kUnknown});
      continue;
    }
    const bool path = word.find('/') != string::npos && is_there(system, word);
    const auto dir = path ? sys::absolute_path(word) : root + "/" + word;
    if (is_there(system, dir)) {
      if (is_status_directory(system, dir) || missing == Missing::kMayBeNew || !system.stat_at(sys::kWorkingDirectory, (dir + "/.").c_str()))
        add({word, dir});
      else
        out.complaints.push_back({word + ": " + dir + " is no status directory: nothing was ever supervised there", kUnknown});
      continue;
    }
    if (missing == Missing::kMayBeNew) {
      add({word, dir, false});
      continue;
    }
    if (word.find('/') == string::npos && !need_root()) return out;
    const auto near = nearest(word, known);
    out.complaints.push_back({word + ": no such service in " + root + (near.empty() ? "" : "; did you mean " + near + "?"), kUnknown});
  }
  return out;
}

Reading read(sys::System& system, const ServiceRef& service) {
  Reading out;
  auto text = read_entry(system, service.dir + "/state", core::kStateMax);
  std::optional<View> view;
  if (text) view = view_of_state(*text);
  if (!text && text.error().number == EACCES) {
    out.error = denied(system, service, service.dir);
    return out;
  }
  if (!view) {
    const auto record = read_entry(system, service.dir + "/supervise/status", 64);
    if (!record && record.error().number == EACCES) {
      out.error = denied(system, service, service.dir + "/supervise");
      return out;
    }
    if (record) view = view_of_record({reinterpret_cast<const unsigned char*>(record->data()), record->size()});
  }
  if (view) out.view = *view;
  const auto ok = fifo_of(system, service, "ok");
  const auto fifo = open_fifo(system, ok);
  if (!fifo && fifo.error().number == EACCES) {
    out.error = denied(system, service, ok);
    return out;
  }
  out.view.supervised = static_cast<bool>(fifo) && view;
  if (!out.view.supervised && view && text) {
    const auto processes = core::recorded_processes(*text);
    out.view.orphaned = processes.service.pid != 0 && processes.service.start != 0 && sys::start_time(system, processes.service.pid) == processes.service.start;
  }
  return out;
}

Complaint not_supervised(const ServiceRef& service) {
  return {service.name + ": no supervise runs in " + service.dir + "; `supervisectl start " + service.name + "` or `supervise -p " + service.dir +
              " -f COMMAND` starts one",
          kNotRunning};
}

Complaint send(sys::System& system, const ServiceRef& service, std::string_view letters) {
  const auto path = fifo_of(system, service, "control");
  const auto fifo = open_fifo(system, path);
  if (!fifo) {
    const auto error = fifo.error().number;
    if (error == ENXIO || error == ENOENT) return not_supervised(service);
    if (error == EACCES) return {denied(system, service, path) + "; `control_group` in its configuration would let a group write there", kUnknown};
    return {service.name + ": " + path + ": " + error_text(fifo.error()), kFailed};
  }
  const auto written = system.write(fifo->get(), letters);
  if (!written && written.error().number == EAGAIN) return {service.name + ": its supervise takes no commands: " + path + " is full", kFailed};
  if (!written || *written != letters.size()) return {service.name + ": " + path + ": " + error_text(written.error()), kFailed};
  return {};
}

}  // namespace ctl
