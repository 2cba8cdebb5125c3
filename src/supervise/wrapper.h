// Wrapper mode: keeps one command alive in the foreground, without a status directory. The same machine decides; what it wants
// done goes to one child, and what there is to say to standard error. supervise(8), WRAPPER MODE.
#pragma once

#include "supervise/helpers.h"
#include "supervise/service.h"
#include "supervise/signs.h"

namespace supervise {

// The policy of wrapper mode, before the command line changes it: supervise(8) names these defaults.
[[nodiscard]] core::Settings wrapper_defaults();

// What of it follows from the command line: which run is a good one, and how closely starts may follow each other.
void complete_wrapper(core::Settings& settings);

class Wrapper {
 public:
  Wrapper(sys::System& system, Service service);

  // Waits for something to happen and deals with it. False when it is over.
  [[nodiscard]] bool turn();

  // The status to exit with: the service's exit code, 128 + N after signal N, 127 or 126 if it could not be executed,
  // 1 if it hung and ended with 0 when told to.
  [[nodiscard]] int status() const;

 private:
  void begin();
  void claim_heartbeat();
  void reap();
  void pass_on_signals();
  [[nodiscard]] bool is_typed_for_both(int signal);
  void end(int signal);
  void send(int signal);
  void step(const core::Event& event);
  void execute(const core::Action& action);
  void start_service();
  void start_failed(const core::StartFailure& failure, bool first);
  void say_what_follows();
  void say(std::string_view text);
  [[nodiscard]] core::Text<200> why() const;

  sys::System& system_;
  Service service_;
  core::Now now_;
  core::Machine machine_;
  Signs signs_;
  sys::UniqueFd heartbeat_claim_;
  bool heartbeat_is_ours_ = false;    // and is removed at the end
  bool begun_ = false, over_ = false;
  bool start_deferred_ = false;
  bool hung_ = false;    // the present or last run
  sys::UniqueFd pending_;    // tells whether the program could be executed, if that was not known at once
  int unsent_ = 0;    // why the last signal could not be sent; 0: it was
  int typed_ = 0;    // the signal that the terminal has just sent to the service as well
};

}  // namespace supervise
