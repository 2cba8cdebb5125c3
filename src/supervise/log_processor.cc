#include "supervise/log_processor.h"

#include <array>
#include <cerrno>

#include "sys/entry.h"
#include "sys/trusted.h"

namespace supervise {
namespace {

using Form = LogSpec::Form;

constexpr unsigned kMode = 0600;
constexpr unsigned kTimeLimit = 3600;    // seconds
// A name that is no backup's, for what the command has not finished.
constexpr std::string_view kUnfinished = ".unfinished";

core::Text<300> unfinished(const LogSpec& spec) {
  core::Text<300> name;
  name << spec.name << kUnfinished;
  return name;
}

struct Suffix {
  std::string_view program, suffix;
};
constexpr std::array kSuffixes = {Suffix{"gzip", ".gz"}, Suffix{"pigz", ".gz"}, Suffix{"bzip2", ".bz2"},
                                  Suffix{"xz", ".xz"},   Suffix{"zstd", ".zst"}, Suffix{"lz4", ".lz4"}};

}  // namespace

std::string suffix_of(const std::vector<std::string>& command) {
  if (command.empty()) return {};
  const auto& path = command.front();
  const auto program = std::string_view(path).substr(path.rfind('/') + 1);
  for (const auto& known : kSuffixes)
    if (known.program == program) return std::string(known.suffix);
  return ".processed";
}

LogProcessor::LogProcessor(sys::System& system, const std::vector<std::string>& command, const char* const* environment, int null)
    : system_(system), environment_(environment), null_(null) {
  for (const auto& word : command) arguments_.push_back(word.c_str());
  arguments_.push_back(nullptr);
}

core::Text<400> LogProcessor::begin(const LogWriter& log) {
  core::Text<400> problem;
  const auto& spec = log.spec();
  if (arguments_.size() == 1 || is_busy() || log.directory() < 0) return problem;
  for (unsigned number = 1; number <= spec.backups; ++number) {
    auto plain = spec.backup(number, Form::kPlain), processed = spec.backup(number, Form::kProcessed);
    const auto done = system_.stat_at(log.directory(), processed.c_str());
    const auto info = system_.stat_at(log.directory(), plain.c_str());
    if (!info && !done) return problem;
    if (!info) continue;
    // It was finished when whoever had begun it was killed. An older one is of another file.
    if (done && done->modified >= info->modified) {
      (void)system_.remove(log.directory(), plain.c_str());
      continue;
    }
    const auto input = sys::open_to_read(system_, log.directory(), plain.c_str());
    const auto output = sys::make_file(system_, log.directory(), unfinished(spec).c_str(), kMode);
    problem << "cannot process " << plain.view() << ": ";
    if (!input || !output) return problem << sys::error_text((input ? output.error() : input.error()).number);
    sys::Spawn spawn{};
    spawn.arguments = arguments_.data();
    spawn.environment = environment_;
    spawn.input = input->get();
    spawn.output = output->get();
    spawn.errors = null_;
    spawn.time_limit = kTimeLimit;
    spawn.umask = 077;
    spawn.ends_with_us = true;
    auto program = sys::find_program(system_, arguments_.front(), environment_);
    if (program && !program->view().empty()) spawn.program = program->c_str();
    const auto spawned = program ? system_.spawn(spawn) : sys::Spawned{0, core::StartFailure{core::Stage::kExec, program.error().number}};
    if (spawned.failure) {
      (void)system_.remove(log.directory(), unfinished(spec).c_str());
      problem.clear();
      problem << "log_processor ";
      problem.printable(arguments_.front()) << " cannot be run: " << sys::why_not_run(spawned.failure->cause);
      return problem;
    }
    pid_ = spawned.pid;
    log_ = &log;
    inode_ = info->inode;
    problem.clear();
    return problem;
  }
  return problem;
}

core::Text<400> LogProcessor::ended(std::int32_t pid, const core::Outcome& outcome) {
  core::Text<400> problem;
  if (pid != pid_ || pid_ == 0) return problem;
  pid_ = 0;
  const bool good = outcome == core::Outcome::code(0);
  if (good && finish()) return problem;
  (void)system_.remove(log_->directory(), unfinished(log_->spec()).c_str());
  if (good) return problem;
  problem << "log_processor ";
  problem.printable(arguments_.front()) << " failed: " << core::to_text(outcome).view() << "; the file stays as it was";
  return problem;
}

// The processed file takes the place of the other, if that is still kept.
bool LogProcessor::finish() {
  const auto& spec = log_->spec();
  for (unsigned number = 1; number <= spec.backups; ++number) {
    auto plain = spec.backup(number, Form::kPlain);
    const auto info = system_.stat_at(log_->directory(), plain.c_str());
    if (!info || info->inode != inode_) continue;
    if (!system_.rename(log_->directory(), unfinished(spec).c_str(), spec.backup(number, Form::kProcessed).c_str())) return false;
    (void)system_.remove(log_->directory(), plain.c_str());
    return true;
  }
  return false;
}

}  // namespace supervise
