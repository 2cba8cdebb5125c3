#include "output.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <charconv>

namespace soak {

Output::Output(std::filesystem::path log, Record& record, Stamps stamps, Complain complain)
    : log_(std::move(log)), record_(record), stamps_(stamps), complain_(std::move(complain)) {}

Output::~Output() {
  if (file_.fd >= 0) close(file_.fd);
}

Output::File Output::open_file(int number) const {
  const auto name = number == 0 ? log_.string() : log_.string() + "." + std::to_string(number);
  const int fd = open(name.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat facts {};
  if (fd >= 0) fstat(fd, &facts);
  return {fd, facts.st_ino};
}

// A rotation meanwhile moves a file to a number that is looked at later: then it is found twice, but none is missed. All are
// open, so that no inode is used again.
std::deque<Output::File> Output::newer_files() const {
  std::deque<File> found;
  for (int number = 0, missing = 0; missing < 2; ++number) {
    const auto file = open_file(number);
    missing = file.fd < 0 ? missing + 1 : 0;
    if (file.fd < 0) continue;
    const bool is_ours = file_.fd >= 0 && file.inode == file_.inode;
    if (is_ours || (!found.empty() && found.front().inode == file.inode)) {
      close(file.fd);
      if (is_ours) break;
    } else {
      found.push_front(file);
    }
  }
  return found;
}

void Output::read_on() {
  std::array<char, 65536> buffer;
  for (ssize_t size; file_.fd >= 0 && (size = read(file_.fd, buffer.data(), buffer.size())) > 0;)
    take(std::string(buffer.data(), static_cast<std::size_t>(size)));
}

void Output::look() {
  const std::lock_guard guard(mutex_);
  read_on();
  for (const auto& file : newer_files()) {
    read_on();  // what was added before the rotation
    if (!pending_.empty()) complain_("no line split between two files", pending_);
    pending_.clear();
    if (file_.fd >= 0) close(file_.fd);
    file_ = file;
  }
  read_on();
}

void Output::end() {
  look();
  const std::lock_guard guard(mutex_);
  if (!pending_.empty()) complain_("whole lines", pending_);
  end_runs_before(record_.runs + 1);
}

bool Output::is_complete() {
  const std::lock_guard guard(mutex_);
  for (auto run = run_; run <= record_.runs; ++run) {
    const auto* record = record_.run(run);
    if (record != nullptr && record->written > (run == run_ ? lines_ : 0)) return false;
  }
  return pending_.empty();
}

void Output::take(std::string text) {
  pending_ += text;
  std::size_t at = 0;
  for (std::size_t end; (end = pending_.find('\n', at)) != std::string::npos; at = end + 1)
    take_line(std::string_view(pending_).substr(at, end + 1 - at));
  pending_.erase(0, at);
}

void Output::take_line(std::string_view line) {
  if (stamps_ == Stamps::kBeforeEachLine) line.remove_prefix(std::min(line.find(' '), line.size() - 1) + 1);
  std::uint64_t run = 0;
  std::uint64_t number = 0;
  const auto* end = line.data() + line.size();
  const auto first = std::from_chars(line.data(), end, run);
  if (first.ptr != end) std::from_chars(first.ptr + 1, end, number);
  if (run > run_) {
    end_runs_before(run);
    run_ = run;
    lines_ = 0;
  }
  const auto expected = line_of(run_, lines_ + 1);
  if (line != expected) complain_(expected, std::string(line));
  if (run == run_) lines_ = number;
  record_.verified += line.size();
}

void Output::end_runs_before(std::uint64_t next) {
  for (auto run = run_; run < next; ++run) {
    const auto* record = record_.run(run);
    const auto lines = run == run_ ? lines_ : 0;
    if (record != nullptr && lines < record->written)
      complain_("lines of run " + std::to_string(run) + " up to " + std::to_string(record->written), std::to_string(lines));
    if (record != nullptr && lines > record->tried)
      complain_("lines of run " + std::to_string(run) + " up to at most " + std::to_string(record->tried), std::to_string(lines));
  }
}

}  // namespace soak
