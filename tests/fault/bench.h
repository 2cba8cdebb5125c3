// A supervise in the simulated world, with everything that must hold at any time watched. All that these tests know of
// supervise::Daemon is in bench.cc.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "fault/sim_system.h"
#include "supervise/daemon.h"

namespace sim {

inline constexpr core::Nanos kMilli{1'000'000};
inline constexpr const char* kDirectory = "/srv/status/redis";
inline constexpr const char* kConf = "/srv/supervise.conf";

class Bench {
 public:
  // `conf`: lines of the section [redis]; `hook`: the restart script.
  explicit Bench(std::string conf = "", std::string hook = "");

  SimSystem system;

  // Begins to supervise. False if it refused, with error() and error_status().
  bool start();
  [[nodiscard]] const std::string& error() const { return started_.error; }
  [[nodiscard]] int error_status() const { return started_.status; }
  [[nodiscard]] const std::string& warning() const { return started_.warning; }

  void move_to(const std::string& namespaces) { identity_.namespaces = namespaces; }    // where the next one begins

  // As KILL would, leaving the service and the directory as they are.
  void kill_supervise();

  // After an upgrade (`E`) that the system has accepted: the new program begins.
  bool start_as_successor();

  // Time passes, and nobody looks.
  void pass(core::Nanos time);

  // Turns until `since_begin`, or until supervise has ended.
  void run_until(core::Nanos since_begin);
  [[nodiscard]] bool ended() const { return ended_; }

  void write_conf(const std::string& lines);
  void control(std::string_view bytes) { (void)system.write_fifo(path("control"), bytes); }
  void control_at(core::Nanos when, std::string bytes) {
    system.at(when, [this, bytes] { control(bytes); });
  }
  // The service that lives dies at that time.
  void service_dies_at(core::Nanos when, core::Outcome outcome);

  [[nodiscard]] static std::string path(const std::string& entry) { return std::string(kDirectory).append("/").append(entry); }
  [[nodiscard]] std::string content(const std::string& entry) const;
  [[nodiscard]] std::string state(std::string_view key) const;
  [[nodiscard]] std::string record(std::string_view key) const;
  void forge(std::string_view key, const std::string& value);    // in the record
  [[nodiscard]] std::string log() const { return content("supervise.log"); }
  [[nodiscard]] Child* service();                              // the living one, or null
  [[nodiscard]] std::vector<Child*> services();                // all that ever were
  [[nodiscard]] std::vector<Child*> helpers(std::string_view program);

  // What is wrong now that everything has settled: entries, published facts, descriptors, dead children. Empty: nothing.
  [[nodiscard]] std::string unsettled();
  // What must never have happened and has.
  [[nodiscard]] std::string violations();

 private:
  void watch_published(Op op);
  void turn();

  std::optional<supervise::Daemon> daemon_;
  supervise::Identity identity_;
  supervise::Daemon::Started started_;
  bool ended_ = false;
  bool writes_files_ = false;    // the service writes its outputs itself
  core::Instant second_{};          // of which the turns are counted
  std::size_t turns_ = 0;
};

}  // namespace sim
