// The signs of life and readiness that a service gives: its heartbeat file, the socket of sd_notify(3), and the descriptor on
// which it says that it is ready. Descriptors and files; what they mean for the service is the machine's affair.
#pragma once

#include <optional>
#include <string>

#include "core/heartbeat.h"
#include "supervise/service.h"
#include "sys/unique_fd.h"

namespace supervise {

class Signs {
 public:
  // `notify_name`: of the socket, in the abstract namespace.
  Signs(sys::System& system, std::string notify_name) : system_(system), notify_name_(std::move(notify_name)) {}

  // Opens the socket where `service` wants one and none is open. EADDRINUSE: another process has the name.
  sys::Status open_socket(const Service& service);
  // For the socket that is opened next.
  void use_name(std::string name) { notify_name_ = std::move(name); }
  // Makes what the next start of `service` needs, and enters it in `spawn`.
  sys::Failure prepare(const Service& service, sys::Spawn& spawn, core::Now now);
  // The same for a service that is running already, with descriptors that an earlier program of this process has handed over
  // (-1: none); what fails is left out.
  void adopt(const Service& service, int socket, int ready, core::Now now);
  // The process has been made, or could not be.
  void made() { ready_writer_ = {}; }
  // It has ended.
  void ended() { ready_reader_ = {}; }

  // To be watched for reading; -1 where there is nothing to be read.
  [[nodiscard]] int socket() const { return socket_.get(); }
  [[nodiscard]] int ready() const { return ready_reader_.get(); }

  // The moment of the last beat since the last look; nothing if there was none. Where the file can't be looked at now, one
  // that makes the next look due in a moment.
  [[nodiscard]] std::optional<core::Instant> look_at_heartbeat(const Service& service, core::Now now);
  // Whether the line has come that means ready.
  [[nodiscard]] bool read_ready();

 private:
  [[nodiscard]] sys::Result<core::FileStamp> stamp_of(const std::string& path);
  void begin_heartbeat(const Service& service, core::Now now);

  sys::System& system_;
  std::string notify_name_;
  core::Heartbeat heartbeat_;
  sys::UniqueFd socket_, ready_reader_, ready_writer_;
  std::size_t ready_bytes_ = 0;
};

}  // namespace supervise
