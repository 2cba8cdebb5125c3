#include "harness.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <new>
#include <sstream>
#include <stdexcept>
#include <system_error>

namespace harness {
namespace {

[[noreturn]] void fail(const std::string& what) { throw std::system_error(errno, std::generic_category(), what); }

std::vector<pid_t> all_processes() {
  std::vector<pid_t> pids;
  DIR* folder = opendir("/proc");
  if (folder == nullptr) return pids;
  while (const auto* entry = readdir(folder))
    if (const pid_t pid = std::atoi(entry->d_name); pid > 0) pids.push_back(pid);
  closedir(folder);
  return pids;
}

std::vector<pid_t> descendants(pid_t ancestor) {
  std::multimap<pid_t, pid_t> tree;
  for (const auto pid : all_processes())
    if (const auto facts = process(pid)) tree.emplace(facts->parent, pid);
  std::vector<pid_t> found = {ancestor};
  for (std::size_t i = 0; i < found.size(); ++i)
    for (auto [at, end] = tree.equal_range(found[i]); at != end; ++at) found.push_back(at->second);
  found.erase(found.begin());
  return found;
}

// The process that main() runs in is a child of this one, which is the reaper of all that its descendants leave behind,
// supervises that detached themselves included: when the child ends, however it ends, all of them are killed.
class Guardian {
 public:
  Guardian() {
    sigset_t watched;
    sigemptyset(&watched);
    for (const int number : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) sigaddset(&watched, number);
    sigset_t before;
    sigprocmask(SIG_BLOCK, &watched, &before);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    void* shared = mmap(nullptr, sizeof(Reaped), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) std::abort();
    reaped_ = new (shared) Reaped;
    guardian_ = getpid();
    const pid_t ward = fork();
    if (ward < 0) std::abort();
    if (ward != 0) _exit(guard(ward, watched));
    setsid();
    sigprocmask(SIG_SETMASK, &before, nullptr);
  }

  [[nodiscard]] pid_t pid() const { return guardian_; }

  // The wait status of a process that the guardian has reaped.
  [[nodiscard]] std::optional<int> status_of(pid_t pid) const {
    for (auto i = std::min(reaped_->count.load(), kRemembered); i-- > 0;)
      if (reaped_->entries[i].first == pid) return reaped_->entries[i].second;
    return {};
  }

 private:
  static constexpr std::size_t kRemembered = 4096;
  struct Reaped {  // shared between the two; only the guardian writes
    std::atomic<std::size_t> count = 0;
    std::array<std::pair<pid_t, int>, kRemembered> entries{};
  };

  void remember(pid_t pid, int status) {
    const auto count = reaped_->count.load();
    if (count >= kRemembered) return;
    reaped_->entries[count] = {pid, status};
    reaped_->count = count + 1;
  }

  int guard(pid_t ward, const sigset_t& watched) {
    int result = 128 + SIGKILL;
    for (bool over = false; !over;) {
      const int number = sigwaitinfo(&watched, nullptr);
      if (number != SIGCHLD && number > 0) {
        result = 128 + number;
        break;
      }
      int status = 0;
      for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0; remember(pid, status))
        if (pid == ward) over = true, result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    while (true) {
      for (const auto pid : descendants(getpid())) ::kill(pid, SIGKILL);
      if (waitpid(-1, nullptr, 0) < 0 && errno == ECHILD) return result;
    }
  }

  pid_t guardian_ = 0;
  Reaped* reaped_ = nullptr;
};
const Guardian kGuardian;

int make_capture(const char* name) {
  const int fd = memfd_create(name, MFD_CLOEXEC);
  if (fd < 0) fail("memfd_create");
  return fd;
}

std::string captured(int fd) {
  std::string text;
  std::array<char, 65536> buffer{};
  for (ssize_t n; (n = pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(text.size()))) > 0;)
    text.append(buffer.data(), static_cast<std::size_t>(n));
  return text;
}

std::string link_target(const std::string& path) {
  std::array<char, 4096> buffer{};
  const auto size = readlink(path.c_str(), buffer.data(), buffer.size());
  return size < 0 ? std::string{} : std::string(buffer.data(), static_cast<std::size_t>(size));
}

// What /proc/PID/stat says after the name, which may hold anything: field 3 and on. Empty where there is no such
// process.
std::istringstream stat_fields(pid_t pid) {
  const auto text = text_of("/proc/" + std::to_string(pid) + "/stat");
  const auto name_end = text.rfind(')');
  return std::istringstream(name_end == std::string::npos ? "" : text.substr(name_end + 1));
}

// From the field with this number in proc(5) on, which is behind the name.
std::istringstream stat_fields_from(pid_t pid, int first) {
  auto fields = stat_fields(pid);
  std::string skipped;
  for (int field = 3; field < first; ++field) fields >> skipped;
  return fields;
}

std::string environment_or(const char* name, const std::string& fallback) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != 0 ? value : fallback;
}

fs::path own_folder() { return fs::path(link_target("/proc/self/exe")).parent_path(); }

bool uses(pid_t pid, const std::string& directory) {
  const auto inside = [&directory](const std::string& path) { return path.find(directory) != std::string::npos; };
  if (inside(directory_of(pid)) || inside(text_of("/proc/" + std::to_string(pid) + "/cmdline"))) return true;
  return std::ranges::any_of(descriptors(pid), [&](const auto& entry) { return inside(entry.second); });
}

std::string ask(const sockaddr* address, socklen_t size, const std::string& question) {
  const int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::string answer;
  if (connect(fd, address, size) == 0 && write(fd, question.data(), question.size()) > 0) {
    std::array<char, 4096> buffer{};
    if (const auto n = read(fd, buffer.data(), buffer.size()); n > 0)
      answer.assign(buffer.data(), static_cast<std::size_t>(n));
  }
  close(fd);
  return answer;
}

// A loopback address of this test's own, so that no other test takes the port between the look and its use.
std::uint32_t own_loopback() { return INADDR_LOOPBACK + (static_cast<std::uint32_t>(getpid()) << 1 & 0x00fffffe); }

sockaddr_in local(unsigned port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(own_loopback());
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

}  // namespace

double allowed(double seconds) {
  std::ifstream file("/proc/loadavg");
  double minute = 0, five = 0, fifteen = 0, running = 0;
  file >> minute >> five >> fifteen >> running;
  return seconds * std::max(1.0, 2 * std::max(minute, running) / std::max(1U, std::thread::hardware_concurrency()));
}

// ---- Skipping

void report_skip(const std::string& reason) {
  std::printf("SKIP: %s\n", reason.c_str());
  std::fflush(stdout);
}

bool is_root() { return geteuid() == 0; }

bool has_program(const std::string& name) {
  std::string path = environment_or("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin:";
  for (std::size_t at = 0, end; (end = path.find(':', at)) != std::string::npos; at = end + 1)
    if (access((path.substr(at, end - at) + "/" + name).c_str(), X_OK) == 0) return true;
  return false;
}


bool is_sanitized() { return environment_or("SANITIZED", "0") != "0"; }

bool enter_own_mounts() {
  return unshare(CLONE_NEWNS) == 0 && mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

void mount_tmpfs(const fs::path& where, const std::string& options) {
  if (mount("none", where.c_str(), "tmpfs", 0, options.c_str()) != 0) fail("tmpfs on " + where.string());
}

bool can_dump_core(const fs::path& directory) {
  const pid_t pid = fork();
  if (pid == 0) {
    rlimit now{};
    getrlimit(RLIMIT_CORE, &now);
    now.rlim_cur = now.rlim_max;
    setrlimit(RLIMIT_CORE, &now);
    if (chdir(directory.c_str()) != 0) _exit(1);
    const auto program = service({"core"});
    execl(program[0].c_str(), program[0].c_str(), "core", nullptr);
    _exit(1);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFSIGNALED(status) && WCOREDUMP(status);
}

// ---- Files

std::string text_of(const fs::path& file) {
  std::string text;
  const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return text;
  std::array<char, 65536> buffer{};
  for (ssize_t n; (n = read(fd, buffer.data(), buffer.size())) > 0;)
    text.append(buffer.data(), static_cast<std::size_t>(n));
  close(fd);
  return text;
}

Words lines_in(const std::string& text) {
  Words lines;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

std::size_t count_lines(const fs::path& file, std::string_view part) {
  const auto lines = lines_of(file);
  return static_cast<std::size_t>(
      std::ranges::count_if(lines, [part](const auto& line) { return line.find(part) != std::string::npos; }));
}

void write_file(const fs::path& file, std::string_view text, mode_t mode) {
  const int fd = open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  if (fd < 0) fail(file);
  if (fchmod(fd, mode) != 0 || ::write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size())) fail(file);
  close(fd);
}

void write_script(const fs::path& file, std::string_view body) {
  write_file(file, "#!/bin/sh\n" + std::string(body) + "\n", 0755);
}

std::string mode_of(const fs::path& file) {
  struct stat facts {};
  if (lstat(file.c_str(), &facts) != 0) return "none";
  std::array<char, 16> octal{};
  std::snprintf(octal.data(), octal.size(), " %04o", facts.st_mode & 07777U);
  switch (facts.st_mode & S_IFMT) {
    case S_IFREG:
      return std::string("file") + octal.data();
    case S_IFIFO:
      return std::string("fifo") + octal.data();
    case S_IFDIR:
      return std::string("dir") + octal.data();
    case S_IFLNK:
      return "link";
    default:
      return "other";
  }
}

bool same_file(const fs::path& one, const fs::path& other) {
  struct stat first {};
  struct stat second {};
  return stat(one.c_str(), &first) == 0 && stat(other.c_str(), &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

bool is_taken(const fs::path& lock) {
  const int fd = open(lock.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool taken = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  close(fd);
  return taken;
}

bool has_reader(const fs::path& fifo) {
  const int fd = open(fifo.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return false;
  close(fd);
  return true;
}

TempDir::TempDir() {
  auto name = environment_or("TMPDIR", "/tmp") + "/supervise.XXXXXX";
  if (mkdtemp(name.data()) == nullptr) fail(name);
  chmod(name.c_str(), 0755);
  path_ = fs::canonical(name);
}

TempDir::~TempDir() {
  kill_users_of(path_);
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

// ---- Processes

Child::Child(const Command& command) : out_(make_capture("stdout")), err_(make_capture("stderr")) {
  const int in = make_capture("stdin");
  if (::write(in, command.input.data(), command.input.size()) < 0 || lseek(in, 0, SEEK_SET) != 0) fail("stdin");
  std::vector<char*> argv;
  for (const auto& word : command.argv) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  pid_ = fork();
  if (pid_ < 0) fail("fork");
  if (pid_ == 0) {
    for (const auto& [name, value] : command.environment) setenv(name.c_str(), value.c_str(), 1);
    if (!command.directory.empty() && chdir(command.directory.c_str()) != 0) _exit(126);
    dup2(in, 0);
    dup2(out_, 1);
    dup2(err_, 2);
    if (command.before_exec) command.before_exec();
    execvp(argv[0], argv.data());
    dprintf(2, "%s: %s\n", argv[0], std::strerror(errno));
    _exit(127);
  }
  close(in);
}

Child::~Child() {
  if (running()) {
    kill(SIGKILL);
    int status = 0;
    waitpid(pid_, &status, 0);
  }
  close(out_);
  close(err_);
}

bool Child::running() {
  int status = 0;
  if (!status_ && waitpid(pid_, &status, WNOHANG) == pid_) status_ = status;
  return !status_;
}

Result Child::wait(Clock::duration patience) {
  if (!wait_until([this] { return !running(); }, patience))
    throw std::runtime_error("still running: pid " + std::to_string(pid_) + "\n" + out() + err());
  return {WIFEXITED(*status_) ? WEXITSTATUS(*status_) : -1, WIFSIGNALED(*status_) ? WTERMSIG(*status_) : 0, out(),
          err()};
}

void Child::kill(int signal) const { ::kill(pid_, signal); }
std::string Child::out() const { return captured(out_); }
std::string Child::err() const { return captured(err_); }

Result run(const Command& command) { return Child(command).wait(60s); }
Result run(std::initializer_list<std::string> argv) { return run(Command{.argv = argv}); }
Result shell(const std::string& text, const fs::path& directory) {
  return run(Command{.argv = {"/bin/sh", "-c", text}, .directory = directory});
}

std::optional<ProcessFacts> process(pid_t pid) {
  auto fields = stat_fields(pid);
  ProcessFacts facts;
  if (!(fields >> facts.state >> facts.parent >> facts.group >> facts.session)) return {};
  return facts;
}

bool alive(pid_t pid) {
  const auto facts = process(pid);
  return pid > 0 && facts && facts->state != 'Z' && facts->state != 'X';
}

std::string process_field(pid_t pid, const std::string& name) {
  return KeyValues(text_of("/proc/" + std::to_string(pid) + "/status"), ":\t")[name];
}

std::map<int, std::string> descriptors(pid_t pid) {
  std::map<int, std::string> found;
  const auto folder = "/proc/" + std::to_string(pid) + "/fd";
  DIR* stream = opendir(folder.c_str());
  if (stream == nullptr) return found;
  while (const auto* entry = readdir(stream))
    if (entry->d_name[0] != '.') found[std::atoi(entry->d_name)] = link_target(folder + "/" + entry->d_name);
  closedir(stream);
  return found;
}

bool is_logger(pid_t pid) { return text_of("/proc/" + std::to_string(pid) + "/cmdline").starts_with("supervise-log "); }

std::vector<pid_t> all_children(pid_t pid) {
  std::vector<pid_t> found;
  for (const auto candidate : all_processes())
    if (const auto facts = process(candidate); facts && facts->parent == pid) found.push_back(candidate);
  return found;
}

// One that has just been made, and is not yet what it is to be.
bool is_unborn(pid_t pid, pid_t parent) { return arguments(pid) == arguments(parent); }

std::vector<pid_t> children(pid_t pid) {
  std::vector<pid_t> found;
  (void)wait_until([&] {
    found = all_children(pid);
    return std::ranges::none_of(found, [pid](pid_t child) { return is_unborn(child, pid); });
  });
  std::erase_if(found, is_logger);
  return found;
}

std::optional<pid_t> logger_of(pid_t pid) {
  for (const auto child : all_children(pid))
    if (is_logger(child)) return child;
  return std::nullopt;
}

std::vector<std::string> arguments(pid_t pid) {
  const auto text = text_of("/proc/" + std::to_string(pid) + "/cmdline");
  std::vector<std::string> words;
  for (std::size_t at = 0; at < text.size(); at += words.back().size() + 1) words.emplace_back(text.c_str() + at);
  return words;
}

fs::path directory_of(pid_t pid) { return link_target("/proc/" + std::to_string(pid) + "/cwd"); }

void kill_users_of(const fs::path& directory) {
  const auto users = [&directory] {
    auto found = descendants(kGuardian.pid());
    std::erase_if(found, [&](pid_t pid) { return pid == getpid() || !alive(pid) || !uses(pid, directory); });
    return found;
  };
  const auto none_left = [&users] {
    const auto found = users();
    for (const auto pid : found) ::kill(pid, SIGKILL);
    return found.empty();
  };
  if (!wait_until(none_left)) std::fprintf(stderr, "processes in %s could not be killed\n", directory.c_str());
}

double monotonic_now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

void remove_with_all(const fs::path& directory) {
  const auto removed = [&] {
    std::error_code error;
    fs::remove_all(directory, error);
    return !error;
  };
  if (!wait_until(removed)) fail("remove " + directory.string());
}

std::vector<double> starts_in(const fs::path& file) {
  std::vector<double> times;
  for (const auto& line : lines_of(file)) times.push_back(std::atof(line.c_str() + line.find(' ')) * 1e-9);
  return times;
}

pid_t last_pid_in(const fs::path& file) {
  const auto pids = pids_in(file);
  return pids.empty() ? 0 : pids.back();
}

std::vector<pid_t> pids_in(const fs::path& file) {
  std::vector<pid_t> pids;
  for (const auto& line : lines_of(file)) pids.push_back(std::atoi(line.c_str()));
  return pids;
}

bool is_running(const std::string& line) {
  const auto pid = std::atoi(line.c_str());
  if (!alive(pid)) return false;
  auto fields = stat_fields_from(pid, 22);
  long ticks = 0;
  fields >> ticks;
  timespec since_boot{};
  clock_gettime(CLOCK_BOOTTIME, &since_boot);
  const auto age = static_cast<double>(since_boot.tv_sec) + static_cast<double>(since_boot.tv_nsec) * 1e-9 - static_cast<double>(ticks) / static_cast<double>(sysconf(_SC_CLK_TCK));
  const auto at = line.find(' ');
  return at == std::string::npos || monotonic_now() - age <= std::atof(line.c_str() + at) * 1e-9;
}

double processor_time(pid_t pid) {
  auto fields = stat_fields_from(pid, 14);
  long user = 0;
  long system = 0;
  fields >> user >> system;
  return static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

void plant(const fs::path& aside, const fs::path& entry, const std::function<void(const fs::path&)>& make) {
  make(aside);
  if (renameat2(AT_FDCWD, aside.c_str(), AT_FDCWD, entry.c_str(), RENAME_EXCHANGE) < 0)
    throw std::system_error(errno, std::generic_category(), entry);
}

// ---- Servers

std::string ask(const fs::path& path, const std::string& question) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  return ask(reinterpret_cast<const sockaddr*>(&address), sizeof address, question);
}

std::string ask(unsigned port, const std::string& question) {
  const auto address = local(port);
  return ask(reinterpret_cast<const sockaddr*>(&address), sizeof address, question);
}

unsigned free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  auto address = local(0);
  socklen_t size = sizeof address;
  const bool found = bind(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0 &&
                     getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  close(fd);
  if (!found) fail("free port");
  return ntohs(address.sin_port);
}

std::string nginx_conf(const fs::path& work, unsigned port, const std::string& directives) {
  std::string temporary;
  for (const std::string kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"})
    temporary += kind + "_temp_path " + (work / kind).string() + ";\n";
  return directives + "pid " + (work / "pid").string() + ";\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n" +
         temporary + "server { listen " + inet_ntoa({htonl(own_loopback())}) + ":" + std::to_string(port) +
         "; location / { return 200 \"at your service\"; } }\n}\n";
}

// ---- What supervise tells

std::optional<Status> read_status(const fs::path& file) {
  const auto bytes = text_of(file);
  if (bytes.size() != 20) return {};
  const auto byte = [&bytes](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  unsigned long long tai = 0;
  for (std::size_t i = 0; i < 8; ++i) tai = tai << 8 | byte(i);
  Status status;
  for (std::size_t i = 8; i < 12; ++i) status.nanoseconds = status.nanoseconds << 8 | byte(i);
  status.time = static_cast<double>(tai - (1ULL << 62) - 10) + status.nanoseconds * 1e-9;
  status.paused = byte(12);
  status.want = bytes[13];
  status.alarm = bytes[14];
  status.reserved = byte(15);
  unsigned pid = 0;
  for (std::size_t i = 20; i-- > 16;) pid = pid << 8 | byte(i);
  status.pid = static_cast<pid_t>(pid);
  return status;
}

KeyValues::KeyValues(const std::string& text, std::string_view separator) {
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    const auto line = text.substr(at, end - at);
    if (const auto split = line.find(separator); split != std::string::npos)
      values_[line.substr(0, split)] = line.substr(split + separator.size());
    at = end + 1;
  }
}

std::string KeyValues::operator[](const std::string& key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? std::string{} : found->second;
}

double KeyValues::number(const std::string& key) const { return std::atof((*this)[key].c_str()); }

// ---- Starting it

std::string supervise_program() {
  return environment_or("SUPERVISE", (own_folder() / "../../supervise").lexically_normal());
}

std::string supervisectl_program() {
  return environment_or("SUPERVISECTL", (own_folder() / "../../supervisectl").lexically_normal());
}

Words service(std::initializer_list<std::string> verbs) {
  Words words = {environment_or("SERVICE", own_folder() / "service")};
  if (access(words[0].c_str(), X_OK) != 0) fail(words[0]);
  words.insert(words.end(), verbs);
  return words;
}

Result supervise(const Words& arguments, const fs::path& directory) {
  Words argv = {supervise_program()};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return run(Command{.argv = argv, .directory = directory});
}

Status StatusDir::status() const {
  const auto found = read_status(dir_ / "status");
  if (!found) throw std::runtime_error("status does not have 20 bytes\n" + report());
  return *found;
}

KeyValues StatusDir::state() const { return KeyValues(text_of(dir_ / "state")); }

pid_t StatusDir::recorded_supervise() const { return static_cast<pid_t>(state().number("supervise_pid")); }

std::string StatusDir::report() const {
  return "-- state\n" + text_of(dir_ / "state") + "-- supervise.log\n" + log() + "-- __stderr\n" +
         text_of(dir_ / "__stderr");
}

void StatusDir::write(std::string_view commands) const {
  const int fd = open((dir_ / "control").c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) fail("control");
  const auto written = ::write(fd, commands.data(), commands.size());
  close(fd);
  if (written != static_cast<ssize_t>(commands.size())) throw std::runtime_error("control is full");
}

void StatusDir::await_that(const std::string& what, const std::function<bool()>& condition) const {
  if (!wait_until(condition)) throw std::runtime_error("waited in vain for " + what + "\n" + report());
}

pid_t StatusDir::await_service(pid_t other_than) const {
  pid_t pid = 0;
  await_that("the service to run", [&] {
    const auto now = read_status(dir_ / "status");
    pid = now ? now->pid : 0;
    return pid != 0 && pid != other_than && alive(pid);
  });
  return pid;
}

pid_t StatusDir::await_command(const Words& argv, pid_t other_than) const {
  pid_t pid = 0;
  Words found;
  const auto is_executed = [&] {
    pid = await_service(other_than);
    found = arguments(pid);
    return found == argv;
  };
  if (!wait_until(is_executed)) {
    std::string text;
    for (const auto& word : found) text += " " + word;
    throw std::runtime_error("the service is not the command expected but" + text + "\n" + report());
  }
  return pid;
}

void StatusDir::await(const std::string& key, const std::string& value) const {
  await_that(key + "=" + value, [&] { return state()[key] == value; });
}

void StatusDir::await_log(const std::string& text) const {
  await_that("the log line: " + text, [&] { return log().find(text) != std::string::npos; });
}

void StatusDir::await_lines(const fs::path& file, std::size_t count) const {
  await_that(std::to_string(count) + " lines in " + file.string(), [&] { return lines_of(file).size() >= count; });
}

void StatusDir::await_exit() const { await_end(recorded_supervise()); }

void StatusDir::await_end(pid_t supervise) const {
  await_that("supervise to exit", [supervise] { return !process(supervise); });
  std::optional<int> status;
  await_that("the exit status", [&] { return (status = kGuardian.status_of(supervise)).has_value(); });
  const bool clean = WIFEXITED(*status) ? WEXITSTATUS(*status) == 0 : WTERMSIG(*status) == SIGKILL;
  if (!clean) throw std::runtime_error("supervise ended with wait status " + std::to_string(*status) + "\n" + report());
}

Supervised::Supervised(const Setup& setup) : StatusDir(work_.path() / "status" / setup.name) {
  Words argv = setup.wrapper;
  argv.push_back(setup.program);
  if (setup.mode == Mode::kForeground) argv.push_back("-n");
  argv.insert(argv.end(), setup.options.begin(), setup.options.end());
  if (!setup.conf.empty()) {
    write_file(work_ / "supervise.conf", setup.conf);
    argv.insert(argv.end(), {"-F", work_ / "supervise.conf"});
  }
  argv.insert(argv.end(), {setup.command.empty() ? "-p" : "-u", dir()});
  argv.insert(argv.end(), setup.command.begin(), setup.command.end());

  const Command command{
      .argv = argv, .directory = work_.path(), .environment = setup.environment, .before_exec = setup.before_exec};
  if (setup.mode == Mode::kDetached) {
    launch_ = run(command);
    if (launch_.code != 0)
      throw std::runtime_error("supervise did not start: " + std::to_string(launch_.code) + "\n" + launch_.err);
    pid_ = recorded_supervise();
  } else {
    child_ = std::make_unique<Child>(command);
    pid_ = child_->pid();
    const auto ready = [this] { return has_reader(dir() / "ok") && state().has("state"); };
    if (!wait_until([&] { return !child_->running() || ready(); }) || !child_->running())
      throw std::runtime_error("supervise -n does not get under way\n" + child_->err());
  }
}

std::string Supervised::report() const {
  auto text = "supervise " + std::to_string(pid_) + (alive(pid_) ? " lives\n" : " is dead\n") + StatusDir::report();
  if (child_) text += "-- stderr of supervise -n\n" + child_->err();
  return text;
}

void Supervised::await_exit() const {
  if (child_)
    child_->wait();
  else
    await_end(pid_);
}

Restartable::Restartable(const Words& command, const std::string& conf) {
  if (!conf.empty()) {
    write_file(work / "conf", conf);
    words.insert(words.end(), {"-F", work / "conf"});
  }
  words.insert(words.end(), {"-u", dir.dir()});
  words.insert(words.end(), command.begin(), command.end());
  start();
}

void Restartable::start() {
  const auto result = supervise(words, work.path());
  pid = dir.recorded_supervise();
  if (result.code != 0 || !alive(pid))
    throw std::runtime_error("supervise did not start: " + std::to_string(result.code) + "\n" + result.err + dir.report());
}

void Restartable::kill() const {
  ::kill(pid, SIGKILL);
  if (!wait_until([&] { return !alive(pid); })) throw std::runtime_error("supervise survives KILL\n" + dir.report());
}

void Restartable::kill_and_start() {
  kill();
  start();
}

}  // namespace harness
