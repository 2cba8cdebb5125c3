// What all services of the soak test share: the processes, the counts, the violations. Everything here may be called by any
// thread.
//
// The soak program is the reaper of all that its descendants leave behind: it learns how every supervise has ended, and
// waits for the services that are adopted, so that the kernel can tell their exit codes.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "../proc/harness.h"

namespace soak {

namespace fs = harness::fs;
using harness::Clock;
using harness::Words;
using namespace std::chrono_literals;

// The machine may be very busy, and is shared with what it is loaded with.
inline constexpr Clock::duration kPatience = 30s;
inline constexpr Clock::duration kInterval = 50ms;

// True as soon as the condition holds; false if it does not in that time.
template <class Condition>
[[nodiscard]] bool await(Condition holds, Clock::duration patience = kPatience) {
  for (const auto deadline = Clock::now() + patience; Clock::now() < deadline; std::this_thread::sleep_for(kInterval))
    if (holds()) return true;
  return holds();
}

// The programs under test, and the service: worker.cc.
[[nodiscard]] std::string client_program();
[[nodiscard]] std::string worker_program();

// The parents of all processes at one moment.
struct ProcessTable {
  Clock::time_point taken;
  std::multimap<pid_t, pid_t> children;
};

struct Range {
  long least = 0;
  long most = 0;
  void add(long value);
};

class World {
 public:
  explicit World(fs::path top);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  [[nodiscard]] const fs::path& top() const { return top_; }

  // Starts a program; what it says goes to that file.
  [[nodiscard]] pid_t spawn(const Words& argv, const fs::path& said);
  // The wait status of a process that was reaped after that moment.
  [[nodiscard]] std::optional<int> status_of(pid_t pid, Clock::time_point since);
  [[nodiscard]] std::shared_ptr<const ProcessTable> processes();

  void count(const std::string& what, long number = 1);
  void measure(const std::string& what, long value);
  void violation(const std::string& service, const std::string& expected, const std::string& found, const std::string& report);
  void note(const std::string& text) const;

  [[nodiscard]] long count_of(const std::string& what);
  [[nodiscard]] std::size_t violations();
  [[nodiscard]] std::string table();

 private:
  struct End {
    int status;
    Clock::time_point when;
  };
  void reap();
  void scan();

  fs::path top_;
  Clock::time_point began_ = Clock::now();
  std::mutex mutex_;
  std::map<pid_t, End> ends_;
  std::map<std::string, long> counts_;
  std::map<std::string, Range> ranges_;
  std::size_t violations_ = 0;
  std::shared_ptr<const ProcessTable> processes_ = std::make_shared<ProcessTable>();
  std::atomic<bool> over_ = false;
  std::thread reaper_;
  std::thread scanner_;
};

}  // namespace soak
