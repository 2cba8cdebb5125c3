// T01: what root names outside the status directory, in directories of the service's user, who puts links there.
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "faults/site.h"

using namespace faults;

namespace {

// A directory of the service's user in one of root's, and what root has beside it.
struct Ground {
  explicit Ground(const peers::Kind& kind) {
    if (kind.name != "supervise") throw Meaningless();
    skip_unless(is_root() && harness::has_program("setpriv"), "needs root and setpriv");
    fs::permissions(work.path(), fs::perms(0755));
    fs::create_directories(app / "log");
    fs::create_directory(victim);
    for (const auto& directory : {app, app / "log"}) give(directory);
    write_file(secret, "SECRET=confidential\n", 0600);
  }
  ~Ground() { (void)shell("printf dx >'" + (svc / "control").string() + "'"); }
  static void give(const fs::path& path) {
    if (lchown(path.c_str(), kUser, kUser) != 0) throw std::runtime_error("chown");
  }
  void intrude(const std::string& script) const {
    const auto id = std::to_string(kUser);
    const auto done = harness::run({.argv = {"setpriv", "--reuid=" + id, "--regid=" + id, "--clear-groups", "sh", "-ec", script}, .directory = app});
    expect(done.code == 0, "the intruder failed: " + done.err);
  }
  // Starts a shell as the user, which can reach it wherever the tests are.
  [[nodiscard]] Result start(const std::string& conf, const std::string& script) const {
    write_file(work / "supervise.conf", "[svc]\nuser : " + std::to_string(kUser) + "\n" + conf, 0644);
    return supervise({"-F", (work / "supervise.conf").string(), "-u", svc.string(), "sh", "-c", script}, work.path());
  }

  TempDir work;
  fs::path app = work / "app", victim = work / "victim", secret = work / "secret", svc = work / "svc";
};

}  // namespace

FAULT("T01a the service's user puts a link to a directory of root's in the place of the log's directory") {
  const Ground ground(kind);
  const auto log = ground.app / "log/out.log";
  const auto started = ground.start("stdout_logfile : " + log.string() + "\n", "while echo line; do sleep 0.01; done");
  expect(started.code == 0, "not started: " + started.err);
  expect(wait_until([&] { return !text_of(log).empty(); }), "no output");
  ground.intrude("mv log log.old; ln -s '" + ground.victim.string() + "' log");
  expect(wait_until([&] { return fs::exists(ground.victim / "out.log") || (!fs::is_symlink(ground.app / "log") && !text_of(log).empty()); }), "no output afterwards");
  expect(fs::is_empty(ground.victim), "a file of the service in a directory of root's");
  expect(fs::is_symlink(ground.app / "log.replaced"), "the link is gone");
}

FAULT("T01b the service's user puts a link to a file of root's in the place of the log") {
  for (const std::string maxbytes : {"0", "50MB"}) {
    const Ground ground(kind);
    const auto log = ground.app / "log/out.log";
    ground.intrude("ln -s '" + ground.secret.string() + "' log/out.log");
    const auto started = ground.start("stdout_logfile : " + log.string() + "\nstdout_logfile_maxbytes : " + maxbytes + "\n", "echo intruded; exec sleep 1000");
    expect(started.code == 0, "not started: " + started.err);
    const auto came = [&](const fs::path& file) { return text_of(file).find("intruded") != std::string::npos; };
    expect(wait_until([&] { return came(ground.secret) || came(log); }), "no output");
    expect(!came(ground.secret), "a file of root's is written, maxbytes " + maxbytes);
    expect(fs::is_symlink(log.string() + ".replaced"), "the link is gone");
    expect(wait_until([&] { return text_of(ground.svc / "supervise.log.wf").find("put aside") != std::string::npos; }), "no warning");
  }
}

FAULT("T01c a configuration is reached through a link of the service's user or lies in a directory of that user") {
  const Ground ground(kind);
  write_file(ground.work / "printed", "[svc]\ncommand : true\n", 0644);
  ground.intrude("ln -s '" + (ground.work / "printed").string() + "' supervise.conf");
  for (const Words& words : {Words{"--check", "-p", "svc"}, Words{"--check", "-F", "supervise.conf", "-p", "svc"}})
    expect(supervise(words, ground.app).code == 100, "a link to a configuration is followed");
  fs::remove(ground.app / "supervise.conf");
  write_file(ground.app / "supervise.conf", "[svc]\ncommand : true\n", 0644);
  expect(supervise({"--check", "-p", "svc"}, ground.app).code == 100, "a configuration that the user can exchange is used");
}

FAULT("T01d root starts by supervisectl a service of a directory of somebody else's") {
  const Ground ground(kind);
  const auto svc = ground.app / "svc";
  fs::create_directory(svc);
  write_file(svc / "run", "#!/bin/sh\n: >'" + (ground.victim / "ran").string() + "'\nexec sleep 1000\n", 0755);
  const auto started = harness::run({.argv = {fs::path(supervise_program()).parent_path() / "supervisectl", "-d", ground.app, "start", "svc"}, .directory = ground.victim});
  (void)shell("printf dx 1<>'" + (svc / "control").string() + "'");
  expect(started.code != 0, "svc is started, and could be exchanged for another at any moment");
  expect(fs::is_empty(ground.victim), "a run file is run that could be exchanged");
}

FAULT("T01e links of the service's user lead the environment file to a file of root's and a hook is that user's") {
  {
    const Ground ground(kind);
    ground.intrude("ln -s '" + ground.secret.string() + "' env; ln '" + ground.secret.string() + "' env2 2>/dev/null || :");
    const auto started = ground.start("environment_file : " + (ground.app / "env").string() + "\n", "exec sleep 1000");
    expect(started.code == 100, "the service gets what root's file says");
  }
  const Ground ground(kind);
  write_file(ground.app / "hook", "#!/bin/sh\nid -u >'" + (ground.victim / "ran").string() + "'\n", 0755);
  Ground::give(ground.app / "hook");
  const auto started = supervise({"-r", (ground.app / "hook").string(), "-u", ground.svc.string(), "true"}, ground.work.path());
  expect(started.code == 0, "not started: " + started.err);
  expect(wait_until([&] { return text_of(ground.svc / "supervise.log.wf").find("cannot be run") != std::string::npos || fs::exists(ground.victim / "ran"); }), "no hook");
  expect(fs::is_empty(ground.victim), "a program that the user can change is run by root");
}

FAULT("T01f a hook is reached by a link of the service's user that the kernel follows and the look at it cannot") {
  const Ground ground(kind);
  fs::create_directory(ground.app / "elsewhere");
  write_file(ground.app / "elsewhere/hook", "#!/bin/sh\nid -u >'" + (ground.victim / "ran").string() + "'\n", 0755);
  std::string target = "elsewhere";
  while (target.size() + 2 <= 4095) target.insert(0, "./");
  ground.intrude("ln -s '" + target + "' bin");
  const auto started = supervise({"-r", (ground.app / "bin/hook").string(), "-u", ground.svc.string(), "true"}, ground.work.path());
  expect(started.code == 0, "not started: " + started.err);
  expect(wait_until([&] { return text_of(ground.svc / "supervise.log.wf").find("cannot be run") != std::string::npos || fs::exists(ground.victim / "ran"); }), "no hook");
  expect(fs::is_empty(ground.victim), "a program of the user is run by root");
}

FAULT("T01g the service's user looks for keys of root's in the keyring of the session in which supervise was started") {
  const Ground ground(kind);
  constexpr int kJoinSessionKeyring = 1, kSessionKeyring = -3;
  const bool added = syscall(SYS_keyctl, kJoinSessionKeyring, nullptr) >= 0 && syscall(SYS_add_key, "user", "supervise:secret", "x", 1, kSessionKeyring) >= 0;
  skip_unless(added && text_of("/proc/keys").find("supervise:secret") != std::string::npos, "no keyrings");
  const auto started = ground.start("", "cat /proc/keys; echo done; exec sleep 1000");
  expect(started.code == 0, "not started: " + started.err);
  const auto said = [&] { return text_of(ground.svc / "__stdout"); };
  expect(wait_until([&] { return said().find("done\n") != std::string::npos; }), "no output");
  expect(said().find("supervise:secret") == std::string::npos, "a key of root's is in the hands of the user");
}
