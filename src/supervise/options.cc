#include "supervise/options.h"

#include <array>

#include "core/command.h"
#include "core/settings.h"
#include "core/words.h"

namespace supervise {
namespace {

using std::string;
using std::string_view;

struct Option {
  char letter;                // 0: none
  string_view name;           // long; empty: none
  string_view argument;       // its name; empty: takes none
  string_view help;
  void (*take)(Options& options, const string& argument);
};

void take_command(Options& options, const string& line) {
  auto split = core::split_words(line);
  if (!split.error.empty())
    options.error = "-f: " + split.error + " in `" + line + "`; quote as in a POSIX shell";
  else if (split.words.empty())
    options.error = "-f: the command is empty";
  if (!split.shell_operator.empty())
    options.warning = "-f: `" + split.shell_operator + "` is an ordinary character here, as no shell is used; for a shell's meaning of it use -f \"sh -c '...'\"";
  options.command = std::move(split.words);
}

void take_hook_reset(Options& options, const string& seconds) {
  core::Settings settings;
  const auto right = core::find_key("startsecs")->set(settings, seconds);
  if (!right.empty()) options.error = "-t: \"" + seconds + "\" is not " + right;
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
};

class Parser {
 public:
  Parser(int argc, char** argv) : words_(argv + 1, argv + argc) {}

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
    for (const auto& option : kOptions)
      if (!option.name.empty() && word.substr(2) == option.name) return option.take(options_, {});
    fail("unknown option " + word);
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
      return with_argument(*option, word.substr(i + 1));
    }
  }

  void with_argument(const Option& option, string argument) {
    if (argument.empty() && next_ < words_.size()) argument = words_[next_++];
    if (argument.empty()) return fail(string("option -") + option.letter + " needs " + string(option.argument));
    if (option.letter == 'p' || option.letter == 'u') one_directory();
    option.take(options_, argument);
    if (option.letter == 'u') ended_ = by_words_ = true;
  }

  void one_directory() {
    if (!options_.directory.empty()) fail("one of -p DIR and -u DIR is enough");
  }

  void rest() {
    if (!options_.error.empty() || options_.mode == Options::Mode::kShowHelp || options_.mode == Options::Mode::kShowVersion) return;
    if (by_words_) {
      if (!options_.command.empty()) return fail("-u takes the command from the words after DIR; leave out -f");
      options_.command.assign(words_.begin() + static_cast<std::ptrdiff_t>(next_), words_.end());
      if (options_.command.empty()) return fail("-u DIR needs a COMMAND");
      if (options_.command.front().starts_with('-'))
        fail("`" + options_.command.front() + "` after -u DIR is taken as the command; options go before -u");
      return;
    }
    if (next_ < words_.size()) return fail("`" + words_[next_] + "` is not expected; the command goes to -f, or after -u DIR");
    if (options_.directory.empty() && options_.mode == Options::Mode::kRun) fail("no status directory; -p DIR or -u DIR is needed");
  }

  static const Option* find(char letter) {
    for (const auto& option : kOptions)
      if (option.letter == letter) return &option;
    return nullptr;
  }

  void fail(string what) {
    if (options_.error.empty()) options_.error = std::move(what);
  }

  std::vector<string> words_;
  std::size_t next_ = 0;
  bool ended_ = false;
  bool by_words_ = false;
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
      "       supervise --check [-F CONF] [-p DIR]\n\n"
      "Keeps COMMAND alive. Obeys the letters that are written into DIR/control.\n\n"
      "options:\n";
  for (const auto& option : kOptions) {
    string name = option.letter ? string("-") + option.letter : string("  ");
    if (!option.name.empty()) name += (option.letter ? ", --" : "  --") + string(option.name);
    if (!option.argument.empty()) name += " " + string(option.argument);
    text += "  " + padded(name, 16) + string(option.help) + "\n";
  }
  text += "\ncontrol letters:\n";
  for (const auto& command : core::commands()) text += string("  ") + command.byte + "  " + string(command.help) + "\n";
  return text + "\nSee supervise(8), supervise.conf(5), supervise-status(5).\n";
}

}  // namespace supervise
