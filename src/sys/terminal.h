// The terminal of wrapper mode, which a command that crashes may leave without echo, or in the hands of a group that has ended.
#pragma once

namespace sys {

// Remembers the modes of the terminal that controls this process, if this process is in its foreground.
void remember_terminal();

// Puts these modes back, and takes the terminal back from a foreground group that has ended. One that another group is using
// stays as it is. Without remember_terminal() it does nothing.
void restore_terminal();

}  // namespace sys
