// Which status directories the words of a command line mean, and the dealings with one of them.
#pragma once

#include <string>
#include <vector>

#include "ctl/request.h"
#include "ctl/view.h"
#include "sys/system.h"

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

// Names, paths, patterns and `all`. A name that has no directory is a complaint, but where `may_be_new` (`start`) says that
// it need not have one yet. No names: all.
enum class Missing { kComplain, kMayBeNew };
[[nodiscard]] Selection select(sys::System& system, const std::string& root, const std::vector<std::string>& names, Missing missing);

// Whether `text` matches the shell pattern (fnmatch(3): * ? [...]).
[[nodiscard]] bool matches(std::string_view pattern, std::string_view text);

struct Reading {
  View view;
  std::string error;    // empty: none; else why nothing can be said
};
[[nodiscard]] Reading read(sys::System& system, const ServiceRef& service);

// Writes letters to the control FIFO. Why that failed; empty if it did not.
[[nodiscard]] Complaint send(sys::System& system, const ServiceRef& service, std::string_view letters);

// `redis: no supervise runs there; start it with ...`.
[[nodiscard]] Complaint not_supervised(const ServiceRef& service);

}  // namespace ctl
