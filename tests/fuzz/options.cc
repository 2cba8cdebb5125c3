// The command line of supervise(8), an argument a line, the first being its name; and the argument of a handover.
#include "supervise/options.h"

#include <algorithm>

#include "fuzz/command_lines.h"
#include "fuzz/fuzz.h"
#include "supervise/handover.h"

namespace {

using supervise::Options;
using Mode = Options::Mode;

Options parse(std::vector<std::string> words) {
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  const auto argc = static_cast<int>(argv.size());
  argv.push_back(nullptr);
  return supervise::parse_options(argc, argv.data());
}

std::string shown(const Options& options) {
  std::string text = std::to_string(static_cast<int>(options.mode)) + "|" + options.directory + "|" + options.conf + "|" + options.hook + "|" +
                     std::to_string(options.hook_reset.count()) + "|" + std::to_string(options.foreground) + "|" + std::to_string(options.heartbeat) + "|" + options.error;
  for (const auto& word : options.command) text += "|" + word;
  for (const auto& key : core::keys()) text += "|" + key.print(options.wrapper);
  return text;
}

void check(const Options& options, const std::vector<std::string>& words) {
  fuzz::require(options.error.find('\n') == std::string::npos || std::any_of(words.begin(), words.end(), [](const auto& w) { return w.find('\n') != std::string::npos; }), "an error of several lines");
  if (!options.error.empty()) return;
  const auto& command = options.mode == Mode::kWrap ? options.wrapper.command : options.command;
  switch (options.mode) {
    case Mode::kRun: fuzz::require(!options.directory.empty(), "a run without a status directory"); break;
    case Mode::kWrap:
      fuzz::require(!command.empty(), "a wrapper without a command");
      fuzz::require(options.directory.empty() && options.conf.empty() && options.hook.empty(), "a wrapper with what is not its own");
      fuzz::require(options.heartbeat != options.wrapper.heartbeat_file.empty(), "a heartbeat without a file, or a file without one");
      fuzz::require(command.size() < words.size() && std::equal(command.rbegin(), command.rend(), words.rbegin()), "a command that is not the end of the line");
      break;
    case Mode::kCheck:
    case Mode::kShowHelp:
    case Mode::kShowVersion: break;
  }
  fuzz::require(options.hook_reset >= core::Nanos::zero(), "a time that is none");
}

// `--name value` is `--name=value`.
std::vector<std::string> joined(const std::vector<std::string>& words) {
  std::vector<std::string> out;
  bool ended = false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    out.push_back(words[i]);
    static const std::vector<std::string> names = {"--timeout", "--initial-check-delay", "--heartbeat-file", "--grace-period", "--max-restarts", "--backoff-factor", "--backoff-max"};
    // The program's name is none, and only before anything that may take the word for its own.
    if (i == 0) continue;
    const bool is_option = words[i].size() > 2 && words[i].starts_with("--");
    ended = ended || !is_option;
    if (ended || std::find(names.begin(), names.end(), words[i]) == names.end() || i + 1 == words.size() || words[i + 1].empty()) continue;
    out.back() += "=" + words[++i];
  }
  return out;
}

void check_handover(const std::string& argument) {
  const auto handover = supervise::parse_handover(argument);
  (void)supervise::is_question(argument);
  fuzz::require(!supervise::can_answer(argument) || supervise::is_question(argument), "an answer without a question");
  if (!handover) return;
  fuzz::require(handover->umask <= 0777, "a umask out of its bounds");
  const auto again = supervise::parse_handover(supervise::to_argument(*handover));
  fuzz::require(again && again->umask == handover->umask && again->control == handover->control && again->ok == handover->ok && again->notify == handover->notify &&
                    again->ready == handover->ready && again->state == handover->state && again->logger == handover->logger && handover->logger >= 0,
                "a handover is not what it was");
  for (const int fd : handover->descriptors()) fuzz::require(fd == -1 || fd > 2, "a descriptor that nobody hands over");
}

}  // namespace

FUZZ(options) {
  const auto words = fuzz::arguments_of(input);
  const auto options = parse(words);
  check(options, words);
  fuzz::require(shown(parse(joined(words))) == shown(options), "--name=value is not --name value");
  for (const auto& word : words) check_handover(word);
}
