#include "core/notification.h"

#include "catch.h"

namespace {

using namespace std::string_view_literals;

// What a message says, in words; empty for nothing.
std::string read(std::string_view message) {
  const auto said = core::parse_notification(message);
  std::string text;
  const auto add = [&](const std::string& word) { text += (text.empty() ? "" : ", ") + word; };
  if (said.ready) add("ready");
  if (said.stopping) add("stopping");
  if (said.watchdog) add("watchdog");
  if (said.watchdog_trigger) add("trigger");
  if (said.status) add("status " + std::string(*said.status));
  if (said.main_pid) add("pid " + std::to_string(*said.main_pid));
  if (said.watchdog_timeout) add("timeout " + std::to_string(said.watchdog_timeout->count()));
  if (said.extension) add("extend " + std::to_string(said.extension->count()));
  return text;
}

TEST_CASE("every key of a notification is understood") {
  struct Row {
    std::string_view message;
    const char* said;
  };
  const Row rows[] = {
      {"READY=1", "ready"},
      {"STOPPING=1", "stopping"},
      {"WATCHDOG=1", "watchdog"},
      {"WATCHDOG=trigger", "trigger"},
      {"STATUS=Loading 3 of 7", "status Loading 3 of 7"},
      {"STATUS=", "status "},
      {"STATUS=a=b", "status a=b"},
      {"MAINPID=4711", "pid 4711"},
      {"MAINPID=2147483647", "pid 2147483647"},
      {"WATCHDOG_USEC=20000000", "timeout 20000000000"},
      {"WATCHDOG_USEC=0", "timeout 0"},
      {"WATCHDOG_USEC=9223372036854775", "timeout 9223372036854775000"},
      {"EXTEND_TIMEOUT_USEC=1", "extend 1000"},
      {"READY=1\nSTATUS=up\nMAINPID=5\nWATCHDOG=1\nWATCHDOG_USEC=7\nEXTEND_TIMEOUT_USEC=8\nSTOPPING=1", "ready, stopping, watchdog, status up, pid 5, timeout 7000, extend 8000"},
      {"READY=1\n", "ready"},
      {"\n\nREADY=1\n\n", "ready"},
      {"STATUS=one\nSTATUS=two", "status two"},
      {"STATUS=\x1b[2J\xFF", "status \x1b[2J\xFF"},
  };
  for (const auto& row : rows) {
    INFO("message: " << row.message);
    CHECK(read(row.message) == row.said);
  }
}

TEST_CASE("what is no message of a service says nothing") {
  for (const auto message : {""sv, "\n"sv, "="sv, "=1"sv, "READY"sv, "ready=1"sv, " READY=1"sv, "READY =1"sv, "X_READY=1"sv, "READY=0"sv, "READY="sv, "READY=11"sv,
                             "READY=yes"sv, "READY=1 "sv, "STOPPING=0"sv, "WATCHDOG=0"sv, "WATCHDOG="sv, "WATCHDOG=TRIGGER"sv, "RELOADING=1"sv, "ERRNO=2"sv,
                             "BUSERROR=x"sv, "FDSTORE=1"sv, "BARRIER=1"sv, "MONOTONIC_USEC=1"sv, "\0"sv, "\0\0\0"sv, "\0READY=1"sv, "READ\0Y=1"sv, "READY=\0001"sv,
                             "READY=1\0001"sv}) {
    INFO("message: " << message);
    CHECK(read(message) == "");
  }
}

TEST_CASE("an unknown line does not hide the others") {
  CHECK(read("X_SHOP=open\nREADY=1\ngarbage\nWATCHDOG=1") == "ready, watchdog");
  CHECK(read("MAINPID=x\nREADY=1") == "ready");
  CHECK(read("STATUS=a\0b\nREADY=1"sv) == "ready, status a\0b"sv);
}

TEST_CASE("numbers that are none are left out of a notification") {
  for (const auto* value : {"", " 1", "1 ", "+1", "-1", "1.5", "1s", "0x1", "x", "99999999999999999999", "9223372036854776", "18446744073709551615"}) {
    INFO("value: " << value);
    CHECK(read(std::string("WATCHDOG_USEC=") + value) == "");
    CHECK(read(std::string("EXTEND_TIMEOUT_USEC=") + value) == "");
  }
  for (const auto* value : {"", "0", "-1", "-2147483648", "2147483648", "4294967297", "1x", " 1", "+1", "1.0", "garbage"}) {
    INFO("pid: " << value);
    CHECK(read(std::string("MAINPID=") + value) == "");
  }
}

TEST_CASE("a notification as long as any is read to its end") {
  const std::string filler = "X=" + std::string(core::kMaxNotification - 2 - 8, 'x') + "\n";
  CHECK(read(filler + "READY=1") == "ready");
  CHECK(read("STATUS=" + std::string(5000, 's')) == "status " + std::string(5000, 's'));
  CHECK(read(std::string(core::kMaxNotification, '=')) == "");
  CHECK(read("WATCHDOG_USEC=" + std::string(4000, '0') + "5") == "timeout 5000");
}

}  // namespace
