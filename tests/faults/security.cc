// S02 to S05 and S16: what a supervisor makes, tells others, and hands to its service.
#include <sys/stat.h>

#include <algorithm>

#include "faults/site.h"

using namespace faults;

namespace {

// What is put before the supervisor: an strace(1) of all its processes.
Words tracing(const Words& options) {
  skip_unless(harness::has_program("strace") && run({"strace", "-o", "/dev/null", "true"}).code == 0, "strace may not trace");
  Words words = {"strace", "-f", "-qq"};
  words.insert(words.end(), options.begin(), options.end());
  return words;
}

// The first entry below the directory that others may write, or empty.
std::string open_to_others(const fs::path& directory) {
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    struct stat facts {};
    if (lstat(entry.path().c_str(), &facts) != 0 || S_ISLNK(facts.st_mode)) continue;
    if ((facts.st_mode & (S_IWGRP | S_IWOTH)) != 0) return entry.path().filename();
  }
  return {};
}

}  // namespace

FAULT("S02 the supervisor is started with umask 0") {
  Site site(kind, {});
  site.fleet().set_wrapper({"sh", "-c", "umask 0; exec \"$@\"", "sh"});
  site.start();
  site.kill_service();
  site.await_running();
  const auto open = open_to_others(site.home());
  expect(open.empty(), open + " may be written by all");
  if (site.is_ours()) expect((fs::status(site.home()).permissions() & fs::perms(0077)) == fs::perms::none, "the directory is open to others");
}

FAULT("S03 the name of the service and what it writes are commands and headers (ours only)") {
  if (kind.name != "supervise") throw Meaningless();
  TempDir work;
  write_script(work / "alarm", "cat >alarm.part; mv alarm.part alarm.text\n");
  write_file(work / "supervise.conf", "[global]\nalarm_interval : 60\nalarm_command : " + (work / "alarm").string() + "\n");
  const StatusDir dir(work / "status/$(touch pwned)`touch pwned`;touch pwned");
  const auto started = run(Command{.argv = {supervise_program(), "-u", dir.dir(), "sh", "-c", R"(printf 'x\r\nBcc: all@example.org\n$(touch pwned)\n' >&2; exec sleep 1000)"},
                                   .directory = work.path()});
  expect(started.code == 0, "does not start");
  dir.await_state("RUNNING");
  dir.write("k");
  const bool came = wait_until([&] { return fs::exists(work / "alarm.text"); });
  expect(came, "no alarm");
  const auto lines = lines_of(work / "alarm.text");
  expect(std::ranges::none_of(lines, [](const std::string& line) { return line.starts_with("Bcc:"); }), "a header is added");
  expect(!fs::exists(work / "pwned"), "a shell has run it");
  dir.write("dx");
  dir.await_exit();
}

FAULT("S04 the supervisor is started with open files and signals that are blocked and ignored") {
  TempDir work;
  const auto file = work / "facts";
  Site site(kind, {.verbs = {"facts", file, "sleep", "1000000"}});
  site.fleet().set_wrapper({"sh", "-c", "trap '' PIPE USR1 TERM; exec 7</dev/null; exec \"$@\"", "sh"});
  site.start();
  const auto complete = [&] { return text_of(file).find("\nend=yes") != std::string::npos; };
  site.await("no facts of the service", complete);
  for (const auto& line : lines_of(file)) {
    if (line.starts_with("fd.")) expect(std::atoi(line.c_str() + 3) <= 2, "the service has " + line.substr(0, 30));
    if (line.starts_with("blocked=")) expect(line == "blocked=0000000000000000", "signals are blocked in the service");
    if (line.starts_with("ignored=")) expect(line == "ignored=0000000000000000", "signals are ignored in the service");
  }
}

FAULT("S05 a call fails by which the service becomes another user (ours only)") {
  if (kind.name != "supervise") throw Meaningless();
  skip_unless(is_root(), "needs root");
  const auto conf = "user : " + std::to_string(kUser) + "\nstdout_logfile : none\nstderr_logfile : none";
  for (const std::string call : {"setgroups", "setresgid", "setresuid", "setgid", "setuid"}) {
    Site site(kind, {.conf = conf});
    chmod(site.work().c_str(), 01777);
    site.fleet().set_wrapper(tracing({"-o", "/dev/null", "-e", "trace=" + call, "-e", "inject=" + call + ":error=EPERM"}));
    site.start_anew();
    // A call that is not made can't fail.
    const auto as_user = [&](pid_t pid) { return process_field(pid, "Uid").starts_with(std::to_string(kUser)) && !process_field(pid, "Gid").starts_with("0"); };
    expect(holds_for(700ms, [&] { return std::ranges::all_of(site.copies(), as_user); }), "runs as root without " + call);
  }
}

FAULT("S16 every socket that the supervisor makes is a local one") {
  Site site(kind, {});
  const auto trace = site.work() / "sockets";
  site.fleet().set_wrapper(tracing({"-o", trace, "-e", "trace=socket"}));
  site.start_anew();
  site.await_running();
  site.kill_service();
  const auto pid = site.await_running();
  ::kill(pid, SIGKILL);
  site.await_running(pid);
  const auto text = text_of(trace);
  expect(text.find("AF_INET") == std::string::npos, "makes an AF_INET socket");
}
