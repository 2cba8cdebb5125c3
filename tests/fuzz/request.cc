// The command line of supervisectl(1), an argument a line: what is asked for is complete, and only letters that supervise knows
// come of it.
#include "ctl/request.h"

#include <algorithm>

#include "core/command.h"
#include "core/outcome.h"
#include "core/state.h"
#include "ctl/judge.h"
#include "ctl/metrics.h"
#include "ctl/services.h"
#include "fuzz/command_lines.h"
#include "fuzz/fuzz.h"

namespace {

// By all ways to choose what a `*` stands for, that is which positions of the text are reached.
bool matches(std::string_view pattern, std::string_view text) {
  std::vector<bool> reached(text.size() + 1);
  reached[0] = true;
  for (std::size_t at = 0; at < pattern.size();) {
    const char p = pattern[at++];
    std::vector<bool> next(text.size() + 1);
    if (p == '*') {
      bool any = false;
      for (std::size_t i = 0; i <= text.size(); ++i) next[i] = any = any || reached[i];
      reached = next;
      continue;
    }
    std::vector<std::pair<char, char>> ranges;
    bool negated = false;
    if (p == '[') {
      negated = at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^');
      if (negated) ++at;
      for (bool first = true; at < pattern.size() && (first || pattern[at] != ']'); first = false) {
        ranges.emplace_back(pattern[at], pattern[at]);
        if (at + 2 < pattern.size() && pattern[at + 1] == '-' && pattern[at + 2] != ']') {
          ranges.back().second = pattern[at + 2];
          at += 2;
        }
        ++at;
      }
      at = std::min(at + 1, pattern.size());
    }
    const auto fits = [&](char c) {
      if (p != '[') return p == '?' || p == c;
      return negated != std::any_of(ranges.begin(), ranges.end(), [c](const auto& range) { return range.first <= c && c <= range.second; });
    };
    for (std::size_t i = 0; i < text.size(); ++i) next[i + 1] = reached[i] && fits(text[i]);
    reached = next;
  }
  return reached[text.size()];
}

ctl::View seen(std::int32_t pid) {
  ctl::View view;
  view.source = ctl::View::Source::kOurs;
  view.supervised = true;
  view.state = pid != 0 ? core::State::kRunning : core::State::kStopped;
  view.want = pid != 0 ? core::Want::kUp : core::Want::kDown;
  view.pid = pid;
  view.starts = 1;
  return view;
}

void check(const ctl::Request& request, const std::vector<std::string>& words) {
  fuzz::require(request.timeout >= core::Nanos::zero() && request.timeout <= core::seconds(366 * 86400), "a timeout out of its bounds");
  for (const auto& name : request.names) fuzz::require(std::find(words.begin(), words.end(), name) != words.end(), "a name that nobody gave");
  if (!request.error.empty() || request.help || request.version || !request.command) return;
  const auto& command = *request.command;
  fuzz::require(command.names != ctl::Command::Names::kNeeded || !request.names.empty(), "no names");
  fuzz::require(!request.json || !request.quiet, "two that exclude each other");
  fuzz::require(command.id != ctl::Id::kSignal || core::parse_signal(request.first), "a signal that is none");
  for (const char letter : ctl::letters_of(request)) fuzz::require(core::find_command(letter), "a letter that supervise does not know");
  for (const auto& [before, now] : {std::pair(seen(0), seen(4711)), std::pair(seen(4711), seen(0)), std::pair(seen(4711), seen(4711))})
    for (const bool is_new : {false, true}) {
      const auto verdict = ctl::judge(request, before, now, is_new);
      fuzz::require(verdict.kind != ctl::Verdict::Kind::kFailed || !verdict.text.empty(), "a failure without a word");
      (void)ctl::judge_at_first(request, now);
    }
  for (const auto* conditions : {&request.warn, &request.crit}) {
    const auto parsed = ctl::parse_conditions(*conditions);
    fuzz::require(parsed.error.empty() || parsed.error.find("is no condition") != std::string::npos, "an error in other words");
  }
}

}  // namespace

FUZZ(request) {
  const auto words = fuzz::arguments_of(input);
  check(ctl::parse_request(words), words);
  for (std::size_t i = 0; i + 1 < std::min<std::size_t>(words.size(), 8); ++i)
    if (words[i].size() * words[i + 1].size() < 4096)
      fuzz::require(ctl::matches(words[i], words[i + 1]) == matches(words[i], words[i + 1]), "a pattern matches what it should not, or does not what it should");
}
