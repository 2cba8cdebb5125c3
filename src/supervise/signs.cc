#include "supervise/signs.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include "sys/faults.h"
#include "sys/trusted.h"

namespace supervise {
namespace {

// Who writes so much without a newline does not mean readiness.
constexpr std::size_t kMaxReadyBytes = 4096;
constexpr core::Nanos kNextLook = std::chrono::milliseconds(100);

}  // namespace

sys::Failure Signs::prepare(const Service& service, sys::Spawn& spawn, core::Now now) {
  // A name that is taken will be tomorrow: better a service that nobody hears than none.
  const auto opened = open_socket(service);
  if (!opened && opened.error().number != EADDRINUSE) return {"cannot make the socket for", "notify", opened.error()};
  if (const auto number = service.settings().ready_fd) {
    const auto pipe = system_.pipe();
    if (!pipe) return {"cannot make the pipe for", "ready_fd", pipe.error()};
    ready_reader_ = sys::UniqueFd(system_, pipe->reader);
    ready_writer_ = sys::UniqueFd(system_, pipe->writer);
    ready_bytes_ = 0;
    spawn.extra = pipe->writer;
    spawn.extra_number = static_cast<int>(*number);
  }
  begin_heartbeat(service, now);
  return {};
}

sys::Status Signs::open_socket(const Service& service) {
  if (!service.wants_socket() || socket_) return sys::ok();
  auto socket = sys::owned(system_, system_.receiver(notify_name_));
  if (!socket) return socket.error();
  socket_ = std::move(*socket);
  return sys::ok();
}

void Signs::adopt(const Service& service, int socket, int ready, core::Now now) {
  if (socket >= 0) socket_ = sys::UniqueFd(system_, socket);
  if (ready >= 0) ready_reader_ = sys::UniqueFd(system_, ready);
  (void)open_socket(service);
  begin_heartbeat(service, now);
}

sys::Result<core::FileStamp> Signs::stamp_of(const std::string& path) {
  const auto info = sys::look_at(system_, path);
  if (!info) return info.error();
  return core::FileStamp{info->modified, info->inode, info->changed};
}

void Signs::begin_heartbeat(const Service& service, core::Now now) {
  if (service.heartbeat_path().empty()) return;
  const auto stamp = stamp_of(service.heartbeat_path());
  heartbeat_.begin(stamp ? std::optional(*stamp) : std::nullopt, now);
}

std::optional<core::Instant> Signs::look_at_heartbeat(const Service& service, core::Now now) {
  const auto stamp = stamp_of(service.heartbeat_path());
  // For want of a descriptor, say. There may have been a beat, which the next look sees.
  if (!stamp && sys::may_pass(stamp.error())) return core::after(now.mono, kNextLook) - service.settings().policy.heartbeat_timeout;
  return heartbeat_.look(stamp ? std::optional(*stamp) : std::nullopt, now);
}

bool Signs::read_ready() {
  std::array<char, 64> bytes;
  const auto n = system_.read(ready_reader_.get(), bytes);
  if (!n && n.error().number == EAGAIN) return false;
  const auto end = bytes.begin() + static_cast<std::ptrdiff_t>(n ? *n : 0);
  const bool ready = std::find(bytes.begin(), end, '\n') != end;
  ready_bytes_ += n ? *n : 0;
  if (ready || !n || *n == 0 || ready_bytes_ > kMaxReadyBytes) ready_reader_ = {};
  return ready;
}

}  // namespace supervise
