#include "peers/peers.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>

namespace peers {
namespace {

std::vector<char*> pointers(const Words& words) {
  std::vector<char*> result;
  for (const auto& word : words) result.push_back(const_cast<char*>(word.c_str()));
  result.push_back(nullptr);
  return result;
}

pid_t start_between(int input, int output, const Words& words, const fs::path& directory) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0);
  posix_spawn_file_actions_adddup2(&actions, output >= 0 ? output : 0, 1);
  posix_spawn_file_actions_adddup2(&actions, 0, 2);
  if (input >= 0) posix_spawn_file_actions_adddup2(&actions, input, 0);
  if (!directory.empty()) posix_spawn_file_actions_addchdir_np(&actions, directory.c_str());
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  pid_t pid = 0;
  if (posix_spawnp(&pid, words[0].c_str(), &actions, &attributes, pointers(words).data(), environ) != 0) pid = 0;
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return pid;
}

int await_end(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

std::optional<pid_t> pid_at(const fs::path& status, std::size_t offset) {
  const auto bytes = text_of(status);
  std::uint32_t pid = 0;
  if (bytes.size() < offset + sizeof pid) return std::nullopt;
  std::memcpy(&pid, bytes.data() + offset, sizeof pid);
  return static_cast<pid_t>(pid);
}

bool write_to_fifo(const fs::path& fifo, std::string_view letters) {
  const int fd = open(fifo.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return false;
  const bool written = write(fd, letters.data(), letters.size()) == static_cast<ssize_t>(letters.size());
  close(fd);
  return written;
}

Words joined(Words words, const Words& others) {
  words.insert(words.end(), others.begin(), others.end());
  return words;
}

void write_program(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << text;
  fs::permissions(file, fs::perms(0755));
}

// As multilog, svlogd and s6-log keep them: `current`, and @TIMESTAMP.s for the older ones.
std::vector<fs::path> logs_in(const fs::path& directory) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error))
    if (entry.path().filename().string().starts_with("@")) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  files.push_back(directory / "current");
  return files;
}

// One process a service, which reads letters from a FIFO.
class FifoFleet : public Fleet {
 public:
  using Fleet::Fleet;
  pid_t start(int service) override {
    const pid_t pid = peers::start(joined(wrapper(), command(service)), directory(service));
    return record(service, pid);
  }
  bool tell(int service, char letter) override { return write_to_fifo(control(service), std::string(1, letter)); }
  [[nodiscard]] fs::path home(int service) const override { return directory(service) / "supervise"; }
  [[nodiscard]] fs::path control(int service) const override { return home(service) / "control"; }
  [[nodiscard]] std::vector<fs::path> output(int service) const override { return logs_in(directory(service) / "log/main"); }

 protected:
  [[nodiscard]] virtual Words command(int service) const = 0;
  pid_t record(int service, pid_t pid) {
    supervisors_.resize(static_cast<std::size_t>(count()));
    return supervisors_[static_cast<std::size_t>(service)] = pid;
  }
};

// Its logger is a service of its own, at the end of a pipe that the scanner holds: here this process.
class PipedFleet : public FifoFleet {
 public:
  PipedFleet(const fs::path& top, int count, Logging logging, const std::string& logger) : FifoFleet(top, count) {
    if (logging == Logging::kNone) return;
    for (int i = 0; i < count; ++i) {
      auto& ends = pipes_.emplace_back();
      if (pipe2(ends.data(), O_CLOEXEC) < 0) pipes_.clear();
      fs::create_directories(directory(i) / "log/main");
      write_program(directory(i) / "log/run", "#!/bin/sh\nexec " + logger + "\n");
    }
    loggers_.resize(pipes_.size());
  }
  ~PipedFleet() override {
    for (const auto& ends : pipes_)
      for (const int end : ends) close(end);
  }
  pid_t start(int service) override {
    if (pipes_.empty()) return FifoFleet::start(service);
    const auto at = static_cast<std::size_t>(service);
    if (loggers_[at] == 0) loggers_[at] = start_between(pipes_[at][0], -1, joined(wrapper(), log_command(service)), directory(service));
    return record(service, start_between(-1, pipes_[at][1], joined(wrapper(), command(service)), directory(service)));
  }

 protected:
  [[nodiscard]] virtual Words log_command(int service) const = 0;

 private:
  std::vector<std::array<int, 2>> pipes_;
  std::vector<pid_t> loggers_;
};

class Ours final : public FifoFleet {
 public:
  Ours(const fs::path& program, const fs::path& top, int count, Logging logging) : FifoFleet(top, count), program_(fs::absolute(program)) {
    std::ofstream conf(top / "supervise.conf");
    conf << "[global]\n";
    if (logging == Logging::kNone) conf << "stdout_logfile : inherit\nstderr_logfile : inherit\n";
  }
  std::optional<pid_t> told_pid(int service) override { return pid_at(directory(service) / "status/status", 16); }
  [[nodiscard]] fs::path home(int service) const override { return directory(service) / "status"; }
  [[nodiscard]] std::vector<fs::path> output(int service) const override {
    std::map<int, fs::path, std::greater<>> files{{0, home(service) / "__stdout"}};
    std::error_code missing;
    for (const auto& entry : fs::directory_iterator(home(service), missing))
      if (const auto number = entry.path().extension().string(); entry.path().stem() == "__stdout" && number.size() > 1) files.emplace(std::atoi(number.c_str() + 1), entry.path());
    std::vector<fs::path> oldest_first;
    for (const auto& [number, file] : files) oldest_first.push_back(file);
    return oldest_first;
  }
  [[nodiscard]] Words client(int service, char letter) const override {
    const auto verb = letter == 'd' ? "stop" : letter == 'u' ? "start" : "signal";
    Words words{fs::absolute(setting("SUPERVISECTL", "supervisectl")), verb};
    if (letter == 'h') words.push_back("HUP");
    words.push_back(directory(service) / "status");
    return words;
  }

 protected:
  [[nodiscard]] Words command(int service) const override {
    return {program_, "-n", "-F", top() / "supervise.conf", "-p", directory(service) / "status", "-f", directory(service) / "run"};
  }

 private:
  fs::path program_;
};

class Daemontools final : public PipedFleet {
 public:
  Daemontools(const fs::path& top, int count, Logging logging) : PipedFleet(top, count, logging, "multilog s16777215 n100 ./main") {}
  std::optional<pid_t> told_pid(int service) override { return pid_at(directory(service) / "supervise/status", 12); }
  [[nodiscard]] Words client(int service, char letter) const override { return {"svc", std::string("-") + letter, directory(service)}; }

 protected:
  [[nodiscard]] Words command(int service) const override { return {"supervise", directory(service)}; }
  [[nodiscard]] Words log_command(int service) const override { return {"supervise", directory(service) / "log"}; }
};

class Runit final : public FifoFleet {
 public:
  Runit(const fs::path& top, int count, Logging logging) : FifoFleet(top, count) {
    for (int i = 0; logging == Logging::kOwn && i < count; ++i) {
      fs::create_directories(directory(i) / "log/main");
      std::ofstream(directory(i) / "log/main/config") << "s16777215\nn100\n";
      write_program(directory(i) / "log/run", "#!/bin/sh\nexec svlogd ./main\n");
    }
  }
  std::optional<pid_t> told_pid(int service) override { return pid_at(directory(service) / "supervise/status", 12); }
  [[nodiscard]] Words client(int service, char letter) const override {
    const auto verb = letter == 'd' ? "down" : letter == 'u' ? "up" : "hup";
    return {"sv", verb, directory(service)};
  }

 protected:
  [[nodiscard]] Words command(int service) const override { return {"runsv", directory(service)}; }
};

class S6 final : public PipedFleet {
 public:
  S6(const fs::path& top, int count, Logging logging) : PipedFleet(top, count, logging, "s6-log n100 s16777215 ./main") {}
  std::optional<pid_t> told_pid(int service) override {
    const auto told = output_of({"s6-svstat", "-o", "pid", directory(service)});
    if (told.empty()) return std::nullopt;
    const auto pid = std::atoi(told.c_str());
    return pid > 0 ? pid : 0;
  }
  [[nodiscard]] Words client(int service, char letter) const override { return {"s6-svc", std::string("-") + letter, directory(service)}; }

 protected:
  [[nodiscard]] Words command(int service) const override { return {"s6-supervise", directory(service)}; }
  [[nodiscard]] Words log_command(int service) const override { return {"s6-supervise", directory(service) / "log"}; }
};

// One process for all services, which answers XML-RPC on a socket.
class Supervisord final : public Fleet {
 public:
  Supervisord(const fs::path& top, int count, Logging logging) : Fleet(top, count) {
    fs::create_directories(home(0));
    std::ofstream conf(configuration());
    conf << "[supervisord]\nnodaemon=true\nminfds=" << std::max(1024, 4 * count + 100) << "\nlogfile=" << (home(0) / "supervisord.log").string() << "\npidfile=" << (home(0) / "pid").string()
         << "\nchildlogdir=" << top.string() << "\n[unix_http_server]\nfile=" << control(0).string()
         << "\n[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n"
         << "[supervisorctl]\nserverurl=unix://" << control(0).string() << "\n";
    for (int i = 0; i < count; ++i) {
      conf << "[program:" << i << "]\ncommand=" << (directory(i) / "run").string() << "\ndirectory=" << directory(i).string() << "\n";
      if (logging == Logging::kNone) conf << "stdout_logfile=NONE\nstderr_logfile=NONE\n";
      else conf << "stdout_logfile=" << (directory(i) / "out").string() << "\nstderr_logfile=" << (directory(i) / "err").string() << "\n";
    }
  }
  pid_t start(int) override {
    const pid_t pid = peers::start(joined(wrapper(), {"supervisord", "-c", configuration()}), top());
    supervisors_ = {pid};
    return pid;
  }
  [[nodiscard]] fs::path home(int) const override { return top() / "supervisord"; }
  [[nodiscard]] fs::path control(int) const override { return home(0) / "socket"; }
  [[nodiscard]] std::vector<fs::path> output(int service) const override {
    std::vector<fs::path> files;
    for (int i = 10; i > 0; --i)
      if (const auto older = directory(service) / ("out." + std::to_string(i)); fs::exists(older)) files.push_back(older);
    files.push_back(directory(service) / "out");
    return files;
  }
  void start_all() override { start(0); }
  bool tell(int service, char letter) override {
    const auto name = std::to_string(service);
    switch (letter) {
      case 'u': return call("startProcess", {name, "0"});
      case 'd': return call("stopProcess", {name, "0"});
      case 'x': return call("shutdown", {});
      case 'k': return call("signalProcess", {name, "KILL"});
      case 't': return call("signalProcess", {name, "TERM"});
      case 'h': return call("signalProcess", {name, "HUP"});
      default: return false;
    }
  }
  void tell_all(char letter) override {
    if (letter == 'u') call("startAllProcesses", {"", "0"});
    else if (letter == 'd') call("stopAllProcesses", {"", "0"});
    else tell(0, letter);
  }
  std::optional<pid_t> told_pid(int service) override {
    const auto told = output_of({"supervisorctl", "-c", configuration(), "pid", std::to_string(service)});
    if (told.empty() || told.find_first_not_of("0123456789\n") != std::string::npos) return std::nullopt;
    return std::atoi(told.c_str());
  }
  [[nodiscard]] Words client(int service, char letter) const override {
    Words words{"supervisorctl", "-c", configuration(), letter == 'd' ? "stop" : letter == 'u' ? "start" : "signal"};
    if (letter == 'h') words.push_back("HUP");
    words.push_back(std::to_string(service));
    return words;
  }

 private:
  [[nodiscard]] std::string configuration() const { return top() / "supervisord.conf"; }

  // A call of XML-RPC over HTTP; a word of digits `0` is the boolean false, an empty one no parameter.
  bool call(const std::string& method, const Words& words) {
    std::ostringstream body;
    body << "<?xml version='1.0'?><methodCall><methodName>supervisor." << method << "</methodName><params>";
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (words[i].empty()) continue;
      const bool is_flag = words[i] == "0" && i + 1 == words.size();
      body << "<param><value>" << (is_flag ? "<boolean>0</boolean>" : "<string>" + words[i] + "</string>") << "</value></param>";
    }
    body << "</params></methodCall>";
    std::ostringstream request;
    request << "POST /RPC2 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: text/xml\r\nContent-Length: " << body.str().size() << "\r\n\r\n"
            << body.str();
    const auto answer = ask(request.str());
    return answer.find("200 OK") != std::string::npos && answer.find("<fault>") == std::string::npos;
  }

  [[nodiscard]] std::string ask(const std::string& request) const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const auto path = control(0).string();
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    std::string answer;
    if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 && write(fd, request.data(), request.size()) > 0) {
      std::array<char, 4096> part;
      for (ssize_t n; (n = read(fd, part.data(), part.size())) > 0;) answer.append(part.data(), static_cast<std::size_t>(n));
    }
    close(fd);
    return answer;
  }
};

template <typename Type>
std::unique_ptr<Fleet> make(const fs::path& top, int count, Logging logging) {
  return std::make_unique<Type>(top, count, logging);
}

std::vector<pid_t> children() {
  std::istringstream list(text_of("/proc/self/task/" + std::to_string(getpid()) + "/children"));
  std::vector<pid_t> pids;
  for (pid_t pid; list >> pid;) pids.push_back(pid);
  return pids;
}

}  // namespace

pid_t start(const Words& words, const fs::path& directory) { return start_between(-1, -1, words, directory); }

int run(const Words& words) {
  const pid_t pid = start(words);
  return pid > 0 ? await_end(pid) : 127;
}

std::string output_of(const Words& words) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) < 0) return {};
  const pid_t pid = start_between(-1, ends[1], words, {});
  close(ends[1]);
  std::string text;
  std::array<char, 4096> part;
  for (ssize_t n; (n = read(ends[0], part.data(), part.size())) > 0;) text.append(part.data(), static_cast<std::size_t>(n));
  close(ends[0]);
  if (pid > 0) await_end(pid);
  return text;
}

bool has_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return access(name.c_str(), X_OK) == 0;
  std::istringstream path(setting("PATH", "/usr/bin:/bin"));
  for (std::string directory; std::getline(path, directory, ':');)
    if (access((fs::path(directory) / name).c_str(), X_OK) == 0) return true;
  return false;
}

std::string setting(const char* variable, const std::string& otherwise) {
  const char* value = std::getenv(variable);
  return value ? value : otherwise;
}

std::string text_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void adopt_descendants() { prctl(PR_SET_CHILD_SUBREAPER, 1); }

void end_descendants() {
  for (auto pids = children(); !pids.empty(); pids = children()) {
    for (const pid_t pid : pids) kill(pid, SIGKILL);
    for (const pid_t pid : pids) waitpid(pid, nullptr, 0);
  }
}

void Fleet::start_all() {
  for (int i = 0; i < count_; ++i) start(i);
}

void Fleet::tell_all(char letter) {
  for (int i = 0; i < count_; ++i) tell(i, letter);
}

Kind ours(const std::string& name, const fs::path& program) {
  const auto make_ours = [program](const fs::path& top, int count, Logging logging) { return std::make_unique<Ours>(program, top, count, logging); };
  return {name, fs::absolute(program), make_ours, Logging::kOwn, true};
}

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all = {
      ours("supervise", setting("SUPERVISE", "supervise")),
      {"daemontools", "svscan", make<Daemontools>},
      {"runit", "runsv", make<Runit>, Logging::kNone, true},
      {"s6", "s6-supervise", make<S6>},
      {"supervisord", "supervisord", make<Supervisord>, Logging::kOwn, true},
  };
  return all;
}

}  // namespace peers
