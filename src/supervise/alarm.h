// Alarms: a mail through sendmail(8) or mail(1), a text message through gsmsend-script, a program of the user's. Each is a
// helper process, run by argument vector. An alarm whose process can't be made now is tried again every second.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "core/machine.h"
#include "supervise/helpers.h"
#include "supervise/service.h"

namespace supervise {

// What an alarm tells, beyond the machine's facts.
struct AlarmFacts {
  enum class Event { kExit, kCoreDump, kGiveUp };
  Event event;
  core::Facts facts;
  std::string_view detail;          // `pid 4711, code 1, up 3.2 s`
  std::string_view reason;          // in words; may be empty
  std::string_view last_errors;     // the end of __stderr
  core::Now now;
};

class Alarm {
 public:
  // `environment` is what alarm programs inherit; `null` a descriptor of /dev/null.
  Alarm(sys::System& system, Helpers& helpers, std::string service, std::string directory, std::string host,
        const char* const* environment, int null);

  // Whom to tell, laid out in advance: raising an alarm is to need little memory.
  struct Targets {
    std::vector<std::string> mail, gsm;
    std::string recipients;                            // of mail, separated by commas
    std::vector<std::string> command;
    std::vector<const char*> command_arguments, command_environment, mail_arguments;
  };
  // May allocate, and throw.
  [[nodiscard]] Targets targets_of(const core::Settings& settings) const;
  // An alarm that is being sent goes to all of the new targets.
  void use(Targets targets) noexcept;

  // Composes the messages; send() starts the programs. False if there is no memory for that now.
  [[nodiscard]] bool raise(const AlarmFacts& facts);

  // The program behind a kind of helper, for messages.
  [[nodiscard]] std::string_view program(HelperKind kind) const;

  // Starts what is not yet started. Returns which program can't be executed, and why.
  struct Problem {
    HelperKind kind;
    core::StartFailure failure;
  };
  std::optional<Problem> send(core::Now now);

  // When send() is to be called again; kNever if nothing is left to be started.
  [[nodiscard]] core::Instant deadline() const { return retry_; }

 private:
  void compose_mail(const AlarmFacts& facts);
  void compose_variables(const AlarmFacts& facts);
  void announce();
  std::optional<core::StartFailure> send_one(std::size_t channel, core::Now now);
  std::optional<core::StartFailure> send_mail(core::Now now);
  std::optional<core::StartFailure> send_gsm(const std::string& number, core::Now now);
  std::optional<core::StartFailure> run(HelperKind kind, const char* const* arguments, const char* const* environment, std::string_view input,
                                        core::Now now);

  static constexpr std::size_t kVariables = 9;
  static constexpr std::size_t kMail = 0, kCommand = 1, kFirstGsm = 2;

  sys::System& system_;
  Helpers& helpers_;
  std::string service_, directory_, host_;
  const char* const* environment_;
  int null_;
  Targets targets_;
  // Made when an alarm is raised and gone when its programs are started: memory that an idle supervise need not hold.
  struct Composed {
    std::array<core::Text<256>, kVariables> variables;
    core::Text<256> subject;
    core::Text<4000> letter;                         // header and body
    std::size_t body = 0;                            // where the body begins in letter
  };
  std::unique_ptr<Composed> message_;
  unsigned todo_ = 0;                                // channels not yet started, a bit each
  core::Instant retry_ = core::kNever;
};

}  // namespace supervise
