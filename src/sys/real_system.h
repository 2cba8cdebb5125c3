// The kernel behind the seam. One process has one RealSystem.
#pragma once

#include "sys/system.h"

namespace sys {

class RealSystem final : public System {
 public:
  bool can(Ability ability) override;
  core::Text<128> refused() override;
  Result<int> open(int dir, const char* name, OpenMode mode, unsigned permissions) override;
  void close(int fd) override;
  Result<std::size_t> read(int fd, std::span<char> into) override;
  Result<std::size_t> read_at(int fd, std::span<char> into, std::int64_t offset) override;
  Result<std::size_t> write(int fd, std::string_view data) override;
  Result<std::size_t> write_unless_blocked(int fd, std::string_view data) override;
  Result<std::size_t> write_at(int fd, std::string_view data, std::int64_t offset) override;
  Status truncate(int fd, std::int64_t size) override;
  Result<FileInfo> stat(int fd) override;
  Result<FileInfo> stat_at(int dir, const char* name) override;
  Result<FileInfo> stat_following(const char* path) override;
  bool is_read_only(int fd) override;
  Status make_directory(int dir, const char* name, unsigned mode) override;
  Status make_fifo(int dir, const char* name, unsigned mode) override;
  Status make_link(const char* target, int dir, const char* name) override;
  Result<std::size_t> read_link(int dir, const char* name, std::span<char> into) override;
  Status remove(int dir, const char* name) override;
  Status remove_directory(int dir, const char* name) override;
  Status rename(int dir, const char* from, const char* to) override;
  Status exchange(int dir, const char* one, const char* other) override;
  Status set_mode(int fd, unsigned mode) override;
  Status set_group(int fd, std::uint32_t gid) override;
  Status lock(int fd) override;
  Status claim(int fd) override;
  std::uint64_t raise_file_limit() override;
  Status watch(int directory) override;
  Result<int> pipe_with(std::string_view data) override;
  Result<Pipe> pipe() override;
  Result<std::size_t> move(int from, int to, std::int64_t offset, std::size_t n) override;
  Result<std::size_t> peek(int from, std::span<char> into) override;
  bool holds(int from) override;
  void enlarge(int fifo, std::size_t n) override;
  void reset_flags(int fd) override;
  Status lock_record(int fd) override;
  Result<std::int32_t> lock_holder(int fd) override;
  Result<int> receiver(std::string_view name) override;
  Result<Datagram> receive(int fd, std::span<char> into) override;
  Spawned spawn(const Spawn& request) override;
  Result<std::int32_t> fork(std::span<const int> kept, int null, const char* title, void (*run)(void* context), void* context) override;
  Result<std::optional<Reaped>> reap() override;
  Status kill(std::int32_t pid, int signal) override;
  ProcessInfo process(std::int32_t pid) override;
  Result<std::size_t> children(std::span<std::int32_t> into) override;
  Result<int> watch_process(std::int32_t pid) override;
  Status signal(int watch, int signal, Scope scope) override;
  Result<core::Outcome> end_of(int watch) override;
  Status replace(const char* program, const char* const* arguments, const char* const* environment, std::span<const int> kept) override;
  void restore_terminal() override;
  std::int32_t own_pid() override;
  std::uint32_t own_uid() override;
  core::Now now() override;
  Status wait(std::span<Poll> polls, core::Instant deadline) override;
  Signals take_signals() override;
};

// Blocks every signal but while waiting, so that none but KILL can end this process, and catches those that mean something.
// Signals that the caller had ignored are no longer, so that no service inherits that. In wrapper mode the signals of job
// control keep their effect, and an ignored HUP stays so (nohup(1)). Call once, before anything else.
enum class Signalling { kDaemon, kWrapper };
void take_over_signals(Signalling how);

// For a process that was just made: signals as a fresh program expects them.
void restore_signals();

}  // namespace sys
