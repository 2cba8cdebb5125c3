#include "supervise/alarm.h"

#include <cerrno>
#include <new>

#include "sys/faults.h"
#include "sys/process.h"

namespace supervise {
namespace {

constexpr core::Nanos kLimit = core::seconds(60);
constexpr core::Nanos kRetry = core::seconds(1);
constexpr const char* kSendmail = "/usr/sbin/sendmail";
constexpr const char* kGsmsend = "gsmsend-script";

std::string_view to_text(AlarmFacts::Event event) {
  switch (event) {
    case AlarmFacts::Event::kExit: return "exit";
    case AlarmFacts::Event::kCoreDump: return "coredump";
    case AlarmFacts::Event::kGiveUp: break;
  }
  return "give_up";
}

HelperKind kind_of(std::size_t channel) {
  constexpr std::array kFirst = {HelperKind::kMail, HelperKind::kAlarmCommand};
  return channel < kFirst.size() ? kFirst[channel] : HelperKind::kGsm;
}

// The output of a service as lines that neither end a mail nor reach a terminal raw.
void append_lines(core::Text<4000>& out, std::string_view text) {
  while (!text.empty()) {
    const auto end = text.find('\n');
    out << "  ";
    out.printable(text.substr(0, end)) << '\n';
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
}

}  // namespace

Alarm::Alarm(sys::System& system, Helpers& helpers, std::string service, std::string directory, std::string host,
             const char* const* environment, int null)
    : system_(system),
      helpers_(helpers),
      service_(std::move(service)),
      directory_(std::move(directory)),
      host_(std::move(host)),
      environment_(environment),
      null_(null) {}

Alarm::Targets Alarm::targets_of(const core::Settings& settings) const {
  Targets targets;
  targets.mail = settings.alarm_mail;
  targets.gsm = settings.alarm_gsm;
  targets.command = settings.alarm_command;
  for (const auto& address : targets.mail) targets.recipients += (targets.recipients.empty() ? "" : ", ") + address;
  targets.mail_arguments.assign({"mail", "-s", nullptr});
  for (const auto& address : targets.mail) targets.mail_arguments.push_back(address.c_str());
  targets.mail_arguments.push_back(nullptr);
  if (targets.command.empty()) return targets;
  for (const auto& word : targets.command) targets.command_arguments.push_back(word.c_str());
  targets.command_arguments.push_back(nullptr);
  for (auto variable = environment_; *variable; ++variable)
    if (!std::string_view(*variable).starts_with("SUPERVISE_")) targets.command_environment.push_back(*variable);
  targets.command_environment.resize(targets.command_environment.size() + kVariables + 1, nullptr);
  return targets;
}

void Alarm::use(Targets targets) noexcept {
  targets_ = std::move(targets);
  if (message_) announce();
}

bool Alarm::raise(const AlarmFacts& facts) {
  message_.reset(new (std::nothrow) Composed);
  if (!message_) return false;
  compose_mail(facts);
  compose_variables(facts);
  announce();
  retry_ = facts.now.mono;
  return true;
}

void Alarm::announce() {
  todo_ = (targets_.mail.empty() ? 0U : 1U << kMail) | (targets_.command.empty() ? 0U : 1U << kCommand);
  for (std::size_t i = 0; i < targets_.gsm.size(); ++i) todo_ |= 1U << (kFirstGsm + i);
  if (targets_.command.empty()) return;
  const auto first = targets_.command_environment.size() - kVariables - 1;
  for (std::size_t i = 0; i < kVariables; ++i) targets_.command_environment[first + i] = message_->variables[i].c_str();
}

void Alarm::compose_mail(const AlarmFacts& facts) {
  auto& subject = message_->subject;
  auto& letter = message_->letter;
  subject << sys::local_time(facts.now.wall).view() << " [Alarm: ";
  subject.printable(host_) << "] Service ";
  subject.printable(service_) << (facts.facts.exit && facts.facts.exit->core && facts.facts.reason != core::Reason::kStartFailed
                                       ? " exited with coredump!"
                                       : " exited!");
  if (facts.event == AlarmFacts::Event::kGiveUp) subject << " Giving up";

  letter << "To: ";
  letter.printable(targets_.recipients) << "\nSubject: " << subject.view() << "\nAuto-Submitted: auto-generated\n"
          << "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n";
  message_->body = letter.view().size();
  letter << subject.view() << "\n\n";
  letter.printable(facts.detail) << '\n';
  if (!facts.reason.empty()) letter.printable(facts.reason) << '\n';
  letter << "exits: " << facts.facts.exits << " in all, " << facts.facts.tries << " in this window, " << facts.facts.coredumps
          << " of them with a core dump\nstatus directory: ";
  letter.printable(directory_) << '\n';
  if (facts.last_errors.empty()) return;
  letter << "\nlast lines of __stderr:\n\n";
  append_lines(letter, facts.last_errors);
}

void Alarm::compose_variables(const AlarmFacts& facts) {
  auto& variables = message_->variables;
  variables[0] << "SUPERVISE_SERVICE=" << service_;
  variables[1] << "SUPERVISE_EVENT=" << to_text(facts.event);
  variables[2] << "SUPERVISE_EXIT=";
  if (facts.facts.exit) variables[2] << core::to_text(*facts.facts.exit).view();
  variables[3] << "SUPERVISE_REASON=" << facts.reason;
  variables[4] << "SUPERVISE_HOST=" << host_;
  variables[5] << "SUPERVISE_DIR=" << directory_;
  variables[6] << "SUPERVISE_EXITS=" << facts.facts.exits;
  variables[7] << "SUPERVISE_TRIES=" << facts.facts.tries;
  variables[8] << "SUPERVISE_SUBJECT=" << message_->subject.view();
}

std::optional<Alarm::Problem> Alarm::send(core::Now now) {
  retry_ = core::kNever;
  for (std::size_t channel = 0; todo_ >> channel != 0; ++channel) {
    if ((todo_ >> channel & 1U) == 0) continue;
    const auto failure = send_one(channel, now);
    if (failure && sys::is_shortage(*failure)) {
      retry_ = core::after(now.mono, kRetry);
      return std::nullopt;
    }
    todo_ &= ~(1U << channel);
    if (!failure) continue;
    retry_ = now.mono;
    return Problem{kind_of(channel), *failure};
  }
  message_.reset();
  sys::return_unused_heap();
  return std::nullopt;
}

std::string_view Alarm::program(HelperKind kind) const {
  switch (kind) {
    case HelperKind::kMail: return "sendmail or mail";
    case HelperKind::kGsm: return kGsmsend;
    case HelperKind::kAlarmCommand: return targets_.command.empty() ? std::string_view() : targets_.command.front();
    case HelperKind::kHook:
    case HelperKind::kUpgrade: break;
  }
  return {};
}

std::optional<core::StartFailure> Alarm::send_one(std::size_t channel, core::Now now) {
  if (channel == kMail) return send_mail(now);
  if (channel == kCommand) return run(HelperKind::kAlarmCommand, targets_.command_arguments.data(), targets_.command_environment.data(), message_->letter.view().substr(message_->body), now);
  return send_gsm(targets_.gsm[channel - kFirstGsm], now);
}

std::optional<core::StartFailure> Alarm::send_mail(core::Now now) {
  if (system_.stat_at(sys::kWorkingDirectory, kSendmail)) {
    const std::array arguments = {kSendmail, "-i", "-t", static_cast<const char*>(nullptr)};
    return run(HelperKind::kMail, arguments.data(), environment_, message_->letter.view(), now);
  }
  targets_.mail_arguments[2] = message_->subject.c_str();
  return run(HelperKind::kMail, targets_.mail_arguments.data(), environment_, message_->letter.view().substr(message_->body), now);
}

std::optional<core::StartFailure> Alarm::send_gsm(const std::string& number, core::Now now) {
  core::Text<300> message;
  message << number << '@' << message_->subject.view();
  const std::array arguments = {kGsmsend, message.c_str(), static_cast<const char*>(nullptr)};
  return run(HelperKind::kGsm, arguments.data(), environment_, {}, now);
}

std::optional<core::StartFailure> Alarm::run(HelperKind kind, const char* const* arguments, const char* const* environment, std::string_view input,
                                             core::Now now) {
  const auto pipe = sys::owned(system_, system_.pipe_with(input));
  if (!pipe) return core::StartFailure{core::Stage::kFork, pipe.error().number};
  sys::Spawn spawn{};
  spawn.arguments = arguments;
  spawn.environment = environment;
  spawn.input = pipe->get();
  spawn.output = spawn.errors = null_;
  return helpers_.start(kind, spawn, kLimit, now);
}

}  // namespace supervise
