// The status directory of one service: every entry, opened and held, put back when somebody removes it. supervise(8), FILES.
#pragma once

#include <span>
#include <string>

#include "core/state.h"
#include "core/status.h"
#include "sys/entry.h"
#include "sys/event_log.h"
#include "sys/published_file.h"
#include "sys/trusted.h"

namespace sys {

// What the last supervise of a directory has left to the next one.
struct Recorded {
  core::RecordText text;        // empty: nothing
  bool is_trusted = true;       // it is ours; else somebody else may have put it there
};

// `directory` is a descriptor of the status directory. An error where it can't be read now.
[[nodiscard]] Result<Recorded> read_recorded(System& system, int directory);

class StatusDir {
 public:
  // `path` is absolute. `group`: of those who may write to control and ok; kKeepGroup: nobody but the owner.
  StatusDir(System& system, std::string path, std::uint32_t group);

  // Makes and opens everything but the published files. EWOULDBLOCK from "lock" or "supervise": another supervise holds it. What was made
  // is taken away again if this fails.
  Failure open();

  // What was recorded before this supervise publishes its own.
  [[nodiscard]] Result<Recorded> recorded() { return read_recorded(system_, dir_.get()); }

  // Takes a directory away again that open() has made.
  void abandon();

  // Replaces status, supervise/status, state and supervise/record. kExchange opens no descriptor and may fail where kAnyWay does not.
  enum class Means { kAnyWay, kExchange };
  Failure publish(const core::Status& status, const core::EncodedRecord& record, Means means);
  // Does beforehand what the next publication by kExchange can't: nothing, where names can be exchanged.
  void prepare();

  // Whether Signals::watched tells of changes in here. Else check() has to be called now and then.
  [[nodiscard]] bool is_watched() const { return watched_ && parent_; }

  // Whether another supervise has it open, by the one sign that there is without start times of processes: somebody reads `ok`.
  // Never once open() has succeeded: then we do.
  [[nodiscard]] bool is_served();

  // Whether any process has an output of the service open for reading, wherever that runs: the service has, and its logger. True
  // as well where that can't be told now. Before the outputs are opened, that is.
  [[nodiscard]] bool is_output_open();

  // Puts back what is missing or was replaced. `mended` says whether anything was; `failure` what could not be. What another
  // supervise has locked meanwhile is left alone: ours goes on in the directory that is gone.
  struct Check {
    const char* mended = nullptr;    // the entry, or nullptr
    bool republish = false;          // published files have to be written again
    Failure failure;
  };
  Check check();
  // Whether another supervise has locked it since. Nothing is published then.
  [[nodiscard]] bool is_taken() const { return taken_; }

  // For a reloaded control_group.
  Failure set_group(std::uint32_t group);

  [[nodiscard]] int control() const { return control_.get(); }
  [[nodiscard]] int ok() const { return ok_.get(); }
  [[nodiscard]] int descriptor() const { return dir_.get(); }
  // Of DIR/supervise, in which nobody but us can make, move or remove anything.
  [[nodiscard]] int inner() const { return supervise_dir_.get(); }
  [[nodiscard]] EventLog& log() { return log_; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  [[nodiscard]] const char* foreign_entry();
  Failure open_directory();
  Failure open_lock();
  Failure open_control();
  Failure open_ok();
  Failure open_links();
  Failure open_entries(Check& result);
  void remove_entries();
  [[nodiscard]] bool is_in_place();
  [[nodiscard]] bool is_lock_anothers();
  [[nodiscard]] bool has_link(int dir, const char* name, const char* target);
  [[nodiscard]] Result<Opened> open_path(Missing missing);
  void watch_parent();
  Failure set_directory_access();
  [[nodiscard]] unsigned subdirectory_mode() const { return group_ == kKeepGroup ? 0700 : 0710; }
  [[nodiscard]] unsigned fifo_mode() const { return group_ == kKeepGroup ? 0600 : 0620; }

  System& system_;
  std::string path_;
  std::uint32_t group_;
  UniqueFd parent_, dir_, supervise_dir_;
  UniqueFd lock_, control_, ok_;
  EventLog log_;
  PublishedFile status_, state_, runit_status_, record_;
  bool made_directory_ = false;
  bool taken_ = false;
  bool watched_ = false;
  bool resolved_ = false;                  // path_ has no links in it, and is to have none
  unsigned found_mode_ = 0700;             // of the directory, as it was
  std::uint32_t found_group_ = kKeepGroup;
};

}  // namespace sys
