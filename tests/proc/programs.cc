// Point 1 of the milestone: real servers, commanded through a real shell.
#include "harness.h"

using namespace harness;

namespace {

pid_t od(const StatusDir& dir) { return std::atoi(shell("od -An -j16 -N4 -tu4 status", dir.dir()).out.c_str()); }

pid_t await_od(const StatusDir& dir, pid_t other_than) {
  pid_t pid = 0;
  dir.await_that("a pid", [&] { return (pid = od(dir)) != 0 && pid != other_than; });
  return pid;
}

void echo(const StatusDir& dir, const std::string& letters) {
  REQUIRE(shell("echo " + letters + " > control", dir.dir()).code == 0);
}

// The whole day of a server: it serves, is killed, serves again, goes down, comes up, and ends with its supervise.
void live_through_a_day(const Supervised& svc, const std::string& program, const std::function<bool()>& serves) {
  svc.await_that("service to the users", serves);
  const auto first = od(svc);
  CHECK(arguments(first)[0].find(program) != std::string::npos);
  REQUIRE(shell("kill -9 " + std::to_string(first)).code == 0);
  const auto second = await_od(svc, first);
  svc.await_that("service again", serves);

  echo(svc, "d");
  svc.await_that("no service", [&] { return od(svc) == 0 && !serves(); });
  CHECK_FALSE(alive(second));
  CHECK(svc.state()["state"] == "STOPPED");

  echo(svc, "u");
  const auto third = await_od(svc, second);
  svc.await_that("service once more", serves);
  svc.await_state("RUNNING");

  echo(svc, "dx");
  svc.await_exit();
  CHECK_FALSE(alive(third));
  CHECK_FALSE(serves());
  CHECK(od(svc) == 0);
}

}  // namespace

TEST_CASE("redis-server is supervised through a day") {
  SKIP_UNLESS(has_program("redis-server"), "redis is not here");
  TempDir work;
  const auto socket = (work / "sock").string();
  const Supervised svc({.command = {"redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--dir",
                                    work.path(), "--daemonize", "no"},
                        .name = "redis"});
  live_through_a_day(svc, "redis-server", [&] { return ask(work / "sock", "PING\r\n").starts_with("+PONG"); });
  CHECK_THAT(text_of(svc / "__stdout"), contains("eady to accept connections"));
}

TEST_CASE("nginx is supervised through a day") {
  SKIP_UNLESS(has_program("nginx"), "nginx is not here");
  TempDir work;
  const auto port = free_port();
  write_file(work / "nginx.conf", nginx_conf(work.path(), port, "daemon off;\nmaster_process off;\n"));
  const Supervised svc({.conf = "[nginx]\ncommand : nginx -p '" + work.path().string() + "' -c '" +
                                (work / "nginx.conf").string() + "' -e stderr\nstopsignal : QUIT\n",
                        .name = "nginx"});
  live_through_a_day(svc, "nginx", [port] {
    return ask(port, "GET / HTTP/1.0\r\n\r\n").find("at your service") != std::string::npos;
  });
}
