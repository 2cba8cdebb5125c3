#include "core/settings.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/environment.h"
#include "core/number.h"
#include "core/outcome.h"
#include "core/strings.h"
#include "core/words.h"

namespace core {
namespace {

using std::string;
using std::string_view;

constexpr int kMaxCount = 1'000'000'000;
constexpr unsigned kMaxReadyFd = 1023;
constexpr std::uint64_t kMaxLogSize = std::uint64_t{1} << 60;
constexpr Nanos kMinLogPeriod = seconds(60);

// --- parsing: one overload per type; each returns what would be right, or "" ---

struct Unit {
  string_view name;
  std::int64_t factor;
};

constexpr std::array kTimeUnits = {Unit{"", 1'000'000'000},    Unit{"s", 1'000'000'000},       Unit{"ms", 1'000'000},
                                   Unit{"m", 60'000'000'000},  Unit{"h", 3'600'000'000'000},   Unit{"d", 86'400'000'000'000}};
constexpr std::array kSizeUnits = {Unit{"", 1}, Unit{"K", 1 << 10},         Unit{"KB", 1 << 10},
                                   Unit{"M", 1 << 20},         Unit{"MB", 1 << 20},            Unit{"G", 1 << 30},
                                   Unit{"GB", 1 << 30},        Unit{"T", std::int64_t{1} << 40}, Unit{"TB", std::int64_t{1} << 40}};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same(string_view a, string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

const Unit* find_unit(std::span<const Unit> units, string_view name) {
  const auto unit = std::find_if(units.begin(), units.end(), [name](const Unit& u) { return same(u.name, name); });
  return unit == units.end() ? nullptr : &*unit;
}

string_view take_digits(string_view& text) {
  std::size_t n = 0;
  while (n < text.size() && text[n] >= '0' && text[n] <= '9') ++n;
  const auto digits = text.substr(0, n);
  text.remove_prefix(n);
  return digits;
}

// Up to nine decimal places of a fraction as billionths.
std::int64_t billionths(string_view digits) {
  std::int64_t value = 0;
  for (std::size_t i = 0; i < 9; ++i) value = value * 10 + (i < digits.size() ? digits[i] - '0' : 0);
  return value;
}

string parse(string_view text, Nanos& out) {
  string right = "a time: a number of seconds or with a unit, such as 10, 1.5, 500ms, 30s, 5m, 2h, 1d";
  const auto whole_digits = take_digits(text);
  string_view fraction;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    fraction = take_digits(text);
  }
  const auto* unit = find_unit(kTimeUnits, trim(text));
  const auto whole = parse_number<std::int64_t>(whole_digits);
  if (!unit || !whole || *whole > 100LL * 365 * 86'400'000'000'000 / unit->factor) return right;
  // The product of a unit and a fraction is below 2^63 only in two steps.
  const auto part = unit->factor / 1'000'000 * billionths(fraction) / 1'000;
  // For many keys 0 means no limit: whoever asks for the least time does not mean that.
  const bool is_zero = *whole == 0 && fraction.find_first_not_of('0') == string_view::npos;
  out = std::max(Nanos(*whole * unit->factor + part), Nanos(is_zero ? 0 : 1));
  return {};
}

string parse(string_view text, bool& out) {
  for (const auto yes : {"true", "yes", "on", "1"})
    if (same(text, yes)) return out = true, string();
  for (const auto no : {"false", "no", "off", "0"})
    if (same(text, no)) return out = false, string();
  return "true or false";
}

string parse(string_view text, unsigned& out) {
  const auto number = parse_number<unsigned>(text);
  if (!number || *number > kMaxCount) return "a number from 0 to 1000000000";
  out = *number;
  return {};
}

// Counts for which -1 means unlimited.
string parse(string_view text, int& out) {
  const auto number = parse_number<int>(text);
  if (!same(text, "unlimited") && (!number || *number < kUnlimited || *number > kMaxCount))
    return "a number from 0 to 1000000000, or unlimited (-1)";
  out = number.value_or(kUnlimited);
  return {};
}

string parse(string_view text, double& out) {
  string_view rest = text;
  const auto whole = parse_number<unsigned>(take_digits(rest));
  string_view fraction;
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    fraction = take_digits(rest);
  }
  const double value = static_cast<double>(whole.value_or(2)) + static_cast<double>(billionths(fraction)) / 1e9;
  if (!rest.empty() || value > 1) return "a fraction from 0 to 1, such as 0.25";
  out = value;
  return {};
}

string parse(string_view text, string& out) {
  out = text;
  return {};
}

string parse(string_view text, std::vector<string>& out) {
  auto split = split_words(text);
  if (!split.error.empty()) return "a command with balanced quotes (" + split.error + ")";
  out = std::move(split.words);
  return {};
}

string parse(string_view text, std::optional<FileMode>& out) {
  const auto bits = parse_number<unsigned>(text, 8);
  if (!bits || *bits > 0777) return "an octal mode from 0 to 777, such as 022";
  out = FileMode{*bits};
  return {};
}

string parse(string_view text, std::optional<int>& out) {
  const auto number = parse_number<int>(text);
  if (!number || *number < -20 || *number > 19) return "a number from -20 to 19";
  out = number;
  return {};
}

string parse(string_view text, std::optional<unsigned>& out) {
  const auto number = parse_number<unsigned>(text);
  if (!number || *number < 3 || *number > kMaxReadyFd) return "a descriptor from 3 to 1023";
  out = number;
  return {};
}

std::optional<std::uint64_t> parse_size(string_view text) {
  if (same(text, "unlimited")) return Limit::kInfinite;
  const auto number = parse_number<std::uint64_t>(take_digits(text));
  const auto* unit = find_unit(kSizeUnits, trim(text));
  if (!number || !unit || *number > (Limit::kInfinite - 1) / static_cast<std::uint64_t>(unit->factor)) return std::nullopt;
  return *number * static_cast<std::uint64_t>(unit->factor);
}

string parse(string_view text, std::uint64_t& out) {
  const auto size = parse_size(text);
  if (!size || *size > kMaxLogSize) return "a size, such as 500KB, 50MB or 1GB; 0 for no limit";
  out = *size;
  return {};
}

string parse(string_view text, LogPeriod& out) {
  LogPeriod period{same(text, "daily"), Nanos{0}};
  if (!period.daily && !same(text, "never") && (!parse(text, period.length).empty() || period.length < kMinLogPeriod))
    return "never, daily, or a period of at least a minute, such as 6h";
  out = period;
  return {};
}

string parse(string_view text, std::optional<Limit>& out) {
  const auto colon = text.find(':');
  const auto soft = parse_size(trim(text.substr(0, colon)));
  const auto hard = colon == string_view::npos ? soft : parse_size(trim(text.substr(colon + 1)));
  if (!soft || !hard || *soft > *hard) return "a limit, or SOFT:HARD, each a number (KB, MB, GB) or unlimited";
  out = Limit{*soft, *hard};
  return {};
}

string parse(string_view text, Variables& out) {
  auto parsed = parse_environment(text);
  if (!parsed.error.empty()) return "A=\"x\",B=\"y\" (" + parsed.error + ")";
  out = std::move(parsed.variables);
  return {};
}

string parse(string_view text, ExitCodes& out) {
  const auto* const right = "exit codes from 0 to 255, separated by commas";
  ExitCodes codes;
  string list(text);
  std::replace(list.begin(), list.end(), ',', ' ');
  for (string_view rest = list;;) {
    const auto word = take_word(rest);
    if (word.empty()) break;
    const auto code = parse_number<unsigned>(word);
    if (!code || *code > 255) return right;
    codes.set(*code);
  }
  if (codes.none()) return right;
  out = codes;
  return {};
}

template <typename Enum>
struct Word {
  string_view name;
  Enum value;
};

constexpr std::array kAutorestart = {Word<Autorestart>{"true", Autorestart::kTrue},
                                     Word<Autorestart>{"false", Autorestart::kFalse},
                                     Word<Autorestart>{"unexpected", Autorestart::kUnexpected}};
constexpr std::array kBackoff = {Word<Backoff>{"none", Backoff::kNone}, Word<Backoff>{"linear", Backoff::kLinear},
                                 Word<Backoff>{"exponential", Backoff::kExponential}};

constexpr std::array kStamps = {Word<LogStamps>{"none", LogStamps::kNone}, Word<LogStamps>{"iso", LogStamps::kIso},
                                Word<LogStamps>{"tai64n", LogStamps::kTai64n}};

template <typename Enum>
bool find_word(std::span<const Word<Enum>> words, string_view text, Enum& out) {
  for (const auto& word : words)
    if (same(text, word.name)) return out = word.value, true;
  return false;
}

string parse(string_view text, Backoff& out) {
  return find_word<Backoff>(kBackoff, text, out) ? "" : "none, linear or exponential";
}

string parse(string_view text, LogStamps& out) {
  return find_word<LogStamps>(kStamps, text, out) ? "" : "none, iso or tai64n";
}

string parse(string_view text, Autorestart& out) {
  bool restart = false;
  if (find_word<Autorestart>(kAutorestart, text, out)) return {};
  if (!parse(text, restart).empty()) return "true, false or unexpected";
  out = restart ? Autorestart::kTrue : Autorestart::kFalse;
  return {};
}

// --- printing ---

string print(Nanos time) {
  Text<32> text;
  return string(text.brief_seconds(time, 9).view());
}
string print(bool value) { return value ? "true" : "false"; }
string print(unsigned value) { return std::to_string(value); }
string print(int value) { return value == kUnlimited ? "unlimited" : std::to_string(value); }
string print(double value) { return print(Nanos(std::llround(value * 1e9))); }
string print(const string& value) { return value; }
string print(std::optional<unsigned> value) { return value ? std::to_string(*value) : ""; }
string print(std::optional<int> value) { return value ? std::to_string(*value) : ""; }

string print(const std::optional<FileMode>& mode) {
  if (!mode) return {};
  return {static_cast<char>('0' + (mode->bits >> 6 & 7)), static_cast<char>('0' + (mode->bits >> 3 & 7)),
          static_cast<char>('0' + (mode->bits & 7))};
}

string print_size(std::uint64_t size) { return size == Limit::kInfinite ? "unlimited" : std::to_string(size); }

string print(const std::optional<Limit>& limit) {
  if (!limit) return {};
  return limit->soft == limit->hard ? print_size(limit->soft) : print_size(limit->soft) + ":" + print_size(limit->hard);
}

string quoted(string_view text) {
  string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    // A `;` after a blank would begin a comment, quoted or not.
    if (c == ';' && is_blank(out.back())) out += "\"\"";
    out += c;
  }
  return out + "\"";
}

string print(const std::vector<string>& words) {
  string out;
  for (const auto& word : words) {
    const bool plain = !word.empty() && word.front() != ';' && word.find_first_of(" \t\r\n'\"\\") == string::npos;
    out += (out.empty() ? "" : " ") + (plain ? word : quoted(word));
  }
  return out;
}

string print(const Variables& variables) {
  string out;
  for (const auto& [name, value] : variables) out += (out.empty() ? "" : ",") + name + "=" + quoted(value);
  return out;
}

string print(const ExitCodes& codes) {
  string out;
  for (std::size_t i = 0; i < codes.size(); ++i)
    if (codes[i]) out += (out.empty() ? "" : ",") + std::to_string(i);
  return out;
}

template <typename Enum>
string print_word(std::span<const Word<Enum>> words, Enum value) {
  for (const auto& word : words)
    if (word.value == value) return string(word.name);
  return {};
}
string print(Backoff value) { return print_word<Backoff>(kBackoff, value); }
string print(LogStamps value) { return print_word<LogStamps>(kStamps, value); }
string print(std::uint64_t value) { return std::to_string(value); }
string print(const LogPeriod& period) {
  if (period.daily) return "daily";
  return period.length == Nanos::zero() ? "never" : print(period.length);
}
string print(Autorestart value) { return print_word<Autorestart>(kAutorestart, value); }

// --- the table ---

template <auto Member>
const auto& member(const Settings& settings) {
  if constexpr (requires { settings.*Member; })
    return settings.*Member;
  else
    return settings.policy.*Member;
}

template <auto Member>
auto& member(Settings& settings) {
  return const_cast<std::remove_cvref_t<decltype(member<Member>(std::as_const(settings)))>&>(
      member<Member>(std::as_const(settings)));
}

template <auto Member>
constexpr Key key(string_view name) {
  return {name,
          [](Settings& settings, string_view value) -> string {
            auto& field = member<Member>(settings);
            if (value.empty()) return field = member<Member>(Settings()), string();
            auto parsed = field;
            auto right = parse(value, parsed);
            if (right.empty()) field = std::move(parsed);
            return right;
          },
          [](const Settings& settings) { return print(member<Member>(settings)); }};
}

constexpr Key restart(Key key) {
  key.needs_restart = true;
  return key;
}

template <OutputSettings Settings::*Output, auto Member>
constexpr Key output_key(string_view name) {
  return {name,
          [](Settings& settings, string_view value) -> string {
            auto& field = settings.*Output.*Member;
            if (value.empty()) return field = OutputSettings().*Member, string();
            return parse(value, field);
          },
          [](const Settings& settings) { return print(settings.*Output.*Member); }};
}

string set_stopsignal(Settings& settings, string_view value) {
  const auto signal = value.empty() ? std::optional(SIGTERM) : parse_signal(value);
  if (!signal) return "a signal name or number, such as TERM, INT or 15";
  settings.policy.stopsignal = *signal;
  return {};
}

string print_stopsignal(const Settings& settings) {
  const auto name = signal_name(settings.policy.stopsignal);
  return name.empty() ? std::to_string(settings.policy.stopsignal) : string(name);
}

// [kept]: 1 to 59 seconds count as 60.
string set_alarm_interval(Settings& settings, string_view value) {
  Nanos interval{0};
  if (!value.empty())
    if (auto right = parse(value, interval); !right.empty()) return right;
  settings.policy.alarm_interval = interval == Nanos::zero() ? interval : std::max(interval, kMinAlarmInterval);
  return {};
}

string print_alarm_interval(const Settings& settings) { return print(settings.policy.alarm_interval); }

bool is_address(string_view word) {
  const auto bad = [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f || c == ',' || c == ':' || c == '"' || c == '<' || c == '>' || c == ';' || c == '(' || c == ')'; };
  return !word.starts_with('-') && std::none_of(word.begin(), word.end(), bad);
}

bool is_gsm_number(string_view word) {
  if (word.starts_with('+')) word.remove_prefix(1);
  return !word.empty() && std::all_of(word.begin(), word.end(), [](char c) { return c >= '0' && c <= '9'; });
}

template <auto Member, bool (*Valid)(string_view)>
string add_words(Settings& settings, string_view value) {
  auto words = member<Member>(settings);
  while (true) {
    const auto word = take_word(value);
    if (word.empty()) break;
    if (!Valid(word)) return Valid == is_address ? "addresses separated by blanks" : "telephone numbers separated by blanks";
    if (std::find(words.begin(), words.end(), word) == words.end()) words.emplace_back(word);
  }
  member<Member>(settings) = std::move(words);
  return {};
}

template <auto Member>
string print_blank_separated(const Settings& settings) {
  string out;
  for (const auto& word : member<Member>(settings)) out += (out.empty() ? "" : " ") + word;
  return out;
}

constexpr std::array kKeys = {
    restart(key<&Settings::command>("command")),
    restart(key<&Settings::directory>("directory")),
    restart(key<&Settings::user>("user")),
    restart(key<&Settings::umask>("umask")),
    restart(key<&Settings::environment>("environment")),
    restart(key<&Settings::environment_file>("environment_file")),
    restart(key<&Settings::rlimit_nofile>("rlimit_nofile")),
    restart(key<&Settings::rlimit_core>("rlimit_core")),
    restart(key<&Settings::rlimit_as>("rlimit_as")),
    restart(key<&Settings::nice>("nice")),
    key<&Settings::control_group>("control_group"),
    Key{"stopsignal", set_stopsignal, print_stopsignal},
    key<&Policy::stopwaitsecs>("stopwaitsecs"),
    key<&Policy::stopasgroup>("stopasgroup"),
    key<&Policy::killasgroup>("killasgroup"),
    key<&Policy::kill_tree>("kill_tree"),
    key<&Policy::forking>("forking"),
    key<&Settings::pidfile>("pidfile"),
    key<&Policy::autorestart>("autorestart"),
    key<&Policy::exitcodes>("exitcodes"),
    key<&Policy::startsecs>("startsecs"),
    key<&Policy::startretries>("startretries"),
    key<&Policy::backoff>("backoff"),
    key<&Policy::backoff_factor>("backoff_factor"),
    key<&Policy::backoff_max>("backoff_max"),
    key<&Policy::backoff_jitter>("backoff_jitter"),
    key<&Policy::max_restarts>("max_restarts"),
    key<&Policy::fatal_retry>("fatal_retry"),
    restart(key<&Settings::heartbeat_file>("heartbeat_file")),
    key<&Policy::heartbeat_timeout>("heartbeat_timeout"),
    key<&Policy::heartbeat_delay>("heartbeat_delay"),
    restart(key<&Settings::notify>("notify")),
    restart(key<&Policy::watchdog>("watchdog")),
    restart(key<&Settings::ready_fd>("ready_fd")),
    restart(key<&Policy::ready_timeout>("ready_timeout")),
    key<&Settings::hook_timeout>("hook_timeout"),
    output_key<&Settings::output, &OutputSettings::logfile>("stdout_logfile"),
    output_key<&Settings::output, &OutputSettings::maxbytes>("stdout_logfile_maxbytes"),
    output_key<&Settings::output, &OutputSettings::backups>("stdout_logfile_backups"),
    output_key<&Settings::output, &OutputSettings::rotate>("stdout_logfile_rotate"),
    output_key<&Settings::errors, &OutputSettings::logfile>("stderr_logfile"),
    output_key<&Settings::errors, &OutputSettings::maxbytes>("stderr_logfile_maxbytes"),
    output_key<&Settings::errors, &OutputSettings::backups>("stderr_logfile_backups"),
    output_key<&Settings::errors, &OutputSettings::rotate>("stderr_logfile_rotate"),
    restart(key<&Settings::redirect_stderr>("redirect_stderr")),
    key<&Settings::log_timestamps>("log_timestamps"),
    key<&Settings::log_processor>("log_processor"),
    Key{"alarm_interval", set_alarm_interval, print_alarm_interval},
    key<&Policy::max_tries>("max_tries"),
    key<&Policy::max_tries_if_coredumped>("max_tries_if_coredumped"),
    Key{"alarm_mail", add_words<&Settings::alarm_mail, is_address>, print_blank_separated<&Settings::alarm_mail>, true},
    Key{"alarm_gsm", add_words<&Settings::alarm_gsm, is_gsm_number>, print_blank_separated<&Settings::alarm_gsm>, true},
    key<&Settings::alarm_command>("alarm_command"),
};

// What the service has open as an output stays what it is.
bool changes_kind(const OutputSettings& before, const OutputSettings& now) {
  const auto is_written_by_logger = [](const OutputSettings& output) {
    return output.maxbytes != 0 && output.logfile != "none" && output.logfile != "inherit" && descriptor_of(output.logfile) < 0;
  };
  return !is_written_by_logger(before) || !is_written_by_logger(now);
}

}  // namespace

std::span<const Key> keys() { return kKeys; }

Changes changes(const Settings& before, const Settings& now) {
  Changes out;
  for (const auto& key : keys()) {
    if (key.print(before) == key.print(now)) continue;
    const bool of_output = key.name.starts_with("stdout_") && changes_kind(before.output, now.output);
    const bool of_errors = key.name.starts_with("stderr_") && changes_kind(before.errors, now.errors);
    (key.needs_restart || of_output || of_errors ? out.needs_restart : out.in_force).push_back(key.name);
  }
  return out;
}

const Key* find_key(string_view name) {
  const auto key = std::find_if(kKeys.begin(), kKeys.end(), [name](const Key& k) { return k.name == name; });
  return key == kKeys.end() ? nullptr : &*key;
}

int descriptor_of(std::string_view path) {
  constexpr std::array<std::string_view, 3> kNames = {"/dev/stdin", "/dev/stdout", "/dev/stderr"};
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (path == kNames[i]) return static_cast<int>(i);
  constexpr std::string_view kNumbers = "/dev/fd/";
  return path.starts_with(kNumbers) ? parse_number<int>(path.substr(kNumbers.size())).value_or(-1) : -1;
}

}  // namespace core
