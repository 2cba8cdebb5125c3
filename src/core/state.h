// The text codec of DIR/state and of DIR/supervise/record: `key=value` lines. Documented in supervise-status(5).
#pragma once

#include <optional>
#include <string_view>

#include "core/machine.h"
#include "core/text.h"

namespace core {

// No file is longer, so that it always fits into the block that its spare already owns, even on a full disk.
inline constexpr std::size_t kStateMax = 2304, kRecordMax = 3072;
using RecordText = Text<kRecordMax>;

// Of the key `memory`, and of what a supervise hands to its successor.
inline constexpr int kMemoryVersion = 1;

// A process as the kernel tells it from every other one that had or will have its pid.
struct ProcessId {
  std::int32_t pid = 0;
  std::uint64_t start = 0;    // clock ticks between boot and its start; 0 if unknown
  friend bool operator==(const ProcessId&, const ProcessId&) = default;
};

// A process that may be the service, left running by a supervise that was killed: nothing tells it from a stranger with the same
// pid (StateRecord::service without a start time), or what names it is not to be believed. It is waited for and never signalled.
struct LeftRunning {
  std::int32_t pid = 0;        // 0: none
  std::int32_t session = 0;    // that the service was in
  std::uint64_t start = 0;     // 0: not known, and its session has to do
};

// Where the service's process comes from. It can change some of that, but not into anything.
struct Origin {
  std::int32_t parent = 0, session = 0;    // 0: not known
  std::optional<std::uint32_t> user;       // that it was started as
};

// A file, as its directory and its name; both empty: none. A path that could not be printed as it is is left out.
struct FileName {
  std::string_view directory, name;
};

struct StateRecord {
  std::string_view name;         // of the service
  Facts facts;
  ProcessId supervise;
  ProcessId service;
  std::string_view boot_id;
  std::string_view reason;       // in words; empty where there is none
  std::string_view status;       // what the service says of itself; may be empty
  std::string_view output_waits; // why what the service writes is not in its log; empty where it is
  FileName output, errors;       // where its output is kept
  FileName heartbeat;
  FileName conf;                 // the configuration file, there or not
  WallTime conf_time{};          // when it was modified, as of the last reading; the epoch: there was none
  std::uint64_t conf_reads = 0;
  bool conf_faulty = false;      // the last reading was refused
  Now now;                       // turns next_start into wall time
  Snapshot snapshot;
  std::string_view notify_name;  // of the socket that the service was told; empty: none
  LeftRunning left{};
  Origin origin;                 // of the service
  std::string_view directory;    // the status directory, absolute
  std::string_view namespaces;   // in which the pids and starts above hold; empty: nothing tells
  bool ended = false;            // this supervise has ended as it was told: the next has nothing to remember
};

// A record, which begins with the state.
struct EncodedRecord {
  RecordText text;
  std::size_t state_size = 0;
  [[nodiscard]] std::string_view view() const { return text.view(); }
  [[nodiscard]] std::string_view state() const { return text.view().substr(0, state_size); }
};
[[nodiscard]] EncodedRecord encode_record(const StateRecord& record);

// The value of `key` in a state text; nothing where it is missing. A value may be empty.
[[nodiscard]] std::optional<std::string_view> state_value(std::string_view text, std::string_view key);

// The processes that a state text or a record names, and what tells whether they are meant; zeros where it says nothing usable.
struct RecordedProcesses {
  ProcessId supervise;
  ProcessId service;
  LeftRunning left;
  Origin origin;
  std::string_view boot_id, namespaces;
  std::string_view name, directory;
};
[[nodiscard]] RecordedProcesses recorded_processes(std::string_view text);

// What the keys of a state text say, but for the failure and the next start; nothing where one of state, want and pid is
// missing or none.
[[nodiscard]] std::optional<Facts> recorded_facts(std::string_view text);
// In wall time; the epoch where there is none.
[[nodiscard]] WallTime recorded_next_start(std::string_view text);

// The configuration file, as in StateRecord; 0 reads where it says nothing of it.
struct RecordedConf {
  std::string_view file;
  WallTime time{};
  std::uint64_t reads = 0;
  bool faulty = false;
};
[[nodiscard]] RecordedConf recorded_conf(std::string_view text);

// The snapshot of a machine; nothing where the record has none that this version understands.
[[nodiscard]] std::optional<Snapshot> recorded_snapshot(std::string_view text);

// The name of the notification socket; empty where there is none, or one that no supervise would have chosen.
[[nodiscard]] std::string_view recorded_notify_name(std::string_view text);

}  // namespace core
