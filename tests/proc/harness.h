// What the tests with real processes share. It knows the contract alone: nothing here is taken from src/.
//
// Waiting is always for a condition with a deadline; the deadlines are generous, because the machine may be busy.
// No process outlives a test: the program's main() runs in a child of a guardian that ends whatever the child leaves
// behind (see harness.cc), and a TempDir ends everything that still uses it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "../catch.h"

namespace harness {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using Words = std::vector<std::string>;

inline constexpr Clock::duration kPatience = 20s;

// Looks every 5 ms whether the condition holds; false if it does not until the deadline.
template <class Condition>
[[nodiscard]] bool wait_until(Condition holds, Clock::duration patience = kPatience) {
  for (const auto deadline = Clock::now() + patience; Clock::now() < deadline; std::this_thread::sleep_for(5ms))
    if (holds()) return true;
  return holds();
}

// A limit of time for what happens at once: so many seconds on a machine with nothing else to do, and longer in proportion to what
// waits for its processors.
[[nodiscard]] double allowed(double seconds);

// True if the condition holds at every look for that long: for what must not happen.
template <class Condition>
[[nodiscard]] bool holds_for(Clock::duration time, Condition holds) {
  return !wait_until([&] { return !holds(); }, time);
}

// ---- Skipping. A skipped test says why and returns; tests/run finds the line.

void report_skip(const std::string& reason);
#define SKIP_UNLESS(condition, reason) \
  do {                                 \
    if (!(condition)) {                \
      harness::report_skip(reason);    \
      return;                          \
    }                                  \
  } while (false)

[[nodiscard]] bool is_root();
[[nodiscard]] bool has_program(const std::string& name);
[[nodiscard]] bool is_sanitized();
// Gives this test process a mount namespace of its own; false where that is not allowed.
[[nodiscard]] bool enter_own_mounts();
void mount_tmpfs(const fs::path& where, const std::string& options = "");
// True if a process that dies by SEGV in that directory is reported as having dumped core.
[[nodiscard]] bool can_dump_core(const fs::path& directory);

// ---- Files.

[[nodiscard]] std::string text_of(const fs::path& file);  // empty where there is none
[[nodiscard]] Words lines_in(const std::string& text);
[[nodiscard]] inline Words lines_of(const fs::path& file) { return lines_in(text_of(file)); }
[[nodiscard]] std::size_t count_lines(const fs::path& file, std::string_view part);
void write_file(const fs::path& file, std::string_view text, mode_t mode = 0644);
void write_script(const fs::path& file, std::string_view body);  // of the Bourne shell
[[nodiscard]] std::string mode_of(const fs::path& file);         // `file 0600`, `fifo 0600`, `dir 0700`, `link`, `none`
[[nodiscard]] bool same_file(const fs::path& one, const fs::path& other);
[[nodiscard]] bool is_taken(const fs::path& lock);    // an exclusive flock is held
[[nodiscard]] bool has_reader(const fs::path& fifo);  // opening it write-only and non-blocking succeeds

// A directory that is removed at the end, together with every process of ours that still uses it.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  [[nodiscard]] const fs::path& path() const { return path_; }
  [[nodiscard]] fs::path operator/(std::string_view name) const { return path_ / name; }

 private:
  fs::path path_;
};

// ---- Processes.

struct Command {
  Words argv = {};
  fs::path directory = {};
  std::map<std::string, std::string> environment = {};
  std::string input = {};
  std::function<void()> before_exec = {};  // in the child; async-signal-safe calls only
};

struct Result {
  int code = -1;  // -1: ended by a signal
  int signal = 0;
  std::string out = {};
  std::string err = {};
};

// A child process of the test, killed at the end. What it writes can be read at any time.
class Child {
 public:
  explicit Child(const Command& command);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] bool running();
  // Waits for its end, which must come.
  Result wait(Clock::duration patience = kPatience);
  void kill(int signal) const;
  [[nodiscard]] std::string out() const;
  [[nodiscard]] std::string err() const;

 private:
  pid_t pid_ = -1;
  int out_ = -1;
  int err_ = -1;
  std::optional<int> status_;
};

// Runs a command to its end.
Result run(const Command& command);
Result run(std::initializer_list<std::string> argv);
// The same with /bin/sh -c.
Result shell(const std::string& text, const fs::path& directory = {});

struct ProcessFacts {
  char state = '?';
  pid_t parent = 0;
  pid_t group = 0;
  pid_t session = 0;
};
[[nodiscard]] std::optional<ProcessFacts> process(pid_t pid);
[[nodiscard]] bool alive(pid_t pid);                                          // and no zombie
[[nodiscard]] std::string process_field(pid_t pid, const std::string& name);  // of /proc/PID/status
[[nodiscard]] std::map<int, std::string> descriptors(pid_t pid);
[[nodiscard]] std::vector<pid_t> children(pid_t pid);               // without the logger of a supervise
[[nodiscard]] std::optional<pid_t> logger_of(pid_t pid);
[[nodiscard]] std::vector<std::string> arguments(pid_t pid);
[[nodiscard]] fs::path directory_of(pid_t pid);
// Kills every descendant of ours with a descriptor, a working directory or an argument in there.
void kill_users_of(const fs::path& directory);

[[nodiscard]] double monotonic_now();
// The times (seconds, monotonic) at which `service started FILE` began.
// What supervise or its logger may put back meanwhile.
void remove_with_all(const fs::path& directory);
[[nodiscard]] std::vector<double> starts_in(const fs::path& file);
// The pids that `service started FILE` or `service pidfile FILE` wrote, one a line.
[[nodiscard]] std::vector<pid_t> pids_in(const fs::path& file);
[[nodiscard]] pid_t last_pid_in(const fs::path& file);    // 0: none yet
// Whether the process that wrote this line of one of them lives, and not another one that has its pid by now.
[[nodiscard]] bool is_running(const std::string& line);
[[nodiscard]] double processor_time(pid_t pid);  // seconds that it has used

// Makes something at `aside` and exchanges it for the entry: at once, or a supervise that puts entries back would come between.
void plant(const fs::path& aside, const fs::path& entry, const std::function<void(const fs::path&)>& make);

// ---- Servers.

// The first bytes of the answer to this question, which a Unix socket or a port of this host was asked; empty where
// nobody listens.
[[nodiscard]] std::string ask(const fs::path& path, const std::string& question);
[[nodiscard]] std::string ask(unsigned port, const std::string& question);
[[nodiscard]] unsigned free_port();
// Of an nginx that writes only into this directory and says `at your service` on this port.
[[nodiscard]] std::string nginx_conf(const fs::path& work, unsigned port, const std::string& directives);

// ---- What supervise tells.

struct Status {     // the 20 bytes, decoded by the contract's table
  double time = 0;  // Unix seconds
  unsigned nanoseconds = 0;
  int paused = -1;
  char want = '?';
  char alarm = '?';
  int reserved = -1;
  pid_t pid = -1;
};
// Nothing unless the file has exactly 20 bytes.
[[nodiscard]] std::optional<Status> read_status(const fs::path& file);

class KeyValues {
 public:
  KeyValues() = default;
  explicit KeyValues(const std::string& text, std::string_view separator = "=");
  [[nodiscard]] bool has(const std::string& key) const { return values_.contains(key); }
  [[nodiscard]] std::string operator[](const std::string& key) const;  // empty where absent
  [[nodiscard]] double number(const std::string& key) const;
  [[nodiscard]] const std::map<std::string, std::string>& all() const { return values_; }

 private:
  std::map<std::string, std::string> values_;
};

// The mask `ignored` of a service's facts; without the two signals that the C library keeps to itself where only Linux could
// reset them.

// ---- Starting it.

[[nodiscard]] std::string supervise_program();
[[nodiscard]] std::string supervisectl_program();
// The command line of the test service (service.cc) that carries out these words.
[[nodiscard]] Words service(std::initializer_list<std::string> verbs);

enum class Mode { kDetached, kForeground };

struct Setup {
  Words command = {};     // after -u DIR; none: -p DIR
  std::string conf = {};  // supervise.conf in the working directory; named with -F
  Words options = {};
  Mode mode = Mode::kDetached;
  std::string name = "svc";  // DIR is status/NAME
  std::map<std::string, std::string> environment = {};
  std::function<void()> before_exec = {};
  Words wrapper = {};  // put before the program: setpriv, prlimit
  std::string program = supervise_program();
};

// Runs supervise with these arguments to the end of the launching process.
Result supervise(const Words& arguments, const fs::path& directory);

// A status directory, as its users see it.
class StatusDir {
 public:
  explicit StatusDir(fs::path dir) : dir_(std::move(dir)) {}
  virtual ~StatusDir() = default;

  [[nodiscard]] const fs::path& dir() const { return dir_; }
  [[nodiscard]] fs::path operator/(std::string_view entry) const { return dir_ / entry; }

  [[nodiscard]] Status status() const;
  [[nodiscard]] KeyValues state() const;
  [[nodiscard]] std::string log() const { return text_of(dir_ / "supervise.log"); }
  [[nodiscard]] pid_t recorded_supervise() const;  // what `state` says
  // Everything that explains a failure.
  [[nodiscard]] virtual std::string report() const;

  void write(std::string_view commands) const;
  // Each waits for a condition and throws, with a report, when it does not come about.
  void await_that(const std::string& what, const std::function<bool()>& condition) const;
  pid_t await_service(pid_t other_than = 0) const;                     // running under a pid other than this one
  pid_t await_command(const Words& argv, pid_t other_than = 0) const;  // and it is executing that
  void await(const std::string& key, const std::string& value) const;
  void await_state(const std::string& state) const { await("state", state); }
  void await_log(const std::string& text) const;
  void await_lines(const fs::path& file, std::size_t count) const;
  // Waits for the end of a detached supervise, which must be a clean one (or KILL).
  virtual void await_exit() const;

 protected:
  void await_end(pid_t supervise) const;

 private:
  fs::path dir_;
};

namespace detail {
struct Work {
  TempDir work_;
};
}  // namespace detail

// A supervise that was started in a directory of its own and is under way when the constructor returns.
class Supervised : private detail::Work, public StatusDir {
 public:
  explicit Supervised(const Setup& setup);

  [[nodiscard]] const TempDir& work() const { return work_; }
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] const Result& launch() const { return launch_; }  // of the launching process, where it detached
  [[nodiscard]] Child& foreground() const { return *child_; }
  [[nodiscard]] std::string report() const override;
  void await_exit() const override;

 private:
  Result launch_;
  std::unique_ptr<Child> child_;
  pid_t pid_ = 0;
};

// A supervise that can be killed and started again with the same command line.
struct Restartable {
  explicit Restartable(const Words& command, const std::string& conf = {});
  void start();
  void kill() const;
  void kill_and_start();

  TempDir work;
  StatusDir dir = StatusDir(work / "status/svc");
  Words words;
  pid_t pid = 0;
};

}  // namespace harness
