// Point 1 of the milestone: real servers, commanded through a real shell.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>

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

// The first bytes of the answer to this question; empty where nobody listens.
std::string ask(const sockaddr* address, socklen_t size, const std::string& question) {
  const int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::string answer;
  if (connect(fd, address, size) == 0 && write(fd, question.data(), question.size()) > 0) {
    std::array<char, 4096> buffer{};
    if (const auto n = read(fd, buffer.data(), buffer.size()); n > 0)
      answer.assign(buffer.data(), static_cast<std::size_t>(n));
  }
  close(fd);
  return answer;
}

std::string ask(const fs::path& path, const std::string& question) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  return ask(reinterpret_cast<const sockaddr*>(&address), sizeof address, question);
}

sockaddr_in local(unsigned port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

std::string ask(unsigned port, const std::string& question) {
  const auto address = local(port);
  return ask(reinterpret_cast<const sockaddr*>(&address), sizeof address, question);
}

unsigned free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  auto address = local(0);
  socklen_t size = sizeof address;
  const bool found = bind(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0 &&
                     getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  close(fd);
  REQUIRE(found);
  return ntohs(address.sin_port);
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
  std::string temporary;
  for (const std::string kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"})
    temporary += kind + "_temp_path " + (work / kind).string() + ";\n";
  write_file(work / "nginx.conf", "daemon off;\nmaster_process off;\npid " + (work / "pid").string() +
                                      ";\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n" + temporary +
                                      "server { listen 127.0.0.1:" + std::to_string(port) +
                                      "; location / { return 200 \"at your service\"; } }\n}\n");
  const Supervised svc({.conf = "[nginx]\ncommand : nginx -p '" + work.path().string() + "' -c '" +
                                (work / "nginx.conf").string() + "' -e stderr\nstopsignal : QUIT\n",
                        .name = "nginx"});
  live_through_a_day(svc, "nginx", [port] {
    return ask(port, "GET / HTTP/1.0\r\n\r\n").find("at your service") != std::string::npos;
  });
}
