#include "world.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

namespace soak {
namespace {

std::string program_or(const char* name, const char* beside_us) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != 0 ? value : (fs::read_symlink("/proc/self/exe").parent_path() / beside_us).lexically_normal().string();
}

}  // namespace

std::string client_program() { return program_or("SUPERVISECTL", "../../supervisectl"); }
std::string worker_program() { return program_or("SOAK_WORKER", "soak-worker"); }

void Range::add(long value) {
  least = most == 0 ? value : std::min(least, value);
  most = std::max(most, value);
}

World::World(fs::path top) : top_(std::move(top)) {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  reaper_ = std::thread([this] { reap(); });
  scanner_ = std::thread([this] { scan(); });
}

World::~World() {
  over_ = true;
  reaper_.join();
  scanner_.join();
}

void World::reap() {
  while (!over_) {
    int status = 0;
    const pid_t pid = waitpid(-1, &status, WNOHANG);
    if (pid <= 0) {
      std::this_thread::sleep_for(5ms);
      continue;
    }
    const std::lock_guard guard(mutex_);
    ends_[pid] = {status, Clock::now()};
  }
}

void World::scan() {
  for (; !over_; std::this_thread::sleep_for(500ms)) {
    auto table = std::make_shared<ProcessTable>();
    table->taken = Clock::now();
    for (const auto& entry : fs::directory_iterator("/proc"))
      if (const pid_t pid = std::atoi(entry.path().filename().c_str()); pid > 0)
        if (const auto facts = harness::process(pid); facts && facts->state != 'Z') table->children.emplace(facts->parent, pid);
    const std::lock_guard guard(mutex_);
    processes_ = std::move(table);
  }
}

pid_t World::spawn(const Words& argv, const fs::path& said) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, said.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  std::vector<char*> words;
  for (const auto& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  pid_t pid = 0;
  const int error = posix_spawn(&pid, words[0], &actions, nullptr, words.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::system_error(error, std::generic_category(), argv[0]);
  return pid;
}

std::optional<int> World::status_of(pid_t pid, Clock::time_point since) {
  const std::lock_guard guard(mutex_);
  const auto found = ends_.find(pid);
  if (found == ends_.end() || found->second.when < since) return {};
  return found->second.status;
}

std::shared_ptr<const ProcessTable> World::processes() {
  const std::lock_guard guard(mutex_);
  return processes_;
}

void World::count(const std::string& what, long number) {
  const std::lock_guard guard(mutex_);
  counts_[what] += number;
}

long World::count_of(const std::string& what) {
  const std::lock_guard guard(mutex_);
  return counts_[what];
}

void World::measure(const std::string& what, long value) {
  const std::lock_guard guard(mutex_);
  ranges_[what].add(value);
}

void World::note(const std::string& text) const {
  std::printf("%7.1f s  %s\n", std::chrono::duration<double>(Clock::now() - began_).count(), text.c_str());
  std::fflush(stdout);
}

void World::violation(const std::string& service, const std::string& expected, const std::string& found, const std::string& report) {
  const auto one_line = [](std::string text) {
    for (auto& byte : text)
      if (byte == '\n') byte = ' ';
    return text.substr(0, 500);
  };
  const auto text = "VIOLATION " + service + ": expected " + one_line(expected) + "; found " + one_line(found);
  note(text);
  const std::lock_guard guard(mutex_);
  ++violations_;
  const int fd = open((top_ / "violations").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  dprintf(fd, "%s\nexpected: %s\nfound: %s\n%s\n\n", text.c_str(), expected.c_str(), found.c_str(), report.c_str());
  close(fd);
}

std::size_t World::violations() {
  const std::lock_guard guard(mutex_);
  return violations_;
}

std::string World::table() {
  const std::lock_guard guard(mutex_);
  std::string text;
  for (const auto& [what, number] : counts_) {
    char line[128];
    std::snprintf(line, sizeof line, "  %-44s %12ld\n", what.c_str(), number);
    text += line;
  }
  for (const auto& [what, range] : ranges_) {
    char line[128];
    std::snprintf(line, sizeof line, "  %-44s %6ld to %5ld\n", what.c_str(), range.least, range.most);
    text += line;
  }
  return text;
}

}  // namespace soak
