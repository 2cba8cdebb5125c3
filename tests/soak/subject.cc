// What is done to a service is in chaos.cc; this is its beginning, its examination and its end.
#include "subject.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

namespace soak {

using harness::alive;
using harness::KeyValues;
using harness::text_of;

namespace {

constexpr long kMemoryMargin = 24;              // KiB: pages of the stack and the heap that are touched late
constexpr std::uintmax_t kMostLog = 16 << 20;   // two logs of four files of 1 MiB, which may double where a rotation fails
constexpr double kMostProcessor = 0.05;

const std::map<std::string, std::string> kEntries{
    {"control", "fifo 0600"}, {"ok", "fifo 0600"},    {"lock", "file 0600"},       {"status", "file 0644"},
    {"state", "file 0644"},   {"svcontrol", "link"},  {"supervise", "dir 0700"},   {"supervise.log", "file 0600"},
};

pid_t lock_holder(int fd) {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (fd < 0 || fcntl(fd, F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) return 0;
  return lock.l_pid;
}

// What a process has open, without what differs from one to the next.
Words kinds_of_descriptors(pid_t pid) {
  Words found;
  for (auto [number, target] : harness::descriptors(pid)) {
    if (const auto at = target.find(":["); at != std::string::npos) target.erase(at);
    if (const auto at = target.find(" (deleted)"); at != std::string::npos) target.erase(at);
    if (!target.empty()) found.push_back(target);  // else it was closed meanwhile
  }
  std::ranges::sort(found);
  return found;
}

std::string joined(const Words& words) {
  std::string text;
  for (const auto& word : words) text += word + "; ";
  return text;
}

long anonymous_memory(pid_t pid) {
  return std::lround(KeyValues(text_of("/proc/" + std::to_string(pid) + "/smaps_rollup"), ":").number("Anonymous"));
}

}  // namespace

Subject::Subject(World& world, const Kind& kind, std::string name, std::uint64_t seed)
    : world_(world),
      kind_(kind),
      name_(std::move(name)),
      dir_(world.top() / (kind.is(Kind::kTight) ? "small/" + name_ + "/status" : "status") / name_),
      own_(world.top() / "own" / name_),
      log_(kind.is(Kind::kTight) ? world.top() / "small" / name_ / "log" : world.top() / "log" / name_),
      random_(seed),
      record_fd_(open((world.top() / "record" / name_).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)),
      record_(ftruncate(record_fd_, sizeof(Record)) != 0 ? nullptr
                                                         : static_cast<Record*>(mmap(nullptr, sizeof(Record), PROT_READ | PROT_WRITE, MAP_SHARED, record_fd_, 0))),
      output_(log_, *record_, kind.is(Kind::kStamps) ? Stamps::kBeforeEachLine : Stamps::kNone,
              [this](const auto& expected, const auto& found) { violation("output: " + expected, found); }) {
  fs::create_directory(own_);
  if (!kind.is(Kind::kTight)) return;
  fs::create_directory(log_.parent_path());
  harness::mount_tmpfs(log_.parent_path(), "size=24m");
}

Subject::~Subject() {
  if (kind_.is(Kind::kTight)) umount2(log_.parent_path().c_str(), MNT_DETACH);
  munmap(record_, sizeof(Record));
  close(record_fd_);
}

KeyValues Subject::state() const { return KeyValues(text_of(dir_ / "state")); }
pid_t Subject::holder() const { return lock_holder(record_fd_); }

pid_t Subject::logger() const {
  const int fd = open((dir_ / "supervise/logger").c_str(), O_RDWR | O_CLOEXEC);
  const auto pid = lock_holder(fd);
  if (fd >= 0) close(fd);
  return pid;
}

std::string Subject::report() const {
  auto text = "supervise " + std::to_string(supervise_) + ", service " + std::to_string(holder()) + ", runs " + std::to_string(record_->runs) +
              harness::StatusDir(dir_).report() + "-- done\n" + text_of(world_.top() / "said" / (name_ + ".done"));
  return text;
}

void Subject::violation(const std::string& expected, const std::string& found) const { world_.violation(name_, expected, found, report()); }

// ---- Its supervise

std::string Subject::conf(const std::map<std::string, std::string>& changes) const {
  std::map<std::string, std::string> settings{
      {"command", worker_program() + " " + (world_.top() / "record" / name_).string() + " " + kind_.words},
      {"directory", own_},
      {"stdout_logfile", log_},
      {"stdout_logfile_maxbytes", "16KB"},
      {"stdout_logfile_backups", "60"},
      {"stopwaitsecs", "2"},
  };
  const KeyValues of_kind(kind_.conf, " : ");
  for (const auto& [key, value] : of_kind.all()) settings[key] = value;
  for (const auto& [key, value] : changes) settings[key] = value;
  auto text = "[" + name_ + "]\n";
  for (const auto& [key, value] : settings) text += key + " : " + value + "\n";
  for (std::size_t at; (at = text.find('@')) != std::string::npos;) text.replace(at, 1, own_.string());
  return text;
}

Words Subject::command_line() const {
  Words words{harness::supervise_program(), "-F", world_.top() / "conf" / name_};
  if (kind_.is(Kind::kHook)) words.insert(words.end(), {"-r", world_.top() / "hook"});
  words.insert(words.end(), {"-p", dir_});
  return words;
}

void Subject::start() {
  changes_.clear();
  changed_ = false;
  harness::write_file(world_.top() / "conf" / name_, conf({}));
  launched_ = Clock::now();
  may_end_ = kind_.is(Kind::kGivesUp);
  const auto said = world_.top() / "said" / name_;
  const auto launcher = world_.spawn(command_line(), said);
  std::optional<int> status;
  const bool ended = await([&] { return (status = world_.status_of(launcher, launched_)).has_value(); });
  if (!ended || *status != 0)
    violation("supervise starts", (ended ? "wait status " + std::to_string(*status) : "no end of the launching process") + ": " + text_of(said));
  supervise_ = static_cast<pid_t>(state().number("supervise_pid"));
  world_.count("supervise started");
}

bool Subject::has_ended() {
  const auto status = world_.status_of(supervise_, launched_);
  if (!status) return false;
  if (*status != 0 || !may_end_) violation("supervise lives", "pid " + std::to_string(supervise_) + ", wait status " + std::to_string(*status));
  return true;
}

void Subject::tend() {
  if (has_ended()) start();
}

void Subject::write(std::string_view letters) {
  if (letters.find('x') != std::string_view::npos) may_end_ = true;
  const int fd = open((dir_ / "control").c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return;
  (void)!::write(fd, letters.data(), letters.size());
  close(fd);
}

// ---- Its life

void Subject::live(const std::function<void()>& await_all_begun, std::stop_token end_of_chaos) {
  start();
  examine('u');
  measure("at the beginning");
  await_all_begun();
  while (!end_of_chaos.stop_requested()) {
    rage(end_of_chaos);
    if (end_of_chaos.stop_requested()) break;
    const long kind = below(20);
    examine(kind < 10 ? 'u' : kind < 13 ? 'd' : 0);
  }
  finish();
}

void Subject::pause(long most) { std::this_thread::sleep_for(std::chrono::milliseconds(below(most + 1))); }

void Subject::examine(char wish) {
  const std::lock_guard guard(calm_);
  tend();
  if (changed_) harness::write_file(world_.top() / "conf" / name_, conf({}));
  if (changed_) write("r");
  changed_ = false;
  std::string found = "no letter taken";
  Words all_found;  // one after the other
  const auto is_right = [&] {
    const bool ended = has_ended();
    if (ended) start();
    if (wish != 0 && (ended || state()["want"] != (wish == 'u' ? "up" : "down"))) write(std::string("c") + wish);
    found = fault(wish);
    if (all_found.empty() || all_found.back() != found) all_found.push_back(found);
    check_stranger();
    return found.empty();
  };
  if (wish == 'u') write("cu");
  if (!await(is_right)) violation("all is right " + (wish == 0 ? std::string("with no command") : std::string("after ") + wish), joined(all_found));
  check_logs();
  world_.count("examinations");
}

// What is not as it must be; empty if all is.
std::string Subject::fault(char wish) {
  const auto status = harness::read_status(dir_ / "status");
  if (!status) return "no status of 20 bytes";
  const auto told = state();
  auto service = holder();
  if (service == 0) service = stopped_too_early(status->pid);
  const auto name = told["state"];
  const auto facts = "state " + name + ", want " + told["want"] + ", pid in status " + std::to_string(status->pid) + ", in state " + told["pid"] + ", in fact " +
                     std::to_string(service);
  if (static_cast<pid_t>(told.number("supervise_pid")) != supervise_) return facts + ", supervise " + told["supervise_pid"] + ", in fact " + std::to_string(supervise_);
  const bool is_up = status->pid != 0 && name != "STOPPED" && name != "BACKOFF" && name != "EXITED" && name != "FATAL";
  if (status->pid != service || std::to_string(status->pid) != told["pid"]) return facts;
  if (is_up != (service != 0)) return facts;
  const auto want = told["want"];
  if (wish != 0 && want != (wish == 'u' ? "up" : "down")) return facts;
  if (want == "up" && !is_up) return facts;
  if (want == "down" && name != "STOPPED") return facts;
  if (want == "once" && !is_up && name != "EXITED" && name != "STOPPED") return facts;
  if (auto entries = entry_fault(); !entries.empty()) return entries;
  return child_fault(service);
}

std::string Subject::entry_fault() const {
  for (const auto& [name, mode] : kEntries)
    if (const auto found = harness::mode_of(dir_ / name); found != mode) return name + " is " + found;
  if (!harness::has_reader(dir_ / "ok")) return "ok has no reader";
  if (!harness::is_taken(dir_ / "lock")) return "lock is not held";
  return {};
}

// Its supervise has no other children than the service and the logger. The table of processes may be half a second old.
std::string Subject::child_fault(pid_t service) const {
  const auto table = world_.processes();
  std::string others;
  int loggers = 0;
  for (auto [at, end] = table->children.equal_range(supervise_); at != end; ++at) {
    if (at->second == service) continue;
    const auto command = text_of("/proc/" + std::to_string(at->second) + "/cmdline");
    if (command.starts_with("supervise-log "))
      ++loggers;
    else
      others += " " + std::to_string(at->second) + " " + command.substr(0, 40);
  }
  const auto age = std::chrono::duration<double>(Clock::now() - table->taken).count();
  if (!others.empty()) return "children " + std::to_string(age) + " s ago:" + others;
  // One that has written all may have ended until the next start.
  return loggers == 1 || (loggers == 0 && service == 0) ? "" : std::to_string(loggers) + " loggers";
}

pid_t Subject::stopped_too_early(pid_t named) const {
  std::error_code error;
  const auto facts = harness::process(named);
  const bool is_ours = facts && facts->state == 'T' && fs::read_symlink("/proc/" + std::to_string(named) + "/exe", error) == worker_program();
  return is_ours ? named : 0;
}

// The pid in status is at no time one that was never ours.
void Subject::check_stranger() {
  const auto named = [this] {
    const auto status = harness::read_status(dir_ / "status");
    return status ? status->pid : 0;
  };
  const auto pid = named();
  std::error_code error;
  const auto program = fs::read_symlink("/proc/" + std::to_string(pid) + "/exe", error).string();
  if (pid == 0 || error || program.starts_with(worker_program()) || program.starts_with(harness::supervise_program())) return;
  if (named() == pid) violation("status names a process of the service", std::to_string(pid) + " " + program);
}

void Subject::check_logs() {
  std::uintmax_t size = 0;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(dir_, ignored))
    if (entry.path().filename().string().starts_with("supervise.log")) size += entry.file_size(ignored);
  world_.measure("KiB of supervise.log and supervise.log.wf", static_cast<long>(size >> 10));
  if (size > kMostLog) violation("at most 16 MiB of supervise.log", std::to_string(size));
  if (const auto second = record_->second.exchange(0); second != 0)
    violation("one copy of the service", "pid " + std::to_string(second) + " was started beside " + std::to_string(record_->first));
  if (const auto error = record_->write_error.exchange(0); error != 0) violation("the service can write", "errno " + std::to_string(error));
}

// The service is a child that was started by this supervise.
void Subject::measure(const std::string& when) {
  long memory = 0;
  Words found;
  const auto is_as_before = [&] {
    memory = anonymous_memory(supervise_);
    const auto before = std::exchange(found, kinds_of_descriptors(supervise_));
    return (memory_ == 0 && found == before) || (memory_ != 0 && memory <= memory_ + kMemoryMargin && found == descriptors_) || has_ended();
  };
  (void)await(is_as_before);
  if (has_ended()) return;
  world_.measure("KiB of memory of a supervise " + when, memory);
  world_.measure("descriptors of a supervise " + when, static_cast<long>(found.size()));
  if (memory_ == 0) {
    memory_ = memory;
    descriptors_ = found;
    return;
  }
  if (memory > memory_ + kMemoryMargin) violation("memory as at the beginning: " + std::to_string(memory_) + " KiB", std::to_string(memory));
  if (found != descriptors_) violation("descriptors as at the beginning: " + joined(descriptors_), joined(found));
  const auto age = std::chrono::duration<double>(Clock::now() - launched_).count();
  const auto used = harness::processor_time(supervise_);
  world_.measure("ms of processor time of a supervise", std::lround(used * 1000));
  if (used > 1 + kMostProcessor * age) violation("at most 5 % of a core", std::to_string(used) + " s in " + std::to_string(age) + " s");
}

void Subject::check_output() {
  output_.end();
  check_logs();
}

void Subject::finish() {
  examine('u');
  examine('d');
  examine('u');
  measure("at the end");
  const auto supervise = supervise_;
  const auto began = launched_;
  if (!await([&] {
        may_end_ = true;
        write("dx");
        return world_.status_of(supervise, began).has_value();
      }))
    return violation("supervise ends after dx", "it lives");
  if (const auto status = world_.status_of(supervise, began); *status != 0) violation("supervise ends with 0", "wait status " + std::to_string(*status));
  const auto status = harness::read_status(dir_ / "status");
  if (!status || status->pid != 0) violation("pid 0 in status at the end", status ? std::to_string(status->pid) : "no status");
  if (const auto pid = holder(); pid != 0) violation("no service at the end", std::to_string(pid));
  if (!await([&] { return output_.is_complete(); })) violation("all output in the log", "lines of run " + std::to_string(record_->runs) + " are missing");
}

}  // namespace soak
