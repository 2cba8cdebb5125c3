#include "supervise/logger.h"

#include <algorithm>

#include "sys/error_text.h"

namespace supervise {
namespace {

using Progress = LogWriter::Progress;

constexpr core::Nanos kRetry = core::seconds(1);
// After something was moved: more comes together meanwhile, which is then moved at once. The more comes, the shorter it is,
// as a writer that finds the FIFO full has to wait.
constexpr core::Nanos kLongest = std::chrono::microseconds(400), kShortest = std::chrono::microseconds(10);

}  // namespace

Logger::Logger(sys::System& system, const LoggerPlan& plan)
    : system_(system), processor_(system, plan.processor, plan.environment, plan.null), reports_(plan.reports), now_(system.now()), pause_(kLongest) {
  logs_.reserve(plan.sources.size());
  for (const auto& source : plan.sources) {
    logs_.push_back({LogWriter(system, within_limit(source.spec), source.fifo, source.held), source.fifo});
    logs_.back().which = source.which;
  }
}

// A file may become twice as long as its limit for the sake of a line.
LogSpec Logger::within_limit(LogSpec spec) {
  const auto most = std::max<std::uint64_t>(system_.raise_file_limit() / 2, 1);
  if (spec.maxbytes <= most) return spec;
  spec.maxbytes = most;
  core::Text<400> text;
  text.printable(spec.name) << " is rotated at " << most << " bytes, because of the limit for files (RLIMIT_FSIZE, ulimit -f)";
  report(sys::Level::kWarning, text.view());
  return spec;
}

bool Logger::turn() {
  now_ = system_.now();
  const auto signals = system_.take_signals();
  if (signals.hangup)
    for (auto& log : logs_) log.writer.ask_rotation();
  if (signals.child) reap();
  leaves_ = leaves_ || signals.watched;
  if (leaves_ && std::none_of(logs_.begin(), logs_.end(), [](const Log& log) { return log.writer.is_half_done(); })) return false;
  auto most = Progress::kNone;
  bool all_ended = true;
  for (auto& log : logs_) {
    if (log.ended || now_.mono < log.retry) {
      all_ended = all_ended && log.ended;
      continue;
    }
    const auto progress = advance(log);
    if (progress == Progress::kMuch || (progress == Progress::kSome && most == Progress::kNone)) most = progress;
    all_ended = all_ended && log.ended;
  }
  if (process_wanted_) process();
  if (all_ended && !processor_.is_busy()) return false;
  // Signals come only while it waits.
  if (most != Progress::kNone) {
    pause_ = most == Progress::kMuch ? std::max(pause_ / 2, kShortest) : std::min(pause_ * 2, kLongest);
    (void)system_.wait({}, core::after(now_.mono, pause_));
    return true;
  }
  std::array<sys::Poll, 2> polls = {sys::Poll{-1}, sys::Poll{-1}};
  auto deadline = core::kNever;
  for (std::size_t i = 0; i < std::min(polls.size(), logs_.size()); ++i) {
    const auto& log = logs_[i];
    if (log.ended) continue;
    if (now_.mono < log.retry)
      deadline = std::min(deadline, log.retry);
    else
      polls[i].fd = log.fifo;
  }
  if (!system_.wait(polls, deadline)) (void)system_.wait({}, core::after(now_.mono, kRetry));
  return true;
}

[[gnu::noinline]] Progress Logger::advance(Log& log) {
  const auto progress = log.writer.advance(now_);
  log.ended = progress == Progress::kEnded;
  if (log.writer.rotations() != log.processed) {
    log.processed = log.writer.rotations();
    process_wanted_ = true;
  }
  const bool fails = progress == Progress::kFailed;
  if (fails) log.retry = core::after(now_.mono, kRetry);
  if (fails && !log.troubled) {
    core::Text<400> text;
    text << sys::to_text(log.writer.failure()).view() << "; the output waits";
    report(sys::Level::kWarning, text.view());
  }
  if (!fails && log.troubled) {
    core::Text<400> text;
    text.printable(log.writer.spec().name) << " is written again";
    report(sys::Level::kNotice, text.view());
  }
  log.troubled = fails;
  tell_waits(log, fails ? log.writer.failure() : sys::Failure());
  if (log.writer.has_put_aside()) {
    core::Text<400> text;
    text << "put aside, as it is a link or not ours: what was in the place of ";
    text.printable(log.writer.spec().directory) << '/';
    text.printable(log.writer.spec().name);
    report(sys::Level::kWarning, text.view());
  }
  return progress;
}

[[gnu::noinline]] void Logger::process() {
  process_wanted_ = false;
  for (auto& log : logs_)
    if (const auto problem = processor_.begin(log.writer); !problem.view().empty()) report(sys::Level::kWarning, problem.view());
}

[[gnu::noinline]] void Logger::reap() {
  while (true) {
    const auto dead = system_.reap();
    if (!dead || !*dead) return;
    const auto problem = processor_.ended((*dead)->pid, (*dead)->outcome);
    if (!problem.view().empty()) report(sys::Level::kWarning, problem.view());
    // What fails is tried again with the next rotation.
    process_wanted_ = process_wanted_ || problem.view().empty();
  }
}

// Without the path, which would push the error out of the space there is: another key of the state has it.
void Logger::tell_waits(Log& log, const sys::Failure& failure) {
  constexpr std::size_t kName = 64;
  if (failure.error.number == log.told) return;
  core::Text<160> text;
  if (failure) {
    text << failure.doing << ' ';
    text.printable(log.writer.spec().name, kName) << ": " << sys::error_text(failure.error.number);
  }
  // One that finds no room is sent with the next attempt.
  if (send(kWaits[log.which], text.view())) log.told = failure.error.number;
}

void Logger::report(sys::Level level, std::string_view text) { (void)send(static_cast<char>('0' + static_cast<int>(level)), text); }

bool Logger::send(char kind, std::string_view text) {
  core::Text<kMaxReport> line;
  line << kind;
  line.printable(text, kMaxReport - 2) << '\n';
  return static_cast<bool>(system_.write_unless_blocked(reports_, line.view()));
}

}  // namespace supervise
