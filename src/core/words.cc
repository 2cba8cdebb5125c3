#include "core/words.h"

namespace core {
namespace {

constexpr std::string_view kJoinedLines = "\\\n";

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

class Splitter {
 public:
  explicit Splitter(std::string_view line) : rest_(line) {}

  Words run() {
    while (!rest_.empty() && out_.error.empty()) step();
    end_word();
    return std::move(out_);
  }

 private:
  void step() {
    if (rest_.starts_with(kJoinedLines)) return rest_.remove_prefix(kJoinedLines.size());
    const char c = rest_.front();
    note_operator();
    rest_.remove_prefix(1);
    if (is_blank(c)) return end_word();
    in_word_ = true;
    switch (c) {
      case '\'': return single_quoted();
      case '"': return double_quoted();
      case '\\': return escaped();
      default: word_ += c;
    }
  }

  void note_operator() {
    if (!out_.shell_operator.empty()) return;
    if (rest_.starts_with("$("))
      out_.shell_operator = "$(";
    else if (std::string_view("|&;<>`").find(rest_.front()) != std::string_view::npos)
      out_.shell_operator = rest_.substr(0, 1);
  }

  void single_quoted() {
    const auto end = rest_.find('\'');
    if (end == std::string_view::npos) return fail("unbalanced '");
    word_ += rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
  }

  // Inside "..." a backslash quotes only $ ` " and \, as POSIX says.
  void double_quoted() {
    while (!rest_.empty()) {
      if (rest_.starts_with(kJoinedLines)) {
        rest_.remove_prefix(kJoinedLines.size());
        continue;
      }
      const char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"') return;
      if (c == '\\' && !rest_.empty() && std::string_view("$`\"\\").find(rest_.front()) != std::string_view::npos) {
        word_ += rest_.front();
        rest_.remove_prefix(1);
      } else {
        word_ += c;
      }
    }
    fail("unbalanced \"");
  }

  void escaped() {
    if (rest_.empty()) return fail("nothing follows the last \\");
    word_ += rest_.front();
    rest_.remove_prefix(1);
  }

  void end_word() {
    if (in_word_) out_.words.push_back(std::move(word_));
    word_.clear();
    in_word_ = false;
  }

  void fail(const char* what) { out_.error = what; }

  std::string_view rest_;
  std::string word_;
  bool in_word_ = false;
  Words out_;
};

}  // namespace

Words split_words(std::string_view line) { return Splitter(line).run(); }

}  // namespace core
