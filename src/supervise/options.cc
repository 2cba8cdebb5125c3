#include "supervise/options.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/command.h"
#include "core/nearest.h"
#include "core/settings.h"
#include "core/strings.h"
#include "core/words.h"
#include "supervise/wrapper.h"

namespace supervise {
namespace {

using std::string;
using std::string_view;

constexpr const char* kHeartbeatFile = "heartbeat.txt";

struct Option {
  char letter;                // 0: none
  string_view name;           // long; empty: none
  string_view argument;       // its name; empty: takes none
  string_view help;
  void (*take)(Options& options, const string& argument);
  bool of_wrapper = false;    // of wrapper mode alone
};

void take_command(Options& options, const string& line) {
  auto split = core::split_words(line);
  if (!split.error.empty())
    options.error = "-f: " + split.error + " in `" + core::excerpt(line) + "`; quote as in a POSIX shell";
  else if (split.words.empty())
    options.error = "-f: the command is empty";
  if (!split.shell_operator.empty())
    options.warning = "-f: `" + split.shell_operator + "` is an ordinary character here, as no shell is used; for a shell's meaning of it use -f \"sh -c '...'\"";
  options.command = std::move(split.words);
}

// An option of wrapper mode is a key of supervise.conf under another name.
template <const char* Name>
void take_setting(Options& options, const string& value) {
  const auto right = core::find_key(Name)->set(options.wrapper, value);
  if (!right.empty()) options.error = "\"" + core::excerpt(value) + "\" is not " + right;
}
namespace key {
constexpr char kTimeout[] = "heartbeat_timeout", kDelay[] = "heartbeat_delay", kFile[] = "heartbeat_file", kGrace[] = "stopwaitsecs",
               kRestarts[] = "max_restarts", kFactor[] = "backoff_factor", kMax[] = "backoff_max";
}

void take_hook_reset(Options& options, const string& seconds) {
  core::Settings settings;
  const auto right = core::find_key("startsecs")->set(settings, seconds);
  if (!right.empty()) options.error = "-t: \"" + core::excerpt(seconds) + "\" is not " + right;
  options.hook_reset = settings.policy.startsecs;
}

constexpr std::array kOptions = {
    Option{'p', "", "DIR", "status directory", [](Options& o, const string& a) { o.directory = a; }},
    Option{'u', "", "DIR", "status directory; ends the options: the command follows as separate words",
           [](Options& o, const string& a) { o.directory = a; }},
    Option{'f', "", "COMMAND", "the command as one string, split into words; no shell", take_command},
    Option{'F', "", "CONF", "configuration file (supervise.conf, if there is one)", [](Options& o, const string& a) { o.conf = a; }},
    Option{'r', "", "SCRIPT", "run SCRIPT N after every exit and before the restart", [](Options& o, const string& a) { o.hook = a; }},
    Option{'t', "", "SECONDS", "N of -r starts again at 1 after SECONDS without an exit", take_hook_reset},
    Option{'n', "foreground", "", "do not detach", [](Options& o, const string&) { o.foreground = true; }},
    Option{0, "check", "", "check the configuration, print the effective settings, start nothing",
           [](Options& o, const string&) { o.mode = Options::Mode::kCheck; }},
    Option{'v', "version", "", "print the version", [](Options& o, const string&) { o.mode = Options::Mode::kShowVersion; }},
    Option{'h', "help", "", "print this help", [](Options& o, const string&) { o.mode = Options::Mode::kShowHelp; }},
    Option{0, "enable-heartbeat", "", "watch the heartbeat file", [](Options& o, const string&) { o.heartbeat = true; }, true},
    Option{0, "timeout", "S", "end COMMAND after S seconds without a heartbeat (20)", take_setting<key::kTimeout>, true},
    Option{0, "initial-check-delay", "S", "begin to count S seconds after the start (0)", take_setting<key::kDelay>, true},
    Option{0, "heartbeat-file", "PATH", "the heartbeat file (heartbeat.txt)", take_setting<key::kFile>, true},
    Option{0, "grace-period", "S", "KILL comes S seconds after TERM (5)", take_setting<key::kGrace>, true},
    Option{0, "max-restarts", "N", "give up after N consecutive restarts (-1: never)", take_setting<key::kRestarts>, true},
    Option{0, "backoff-factor", "S", "restart N comes S * 2^(N-1) seconds after the exit (1)", take_setting<key::kFactor>, true},
    Option{0, "backoff-max", "S", "but after S seconds at the latest (3600)", take_setting<key::kMax>, true},
};

class Parser {
 public:
  Parser(int argc, char** argv) : words_(argv + std::min(argc, 1), argv + argc) {
    const string_view program = argc > 0 ? argv[0] : "";
    always_wraps_ = program.substr(program.rfind('/') + 1) == "supervisor";
    options_.wrapper = wrapper_defaults();
  }

  Options run() {
    while (next_ < words_.size() && options_.error.empty() && !ended_) word();
    rest();
    return std::move(options_);
  }

 private:
  void word() {
    const string& word = words_[next_];
    if (word == "--") return ended_ = true, void(++next_);
    if (word.starts_with("--")) return long_option(word);
    if (word.size() > 1 && word.front() == '-') return short_options(word);
    ended_ = true;
  }

  void long_option(const string& word) {
    ++next_;
    const auto equals = word.find('=');
    const auto name = word.substr(2, equals == string::npos ? equals : equals - 2);
    const auto option = std::find_if(kOptions.begin(), kOptions.end(), [&](const Option& o) { return !o.name.empty() && o.name == name; });
    if (option == kOptions.end()) return fail("unknown option --" + core::excerpt(name) + core::did_you_mean("--" + name, long_names()));
    if (option->of_wrapper) wrapper_option_ = "--" + name;
    const bool has_value = equals != string::npos;
    if (has_value && equals + 1 == word.size() && !option->argument.empty()) return fail("option --" + name + " needs " + string(option->argument));
    if (!option->argument.empty()) return with_argument(*option, "--" + name, has_value ? word.substr(equals + 1) : "");
    if (has_value) return fail("--" + name + " takes no argument");
    option->take(options_, {});
  }

  // `-nf CMD`, `-fCMD` and `-f CMD` are all right.
  void short_options(const string& word) {
    ++next_;
    for (std::size_t i = 1; i < word.size(); ++i) {
      const auto* option = find(word[i]);
      if (!option) return fail("unknown option -" + word.substr(i, 1));
      if (option->argument.empty()) {
        option->take(options_, {});
        continue;
      }
      return with_argument(*option, word.substr(0, 1) + word[i], word.substr(i + 1));
    }
  }

  void with_argument(const Option& option, const string& name, string argument) {
    if (argument.empty() && next_ < words_.size()) argument = words_[next_++];
    if (argument.empty()) return fail("option " + name + " needs " + string(option.argument));
    if (option.letter == 'p' || option.letter == 'u') one_directory();
    option.take(options_, argument);
    if (option.of_wrapper && !options_.error.empty()) options_.error = name + ": " + options_.error;
    if (option.letter == 'u') ended_ = by_words_ = true;
  }

  void one_directory() {
    if (!options_.directory.empty()) fail("one of -p DIR and -u DIR is enough");
  }

  void rest() {
    if (!options_.error.empty() || options_.mode == Options::Mode::kShowHelp || options_.mode == Options::Mode::kShowVersion) return;
    if (!options_.directory.empty() && !wrapper_option_.empty())
      return fail(wrapper_option_ + " belongs to wrapper mode, without a status directory; with one, use the keys of supervise.conf");
    if (by_words_) {
      if (!options_.command.empty()) return fail("-u takes the command from the words after DIR; leave out -f");
      options_.command.assign(words_.begin() + static_cast<std::ptrdiff_t>(next_), words_.end());
      if (options_.command.empty()) return fail("-u DIR needs a COMMAND");
      if (options_.command.front().starts_with('-'))
        fail("`" + core::excerpt(options_.command.front()) + "` after -u DIR is taken as the command; options go before -u");
      return;
    }
    const bool has_words = next_ < words_.size();
    if (always_wraps_ || (options_.directory.empty() && options_.mode == Options::Mode::kRun && (has_words || !wrapper_option_.empty())))
      return wrap();
    if (has_words) return fail("`" + core::excerpt(words_[next_]) + "` is not expected; the command goes to -f, or after -u DIR");
    if (options_.directory.empty() && options_.mode == Options::Mode::kRun) fail("no status directory; -p DIR or -u DIR is needed");
  }

  void wrap() {
    options_.mode = Options::Mode::kWrap;
    for (const auto& [given, name] : {std::pair(!options_.directory.empty(), "-p or -u"), std::pair(!options_.command.empty(), "-f"),
                                      std::pair(!options_.conf.empty(), "-F"), std::pair(!options_.hook.empty(), "-r")})
      if (given) return fail(string(name) + " is not for wrapper mode, whose command follows the options as separate words");
    auto& settings = options_.wrapper;
    settings.command.assign(words_.begin() + static_cast<std::ptrdiff_t>(next_), words_.end());
    if (settings.command.empty()) return fail("a COMMAND is needed after the options");
    const bool mentions_heartbeat = !settings.heartbeat_file.empty() || settings.policy.heartbeat_delay != core::Nanos::zero() ||
                                    settings.policy.heartbeat_timeout != core::Policy().heartbeat_timeout;
    if (mentions_heartbeat && !options_.heartbeat)
      options_.warning = "without --enable-heartbeat, --timeout, --initial-check-delay and --heartbeat-file have no effect";
    if (settings.heartbeat_file.empty()) settings.heartbeat_file = kHeartbeatFile;
    if (!options_.heartbeat) settings.heartbeat_file.clear();
    complete_wrapper(settings);
  }

  static const Option* find(char letter) {
    for (const auto& option : kOptions)
      if (option.letter == letter) return &option;
    return nullptr;
  }

  static std::vector<string> long_names() {
    std::vector<string> names;
    for (const auto& option : kOptions)
      if (!option.name.empty()) names.push_back("--" + string(option.name));
    return names;
  }

  void fail(string what) {
    if (options_.error.empty()) options_.error = std::move(what);
  }

  std::vector<string> words_;
  std::size_t next_ = 0;
  bool ended_ = false;
  bool by_words_ = false;
  bool always_wraps_ = false;      // called as `supervisor`
  string wrapper_option_;          // one of wrapper mode that was given
  Options options_;
};

string padded(string text, std::size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text + " ";
}

}  // namespace

Options parse_options(int argc, char** argv) { return Parser(argc, argv).run(); }

string help() {
  string text =
      "usage: supervise -p DIR -f \"COMMAND\" [-n] [-F CONF] [-r SCRIPT] [-t SECONDS]\n"
      "       supervise [-n] [-F CONF] [-r SCRIPT] [-t SECONDS] -u DIR COMMAND [ARG...]\n"
      "       supervise -p DIR -F CONF\n"
      "       supervise --check [-F CONF] [-p DIR]\n"
      "       supervise [--enable-heartbeat] [wrapper options] COMMAND [ARG...]\n\n"
      "Keeps COMMAND alive. With DIR, obeys the letters that are written into DIR/control; without, stays in the foreground.\n\n"
      "options:\n";
  for (const auto& option : kOptions) {
    if (option.of_wrapper && text.find("wrapper mode:") == string::npos) text += "\nwrapper mode:\n";
    string name = option.letter ? string("-") + option.letter : string("  ");
    if (!option.name.empty()) name += (option.letter ? ", --" : "  --") + string(option.name);
    if (!option.argument.empty()) name += " " + string(option.argument);
    text += "  " + padded(name, 27) + string(option.help) + "\n";
  }
  text += "\ncontrol letters:\n";
  for (const auto& command : core::commands()) text += string("  ") + command.byte + "  " + string(command.help) + "\n";
  return text + "\nSee supervise(8), supervise.conf(5), supervise-status(5).\n";
}

}  // namespace supervise
