// What is done to a service at random. Each action leaves it able to come right by itself; what supervise does not promise is
// not asked for:
// - supervise is not killed before a directory or `state` that was removed is back, as nothing else tells the next one of the
//   service that runs;
// - a FIFO is not removed where the disk fills, as what is in it must be written within a second then;
// - supervise and the logger are both killed only where the service does not end meanwhile, as only it holds its output then;
//   so supervise is not killed while its logger is being replaced, either;
// - nor while a command is on its way into the background: the next one cannot know what it has left;
// - both are not killed while the service is stopped: the kernel sends HUP and CONT to it, as it does to each stopped process
//   group that loses its parent.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iomanip>

#include "subject.h"

namespace soak {

const std::array<Subject::Choice, 15> Subject::kChoices{{
    {&Subject::write_letters, 30, "write_letters"},
    {&Subject::write_garbage, 3, "write_garbage"},
    {&Subject::kill_service, 12, "kill_service"},
    {&Subject::kill_supervise, 10, "kill_supervise"},
    {&Subject::kill_logger, 6, "kill_logger"},
    {&Subject::stop_supervise, 4, "stop_supervise"},
    {&Subject::stop_service, 4, "stop_service"},
    {&Subject::signal_supervise, 2, "signal_supervise"},
    {&Subject::upgrade, 4, "upgrade"},
    {&Subject::remove_entry, 6, "remove_entry"},
    {&Subject::replace_control, 3, "replace_control"},
    {&Subject::remove_directory, 3, "remove_directory"},
    {&Subject::start_second, 3, "start_second"},
    {&Subject::reconfigure, 5, "reconfigure"},
    {&Subject::control_with_client, 5, "control_with_client"},
}};

void Subject::rage(const std::stop_token& end) {
  if (!kind_.is(Kind::kEnds) && chance(30)) kill_both();
  for (long actions = 1 + below(8); actions > 0 && !end.stop_requested(); --actions) {
    tend();
    if (kind_.is(Kind::kTight) && chance(30))
      fill_disk();
    else
      act();
    check_stranger();
    pause(2000);
  }
}

void Subject::note(const std::string& action) const {
  const auto now = std::chrono::system_clock::now();
  const auto seconds = std::chrono::system_clock::to_time_t(now);
  const auto milli = now.time_since_epoch() / 1ms % 1000;
  tm local{};
  localtime_r(&seconds, &local);
  std::ofstream(world_.top() / "said" / (name_ + ".done"), std::ios::app) << std::put_time(&local, "%H:%M:%S.") << std::setw(3) << std::setfill('0') << milli << " " << action << "\n";
}

void Subject::act() {
  int sum = 0;
  for (const auto& choice : kChoices) sum += choice.weight;
  auto drawn = below(sum);
  for (const auto& choice : kChoices)
    if ((drawn -= choice.weight) < 0) return note(choice.name), (this->*choice.action)();
}

void Subject::write_letters() {
  static constexpr std::string_view kLetters = "uuuudddoootkhiaq12wppcccsnrllE";
  std::string letters;
  for (long count = 1 + below(5); count > 0; --count) letters += kLetters[static_cast<std::size_t>(below(kLetters.size()))];
  if (chance(4)) letters += 'x';
  note("  " + letters);
  write(letters);
  world_.count("letters written", static_cast<long>(letters.size()));
}

void Subject::write_garbage() {
  std::string bytes;
  for (long count = 1 + below(20'000); count > 0; --count) bytes += static_cast<char>(128 + below(128));
  write(bytes);
  world_.count("bursts of garbage");
}

void Subject::kill_service() {
  static constexpr std::array kSignals{SIGKILL, SIGKILL, SIGKILL, SIGTERM, SIGABRT};
  const auto pid = holder();
  if (pid == 0) return;
  ::kill(pid, kSignals[static_cast<std::size_t>(below(kSignals.size()))]);
  world_.count("services killed");
}

// Ends it with KILL, or with a signal that it obeys.
void Subject::end_supervise(int signal) {
  if (signal != SIGKILL) may_end_ = true;
  ::kill(supervise_, signal);
  if (!await([&] { return world_.status_of(supervise_, launched_).has_value(); })) violation("supervise ends", "it lives");
}

bool Subject::output_is_kept() {
  const auto output_of = [](pid_t pid, int fd) {
    struct stat facts {};
    return stat(("/proc/" + std::to_string(pid) + "/fd/" + std::to_string(fd)).c_str(), &facts) == 0 ? facts.st_ino : 0;
  };
  const auto service = holder();
  if (const auto status = harness::read_status(dir_ / "status"); kind_.is(Kind::kForks) && (!status || status->pid != service)) return false;
  if (service == 0) {
    output_.look();
    return output_.is_complete();
  }
  const auto wanted = output_of(service, 1);
  const auto keeper = logger();
  if (keeper == 0 || harness::process_field(keeper, "ShdPnd").find_first_not_of('0') != std::string::npos) return false;
  for (const auto& [fd, target] : harness::descriptors(keeper))
    if (wanted != 0 && output_of(keeper, fd) == wanted) return true;
  return false;
}

bool Subject::stop_where_output_is_kept() {
  for (const auto end = Clock::now() + 5s; Clock::now() < end; std::this_thread::sleep_for(100ms)) {
    ::kill(supervise_, SIGSTOP);
    // What it told the logger has reached it by then.
    std::this_thread::sleep_for(50ms);
    if (has_ended() || output_is_kept()) return true;
    ::kill(supervise_, SIGCONT);
  }
  return false;
}

void Subject::kill_supervise() {
  if (!stop_where_output_is_kept()) return world_.count("kills of supervise put off");
  const auto service = holder();
  end_supervise(SIGKILL);
  world_.count("supervises killed");
  pause(500);
  if (chance(25)) kill_service();
  pause(1000);
  const auto left = holder();
  start();
  if (left != 0 && left == service && holder() == service) world_.count("services adopted");
}

void Subject::kill_logger() {
  const auto pid = logger();
  if (pid == 0 || !harness::text_of("/proc/" + std::to_string(pid) + "/cmdline").starts_with("supervise-log ")) return;
  ::kill(pid, SIGKILL);
  world_.count("loggers killed");
  if (!await([&] { return has_ended() || (logger() != pid && logger() != 0); })) violation("another logger", "none");
}

// Right after an examination: no letter is under way that ends the service.
void Subject::kill_both() {
  const std::lock_guard guard(calm_);
  note("kill_both");
  const auto service = holder();
  const auto is_well = [&] { return service != 0 && holder() == service && state()["want"] == "up" && state()["state"] == "RUNNING" && state()["paused"] == "0"; };
  // One that is let go on after a pause may have a signal waiting, of which it dies.
  if (!harness::holds_for(300ms, is_well)) return;
  if (const auto pid = logger(); pid != 0) ::kill(pid, SIGKILL);
  end_supervise(SIGKILL);
  if (const auto pid = logger(); pid != 0) ::kill(pid, SIGKILL);
  pause(500);
  start();
  if (holder() != service) violation("the service outlives supervise and logger: " + std::to_string(service), std::to_string(holder()));
  world_.count("supervise and logger killed at once");
}

void Subject::stop_supervise() {
  ::kill(supervise_, SIGSTOP);
  world_.count("supervises stopped with STOP");
  for (long count = below(4); count > 0; --count) {
    pause(300);
    if (chance(50))
      write_letters();
    else
      kill_service();
  }
  pause(1000);
  ::kill(supervise_, SIGCONT);
}

void Subject::stop_service() {
  const auto pid = holder();
  if (pid == 0) return;
  ::kill(pid, SIGSTOP);
  world_.count("services stopped with STOP");
  pause(3000);
  if (chance(30)) write_letters();
  if (holder() == pid) ::kill(pid, SIGCONT);
}

void Subject::signal_supervise() {
  if (chance(70))
    ::kill(supervise_, SIGHUP);
  else
    end_supervise(chance(50) ? SIGTERM : SIGINT);
  world_.count("supervises signalled");
}

void Subject::upgrade() {
  write("E");
  world_.count("upgrades");
  if (chance(50)) kill_service();
}

void Subject::await_entries(const std::string& after) {
  std::string found;
  const auto are_back = [&] {
    if (has_ended()) return true;
    found = entry_fault();
    return found.empty() && static_cast<pid_t>(state().number("supervise_pid")) == supervise_;
  };
  if (!await(are_back)) violation("the entries are back after " + after, found);
}

void Subject::remove_entry() {
  static constexpr std::array<const char*, 12> kNames{"control", "ok",  "lock", "status", "state", "svcontrol", "supervise.log", "supervise.log.wf", "supervise/stdout",
                                                      "supervise/control", "supervise/logger", "supervise"};
  const fs::path entry = dir_ / kNames[static_cast<std::size_t>(below(kind_.is(Kind::kTight) ? 8 : kNames.size()))];
  note("  " + entry.filename().string());
  std::error_code ignored;
  if (chance(30)) {
    fs::rename(entry, own_ / "moved", ignored);
    fs::remove_all(own_ / "moved", ignored);
  } else {
    fs::remove_all(entry, ignored);
  }
  world_.count("entries removed");
  await_entries("removal of " + entry.filename().string());
}

void Subject::replace_control() {
  const auto control = dir_ / "control";
  const auto canary = own_ / "canary";
  harness::write_file(canary, "untouched");
  std::error_code error;
  fs::remove(control, error);
  switch (below(4)) {
    case 0: (void)!mknod(control.c_str(), S_IFREG | 0644, 0); break;
    case 1: fs::create_directory(control, error); break;
    case 2: fs::create_symlink(canary, control, error); break;
    default: fs::create_hard_link(canary, control, error); break;
  }
  world_.count("control replaced");
  await_entries("replacement of control");
  if (harness::text_of(canary) != "untouched") violation("what was put into the place of control is not written", harness::text_of(canary));
}

void Subject::remove_directory() {
  if (kind_.is(Kind::kTight)) return;
  const auto moved = world_.top() / "gone" / name_;
  std::error_code error;
  if (chance(50)) fs::rename(dir_, moved, error);
  fs::remove_all(dir_, error);
  world_.count("directories removed");
  await_entries("removal of the directory");
  fs::remove_all(moved, error);
}

void Subject::start_second() {
  const auto began = Clock::now();
  const auto said = world_.top() / "said" / (name_ + ".second");
  const auto pid = world_.spawn(command_line(), said);
  std::optional<int> status;
  if (!await([&] { return (status = world_.status_of(pid, began)).has_value(); })) return violation("a second supervise ends", "it lives");
  world_.count("second supervises refused");
  if (WIFEXITED(*status) && WEXITSTATUS(*status) == 100) return;
  if (!await([this] { return has_ended(); }, 5s)) return violation("a second supervise is refused with 100", "wait status " + std::to_string(*status) + ": " + harness::text_of(said));
  launched_ = began;
  may_end_ = kind_.is(Kind::kGivesUp);
  supervise_ = static_cast<pid_t>(state().number("supervise_pid"));
}

void Subject::reconfigure() {
  static constexpr std::array<std::pair<const char*, const char*>, 14> kChanges{{
      {"stopwaitsecs", "1"},
      {"stopwaitsecs", "soon"},
      {"startsecs", "0"},
      {"startsecs", "2"},
      {"backoff", "linear"},
      {"backoff_max", "3"},
      {"kill_tree", "true"},
      {"stdout_logfile_maxbytes", "40KB"},
      {"stdout_logfile_maxbytes", "much"},
      {"stderr_logfile", "none"},
      {"stderr_logfile", "errors"},
      {"nice", "1"},
      {"stopsignal", "INT"},
      {"no such key", "5"},
  }};
  for (long count = 1 + below(2); count > 0; --count) {
    const auto& [key, value] = kChanges[static_cast<std::size_t>(below(kChanges.size()))];
    changes_[key] = value;
  }
  harness::write_file(world_.top() / "conf" / name_, conf(changes_));
  changed_ = true;
  write("r");
  world_.count("configurations changed");
}

void Subject::control_with_client() {
  static constexpr std::array<const char*, 10> kCommands{"start", "stop", "restart", "kill", "once", "reload", "upgrade", "rotate", "pause", "cont"};
  const std::string command = kCommands[static_cast<std::size_t>(below(kCommands.size()))];
  const auto began = Clock::now();
  const auto said = world_.top() / "said" / (name_ + ".client");
  const auto pid = world_.spawn({client_program(), command, "-t", "20", dir_}, said);
  std::optional<int> status;
  if (!await([&] { return (status = world_.status_of(pid, began)).has_value(); }, 60s))
    return violation("supervisectl " + command + " ends", "it does not: " + harness::text_of(said));
  world_.count("supervisectl " + command);
  if (!WIFEXITED(*status) || WEXITSTATUS(*status) > 4)
    violation("supervisectl " + command + " ends well", "wait status " + std::to_string(*status) + ": " + harness::text_of(said));
}

// The disk is full for a while; what is done meanwhile needs none of it.
void Subject::fill_disk() {
  note("fill_disk");
  const auto file = log_.parent_path() / "filler";
  const int fd = open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  const std::string block(1 << 20, '.');
  for (std::size_t size = block.size(); size > 0;)
    if (const auto written = ::write(fd, block.data(), size); written <= 0) size /= 2;
  close(fd);
  world_.count("disks filled");
  for (long count = 1 + below(4); count > 0; --count) {
    if (chance(60))
      write_letters();
    else
      kill_service();
    pause(800);
  }
  fs::remove(file);
}

}  // namespace soak
