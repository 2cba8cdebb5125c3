// F11, F12, F17, F19 and F22: what the system refuses, clocks that jump, and a supervisor that is held.
#include <unistd.h>

#include "faults/site.h"

using namespace faults;

namespace {

// The name is that of prlimit(1): nofile, nproc, as. Whoever the process belongs to sets it.
void set_limit(pid_t pid, const std::string& name, const std::string& soft) {
  const auto owner = lines_in(shell("stat -c %u /proc/" + std::to_string(pid)).out).front();
  const Words limit = {"prlimit", "--pid", std::to_string(pid), "--" + name + "=" + soft + ":"};
  Words words = {"setpriv", "--reuid=" + owner, "--regid=" + owner, "--clear-groups"};
  if (!is_root() || owner == "0") words = limit;
  else words.insert(words.end(), limit.begin(), limit.end());
  if (const auto result = run(Command{.argv = words}); result.code != 0) throw std::runtime_error(result.err);
}

// For that long the supervisor can't start the service, which dies; it is told d and u, and the service comes back when it is over.
void survive_limit(Site& site, const std::string& name, const std::string& value, const std::string& enough) {
  const auto pid = site.service();
  set_limit(site.supervisor(), name, value);
  site.kill_service();
  (void)holds_for(in_full<Clock::duration>(5s, 1s), [&] { return site.has_supervisor(); });
  site.await("supervisor dies", [&] { return site.has_supervisor(); });
  if (site.copies().empty()) site.await_told();
  if (alive(site.supervisor())) set_limit(site.supervisor(), name, enough);
  site.await_running(pid);
  site.check_everything();
  site.check_cost();
}

// The service cannot be started for a while, by what is done to it; it comes back when that is undone, at no great cost meanwhile.
void survive_bad_program(const peers::Kind& kind, const Plan& plan, const std::function<void(const fs::path&)>& spoil) {
  Site site(kind, plan);
  site.start();
  const auto run = site.fleet().directory(0) / "run";
  const auto pid = site.service();
  const auto text = text_of(run);
  spoil(run);
  site.begin_fault();
  site.kill_service();
  (void)holds_for(in_full<Clock::duration>(15s, 2s), [&] { return site.has_supervisor(); });
  site.check_cost();
  if (site.copies().empty()) site.await_told();
  std::error_code error;
  fs::remove(run, error);
  write_file(run, text, 0755);
  site.await_running(pid, "gives up");
  site.check_everything();
}

std::string faketime_library() {
  if (!harness::has_program("faketime")) return {};
  const auto found = shell("faketime -f +0d printenv LD_PRELOAD").out;
  return found.substr(0, found.find('\n'));
}

// The wall clock of what this process starts from now on.
class FakeClock {
 public:
  FakeClock() {
    const auto library = faketime_library();
    skip_unless(!library.empty(), "no libfaketime");
    set("+0d");
    setenv("FAKETIME_TIMESTAMP_FILE", (work_ / "offset").c_str(), 1);
    for (const auto* name : {"FAKETIME_NO_CACHE", "DONT_FAKE_MONOTONIC", "FAKETIME_DONT_FAKE_MONOTONIC", "NO_FAKE_STAT"}) setenv(name, "1", 1);
    setenv("LD_PRELOAD", library.c_str(), 1);
  }
  void set(const std::string& offset) const {
    write_file(work_ / "offset.new", offset + "\n");
    fs::rename(work_ / "offset.new", work_ / "offset");
  }

 private:
  TempDir work_;
};

// A control group of its own, of either version.
class ControlGroup {
 public:
  // Throws Skipped unless it has one of these files.
  ControlGroup(const std::string& controller, const Words& files) {
    for (const fs::path root : {"/sys/fs/cgroup/" + controller, std::string("/sys/fs/cgroup"), std::string("/sys/fs/cgroup/unified")}) {
      std::error_code error;
      const auto group = root / ("supervise-faults-" + std::to_string(getpid()));
      if (!fs::exists(root / "cgroup.procs") || !fs::create_directory(group, error) || error) continue;
      root_ = root, group_ = group;
      if (std::ranges::any_of(files, [&](const auto& file) { return fs::exists(group / file); })) return;
      fs::remove(group, error);
    }
    throw Skipped("no control group for " + controller + " to be had");
  }
  ~ControlGroup() {
    std::error_code error;
    for (const auto& pid : lines_of(group_ / "cgroup.procs")) put(root_ / "cgroup.procs", pid);
    fs::remove(group_, error);
  }
  ControlGroup(const ControlGroup&) = delete;
  ControlGroup& operator=(const ControlGroup&) = delete;

  void add(pid_t pid) const { put(group_ / "cgroup.procs", std::to_string(pid)); }
  // The first of these files that is there: what each version has for the same thing.
  void set(const std::vector<std::pair<std::string, std::string>>& values) const {
    for (const auto& [file, value] : values)
      if (fs::exists(group_ / file)) return put(group_ / file, value);
  }

 private:
  static void put(const fs::path& file, const std::string& text) {
    try {
      write_file(file, text);
    } catch (const std::system_error&) {    // a process that has gone, or what this version does not have
    }
  }

  fs::path root_;
  fs::path group_;
};

class Freezer {
 public:
  ~Freezer() { freeze(false); }
  void add(pid_t pid) const { group_.add(pid); }
  void freeze(bool frozen) const { group_.set({{"freezer.state", frozen ? "FROZEN" : "THAWED"}, {"cgroup.freeze", frozen ? "1" : "0"}}); }

 private:
  ControlGroup group_{"freezer", {"freezer.state", "cgroup.freeze"}};
};

}  // namespace

FAULT("F11 no descriptor left for the supervisor: the service dies") {
  Site site(kind, {});
  site.start();
  const auto pid = site.service();
  set_limit(site.supervisor(), "nofile", std::to_string(descriptors(site.supervisor()).rbegin()->first + 1));
  site.kill_service();
  site.await_running(pid);
  site.await_told();
  (void)holds_for(in_full<Clock::duration>(5s, 500ms), [&] { return site.copies().size() == 1; });
  if (alive(site.supervisor())) set_limit(site.supervisor(), "nofile", "1024");
  site.check_everything();
  site.check_cost();
}

FAULT("F12a no process left for the supervisor for 5 s: the service dies") {
  skip_unless(is_root() && harness::has_program("setpriv"), "needs root and setpriv");
  Site site(kind, {.is_unprivileged = true});
  site.start();
  survive_limit(site, "nproc", "0", "4000");
}

FAULT("F12b no memory left for the supervisor for 5 s: the service dies") {
  Site site(kind, {});
  site.start();
  survive_limit(site, "as", std::to_string(std::atol(process_field(site.supervisor(), "VmSize").c_str()) * 1024), "unlimited");
}

FAULT("F12c the service takes all memory of the control group that it shares with its supervisor: for 10 s each run is killed") {
  const ControlGroup group("memory", {"memory.limit_in_bytes", "memory.max"});
  TempDir work;
  const auto hunger = work / "hunger";
  Site site(kind, {.verbs = {"await", hunger, "take", "200"}});
  site.start();
  const auto pid = site.service();
  group.add(site.supervisor());
  site.kill_service();
  site.await_running(pid);
  const std::string limit = "67108864";
  group.set({{"memory.limit_in_bytes", limit}, {"memory.max", limit}});
  group.set({{"memory.memsw.limit_in_bytes", limit}, {"memory.swap.max", "0"}});
  const auto before = site.starts();
  write_file(hunger, "");
  (void)holds_for(in_full<Clock::duration>(10s, 2500ms), [&] { return site.has_supervisor(); });
  skip_unless(site.starts() != before, "the control group has more memory than it was given");
  fs::remove(hunger);
  site.await_running();
  site.check_everything();
  site.check_cost();
}

FAULT("F17a the program of the service is not there for 15 s") {
  survive_bad_program(kind, {}, [](const fs::path& run) { fs::remove(run); });
}

FAULT("F17b the program of the service is not executable for 15 s") {
  survive_bad_program(kind, {}, [](const fs::path& run) { fs::permissions(run, fs::perms(0644)); });
}

FAULT("F17c the program of the service has no interpreter for 15 s") {
  survive_bad_program(kind, {}, [](const fs::path& run) {
    fs::remove(run);
    write_file(run, "#!/nonexistent/interpreter\n", 0755);
  });
}

FAULT("F17d the directory of the service is not there for 15 s") {
  if (kind.name != "supervise" && kind.name != "supervisord") throw Meaningless();
  TempDir work;
  const auto directory = work / "directory";
  fs::create_directory(directory);
  Site site(kind, {.conf = "directory : " + directory.string(), .supervisord = "directory=" + directory.string()});
  site.start();
  const auto pid = site.service();
  site.begin_fault();
  fs::remove(directory);
  site.kill_service();
  (void)wait_until([&] { return site.copies().empty(); });
  if (!holds_for(in_full<Clock::duration>(15s, 2s), [&] { return site.copies().empty(); })) throw std::runtime_error("it needs no directory");
  site.check_cost();
  site.await_told();
  fs::create_directory(directory);
  site.await_running(pid, "gives up");
  site.check_everything();
}

FAULT("F19 the clock jumps by an hour and by years both ways: the service dies each time") {
  // What jumps is the wall clock of a dynamic program.
  if (const auto dynamic = peers::setting("SUPERVISE_DYNAMIC", ""); kind.name == "supervise") {
    skip_unless(!dynamic.empty(), "no SUPERVISE_DYNAMIC");
    setenv("SUPERVISE", dynamic.c_str(), 1);
  }
  const FakeClock clock;
  Site site(kind, {});
  site.start();
  for (const auto& jump : in_full<Words>({"+1h", "-1h", "+365d", "-18250d", "+0d"}, {"-18250d"})) {
    for (const bool twice : {false, true}) {
      const auto pid = site.service();
      site.kill_service();
      // The second death is within the pause of whoever makes one.
      if (twice) clock.set(jump);
      site.await_running(pid, "service not back at " + jump);
    }
    site.await_told();
    (void)holds_for(1200ms, [&] { return site.copies().size() == 1; });
  }
  site.check_everything();
}

FAULT("F22a a tracer attaches and detaches: the service dies meanwhile") {
  Site site(kind, {});
  site.start();
  for (int i = 0; i < in_full(5, 1); ++i) {
    const auto pid = site.service();
    {
      const Tracer tracer(site.supervisor(), {});
      site.kill_service();
      site.await_running(pid);
    }
    site.await_told();
  }
  site.check_everything();
}

FAULT("F22b the supervisor is suspended for 10 s: the service dies meanwhile") {
  const Freezer freezer;
  Site site(kind, {});
  site.start();
  const auto pid = site.service();
  freezer.add(site.supervisor());
  freezer.freeze(true);
  site.kill_service();
  (void)holds_for(in_full<Clock::duration>(10s, 1s), [&] { return site.copies().empty(); });
  freezer.freeze(false);
  site.await_running(pid);
  site.check_everything();
  site.check_cost();
}
