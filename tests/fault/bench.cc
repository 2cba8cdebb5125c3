#include "fault/bench.h"

#include <array>

#include "core/state.h"
#include "core/status.h"

namespace sim {
namespace {

// No rule of ours needs more: a check of the directory each 200 ms, control, a death and its restart.
constexpr std::size_t kMaxTurnsASecond = 60;

const char* const kEnvironment[] = {"PATH=/bin", nullptr};

struct Entry {
  const char* name;
  sys::FileType type;
  unsigned mode;
};
constexpr std::array kEntries = {
    Entry{"lock", sys::FileType::kRegular, 0600},          Entry{"control", sys::FileType::kFifo, 0600},
    Entry{"ok", sys::FileType::kFifo, 0600},               Entry{"svcontrol", sys::FileType::kLink, 0777},
    Entry{"status", sys::FileType::kRegular, 0644},        Entry{"state", sys::FileType::kRegular, 0644},
    Entry{"supervise", sys::FileType::kDirectory, 0700},   Entry{"supervise/control", sys::FileType::kLink, 0777},
    Entry{"supervise/ok", sys::FileType::kLink, 0777},     Entry{"supervise/status", sys::FileType::kRegular, 0644},
    Entry{"supervise/record", sys::FileType::kRegular, 0600},
    Entry{"supervise.log", sys::FileType::kRegular, 0600}, Entry{"supervise.log.wf", sys::FileType::kRegular, 0600},
};

constexpr std::array kFiles = {Entry{"__stdout", sys::FileType::kRegular, 0600}, Entry{"__stderr", sys::FileType::kRegular, 0600}};

std::optional<core::Status> decode(const std::string& record) {
  return core::decode_status({reinterpret_cast<const unsigned char*>(record.data()), record.size()});
}

std::int32_t runit_pid(const std::string& record) {
  std::uint32_t pid = 0;
  for (std::size_t i = 16; i-- > 12;) pid = pid << 8 | static_cast<unsigned char>(record.at(i));
  return static_cast<std::int32_t>(pid);
}

bool is_whole_state(std::string_view text) {
  // Written in place, a shorter text is followed by empty lines.
  while (text.ends_with("\n\n")) text.remove_suffix(1);
  return text.starts_with("name=redis\nstate=") && text.ends_with("\nboot_id=boot\n") &&
         text.find('\0') == std::string_view::npos && text.find("boot_id=") == text.rfind("boot_id=");
}

bool is_whole_record(std::string_view text) {
  const auto rest = text.find("memory=");
  while (text.ends_with("\n\n")) text.remove_suffix(1);
  return rest != std::string_view::npos && is_whole_state(text.substr(0, rest)) && text.ends_with('\n') && text.find("\nuser=") != std::string_view::npos &&
         text.find("user=") == text.rfind("user=");
}

}  // namespace

Bench::Bench(std::string conf, std::string hook) {
  system.put("/dev/null", sys::FileType::kOther, {}, 0666);
  for (const auto* program : {"/usr/sbin/sendmail", "/usr/sbin/supervise", "/bin/notify", "/bin/gsmsend-script", "/hook"})
    system.put(program, sys::FileType::kRegular, {}, 0755);
  write_conf(conf);
  writes_files_ = conf.find("stdout_logfile_maxbytes : 0") != std::string::npos;
  identity_.name = "redis";
  identity_.program = "/usr/sbin/supervise";
  identity_.directory = kDirectory;
  identity_.host = "host";
  identity_.conf = kConf;
  identity_.conf_required = true;
  identity_.command = {"redis", "-p", "6379"};
  identity_.hook = std::move(hook);
  identity_.inherited.environment = kEnvironment;
  identity_.inherited.notify_name = "supervise-test";
  identity_.boot_id = "boot";
  identity_.namespaces = "pid:[1]";
  system.after = [this](Op op) { watch_published(op); };
}

void Bench::write_conf(const std::string& lines) {
  system.put(kConf, sys::FileType::kRegular, "[redis]\n" + lines);
  system.find(kConf)->modified = system.now().wall;
}

bool Bench::start() {
  // As main() does.
  const auto record = content("supervise/record");
  const auto told = core::recorded_notify_name(record);
  identity_.inherited.notify_name = told.empty() ? "supervise-test" : std::string(told);
  supervise::Lines problems;
  auto service = supervise::load_service(system, identity_, problems);
  started_ = {};
  ended_ = false;
  if (!service) {
    started_.status = supervise::kUsage;
    started_.error = problems.empty() ? "" : problems.front().text;
    return false;
  }
  daemon_.emplace(system, identity_, std::move(*service));
  started_ = daemon_->start(problems);
  // Whoever goes on as another program tries again, as main() does.
  if (!started_.error.empty() && identity_.handover) started_ = daemon_->start(problems);
  if (started_.error.empty()) return true;
  daemon_.reset();
  return false;
}

void Bench::kill_supervise() {
  daemon_.reset();
  system.kill_supervise();
}

bool Bench::start_as_successor() {
  identity_.handover = supervise::parse_handover(system.replaced_by.value().at(1));
  system.replaced_by.reset();
  identity_.record = supervise::take_record(system, *identity_.handover);
  // Here the old program has closed what it handed over, and what was gone by then.
  identity_.handover->control = identity_.handover->ok = -1;
  system.violations().clear();
  const bool started = start();
  identity_.handover.reset();
  return started;
}

void Bench::pass(core::Nanos time) {
  system.set_horizon(system.mono() + time);
  (void)system.wait({}, core::kNever);
}

void Bench::turn() {
  if (system.mono() - second_ >= core::seconds(1)) {
    second_ = system.mono();
    turns_ = 0;
  }
  if (++turns_ == kMaxTurnsASecond) system.violations().push_back("a spin: too many turns in a second");
  const auto depth = std::exchange(Exempt::depth, 0);
  try {
    ended_ = !daemon_->turn();
  } catch (...) {
    Exempt::depth = 1;
    system.violations().push_back("an exception left the loop");
    ended_ = true;
  }
  Exempt::depth = depth;
  if (ended_) daemon_.reset();
}

void Bench::run_until(core::Nanos since_begin) {
  system.set_horizon(core::Instant(since_begin));
  while (daemon_ && system.mono() < core::Instant(since_begin) && turns_ < 20 * kMaxTurnsASecond) turn();
}

void Bench::service_dies_at(core::Nanos when, core::Outcome outcome) {
  system.at(when, [this, outcome] {
    if (auto* child = service()) system.die(*child, outcome);
  });
}

std::string Bench::content(const std::string& entry) const {
  const auto node = system.find(path(entry));
  return node ? node->data : std::string();
}

std::string Bench::state(std::string_view key) const {
  return std::string(core::state_value(content("state"), key).value_or("(none)"));
}

std::string Bench::record(std::string_view key) const {
  return std::string(core::state_value(content("supervise/record"), key).value_or("(none)"));
}

void Bench::forge(std::string_view key, const std::string& value) {
  auto& text = system.find(path("supervise/record"))->data;
  const auto at = text.find("\n" + std::string(key) + "=") + key.size() + 2;
  text.replace(at, text.find('\n', at) - at, value);
}

Child* Bench::service() {
  for (auto& [pid, child] : system.children())
    if (child.is_service && child.alive) return &child;
  return nullptr;
}

std::vector<Child*> Bench::services() {
  std::vector<Child*> out;
  for (auto& [pid, child] : system.children())
    if (child.is_service) out.push_back(&child);
  return out;
}

std::vector<Child*> Bench::helpers(std::string_view program) {
  std::vector<Child*> out;
  for (auto& [pid, child] : system.children())
    if (!child.is_service && child.program == program) out.push_back(&child);
  return out;
}

// Whoever reads status or state at any moment sees one whole record.
void Bench::watch_published(Op op) {
  if (op != Op::kCreate && op != Op::kWriteAt && op != Op::kTruncate && op != Op::kRename && op != Op::kExchange) return;
  const auto directory = system.find(kDirectory);
  if (!directory) return;
  const auto look = [&](const NodePtr& where, std::string_view name, auto is_whole) {
    const auto entry = where->entries.find(name);
    if (entry != where->entries.end() && !is_whole(entry->second->data))
      system.violations().push_back(std::string(name) + " is torn after " + name_of(op));
  };
  look(directory, "status", [](const std::string& record) { return decode(record).has_value(); });
  look(directory, "state", is_whole_state);
  if (const auto tools = directory->entries.find("supervise"); tools != directory->entries.end()) {
    look(tools->second, "status", [](const std::string& record) { return record.size() == core::kStatusSize; });
    look(tools->second, "record", is_whole_record);
  }
}

std::string Bench::violations() {
  std::string text;
  for (const auto& what : system.violations()) text += what + "; ";
  return text;
}

std::string Bench::unsettled() {
  std::string text;
  for (const auto& [pid, child] : system.children())
    if (!child.alive && !child.reaped && (system.init_reaps || child.parent == system.pid)) text += "child " + std::to_string(pid) + " is dead and not reaped; ";
  const auto* living = service();
  const auto pid = living ? living->pid : 0;
  const auto status = decode(content("status"));
  if (!status || status->pid != pid) text += "status has not the pid of the service; ";
  if (state("pid") != std::to_string(pid)) text += "state has not the pid of the service; ";
  const auto runit = content("supervise/status");
  if (runit.size() != core::kStatusSize || runit_pid(runit) != pid) text += "supervise/status has not the pid; ";
  const auto look = [&](const Entry& entry) {
    const auto node = system.find(path(entry.name));
    const bool right = node && node->type == entry.type && node->mode == entry.mode;
    if (!right) text += std::string(entry.name) + (node ? " is of the wrong type or mode; " : " is missing; ");
  };
  for (const auto& entry : kEntries) look(entry);
  if (!writes_files_) look({"supervise/logger", sys::FileType::kRegular, 0600});
  if (writes_files_)
    for (const auto& entry : kFiles) look(entry);
  if (ended_) return text;
  for (const auto* name : {"lock", "control", "ok", "__stdout", "__stderr", "supervise/logger", "supervise.log", "supervise.log.wf", "status", "state", "supervise/record"})
    if (const auto node = system.find(path(name)); node && !system.is_open(node)) text += std::string(name) + " is not the one that supervise has open; ";
  if (const auto lock = system.find(path("lock")); lock && lock->locker.expired()) text += "the lock is not held; ";
  return text;
}

}  // namespace sim
