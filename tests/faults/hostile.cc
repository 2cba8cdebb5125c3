// S01, S06 and S17: the service's own user, and any other one, against the files of the supervisor.
//
// Each kind has the permissions that its documentation has. Ours and supervisord write the output of a service into a directory
// that may belong to the service's user; the others have directories of root's.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "faults/site.h"

using namespace faults;

namespace {

constexpr auto kSecret = "root:secret\n";

// A file of root's, and what it must stay.
struct Victim {
  explicit Victim(const std::string& name) : path(work / name) { write_file(path, kSecret, 0600); }
  void check() const {
    struct stat facts {};
    expect(stat(path.c_str(), &facts) == 0, "a file of root's is removed");
    expect(text_of(path) == kSecret, "a file of root's is written");
    expect(facts.st_uid == 0 && (facts.st_mode & 07777) == 0600, "a file of root's is given away");
  }

  TempDir work;
  fs::path path;
};

// Runs a program of the user without rights; it ends with the object.
struct Intruder {
  explicit Intruder(const std::string& script)
      : child({.argv = {"setpriv", "--reuid=" + id(), "--regid=" + id(), "--clear-groups", "sh", "-c", script}}) {}
  static std::string id() { return std::to_string(kUser); }
  Child child;
};

std::string intrude(const std::string& script) {
  Intruder intruder(script);
  return intruder.child.wait().out;
}

void give(const fs::path& directory) {
  if (chown(directory.c_str(), kUser, kUser) != 0) throw std::runtime_error("chown");
}

// In the shell: replaces the file over and over again by a link to the victim, a second name of it, a FIFO, a directory.
std::string swap_forever(const fs::path& file, const fs::path& victim) {
  const auto name = "'" + file.string() + "'";
  std::string script = "while :; do ";
  for (const auto& make : Words{"ln -s '" + victim.string() + "' " + name, "ln '" + victim.string() + "' " + name, "mkfifo " + name,
                                "mkdir " + name, ": >" + name})
    script += "{ rm -f " + name + " || mv " + name + " " + name + ".$$; rmdir " + name + "; " + make + "; } 2>/dev/null; ";
  return script + "done";
}

// The supervisor opens its log and whatever else anew.
void open_anew(const Site& site) {
  site.tell('l');
  if (site.is("supervisord")) ::kill(site.supervisor(), SIGUSR2);
  for (const auto pid : descendants()) {
    if (is_logger(pid)) ::kill(pid, site.is_ours() ? SIGKILL : SIGALRM);
  }
}

void require_root() { skip_unless(is_root() && harness::has_program("setpriv"), "needs root and setpriv"); }

}  // namespace

FAULT("S01a the service's user replaces the log by links and FIFOs in a loop while it is rotated") {
  require_root();
  const Victim victim("shadow");
  Site site(kind, {.verbs = {"numbers", "1", "100000000", "20"}, .logging = peers::Logging::kOwn});
  if (site.is("supervisord")) give(site.fleet().directory(0));
  site.start();
  const auto log = site.fleet().output(0).back();
  if (site.is_ours()) give(site.home());
  {
    Intruder racer(swap_forever(log, victim.path));
    const auto until = Clock::now() + in_full<Clock::duration>(20s, 2s);
    while (Clock::now() < until) {
      open_anew(site);
      victim.check();
      std::this_thread::sleep_for(any_time(50ms));
    }
  }
  victim.check();
  site.await_running();
  site.await_told();
}

FAULT("S01b the service's user replaces the files of the supervisor by links and FIFOs in a loop: the service dies") {
  require_root();
  Site site(kind, {});
  site.start();
  if (site.is_ours()) give(site.home());
  Words names;
  for (const auto& entry : fs::directory_iterator(site.home())) names.push_back(entry.path().filename());
  std::ranges::sort(names);
  if (!is_full()) names = {"control", "state", "supervise.log"};
  for (const auto& name : names) {
    const Victim victim("shadow");
    {
      Intruder racer(swap_forever(site.home() / name, victim.path));
      const auto until = Clock::now() + in_full<Clock::duration>(4s, 300ms);
      while (Clock::now() < until) {
        // Nothing is told: who writes to control as root follows a link that is there.
        site.kill_service();
        std::this_thread::sleep_for(any_time(100ms));
        victim.check();
      }
    }
    victim.check();
    site.await_running();
    // What the user has made there is the user's to remove.
    std::error_code error;
    if (fs::is_directory(fs::symlink_status(site.home() / name, error)) && name != "supervise") fs::remove_all(site.home() / name, error);
  }
  site.await("deaf for ever", [&] { return fs::is_fifo(site.control()) || fs::is_socket(site.control()); });
  site.check_everything();
}

FAULT("S06 the service's user puts a status with the pid of a stranger there while the supervisor is dead") {
  require_root();
  if (kind.name == "supervisord") throw Meaningless();
  TempDir work;
  Site site(kind, {});
  site.start();
  if (site.is_ours()) give(site.home());
  const auto pid = site.service();
  Child stranger({.argv = harness::service({"trap", "got", work / "signals"})});
  (void)wait_until([&] { return count_lines(work / "signals", "ready") == 1; });
  site.kill_supervisor();
  ::kill(pid, SIGKILL);
  (void)wait_until([&] { return !alive(pid); });
  // All that is said of the service is said of the stranger: the pid, in text and in binary, and when it began.
  const auto stat = text_of("/proc/" + std::to_string(stranger.pid()) + "/stat");
  const auto began = shell("cut -d ' ' -f 22 /proc/" + std::to_string(stranger.pid()) + "/stat").out;
  for (const std::string name : {"status", "state"}) {
    const auto file = site.home() / name;
    auto text = text_of(file);
    if (name == "state") {
      std::string forged;
      for (const auto& line : lines_in(text))
        forged += (line.starts_with("pid=") ? "pid=" + std::to_string(stranger.pid()) : line.starts_with("pid_start=") ? "pid_start=" + lines_in(began).front() : line) + "\n";
      text = forged;
    } else if (text.size() >= 18) {
      for (const std::size_t at : {std::size_t{12}, std::size_t{16}})
        for (std::size_t i = 0; i < 4 && at + i < text.size() && (at == 16) == (text.size() == 20 && site.is_ours()); ++i)
          text[at + i] = static_cast<char>(stranger.pid() >> (8 * i));
    }
    write_file(work / "forged", text, 0644);
    fs::permissions(work.path(), fs::perms(0755));
    (void)intrude("mv -f '" + file.string() + "' '" + file.string() + ".old' && cp '" + (work / "forged").string() + "' '" + file.string() + "'");
  }
  site.start_anew();
  site.await_running(pid);
  site.tell('h');
  site.tell('d');
  site.await_stopped();
  expect(stranger.running() && lines_of(work / "signals").size() == 1, "a signal to a stranger");
  site.tell('u');
  site.check_everything();
}

FAULT("S17a a user without rights writes to control and fills it and takes the lock") {
  require_root();
  Site site(kind, {});
  site.start();
  const auto control = "'" + site.control().string() + "'";
  (void)intrude("(echo dddd >" + control + "; head -c 100000 /dev/zero >" + control + ") 2>/dev/null & sleep 0.5; kill $! 2>/dev/null");
  if (site.is("supervisord")) (void)intrude("supervisorctl -c '" + (site.fleet().top() / "supervisord.conf").string() + "' stop 0");
  expect(holds_for(500ms, [&] { return site.copies().size() == 1; }), "commanded by a stranger");
  const auto lock = site.home() / "lock";
  Intruder holder("exec flock -s '" + lock.string() + "' sleep 1000 2>/dev/null");
  (void)holds_for(300ms, [&] { return holder.child.running(); });
  const auto pid = site.service();
  ::kill(pid, SIGKILL);
  site.kill_supervisor();
  site.start_anew();
  site.await_running(pid, "kept out by a stranger's lock");
}

FAULT("S17b a user without rights reads what the service wrote") {
  require_root();
  Site site(kind, {.verbs = {"out", "confidential"}, .logging = peers::Logging::kOwn});
  site.start();
  const bool came = wait_until([&] { return site.output().find("confidential") != std::string::npos; });
  expect(came, "no output");
  expect(intrude("cat '" + site.fleet().output(0).back().string() + "' 2>/dev/null").empty(), "the log is readable by all");
}
