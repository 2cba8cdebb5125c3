#include "ctl/act.h"

#include <algorithm>
#include <optional>

#include "ctl/judge.h"
#include "ctl/output.h"
#include "sys/client.h"
#include "sys/entry.h"
#include "sys/process.h"

namespace ctl {
namespace {

using std::string;
using Kind = Verdict::Kind;

constexpr std::size_t kMaxLog = 1 << 20;
constexpr core::Nanos kProgress = core::seconds(1), kLook = std::chrono::milliseconds(50);

bool is_there(sys::System& system, const string& path) { return static_cast<bool>(system.stat_following(path.c_str())); }

bool is_executable(sys::System& system, const string& path) {
  const auto info = system.stat_following(path.c_str());
  return info && info->type == sys::FileType::kRegular && (info->mode & 0111U) != 0;
}

// One service on its way to what was asked for.
struct Task {
  ServiceRef service;
  View before;
  bool is_new = false;              // supervise was started for it
  bool open = true;                 // not decided yet
  string waits_for;
  sys::UniqueFd end;                // becomes readable when its supervise ends
  std::uint64_t log_inode = 0;      // of supervise.log before, and how much was in it
  std::int64_t log_size = 0;
};

// The supervise that belongs to this program: beside it, else in PATH. With the configuration file that -F names, or else
// /etc/supervise.conf; one in the working directory it finds by itself, and has its own mind about whom that may belong to.
std::vector<string> supervise_words(sys::System& system, const Request& request) {
  const auto own = sys::own_program();
  const auto beside = own.substr(0, own.rfind('/') + 1) + "supervise";
  std::vector<string> words = {is_executable(system, beside) ? beside : "supervise"};
  constexpr const char* kSystemWide = "/etc/supervise.conf";
  if (!request.conf.empty())
    words.insert(words.end(), {"-F", sys::absolute_path(request.conf)});
  else if (!is_there(system, "supervise.conf") && is_there(system, kSystemWide))
    words.insert(words.end(), {"-F", kSystemWide});
  return words;
}

class Action {
 public:
  Action(sys::System& system, const Request& request) : system_(system), request_(request), changes_(system) {}

  int run() {
    const auto id = request_.command->id;
    auto selection = select(system_, root_of(request_), request_.names, id == Id::kStart ? Missing::kMayBeNew : Missing::kComplain);
    for (const auto& complaint : selection.complaints) complain(complaint);
    const auto step = request_.rolling == 0 ? selection.services.size() : request_.rolling;
    for (std::size_t at = 0; at < selection.services.size(); at += step) {
      const auto end = std::min(at + step, selection.services.size());
      run({selection.services.begin() + static_cast<std::ptrdiff_t>(at), selection.services.begin() + static_cast<std::ptrdiff_t>(end)});
      if (request_.rolling == 0 || status_ == kDone) continue;
      for (auto i = end; i < selection.services.size(); ++i) say(selection.services[i], "not touched, as another one failed");
      break;
    }
    return status_;
  }

 private:
  void run(std::vector<ServiceRef> services) {
    tasks_.clear();
    deadline_ = request_.timeout == core::Nanos::zero() ? core::kNever : core::after(system_.now().mono, request_.timeout);
    for (auto& service : services) {
      Task task;
      task.service = std::move(service);
      tasks_.push_back(std::move(task));
    }
    for (auto& task : tasks_) begin(task);
    if (request_.waits) return wait();
    for (auto& task : tasks_)
      if (task.open) decide(task, {Kind::kDone, "told to " + string(request_.command->name), kDone});
  }

  void complain(const Complaint& complaint) {
    progress_.clear();
    sys_error("supervisectl: " + complaint.text);
    status_ = std::max(status_, complaint.status);
  }

  void say(const ServiceRef& service, const string& text) {
    progress_.clear();
    sys::print(service.name + ": " + text + "\n");
  }

  void decide(Task& task, const Verdict& verdict) {
    if (verdict.kind == Kind::kNotYet) {
      task.waits_for = verdict.text;
      return;
    }
    task.open = false;
    if (verdict.kind == Kind::kDone) return say(task.service, verdict.text);
    complain({task.service.name + ": " + verdict.text, verdict.status});
  }

  void fail(Task& task, const Complaint& complaint) {
    task.open = false;
    complain(complaint);
  }

  void begin(Task& task) {
    const auto id = request_.command->id;
    const auto reading = read(system_, task.service);
    if (!reading.error.empty()) return fail(task, {reading.error, kUnknown});
    task.before = reading.view;
    // From here on no change is missed.
    changes_.watch(task.service.dir);
    changes_.watch(task.service.dir + "/supervise");
    decide(task, judge_at_first(request_, task.before));
    if (!task.open || id == Id::kWait) return;
    if (id == Id::kReload && check_configuration(system_, request_, task.service, task.before) != 0)
      return fail(task, {task.service.name + ": the configuration is faulty; the settings in force stay", kFailed});
    if (!task.before.supervised) {
      if (id != Id::kStart) return fail(task, not_supervised(task.service));
      if (!launch(task)) return;
      // One that goes on where another was killed may want it down.
      if (read(system_, task.service).view.want == core::Want::kUp) return;
    }
    if (id == Id::kUpgrade) remember_log(task);
    if (id == Id::kExit && task.before.supervise_pid != 0)
      if (const auto end = system_.watch_process(task.before.supervise_pid)) task.end = {system_, *end};
    if (const auto complaint = send(system_, task.service, letters_of(request_)); !complaint.text.empty()) return fail(task, complaint);
  }

  // Starts a supervise for a service that has none.
  bool launch(Task& task) {
    const auto& dir = task.service.dir;
    auto words = supervise_words(system_, request_);
    auto checked = words;
    checked.insert(checked.end(), {"--check", "-p", dir});
    const auto check = sys::output_of(checked);
    if (check.status != 0) {
      (void)sys::run(checked, "", sys::Output::kErrorsOnly);
      fail(task, {task.service.name + ": not started: the configuration is faulty", kFailed});
      return false;
    }
    if (has_command(check.text))
      words.insert(words.end(), {"-p", dir});
    else if (is_executable(system_, dir + "/run"))
      words.insert(words.end(), {"-u", dir, "./run"});
    else {
      fail(task, {task.service.name + ": no supervise runs there, and nothing says what it would run: the configuration " +
                      (words.size() > 1 ? words.back() + " " : "") + "has no command for it (-F CONF names another), and there is no " + dir + "/run",
                  task.service.exists ? kNotRunning : kUnknown});
      return false;
    }
    task.is_new = true;
    if (const int status = sys::run(words, words.back() == "./run" ? dir : ""); status != 0) {
      fail(task, {task.service.name + ": supervise did not start (exit status " + std::to_string(status) + ")", kFailed});
      return false;
    }
    task.service.exists = true;
    changes_.watch(dir);
    changes_.watch(dir + "/supervise");
    return true;
  }

  static bool has_command(std::string_view settings) {
    while (!settings.empty()) {
      const auto line = settings.substr(0, settings.find('\n'));
      settings.remove_prefix(std::min(settings.size(), line.size() + 1));
      if (line.starts_with("command : ")) return true;
    }
    return false;
  }

  void remember_log(Task& task) {
    const auto info = system_.stat_following((task.service.dir + "/supervise.log").c_str());
    if (!info) return;
    task.log_inode = info->inode;
    task.log_size = info->size;
  }

  // What E did stands in the log alone: the new program takes over everything else as it was.
  Verdict judge_upgrade(const Task& task) {
    const auto path = task.service.dir + "/supervise.log";
    const auto info = system_.stat_following(path.c_str());
    const auto text = sys::read_file(system_, path.c_str(), kMaxLog);
    if (!info || !text) return {Kind::kFailed, "told to upgrade; what became of it stands in " + path, kFailed};
    const auto skip = info->inode == task.log_inode ? static_cast<std::size_t>(task.log_size) : 0;
    const std::string_view added = std::string_view(*text).substr(std::min(skip, text->size()));
    if (const auto at = added.find("no upgrade: "); at != std::string_view::npos) return {Kind::kFailed, string(added.substr(at, added.find('\n', at) - at)), kFailed};
    constexpr std::string_view kDoneLine = "supervise goes on as ";
    const auto at = added.find(kDoneLine);
    if (at == std::string_view::npos) return {Kind::kNotYet, "the new program", kFailed};
    const auto version = added.substr(at + kDoneLine.size());
    return {Kind::kDone, "goes on as " + string(version.substr(0, version.find_first_of(",\n"))), kDone};
  }

  void look(Task& task) {
    const auto reading = read(system_, task.service);
    if (!reading.error.empty()) return fail(task, {reading.error, kUnknown});
    const auto verdict = request_.command->id == Id::kUpgrade && reading.view.supervised ? judge_upgrade(task)
                                                                                          : judge(request_, task.before, reading.view, task.is_new);
    decide(task, verdict);
  }

  void wait() {
    while (true) {
      std::vector<int> ends;
      std::size_t open = 0;
      for (auto& task : tasks_) {
        if (task.open) look(task);
        if (!task.open) continue;
        ++open;
        if (task.end) ends.push_back(task.end.get());
      }
      if (open == 0) return progress_.clear();
      const auto now = system_.now().mono;
      if (now >= deadline_) return time_out();
      show_progress();
      auto rest = deadline_ - now;
      if (progress_.is_shown()) rest = std::min(rest, kProgress);
      // No change in a directory tells of a line in the log, or of the end of a supervise that can't be watched.
      const auto id = request_.command->id;
      if (id == Id::kUpgrade || (id == Id::kExit && ends.size() < open)) rest = std::min(rest, kLook);
      changes_.wait(ends, rest);
      for (auto& task : tasks_)
        if (task.end && sys::start_time(system_, task.before.supervise_pid) == 0) task.end.reset();
    }
  }

  void show_progress() {
    string text;
    std::size_t open = 0;
    for (const auto& task : tasks_)
      if (task.open && ++open <= 3) text += (text.empty() ? "" : ", ") + task.service.name + " " + task.waits_for;
    if (open > 3) text += " and " + std::to_string(open - 3) + " more";
    progress_.show("waiting for " + text);
  }

  void time_out() {
    for (auto& task : tasks_)
      if (task.open) fail(task, {task.service.name + ": not in " + brief(request_.timeout) + ", still " + task.waits_for, kFailed});
  }

  sys::System& system_;
  const Request& request_;
  sys::Changes changes_;
  std::vector<Task> tasks_;
  core::Instant deadline_ = core::kNever;
  Progress progress_;
  int status_ = kDone;
};

}  // namespace

int check_configuration(sys::System& system, const Request& request, const ServiceRef& service, const View& view) {
  const auto output = request.command->id == Id::kReload ? sys::Output::kErrorsOnly : sys::Output::kAll;
  auto words = supervise_words(system, request);
  if (view.supervised && request.conf.empty()) {
    auto running = sys::command_line(system, view.supervise_pid);
    if (!running.empty()) {
      running[0] = words[0];
      running.insert(running.begin() + 1, "--check");
      return sys::run(running, sys::working_directory(system, view.supervise_pid), output);
    }
  }
  words.insert(words.end(), {"--check", "-p", service.dir});
  return sys::run(words, "", output);
}

int act(sys::System& system, const Request& request) { return Action(system, request).run(); }

}  // namespace ctl
