// One supervised service of the soak test: what is done to it, and what must be true of it whatever was done.
//
// Its life is one thread. It alternates between chaos, where random things are done, and an examination, where nothing is
// done and everything must come right by itself within kPatience.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <stop_token>

#include "kinds.h"
#include "output.h"
#include "world.h"

namespace soak {

class Subject {
 public:
  Subject(World& world, const Kind& kind, std::string name, std::uint64_t seed);
  ~Subject();

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] Output& output() { return output_; }
  [[nodiscard]] const Record& record() const { return *record_; }
  // At the end of everything: that the last run is in the log, too, and nothing that it did not write.
  void check_output();
  // Held while nothing must be done to it.
  [[nodiscard]] std::mutex& calm() { return calm_; }

  // From the first start to the end of the last process. Begins the chaos when told so.
  void live(const std::function<void()>& await_all_begun, std::stop_token end_of_chaos);

 private:
  using Action = void (Subject::*)();
  struct Choice {
    Action action;
    int weight;
    const char* name;
  };
  static const std::array<Choice, 15> kChoices;

  [[nodiscard]] long below(long limit) { return std::uniform_int_distribution<long>(0, limit - 1)(random_); }
  [[nodiscard]] bool chance(long percent) { return below(100) < percent; }
  void pause(long most);  // milliseconds
  [[nodiscard]] harness::KeyValues state() const;
  [[nodiscard]] pid_t holder() const;  // the process that is the service, by the kernel's word
  [[nodiscard]] pid_t logger() const;
  [[nodiscard]] std::string report() const;
  void violation(const std::string& expected, const std::string& found) const;

  // ---- Its supervise.
  [[nodiscard]] std::string conf(const std::map<std::string, std::string>& changes) const;
  [[nodiscard]] Words command_line() const;
  void start();
  [[nodiscard]] bool has_ended();
  void tend();  // starts another supervise where one has ended that was allowed to
  void write(std::string_view letters);
  void end_supervise(int signal);
  // Stops it (STOP) at a moment when its logger keeps all output; false where there is none for long.
  [[nodiscard]] bool stop_where_output_is_kept();
  [[nodiscard]] bool output_is_kept();

  // ---- Chaos.
  void note(const std::string& action) const;  // with the time of day, as supervise.log has it; for the report of a violation
  void rage(const std::stop_token& end);
  void act();
  void write_letters();
  void write_garbage();
  void kill_service();
  void kill_supervise();
  void kill_logger();
  void kill_both();
  void stop_supervise();
  void stop_service();
  void signal_supervise();
  void upgrade();
  void remove_entry();
  void replace_control();
  void remove_directory();
  void start_second();
  void reconfigure();
  void control_with_client();
  void fill_disk();
  void await_entries(const std::string& after);

  // ---- Examination.
  void examine(char wish);  // a letter; 0: whatever is wanted
  [[nodiscard]] std::string fault(char wish);
  [[nodiscard]] std::string entry_fault() const;
  [[nodiscard]] std::string child_fault(pid_t service) const;
  // The process that is the service, if it does not say so itself as it was stopped too early.
  [[nodiscard]] pid_t stopped_too_early(pid_t named) const;
  void check_stranger();
  void check_logs();
  void measure(const std::string& when);
  void finish();

  World& world_;
  const Kind& kind_;
  std::string name_;
  fs::path dir_;
  fs::path own_;  // its working directory
  fs::path log_;
  std::mt19937_64 random_;
  int record_fd_ = -1;
  Record* record_ = nullptr;
  Output output_;
  std::mutex calm_;

  pid_t supervise_ = 0;
  Clock::time_point launched_;
  bool may_end_ = false;  // its supervise was told so
  bool changed_ = false;  // its configuration
  std::map<std::string, std::string> changes_;
  Words descriptors_;     // at the beginning
  long memory_ = 0;       // likewise, in KiB
};

}  // namespace soak
