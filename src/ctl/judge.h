// Whether what a command asked for is true by now: pure, a table of commands and views.
#pragma once

#include <string>

#include "ctl/request.h"
#include "ctl/view.h"

namespace ctl {

struct Verdict {
  enum class Kind { kNotYet, kDone, kFailed } kind = Kind::kNotYet;
  std::string text;    // `stopped`; of kNotYet what it is waiting for
  int status = kFailed;
};

// `before` is what was seen before the letters were written, `now` what is seen at present. `is_new`: supervise was started
// for this command.
[[nodiscard]] Verdict judge(const Request& request, const View& before, const View& now, bool is_new);

// Whether it is true without doing anything: `already stopped`.
[[nodiscard]] Verdict judge_at_first(const Request& request, const View& view);

// The letters of the command with its first argument.
[[nodiscard]] std::string letters_of(const Request& request);

}  // namespace ctl
