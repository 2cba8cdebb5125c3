// The supervise that a client starts, or asks: its program, its configuration, and what it would run.
#pragma once

#include <string>
#include <vector>

#include "ctl/services.h"

namespace ctl {

// How to start a supervise for a service that has none: the arguments, and the directory to run them in (empty: ours). No
// arguments: why that can't be done; faults of the configuration were said on standard error.
struct Start {
  std::vector<std::string> words;
  std::string directory;
  Complaint complaint;
};
[[nodiscard]] Start find_start(sys::System& system, const Request& request, const ServiceRef& service);

// Runs `supervise --check` as the supervise of this service was started, or would be. Returns its exit status.
int check_configuration(sys::System& system, const Request& request, const ServiceRef& service, const Reading& reading);

// The services that the configuration has a section with a command for: what `start` can start.
[[nodiscard]] std::vector<std::string> configured_services(sys::System& system, const Request& request);

}  // namespace ctl
