// What the daemon tells: status and state, the log, alarms.
#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "supervise/daemon.h"

namespace supervise {
namespace {

using sys::Level;

constexpr core::Nanos kRetry = core::seconds(1);
constexpr core::Nanos kLastWords = std::chrono::milliseconds(200), kLook = std::chrono::milliseconds(10);

core::FileName file_name(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? core::FileName() : core::FileName{path.substr(0, slash + 1), path.substr(slash + 1)};
}

char level_byte(Level level) { return static_cast<char>('0' + static_cast<int>(level)); }

}  // namespace

// Writes status and state if they would say anything new.
void Daemon::publish() {
  learn_start();
  const auto facts = machine_.facts();
  if (facts == published_ && texts_told_) return;
  texts_told_ = true;
  const auto stops_for = facts.state == core::State::kStopping ? facts.reason : core::Reason::kNone;
  if (std::exchange(stops_for_, stops_for) != stops_for && stops_for != core::Reason::kNone) {
    core::Text<96> text;
    text << "the service is stopping: " << core::to_text(facts.reason);
    note(stops_for == core::Reason::kStopsItself ? Level::kNotice : Level::kWarning, text.view());
  }
  const auto failure = write_status(facts, sys::StatusDir::Means::kAnyWay);
  publish_failed_ = static_cast<bool>(failure);
  if (failure) retry_ = std::min(retry_, core::after(now_.mono, kRetry));
  report(publishing_, failure);
  published_ = facts;
}

// Supervise or the service may have been one that could not be looked at in the moment of its start.
void Daemon::learn_start() {
  if (self_.start == 0) {
    const auto self = system_.process(self_.pid);
    self_.start = self.start;
    session_ = self.session;
    if (self_.start != 0) published_.reset();
  }
  if (!is_child_ || machine_.pid() == 0 || process_.start != 0) return;
  process_ = {machine_.pid(), sys::start_time(system_, machine_.pid())};
  if (process_.start != 0) published_.reset();
}

sys::Failure Daemon::write_status(const core::Facts& facts, sys::StatusDir::Means means) {
  const core::Status status{facts.stamp, facts.pid, facts.paused, facts.want, facts.alarms_on, facts.state == core::State::kStopping};
  const auto failed = directory_.publish(status, record(facts), means);
  own_change_ = own_change_ || !failed;
  return failed;
}

core::EncodedRecord Daemon::record(const core::Facts& facts) const {
  const auto reason = reason_text(facts);
  const auto process = facts.pid == process_.pid ? process_ : core::ProcessId{facts.pid, 0};
  // Where nothing tells the service from a stranger, its session helps the next supervise.
  const auto left = left_.pid == 0 && process.pid != 0 && process.start == 0 ? core::LeftRunning{0, session_, 0} : left_;
  return core::encode_record({identity_.name, facts, self_, process, identity_.boot_id, reason.view(), status_text_.view(), why_output_waits(),
                             output_.file(Output::Which::kOutput), output_.file(Output::Which::kErrors), file_name(service_.heartbeat_path()),
                             file_name(identity_.conf), conf_time_, conf_reads_, conf_faulty_, now_,
                             machine_.snapshot(), notify_name(), left, origin_, directory_.path(), identity_.namespaces, ended_properly_});
}

std::string_view Daemon::why_output_waits() const {
  const auto found = std::find_if(waits_.begin(), waits_.end(), [](const auto& text) { return !text.view().empty(); });
  return found == waits_.end() ? std::string_view() : found->view();
}

// What the service that runs was told, or the next one will be.
std::string_view Daemon::notify_name() const {
  if (!service_.wants_socket()) return {};
  return lost_name_.empty() ? identity_.inherited.notify_name : lost_name_;
}

core::Text<256> Daemon::reason_text(const core::Facts& facts) const {
  const bool deferred = facts.reason == core::Reason::kStartDeferred, waits = deferred && left_.pid != 0;
  if (facts.reason == core::Reason::kStartFailed || (deferred && !waits)) return service_.explain(system_, facts.failure);
  core::Text<256> text;
  if (waits)
    text << "waiting for the end of pid " << left_.pid << ", which may be the service";
  else
    text << core::to_text(facts.reason);
  if (facts.pid == 0) return text;
  const auto add = [&text](std::string_view more) { text << (text.view().empty() ? "" : "; ") << more; };
  if (unsent_.signal != 0) add(to_text(unsent_).view());
  if (pending_) add("the program is not executed yet: it cannot be read, or the process was stopped before");
  return text;
}

core::Text<96> Daemon::to_text(const Unsent& unsent) {
  core::Text<96> text;
  const auto name = core::signal_name(unsent.signal);
  (name.empty() ? text << "signal " << unsent.signal : text << name) << " could not be sent to the service: ";
  return text << (unsent.error == EAGAIN ? "nothing tells it from a stranger now" : sys::error_text(unsent.error));
}

// An alarm quotes the last words of the service, which the logger may be about to write.
void Daemon::prepare_alarm() {
  const auto facts = machine_.facts();
  if (give_up_) {
    const auto reason = reason_text(facts);
    core::Text<300> text;
    text << "giving up on the service: " << reason.view();
    if (facts.reason == core::Reason::kExitedTooQuickly || facts.reason == core::Reason::kStartFailed) text << "; startretries reached";
    note(Level::kFatal, text.view());
  }
  const bool wanted = facts.alarms_on && service_.settings().policy.alarm_interval != core::Nanos::zero();
  if (wanted && pending_alarm_) {
    pending_alarm_->due = now_.mono;
    raise_alarm();
  }
  if (wanted) pending_alarm_ = {facts, give_up_, core::after(now_.mono, kLastWords)};
  alarm_wanted_ = give_up_ = false;
}

void Daemon::raise_alarm() {
  if (now_.mono < pending_alarm_->due && !output_.errors_are_written()) return wake_up_in(kLook);
  const auto [facts, giving_up, due] = *pending_alarm_;
  pending_alarm_.reset();
  const auto reason = reason_text(facts);
  std::array<char, 2048> errors;
  const bool dumped = facts.exit && facts.exit->core && facts.reason != core::Reason::kStartFailed;
  const bool composed = alarm_->raise({giving_up ? AlarmFacts::Event::kGiveUp
                 : dumped  ? AlarmFacts::Event::kCoreDump
                           : AlarmFacts::Event::kExit,
                 facts, last_end_.view(), reason.view(), output_.tail_of_errors(errors), now_});
  if (!composed) return note(Level::kWarning, "no memory to compose an alarm");
  core::Text<256> text;
  text << "alarm: " << last_end_.view();
  note(Level::kWarning, text.view());
}

void Daemon::send_alarms() {
  while (alarm_->deadline() <= now_.mono) {
    const auto problem = alarm_->send(now_);
    if (!problem) return;
    core::Text<256> text;
    text << "alarm program ";
    text.printable(alarm_->program(problem->kind)) << " cannot be run: " << sys::why_not_run(problem->failure.cause);
    note(Level::kWarning, text.view());
  }
}

// Kept out of turn(): its buffer would be on the stack of every wait.
[[gnu::noinline]] void Daemon::read_reports() {
  constexpr std::size_t kMany = 1024;
  std::array<char, kMany + kMaxReport> bytes;
  auto size = output_.read_reports(std::span(bytes).first(kMany));
  // The rest of a report that was cut is there.
  while (size >= kMany && size < bytes.size() && bytes[size - 1] != '\n') {
    const auto more = output_.read_reports(std::span(bytes).subspan(size, 1));
    if (more == 0) break;
    size += more;
  }
  if (size == 0) forget_waits();
  std::string_view rest(bytes.data(), size);
  while (!rest.empty()) {
    const auto line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (!line.empty()) heard(line);
  }
}

void Daemon::heard(std::string_view report) {
  const auto kind = report.front();
  report.remove_prefix(1);
  if (const auto which = std::find(kWaits.begin(), kWaits.end(), kind); which != kWaits.end())
    return output_waits(static_cast<std::size_t>(which - kWaits.begin()), report);
  if (report.empty() || kind < '0' || kind > '2' || !logger_notes_.allow(now_.mono)) return;
  note(static_cast<Level>(kind - '0'), report);
}

// Something that was only put aside is no reason to wait.
void Daemon::opened(const sys::Failure& failure) {
  report(opening_, failure);
  output_waits(kUnopened, failure.error.number == 0 ? std::string_view() : sys::to_text(failure).view());
}

void Daemon::output_waits(std::size_t which, std::string_view why) {
  constexpr std::array kBegins = {"stdout waits: ", "stderr waits: ", ""};
  core::Text<160> text;
  if (!why.empty()) (text << kBegins[which]).printable(why);
  if (text.view() == waits_[which].view()) return;
  waits_[which] = text;
  texts_told_ = false;
}

// The logger is no more; the next one finds out by itself.
void Daemon::forget_waits() {
  for (std::size_t i = 0; i < kUnopened; ++i) output_waits(i, {});
}

void Daemon::note(Level level, std::string_view text) {
  if (notes_.view().size() + kMaxNote + 2 > kNotes) flush_notes();
  notes_ << level_byte(level);
  notes_.printable(text, kMaxNote) << '\n';
}

void Daemon::flush_notes() {
  auto rest = notes_.view();
  while (!rest.empty()) {
    const auto end = rest.find('\n');
    directory_.log().write(static_cast<Level>(rest.front() - '0'), now_.wall, rest.substr(1, end - 1));
    rest.remove_prefix(end + 1);
  }
  notes_.clear();
}

void Daemon::report(Trouble& trouble, const sys::Failure& failure) {
  const bool begins = static_cast<bool>(failure) && !trouble.active;
  const bool ends = !failure && trouble.active;
  trouble.active = static_cast<bool>(failure);
  if (begins) note(Level::kWarning, sys::to_text(failure).view());
  if (ends) note(Level::kNotice, "it works again");
}

}  // namespace supervise
