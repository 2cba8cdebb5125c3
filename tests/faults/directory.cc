// F04 to F08 and F24: what happens to the file system and the entries in which a supervisor keeps its files.
#include <fcntl.h>
#include <sys/mount.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <stdexcept>

#include "faults/site.h"

using namespace faults;

namespace {

// A small file system for the supervisor's directory.
struct Disk {
  explicit Disk(const std::string& options) {
    skip_unless(is_root() && enter_own_mounts(), "no mount namespace");
    fs::create_directories(path);
    mount_tmpfs(path, options + ",mode=0755");
  }
  ~Disk() { umount2(path.c_str(), MNT_DETACH); }

  TempDir work;
  fs::path path = work / "disk";
};

// An ext4 of 16 MB in a file.
struct Image {
  Image() {
    skip_unless(is_root() && enter_own_mounts(), "no mount namespace");
    fs::create_directory(path);
    const auto made = shell("truncate -s 16M image && mkfs.ext4 -q -F image && mount -o loop,errors=remount-ro image disk", work.path());
    skip_unless(made.code == 0, "no loop device to be had");
  }
  ~Image() { umount2(path.c_str(), MNT_DETACH); }

  TempDir work;
  fs::path path = work / "disk";
};

// A file system is frozen as long as this lives.
struct Frost {
  explicit Frost(fs::path disk) : path(std::move(disk)) {
    skip_unless(shell("fsfreeze -f " + path.string()).code == 0, "no fsfreeze");
  }
  ~Frost() { (void)shell("fsfreeze -u " + path.string()); }

  fs::path path;
};

// The service dies, is told d and u, while the disk is of no use; then it is of use again, and nothing more is needed.
void survive_outage(Site& site, const std::function<void()>& begin, const std::function<void()>& end) {
  site.begin_fault();
  begin();
  const auto pid = site.service();
  site.kill_service();
  site.await_running(pid);
  site.await_told();
  site.tell('d');
  site.await_stopped();
  site.await_told();
  site.tell('u');
  site.await_running(pid, "deaf to u");
  site.await_told();
  end();
  site.check_everything();
  site.check_cost();
}

// A fault of the directory, after which everything has to be right again of itself; the service dies once more.
void heal(const peers::Kind& kind, const Plan& plan, const std::function<void(Site&)>& fault) {
  Site site(kind, plan);
  site.start();
  const auto pid = site.service();
  fault(site);
  site.await_running();
  site.kill_service();
  site.await_running(pid);
  site.await("deaf for ever", [&] { return site.can_be_told(); });
  site.check_everything();
  site.check_cost();
}

Words entries_of(const Site& site) {
  Words names;
  for (const auto& entry : fs::directory_iterator(site.home())) names.push_back(entry.path().filename());
  std::ranges::sort(names);
  return names;
}

void heal_control(const peers::Kind& kind, const std::function<void(const fs::path&)>& make) {
  heal(kind, {}, [&](Site& site) { plant(site.work() / "planted", site.control(), make); });
}

const std::string kVictim = "precious\n";

}  // namespace

FAULT("F04 the disk of the status directory is full: the service dies; d; u; room again") {
  const Disk disk("size=512k");
  Site site(kind, {.top = disk.path / "top"});
  site.start();
  survive_outage(site, [&] { fill(disk.path); }, [&] { fs::remove(disk.path / "filler"); });
}

FAULT("F05a no inode left: the service dies; d; u; inodes again") {
  const Disk disk("nr_inodes=200");
  Site site(kind, {.top = disk.path / "top"});
  site.start();
  const auto use_up = [&] {
    fs::create_directory(disk.path / "used");
    for (int i = 0; i < 300; ++i) std::ofstream(disk.path / "used" / std::to_string(i));
  };
  survive_outage(site, use_up, [&] { fs::remove_all(disk.path / "used"); });
}

FAULT("F05b the directory is made read-only: the service dies; d; u; writable again") {
  skip_unless(is_root() && harness::has_program("setpriv"), "needs root and setpriv");
  Site site(kind, {.is_unprivileged = true});
  site.start();
  survive_outage(site, [&] { chmod(site.home().c_str(), 0500); }, [&] { chmod(site.home().c_str(), 0700); });
}

FAULT("F05c the file system is remounted read-only by an error of its disk: the service dies; d; u") {
  const Image disk;
  const auto device = fs::path(shell("findmnt -n -o SOURCE " + disk.path.string()).out);
  const auto trigger = "/sys/fs/ext4/" + lines_in(device.filename()).front() + "/trigger_fs_error";
  Site site(kind, {.top = disk.path / "top"});
  site.start();
  write_file(trigger, "fault");
  const auto pid = site.service();
  site.kill_service();
  site.await_running(pid);
  // What is on the disk stays as it was: no status to be right. It can be told, and it ends what it started.
  site.tell('d');
  site.await_stopped();
  site.tell('u');
  site.await("deaf to u", [&] { return site.copies().size() == 1; });
  site.check_alone();
  site.check_cost();
}

FAULT("F05d the start is on a full disk; room again") {
  const Disk disk("size=64k");
  Site site(kind, {.top = disk.path / "top"});
  fill(disk.path);
  site.start_anew();
  const bool refused = !holds_for(1500ms, [&] { return alive(site.supervisor()); });
  fs::remove(disk.path / "filler");
  // Who refuses leaves it to the user, who tries again.
  if (refused) site.start_anew();
  site.check_everything();
}

FAULT("F06 the disk of the log is full for 10 s: the service writes and dies meanwhile") {
  // Large enough for what the service writes in the test.
  const Disk disk("size=16m");
  Site site(kind, {.verbs = {"numbers", "1", "1000000", "5"}, .logging = peers::Logging::kOwn, .top = disk.path / "top"});
  site.start();
  (void)wait_until([&] { return !site.output().empty(); });
  fill(disk.path);
  (void)holds_for(in_full<Clock::duration>(10s, 1s), [&] { return site.copies().size() == 1; });
  const auto pid = site.service();
  site.kill_service();
  site.await_running(pid);
  fs::remove(disk.path / "filler");
  // The first run's lines come first: they fill what is between service and log.
  site.await("the log does not go on", [&] { return site.written("\n" + numbered(2) + "\n") >= 2; });
  site.tell('d');
  site.await_stopped();
  (void)holds_for(500ms, [&] { return site.copies().empty(); });
  const auto wrong = wrong_with(site.output(), 2);
  expect(wrong.empty(), wrong);
  site.check_alone();
}

FAULT("F07a the status directory is removed") {
  heal(kind, {}, [](Site& site) { remove_with_all(site.home()); });
}

FAULT("F07b the status directory is moved away") {
  heal(kind, {}, [](Site& site) { fs::rename(site.home(), site.work() / "elsewhere"); });
}

FAULT("F07c each entry of the status directory is unlinked in turn") {
  Site site(kind, {});
  site.start();
  for (const auto& name : entries_of(site)) {
    remove_with_all(site.home() / name);
    try {
      site.await("deaf for ever", [&] { return site.can_be_told(); });
      site.check_everything();
    } catch (const Failure& failure) {
      throw Failure("without " + name + ": " + failure.what());
    }
  }
  site.check_cost();
}

FAULT("F07d the status directory is removed and a second supervisor is started on it") {
  Site site(kind, {});
  site.start();
  remove_with_all(site.home());
  (void)holds_for(in_full<Clock::duration>(1500ms, 300ms), [&] { return site.copies().size() == 1; });
  const auto first = site.supervisor();
  site.start_anew();
  const auto ended = wait_until([&] { return !alive(site.supervisor()); }, 3s);
  site.check_alone();
  expect(site.copies().size() == 1, site.copies().empty() ? "service not back" : "two copies");
  expect(ended && alive(first), "two supervisors");
}

FAULT("F08a control is replaced by a file") {
  heal_control(kind, [](const fs::path& control) { write_file(control, "planted"); });
}

FAULT("F08b control is replaced by a directory") {
  heal_control(kind, [](const fs::path& control) { fs::create_directory(control); });
}

FAULT("F08c control is replaced by a link to another file") {
  TempDir other;
  const auto victim = other / "victim";
  write_file(victim, kVictim);
  heal_control(kind, [&](const fs::path& control) { fs::create_symlink(victim, control); });
  expect(text_of(victim) == kVictim, "writes behind the link");
}

FAULT("F08d control is replaced by a device") {
  skip_unless(is_root(), "needs root");
  heal_control(kind, [](const fs::path& control) { skip_unless(mknod(control.c_str(), S_IFCHR | 0600, 0x103) == 0, "no device to be made"); });
}

FAULT("F24 every write to the file system hangs for 10 s and the service dies meanwhile: all is right when it ends") {
  const Image disk;
  Site site(kind, {.top = disk.path / "top"});
  site.start();
  const auto pid = site.service();
  {
    const Frost frost(disk.path);
    site.begin_fault();
    site.kill_service();
    (void)holds_for(in_full<Clock::duration>(10s, 1s), [&] { return site.has_supervisor(); });
  }
  site.await_running(pid);
  site.check_everything();
  site.check_cost();
}
