// A small world behind the seam sys::System: files, descriptors, children, signals and a clock, all in memory and all
// deterministic. Time passes only in wait(), which jumps to the deadline or the next event of the script. Every call that can
// fail asks `fault` first, so a test can make any of them fail. What supervise must never do is collected in violations().
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sys/system.h"

namespace sim {

enum class Op {
  kOpen, kCreate, kRead, kReadAt, kWrite, kWriteAt, kTruncate, kStat, kStatAt, kMakeDirectory, kMakeFifo, kMakeLink, kReadLink,
  kRemove, kRemoveDirectory, kRename, kExchange, kSetMode, kSetGroup, kLock, kWatch, kPipe, kMove, kPeek, kLockRecord, kFork, kReceiver, kReceive, kChildren, kProcess, kWatchProcess, kSignal, kSpawn, kReap, kKill, kKillForGood, kWait
};
inline constexpr int kOps = static_cast<int>(Op::kWait) + 1;

// How a call fails. A negative number: it does half of its work and says so (a short write).
struct Error {
  int number = 0;
  core::Stage stage = core::Stage::kFork;    // of a spawn
};
inline constexpr int kShort = -1;

[[nodiscard]] std::string name_of(Op op);
// What the manual says this call may fail with, for no fault of its arguments.
[[nodiscard]] const std::vector<Error>& errors_of(Op op);

// While one exists, the allocations of the simulation itself are not those that a test makes fail.
class Exempt {
 public:
  Exempt() { ++depth; }
  ~Exempt() { --depth; }
  Exempt(const Exempt&) = delete;
  Exempt& operator=(const Exempt&) = delete;
  static inline int depth = 0;
};

struct Description;
struct Node {
  sys::FileType type = sys::FileType::kRegular;
  unsigned mode = 0644;
  std::uint32_t uid = 0, gid = 0;
  std::uint64_t inode = 0, links = 1;
  std::string data;                                       // content, a FIFO's bytes, or a link's target
  std::map<std::string, std::shared_ptr<Node>, std::less<>> entries;
  std::weak_ptr<Description> locker;
  bool had_writer = false;
  std::size_t opened = 0;    // how often
  core::WallTime modified{};
  std::vector<std::pair<std::int32_t, std::string>> datagrams;    // of a receiver: sender and message
  std::int32_t watched = 0;                                       // of a process watch: the process
};
using NodePtr = std::shared_ptr<Node>;

// What a descriptor refers to.
struct Description {
  NodePtr node;
  sys::OpenMode mode = sys::OpenMode::kRead;
  std::size_t offset = 0;
  bool watching = false;
};

struct Child {
  std::int32_t pid = 0;
  std::uint64_t start = 0;
  std::int32_t parent = 0, session = 0;
  bool is_service = false;                  // or was left by it
  NodePtr ready;                            // the pipe it may say on that it is ready; a logger: what it has to say
  std::string program;
  std::vector<std::string> arguments, environment;
  std::string input;                        // what its standard input held
  core::Instant born{}, died{};
  bool alive = true, reaped = false;
  bool paused = false;
  bool ignores_term = false;                // only KILL ends it
  core::Nanos dying{std::chrono::milliseconds(5)};    // from the signal to its end
  int pending = 0;                          // a deadly signal that came while it was paused
  std::vector<int> signals;                 // all that it got
  core::Outcome outcome;
};

class SimSystem final : public sys::System {
 public:
  SimSystem();

  // --- for the script ---
  std::function<const Error*(Op op, std::size_t call)> fault;     // asked with the number of each call; null: it works
  std::function<void(Op op)> after;                               // told when a call has changed a file or a name
  std::function<void(Child& child)> on_start;                     // a child has just been made
  std::optional<core::StartFailure> broken_program;               // no service can be executed
  core::Nanos execution{0};                                       // how long that takes, beyond what supervise waits for
  bool has_proc = true;                                           // else no more than groups and sessions can be seen
  std::int64_t free_blocks = INT64_MAX;                           // of 4 KiB
  std::uint64_t file_limit = UINT64_MAX;                          // no write goes beyond (RLIMIT_FSIZE)
  std::uint32_t uid = 0;
  bool read_only = false;                                          // says the system, and does nothing about it
  std::int32_t pid = 100;
  bool init_reaps = true;                                          // its dead children at once, as in a container nobody may
  std::map<std::int32_t, std::uint64_t> others;                   // processes of others: pid and start time

  void at(core::Nanos since_begin, std::function<void()> event) { events_.emplace(core::Instant(since_begin), std::move(event)); }
  void in(core::Nanos delay, std::function<void()> event) { events_.emplace(mono_ + delay, std::move(event)); }
  void die_in(std::int32_t child, core::Nanos delay, core::Outcome outcome);
  void die(Child& child, core::Outcome outcome);
  // Other programs that this process may become; without, a replacement fails.
  std::optional<std::vector<std::string>> replaced_by;
  bool accepts_replacement = false;

  // Its children are init's from now on, and the next one has another pid.
  void kill_supervise();
  // A descendant of `parent` begins to live; supervise inherits it when `parent` dies.
  Child& fork_from(std::int32_t parent, const std::string& name);
  bool notify(std::int32_t sender, std::string message);             // false: nobody listens
  void touch(const std::string& path);                               // makes the file, or changes its time
  void signal_terminate() { arrived_.terminate = true; }
  void signal_hangup() { arrived_.hangup = true; }
  void step_wall_clock(core::Nanos by) { wall_ += by; }
  void set_horizon(core::Instant horizon) { horizon_ = horizon; }    // wait() returns there at the latest

  [[nodiscard]] NodePtr find(std::string_view path) const;         // follows no link at the end; null if there is none
  NodePtr put(const std::string& path, sys::FileType type, std::string data = {}, unsigned mode = 0644);
  void remove_tree(const std::string& path);
  void move(const std::string& from, const std::string& to);
  bool write_fifo(const std::string& path, std::string_view bytes);  // false: nobody reads it
  std::int32_t record_lock_holder = 0;                               // of all files

  [[nodiscard]] core::Instant mono() const { return mono_; }
  [[nodiscard]] core::Instant last_deadline() const { return last_deadline_; }
  [[nodiscard]] std::size_t calls() const { return calls_; }
  [[nodiscard]] std::size_t waits() const { return waits_; }
  [[nodiscard]] std::size_t open_descriptors() const { return fds_.size(); }
  [[nodiscard]] bool is_open(const NodePtr& node) const;
  [[nodiscard]] const std::vector<Op>& log() const { return log_; }
  [[nodiscard]] std::map<std::int32_t, Child>& children() { return children_; }
  [[nodiscard]] std::vector<std::string>& violations() { return violations_; }
  [[nodiscard]] const std::string& errors_written() const { return stderr_; }

  // --- sys::System ---
  sys::Result<int> open(int dir, const char* name, sys::OpenMode mode, unsigned permissions) override;
  void close(int fd) override;
  sys::Result<std::size_t> read(int fd, std::span<char> into) override;
  sys::Result<std::size_t> read_at(int fd, std::span<char> into, std::int64_t offset) override;
  sys::Result<std::size_t> write(int fd, std::string_view data) override;
  sys::Result<std::size_t> write_unless_blocked(int fd, std::string_view data) override { return write(fd, data); }
  sys::Result<std::size_t> write_at(int fd, std::string_view data, std::int64_t offset) override;
  sys::Status truncate(int fd, std::int64_t size) override;
  sys::Result<sys::FileInfo> stat(int fd) override;
  sys::Result<sys::FileInfo> stat_at(int dir, const char* name) override;
  sys::Result<sys::FileInfo> stat_following(const char* path) override;
  bool is_read_only(int) override { return read_only; }
  sys::Status make_directory(int dir, const char* name, unsigned mode) override;
  sys::Status make_fifo(int dir, const char* name, unsigned mode) override;
  sys::Status make_link(const char* target, int dir, const char* name) override;
  sys::Result<std::size_t> read_link(int dir, const char* name, std::span<char> into) override;
  sys::Status remove(int dir, const char* name) override;
  sys::Status remove_directory(int dir, const char* name) override;
  sys::Status rename(int dir, const char* from, const char* to) override;
  sys::Status exchange(int dir, const char* one, const char* other) override;
  sys::Status set_mode(int fd, unsigned mode) override;
  sys::Status set_group(int fd, std::uint32_t gid) override;
  sys::Status lock(int fd) override;
  sys::Status claim(int fd) override { return lock(fd); }
  std::uint64_t raise_file_limit() override { return file_limit; }
  sys::Status watch(int directory) override;
  sys::Result<int> pipe_with(std::string_view data) override;
  sys::Result<sys::Pipe> pipe() override;
  sys::Result<std::size_t> move(int from, int to, std::int64_t offset, std::size_t n) override;
  sys::Result<std::size_t> peek(int from, std::span<char> into) override;
  void enlarge(int, std::size_t) override {}
  void reset_flags(int) override {}
  sys::Status lock_record(int fd) override;
  sys::Result<std::int32_t> lock_holder(int fd) override;
  sys::Result<int> receiver(std::string_view name) override;
  sys::Result<sys::Datagram> receive(int fd, std::span<char> into) override;
  sys::Spawned spawn(const sys::Spawn& request) override;
  // The child does not run: it is there, holds the record lock that it is given, and can be killed.
  sys::Result<std::int32_t> fork(std::span<const int> kept, int null, const char* title, void (*run)(void* context), void* context) override;
  sys::Result<std::optional<sys::Reaped>> reap() override;
  sys::Status kill(std::int32_t target, int signal) override;
  sys::ProcessInfo process(std::int32_t of) override;
  sys::Result<std::size_t> children(std::span<std::int32_t> into) override;
  sys::Result<int> watch_process(std::int32_t of) override;
  sys::Status signal(int watch, int signal, sys::Scope scope) override;
  sys::Result<core::Outcome> end_of(int watch) override;
  sys::Status replace(const char* program, const char* const* arguments, const char* const* environment, std::span<const int> kept) override;
  std::int32_t own_pid() override { return pid; }
  std::uint32_t own_uid() override { return uid; }
  core::Now now() override { return {mono_, core::WallTime(mono_.time_since_epoch() + wall_)}; }
  sys::Status wait(std::span<sys::Poll> polls, core::Instant deadline) override;
  sys::Signals take_signals() override;

 private:
  // Where a name leads: the directory that holds it, its last component, and what is there.
  struct Place {
    NodePtr directory;
    std::string name;
    NodePtr node;
    int error = 0;    // of a component before the last
  };
  [[nodiscard]] Place look(int dir, std::string_view name, bool follow) const;
  [[nodiscard]] Place walk(const NodePtr& from, std::string_view path, bool follow, int depth) const;
  [[nodiscard]] Description* description(int fd) const;
  int add_descriptor(Description what);
  const Error* fails(Op op);
  void changed(const NodePtr& directory, Op op);
  sys::Status make(Op op, int dir, const char* name, sys::FileType type, unsigned mode, std::string data);
  [[nodiscard]] NodePtr new_node(sys::FileType type, unsigned mode, std::string data);
  sys::Result<std::size_t> store(Op op, int fd, std::size_t offset, std::string_view data);
  [[nodiscard]] std::string path_of(const NodePtr& node, const NodePtr& from, const std::string& path) const;
  [[nodiscard]] std::size_t openers(const NodePtr& node, bool writing) const;
  [[nodiscard]] bool readable(int fd) const;
  void deliver(Child& child, int signal);
  int execute_late(std::int32_t child);
  void run_events();
  void violation(std::string what) { violations_.push_back(std::move(what)); }

  NodePtr root_;
  std::map<int, std::shared_ptr<Description>> fds_;
  std::map<std::int32_t, Child> children_;
  std::vector<std::int32_t> zombies_;    // in the order of their deaths
  std::multimap<core::Instant, std::function<void()>> events_;
  sys::Signals arrived_, seen_;          // blocked, and noted by the handler
  core::Instant mono_{}, horizon_ = core::kNever, last_deadline_{};
  core::Nanos wall_ = core::seconds(1'795'197'787);
  std::uint64_t last_inode_ = 1;
  std::int32_t last_pid_ = 1000;
  std::size_t calls_ = 0, waits_ = 0;
  std::vector<Op> log_;
  std::vector<std::string> violations_;
  std::string stderr_;
};

}  // namespace sim
