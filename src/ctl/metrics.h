// Services as figures: for Prometheus and for monitoring plugins.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ctl/render.h"
#include "ctl/request.h"
#include "sys/client.h"

namespace ctl {

// What a service's processes use together.
struct TreeUsage {
  std::size_t processes = 0;
  std::uint64_t memory = 0;    // bytes
  core::Nanos cpu{0};
};
// All processes of the machine, by their parents.
class Processes {
 public:
  explicit Processes(std::vector<sys::Usage> all);
  // Of all descendants of the service, and of those that its supervise has taken in, which are in the supervise's session, as
  // no helper of supervise's own is.
  [[nodiscard]] TreeUsage usage_of(const View& view) const;

 private:
  [[nodiscard]] std::span<const sys::Usage> children(std::int32_t pid) const;
  std::vector<sys::Usage> all_;
};

struct Measured {
  Row row;
  TreeUsage usage;
  std::optional<core::Nanos> heartbeat_age;    // nothing: no heartbeat file, or none yet
};

// https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
[[nodiscard]] std::string metrics(const std::vector<Measured>& services);

// `uptime<60,exits>10,memory>2G`: any of which makes a service stand out.
struct Condition {
  enum class Figure { kUptime, kExits, kCores, kTries, kHeartbeat, kMemory } figure;
  bool below = false;
  std::uint64_t limit = 0;    // seconds, a number, bytes
};
struct Conditions {
  std::vector<Condition> list;
  std::string error;    // empty: none
};
[[nodiscard]] Conditions parse_conditions(std::string_view text);

// Whether a service is as it should be: RUNNING and not just after one exit of several, down as wanted, or ended as it should.
[[nodiscard]] bool is_well(const View& view, core::WallTime now);

// A line in the form of https://www.monitoring-plugins.org/doc/guidelines.html, and its exit status. `unknown`: how many
// services nothing can be said of.
struct PluginResult {
  std::string text;
  int status = 3;
};
[[nodiscard]] PluginResult plugin(const std::vector<Measured>& services, std::size_t unknown, const Conditions& warn, const Conditions& crit, core::WallTime now);

}  // namespace ctl
