// T03, T04 and T10: who is dead, who gets a signal, and who may hold a start.
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include "faults/site.h"

using namespace faults;

namespace {

void require_ours(const peers::Kind& kind) {
  if (kind.name != "supervise") throw Meaningless();
}

// Also of one whose main thread has ended.
bool has_threads(pid_t pid) {
  std::error_code error;
  const auto tasks = fs::directory_iterator("/proc/" + std::to_string(pid) + "/task", error);
  return !error && std::distance(fs::begin(tasks), fs::end(tasks)) > 1;
}

pid_t await_marked(const Site& site) {
  expect(wait_until([&] { return site.starts() == 1; }), "no service");
  return pids_in(site.marks()).back();
}

}  // namespace

FAULT("T03a the service's main thread has ended and another goes on: supervise is killed (ours only)") {
  require_ours(kind);
  Site site(kind, {.verbs = {"thread"}});
  site.start_anew();
  const auto pid = await_marked(site);
  expect(wait_until([&] { return !alive(pid) && has_threads(pid); }), "the main thread does not end");
  site.kill_supervisor();
  site.start_anew();
  site.await("not adopted", [&] { return site.fleet().told_pid(0) == pid; });
  expect(holds_for(1s, [&] { return site.starts() == 1; }), "2 copies");
  site.tell('d');
  site.await("is not stopped", [&] { return !has_threads(pid); });
  site.await("wrong pid in status", [&] { return site.fleet().told_pid(0) == 0; });
}

FAULT("T03c an adopted service is told to reload (ours only)") {
  require_ours(kind);
  Site site(kind, {.verbs = {"ignore", "HUP"}});
  site.start();
  site.kill_supervisor();
  site.start_anew();
  site.await("not adopted", [&] { return text_of(site.home() / "supervise.log").find("adopted") != std::string::npos; });
  const auto trace = site.work() / "trace";
  {
    const Tracer tracer(site.supervisor(), {"-e", "trace=kill,pidfd_send_signal"}, trace);
    site.tell('h');
    site.await("no signal", [&] { return text_of(trace).find("SIGHUP") != std::string::npos; });
  }
  expect(text_of(trace).find("pidfd_send_signal(") != std::string::npos, "a signal to whoever has the pid");
  site.check_everything();
}

FAULT("T03e kill_tree meets a process that has become root's (ours only)") {
  require_ours(kind);
  skip_unless(is_root() && has_program("setpriv"), "needs root and setpriv");
  TempDir work;
  fs::permissions(work.path(), fs::perms(0777));
  const auto setuid = work / "setuid", left = work / "left";
  fs::copy_file(harness::service({})[0], setuid);
  chmod(setuid.c_str(), 04755);
  Site site(kind, {.verbs = {"await", left},
                   .script = "'" + setuid.string() + "' root session started '" + left.string() + "' &\nexec sleep 1000",
                   .conf = "kill_tree : true\nstopwaitsecs : 1",
                   .is_unprivileged = true});
  site.start_anew();
  const bool came = wait_until([&] { return lines_of(left).size() == 1; }, 3s);
  skip_unless(came, "no setuid programs");
  const auto root = pids_in(left).back();
  site.tell('d');
  site.await("waited for without end", [&] { return text_of(site.home() / "supervise.log").find("which supervise may not kill") != std::string::npos; });
  site.tell('u');
  site.await("service not back", [&] { return lines_of(left).size() == 2; });
  for (const auto pid : {root, pids_in(left).back()}) ::kill(pid, SIGKILL);
}

FAULT("T04a the service's user stops the new process before it is the service (ours only)") {
  require_ours(kind);
  skip_unless(is_root() && has_program("setpriv"), "needs root and setpriv");
  Site site(kind, {.conf = "user : " + std::to_string(kUser) + "\nstopwaitsecs : 1\nstartsecs : 0"});
  chmod(site.work().c_str(), 01777);
  site.start();
  const auto first = site.service();
  const auto trace = site.work() / "trace";
  pid_t second = 0;
  {
    const Tracer tracer(site.supervisor(), {"-f", "-e", "trace=setresuid", "-e", "inject=setresuid:delay_exit=3s"}, trace);
    site.kill_service();
    // The user's already, and not executed yet.
    site.await("service not back", [&] {
      for (const auto pid : descendants())
        if (pid != first && process_field(pid, "Uid").starts_with(std::to_string(kUser)) && !process_field(pid, "TracerPid").starts_with("0")) second = pid;
      return second != 0;
    });
    ::kill(second, SIGSTOP);
    // One that is held in vfork lets nobody stop tracing it.
    bool is_held = true;
    const std::shared_ptr<void> end(nullptr, [&](void*) {
      ::kill(second, SIGKILL);
      if (is_held) site.kill_supervisor();
    });
    site.tell('d');
    site.await("supervise is held", [&] { return !alive(second) && site.fleet().told_pid(0) == 0; });
    is_held = false;
  }
  site.tell('u');
  site.check_everything();
}

FAULT("T10 there is no proc file system: supervise is killed (ours only)") {
  require_ours(kind);
  skip_unless(is_root() && has_program("unshare"), "needs root and unshare");
  TempDir work;
  const auto marks = work / "marks";
  std::string command = "'" + supervise_program() + "' -u '" + (work / "s").string() + "'";
  for (const auto& word : harness::service({"started", marks})) command += " '" + word + "'";
  const auto state = "'" + (work / "s/state").string() + "'";
  (void)shell("unshare -m sh -c \"mount -t tmpfs none /proc; " + command + "; while ! [ -s " + marks.string() + " ]; do sleep 0.05; done; kill -9 \\$(sed -n s/^supervise_pid=//p " +
              state + "); sleep 0.1; " + command + "\"");
  const bool came = wait_until([&] { return !lines_of(marks).empty(); });
  skip_unless(came, "no mount namespace");
  const bool alone = holds_for(1500ms, [&] { return lines_of(marks).size() == 1; });
  const auto supervise = std::atoi(shell("sed -n s/^supervise_pid=//p " + state).out.c_str());
  for (const auto pid : pids_in(marks)) ::kill(pid, SIGKILL);
  const bool is_back = wait_until([&] { return lines_of(marks).size() == 2; }, deadline());
  if (supervise > 1) ::kill(supervise, SIGKILL);
  for (const auto pid : pids_in(marks)) ::kill(pid, SIGKILL);
  expect(alone, "2 copies");
  expect(is_back, "service not back");
}
