// Making a process. vfork, because it costs no copy and because the child can write its failure straight into our memory; but fork
// where the child becomes another user's. The child only makes system calls; it allocates nothing and returns to no caller.
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
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

#include "sys/calls.h"
#include "sys/platform.h"
#include "sys/process.h"
#include "sys/real_system.h"
#include "sys/resources.h"

namespace sys {
namespace {

using core::Stage;
using core::StartFailure;

constexpr int kNoStatus = -1;
constexpr int kPatience = 200;    // ms in which a program is executed, or the start goes on without us

#ifdef SUPERVISE_PLAIN_FORK
constexpr bool kSharesMemory = false;    // as under valgrind
#else
constexpr bool kSharesMemory = true;
#endif

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
  // While we may still have as many keyrings as we like: that user could have used up all of its own.
  if (!platform::leave_keyring()) return false;
  if (setresuid(who.uid, who.uid, who.uid) < 0 || !is_user(who)) return false;
  if (who.uid == 0 || setuid(0) < 0) return true;
  errno = EPERM;    // root could be had back
  return false;
}

// What a process of another user holds open, that user can keep open: the lock, for one. The caller of a wrapper may have left some
// for the command.
void let_go(const Spawn& request, int status) {
  if (status != kNoStatus && request.leads != Leads::kNothing) close_all_but(std::array{status, request.extra});
}

// Everything up to exec. Returns the stage that failed, with its errno; never returns after a successful exec. `status` stays open.
Stage become(const Spawn& request, int status) {
  if (!lead(request.leads)) return Stage::kProcessGroup;
  if (!move_descriptors(request)) return Stage::kDescriptor;
  if (request.before_exec) request.before_exec(request.context, getpid());
  if (!set_limits(request)) return Stage::kLimit;
  if (!set_nice(request)) return Stage::kPriority;
  if (request.credentials) {
    let_go(request, status);
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
  execvp(request.program ? request.program : request.arguments[0], const_cast<char* const*>(request.arguments));
  return Stage::kExec;
}

[[gnu::noinline]] pid_t make_child(const Spawn& request, volatile StartFailure& failure) {
  const pid_t pid = vfork();
  if (pid != 0) return pid;
  failure.stage = become(request, kNoStatus);
  failure.cause = errno;
  _exit(127);
}

Spawned spawn_sharing(const Spawn& request) {
  volatile StartFailure failure{Stage::kFork, 0};
  const pid_t pid = make_child(request, failure);
  if (pid < 0) return {0, StartFailure{Stage::kFork, errno}};
  const StartFailure seen{failure.stage, failure.cause};
  if (seen.cause == 0) return {pid, std::nullopt};
  while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {}
  return {0, seen};
}

// The child's part of spawn_apart(). `status` is closed by a successful exec.
[[noreturn]] void become_apart(Spawn request, int status) {
  char published = 0;
  if (read(status, &published, 1) != 1) _exit(127);
  if (request.extra >= 0 && status == request.extra_number) status = fcntl(status, F_DUPFD_CLOEXEC, request.extra_number + 1);
  request.before_exec = nullptr;
  const auto stage = become(request, status);
  const LateFailure left{static_cast<std::int32_t>(stage), errno};
  (void)!send(status, &left, sizeof left, MSG_NOSIGNAL);
  _exit(127);
}

// A child that shares nothing with us, and that nobody can make us wait for. The callback runs here, while the child waits for our word,
// and does nothing more if we die first.
Spawned spawn_apart(const Spawn& request) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) < 0) return {0, StartFailure{Stage::kFork, errno}};
  const auto [ours, theirs] = ends;
  const pid_t pid = platform::plain_fork();
  if (pid == 0) {
    close(ours);
    become_apart(request, theirs);
  }
  const int error = errno;
  close(theirs);
  if (pid < 0) {
    close(ours);
    return {0, StartFailure{Stage::kFork, error}};
  }
  if (request.before_exec) request.before_exec(request.context, pid);
  (void)!send(ours, "", 1, MSG_NOSIGNAL);
  pollfd answer{ours, POLLIN, 0};
  if (retried([&] { return poll(&answer, 1, request.credentials ? kPatience : -1); }) <= 0) {
    (void)fcntl(ours, F_SETFL, O_NONBLOCK);
    return {pid, std::nullopt, ours};
  }
  LateFailure left{};
  const bool failed = read(ours, &left, sizeof left) == sizeof left;
  close(ours);
  if (!failed) return {pid, std::nullopt};
  // It may be held before its end.
  ::kill(pid, SIGKILL);
  while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {}
  return {0, StartFailure{static_cast<Stage>(left.stage), left.cause}};
}

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
  // execvp takes the environment, and the PATH to search, from here.
  char** const ours = std::exchange(environ, const_cast<char**>(request.environment));
  // Between setresuid and exec the child belongs to the user, who may stop it; with it vfork would stop us.
  const auto spawned = request.credentials || !kSharesMemory ? spawn_apart(request) : spawn_sharing(request);
  environ = ours;
  return spawned;
}

}  // namespace sys
