#include "ctl/act.h"

#include <algorithm>

#include "core/conf.h"
#include "core/strings.h"
#include "ctl/judge.h"
#include "ctl/output.h"
#include "sys/client.h"
#include "sys/entry.h"
#include "sys/process.h"

namespace ctl {
namespace {

using std::string;
using Kind = Verdict::Kind;

constexpr std::size_t kMaxLog = 64 << 10, kMaxFile = 1 << 20;
constexpr core::Nanos kProgress = core::seconds(1), kLook = std::chrono::milliseconds(50);

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

// Whether what is in there was put there by root or us.
bool is_trusted(sys::System& system, const string& path) {
  const auto info = system.stat_at(sys::kWorkingDirectory, path.c_str());
  return info && (info->uid == 0 || info->uid == system.own_uid()) && (info->mode & 0002U) == 0;
}

// One service on its way to what was asked for.
struct Task {
  ServiceRef service;
  View before;
  bool is_new = false;              // supervise was started for it, and knows nothing of earlier runs
  bool open = true;                 // not decided yet
  string state;                     // that it is in, for people
  std::int32_t supervise = 0;
  sys::UniqueFd end;                // becomes readable when its supervise ends
  std::uint64_t log_inode = 0;      // of supervise.log before, and how much was in it
  std::int64_t log_size = 0;
};

// What stands before a comma.
string first_part(const string& text) { return text.substr(0, text.find(',')); }

// What in supervise.log tells how a letter was taken.
struct LogWords {
  std::string_view done, failed;
};
constexpr LogWords kUpgradeWords = {"supervise goes on as ", "no upgrade: "};
constexpr LogWords kReloadWords = {"configuration read again", "the configuration is faulty"};

class Action {
 public:
  Action(sys::System& system, const Request& request) : system_(system), request_(request), changes_(system) {}

  int run() {
    const bool starts = id() == Id::kStart || id() == Id::kRestart;
    auto selection = select(system_, root_of(request_), request_.names, starts ? configured_services(system_, request_) : std::vector<string>());
    for (const auto& complaint : selection.complaints) fail(complaint);
    const bool rolling = request_.rolling != 0;
    if (rolling && status_ != kDone) return status_;
    const auto step = rolling ? request_.rolling : selection.services.size();
    for (std::size_t at = 0; at < selection.services.size(); at += step) {
      const auto end = std::min(at + step, selection.services.size());
      run({selection.services.begin() + static_cast<std::ptrdiff_t>(at), selection.services.begin() + static_cast<std::ptrdiff_t>(end)});
      if (!rolling || status_ == kDone) continue;
      for (auto i = end; i < selection.services.size(); ++i) tell(selection.services[i], "not touched, as another one failed");
      break;
    }
    return status_;
  }

 private:
  [[nodiscard]] Id id() const { return request_.command->id; }

  void run(std::vector<ServiceRef> services) {
    tasks_.clear();
    deadline_ = request_.timeout == core::Nanos::zero() ? core::kNever : core::after(system_.now().mono, request_.timeout);
    for (auto& service : services) {
      Task task;
      task.service = std::move(service);
      tasks_.push_back(std::move(task));
    }
    for (auto& task : tasks_) begin(task);
    begun_ = system_.now().mono;
    if (request_.waits) return wait();
    for (auto& task : tasks_)
      if (task.open) decide(task, {Kind::kDone, "told to " + string(request_.command->name), kDone});
  }

  void fail(const Complaint& complaint) {
    progress_.clear();
    ctl::complain(complaint.text);
    status_ = std::max(status_, complaint.status);
  }

  void fail(Task& task, const Complaint& complaint) {
    task.open = false;
    fail(complaint);
  }

  void tell(const ServiceRef& service, const string& text) {
    progress_.clear();
    say(service.name + ": " + text + "\n");
  }

  void decide(Task& task, const Verdict& verdict) {
    if (verdict.kind == Kind::kNotYet) {
      task.state = verdict.text;
      return;
    }
    task.open = false;
    if (verdict.kind == Kind::kDone) return tell(task.service, verdict.text);
    const bool ran = verdict.text.find(" (code ") != string::npos || verdict.text.find(" (signal ") != string::npos;
    fail({task.service.name + ": " + verdict.text + (ran ? "; `supervisectl tail " + task.service.name + " stderr` shows what it wrote" : ""), verdict.status});
  }

  void begin(Task& task) {
    const auto reading = read(system_, task.service);
    if (!reading.error.empty()) return fail(task, {reading.error, kUnknown});
    task.before = reading.view;
    task.supervise = request_.waits ? supervise_of(system_, reading) : 0;
    follow(task);
    if (const auto verdict = judge_at_first(request_, task.before); verdict.kind != Kind::kNotYet || id() == Id::kWait) return decide(task, verdict);
    if (id() == Id::kReload && reading.trusted && check_configuration(system_, request_, task.service, reading) != 0)
      return fail(task, {task.service.name + ": the configuration is faulty; the settings in force stay", kFailed});
    if (!task.before.supervised) {
      if (id() != Id::kStart && id() != Id::kRestart) return fail(task, not_supervised(task.service));
      if (!launch(task)) return;
      // One that begins anew starts its service by itself.
      if (task.is_new && read(system_, task.service).view.want == core::Want::kUp) return;
    }
    if (id() == Id::kUpgrade || id() == Id::kReload) remember_log(task);
    if (const auto complaint = send(system_, task.service, letters_of(request_)); !complaint.text.empty()) fail(task, complaint);
  }

  // What changes from here on is not missed.
  void follow(Task& task) {
    changes_.watch(task.service.dir);
    changes_.watch(task.service.dir + "/supervise");
    if (task.supervise == 0) return;
    if (const auto end = system_.watch_process(task.supervise)) task.end = {system_, *end};
  }

  // What to run where no supervise runs: the arguments, and the directory to run them in. No arguments: it was said why.
  struct Start {
    std::vector<string> words;
    string directory;
  };
  Start find_start(Task& task) {
    const auto& dir = task.service.dir;
    auto words = supervise_words(system_, request_);
    auto checked = words;
    checked.insert(checked.end(), {"--check", "-p", dir});
    const auto check = sys::output_of(checked);
    constexpr int kFaulty = 100;    // supervise(8)
    if (check.status == kFaulty) {
      (void)sys::run(checked, "", sys::Output::kErrorsOnly);
      fail(task, {task.service.name + ": not started: the configuration is faulty", kFailed});
      return {};
    }
    if (check.status != 0) {
      fail(task, {task.service.name + ": not started: " + words[0] + " cannot be run, or is another program (exit status " + std::to_string(check.status) + ")", kFailed});
      return {};
    }
    if (has_command(check.text)) {
      words.insert(words.end(), {"-p", dir});
      return {words, ""};
    }
    const auto conf = conf_of(system_, request_);
    const auto run = dir + "/run";
    if (!is_executable(system_, run)) {
      const auto looked = conf.empty() ? "neither ./supervise.conf nor /etc/supervise.conf is there (-F names another)" : conf + " has no command for it";
      fail(task, {task.service.name + ": no supervise runs there, and nothing says what it would run: " + looked + ", and there is no " + run,
                  task.service.exists ? kNotRunning : kUnknown});
      return {};
    }
    // It would be run with our rights.
    if (!is_trusted(system_, run) || !is_trusted(system_, dir)) {
      fail(task, {task.service.name + ": not started: " + run + " belongs to somebody else, or may be written by everybody", kFailed});
      return {};
    }
    words.resize(1);
    if (!conf.empty()) words.insert(words.end(), {"-F", conf});    // it has passed the check, and is another's working directory there
    words.insert(words.end(), {"-u", dir, "./run"});
    return {words, dir};
  }

  // Starts a supervise for a service that has none. `before` is then what that found.
  bool launch(Task& task) {
    const auto start = find_start(task);
    if (start.words.empty()) return false;
    const int status = sys::run(start.words, start.directory);
    const auto reading = read(system_, task.service);
    // Somebody else may have been quicker.
    if (status != 0 && !reading.view.supervised) {
      fail(task, {task.service.name + ": supervise did not start (exit status " + std::to_string(status) + ")", kFailed});
      return false;
    }
    const bool remembers = task.before.source == View::Source::kOurs && !task.before.ended;
    task.is_new = status == 0 && !remembers;
    if (!task.is_new) task.before = reading.view;
    task.service.exists = true;
    task.supervise = request_.waits ? supervise_of(system_, reading) : 0;
    follow(task);
    return true;
  }

  static bool has_command(std::string_view settings) {
    while (!settings.empty()) {
      const auto line = core::take_line(settings);
      if (line.starts_with("command : ")) return true;
    }
    return false;
  }

  [[nodiscard]] sys::Result<sys::UniqueFd> open_own_log(const Task& task) const {
    return open_log(system_, task.service, task.service.dir + "/supervise.log", sys::OpenMode::kRead);
  }

  void remember_log(Task& task) {
    const auto fd = open_own_log(task);
    const auto info = fd ? system_.stat(fd->get()) : sys::Result<sys::FileInfo>(fd.error());
    if (!info) return;
    task.log_inode = info->inode;
    task.log_size = info->size;
  }

  // What a letter did that changes nothing in `state` stands in the log alone.
  Verdict judge_by_log(const Task& task, const LogWords& words) {
    const auto fd = open_own_log(task);
    const auto info = fd ? system_.stat(fd->get()) : sys::Result<sys::FileInfo>(fd.error());
    string added(kMaxLog, '\0');
    const auto n = info ? system_.read_at(fd->get(), added, info->inode == task.log_inode ? task.log_size : 0) : sys::Result<std::size_t>(info.error());
    added.resize(n ? *n : 0);
    const auto line_at = [&](std::size_t at) { return core::printable(std::string_view(added).substr(at, added.find('\n', at) - at)); };
    if (const auto at = added.find(words.failed); at != string::npos) return {Kind::kFailed, line_at(at), kFailed};
    if (const auto at = added.find(words.done); at != string::npos)
      return {Kind::kDone, id() == Id::kUpgrade ? "goes on as " + first_part(line_at(at + words.done.size())) : string(words.done), kDone};
    // Not every reload is told, and not everybody may read it.
    constexpr core::Nanos kPatience = core::seconds(2);
    if (id() == Id::kReload && system_.now().mono >= core::after(begun_, kPatience))
      return {Kind::kDone, "told to read its configuration again; supervise.log says what became of it", kDone};
    return {Kind::kNotYet, "its supervise has not said so in supervise.log", kFailed};
  }

  void look(Task& task) {
    const auto reading = read(system_, task.service);
    if (!reading.error.empty()) return fail(task, {reading.error, kUnknown});
    const bool by_log = reading.view.supervised && (id() == Id::kUpgrade || id() == Id::kReload);
    decide(task, by_log ? judge_by_log(task, id() == Id::kUpgrade ? kUpgradeWords : kReloadWords) : judge(request_, task.before, reading.view, task.is_new));
  }

  void wait() {
    while (true) {
      std::vector<int> ends;
      std::size_t open = 0;
      for (auto& task : tasks_) {
        if (task.open) look(task);
        if (!task.open) {
          task.end.reset();
          continue;
        }
        ++open;
        if (task.end) ends.push_back(task.end.get());
      }
      if (open == 0) return progress_.clear();
      const auto now = system_.now().mono;
      if (now >= deadline_) return time_out();
      show_progress();
      // No change in a directory tells of a line in the log, or of the end of a supervise that can't be watched.
      const bool blind = id() == Id::kUpgrade || id() == Id::kReload || ends.size() < open;
      changes_.wait(ends, std::min(deadline_ - now, blind ? kLook : kProgress));
      for (auto& task : tasks_)
        if (task.end && system_.process(task.supervise).start == 0) task.end.reset();
    }
  }

  void show_progress() {
    string text;
    std::size_t open = 0;
    for (const auto& task : tasks_)
      if (task.open && ++open <= 3) text += (text.empty() ? "" : ", ") + task.service.name + " (" + task.state + ")";
    if (open > 3) text += " and " + std::to_string(open - 3) + " more";
    progress_.show(string(request_.command->name) + (request_.first.empty() ? "" : " " + request_.first) + ": waiting for " + text);
  }

  void time_out() {
    const auto what = string(request_.command->name) + (request_.first.empty() ? "" : " " + request_.first);
    for (auto& task : tasks_)
      if (task.open) fail(task, {task.service.name + ": " + what + " is not done after " + brief(request_.timeout) + "; the service is " + task.state, kFailed});
  }

  sys::System& system_;
  const Request& request_;
  sys::Changes changes_;
  std::vector<Task> tasks_;
  core::Instant deadline_ = core::kNever, begun_{};
  Progress progress_;
  int status_ = kDone;
};

}  // namespace

std::vector<string> configured_services(sys::System& system, const Request& request) {
  std::vector<string> names;
  const auto path = conf_of(system, request);
  const auto text = path.empty() ? sys::Result<string>(sys::Errno{}) : sys::read_file(system, path.c_str(), kMaxFile);
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

int act(sys::System& system, const Request& request) { return Action(system, request).run(); }

}  // namespace ctl
