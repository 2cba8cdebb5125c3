// Which status directories the words of a command line mean, and the dealings with one of them.
#pragma once

#include <string>
#include <vector>

#include "core/state.h"
#include "ctl/request.h"
#include "ctl/view.h"
#include "sys/unique_fd.h"

namespace ctl {

struct ServiceRef {
  std::string name;    // as it is shown
  std::string dir;     // its status directory, absolute
  bool exists = true;
};

// A line for standard error, and the exit status that it means.
struct Complaint {
  std::string text;
  int status = kFailed;
};

struct Selection {
  std::vector<ServiceRef> services;
  std::vector<Complaint> complaints;
};

// -d, $SUPERVISE_ROOT or ./status.
[[nodiscard]] std::string root_of(const Request& request);

// Names, paths, patterns and `all`; no names: all. A name that has no directory is a complaint, unless it is one of `configured`,
// which may be started.
[[nodiscard]] Selection select(sys::System& system, const std::string& root, const std::vector<std::string>& names, const std::vector<std::string>& configured = {});

// Whether `text` matches the shell pattern (fnmatch(3): * ? [...]).
[[nodiscard]] bool matches(std::string_view pattern, std::string_view text);

struct Reading {
  View view;
  bool trusted = false;            // nobody but root and ourselves can have written what was read; else it names no files
  core::ProcessId supervise;       // that its state names
  std::string error;               // empty: none; else why nothing can be said
};
[[nodiscard]] Reading read(sys::System& system, const ServiceRef& service);

// The pid of its supervise, which lives; 0 where none is known.
[[nodiscard]] std::int32_t supervise_of(sys::System& system, const Reading& reading);

// Opens a log that its state names, if it is a plain file with one name: for reading (kRead), or to be emptied, if it is ours.
[[nodiscard]] sys::Result<sys::UniqueFd> open_log(sys::System& system, const ServiceRef& service, const std::string& path, sys::OpenMode mode);

// Writes letters to the control FIFO. Why that failed; empty if it did not.
[[nodiscard]] Complaint send(sys::System& system, const ServiceRef& service, std::string_view letters);

// `redis: no supervise runs there; start it with ...`.
[[nodiscard]] Complaint not_supervised(const ServiceRef& service);

}  // namespace ctl
