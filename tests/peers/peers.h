// Supervisors side by side. Each kind gets the same services, and is started, told and asked in its own way: by its FIFO or
// socket, as its own client does it, and by its status file or its client. For the benchmarks and the matrix of faults.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace peers {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

// Starts a program in a process group of its own, with /dev/null as descriptors 0 to 2. Its pid; 0 if it can't be executed.
pid_t start(const Words& words, const fs::path& directory = {});
// Runs a program to its end. Its exit status, 128 + N for signal N.
int run(const Words& words);
// What a program wrote to its standard output.
std::string output_of(const Words& words);
[[nodiscard]] bool has_program(const std::string& name);
// The environment variable, or where it is not set `otherwise`.
std::string setting(const char* variable, const std::string& otherwise);
std::string text_of(const fs::path& file);    // empty where there is none

// Makes this process the parent of all that its descendants leave behind, so that end_descendants() finds it.
void adopt_descendants();
// Kills every descendant of this process and waits for it.
void end_descendants();

enum class Logging { kNone, kOwn };    // kOwn: each service has the logger that comes with its supervisor

// Services 0 to count - 1 of the directory `top`. Service I is the program TOP/I/run, which has to be there.
class Fleet {
 public:
  Fleet(fs::path top, int count) : top_(std::move(top)), count_(count) {}
  virtual ~Fleet() = default;
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;

  // Starts the supervisor of this service, which begins with the service at once; a child of ours.
  virtual pid_t start(int service) = 0;
  // All of them.
  virtual void start_all();
  // A control letter: u, d, t, k, h, and x for the supervisor's end. False if nobody takes it.
  virtual bool tell(int service, char letter) = 0;
  // The letter for all.
  virtual void tell_all(char letter);
  // The pid that the kind's status names, 0 if the service is down; nothing if there is no status.
  virtual std::optional<pid_t> told_pid(int service) = 0;
  // The command of the kind's client for that letter.
  [[nodiscard]] virtual Words client(int service, char letter) const = 0;

  // Where the supervisor keeps its own files.
  [[nodiscard]] virtual fs::path home(int service) const = 0;
  // Its FIFO or socket.
  [[nodiscard]] virtual fs::path control(int service) const = 0;
  // The files of the service's standard output where it has a logger, the oldest first.
  [[nodiscard]] virtual std::vector<fs::path> output(int service) const = 0;
  // What is put before the commands of supervisors from now on: setpriv, env.
  void set_wrapper(Words words) { wrapper_ = std::move(words); }

  [[nodiscard]] fs::path directory(int service) const { return top_ / std::to_string(service); }
  [[nodiscard]] const fs::path& top() const { return top_; }
  [[nodiscard]] int count() const { return count_; }
  // The supervisors that were started, by service.
  [[nodiscard]] const std::vector<pid_t>& supervisors() const { return supervisors_; }

 protected:
  [[nodiscard]] const Words& wrapper() const { return wrapper_; }

  std::vector<pid_t> supervisors_;

 private:
  Words wrapper_;
  fs::path top_;
  int count_;
};

struct Kind {
  std::string name;
  std::string program;    // which has to be found; its size is the kind's size
  std::function<std::unique_ptr<Fleet>(const fs::path& top, int count, Logging logging)> make;
  Logging usual = Logging::kNone;    // as it comes
  bool has_logger = false;           // Logging::kOwn is possible
};

// Another build of ours.
[[nodiscard]] Kind ours(const std::string& name, const fs::path& program);

// Ours first ($SUPERVISE and $SUPERVISECTL, else in the working directory), then the peers, whether they are here or not.
[[nodiscard]] const std::vector<Kind>& kinds();

}  // namespace peers
