#include "ctl/act.h"

#include <algorithm>

#include "core/strings.h"
#include "ctl/judge.h"
#include "ctl/launch.h"
#include "ctl/output.h"
#include "sys/client.h"

namespace ctl {
namespace {

using std::string;
using Kind = Verdict::Kind;

constexpr std::size_t kMaxLog = 64 << 10;
constexpr core::Nanos kProgress = core::seconds(1), kLook = std::chrono::milliseconds(50);

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
    follow(task, reading);
    if (const auto verdict = judge_at_first(request_, task.before); verdict.kind != Kind::kNotYet || id() == Id::kWait) {
      // A letter that wants the opposite may be there that it has not read yet.
      if (verdict.kind == Kind::kDone && task.before.supervised && (id() == Id::kStart || id() == Id::kStop))
        if (const auto complaint = send(system_, task.service, letters_of(request_)); !complaint.text.empty()) return fail(task, complaint);
      return decide(task, verdict);
    }
    if (id() == Id::kReload && reading.trusted && check_configuration(system_, request_, task.service, reading) != 0)
      return fail(task, {task.service.name + ": the configuration is faulty; the settings in force stay", kFailed});
    warn_of_conf(task);
    if (!task.before.supervised) {
      if (id() != Id::kStart && id() != Id::kRestart) return fail(task, not_supervised(task.service));
      const auto found = launch(task);
      // One that begins anew starts its service by itself.
      if (!found || (task.is_new && found->view.want == core::Want::kUp)) return;
    }
    if (id() == Id::kUpgrade || id() == Id::kReload) remember_log(task);
    if (const auto complaint = send(system_, task.service, letters_of(request_)); !complaint.text.empty()) fail(task, complaint);
  }

  // Who has mended the file expects the next run to obey it.
  void warn_of_conf(const Task& task) {
    const auto flaw = conf_flaw(task.before);
    if (flaw.empty() || !task.before.supervised || (id() != Id::kStart && id() != Id::kRestart && id() != Id::kOnce)) return;
    const auto& name = task.service.name;
    const auto what = string(flaw) + "; the settings in force stay until `supervisectl reload " + name + "`";
    fail({name + ": " + what, kDone});
  }

  // What changes from here on is not missed.
  void follow(Task& task, const Reading& reading) {
    task.supervise = request_.waits ? supervise_of(system_, reading) : 0;
    changes_.watch(task.service.dir);
    changes_.watch(task.service.dir + "/supervise");
    if (task.supervise == 0) return;
    if (const auto end = system_.watch_process(task.supervise)) task.end = {system_, *end};
  }

  // Starts a supervise for a service that has none, and returns what is seen then; nothing if that failed.
  std::optional<Reading> launch(Task& task) {
    const auto start = find_start(system_, request_, task.service);
    if (start.words.empty()) return fail(task, start.complaint), std::nullopt;
    const int status = sys::run(start.words, start.directory);
    const auto reading = read(system_, task.service);
    // Somebody else may have been quicker.
    if (status != 0 && !reading.view.supervised) {
      fail(task, {task.service.name + ": supervise did not start (exit status " + std::to_string(status) + ")", kFailed});
      return std::nullopt;
    }
    const bool remembers = task.before.source == View::Source::kOurs && !task.before.ended;
    task.is_new = status == 0 && !remembers;
    if (!task.is_new) task.before = reading.view;
    follow(task, reading);
    return reading;
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

  // What was added since; empty where not everybody may read it.
  [[nodiscard]] string added_to_log(const Task& task) const {
    const auto fd = open_own_log(task);
    const auto info = fd ? system_.stat(fd->get()) : sys::Result<sys::FileInfo>(fd.error());
    string added(kMaxLog, '\0');
    const auto n = info ? system_.read_at(fd->get(), added, info->inode == task.log_inode ? task.log_size : 0) : sys::Result<std::size_t>(info.error());
    added.resize(n ? *n : 0);
    return added;
  }

  // The rest of the line in which `words` stand, with them; empty where there is none.
  static string line_with(const string& added, std::string_view words) {
    const auto at = added.find(words);
    return at == string::npos ? string() : core::printable(std::string_view(added).substr(at, added.find('\n', at) - at));
  }

  // What becomes of it changes nothing in `state`, and stands in the log alone.
  [[nodiscard]] Verdict judge_upgrade(const Task& task) const {
    const auto added = added_to_log(task);
    constexpr std::string_view kDoneWords = "supervise goes on as ";
    if (const auto line = line_with(added, "no upgrade: "); !line.empty()) return {Kind::kFailed, line, kFailed};
    if (const auto line = line_with(added, kDoneWords); !line.empty()) return {Kind::kDone, "goes on as " + first_part(line.substr(kDoneWords.size())), kDone};
    return {Kind::kNotYet, "its supervise has not said so in supervise.log", kFailed};
  }

  void look(Task& task) {
    const auto reading = read(system_, task.service);
    if (!reading.error.empty()) return fail(task, {reading.error, kUnknown});
    auto verdict = reading.view.supervised && id() == Id::kUpgrade ? judge_upgrade(task) : judge(request_, task.before, reading.view, task.is_new);
    // The log says what has changed.
    if (verdict.kind == Kind::kDone && id() == Id::kReload)
      if (auto line = line_with(added_to_log(task), verdict.text); !line.empty()) verdict.text = std::move(line);
    decide(task, verdict);
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
      const bool blind = id() == Id::kUpgrade || ends.size() < open;
      changes_.wait(ends, std::min(deadline_ - now, blind ? kLook : kProgress));
      for (auto& task : tasks_)
        if (task.end && system_.process(task.supervise).start == 0) task.end.reset();
    }
  }

  // `wait ready`.
  [[nodiscard]] string what() const { return string(request_.command->name) + (request_.first.empty() ? "" : " " + request_.first); }

  void show_progress() {
    string text;
    std::size_t open = 0;
    for (const auto& task : tasks_)
      if (task.open && ++open <= 3) text += (text.empty() ? "" : ", ") + task.service.name + " (" + task.state + ")";
    if (open > 3) text += " and " + std::to_string(open - 3) + " more";
    progress_.show(what() + ": waiting for " + text);
  }

  void time_out() {
    for (auto& task : tasks_)
      if (task.open) fail(task, {task.service.name + ": " + what() + " is not done after " + brief(request_.timeout) + "; the service is " + task.state, kFailed});
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

int act(sys::System& system, const Request& request) { return Action(system, request).run(); }

}  // namespace ctl
