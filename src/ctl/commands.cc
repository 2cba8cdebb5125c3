#include "ctl/commands.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace ctl {
namespace {

using Names = Command::Names;
using std::string;

constexpr std::array kOptions = {
    Option{'d', "--root", "ROOT", true, "the directory of status directories; default $SUPERVISE_ROOT, else ./status"},
    Option{'F', "--conf", "CONF", true, "the configuration file for a supervise that is started; default supervise.conf in the working directory, else /etc/supervise.conf"},
    Option{'h', "--help", "", true, "this text"},
    Option{'v', "--version", "", true, "the version"},
    Option{'N', "--no-wait", "", false, "do not wait until it is true"},
    Option{'t', "--timeout", "SECONDS", false, "how long to wait until it is true; default 60, 0: for ever"},
    Option{'R', "--rolling", "N", false, "N services at a time; the next ones when these are ready, and none after a failure"},
    Option{'j', "--json", "", false, "a JSON array, an object a service"},
    Option{'w', "--watch", "", false, "go on showing it, whenever something changes; on a terminal as a screen"},
    Option{'q', "--quiet", "", false, "the names alone"},
    Option{'f', "--follow", "", false, "go on with what is added, over rotations"},
    Option{'n', "--lines", "LINES", false, "how many of the last lines; default 10"},
    Option{'W', "--warn", "CONDITIONS", false, "when to warn"},
    Option{'C', "--crit", "CONDITIONS", false, "when it is critical"},
};

constexpr std::string_view kWaits = "Nt";

constexpr std::array kCommands = {
    Command{Id::kStatus, "status", "", "", Names::kAny, "jwq", "", "show the state of services",
            "Exit status 0 if all of them are up, 3 if one is not, 4 if one is unknown. REASON says, too, if the configuration has changed since it was read, or was faulty when it was."},
    Command{Id::kStart, "start", "", "", Names::kNeeded, "NtR", "u", "start services that are down, and restart them when they die",
            "Waits until each is RUNNING, and ready where it gives its own word for that, or has run as it should and ended. Where no supervise runs, and the configuration has a command for the "
            "service or its directory an executable file run, supervise is started; so a NAME, a pattern or all means the sections of the configuration "
            "as well."},
    Command{Id::kStop, "stop", "", "", Names::kNeeded, kWaits, "d", "stop services, and leave them down",
            "Waits until each is down, with kill_tree what it left behind as well. A service that does not end gets KILL after its stopwaitsecs."},
    Command{Id::kRestart, "restart", "", "", Names::kNeeded, "NtR", "du", "stop services and start them again",
            "Waits until each is RUNNING under another pid, and ready where it gives its own word for that. One that no supervise runs for is started as by start; if its service runs on without one, use start first, which adopts it. The configuration is not read again: a warning says if it has changed or is faulty, and reload reads it."},
    Command{Id::kOnce, "once", "", "", Names::kNeeded, kWaits, "o", "start services that are down, and do not restart them", ""},
    Command{Id::kKill, "kill", "", "", Names::kNeeded, kWaits, "k", "send KILL", "A service that is wanted up is started again."},
    Command{Id::kSignal, "signal", "SIG", "HUP|TERM|INT|QUIT|KILL|ALRM|USR1|USR2|WINCH|STOP|CONT", Names::kNeeded, "", "", "send a signal",
            "SIG is one of HUP TERM INT QUIT KILL ALRM USR1 USR2 WINCH STOP CONT, with or without SIG, or its number."},
    Command{Id::kPause, "pause", "", "", Names::kNeeded, kWaits, "p", "send STOP", ""},
    Command{Id::kContinue, "cont", "", "", Names::kNeeded, kWaits, "c", "send CONT", ""},
    Command{Id::kAlarm, "alarm", "on|off", "on|off", Names::kNeeded, kWaits, "", "switch alarms on or off", ""},
    Command{Id::kReload, "reload", "", "", Names::kNeeded, "", "r", "read the configuration again",
            "It is checked first: a faulty one is reported, and nothing changes. The answer names the keys that have changed, and those of them that need a restart."},
    Command{Id::kUpgrade, "upgrade", "", "", Names::kNeeded, kWaits, "E", "let supervise go on as the program that is on disk now",
            "The service is not touched."},
    Command{Id::kExit, "exit", "", "", Names::kNeeded, kWaits, "dx", "stop services and end their supervises", ""},
    Command{Id::kPid, "pid", "", "", Names::kAny, "", "", "print the pids of services", "A line a service; 0 for one that is down, and exit status 3 then. Where others can write to the status directory, a pid that supervise has not recorded is 0, and exit status 4, unless the process belongs to the owner of the directory."},
    Command{Id::kTail, "tail", "[stdout|stderr|log]", "", Names::kNeeded, "fn", "", "show the last lines of a log",
            "stdout, which is the default, is what the service wrote to its standard output, log what supervise has to say. With more than one service tail(1) names each."},
    Command{Id::kWait, "wait", "up|down|ready|change", "up|down|ready|change", Names::kNeeded, "t", "", "wait until services are so",
            "ready is RUNNING, and ready by the service's own word where it gives one; change is any other state, pid or wish than now. A service that was "
            "given up is not waited for."},
    Command{Id::kCheck, "check", "", "", Names::kAny, "WC", "", "tell scripts and probes whether services are as they should be",
            "Exit status 0 if every service is RUNNING, or down because it is wanted down; else 3, also in the first minute after the second of two "
            "exits in one window, or while its output waits, and 4 for an unknown one. With --warn or --crit it is a "
            "monitoring plugin: one line, and exit status 0, 1 (warning), 2 (critical) or 3 (unknown). CONDITIONS are separated by commas: uptime<N "
            "(seconds), exits>N, cores>N, tries>N, heartbeat>N (seconds), memory>N (bytes, or with K, M, G). exits and cores are those since supervise was started. Critical is also a service that is not "
            "as it should be."},
    Command{Id::kClear, "clear", "", "", Names::kNeeded, "", "", "empty the logs of a service's output", "Rotated files stay."},
    Command{Id::kRotate, "rotate", "", "", Names::kNeeded, "", "l", "begin new log files", ""},
    Command{Id::kConfig, "config", "", "", Names::kNeeded, "", "", "print the effective settings of services",
            "Those of the file as it is now; what is in force was read at the start or with the last reload."},
    Command{Id::kMetrics, "metrics", "", "", Names::kAny, "", "", "print the state of services for Prometheus", "Text exposition format."},
    Command{Id::kHelp, "help", "[COMMAND]", "", Names::kNone, "", "", "say more about a command", ""},
};

const Option& option_of(char letter) {
  return *std::find_if(kOptions.begin(), kOptions.end(), [&](const auto& o) { return o.letter == letter; });
}

bool has_short_form(const Option& option) { return option.letter >= 'a' || option.letter == 'F'; }

// Lines of at most 78 characters, each after `indent` blanks. A newline ends a line.
string wrapped(std::string_view text, std::size_t indent) {
  string out, line;
  const auto end_line = [&] { out += string(indent, ' ') + std::exchange(line, {}) + "\n"; };
  while (!text.empty()) {
    const auto end = text.find_first_of(" \n");
    const auto word = text.substr(0, end);
    const bool ends_line = end == std::string_view::npos || text[end] == '\n';
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    if (!line.empty() && indent + line.size() + 1 + word.size() > 78) end_line();
    line += (line.empty() ? "" : " ") + string(word);
    if (ends_line) end_line();
  }
  return out;
}

string row(std::string_view left, std::string_view right) {
  constexpr std::size_t kColumn = 26;
  string out = "  " + string(left);
  if (out.size() + 2 > kColumn) return out + "\n" + wrapped(right, kColumn);
  const auto lines = wrapped(right, kColumn);
  out.resize(kColumn, ' ');
  return out + lines.substr(kColumn);
}

string names_of(const Option& option) {
  string out;
  if (has_short_form(option)) out = string("-") + option.letter + ", ";
  out += option.name;
  if (!option.argument.empty()) out += " " + string(option.argument);
  return out;
}

string replaced(string text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != string::npos; at += to.size()) text.replace(at, from.size(), to);
  return text;
}

std::vector<string> split(std::string_view text) {
  std::vector<string> out;
  while (!text.empty()) {
    const auto part = text.substr(0, text.find('|'));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    out.emplace_back(part);
  }
  return out;
}

// The long and short names of the options that `command` has, its own and the global ones.
string option_words(const Command& command) {
  string out;
  for (const auto& option : kOptions)
    if (option.global || command.options.find(option.letter) != std::string_view::npos)
      out += (out.empty() ? "" : " ") + (has_short_form(option) ? string("-") + option.letter + " " : string()) + string(option.name);
  return out;
}

}  // namespace

std::span<const Command> commands() { return kCommands; }
std::span<const Option> options() { return kOptions; }

const Command* find_command(std::string_view name) {
  const auto* found = std::find_if(kCommands.begin(), kCommands.end(), [&](const auto& c) { return c.name == name; });
  return found == kCommands.end() ? nullptr : found;
}

const Command& command_of(Id id) {
  return *std::find_if(kCommands.begin(), kCommands.end(), [&](const auto& c) { return c.id == id; });
}

string usage_of(const Option& option) {
  auto out = has_short_form(option) ? string("-") + option.letter : string(option.name);
  return option.argument.empty() ? out : out + " " + string(option.argument);
}

string usage_of(const Command& command) {
  string out = "supervisectl " + string(command.name);
  for (const char letter : command.options) out += " [" + usage_of(option_of(letter)) + "]";
  const auto names = command.names == Names::kNeeded ? " NAME..." : command.names == Names::kAny ? " [NAME...]" : "";
  const bool last = command.id == Id::kTail;
  if (last) out += names;
  if (!command.arguments.empty()) out += " " + string(command.arguments);
  return last ? out : out + names;
}

string help() {
  string out = "usage: supervisectl [-d ROOT] [-F CONF] COMMAND [OPTIONS] [NAME...]\n\n"
               "NAME is a service of ROOT, a path to a status directory (with a slash in it),\n"
               "a pattern such as 'web-*', or all.\n\n";
  for (const auto& command : kCommands) out += row(command.name.size() + command.arguments.size() > 20 ? string(command.name) : string(command.name) + (command.arguments.empty() ? "" : " ") + string(command.arguments), command.help);
  out += "\n";
  for (const auto& option : kOptions)
    if (option.global) out += row(names_of(option), option.help);
  return out + "\n" +
         wrapped("Most commands wait until what they ask for is true: see `supervisectl help COMMAND`. Exit status: 0 done; 1 failed or not in time; "
                 "2 wrong usage; 3 not running; 4 no such service, or no right to it.",
                 0);
}

string help(const Command& command) {
  string out = "usage: " + usage_of(command) + "\n\n" + string(command.help) + "\n";
  if (!command.more.empty()) out += "\n" + wrapped(command.more, 0);
  if (!command.options.empty()) out += "\n";
  for (const char letter : command.options) out += row(names_of(option_of(letter)), option_of(letter).help);
  return out;
}

string manual_items() {
  // A line a sentence, none of them long.
  const auto text = [](std::string_view words) {
    return wrapped(replaced(replaced(replaced(string(words), "\\", "\\e"), "'", "\\(aq"), ". ", ".\n"), 0);
  };
  const auto sentence = [&](std::string_view words) {
    string out(words);
    if (out[0] >= 'a' && out[0] <= 'z') out[0] = static_cast<char>(out[0] - 'a' + 'A');
    return text(out + ".");
  };
  const auto item = [&](const Option& option) {
    string out = ".It ";
    if (has_short_form(option)) out += string("Fl ") + option.letter + " , ";
    out += "Fl " + string(option.name.substr(1));
    return out + (option.argument.empty() ? "\n" : " Ar " + string(option.argument) + "\n") + sentence(option.help);
  };
  const auto argument = [](string words) {
    if (words.empty()) return words;
    const bool may_miss = words[0] == '[';
    if (may_miss) words = words.substr(1, words.size() - 2);
    const bool literal = words[0] >= 'a' && words[0] <= 'z';
    return string(may_miss ? " Op " : " ") + (literal ? "Cm " : "Ar ") + replaced(words, "|", " | ");
  };
  string out = ".Ss Options of every command\n.Bl -tag -width Ds\n";
  for (const auto& option : kOptions)
    if (option.global) out += item(option);
  out += ".El\n.Ss Options of commands that wait\n.Bl -tag -width Ds\n";
  for (const char letter : kWaits) out += item(option_of(letter));
  out += ".El\n.Ss Commands\n.Bl -tag -width Ds\n";
  for (const auto& command : kCommands) {
    const auto names = command.names == Names::kNone ? "" : command.names == Names::kAny ? " Op Ar NAME ..." : " Ar NAME ...";
    const bool last = command.id == Id::kTail;
    out += ".It Ic " + string(command.name) + (last ? names : "") + argument(string(command.arguments)) + (last ? "" : names) + "\n" + sentence(command.help);
    if (!command.more.empty()) out += text(command.more);
    string own;
    for (const char letter : command.options)
      if (kWaits.find(letter) == std::string_view::npos) own += item(option_of(letter));
    if (!own.empty()) out += ".Bl -tag -width Ds -compact\n" + own + ".El\n";
  }
  return out + ".El\n";
}

string bash_completion() {
  string names;
  for (const auto& command : kCommands) names += (names.empty() ? "" : " ") + string(command.name);
  string globals;
  for (const auto& option : kOptions)
    if (option.global) globals += (globals.empty() ? "" : " ") + (has_short_form(option) ? string("-") + option.letter + " " : string()) + string(option.name);
  string out = "# Completion of supervisectl for bash: source this file, or install it as supervisectl in bash-completion's directory.\n"
               "# Made by `supervisectl help bash`.\n\n"
               "_supervisectl() {\n"
               "    local word=${COMP_WORDS[COMP_CWORD]} last=${COMP_WORDS[COMP_CWORD - 1]} command='' root=() options='' words='' names='' name i\n"
               "    COMPREPLY=()\n"
               "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
               "        case ${COMP_WORDS[i]} in\n"
               "            -d | --root) root=(-d \"${COMP_WORDS[++i]}\") ;;\n"
               "            -F | --conf | -t | --timeout | -n | --lines | --rolling | --warn | --crit) ((i++)) ;;\n"
               "            -*) ;;\n"
               "            *) command=${command:-${COMP_WORDS[i]}} ;;\n"
               "        esac\n"
               "    done\n"
               "    case $last in\n"
               "        -d | --root | -F | --conf)\n"
               "            compopt -o filenames 2>/dev/null\n"
               "            mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
               "            return\n"
               "            ;;\n"
               "        -t | --timeout | -n | --lines | --rolling | --warn | --crit) return ;;\n"
               "    esac\n"
               "    case $command in\n"
               "        '')\n"
               "            words='" + names + "'\n"
               "            options='" + globals + "'\n"
               "            ;;\n";
  for (const auto& command : kCommands) {
    out += "        " + string(command.name) + ")\n            options='" + option_words(command) + "'\n";
    const string first = replaced(string(command.first), "|", " ");
    if (!first.empty()) out += "            if [[ $last = " + string(command.name) + " ]]; then words='" + first + "'; fi\n";
    if (command.id == Id::kTail) out += "            words='stdout stderr log'\n";
    if (command.id == Id::kHelp) out += "            words='" + names + "'\n";
    if (command.names != Names::kNone)
      out += string("            ") + (first.empty() ? "" : "[[ -n $words ]] || ") + "names=yes\n";
    out += "            ;;\n";
  }
  return out + "    esac\n"
               "    if [[ $word = -* ]]; then words=$options names=''; fi\n"
               "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
               "    [[ -n $names ]] || return 0\n"
               "    # A name may have anything in it, and is never expanded.\n"
               "    while IFS= read -r name; do\n"
               "        [[ $name = \"$word\"* ]] && COMPREPLY+=(\"$(printf %q \"$name\")\")\n"
               "    done < <(printf 'all\\n'; supervisectl \"${root[@]}\" status -q 2>/dev/null)\n"
               "    if [[ $word = */* ]]; then\n"
               "        compopt -o filenames 2>/dev/null\n"
               "        while IFS= read -r name; do COMPREPLY+=(\"$name\"); done < <(compgen -d -- \"$word\")\n"
               "    fi\n"
               "    return 0\n"
               "}\n\n"
               "complete -F _supervisectl supervisectl\n";
}

string zsh_completion() {
  const auto quoted = [](std::string_view s) { return replaced(replaced(replaced(replaced(string(s), "'", "'\\''"), "[", "\\["), "]", "\\]"), ":", "\\:"); };
  const auto spec = [&](const Option& option) {
    const auto rest = "[" + quoted(option.help) + "]" +
                      (option.argument.empty() ? string() : ":" + string(option.argument) + ":" + (option.argument == "ROOT" ? "_files -/" : option.argument == "CONF" ? "_files" : ""));
    const string long_name = string(option.name) + (option.argument.empty() ? "" : "=");
    if (!has_short_form(option)) return "'" + long_name + rest + "'";
    return string("'(-") + option.letter + " " + string(option.name) + ")'{-" + option.letter + "," + long_name + "}'" + rest + "'";
  };
  string out = "#compdef supervisectl\n# Made by `supervisectl help zsh`.\n\n"
               "_supervisectl_names() {\n"
               "    local -a names\n"
               "    names=(all ${(f)\"$(supervisectl ${opt_args[-d]:+-d} ${opt_args[-d]} status -q 2>/dev/null)\"})\n"
               "    compadd -a names\n"
               "}\n\n"
               "_supervisectl() {\n"
               "    local -a commands\n"
               "    local context state line\n"
               "    typeset -A opt_args\n"
               "    commands=(\n";
  for (const auto& command : kCommands) out += "        '" + string(command.name) + ":" + quoted(command.help) + "'\n";
  out += "    )\n    _arguments -C \\\n";
  for (const auto& option : kOptions)
    if (option.global) out += "        " + spec(option) + " \\\n";
  out += "        '1:command:->command' '*::argument:->argument'\n"
         "    case $state in\n"
         "        command) _describe command commands ;;\n"
         "        argument)\n"
         "            case $words[1] in\n";
  for (const auto& command : kCommands) {
    out += "                " + string(command.name) + ")\n                    _arguments";
    for (const char letter : command.options) out += " \\\n                        " + spec(option_of(letter));
    if (!command.first.empty()) {
      string list;
      for (const auto& word : split(command.first)) list += (list.empty() ? "" : " ") + word;
      out += " \\\n                        '1:what:(" + list + ")'";
    }
    if (command.id == Id::kHelp) out += " \\\n                        '1:command:_describe command commands'";
    if (command.names != Names::kNone) out += " \\\n                        '*:service:_supervisectl_names'";
    out += "\n                    ;;\n";
  }
  return out + "            esac\n            ;;\n    esac\n}\n\n_supervisectl \"$@\"\n";
}

}  // namespace ctl
