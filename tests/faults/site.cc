#include "faults/site.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

namespace faults {
namespace {

const peers::Kind& kind_under_test() {
  const auto name = peers::setting("FAULTS_KIND", "supervise");
  for (const auto& kind : peers::kinds())
    if (kind.name == name) return kind;
  throw std::runtime_error("no such kind: " + name);
}

void append(const fs::path& file, const std::string& text) { std::ofstream(file, std::ios::app) << text; }

void give_to_user(const fs::path& directory) {
  if (lchown(directory.c_str(), kUser, kUser) != 0) throw std::runtime_error("lchown");
  for (const auto& entry : fs::recursive_directory_iterator(directory))
    if (lchown(entry.path().c_str(), kUser, kUser) != 0) throw std::runtime_error("lchown");
}

// Where a user without rights can reach it.
fs::path copy_of(const fs::path& program, const fs::path& directory) {
  const auto copy = directory / program.filename();
  fs::copy_file(program, copy, fs::copy_options::overwrite_existing);
  fs::permissions(copy, fs::perms(0755));
  return copy;
}

std::string quoted(const std::string& word) { return "'" + word + "'"; }

bool has_scanner(const peers::Kind& kind) { return kind.name == "daemontools" || kind.name == "runit" || kind.name == "s6"; }

void reap(pid_t pid) {
  if (pid > 0) waitpid(pid, nullptr, 0);
}

}  // namespace

bool is_full() { return peers::setting("FAULTS_FULL", "") == "1"; }
Clock::duration deadline() { return in_full<Clock::duration>(10s, 20s); }

Site::Site(const peers::Kind& kind, const Plan& plan) : kind_(kind), plan_(plan), marks_(work_ / "started") {
  const auto top = plan.top.empty() ? work_ / "top" : plan.top;
  fs::create_directories(top / "0");
  for (const auto& directory : {top, top / "0"}) fs::permissions(directory, fs::perms(0755));
  auto words = harness::service({"started", marks_});
  if (plan.is_unprivileged) {
    chmod(work_.path().c_str(), 0777);
    words[0] = copy_of(words[0], work_.path());
    if (is_ours()) setenv("SUPERVISE", copy_of(supervise_program(), work_.path()).c_str(), 1);
  }
  words.insert(words.end(), plan.verbs.begin(), plan.verbs.end());
  std::string command = "exec";
  for (const auto& word : words) command += " " + quoted(word);
  write_script(top / "0/run", plan.script.empty() ? command : plan.script);
  fleet_ = kind.make(top, 1, plan.logging);
  if (is_ours()) append(top / "supervise.conf", plan.conf + "\n");
  if (is("supervisord")) append(top / "supervisord.conf", plan.supervisord + "\n");
  if (const auto at = plan.s6.find(' '); is("s6") && at != std::string::npos) append(top / "0" / plan.s6.substr(0, at), plan.s6.substr(at + 1) + "\n");
  if (plan.is_unprivileged) {
    give_to_user(top);
    const auto id = std::to_string(kUser);
    fleet_->set_wrapper({"setpriv", "--reuid=" + id, "--regid=" + id, "--clear-groups"});
  }
  watcher_ = std::thread([this] { watch(); });
}

Site::~Site() {
  is_over_ = true;
  watcher_.join();
  if (supervisor_ > 0) ::kill(supervisor_, SIGKILL);
  if (!plan_.top.empty()) kill_users_of(plan_.top);
}

void Site::start_anew() {
  supervisor_ = fleet_->start(0);
  if (supervisor_ <= 0) throw std::runtime_error("the supervisor cannot be executed");
  before_.processor = 0;
  last_start_ = Clock::now();
}

void Site::start() {
  start_anew();
  if (!wait_until([&] { return copies().size() == 1 && fleet_->told_pid(0) == service(); }))
    throw std::runtime_error("the supervisor did not start\n" + report());
  // Up for a while: a death in the first second is another case for each of them.
  if (is_full()) (void)holds_for(1200ms, [&] { return copies().size() == 1; });
  begin_fault();
}

std::string Site::report() const {
  std::string text = "supervisor " + std::to_string(supervisor_) + (alive(supervisor_) ? " lives" : " is dead") + ", copies:";
  for (const auto pid : copies()) text += " " + std::to_string(pid);
  return is_ours() ? text + "\n" + StatusDir(home()).report() : text + "\n";
}

void Site::kill_supervisor() const {
  ::kill(supervisor_, SIGKILL);
  reap(supervisor_);
}

bool Site::has_supervisor() {
  if (waitpid(supervisor_, nullptr, WNOHANG) == 0 && alive(supervisor_)) return true;
  if (!has_scanner(kind_)) return false;
  if (Clock::now() - last_start_ > 1s) start_anew();
  return true;
}

std::vector<pid_t> Site::copies() const {
  std::vector<pid_t> pids;
  for (const auto& line : lines_of(marks_))
    if (is_running(line)) pids.push_back(std::atoi(line.c_str()));
  return pids;
}

pid_t Site::service() const {
  const auto pids = copies();
  return pids.empty() ? 0 : pids.back();
}

void Site::kill_service() const {
  for (const auto pid : copies()) ::kill(pid, SIGKILL);
}

bool Site::can_be_told() const { return fs::is_socket(control()) || (fs::is_fifo(control()) && has_reader(control())); }

// Its client waits where a FIFO is full.
void Site::tell(char letter) const {
  if (!wait_until([&] { return fleet_->tell(0, letter) || !fs::is_fifo(control()) || !has_reader(control()); }, deadline()))
    throw Failure("takes no letter");
}

void Site::tell_all(const std::string& letters) const {
  if (is("supervisord")) {
    for (const auto letter : letters) tell(letter);
    return;
  }
  const int fd = open(control().c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
  expect(fd >= 0, "control has no reader");
  for (std::size_t at = 0; at < letters.size();) {
    const auto n = ::write(fd, letters.data() + at, std::min<std::size_t>(letters.size() - at, 4096));
    if (n > 0) at += static_cast<std::size_t>(n);
    else if (errno == EAGAIN) std::this_thread::sleep_for(1ms);
    else break;
  }
  close(fd);
}

std::string Site::output() const {
  std::string text;
  for (const auto& file : fleet_->output(0)) text += text_of(file);
  return text;
}

std::size_t Site::written(const std::string& part) const {
  const auto text = output();
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

void Site::await(const std::string& otherwise, const std::function<bool()>& condition) {
  const bool came = wait_until([&] { return !has_supervisor() || condition(); }, deadline());
  expect(came, otherwise);
  expect(has_supervisor(), "supervisor dies");
}

pid_t Site::await_running(pid_t other_than, const std::string& otherwise) {
  pid_t pid = 0;
  const auto runs = [&] {
    const auto now = copies();
    pid = now.size() == 1 ? now[0] : 0;
    return pid != 0 && pid != other_than;
  };
  if (!wait_until([&] { return !has_supervisor() || runs(); }, deadline())) {
    std::printf("%s", report().c_str());
    throw Failure(copies().size() > 1 ? "two copies" : otherwise);
  }
  expect(has_supervisor(), "supervisor dies");
  return pid;
}

void Site::await_rest() {
  pid_t pid = 0;
  const auto is_at_rest = [&] {
    pid = await_running();
    return holds_for(1500ms, [&] { return copies() == std::vector<pid_t>{pid}; });
  };
  const bool came = wait_until(is_at_rest, deadline());
  expect(came, "does not settle");
}

void Site::await_stopped() {
  await("deaf to d", [&] { return copies().empty(); });
}

void Site::await_told() {
  std::optional<pid_t> told;
  const auto is_right = [&] {
    told = fleet_->told_pid(0);
    return told == service();
  };
  const bool right = wait_until(is_right, deadline());
  expect(right, told ? "wrong pid in status" : "no status");
}

void Site::check_alone() { expect(!had_two_, "two copies"); }

void Site::check_everything() {
  await_running();
  await_told();
  tell('d');
  await_stopped();
  await_told();
  tell('u');
  await("deaf to u", [&] { return copies().size() == 1; });
  await_told();
  check_alone();
}

Site::Cost Site::cost() const {
  Cost now{.time = monotonic_now(), .processor = processor_time(supervisor_)};
  for (const auto pid : descendants())
    if (is_logger(pid)) now.processor += processor_time(pid);
  if (!is_ours()) return now;
  std::error_code error;
  for (const std::string name : {"supervise.log", "supervise.log.wf"})
    if (const auto size = fs::file_size(home() / name, error); !error) now.log += size;
  now.descriptors = descriptors(supervisor_).size();
  now.children = children(supervisor_).size();
  now.resident = std::atol(process_field(supervisor_, "VmRSS").c_str());
  return now;
}

void Site::begin_fault() { before_ = cost(); }

// At most 5 % of a core, and at most 10 KB of our log a minute: both with something for a fault that lasts a moment.
void Site::check_cost(std::uintmax_t more) {
  auto now = cost();
  const auto lasted = now.time - before_.time;
  const auto used = now.processor - before_.processor;
  expect(used <= 0.2 + 0.05 * lasted, "spins: " + std::to_string(std::lround(100 * used / lasted)) + " % of a core");
  if (!is_ours()) return;
  expect(now.log <= before_.log + more + 10'000 + static_cast<std::uintmax_t>(170 * lasted), "floods its log");
  (void)wait_until([&] {
    now = cost();
    return now.descriptors <= before_.descriptors && now.children <= std::max<std::size_t>(before_.children, 1);
  }, deadline());
  expect(now.descriptors <= before_.descriptors, "leaks descriptors");
  expect(now.children <= std::max<std::size_t>(before_.children, 1), "leaves children");
  expect(now.resident <= before_.resident + 512, "grows");
}

void Site::watch() {
  std::set<std::string> dead;
  for (; !is_over_; std::this_thread::sleep_for(5ms)) {
    std::size_t living = 0;
    for (const auto& line : lines_of(marks_)) {
      if (dead.contains(line)) continue;
      if (is_running(line)) ++living;
      else dead.insert(line);
    }
    if (living > 1) had_two_ = true;
  }
}

Tracer::Tracer(pid_t pid, const Words& options, const fs::path& output) {
  skip_unless(has_program("strace"), "no strace");
  Words words = {"strace", "-o", output, "-p", std::to_string(pid)};
  words.insert(words.end(), options.begin(), options.end());
  strace_ = std::make_unique<Child>(Command{.argv = words});
  const auto traces = [&] { return process_field(pid, "TracerPid") == std::to_string(strace_->pid()); };
  skip_unless(wait_until([&] { return !strace_->running() || traces(); }) && strace_->running(), "strace may not trace");
}

Tracer::~Tracer() {
  strace_->kill(SIGTERM);
  strace_->wait();
}

std::string numbered(long number) { return std::to_string(number) + " " + std::string(static_cast<std::size_t>(std::max(0L, number % 60)), '.'); }

std::string wrong_with(const std::string& text, std::size_t runs) {
  const auto wrong = [](const std::string& what, long line, const std::string& found) {
    std::printf("%s: %s where %ld was expected\n", what.c_str(), found.c_str(), line);
    return what;
  };
  const auto first = numbered(1);
  std::size_t begun = 0;
  long expected = 1;
  auto lines = lines_in(text);
  // One that is killed while it writes leaves a part of its last line.
  if (!text.ends_with('\n') && !lines.empty()) lines.pop_back();
  for (auto line : lines) {
    // A run that is killed leaves what it had written of its last line before the first one of the next.
    if (line != numbered(expected) && line.ends_with(first) && numbered(expected).starts_with(line.substr(0, line.size() - first.size()))) line = first;
    const auto number = std::atol(line.c_str());
    if (line != numbered(number)) return wrong("torn line", expected, line);
    if (number == 1) ++begun, expected = 1;
    if (number > expected) return wrong("lines lost", expected, line);
    if (number < expected) return wrong("lines doubled", expected, line);
    ++expected;
  }
  return begun < runs ? "lines lost" : "";
}

void fill(const fs::path& directory) {
  const int fd = open((directory / "filler").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) throw std::runtime_error("filler");
  const std::string block(4096, 'x');
  for (const std::size_t size : {block.size(), std::size_t{1}})
    while (::write(fd, block.data(), size) > 0) {}
  close(fd);
}

std::vector<pid_t> descendants() {
  std::vector<pid_t> found{getpid()};
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto pid = std::to_string(found[i]);
    std::istringstream list(text_of("/proc/" + pid + "/task/" + pid + "/children"));
    for (pid_t child; list >> child;) found.push_back(child);
  }
  found.erase(found.begin());
  return found;
}

bool is_logger(pid_t pid) {
  const auto words = arguments(pid);
  if (words.empty()) return false;
  const auto name = fs::path(words[0].substr(0, words[0].find(' '))).filename();
  return name == "supervise-log" || name == "multilog" || name == "svlogd" || name == "s6-log";
}

std::mt19937& randomness() {
  static std::mt19937 generator(std::random_device{}());
  return generator;
}

Clock::duration any_time(Clock::duration most) {
  return Clock::duration(std::uniform_int_distribution<Clock::rep>(0, most.count())(randomness()));
}

void judge(void (*fault)(const peers::Kind&)) {
  const auto say = [](const std::string& cell) {
    std::printf("CELL: %s\n", cell.c_str());
    std::fflush(stdout);
  };
  setenv("SUPERVISE", supervise_program().c_str(), 1);
  const auto& kind = kind_under_test();
  if (!peers::has_program(kind.program)) {
    report_skip("no " + kind.program);
    return say("skipped: no " + kind.program);
  }
  try {
    fault(kind);
    say("ok");
    SUCCEED();
  } catch (const Failure& failure) {
    say(std::string("FAIL: ") + failure.what());
    FAIL(failure.what());
  } catch (const Meaningless&) {
    say("–");
  } catch (const Skipped& skipped) {
    report_skip(skipped.what());
    say(std::string("skipped: ") + skipped.what());
  } catch (const std::exception& error) {
    say(std::string("error: ") + lines_in(error.what()).front());
    FAIL(error.what());
  }
}

}  // namespace faults
