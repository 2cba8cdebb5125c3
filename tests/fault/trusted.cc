// Paths in directories where others may write: src/sys/trusted.h.
#include "sys/trusted.h"

#include <cerrno>

#include "catch.h"
#include "fault/sim_system.h"
#include "sys/entry.h"

namespace {

using sim::NodePtr;
using sim::SimSystem;
using sys::FileType;
using sys::Flaw;
using sys::Links;

constexpr std::uint32_t kUser = 4711, kStranger = 4712;

NodePtr put(SimSystem& system, const std::string& path, FileType type, std::uint32_t uid, unsigned mode, const std::string& data = {}) {
  auto node = system.put(path, type, data, mode);
  node->uid = uid;
  return node;
}

// /srv/app belongs to the user, /etc and what is in it to root.
struct Ground {
  Ground() {
    put(system, "/etc", FileType::kDirectory, 0, 0755);
    put(system, "/etc/conf", FileType::kRegular, 0, 0644, "root's");
    put(system, "/srv", FileType::kDirectory, 0, 0755);
    put(system, "/srv/app", FileType::kDirectory, kUser, 0755);
    put(system, "/srv/app/data", FileType::kDirectory, kUser, 0755);
    put(system, "/srv/app/data/file", FileType::kRegular, kUser, 0644, "the user's");
    put(system, "/tmp", FileType::kDirectory, 0, 01777);
  }
  void link(const std::string& path, std::uint32_t uid, const std::string& target) { put(system, path, FileType::kLink, uid, 0777, target); }
  Flaw flaw(const std::string& path) {
    const auto place = sys::find_place(system, path, Links::kAll);
    REQUIRE(place);
    REQUIRE(place->entry);
    return place->flaw;
  }
  int read_error(const std::string& path) { return sys::read_file(system, path, 1000, sys::Trust::kPlace).error().number; }

  SimSystem system;
};

}  // namespace

TEST_CASE("a path is trusted if nobody else can change any part of it") {
  Ground g;
  CHECK(g.flaw("/etc/conf") == Flaw::kNone);
  CHECK(g.flaw("/srv/app/data/file") == Flaw::kOwner);
  put(g.system, "/srv/app/data/root", FileType::kRegular, 0, 0644);
  CHECK(g.flaw("/srv/app/data/root") == Flaw::kPath);
  put(g.system, "/etc/open", FileType::kRegular, 0, 0666);
  CHECK(g.flaw("/etc/open") == Flaw::kEverybody);
  put(g.system, "/etc/shared", FileType::kDirectory, 0, 0775);
  put(g.system, "/etc/shared/conf", FileType::kRegular, 0, 0644);
  CHECK(g.flaw("/etc/shared") == Flaw::kGroup);
  CHECK(g.flaw("/etc/shared/conf") == Flaw::kPath);
  g.system.read_only = true;
  CHECK(g.flaw("/etc/shared/conf") == Flaw::kNone);
  CHECK(g.flaw("/srv/app/data/root") == Flaw::kPath);
  g.system.read_only = false;
  // Without rights, who lets a group write has chosen the group.
  g.system.uid = kUser;
  CHECK(g.flaw("/etc/shared/conf") == Flaw::kNone);
  CHECK(g.flaw("/srv/app/data/file") == Flaw::kNone);
}

TEST_CASE("in a sticky directory what is ours stays") {
  Ground g;
  put(g.system, "/tmp/ours", FileType::kDirectory, 0, 0755);
  put(g.system, "/tmp/ours/conf", FileType::kRegular, 0, 0644);
  g.link("/tmp/ourlink", 0, "ours/conf");
  g.link("/tmp/theirlink", kUser, "ours/conf");
  CHECK(g.flaw("/tmp/ours/conf") == Flaw::kNone);
  CHECK(g.flaw("/tmp/ourlink") == Flaw::kNone);
  CHECK(g.flaw("/tmp/theirlink") == Flaw::kPath);
  CHECK(g.read_error("/tmp/ourlink") == 0);
  CHECK(g.read_error("/tmp/theirlink") == EPERM);
}

TEST_CASE("a link of another leads only to what belongs to that other") {
  Ground g;
  g.link("/srv/app/current", kUser, "data");
  g.link("/srv/app/evil", kUser, "/etc");
  g.link("/srv/app/evilfile", kUser, "/etc/conf");
  g.link("/srv/app/stranger", kStranger, "current");
  CHECK(g.read_error("/srv/app/current/file") == 0);
  CHECK(g.read_error("/srv/app/evil/conf") == EPERM);
  CHECK(g.read_error("/srv/app/evilfile") == EPERM);
  CHECK(g.read_error("/srv/app/stranger/file") == ELOOP);
  // A link of root's that the user could have moved, and one on the way of the user's.
  g.link("/srv/app/moved", 0, "/etc");
  g.link("/srv/app/given", 0, "data");
  g.link("/srv/short", 0, "app");
  g.link("/srv/app/around", kUser, "/srv/short/data");
  CHECK(g.read_error("/srv/app/moved/conf") == EPERM);
  CHECK(g.read_error("/srv/app/given/file") == 0);
  CHECK(g.read_error("/srv/app/around/file") == 0);
  // A second name may be of anything.
  auto& entries = g.system.find("/srv/app/data")->entries;
  entries["second"] = g.system.find("/etc/conf");
  entries["second"]->links = 2;
  CHECK(g.read_error("/srv/app/data/second") == EPERM);
  CHECK(g.read_error("/etc/conf") == 0);
}

TEST_CASE("links that lead to each other are followed no more than 40 times") {
  Ground g;
  g.link("/etc/one", 0, "two");
  g.link("/etc/two", 0, "one");
  CHECK(g.read_error("/etc/one") == ELOOP);
}

TEST_CASE("a link in the place of a log directory is put aside and nothing is made behind it") {
  Ground g;
  for (const std::string target : {"/etc", "/etc/new"}) {
    g.link("/srv/app/log", kUser, target);
    const auto opened = sys::open_log_directory(g.system, "/srv/app/log/deeper");
    REQUIRE(opened);
    CHECK(opened->put_aside);
    CHECK(g.system.find("/srv/app/log/deeper")->type == FileType::kDirectory);
    g.system.remove_tree("/srv/app/log");
  }
  CHECK_FALSE(g.system.find("/etc/new"));
  CHECK_FALSE(g.system.find("/etc/deeper"));
  CHECK(g.system.find("/srv/app/log.replaced")->data == "/etc");
  CHECK(g.system.find("/srv/app/log.replaced.1")->data == "/etc/new");
}

TEST_CASE("a log is opened for appending where nobody can lead it astray") {
  Ground g;
  const auto opens = [&](const std::string& path) {
    const auto opened = sys::open_log(g.system, path, 0600);
    REQUIRE(opened);
    (void)g.system.write(opened->fd.get(), "+");
    return opened->put_aside;
  };
  g.link("/etc/link", 0, "conf");
  CHECK_FALSE(opens("/etc/link"));
  CHECK(g.system.find("/etc/conf")->data == "root's+");
  CHECK_FALSE(opens("/srv/app/data/file"));
  CHECK(g.system.find("/srv/app/data/file")->data == "the user's+");
  g.link("/srv/app/data/link", kUser, "/etc/conf");
  CHECK(opens("/srv/app/data/link"));
  CHECK(g.system.find("/etc/conf")->data == "root's+");
  put(g.system, "/srv/app/data/other", FileType::kRegular, kStranger, 0644, "a stranger's");
  CHECK(opens("/srv/app/data/other"));
  CHECK(g.system.find("/srv/app/data/other.replaced")->data == "a stranger's");
  CHECK_FALSE(opens("/srv/app/new/log"));
  CHECK(g.system.find("/srv/app/new/log")->data == "+");
}

TEST_CASE("what is put aside keeps its whole name and replaces nothing") {
  Ground g;
  const std::string stem(190, 'n');
  const auto dir = sys::open_directory(g.system, "/etc", Links::kNone, sys::Missing::kFail, sys::OpenMode::kSearch);
  REQUIRE(dir);
  for (const std::string& name : {stem + "1", stem + "2", stem + "1", stem + "1"}) {
    put(g.system, "/etc/" + name, FileType::kRegular, kUser, 0644, "content");
    CHECK(sys::open_file(g.system, dir->fd.get(), name.c_str(), 0600));
  }
  for (const std::string& name : {stem + "1.replaced", stem + "1.replaced.1", stem + "1.replaced.2", stem + "2.replaced"})
    CHECK(g.system.find("/etc/" + name)->data == "content");
  // What can't be renamed stays.
  put(g.system, "/etc/log", FileType::kRegular, kUser, 0644, "content");
  const sim::Error full{ENOSPC};
  g.system.fault = [&](sim::Op op, std::size_t) { return op == sim::Op::kRename ? &full : nullptr; };
  CHECK(sys::open_file(g.system, dir->fd.get(), "log", 0600).error().number == ENOSPC);
  CHECK(g.system.find("/etc/log")->data == "content");
}

TEST_CASE("root runs no program that another can change") {
  Ground g;
  put(g.system, "/usr/bin/page", FileType::kRegular, 0, 0755);
  put(g.system, "/srv/app/page", FileType::kRegular, kUser, 0755);
  const std::array<const char*, 2> safe = {"PATH=/nowhere:/usr/bin:/srv/app", nullptr}, unsafe = {"PATH=/srv/app:/usr/bin", nullptr};
  const auto found = [&](std::string_view program, const auto& environment) {
    const auto path = sys::find_program(g.system, program, environment.data());
    return path ? std::string(path->view()) : std::to_string(path.error().number);
  };
  const auto error = [](int number) { return std::to_string(number); };
  CHECK(found("page", safe) == "/usr/bin/page");
  CHECK(found("/usr/bin/page", safe).empty());
  CHECK(found("page", unsafe) == error(EPERM));
  CHECK(found("/srv/app/page", safe) == error(EPERM));
  // A moment later any of these may be there, or lead elsewhere.
  CHECK(found("/no/page", safe) == error(ENOENT));
  CHECK(found("/srv/app/gone", safe) == error(ENOENT));
  CHECK(found("gone", unsafe) == error(ENOENT));
  std::string target;
  while (target.size() < 4080) target += "./";
  g.link("/srv/app/bin", kUser, target + "longer-than-what-is-left");
  CHECK(found("/srv/app/bin/page", safe) == error(ENAMETOOLONG));
  // What is in front of it, and is none now, is not searched again.
  g.system.remove_tree("/srv/app/page");
  CHECK(found("page", unsafe) == "/usr/bin/page");
  g.system.uid = kStranger;
  CHECK(found("/srv/app/page", safe).empty());
}
