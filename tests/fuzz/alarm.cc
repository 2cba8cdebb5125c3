// An alarm about a service whose name, host, reason and output are the input's, a line each, the output last: the mail has the
// headers that it should have and no others, and no control character is in it.
#include "supervise/alarm.h"

#include <algorithm>

#include "core/strings.h"
#include "fault/sim_system.h"
#include "fuzz/fuzz.h"

namespace {

const char* const kEnvironment[] = {"PATH=/bin", "SUPERVISE_SERVICE=forged", nullptr};

void check_mail(const std::string& mail) {
  std::string_view rest(mail);
  std::vector<std::string> headers;
  while (!rest.empty()) {
    const auto line = core::take_line(rest);
    if (line.empty()) break;
    headers.emplace_back(line.substr(0, line.find(':')));
  }
  fuzz::require(headers == std::vector<std::string>{"To", "Subject", "Auto-Submitted", "MIME-Version", "Content-Type"}, "other headers than it should have");
  rest = mail;
  while (!rest.empty()) {
    const auto line = core::take_line(rest);
    fuzz::require(!fuzz::has_control(line), "a control character in a mail");
  }
}

}  // namespace

FUZZ(alarm) {
  if (input.find('\0') != std::string_view::npos) return;    // none of these can have one, but the output
  fuzz::Bytes bytes(input);
  const std::string name(bytes.until('\n')), host(bytes.until('\n')), reason(bytes.until('\n'));
  sim::SimSystem system;
  system.put("/dev/null", sys::FileType::kOther, {}, 0666);
  for (const auto* program : {"/usr/sbin/sendmail", "/bin/gsmsend-script", "/bin/hook"}) system.put(program, sys::FileType::kRegular, {}, 0755);
  const auto null = *system.open(sys::kWorkingDirectory, "/dev/null", sys::OpenMode::kReadWrite, 0);
  supervise::Helpers helpers(system, 022);
  supervise::Alarm alarm(system, helpers, name, "/srv/status/" + name, host, kEnvironment, null);
  core::Settings settings;
  settings.alarm_mail = {"ops@example.org"};
  settings.alarm_gsm = {"+123"};
  settings.alarm_command = {"/bin/hook"};
  alarm.use(alarm.targets_of(settings));
  supervise::AlarmFacts facts{};
  facts.event = supervise::AlarmFacts::Event::kExit;
  facts.facts.exit = core::Outcome::code(1);
  facts.detail = "pid 4711, code 1, up 3.2 s";
  facts.reason = reason;
  facts.last_errors = bytes.rest().substr(0, 2048);
  facts.now = system.now();
  fuzz::require(alarm.raise(facts), "no memory");
  fuzz::require(!alarm.send(system.now()), "a program that can't be run");
  std::size_t programs = 0;
  for (const auto& [pid, child] : system.children()) {
    ++programs;
    if (child.program == "/usr/sbin/sendmail") check_mail(child.input);
    if (child.program.ends_with("gsmsend-script"))
      fuzz::require(child.arguments.size() == 2 && child.arguments[1].starts_with("+123@") && !fuzz::has_control(child.arguments[1]), "a text message that is none");
    if (child.program != "/bin/hook") continue;
    fuzz::require(!std::any_of(child.environment.begin(), child.environment.end(), [](const auto& v) { return v == "SUPERVISE_SERVICE=forged"; }), "an inherited fact");
    fuzz::require(std::count_if(child.environment.begin(), child.environment.end(), [](const auto& v) { return v.starts_with("SUPERVISE_SUBJECT=") && !fuzz::has_control(v); }) == 1, "no subject");
  }
  fuzz::require(programs == 3, "not three programs");
}
