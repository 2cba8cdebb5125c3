// A service ready to be started: its settings, and everything that a start needs, looked up and laid out in advance.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/accounts.h"
#include "core/conf.h"
#include "core/settings.h"
#include "sys/entry.h"
#include "sys/event_log.h"

namespace supervise {

// Words for people: what is wrong, one line each, without a newline.
struct Line {
  sys::Level level;
  std::string text;
};
using Lines = std::vector<Line>;

[[nodiscard]] bool has_errors(const Lines& problems);

// A service's settings, and where in which file each of them stands.
struct Loaded {
  std::optional<core::Settings> settings;
  Lines problems;
  std::string file;                          // empty: none was there
  std::vector<core::Conf::Item> items;
  std::string meant;                         // `; did you mean [NAME]?` where the file has no section of the service, but one like it

  // `FILE:LINE: error: KEY: "VALUE" WHAT`.
  [[nodiscard]] Line error(std::string_view key, std::string_view value, std::string_view what) const;
  // The same, of another level.
  [[nodiscard]] Line fault(sys::Level level, std::string_view key, std::string_view value, std::string_view what) const;
  // `FILE:LINE: warning: KEY WHAT`.
  [[nodiscard]] Line warning(std::string_view key, std::string_view what) const;
  // The line of `key` that counts; 0 if it is not in the file.
  [[nodiscard]] int line_of(std::string_view key) const;
};

// What a service gets from its supervise and not from its settings.
struct Inherited {
  const char* const* environment = nullptr;
  unsigned umask = 022;
  std::string notify_name;    // of the socket for sd_notify(3), in the abstract namespace
  std::string directory;      // the status directory, absolute; empty: not known
};

class Service {
 public:
  // Looks up user, group and environment file of `loaded`, which must have settings. What is wrong is added to `problems`;
  // nothing is returned then.
  [[nodiscard]] static std::optional<Service> prepare(sys::System& system, Loaded loaded, const Inherited& inherited, Lines& problems);

  // The descriptors and the callback are the caller's to fill in. Valid as long as this service is not moved.
  [[nodiscard]] sys::Spawn spawn() const;

  [[nodiscard]] const core::Settings& settings() const { return settings_; }
  [[nodiscard]] std::uint32_t control_group() const { return control_group_; }
  // Absolute; empty: none.
  [[nodiscard]] const std::string& heartbeat_path() const { return heartbeat_path_; }
  [[nodiscard]] const std::string& pidfile_path() const { return pidfile_path_; }
  [[nodiscard]] bool wants_socket() const { return settings_.notify || settings_.policy.watchdog != core::Nanos::zero(); }

  // What `fresh` changes; the content of the environment file is a part of it.
  [[nodiscard]] core::Changes changes(const Service& fresh) const;

  // `command not found: redis-sever`: why a start failed, in words.
  [[nodiscard]] core::Text<256> explain(sys::System& system, const core::StartFailure& failure) const;

 private:
  [[nodiscard]] bool look_up(sys::System& system, const Loaded& loaded, Lines& problems);
  void check_parents(sys::System& system, const Loaded& loaded, std::string_view directory, Lines& problems) const;
  [[nodiscard]] bool check_abilities(sys::System& system, const Loaded& loaded, Lines& problems) const;
  [[nodiscard]] static bool check_output(sys::System& system, const Loaded& loaded, const char* key, core::OutputSettings& output, Lines& problems);
  [[nodiscard]] bool read_environment_file(sys::System& system, const Loaded& loaded, Lines& problems);
  void set_variable(const std::string& name, const std::string& value);
  [[nodiscard]] std::string own_path(const std::string& path) const;
  void set_up_signs(const Inherited& inherited);
  void lay_out(const char* const* inherited_environment);

  core::Settings settings_;
  std::uint32_t control_group_ = sys::kKeepGroup;
  std::optional<core::Account> account_;
  std::string heartbeat_path_, pidfile_path_;
  std::size_t environment_hash_ = 0;      // of the environment file
  std::vector<std::string> variables_;    // those that are not inherited
  std::vector<const char*> arguments_, environment_;
  std::vector<sys::ResourceLimit> limits_;
  unsigned umask_ = 022;
};

// A configuration file.
struct Configuration {
  std::string path;         // empty: none
  bool required = false;    // a missing file is an error
  bool named = true;        // by the user
};

// The content of the file; nothing, and an error in `problems`, where it cannot be read. A missing file is an empty one unless it is required.
// For root, and where it was not named, it is an error if others can change the file or its path.
[[nodiscard]] std::optional<core::Conf> read_configuration(sys::System& system, const Configuration& from, Lines& problems);

// The settings that `conf`, which is the file `path`, has for `service`, with all problems of the text; as good as they can be read where
// there are errors.
[[nodiscard]] Loaded resolve_settings(const core::Conf& conf, const std::string& path, const std::string& service);

// The service's name: what follows `status/` in the absolute path, else its last component.
[[nodiscard]] std::string service_name(const std::string& path);

}  // namespace supervise
