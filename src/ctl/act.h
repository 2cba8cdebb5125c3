// Commands that change something: the letters go to all services at once, and then it waits until all of it is true.
#pragma once

#include "ctl/request.h"
#include "ctl/services.h"

namespace ctl {

// Says on standard output what became of each service, on standard error what went wrong. Returns the exit status.
int act(sys::System& system, const Request& request);

// Runs `supervise --check` as the supervise of this service was started, or would be. Returns its exit status.
int check_configuration(sys::System& system, const Request& request, const ServiceRef& service, const Reading& reading);

// The services that the configuration has a section with a command for: what `start` can start.
[[nodiscard]] std::vector<std::string> configured_services(sys::System& system, const Request& request);

}  // namespace ctl
