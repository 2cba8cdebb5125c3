// T02 and T03: what a supervisor and root's clients believe of what was left in a directory that belongs to the service's user.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>

#include "faults/site.h"

using namespace faults;

namespace {

void require_root() { skip_unless(is_root() && harness::has_program("setpriv"), "needs root and setpriv"); }

// The directory is the user's, who gives the name `state` to a file that root has written for another purpose, a log.
void rename_to_state(const Site& site, const std::string& text) {
  if (chown(site.home().c_str(), kUser, kUser) != 0) throw std::runtime_error("chown");
  write_file(site.home() / "out.log", text, 0644);
  const auto id = std::to_string(kUser);
  const auto moved = run({"setpriv", "--reuid=" + id, "--regid=" + id, "--clear-groups", "mv", "-f", site.home() / "out.log", site.home() / "state"});
  if (moved.code != 0) throw Skipped("the user can't rename it: " + moved.err);
}

// The text of a state with these values, and all that any version has in it.
std::string forged(std::string text, const std::vector<std::pair<std::string, std::string>>& values) {
  if (text.find("\nmemory=") == std::string::npos) text += "memory=1 1795197787204000000 0 0 1 1000 1000 -1 -1 1000\nleft_running=0\n";
  std::string out;
  for (const auto& line : lines_in(text)) {
    auto replaced = line;
    for (const auto& [key, value] : values)
      if (line.starts_with(key + "=")) replaced.assign(key).append("=").append(value);
    out += replaced + "\n";
  }
  return out;
}

std::string start_of(pid_t pid) { return lines_in(shell("cut -d ' ' -f 22 /proc/" + std::to_string(pid) + "/stat").out).front(); }

Words supervise_words(const Site& site) {
  const auto directory = site.fleet().directory(0);
  return {supervise_program(), "-n", "-F", site.fleet().top() / "supervise.conf", "-p", directory / "status", "-f", directory / "run"};
}

}  // namespace

FAULT("T02a root empties the logs of a service whose user has put a forged state there (ours only)") {
  if (kind.name != "supervise") throw Meaningless();
  require_root();
  Site site(kind, {.logging = peers::Logging::kOwn});
  site.start();
  TempDir work;
  write_file(work / "victim", "root:secret\n", 0600);
  const auto text = forged(text_of(site.home() / "state"), {{"stdout", (work / "victim").string()}, {"stderr", (work / "victim").string()}});
  for (const bool is_supervised : {true, false}) {
    if (!is_supervised) site.kill_supervisor();
    rename_to_state(site, text);
    (void)run({site.fleet().client(0, 'd').front(), "clear", site.home()});
    expect(text_of(work / "victim") == "root:secret\n", "a file of root's is emptied");
  }
  // Its own logs are emptied all the same.
  write_file(site.fleet().output(0).back(), "old\n", 0600);
  const auto cleared = run({site.fleet().client(0, 'd').front(), "clear", site.home()});
  expect(cleared.code == 0 && text_of(site.fleet().output(0).back()).empty(), "its own logs are not emptied");
  site.start_anew();
  site.await_running();
}

FAULT("T02b the service's user puts a state of root's with the pid of a process of root's there while the supervisor is dead (ours only)") {
  if (kind.name != "supervise") throw Meaningless();
  require_root();
  TempDir work;
  Site site(kind, {});
  site.start();
  const auto pid = site.service();
  Child stranger({.argv = harness::service({"trap", "got", work / "signals"})});
  (void)wait_until([&] { return count_lines(work / "signals", "ready") == 1; });
  site.kill_supervisor();
  rename_to_state(site, forged(text_of(site.home() / "state"), {{"pid", std::to_string(stranger.pid())}, {"pid_start", start_of(stranger.pid())}}));
  site.start_anew();
  site.await_told();
  site.await_rest();
  expect(site.service() == pid, "two copies");
  site.tell('h');
  site.tell('d');
  site.await_stopped();
  expect(stranger.running() && lines_of(work / "signals").size() == 1, "a signal to a process of root's");
  site.tell('u');
  site.check_everything();
}

FAULT("T02c root asks for the pid of a service whose user puts a state with the pid of a process of root's there again and again (ours only)") {
  if (kind.name != "supervise") throw Meaningless();
  require_root();
  Site site(kind, {});
  site.start();
  Child stranger({.argv = {"sleep", "1000"}});
  const auto forgery = forged(text_of(site.home() / "state"), {{"pid", std::to_string(stranger.pid())}, {"pid_start", start_of(stranger.pid())}});
  const auto asked = [&] { return run({site.fleet().client(0, 'd').front(), "pid", site.home()}).out; };
  const auto pid = std::to_string(site.service()) + "\n";
  // So that it stands there for as long as we look.
  const pid_t supervisor = site.supervisor();
  struct Halt {
    explicit Halt(pid_t who) : pid(who) { (void)kill(pid, SIGSTOP); }
    ~Halt() { (void)kill(pid, SIGCONT); }
    pid_t pid;
  };
  std::optional<Halt> halt(supervisor);
  rename_to_state(site, forgery);
  expect(asked() == pid, "the pid of a process of root's");
  // Without a record nothing tells.
  fs::rename(site.home() / "supervise", site.home() / "elsewhere");
  rename_to_state(site, forgery);
  const auto unproven = asked();
  expect(unproven == "0\n", "the pid of a process of root's, where there is no record");
  halt.reset();
  site.check_everything();
}

FAULT("T03b another supervisor is started in another pid namespace while the service of a dead one runs (ours only)") {
  if (kind.name != "supervise") throw Meaningless();
  skip_unless(run({"unshare", "--pid", "--fork", "--mount-proc", "true"}).code == 0, "no pid namespace can be made");
  Site site(kind, {.logging = peers::Logging::kOwn});
  site.start();
  const auto pid = site.service();
  const auto in_another = Words{"unshare", "--pid", "--fork", "--kill-child", "--mount-proc"};
  const auto with = [&](Words words) {
    for (const auto& word : supervise_words(site)) words.push_back(word);
    return words;
  };
  site.kill_supervisor();
  {
    Child second({.argv = with(in_another)});
    expect(wait_until([&] { return !second.running() || site.starts() != 1; }), "neither refused nor started");
    expect(site.starts() == 1, "two copies");
  }
  // Where it is seen it is adopted.
  site.start_anew();
  site.await_told();
  expect(site.service() == pid, "not adopted");
  // When all is over, as after the end of a container, it starts as ever.
  site.kill_supervisor();
  ::kill(pid, SIGKILL);
  (void)wait_until([&] { return !alive(pid); });
  Child second({.argv = with(in_another)});
  expect(wait_until([&] { return site.starts() == 2; }), "service not back");
}
