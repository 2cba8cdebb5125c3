#include "supervise/output.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

#include "sys/entry.h"
#include "sys/trusted.h"
#include "sys/process.h"
#include "sys/signal.h"

namespace supervise {
namespace {

using sys::Failure;

constexpr unsigned kPrivate = 0600;
constexpr const char* kLock = "logger";
constexpr core::Nanos kStartPacing = std::chrono::milliseconds(100);
constexpr core::Nanos kRetry = core::seconds(1);
constexpr core::Nanos kPatience = core::seconds(1), kRelock = std::chrono::milliseconds(2500);

Failure failure(const char* doing, const char* object, sys::Errno error) { return {doing, object, error}; }

// What is no file, such as a terminal, cannot be rotated, nor is a link that is the administrator's. What another has put there is
// put aside.
bool can_be_rotated(sys::System& system, const std::string& path) {
  const auto place = sys::find_place(system, path, sys::Links::kTrusted);
  if (!place || !place->entry) return !place || !place->by_link;
  return !place->fixed || (place->entry->type == sys::FileType::kRegular && !place->by_link);
}

// The copy of supervise that becomes the logger.
struct Run {
  sys::System& system;
  const LoggerPlan& plan;
};

// Nothing of it may come back as an exception into what is supervise in the other process.
[[gnu::noinline]] void run(void* context) noexcept {
  const auto& [system, plan] = *static_cast<Run*>(context);
  while (!system.lock_record(plan.lock)) (void)system.wait({}, core::after(system.now().mono, kRetry));
  // It may have been a long wait, and another supervise may have a logger of its own by now.
  if (system.process(system.own_pid()).parent != plan.parent) return;
  Logger logger(system, plan);
  do sys::return_unused_stack();
  while (logger.turn());
}

}  // namespace

Output::Output(sys::System& system, Helpers& helpers, const char* const* environment)
    : system_(system), helpers_(helpers), environment_(environment) {}

Output::Target Output::target_of(const core::OutputSettings& settings, const Service& service, const Names& names, const std::string& path) {
  Target target;
  const auto& logfile = settings.logfile;
  if (logfile == "none") return target;
  target.kind = Kind::kInherit;
  target.inherited = names.inherited;
  if (logfile == "inherit") return target;
  if (const int number = core::descriptor_of(logfile); number >= 0) {
    target.inherited = number;
    return target;
  }
  auto& spec = target.spec;
  const auto slash = logfile.rfind('/');
  spec.in_status_directory = !logfile.starts_with('/');
  spec.directory = spec.in_status_directory ? path : slash == 0 ? "/" : logfile.substr(0, slash);
  spec.name = logfile.empty() ? names.file : logfile.substr(slash + 1);
  const bool is_log = settings.maxbytes != 0 && (spec.in_status_directory || can_be_rotated(system_, logfile));
  target.kind = is_log ? Kind::kLog : Kind::kFile;
  if (!is_log) return target;
  spec.maxbytes = settings.maxbytes;
  spec.backups = settings.backups;
  spec.period = settings.rotate;
  spec.stamps = service.settings().log_timestamps;
  spec.suffix = suffix_of(service.settings().log_processor);
  return target;
}

Failure Output::open(const Service& service, int dir, int inner, const std::string& path, int null) {
  dir_ = dir;
  inner_ = inner;
  path_ = path;
  null_ = null;
  const auto& settings = service.settings();
  std::array targets = {target_of(settings.output, service, kNames[0], path), target_of(settings.errors, service, kNames[1], path)};
  const auto& [output, errors] = targets;
  const bool shared = output.kind == errors.kind && output.spec.directory == errors.spec.directory && output.spec.name == errors.spec.name;
  redirection_wanted_ = settings.redirect_stderr || (shared && (output.kind == Kind::kLog || output.kind == Kind::kFile));
  if (redirection_wanted_) targets[1] = {};
  wanted_ = std::move(targets);
  usual_ = {target_of({}, service, kNames[0], path), target_of({}, service, kNames[1], path)};
  bool changed = processor_ != settings.log_processor;
  processor_ = settings.log_processor;
  // A FIFO stays what it is, and so does what the service that runs now writes to it.
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    auto& target = streams_[i].target;
    if (target.kind != Kind::kLog || wanted_[i].kind != Kind::kLog || target == wanted_[i]) continue;
    target = wanted_[i];
    changed = true;
    (void)open_held(i);
  }
  if (changed) end_logger(kPatience);
  // Before the first start nothing is open, and there may be a service that runs.
  const bool first = std::none_of(streams_.begin(), streams_.end(), [](const Stream& s) { return static_cast<bool>(s.writer); });
  return first ? renew(system_.now()) : failure_;
}

Failure Output::renew(core::Now now) {
  Failure failed;
  redirected_ = redirection_wanted_;
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    auto& stream = streams_[i];
    const bool logs = stream.target.kind == Kind::kLog;
    if (stream.target == wanted_[i] && has_name(i)) continue;
    // Where no logger has the FIFO, as the one before has a second to end, nobody else would empty it: it is used on.
    if (logs && stream.writer && !stream.has_logger) {
      if (!failed) failed = failure_;
      continue;
    }
    // What is in the old FIFO is written first.
    if (logs && stream.writer && pid_ != 0) {
      told_ = true;
      kill_due_ = std::min(kill_due_, core::after(now.mono, kPatience));
    }
    auto old = std::move(stream.writer);
    stream.named = false;
    const bool same = stream.target.kind == wanted_[i].kind;
    if (!same) stream.reader = {};
    stream.target = wanted_[i];
    if (const auto problem = open(i); problem && !failed) failed = problem;
    if (!stream.writer && same) stream.writer = std::move(old);
  }
  failure_ = failed;
  return failed;
}

bool Output::has_name(std::size_t which) const {
  const auto& stream = streams_[which];
  switch (stream.target.kind) {
    case Kind::kLog: return stream.named;
    case Kind::kFile: return stream.named && sys::is_entry(system_, sys::kWorkingDirectory, path_of(stream.target).c_str(), stream.writer.get());
    case Kind::kNone:
    case Kind::kInherit: break;
  }
  return true;
}

void Output::adopt(std::int32_t pid) {
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    auto& stream = streams_[i];
    auto path = sys::platform::path_of_descriptor(pid, kNames[i].inherited);
    const auto theirs = system_.stat_following(path.c_str());
    // It was started with other settings, which count for it until its end.
    if (const auto named = system_.stat_at(inner_, kNames[i].fifo);
        stream.target.kind != Kind::kLog && theirs && named && sys::is_same_file(*theirs, *named)) {
      stream.target = usual_[i];
      stream.writer = {};
      stream.named = false;
      (void)open_log(i);
    }
    if (stream.target.kind != Kind::kLog || !stream.reader) continue;
    const auto ours = system_.stat(stream.reader.get());
    const bool fifo = theirs && theirs->type == sys::FileType::kFifo && theirs->uid == system_.own_uid() && theirs->links == 0;
    if (!fifo || !ours || theirs->device != ours->device) continue;
    // The service may have put something else there since.
    const auto open = [&](sys::OpenMode mode) {
      auto fd = sys::owned(system_, system_.open(sys::kWorkingDirectory, path.c_str(), mode, 0));
      const auto opened = fd ? system_.stat(fd->get()) : sys::Result<sys::FileInfo>(fd.error());
      return opened && sys::is_same_file(*opened, *theirs) ? std::move(*fd) : sys::UniqueFd();
    };
    auto reader = open(sys::OpenMode::kReadFollowing), writer = open(sys::OpenMode::kReadWriteFollowing);
    if (!reader || !writer) continue;
    // The next start goes back to the one that has the name.
    stream.reader = std::move(reader);
    stream.writer = std::move(writer);
    stream.named = stream.made = stream.has_logger = false;
  }
}

Failure Output::open(std::size_t which) {
  switch (streams_[which].target.kind) {
    case Kind::kLog: return open_log(which);
    case Kind::kFile: return open_file(which);
    case Kind::kNone:
    case Kind::kInherit: break;
  }
  return {};
}

// Also without stamps: somebody may have been killed who had a batch of them.
Failure Output::open_held(std::size_t which) {
  auto& stream = streams_[which];
  const auto& names = kNames[which];
  const bool stamps = stream.target.spec.stamps != core::LogStamps::kNone;
  auto held = stamps ? sys::open_file(system_, inner_, names.held, kPrivate, sys::Writing::kAnywhere) : sys::open_to_rewrite(system_, inner_, names.held);
  stream.held = held ? std::move(*held) : sys::UniqueFd();
  return held || !stamps ? Failure() : failure("cannot open", names.held, held.error());
}

Failure Output::open_log(std::size_t which) {
  auto& stream = streams_[which];
  const auto& names = kNames[which];
  auto failed = open_held(which);
  all_written_ = stream.has_logger = false;
  stream.made = !system_.stat_at(inner_, names.fifo);
  auto writer = sys::open_fifo(system_, inner_, names.fifo, sys::OpenMode::kReadWrite, kPrivate, sys::kKeepGroup);
  auto reader = sys::open_fifo(system_, inner_, names.fifo, sys::OpenMode::kRead, kPrivate, sys::kKeepGroup);
  stream.named = writer && reader;
  if (stream.named) {
    stream.writer = std::move(*writer);
    stream.reader = std::move(*reader);
    system_.enlarge(stream.reader.get(), kFifoSize);
    return failed;
  }
  failed = failure("cannot open", names.fifo, (writer ? reader.error() : writer.error()));
  const auto pipe = system_.pipe();
  if (!pipe) return failed;
  stream.reader = {system_, pipe->reader};
  stream.writer = {system_, pipe->writer};
  return failed;
}

Failure Output::open_file(std::size_t which) {
  auto& stream = streams_[which];
  const auto& spec = stream.target.spec;
  stream.path = path_of(stream.target);
  const auto cannot = [&](sys::Errno error) { return failure("cannot open", stream.path.c_str(), error); };
  if (spec.in_status_directory) {
    auto fd = sys::open_file(system_, dir_, spec.name.c_str(), kPrivate);
    if (!fd) return cannot(fd.error());
    stream.writer = std::move(*fd);
  } else {
    auto opened = sys::open_log(system_, stream.path, kPrivate);
    if (!opened) return cannot(opened.error());
    stream.writer = std::move(opened->fd);
    stream.named = true;
    if (opened->put_aside) return failure("put aside, as it is a link or not ours: what was in the place of", stream.path.c_str(), {});
  }
  stream.named = true;
  return {};
}

sys::StatusDir::Check Output::check(int dir, int inner) {
  dir_ = dir;
  inner_ = inner;
  sys::StatusDir::Check result;
  if (finish_due_ != core::kNever) return result;
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    auto& stream = streams_[i];
    const bool is_log = stream.target.kind == Kind::kLog;
    if (!is_log && (stream.target.kind != Kind::kFile || !stream.target.spec.in_status_directory)) continue;
    const auto* name = is_log ? kNames[i].fifo : stream.target.spec.name.c_str();
    if (stream.named && sys::is_entry(system_, is_log ? inner : dir, name, stream.writer.get())) continue;
    stream.named = false;
    if (is_log) continue;
    result.mended = kNames[i].file;
    if (const auto failed = open(i)) result.failure = failed;
  }
  if (!wants_logger() || (lock_ && sys::is_entry(system_, inner, kLock, lock_.get()))) return result;
  auto old = std::move(lock_);
  if (const auto failed = open_lock()) {
    result.failure = failed;
    lock_ = std::move(old);
    return result;
  }
  // None was open yet.
  if (!old) return result;
  const auto was = system_.stat(old.get()), is = system_.stat(lock_.get());
  // Where only the look had failed nothing is gone.
  if (was && is && sys::is_same_file(*was, *is)) return result;
  result.mended = "supervise/logger";
  // It may have something to write again that it wrote to a file which is gone, too.
  end_logger(kRelock);
  return result;
}

// Whoever writes logs with a lock on the same file ends: a supervise that was before us has left it. What it has not written is
// still in the FIFO, for the next one, but not if that FIFO has lost its name.
Failure Output::open_lock() {
  auto lock = sys::open_file(system_, inner_, kLock, kPrivate);
  if (!lock) return failure("cannot open", kLock, lock.error());
  lock_ = std::move(*lock);
  if (former_logger() != 0) former_due_ = former_due();
  end_former(system_.now().mono);
  return {};
}

core::Instant Output::former_due() const {
  const bool made = std::any_of(streams_.begin(), streams_.end(), [](const Stream& s) { return s.target.kind == Kind::kLog && s.made; });
  return made ? core::after(system_.now().mono, kPatience) : core::Instant{};
}

// Our own waits for the lock meanwhile.
void Output::end_former(core::Instant now) {
  if (now < former_due_) return;
  former_due_ = core::kNever;
  const auto former = former_logger();
  if (former == 0) return;
  const auto watch = sys::owned(system_, system_.watch_process(former));
  const auto has_lock = [&] { return former_logger() == former; };
  // What has the pid now may not be what had it at the look before.
  if (has_lock()) (void)sys::signal_other(system_, watch ? watch->get() : -1, former, end_signal(), sys::Scope::kProcess, has_lock);
}

std::int32_t Output::former_logger() {
  const auto holder = system_.lock_holder(lock_.get());
  return holder && *holder != pid_ ? *holder : 0;
}

int Output::descriptor(std::size_t which) {
  const auto& stream = streams_[which];
  if (stream.target.kind == Kind::kInherit) return stream.target.inherited;
  if (!stream.writer) return null_;
  // Whoever had it before may have changed them.
  system_.reset_flags(stream.writer.get());
  return stream.writer.get();
}

int Output::output() { return descriptor(0); }
int Output::errors() { return descriptor(redirected_ ? 0 : 1); }

// A logger that has lines in its memory is asked and not killed.
int Output::end_signal() { return system_.can(sys::Ability::kMoveAtOnce) ? SIGKILL : kLeave; }

bool Output::wants_logger() const {
  return std::any_of(streams_.begin(), streams_.end(), [](const Stream& s) { return s.target.kind == Kind::kLog && s.reader; });
}

[[gnu::noinline]] Failure Output::run_logger(core::Now now) {
  end_former(now.mono);
  if (now.mono >= kill_due_) {
    kill_due_ = core::kNever;
    told_ = true;
    if (pid_ != 0) (void)system_.kill(pid_, end_signal());
  }
  if (!wants_logger() || pid_ != 0 || now.mono < next_start_ || all_written_) return {};
  next_start_ = core::after(now.mono, kRetry);
  if (!lock_)
    if (const auto failed = open_lock()) return failed;
  const auto pipe = system_.pipe();
  if (!pipe) return failure("cannot start", "the logger", pipe.error());
  reports_ = {system_, pipe->reader};
  const sys::UniqueFd teller(system_, pipe->writer);
  LoggerPlan plan;
  plan.processor = processor_;
  plan.environment = environment_;
  plan.null = null_;
  plan.parent = system_.own_pid();
  plan.lock = lock_.get();
  plan.reports = teller.get();
  std::vector<int> kept = {null_, lock_.get(), teller.get()};
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    const auto& stream = streams_[i];
    if (stream.target.kind != Kind::kLog || !stream.reader) continue;
    plan.sources.push_back({stream.target.spec, i, stream.reader.get(), stream.held.get()});
    kept.push_back(stream.reader.get());
    if (stream.held) kept.push_back(stream.held.get());
  }
  Run context{system_, plan};
  core::Text<256> title;
  title << "supervise-log " << path_;
  const auto pid = system_.fork(kept, null_, title.c_str(), run, &context);
  if (!pid) return failure("cannot start", "the logger", pid.error());
  pid_ = *pid;
  all_written_ = false;
  for (auto& stream : streams_) stream.has_logger = true;
  helpers_.set_companion(pid_);
  next_start_ = core::after(now.mono, kStartPacing);
  return {};
}

// It tells its news to nobody any more, and may have ended in the moment in which nobody had the FIFOs open for writing.
void Output::replace_logger(std::int32_t former) {
  if (former <= 0) return;
  pid_ = former;
  told_ = true;
  helpers_.set_companion(former);
  kill_due_ = former_due();
  if (kill_due_ != core::Instant{}) (void)open_lock();
}

// It may be in the middle of something, which it finishes if it can.
void Output::end_logger(core::Nanos patience) {
  if (pid_ == 0) return;
  told_ = true;
  for (auto& stream : streams_) stream.has_logger = false;
  (void)system_.kill(pid_, kLeave);
  kill_due_ = std::min(kill_due_, core::after(system_.now().mono, patience));
}

std::optional<Output::End> Output::ended(std::int32_t pid, const core::Outcome& outcome) {
  if (pid != pid_ || pid == 0) return std::nullopt;
  pid_ = 0;
  helpers_.set_companion(0);
  for (auto& stream : streams_) stream.has_logger = false;
  kill_due_ = core::kNever;
  const bool told = std::exchange(told_, false);
  all_written_ = !told && outcome == core::Outcome::code(0);
  return told || all_written_ ? End::kWanted : End::kFailed;
}

void Output::rotate() {
  if (pid_ != 0) (void)system_.kill(pid_, SIGHUP);
}

std::size_t Output::read_reports(std::span<char> into) {
  const auto n = system_.read(reports_.get(), into);
  // The end, as that logger is no more; or what is readable and can't be read, which would be tried again and again.
  if (!n || *n == 0) reports_ = {};
  return n ? *n : 0;
}

bool Output::finish(core::Now now) {
  if (finish_due_ == core::kNever) {
    finish_due_ = core::after(now.mono, kPatience);
    for (auto& stream : streams_) stream.writer = {};
  }
  // A logger that is killed now is followed by another, like any.
  return now.mono >= finish_due_ || (pid_ == 0 && (all_written_ || !wants_logger()));
}

core::Instant Output::deadline() const {
  const bool starts = pid_ == 0 && !all_written_ && wants_logger();
  return std::min({kill_due_, former_due_, finish_due_, starts ? next_start_ : core::kNever});
}

bool Output::errors_are_written() {
  const auto& stream = streams_[redirected_ ? 0 : 1];
  if (stream.target.kind != Kind::kLog || !stream.reader) return true;
  // Not a look into it: that would wait for a logger that is held up in the middle of a write.
  std::array polls = {sys::Poll{stream.reader.get()}};
  return !system_.wait(polls, core::Instant{}) || !polls[0].readable;
}

core::FileName Output::file(Which which) const {
  const auto& target = streams_[which == Which::kErrors && !redirected_ ? 1 : 0].target;
  if (target.kind != Kind::kLog && target.kind != Kind::kFile) return {};
  return {target.spec.directory, target.spec.name};
}

std::string_view Output::tail_of_errors(std::span<char> into) {
  const auto& target = streams_[redirected_ ? 0 : 1].target;
  if (target.kind != Kind::kLog && target.kind != Kind::kFile) return {};
  const auto& spec = target.spec;
  sys::UniqueFd dir;
  if (!spec.in_status_directory) {
    auto opened = sys::open_directory(system_, spec.directory, sys::Links::kAll, sys::Missing::kFail, sys::OpenMode::kSearch);
    if (!opened) return {};
    dir = std::move(opened->fd);
  }
  const auto fd = sys::open_to_read(system_, dir ? dir.get() : dir_, spec.name.c_str());
  if (!fd) return {};
  const auto info = system_.stat(fd->get());
  if (!info) return {};
  const auto room = static_cast<std::int64_t>(into.size());
  const auto n = system_.read_at(fd->get(), into, info->size > room ? info->size - room : 0);
  return n ? std::string_view(into.data(), *n) : std::string_view();
}

}  // namespace supervise
