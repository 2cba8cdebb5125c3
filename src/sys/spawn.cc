// Making a process. vfork, because it costs no copy and because the child can write its failure straight into our memory.
// The child only makes system calls; it allocates nothing and returns to no caller.
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "sys/platform.h"
#include "sys/process.h"
#include "sys/real_system.h"
#include "sys/resources.h"

namespace sys {
namespace {

using core::Stage;
using core::StartFailure;

bool move_descriptors(const Spawn& request) {
  // Sources below 3 would be overwritten by the moves; ours never are, as 0 to 2 are always open.
  return dup2(request.input, 0) >= 0 && dup2(request.output, 1) >= 0 && dup2(request.errors, 2) >= 0;
}

bool lead(Leads what) {
  switch (what) {
    case Leads::kGroup: return setpgid(0, 0) == 0;
    case Leads::kSession: return setsid() >= 0;
    case Leads::kNothing: break;
  }
  return true;
}

bool hand_on_extra(const Spawn& request) {
  if (request.extra < 0) return true;
  if (request.extra == request.extra_number) return fcntl(request.extra, F_SETFD, 0) == 0;
  return dup2(request.extra, request.extra_number) >= 0;
}

bool set_limits(const Spawn& request) {
  restore_descriptor_limit();
  for (const auto& limit : request.limits) {
    const rlimit value{limit.soft, limit.hard};
    if (setrlimit(static_cast<decltype(RLIMIT_NOFILE)>(limit.resource), &value) < 0) return false;
  }
  return true;
}

bool set_nice(const Spawn& request) {
  return !request.nice || setpriority(PRIO_PROCESS, 0, *request.nice) == 0;
}

// A change that changes nothing needs no privilege, and a user namespace or a filter may forbid the call: so none is made.
bool is_user(const Credentials& who) {
  uid_t real = 0, effective = 0, saved = 0;
  return getresuid(&real, &effective, &saved) == 0 && real == who.uid && effective == who.uid && saved == who.uid;
}
bool is_group(const Credentials& who) {
  gid_t real = 0, effective = 0, saved = 0;
  return getresgid(&real, &effective, &saved) == 0 && real == who.gid && effective == who.gid && saved == who.gid;
}
bool has_groups(const Credentials& who) {
  std::array<gid_t, 64> groups;
  const int n = getgroups(static_cast<int>(groups.size()), groups.data());
  if (n < 0) return false;
  const auto is_in = [&](gid_t group, const auto& list) { return group == who.gid || std::find(list.begin(), list.end(), group) != list.end(); };
  const auto ours = std::span(groups).first(static_cast<std::size_t>(n));
  return std::all_of(ours.begin(), ours.end(), [&](gid_t group) { return is_in(group, who.groups); }) &&
         std::all_of(who.groups.begin(), who.groups.end(), [&](gid_t group) { return is_in(group, ours); });
}

bool set_groups(const Credentials& who) {
  if (has_groups(who) || setgroups(who.groups.size(), who.groups.data()) == 0) return true;
  // Whoever stays who they are gains nothing by groups that can't be given up.
  return errno == EPERM && is_user(who) && is_group(who);
}
bool set_group(const Credentials& who) {
  return is_group(who) || (setresgid(who.gid, who.gid, who.gid) == 0 && is_group(who));
}
bool set_user(const Credentials& who) {
  if (is_user(who)) return true;
  if (setresuid(who.uid, who.uid, who.uid) < 0 || !is_user(who)) return false;
  if (who.uid == 0 || setuid(0) < 0) return true;
  errno = EPERM;    // root could be had back
  return false;
}

// Everything up to exec. Returns the stage that failed, with its errno; never returns after a successful exec.
Stage become(const Spawn& request) {
  if (!lead(request.leads)) return Stage::kProcessGroup;
  if (!move_descriptors(request)) return Stage::kDescriptor;
  if (request.before_exec) request.before_exec(request.context, getpid());
  if (!set_limits(request)) return Stage::kLimit;
  if (!set_nice(request)) return Stage::kPriority;
  if (request.credentials) {
    if (!set_groups(*request.credentials)) return Stage::kGroups;
    if (!set_group(*request.credentials)) return Stage::kGroup;
    if (!set_user(*request.credentials)) return Stage::kUser;
  }
  if (request.umask) umask(*request.umask);
  if (request.directory && chdir(request.directory) < 0) return Stage::kDirectory;
  if (request.time_limit != 0) alarm(request.time_limit);
  if (request.ends_with_us) platform::end_with_parent();
  // Not before the callback: it may need what has that number.
  if (!hand_on_extra(request)) return Stage::kDescriptor;
  restore_signals();
  execvp(request.arguments[0], const_cast<char* const*>(request.arguments));
  return Stage::kExec;
}

#ifndef SUPERVISE_PLAIN_FORK
[[gnu::noinline]] pid_t make_child(const Spawn& request, volatile StartFailure& failure) {
  const pid_t pid = vfork();
  if (pid != 0) return pid;
  failure.stage = become(request);
  failure.cause = errno;
  _exit(127);
}
#else
// Where vfork shares no memory, as under valgrind: the callback runs here while the child waits for the end of what we write, and
// the failure comes back through the other direction, which a successful exec closes.
pid_t make_child(Spawn request, volatile StartFailure& failure) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) < 0) return -1;
  const auto [ours, theirs] = ends;
  std::array<int, 2> left{};    // the stage that failed, and why
  const pid_t pid = platform::plain_fork();
  if (pid == 0) {
    close(ours);
    (void)!read(theirs, left.data(), sizeof left);
    request.before_exec = nullptr;
    left[0] = static_cast<int>(become(request));
    left[1] = errno;
    (void)!write(theirs, left.data(), sizeof left);
    _exit(127);
  }
  const int error = errno;
  close(theirs);
  if (pid > 0 && request.before_exec) request.before_exec(request.context, pid);
  shutdown(ours, SHUT_WR);
  if (pid > 0 && read(ours, left.data(), sizeof left) == sizeof left) {
    failure.stage = static_cast<Stage>(left[0]);
    failure.cause = left[1];
  }
  close(ours);
  errno = error;
  return pid;
}
#endif

}  // namespace

Result<std::int32_t> RealSystem::fork(std::span<const int> kept, int null, const char* title, void (*run)(void* context), void* context) {
  const pid_t pid = platform::plain_fork();
  if (pid < 0) return Errno{errno};
  if (pid > 0) return pid;
  setsid();
  for (int fd = 0; fd <= 2; ++fd) dup2(null, fd);
  close_all_but(kept);
  platform::ask_for_exact_waits();
  set_title(title);
  run(context);
  _exit(0);
}

Spawned RealSystem::spawn(const Spawn& request) {
  volatile StartFailure failure{Stage::kFork, 0};
  // execvp takes the environment, and the PATH to search, from here.
  char** const ours = std::exchange(environ, const_cast<char**>(request.environment));
  const pid_t pid = make_child(request, failure);
  const int error = errno;
  environ = ours;
  const StartFailure seen{failure.stage, failure.cause};
  if (pid < 0) return {0, StartFailure{Stage::kFork, error}};
  if (seen.cause == 0) return {pid, std::nullopt};
  while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {}
  return {0, seen};
}

}  // namespace sys
