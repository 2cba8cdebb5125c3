// The two ends of the loggers' measurement, each a process of its own.
#pragma once

namespace bench {

// Writes `bytes` bytes of lines of 100 bytes to descriptor 1, `width` bytes a write. An exit status.
int feed(long width, long bytes);

// The least that a logger can do: what descriptor 0 gives goes to files of 16 MB in that directory. An exit status.
int copy(const char* directory);

}  // namespace bench
