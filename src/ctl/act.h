// Commands that change something: the letters go to all services at once, and then it waits until all of it is true.
#pragma once

#include "ctl/request.h"
#include "ctl/services.h"

namespace ctl {

// Says on standard output what became of each service, on standard error what went wrong. Returns the exit status.
int act(sys::System& system, const Request& request);

}  // namespace ctl
