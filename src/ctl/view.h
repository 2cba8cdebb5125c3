// What can be seen of a service from outside: its status directory, read without trust.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/machine.h"
#include "core/status.h"

namespace ctl {

struct View {
  enum class Source { kNone, kOurs, kForeign };    // kForeign: daemontools or runit
  Source source = Source::kNone;
  bool supervised = false;         // a supervise runs there
  bool orphaned = false;           // none does, but its service still runs
  core::State state = core::State::kStopped;
  core::Want want = core::Want::kDown;
  std::int32_t pid = 0, supervise_pid = 0;
  bool paused = false, alarms_on = true;
  core::WallTime since{}, started{}, ready{}, next_start{};    // the epoch: none
  std::uint64_t starts = 0, exits = 0, exits_nonzero = 0, exits_signal = 0, exits_core = 0;
  unsigned tries = 0, coredumps = 0;
  core::Reason cause = core::Reason::kNone;    // of `reason`, where it is one of those that have no details
  bool ended = false;                          // its last supervise has ended as it was told, and the next one begins anew
  std::string exit, reason, status, output_waits, output, errors, heartbeat;
  std::string conf;                            // the configuration file, there or not
  core::WallTime conf_time{};                  // that it had when it was last read
  std::uint64_t conf_reads = 0;                // 0: not told
  bool conf_faulty = false;                    // the last reading was refused, and older settings are in force
  bool conf_newer = false;                     // it has changed since; the caller's

  [[nodiscard]] bool is_up() const { return (supervised || orphaned) && pid != 0; }
};

// Of a `state` file; nothing where it has not even a state. `supervised` and `orphaned` are the caller's.
[[nodiscard]] std::optional<View> view_of_state(std::string_view text);
// Of a `supervise/status` of daemontools (18 bytes) or runit (20): https://cr.yp.to/daemontools/supervise.html, runsv(8).
[[nodiscard]] std::optional<View> view_of_record(std::span<const unsigned char> record);

// Whether it has ended by itself, as it should.
[[nodiscard]] bool has_ended_well(const View& view);

// Whether its supervise has given up and ended.
[[nodiscard]] bool was_given_up(const View& view);
// RUNNING and so on; `UNSUPERVISED` where no supervise runs, but FATAL where it has given up.
[[nodiscard]] std::string_view state_name(const View& view);
// Why it is so, in words; may be empty.
[[nodiscard]] std::string reason_of(const View& view, core::WallTime now);
// In what the file differs from the settings in force, in words; empty where nothing tells.
[[nodiscard]] std::string_view conf_flaw(const View& view);
// Since when it is up, or down; the epoch: not known.
[[nodiscard]] core::WallTime since(const View& view);
// `12s`, `3m 05s`, `2h 03m`, `5d 04h`.
[[nodiscard]] std::string brief(core::Nanos time);

}  // namespace ctl
