// One log, fed by a FIFO, in the simulated world, and what must be in its files in the end.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fault/sim_system.h"
#include "supervise/log_writer.h"

namespace sim::log {

using core::LogStamps;
using core::seconds;
using supervise::LogSpec;
using supervise::LogWriter;
using Progress = LogWriter::Progress;
using Strings = std::vector<std::string>;

inline constexpr const char* kFifo = "/srv/supervise/stdout";
inline constexpr const char* kHeld = "/srv/supervise/stdout.held";
inline constexpr const char* kFolder = "/log/redis";
inline constexpr const char* kName = "out";
inline const std::string kFile = std::string(kFolder) + "/" + kName;

struct Killed {};

[[nodiscard]] LogSpec spec_of(std::uint64_t limit, unsigned backups, LogStamps stamps = LogStamps::kNone);

// What happens to one call, or before it.
struct Disturbance {
  std::size_t call = SIZE_MAX;
  enum class What { kError, kFirstError, kLastError, kKill, kAct } what = What::kError;
  Error error;
  std::function<void()> act;
};

class World {
 public:
  explicit World(LogSpec spec) : spec_(std::move(spec)) {
    system.put(std::string(kFolder) + "/other", sys::FileType::kRegular, "other\n");
    system.put(kFifo, sys::FileType::kFifo, {}, 0600);
    system.put(kHeld, sys::FileType::kRegular, {}, 0600);
    fifo_ = system.find(kFifo);
    sender_ = *system.open(sys::kWorkingDirectory, kFifo, sys::OpenMode::kReadWrite, 0);
    reader_ = *system.open(sys::kWorkingDirectory, kFifo, sys::OpenMode::kRead, 0);
    held_ = spec_.stamps == LogStamps::kNone ? -1 : *system.open(sys::kWorkingDirectory, kHeld, sys::OpenMode::kReadWrite, 0);
    descriptors_ = system.open_descriptors();
    first_call = system.calls();
    system.after = [this](Op op) {
      const auto file = op == Op::kMove || op == Op::kWriteAt ? system.find(kFile) : nullptr;
      if (file) file->modified = now.wall;
    };
    system.fault = [this](Op op, std::size_t call) { return disturb(op, call); };
    begin();
  }

  SimSystem system;
  std::vector<Disturbance> disturbances;
  core::Now now{core::Instant(seconds(1000)), core::WallTime(seconds(1'795'197'787))};
  std::size_t first_call = 0;
  std::string all;                // that was ever put into the FIFO
  std::size_t kills = 0, failures = 0;

  void put(std::string_view bytes) {
    all += bytes;
    fifo_->data += bytes;
  }
  LogWriter& writer() { return *writer_; }
  [[nodiscard]] std::size_t waiting() const { return fifo_->data.size(); }
  [[nodiscard]] bool has_held() const { return system.find(kHeld)->data.size() != 0; }

  std::optional<LogSpec> on_kill;    // of the writer that comes after

  // As KILL and the start of another.
  void begin() {
    if (kills != 0 && on_kill) spec_ = *on_kill;
    writer_ = std::make_unique<LogWriter>(system, spec_, reader_, held_);
  }

  Progress advance() {
    pass(std::chrono::milliseconds(1));
    try {
      const auto progress = writer_->advance(now);
      if (progress == Progress::kFailed) ++failures;
      if (progress == Progress::kFailed) pass(seconds(1));
      return progress;
    } catch (const Killed&) {
      ++kills;
      begin();
      return Progress::kSome;
    }
  }
  void pass(core::Nanos time) {
    now.mono += time;
    now.wall += time;
  }

  // Until all is written. False if it never is.
  bool settle() {
    for (int i = 0; i < 3000; ++i)
      if (advance() == Progress::kNone && waiting() == 0 && !has_held()) return true;
    return false;
  }
  // The same, after nobody can write to the FIFO any more.
  bool end() {
    system.close(sender_);
    for (int i = 0; i < 3000; ++i)
      if (advance() == Progress::kEnded) return waiting() == 0 && !has_held();
    return false;
  }

  // The backups, the oldest first, and the file itself.
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::pair<int, std::string>> found;
    const auto folder = system.find(kFolder);
    if (!folder) return {};
    for (const auto& [name, node] : folder->entries) {
      const auto number = name.starts_with(std::string(kName) + ".") ? std::atoi(name.c_str() + std::string_view(kName).size() + 1) : 0;
      if (node->type != sys::FileType::kRegular) continue;
      const bool known = name == kName || name == spec_.backup(static_cast<unsigned>(number), LogSpec::Form::kPlain).view() ||
                         name == spec_.backup(static_cast<unsigned>(number), LogSpec::Form::kProcessed).view();
      if (known) found.emplace_back(-number, name);
    }
    std::sort(found.begin(), found.end());
    std::vector<std::string> out;
    for (auto& [number, name] : found) out.push_back(std::move(name));
    return out;
  }
  [[nodiscard]] Strings files() const {
    Strings out;
    for (const auto& name : names()) out.push_back(content(name));
    return out;
  }
  [[nodiscard]] bool is_there(const std::string& name) const { return system.find(std::string(kFolder) + "/" + name) != nullptr; }
  [[nodiscard]] std::string content(const std::string& name) const {
    const auto node = system.find(std::string(kFolder) + "/" + name);
    return node ? node->data : std::string();
  }

  // What is not as it must always be; empty: nothing.
  [[nodiscard]] std::string wrong() {
    std::string text;
    for (const auto& violation : system.violations()) text += violation + "; ";
    const auto folder = system.find(kFolder);
    const auto known = names();
    for (const auto& [name, node] : folder->entries)
      if (name != "other" && !name.starts_with("moved") && std::find(known.begin(), known.end(), name) == known.end()) text += name + " is there; ";
    for (const auto& name : known)
      if (const auto node = system.find(std::string(kFolder) + "/" + name); node->mode != 0600) text += name + " has the wrong mode; ";
    writer_.reset();
    if (system.open_descriptors() > descriptors_ || system.open_descriptors() + 1 < descriptors_) text += "descriptors are left open; ";
    return text;
  }

 private:
  const Error* disturb(Op op, std::size_t call) {
    const auto& errors = errors_of(op);
    for (auto& disturbance : disturbances) {
      if (disturbance.call != call) continue;
      if (disturbance.act) std::exchange(disturbance.act, nullptr)();
      if (disturbance.what == Disturbance::What::kKill) throw Killed();
      if (disturbance.what == Disturbance::What::kError) return &disturbance.error;
      if (disturbance.what == Disturbance::What::kFirstError && !errors.empty()) return &errors.front();
      if (disturbance.what == Disturbance::What::kLastError && !errors.empty()) return &errors.back();
    }
    return nullptr;
  }

  LogSpec spec_;
  NodePtr fifo_;
  int sender_ = -1, reader_ = -1, held_ = -1;
  std::size_t descriptors_ = 0;
  std::unique_ptr<LogWriter> writer_;
};

// --- what is in the files ---

// How long the stamps of this form are.
[[nodiscard]] std::size_t stamp_size(LogStamps form);

// Takes the stamp from the beginning of every line; `<no stamp>` where there is none. `mid_line`: the text begins within one.
[[nodiscard]] std::string without_stamps(std::string_view text, LogStamps form, bool mid_line = false);

// All files as one text. A file that begins within a line has no stamp there.
[[nodiscard]] std::string joined(const Strings& files, LogStamps form);

// What is not as it should be in the end.
struct Checked {
  bool all_kept = true;      // every backup; else the newest part of everything
  bool bounded = true;
  bool long_lines = false;
};
[[nodiscard]] std::string wrong_with(World& world, const LogSpec& spec, bool settled, Checked checked = {});

}  // namespace sim::log
