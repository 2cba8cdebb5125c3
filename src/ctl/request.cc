#include "ctl/request.h"

#include <algorithm>

#include "core/number.h"
#include "core/strings.h"
#include "core/outcome.h"
#include "core/settings.h"

namespace ctl {
namespace {

using std::string;

constexpr unsigned kMaxSeconds = 365 * 86400;

class Parser {
 public:
  explicit Parser(const std::vector<string>& words) : words_(words) {}

  Request run() {
    bool only_names = false;
    while (at_ < words_.size() && request_.error.empty()) {
      const auto& word = words_[at_++];
      if (!only_names && word == "--")
        only_names = true;
      else if (!only_names && word.size() > 1 && word[0] == '-')
        option(word);
      else
        argument(word);
    }
    finish();
    return std::move(request_);
  }

 private:
  void fail(const string& what) {
    if (request_.error.empty()) request_.error = what;
  }

  void argument(const string& word) {
    if (!request_.command) {
      request_.command = find_command(word);
      if (request_.command) return;
      std::vector<string> known;
      for (const auto& command : commands()) known.emplace_back(command.name);
      const auto near = nearest(word, known);
      return fail("no command " + core::excerpt(word) + (near.empty() ? "" : "; did you mean " + near + "?") + "; `supervisectl help` lists them");
    }
    const auto& command = *request_.command;
    const bool is_output = command.id == Id::kTail && (word == "stdout" || word == "stderr" || word == "log");
    if (request_.first.empty() && (is_output || !command.first.empty() || command.names == Command::Names::kNone))
      request_.first = word;
    else
      request_.names.push_back(word);
  }

  // `--name=value`, `--name value`, `-nvalue`, `-n value`, `-fw`.
  void option(const string& word) {
    if (word[1] == '-') {
      const auto equals = word.find('=');
      const auto name = word.substr(0, equals);
      const auto& all = options();
      const auto found = std::find_if(all.begin(), all.end(), [&](const auto& o) { return o.name == name; });
      if (found == all.end()) return no_option(name);
      if (found->argument.empty() && equals != string::npos) return fail(name + " has no value");
      if (!found->argument.empty() && equals != string::npos) return set(*found, word.substr(equals + 1));
      return set(*found, found->argument.empty() ? "" : next(name));
    }
    for (std::size_t i = 1; i < word.size() && request_.error.empty(); ++i) {
      const auto& all = options();
      const auto found = std::find_if(all.begin(), all.end(), [&](const auto& o) { return o.letter == word[i] && (o.letter == 'F' || o.letter >= 'a'); });
      if (found == all.end()) return no_option(string("-") + word[i]);
      if (found->argument.empty()) {
        set(*found, "");
        continue;
      }
      return set(*found, i + 1 < word.size() ? word.substr(i + 1) : next(string("-") + word[i]));
    }
  }

  static std::vector<string> option_names() {
    std::vector<string> names;
    for (const auto& option : options()) names.emplace_back(option.name);
    return names;
  }

  void no_option(const string& name) { fail("no option " + core::excerpt(name) + core::did_you_mean(name, option_names()) + "; `supervisectl help` and `supervisectl help COMMAND` list them"); }

  string next(const string& name) {
    if (at_ < words_.size()) return words_[at_++];
    fail(name + " needs a value");
    return {};
  }

  void set(const Option& option, const string& value) {
    used_ += option.letter;
    const auto number = core::parse_number<unsigned>(value);
    switch (option.letter) {
      case 'd': request_.root = value; break;
      case 'F': request_.conf = value; break;
      case 'h': request_.help = true; break;
      case 'v': request_.version = true; break;
      case 'N': request_.waits = false; break;
      case 'j': request_.json = true; break;
      case 'w': request_.watch = true; break;
      case 'q': request_.quiet = true; break;
      case 'f': request_.follow = true; break;
      case 'W': request_.warn = value; break;
      case 'C': request_.crit = value; break;
      case 't':
        if (!number || *number > kMaxSeconds) return fail("--timeout: \"" + core::excerpt(value) + "\" is no number of seconds");
        request_.timeout = core::seconds(*number);
        break;
      case 'R':
        if (!number || *number == 0) return fail("--rolling: \"" + core::excerpt(value) + "\" is no number of services");
        request_.rolling = *number;
        break;
      case 'n':
        if (!number) return fail("--lines: \"" + core::excerpt(value) + "\" is no number of lines");
        request_.lines = value;
        break;
      default: break;
    }
    if (!option.argument.empty() && value.empty()) fail(string(option.name) + " needs a value");
  }

  void finish() {
    if (!request_.error.empty() || request_.help || request_.version || !request_.command) return;
    const auto& command = *request_.command;
    for (const char letter : used_) {
      const auto option = std::find_if(options().begin(), options().end(), [&](const auto& o) { return o.letter == letter; });
      if (!option->global && command.options.find(letter) == std::string_view::npos)
        return fail(string(command.name) + " has no option " + string(option->name) + "; usage: " + usage_of(command));
    }
    if (command.id == Id::kSignal) request_.first = signal_of(request_.first);
    if (request_.rolling != 0 && !request_.waits) return fail("--rolling waits for each service, and --no-wait does not");
    if (request_.watch && (request_.json || request_.quiet)) return fail("--watch goes with neither --json nor --quiet");
    if (request_.json && request_.quiet) return fail("--json and --quiet exclude each other");
    if (!command.first.empty() && ("|" + string(command.first) + "|").find("|" + request_.first + "|") == string::npos)
      return fail((request_.first.empty() ? string(command.name) + " needs " : "\"" + core::excerpt(request_.first) + "\" is not ") +
                  string(command.arguments == "SIG" ? command.first : command.arguments) + "; usage: " + usage_of(command));
    if (command.names == Command::Names::kNeeded && request_.names.empty())
      return fail(string(command.name) + " needs a NAME, a pattern, or all; usage: " + usage_of(command));
    if (command.names == Command::Names::kNone && !request_.names.empty()) fail("usage: " + usage_of(command));
  }

  // `HUP` of `hup`, `SIGHUP` and `1`; what is no signal stays as it is.
  static string signal_of(const string& text) {
    const auto number = core::parse_signal(text);
    return number ? string(core::signal_name(*number)) : text;
  }

  const std::vector<string>& words_;
  std::size_t at_ = 0;
  string used_;
  Request request_;
};

}  // namespace

Request parse_request(const std::vector<string>& words) { return Parser(words).run(); }

}  // namespace ctl
