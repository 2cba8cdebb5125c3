#include "kinds.h"

#include <array>

namespace soak {
namespace {

// Those that need a small disk come last.
constexpr std::array kKinds{
    Kind{"steady", "pause=200 lines=2", "backoff : none\n"},
    Kind{"crash", "pause=100 lines=3 life=3000 ends=esc", "backoff : exponential\nbackoff_max : 2\n", Kind::kEnds},
    Kind{"hang", "pause=200 lines=1 life=4000 ends=h beat", "heartbeat_file : @/beat\nheartbeat_timeout : 2\nstopwaitsecs : 1\n", Kind::kEnds},
    Kind{"watchdog", "pause=200 lines=1 life=4000 ends=h notify", "notify : true\nwatchdog : 2\nready_timeout : 20\n", Kind::kEnds},
    Kind{"flood", "pause=20 lines=60", "stderr_logfile : none\n"},
    Kind{"daemon", "pause=200 lines=2 life=6000 ends=es background pidfile=@/pid", "forking : true\npidfile : @/pid\n", Kind::kEnds | Kind::kForks},
    Kind{"untold", "pause=200 lines=2 life=6000 ends=es background", "forking : true\nbackoff : linear\nbackoff_max : 2\n", Kind::kEnds | Kind::kForks},
    Kind{"family", "pause=200 lines=2 life=5000 ends=es orphans=2", "kill_tree : true\nstopwaitsecs : 1\n", Kind::kEnds},
    Kind{"deaf", "pause=200 lines=2 ignore", "stopwaitsecs : 1\n"},
    Kind{"slow", "pause=200 lines=2 slow=1500 ready=5 life=8000 ends=e", "ready_fd : 5\nready_timeout : 20\n", Kind::kEnds},
    Kind{"hook", "pause=200 lines=2 life=4000 ends=e", "hook_timeout : 1\n", Kind::kEnds | Kind::kHook},
    Kind{"alarm", "pause=200 lines=2 life=4000 ends=esc", "alarm_interval : 60\nalarm_command : sleep 0.2\nmax_tries : 8\n", Kind::kEnds | Kind::kGivesUp},
    Kind{"iso", "pause=50 lines=9 both", "redirect_stderr : true\nlog_timestamps : iso\n", Kind::kStamps},
    Kind{"tai", "pause=50 lines=9 life=9000 ends=es", "log_timestamps : tai64n\n", Kind::kEnds | Kind::kStamps},
    Kind{"tight", "pause=50 lines=9", "stderr_logfile : none\n", Kind::kTight},
    Kind{"brim", "pause=100 lines=9 life=4000 ends=es", "backoff : linear\nbackoff_max : 2\n", Kind::kEnds | Kind::kTight},
};
constexpr std::size_t kWithoutDisk = 14;

}  // namespace

std::span<const Kind> kinds(Disks disks) { return std::span(kKinds).first(disks == Disks::kSmall ? kKinds.size() : kWithoutDisk); }

}  // namespace soak
