// Executes what the machine decides, for one service: the loop turn, and everything that turns an event of the system into an
// event of the machine and an action of the machine into calls of the system. After start() nothing here ends the process
// but turn() returning false, and nothing waits but System::wait.
#pragma once

#include <optional>
#include <string>

#include "core/rate_limit.h"
#include "supervise/alarm.h"
#include "supervise/handover.h"
#include "supervise/helpers.h"
#include "supervise/options.h"
#include "supervise/output.h"
#include "supervise/service.h"
#include "supervise/signs.h"
#include "supervise/tree.h"
#include "sys/error_text.h"
#include "sys/status_dir.h"

namespace supervise {

// What never changes while a supervise lives.
struct Identity {
  std::string name;                        // of the service
  std::string directory;                   // absolute
  std::string host;
  std::string conf;                        // absolute, empty: none
  bool conf_required = false;
  bool conf_named = true;                  // on the command line
  std::vector<std::string> command;        // of the command line; empty: the configuration's
  std::string hook;                        // -r; empty: none
  core::Nanos hook_reset{0};               // -t
  Inherited inherited;
  std::string boot_id;
  std::string namespaces;                  // in which a pid and the start of a process hold; empty: nothing tells
  bool foreground = false;
  std::string program;                     // the file that this process executes
  std::vector<std::string> arguments;      // of the command line, without the program's name
  std::optional<Handover> handover;        // of the program that this process was before
  std::string record;                      // that it handed over; empty: none

  [[nodiscard]] Configuration configuration() const { return {conf, conf_required, conf_named}; }
  // The file that is read; empty: none is there.
  [[nodiscard]] std::string file() const { return conf_required ? conf : std::string(); }
};

// Puts the command of the command line, if there is one, into `loaded`. Where neither has one that is a problem of `level`.
void take_command(const Identity& identity, Loaded& loaded, sys::Level level);

// Loads and prepares the service's configuration. Problems are added to `problems`; nothing is returned on errors.
[[nodiscard]] std::optional<Service> load_service(sys::System& system, const Identity& identity, Lines& problems);

class Daemon {
 public:
  Daemon(sys::System& system, Identity identity, Service service);

  // Takes the directory, publishes, and tries the first start. `error` is set if supervise can't go on, with its exit
  // status; `warning` if it can, but something is to be told.
  struct Started {
    int status = 0;
    std::string error;
    std::string warning;
  };
  [[nodiscard]] Started start(const Lines& problems);

  // Waits for something to happen and deals with it. False when supervise is to end, with status 0.
  [[nodiscard]] bool turn();

 private:
  // A fault of ours: reported when it begins and when it has ended, not every time it is met.
  struct Trouble {
    bool active = false;
  };
  // A signal that could not be sent to the service, and why.
  struct Unsent {
    int signal = 0;    // 0: none
    int error = 0;     // EAGAIN: the service can't be looked at
    friend bool operator==(const Unsent&, const Unsent&) = default;
  };

  [[nodiscard]] Started refuse_second();
  [[nodiscard]] Started refuse_unseen(const core::RecordedProcesses& recorded);
  [[nodiscard]] bool is_of_this_boot(const core::RecordedProcesses& recorded) const;
  [[nodiscard]] bool is_elsewhere(const core::RecordedProcesses& recorded) const;
  [[nodiscard]] Started unreadable_state(sys::Errno error) const;
  [[nodiscard]] sys::Result<std::int32_t> other_supervise();
  void reap();
  void main_reaped(const core::Outcome& outcome);
  void main_exited(const core::Outcome& outcome);
  [[nodiscard]] sys::Result<bool> follow(const core::Outcome& outcome);
  [[nodiscard]] const Process* choose_main(const Orphans& orphans);
  void look_at_pidfile();
  void set_main(const Process& process);
  void watch_main(const sys::ProcessInfo& info);
  void look_at_main();
  [[nodiscard]] bool is_service_there();
  [[nodiscard]] bool is_service(const sys::ProcessInfo& info) const;
  [[nodiscard]] bool has_service_ended();
  [[nodiscard]] bool is_command();
  [[nodiscard]] bool may_be_left();
  [[nodiscard]] std::optional<core::Snapshot> find_service(const sys::Recorded& found);
  [[nodiscard]] bool is_as_recorded(const core::RecordedProcesses& recorded);
  void leave_alone();
  void adopt(const core::Snapshot& snapshot);
  [[nodiscard]] std::optional<core::Snapshot> own_snapshot(const core::RecordText& found);
  void ask_program();
  void hand_over();
  void no_upgrade(std::string_view why, sys::Errno error);
  [[nodiscard]] bool may_hand_over() const;
  [[nodiscard]] sys::Failure open_directory();
  void read_notifications();
  [[nodiscard]] bool is_refused(std::int32_t sender, const core::Notification& message, bool too_long);
  void hold_notifications();
  void notified(const core::Notification& message);
  void find_free_name();
  [[nodiscard]] std::string_view notify_name() const;
  void end_tree();
  void look_for_leftovers();
  void run_logger();
  void logger_ended(const core::Outcome& outcome, Output::End end);
  void read_reports();
  void heard(std::string_view report);
  void opened(const sys::Failure& failure);
  void output_waits(std::size_t which, std::string_view why);
  void forget_waits();
  [[nodiscard]] std::string_view why_output_waits() const;
  void read_signals();
  void read_control();
  void command(char byte);
  void expire();
  void settle();
  void step(const core::Event& event);
  void execute(const core::Action& action);
  void start_service();
  void started(std::int32_t pid);
  void service_exited(const core::Outcome& outcome);
  void helper_ended(const HelperEnd& end);
  void start_failed(const core::StartFailure& failure);
  [[nodiscard]] std::optional<core::StartFailure> take_late_failure();
  void look_at_start();
  void send_signal(int signal, bool to_group);
  void has_sent(int signal);
  [[nodiscard]] sys::Status send(int signal, sys::Scope scope);
  void kill_again();
  void advance_tree();
  void run_hook(int n);
  void prepare_alarm();
  void raise_alarm();
  void send_alarms();
  void reload();
  [[nodiscard]] core::WallTime conf_time();
  void check_directory();
  void publish();
  void learn_start();
  [[nodiscard]] sys::Failure write_status(const core::Facts& facts, sys::StatusDir::Means means);
  [[nodiscard]] core::EncodedRecord record(const core::Facts& facts) const;
  [[nodiscard]] core::Text<256> reason_text(const core::Facts& facts) const;
  [[nodiscard]] static core::Text<96> to_text(const Unsent& unsent);
  [[nodiscard]] core::Instant deadline() const;
  [[nodiscard]] bool may_end();
  void wake_up_in(core::Nanos delay);
  void note(sys::Level level, std::string_view text);
  void flush_notes();
  void report(Trouble& trouble, const sys::Failure& failure);

  sys::System& system_;
  Identity identity_;
  Service service_;
  sys::StatusDir directory_;
  core::Machine machine_;
  Helpers helpers_;
  Output output_;
  Tree tree_;
  Signs signs_;
  sys::UniqueFd null_;
  core::Now now_;

  core::ProcessId self_, process_;
  core::Origin origin_;                          // of process_
  std::int32_t session_ = 0;                     // ours, and so the service's
  core::LeftRunning left_;                       // nothing is started as long as it is there
  std::optional<core::Outcome> ended_;           // of the main process, as long as it is unknown whether another follows it
  core::Instant follow_until_ = core::kNever;    // a forking service that exits with 0 before then goes on as another process
  core::Instant pidfile_look_ = core::kNever;    // the pid file is looked at then, again and again
  core::Instant pidfile_until_{};                // but not after this
  bool is_child_ = true;                         // the service is our child, and we are told of its end
  sys::UniqueFd pending_;                        // tells whether its program could be executed, as long as that is unknown
  Unsent unsent_;                                // as long as nothing but CONT could be sent since
  core::Instant kill_again_ = core::kNever;
  sys::UniqueFd main_;                           // else: readable when it has ended
  bool main_known_ = false;                      // main_ is of the service, and of no stranger who had its pid by then
  core::Instant main_look_ = core::kNever;       // or it is looked at then
  int main_looks_ = 0;
  core::Text<160> status_text_;                  // what the service says of itself
  // Why what the service writes is not in its logs: as the logger says of each output, and what could not be opened.
  static constexpr std::size_t kUnopened = kWaits.size();
  std::array<core::Text<160>, kWaits.size() + 1> waits_;
  bool texts_told_ = true;                       // status_text_ and waits_ are published
  core::Instant notify_hold_{};                  // the notification socket is not looked at before
  core::Instant notify_since_{};                 // since then so many have been read
  int notify_count_ = 0, refused_count_ = 0;
  static constexpr std::size_t kMaxRefusers = 32;
  core::FixedVector<std::int32_t, kMaxRefusers> refused_;    // who has sent some of those that were refused
  std::string lost_name_;                        // that the service which runs was told; another process has it
  std::uint64_t leftovers_since_ = 0;            // what was started then or later, and before the service, is left behind
  core::Instant leftovers_due_ = core::kNever;
  std::optional<core::Facts> published_;   // what status and state say now
  bool publish_failed_ = false;
  bool own_change_ = false;                // something was published since the last Signals::watched
  core::Instant retry_ = core::kNever;     // of publishing and mending
  core::Instant last_check_{};
  bool reload_wanted_ = false;
  core::WallTime conf_time_{};             // of the last reading; the epoch: there was no file
  std::uint64_t conf_reads_ = 1;
  bool conf_faulty_ = false;               // the last reading was refused
  bool upgrade_wanted_ = false, upgrade_ready_ = false, replaced_ = false;
  core::Instant wake_ = core::kNever;      // the next turn comes then at the latest
  core::Instant control_hold_{};           // control is not looked at before
  core::Instant exit_limit_ = core::kNever;
  bool alarm_wanted_ = false, give_up_ = false, exit_ = false, ended_properly_ = false;
  struct PendingAlarm {
    core::Facts facts;
    bool giving_up;
    core::Instant due;    // at the latest
  };
  std::optional<PendingAlarm> pending_alarm_;
  core::Reason stops_for_{};               // why supervise stops the service of its own accord; logged
  core::Text<160> last_end_;               // `pid 4711, code 1, up 3.2 s`
  static constexpr std::size_t kNotes = 1200, kMaxNote = 512;
  core::Text<kNotes> notes_;                 // lines to be logged at the end of the turn: a byte of level, text, newline
  core::RateLimit control_notes_{20, core::seconds(1)}, unknown_notes_{1, core::seconds(1)}, mending_notes_{5, core::seconds(10)},
      refusal_notes_{1, core::seconds(10)}, reload_notes_{5, core::seconds(10)}, logger_notes_{5, core::seconds(60)};
  Trouble publishing_, mending_, watching_, starting_, opening_, logging_;
  std::optional<Alarm> alarm_;
};

}  // namespace supervise
