// What the matrix of faults judges: one service under one kind of supervisor, in a directory of its own, and the invariants
// that hold after every fault whoever supervises.
//
// Each fault is a test case that runs for one kind: ours, or the one that $FAULTS_KIND names. With $FAULTS_FULL set the counts are
// those of `make faults`, else small ones. It prints its cell of the matrix on a line `CELL: …`.
#pragma once

#include <atomic>
#include <memory>
#include <random>
#include <stdexcept>
#include <thread>

#include "peers/peers.h"
#include "proc/harness.h"

namespace faults {

using namespace harness;

// What was observed and must not be, in few words: the cell of the matrix.
struct Failure : std::runtime_error {
  using runtime_error::runtime_error;
};
// The fault makes no sense for that kind.
struct Meaningless {};
// It can't be caused here.
struct Skipped : std::runtime_error {
  using runtime_error::runtime_error;
};

inline void expect(bool condition, const std::string& otherwise) {
  if (!condition) throw Failure(otherwise);
}
inline void skip_unless(bool condition, const std::string& reason) {
  if (!condition) throw Skipped(reason);
}

[[nodiscard]] bool is_full();
template <class Number>
[[nodiscard]] Number in_full(Number full, Number quick) {
  return is_full() ? full : quick;
}
// How long after a fault everything may take to be right again.
[[nodiscard]] Clock::duration deadline();

struct Plan {
  Words verbs = {};                // of the test service, after `started FILE`
  std::string script = {};         // instead of the test service: the lines of a shell script
  peers::Logging logging = peers::Logging::kNone;
  std::string conf = {};           // of our supervise.conf
  std::string supervisord = {};    // of [program:0] in supervisord.conf
  std::string s6 = {};             // a file that s6-supervise reads, `timeout-kill 2000`
  bool is_unprivileged = false;    // the supervisor and all it has belong to a user without rights
  fs::path top = {};               // where the directory is to be; default: a temporary one
};

inline constexpr uid_t kUser = 54321;

class Site {
 public:
  Site(const peers::Kind& kind, const Plan& plan);
  ~Site();

  [[nodiscard]] bool is_ours() const { return kind_.name == "supervise"; }
  [[nodiscard]] bool is(const std::string& kind) const { return kind_.name == kind; }
  [[nodiscard]] peers::Fleet& fleet() const { return *fleet_; }
  [[nodiscard]] fs::path home() const { return fleet_->home(0); }
  [[nodiscard]] fs::path control() const { return fleet_->control(0); }
  [[nodiscard]] fs::path work() const { return work_.path(); }    // beside the service's directory
  [[nodiscard]] pid_t supervisor() const { return supervisor_; }
  // The descriptors, files and so on of one that has just been started need a moment: waits until the service runs.
  void start();
  // Starts another supervisor without waiting for anything.
  void start_anew();
  void kill_supervisor() const;
  void take_over(pid_t supervisor) { supervisor_ = supervisor; }    // from now on this is the one
  // Whether it lives. Where a scanner stands above each supervisor and starts it again, so does this, at most once a second.
  [[nodiscard]] bool has_supervisor();

  [[nodiscard]] std::vector<pid_t> copies() const;    // of the service that live
  [[nodiscard]] const fs::path& marks() const { return marks_; }    // what `started` writes
  [[nodiscard]] std::size_t starts() const { return lines_of(marks_).size(); }
  [[nodiscard]] pid_t service() const;                // the one copy
  void kill_service() const;
  [[nodiscard]] bool can_be_told() const;             // there is something to tell it by, and somebody who listens
  void tell(char letter) const;
  // As many letters as the FIFO takes, all in order; where there is no FIFO one call a letter.
  void tell_all(const std::string& letters) const;
  [[nodiscard]] std::string output() const;           // of the service
  [[nodiscard]] std::size_t written(const std::string& part) const;    // how often that is in its output

  // Each waits for a condition, and fails with what is wrong.
  void await(const std::string& otherwise, const std::function<bool()>& condition);
  pid_t await_running(pid_t other_than = 0, const std::string& otherwise = "service not back");
  void await_rest();      // the same copy for a while
  void await_stopped();
  void await_told();      // the status names the process, or 0 where there is none
  void check_alone();     // there were never two copies
  // All of the above, then d and u.
  void check_everything();
  // What the supervisor had when the fault began; check_cost: I6 and I7, where it may have logged `more` bytes beside.
  void begin_fault();
  void check_cost(std::uintmax_t more = 0);

 private:
  struct Cost {
    double time = 0;
    double processor = 0;
    std::uintmax_t log = 0;
    std::size_t descriptors = 0;
    std::size_t children = 0;
    long resident = 0;
  };
  [[nodiscard]] Cost cost() const;
  [[nodiscard]] std::string report() const;
  void watch();

  const peers::Kind& kind_;
  Plan plan_;
  TempDir work_;
  fs::path marks_;
  std::unique_ptr<peers::Fleet> fleet_;
  pid_t supervisor_ = 0;
  Clock::time_point last_start_;
  Cost before_;
  std::atomic<bool> is_over_ = false;
  std::atomic<bool> had_two_ = false;
  std::thread watcher_;
};

// An strace(1) of one process; throws Skipped where it may not trace.
class Tracer {
 public:
  Tracer(pid_t pid, const Words& options, const fs::path& output = "/dev/null");
  ~Tracer();
  Tracer(const Tracer&) = delete;
  Tracer& operator=(const Tracer&) = delete;

 private:
  std::unique_ptr<Child> strace_;
};

// What `numbers` writes as its line of that number, without the newline.
[[nodiscard]] std::string numbered(long number);
// The text is the lines of `numbers` from 1 on: of one run after the other, each without a gap, a double or a torn line.
// The words that say what is wrong, or none. At least `runs` of them.
[[nodiscard]] std::string wrong_with(const std::string& text, std::size_t runs = 1);

// Fills the file system of the directory; the file `filler` there is what to remove.
void fill(const fs::path& directory);

// Of this process, whatever group or session they are in.
[[nodiscard]] std::vector<pid_t> descendants();
[[nodiscard]] bool is_logger(pid_t pid);    // of any kind

[[nodiscard]] std::mt19937& randomness();
// A moment between now and then.
[[nodiscard]] Clock::duration any_time(Clock::duration most);

void judge(void (*fault)(const peers::Kind&));

}  // namespace faults

#define FAULT_NAMED(function, name)                  \
  static void function(const peers::Kind& kind);     \
  TEST_CASE(name) { faults::judge(function); }       \
  static void function(const peers::Kind& kind)
#define FAULT_LINE(line, name) FAULT_NAMED(fault_##line, name)
#define FAULT_AT(line, name) FAULT_LINE(line, name)
// The name begins with its number and a blank: `F04 the status directory is full`.
#define FAULT(name) FAULT_AT(__LINE__, name)
