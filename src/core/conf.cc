#include "core/conf.h"

#include <algorithm>
#include <array>

#include "core/nearest.h"
#include "core/strings.h"
#include "core/words.h"

namespace core {
namespace {

using Severity = Diagnostic::Severity;
using std::string;
using std::string_view;

constexpr string_view kGlobal = "global";
constexpr const char* kCommentRule = "; a ; after a blank begins a comment, also within quotes; without the blank it begins none";
constexpr string_view kMail = "alarm_mail";
constexpr string_view kByteOrderMark = "\xEF\xBB\xBF";

string quote(string_view text) { return "\"" + excerpt(text) + "\""; }

// The key of the item in `line`; empty where it is none.
string_view key_of(string_view line) {
  const auto delimiter = line.find_first_of(":=");
  return delimiter == string_view::npos ? string_view() : trim(line.substr(0, delimiter));
}

class Parser {
 public:
  Conf run(string_view text) {
    if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
    while (!text.empty()) {
      ++line_;
      take(take_line(text));
    }
    return std::move(conf_);
  }

 private:
  void take(string_view raw) {
    if (raw.ends_with('\r')) raw.remove_suffix(1);
    string cleaned(raw);
    if (std::erase(cleaned, '\0') != 0) warn("NUL bytes are ignored");
    const auto line = cut_mail_line(cleaned);
    const auto body = trim(line);
    if (body.empty() || body.front() == '#' || body.front() == ';') return;
    if (is_blank(line.front())) return warn("an indented line is not an item and is ignored; items start in the first column");
    if (line.front() == '[') return header(line);
    item(line);
  }

  // What this replaces has always read so much of it.
  string_view cut_mail_line(string_view line) {
    if (line.size() <= kMaxMailLine || !line.starts_with(kMail) || key_of(line) != kMail) return line;
    warn("alarm_mail: the line is longer than 2048 bytes and is cut there");
    return line.substr(0, kMaxMailLine);
  }

  void header(string_view line) {
    section_ = kNoSection;
    skipping_ = true;
    const auto end = line.find(']');
    if (end == string_view::npos) return error("the section header has no ]");
    const auto name = line.substr(1, end - 1);
    if (const auto rest = without_comment(line.substr(end + 1)); !rest.empty())
      return error("nothing but a comment may follow the ] of a section header");
    if (name.empty()) return error("the section has no name; [NAME] is expected");
    if (is_blank(name.front()) || is_blank(name.back()))
      return error("no blanks between the brackets and the name; [" + excerpt(trim(name)) + "] would be right");
    if (name.find(':') != string_view::npos)
      return warn("unknown kind of section [" + excerpt(name) + "], ignored; [" + excerpt(trim(name.substr(name.find(':') + 1))) + "] would be right");
    open(name);
  }

  void open(string_view name) {
    skipping_ = false;
    const auto known = std::find_if(conf_.sections.begin(), conf_.sections.end(), [&](const auto& s) { return s.name == name; });
    if (known != conf_.sections.end())
      warn("section [" + excerpt(name) + "] again, first in line " + std::to_string(known->line) + "; the two count as one");
    section_ = static_cast<std::size_t>(known - conf_.sections.begin());
    if (known == conf_.sections.end()) conf_.sections.push_back({string(name), line_, {}});
  }

  void item(string_view line) {
    const auto delimiter = line.find_first_of(":=");
    if (delimiter == string_view::npos) return error(quote(trim(line)) + " is not an item; `key : value` is expected");
    const auto key = key_of(line);
    if (key.empty()) return error("the item has no key; `key : value` is expected");
    if (section_ == kNoSection) {
      if (!skipping_) error("item " + quote(key) + " stands before any section; [global] or [SERVICE] is expected first");
      return;
    }
    const auto value = without_comment(line.substr(delimiter + 1));
    if (value.size() > kMaxValue) return error(excerpt(key) + ": the value is longer than 128 KiB");
    auto& items = conf_.sections[section_].items;
    const auto twin = std::find_if(items.begin(), items.end(), [&](const auto& i) { return i.key == key; });
    if (twin != items.end()) {
      warn("duplicate key " + quote(key) + ", first in line " + std::to_string(twin->line) + "; this one counts");
      items.erase(twin);
    }
    items.push_back({string(key), string(value), line_, value.size() < trim(line.substr(delimiter + 1)).size()});
  }

  // The value up to a `;` that follows a blank.
  static string_view without_comment(string_view value) {
    for (std::size_t i = 1; i < value.size(); ++i)
      if (value[i] == ';' && is_blank(value[i - 1])) return trim(value.substr(0, i));
    return trim(value);
  }

  void warn(string what) { conf_.diagnostics.push_back({line_, Severity::kWarning, std::move(what)}); }
  void error(string what) { conf_.diagnostics.push_back({line_, Severity::kError, std::move(what)}); }

  static constexpr std::size_t kNoSection = static_cast<std::size_t>(-1);
  Conf conf_;
  std::size_t section_ = kNoSection;
  bool skipping_ = false;    // below a header that opened no section
  int line_ = 0;
};

string meant(string_view unknown) {
  std::vector<string> names;
  for (const auto& key : keys()) names.emplace_back(key.name);
  string word(unknown);
  std::transform(word.begin(), word.end(), word.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  const auto near = did_you_mean(word, names);
  return near.empty() ? "; see supervise.conf(5)" : near;
}

// A word that begins with # where others would have a comment.
bool has_hash_word(string_view value) {
  const auto split = split_words(value);
  return std::any_of(split.words.begin(), split.words.end(), [](const string& word) { return word.starts_with('#'); }) && value.find(" #") != string_view::npos;
}

void apply(const Conf::Section& section, Resolved& out) {
  for (const auto& item : section.items) {
    const auto* key = find_key(item.key);
    if (!key) {
      out.diagnostics.push_back({item.line, Severity::kWarning, "unknown key " + quote(item.key) + ", ignored" + meant(item.key)});
      continue;
    }
    if (key->adds && item.value.empty()) continue;
    out.items.push_back(item);
    if (has_hash_word(item.value))
      out.diagnostics.push_back({item.line, Severity::kWarning, item.key + ": what follows # is part of the value; a comment begins with a ; after a blank"});
    if (const auto right = key->set(out.settings, item.value); !right.empty())
      out.diagnostics.push_back({item.line, Severity::kError, item.key + ": " + quote(item.value) + " is not " + right + (item.commented ? kCommentRule : "")});
    if (out.settings.alarm_gsm.size() <= kMaxGsmNumbers) continue;
    out.settings.alarm_gsm.resize(kMaxGsmNumbers);
    out.diagnostics.push_back({item.line, Severity::kWarning, "alarm_gsm has more than 10 numbers; the first 10 count"});
  }
}

}  // namespace

string to_text(const Diagnostic& diagnostic, string_view file) {
  constexpr std::array kSeverities = {": ", ": warning: ", ": error: "};
  return string(file) + ":" + std::to_string(diagnostic.line) + kSeverities[static_cast<std::size_t>(diagnostic.severity)] + diagnostic.what;
}

bool has_errors(const std::vector<Diagnostic>& diagnostics) {
  return std::any_of(diagnostics.begin(), diagnostics.end(), [](const auto& d) { return d.severity == Severity::kError; });
}

Conf parse_conf(string_view text) { return Parser().run(text); }

Resolved resolve(const Conf& conf, string_view service) {
  Resolved out;
  for (const auto& section : conf.sections) {
    if (section.name == kGlobal) apply(section, out);
    if (section.name != service) continue;
    if (service != kGlobal) apply(section, out);
    break;
  }
  return out;
}

}  // namespace core
