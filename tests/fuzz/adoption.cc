// A record that somebody forged, found by a supervise in the simulated world where a service of the last one may still run:
// no signal is for a stranger, whatever it says, unless it names one with its start and the boot. That is believed: nobody else
// can write such a file of ours. In it `@p` and `@s` stand for pid and start of the service, `@o` for a process of somebody else,
// and `@t` for when that was started. The first line, without its end, is what happens then.
#include "core/state.h"
#include "fault/bench.h"
#include "fuzz/fuzz.h"

namespace {

constexpr std::int32_t kStranger = 4711;
constexpr std::uint64_t kStrangerStart = 99;

std::string filled_in(std::string_view text, const sim::Child& service) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char next = i + 1 < text.size() && text[i] == '@' ? text[++i] : '\0';
    if (next == '\0') out += text[i];
    else if (next == 'p') out += std::to_string(service.pid);
    else if (next == 's') out += std::to_string(service.start);
    else if (next == 'o') out += std::to_string(kStranger);
    else if (next == 't') out += std::to_string(kStrangerStart);
    else out += next;
  }
  return out;
}

constexpr std::string_view kLetters = "duoxtkhpcsnrlaq12wi";

}  // namespace

FUZZ(adoption) {
  fuzz::Bytes bytes(input);
  fuzz::Bytes choices(bytes.until('\n'));
  sim::Bench bench(choices.flag() ? "stopwaitsecs : 2\nkill_tree : true\n" : "stopwaitsecs : 2\nstopasgroup : true\nforking : true\n");
  fuzz::require(bench.start(), "the first supervise does not start");
  bench.run_until(core::seconds(3));
  const auto first = *bench.service();
  bench.kill_supervise();
  bench.system.others[kStranger] = kStrangerStart;
  if (choices.below(4) == 0) bench.system.die(*bench.service(), core::Outcome::code(0));
  const auto forged = filled_in(bytes.rest(), first).substr(0, core::kRecordMax + 1000);
  bench.system.find(sim::Bench::path("supervise/record"))->data = forged;
  // Without a record it is believed.
  bench.system.find(sim::Bench::path("state"))->data.clear();
  const auto named = core::recorded_processes(forged);
  const bool is_this_boot = named.boot_id == "boot" || named.boot_id.empty();
  const bool is_known = is_this_boot && named.service == core::ProcessId{first.pid, first.start};
  const bool is_stranger_named = is_this_boot && named.service == core::ProcessId{kStranger, kStrangerStart};
  // It says that another supervise lives, which is waited for.
  bench.system.set_horizon(core::kNever);
  if (!bench.start()) {
    const bool foreign = bench.error().find("not supervise's own: state") != std::string::npos && !core::state_value(forged, "supervise_pid");
    fuzz::require(foreign || bench.error().find("already supervised") != std::string::npos, "it does not start: " + bench.error());
    return;
  }
  if (is_stranger_named) {
    fuzz::require(bench.services().size() == 1, "a service beside the one that is named");
    return;
  }
  // Until it had been published anew it was what we made of it.
  std::erase_if(bench.system.violations(), [](const auto& what) { return what.starts_with("record is torn") || what.starts_with("state is torn"); });
  auto when = core::seconds(4) + core::Nanos(0);
  for (int i = 0; i < 12 && !choices.empty(); ++i) {
    when += choices.below(30) * std::chrono::milliseconds(100);
    bench.run_until(when);
    bench.control(kLetters.substr(choices.below(static_cast<unsigned>(kLetters.size())), 1));
  }
  bench.run_until(when + core::seconds(8));
  const auto& old = bench.system.children().at(first.pid);
  if (!is_known) {
    fuzz::require(old.signals.empty(), "a signal for a process that it could not know");
    std::erase(bench.system.violations(), "a second copy of the service beside " + std::to_string(first.pid));
  }
  fuzz::require(bench.violations().empty(), bench.violations());
  if (is_known || !old.alive) fuzz::require(bench.unsettled().empty(), bench.unsettled());
}
