#include "core/outcome.h"

#include <algorithm>
#include <array>
#include <csignal>

#include "core/number.h"

namespace core {
namespace {

struct SignalName {
  int number;
  std::string_view name;
};

constexpr std::array kSignals = {
    SignalName{SIGHUP, "HUP"},       SignalName{SIGINT, "INT"},     SignalName{SIGQUIT, "QUIT"},
    SignalName{SIGILL, "ILL"},       SignalName{SIGTRAP, "TRAP"},   SignalName{SIGABRT, "ABRT"},
    SignalName{SIGBUS, "BUS"},       SignalName{SIGFPE, "FPE"},     SignalName{SIGKILL, "KILL"},
    SignalName{SIGUSR1, "USR1"},     SignalName{SIGSEGV, "SEGV"},   SignalName{SIGUSR2, "USR2"},
    SignalName{SIGPIPE, "PIPE"},     SignalName{SIGALRM, "ALRM"},   SignalName{SIGTERM, "TERM"},
    SignalName{SIGCHLD, "CHLD"},     SignalName{SIGCONT, "CONT"},   SignalName{SIGSTOP, "STOP"},
    SignalName{SIGTSTP, "TSTP"},     SignalName{SIGTTIN, "TTIN"},   SignalName{SIGTTOU, "TTOU"},
    SignalName{SIGURG, "URG"},       SignalName{SIGXCPU, "XCPU"},   SignalName{SIGXFSZ, "XFSZ"},
    SignalName{SIGVTALRM, "VTALRM"}, SignalName{SIGPROF, "PROF"},   SignalName{SIGWINCH, "WINCH"},
    SignalName{SIGIO, "IO"},         SignalName{SIGSYS, "SYS"},
#ifdef SIGPWR
    SignalName{SIGPWR, "PWR"},
#endif
#ifdef SIGSTKFLT
    SignalName{SIGSTKFLT, "STKFLT"},
#endif
};

constexpr int kLastSignal = 64;

// `RTMIN`, `RTMIN+1` and so on, without end marks.
constexpr std::size_t kRealTime = 64;
constexpr std::string_view kFirst = "RTMIN";
constexpr auto kRealTimeNames = [] {
  std::array<std::array<char, 8>, kRealTime> names{};
  for (std::size_t i = 0; i < names.size(); ++i) {
    std::copy(kFirst.begin(), kFirst.end(), names[i].begin());
    names[i][5] = '+';
    names[i][6] = static_cast<char>('0' + (i < 10 ? i : i / 10));
    if (i >= 10) names[i][7] = static_cast<char>('0' + i % 10);
  }
  return names;
}();

// The C library has the first signals of that kind for itself, so where they begin is known only at run time.
std::string_view real_time_name(int number) {
  if (number < SIGRTMIN || number > SIGRTMAX) return {};
  const auto i = static_cast<std::size_t>(number - SIGRTMIN);
  return {kRealTimeNames[i].data(), i == 0 ? kFirst.size() : i < 10 ? kFirst.size() + 2 : kFirst.size() + 3};
}

char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

bool same_ignoring_case(std::string_view text, std::string_view upper_case) {
  if (text.size() != upper_case.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (upper(text[i]) != upper_case[i]) return false;
  return true;
}

bool take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// `RTMIN`, `RTMIN+3`, `RTMAX-2`, `RTMAX`.
std::optional<int> parse_real_time(std::string_view text) {
  const bool from_end = text.size() >= kFirst.size() && same_ignoring_case(text.substr(0, kFirst.size()), "RTMAX");
  if (!from_end && (text.size() < kFirst.size() || !same_ignoring_case(text.substr(0, kFirst.size()), kFirst))) return std::nullopt;
  text.remove_prefix(kFirst.size());
  if (text.empty()) return from_end ? SIGRTMAX : SIGRTMIN;
  const auto n = text.front() == (from_end ? '-' : '+') ? parse_number<int>(text.substr(1)) : std::nullopt;
  if (!n || *n < 0 || *n > SIGRTMAX - SIGRTMIN) return std::nullopt;
  return from_end ? SIGRTMAX - *n : SIGRTMIN + *n;
}

}  // namespace

std::string_view signal_name(int number) {
  for (const auto& signal : kSignals)
    if (signal.number == number) return signal.name;
  return real_time_name(number);
}

std::optional<int> parse_signal(std::string_view text) {
  if (const auto number = parse_number<int>(text)) {
    if (*number >= 1 && *number <= kLastSignal) return *number;
    return std::nullopt;
  }
  if (text.size() > 3 && same_ignoring_case(text.substr(0, 3), "SIG")) text.remove_prefix(3);
  for (const auto& signal : kSignals)
    if (same_ignoring_case(text, signal.name)) return signal.number;
  return parse_real_time(text);
}

OutcomeText to_text(const Outcome& outcome) {
  OutcomeText text;
  switch (outcome.kind) {
    case Outcome::Kind::kCode:
      text << "code " << outcome.value;
      break;
    case Outcome::Kind::kSignal:
      text << "signal ";
      if (const auto name = signal_name(outcome.value); name.empty())
        text << outcome.value;
      else
        text << name;
      if (outcome.core) text << " core";
      break;
    case Outcome::Kind::kUnknown:
      text << "unknown";
      break;
  }
  return text;
}

std::optional<Outcome> parse_outcome(std::string_view text) {
  if (text == "unknown") return Outcome{};
  if (take(text, "code ")) {
    const auto code = parse_number<int>(text);
    return code && *code >= 0 && *code <= 255 ? std::optional(Outcome::code(*code)) : std::nullopt;
  }
  if (!take(text, "signal ")) return std::nullopt;
  const bool core = text.ends_with(" core");
  if (core) text.remove_suffix(5);
  const auto number = parse_signal(text);
  return number ? std::optional(Outcome::signal(*number, core)) : std::nullopt;
}

}  // namespace core
