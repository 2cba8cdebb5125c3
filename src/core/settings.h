// What a service's section of the configuration file says, with defaults, and the one table of its keys.
// Documented in supervise.conf(5).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/log_file.h"
#include "core/policy.h"

namespace core {

using Variables = std::vector<std::pair<std::string, std::string>>;

// A resource limit; kInfinite for none.
struct Limit {
  static constexpr std::uint64_t kInfinite = UINT64_MAX;
  std::uint64_t soft = kInfinite;
  std::uint64_t hard = kInfinite;
};

struct FileMode {
  unsigned bits = 0;
};

// Where one of the service's two outputs goes.
struct OutputSettings {
  std::string logfile;                   // a path, none, inherit or the name of a descriptor; empty: the file of that name in DIR
  std::uint64_t maxbytes = 50 << 20;     // 0: no limit, the service writes the file itself
  unsigned backups = 10;
  LogPeriod rotate;
};

struct Settings {
  std::vector<std::string> command;
  std::string directory;
  std::string user;                      // name or uid[:gid], looked up by the shell; empty: as supervise
  std::string control_group;
  std::optional<FileMode> umask;
  Variables environment;
  std::string environment_file;
  std::optional<Limit> rlimit_nofile;
  std::optional<Limit> rlimit_core;
  std::optional<Limit> rlimit_as;
  std::optional<int> nice;
  std::string pidfile;                   // of a forking service
  std::string heartbeat_file;
  bool notify = false;                   // sd_notify(3); a watchdog means it too
  std::optional<unsigned> ready_fd;
  OutputSettings output, errors;
  bool redirect_stderr = false;
  LogStamps log_timestamps = LogStamps::kNone;
  std::vector<std::string> log_processor;    // run on rotated files
  Nanos hook_timeout = seconds(10);      // limit of the restart script (-r)
  std::vector<std::string> alarm_mail;
  std::vector<std::string> alarm_gsm;
  std::vector<std::string> alarm_command;
  Policy policy;
};

inline constexpr std::size_t kMaxGsmNumbers = 10;
inline constexpr Nanos kMinAlarmInterval = seconds(60);

// One key of the file.
struct Key {
  std::string_view name;
  // Sets the key from `value`; an empty one restores the default. Returns what would be right, or an empty text if it was.
  std::string (*set)(Settings& settings, std::string_view value);
  // The value as the file would have it.
  std::string (*print)(const Settings& settings);
  bool adds = false;             // a value adds to what [global] set instead of replacing it
  bool needs_restart = false;    // a running service learns nothing of a new value
};

// All keys, in the order in which --check prints them.
[[nodiscard]] std::span<const Key> keys();

// The names of the keys whose values differ between two settings.
struct Changes {
  std::vector<std::string_view> in_force;         // as soon as they are read
  std::vector<std::string_view> needs_restart;    // of the service
};
[[nodiscard]] Changes changes(const Settings& before, const Settings& now);

// The key called `name`; null if there is none.
[[nodiscard]] const Key* find_key(std::string_view name);

// The descriptor that a path such as /dev/stdout or /dev/fd/N is a name of; -1: none.
[[nodiscard]] int descriptor_of(std::string_view path);

}  // namespace core
