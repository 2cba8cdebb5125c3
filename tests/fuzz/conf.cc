// The configuration file: any text is read, what is wrong with it is told with its line, and what it says can be printed and
// read again.
#include "core/conf.h"

#include <algorithm>

#include "core/strings.h"
#include "fuzz/fuzz.h"

namespace {


std::string printed(const core::Settings& settings) {
  std::string text;
  for (const auto& key : core::keys()) text += std::string(key.name) + " : " + key.print(settings) + "\n";
  return text;
}

void check_lines(const std::vector<core::Diagnostic>& diagnostics, std::string_view text) {
  const auto lines = std::count(text.begin(), text.end(), '\n') + 1;
  for (const auto& diagnostic : diagnostics) {
    fuzz::require(diagnostic.line >= 1 && diagnostic.line <= lines, "a diagnostic of a line that is not there");
    fuzz::require(!diagnostic.what.empty(), "a diagnostic that says nothing");
    fuzz::require(diagnostic.what.find('\n') == std::string::npos, "a diagnostic of several lines");
    fuzz::require(core::to_text(diagnostic, "F").starts_with("F:" + std::to_string(diagnostic.line) + ": "), "a diagnostic without its place");
  }
}

// What the settings are bounded by, whatever the file says.
void check_bounds(const core::Settings& settings) {
  const auto& policy = settings.policy;
  constexpr auto kLongest = core::seconds(101LL * 365 * 86'400);
  for (const auto time : {policy.startsecs, policy.backoff_factor, policy.backoff_max, policy.fatal_retry, policy.stopwaitsecs, policy.heartbeat_timeout,
                          policy.heartbeat_delay, policy.ready_timeout, policy.watchdog, policy.alarm_interval, settings.hook_timeout})
    fuzz::require(time >= core::Nanos::zero() && time <= kLongest, "a time out of its bounds");
  fuzz::require(policy.backoff_jitter >= 0 && policy.backoff_jitter <= 1, "a jitter out of its bounds");
  fuzz::require(policy.stopsignal >= 1 && policy.stopsignal <= 64, "a stopsignal that is none");
  fuzz::require(policy.alarm_interval == core::Nanos::zero() || policy.alarm_interval >= core::kMinAlarmInterval, "an alarm_interval of less than a minute");
  fuzz::require(settings.alarm_gsm.size() <= core::kMaxGsmNumbers, "too many telephone numbers");
  for (const auto& address : settings.alarm_mail)
    fuzz::require(!address.empty() && address[0] != '-' && !fuzz::has_control(address) && address.find_first_of(", \t:\"<>;()") == std::string::npos, "an address that is none");
  for (const auto& number : settings.alarm_gsm)
    fuzz::require(number.find_first_not_of("0123456789", number[0] == '+' ? 1 : 0) == std::string::npos, "a telephone number that is none");
  fuzz::require(!settings.umask || settings.umask->bits <= 0777, "a umask out of its bounds");
  fuzz::require(!settings.nice || (*settings.nice >= -20 && *settings.nice <= 19), "a priority out of its bounds");
  fuzz::require(!settings.ready_fd || *settings.ready_fd >= 3, "a ready_fd that is one of the three");
  for (const auto& limit : {settings.rlimit_nofile, settings.rlimit_core, settings.rlimit_as})
    fuzz::require(!limit || limit->soft <= limit->hard, "a soft limit above the hard one");
  for (const auto failures : {0U, 1U, 2U, 63U, 64U, 1000U, UINT32_MAX})
    for (const auto draw : {0.0, 0.5, 0.999999}) {
      const auto delay = core::backoff_delay(policy, failures, draw);
      fuzz::require(delay >= core::Nanos::zero() && delay <= policy.backoff_max, "a delay out of its bounds");
    }
}

void check_service(const core::Conf& conf, std::string_view service, std::string_view text) {
  const auto resolved = core::resolve(conf, service);
  check_lines(resolved.diagnostics, text);
  check_bounds(resolved.settings);
  for (const auto& item : resolved.items) fuzz::require(core::find_key(item.key), "an unknown key takes effect");
  const auto once = printed(resolved.settings);
  const auto file = core::parse_conf("[again]\n" + once);
  const auto again = core::resolve(file, "again");
  // A line that is cut can't say what it said.
  const bool too_long = std::any_of(file.diagnostics.begin(), file.diagnostics.end(), [](const auto& d) { return d.what.find("is longer than") != std::string::npos; });
  if (too_long) return;
  for (const auto& problems : {file.diagnostics, again.diagnostics})
    if (!problems.empty()) throw fuzz::Wrong("what was printed is not right: " + core::to_text(problems.front(), "") + " of\n" + once);
  const auto twice = printed(again.settings);
  if (twice != once) throw fuzz::Wrong("printed and read again it is\n" + twice + "instead of\n" + once);
}

std::string with_comments(std::string_view text) {
  std::string out;
  while (!text.empty()) out += "# a comment\n" + std::string(core::take_line(text)) + "\n \n";
  return out;
}

}  // namespace

FUZZ(conf) {
  const auto conf = core::parse_conf(input);
  check_lines(conf.diagnostics, input);
  std::vector<std::string> names = {"global", "redis"};
  for (const auto& section : conf.sections) {
    fuzz::require(!section.name.empty() && core::trim(section.name) == section.name, "a section without a proper name");
    fuzz::require(std::count_if(conf.sections.begin(), conf.sections.end(), [&](const auto& s) { return s.name == section.name; }) == 1, "a section that is there twice");
    for (const auto& item : section.items) {
      fuzz::require(!item.key.empty() && item.value.size() <= core::kMaxValue, "a value that is too long, or an item without a key");
      fuzz::require((item.key + item.value).find_first_of(std::string_view("\n\0", 2)) == std::string::npos, "an item with a newline or a NUL");
    }
    if (names.size() < 3) names.push_back(section.name);
  }
  for (const auto& name : names) check_service(conf, name, input);
  if (input.starts_with("\xEF\xBB\xBF")) return;
  const auto commented = core::parse_conf(with_comments(input));
  fuzz::require(commented.diagnostics.size() == conf.diagnostics.size(), "comments change what is wrong");
  for (const auto& name : names)
    fuzz::require(printed(core::resolve(commented, name).settings) == printed(core::resolve(conf, name).settings), "comments change what is said");
}
