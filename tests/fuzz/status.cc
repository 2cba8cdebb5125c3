// The binary status records: whatever is taken as one says the same when it is written again.
#include "core/status.h"

#include <algorithm>

#include "ctl/view.h"
#include "fuzz/fuzz.h"

namespace {

std::span<const unsigned char> bytes_of(std::string_view text) { return {reinterpret_cast<const unsigned char*>(text.data()), text.size()}; }

void check_runit(std::string_view input) {
  const auto view = ctl::view_of_record(bytes_of(input));
  if (!view) return;
  fuzz::require(input.size() == 18 || input.size() == core::kStatusSize, "a record of another size");
  fuzz::require(view->pid >= 0 && view->since >= core::WallTime{}, "a record out of its bounds");
  core::Status status;
  status.stamp = view->since;
  status.pid = view->pid;
  status.paused = view->paused;
  status.want = view->want;
  status.term_sent = view->state == core::State::kStopping;
  const auto record = core::encode_runit_status(status);
  // The stamp, the pid and the rest of what daemontools has too, but for `once`, and for what stands for true.
  fuzz::require(std::equal(record.begin(), record.begin() + 16, bytes_of(input).begin()), "runit's record is not what it was");
  fuzz::require((record[16] != 0) == (input[16] != 0), "runit's record is paused or not");
  const auto again = ctl::view_of_record(record);
  fuzz::require(again && again->since == view->since && again->pid == view->pid && again->paused == view->paused, "a record that is written again says something else");
}

}  // namespace

FUZZ(status) {
  check_runit(input);
  const auto status = core::decode_status(bytes_of(input));
  if (!status) return;
  const auto record = core::encode_status(*status);
  fuzz::require(std::equal(record.begin(), record.end(), bytes_of(input).begin(), bytes_of(input).end()), "the record is not what it was");
  fuzz::require(status->pid >= 0, "a pid that is none");
  const auto runit = ctl::view_of_record(core::encode_runit_status(*status));
  fuzz::require(!runit || (runit->pid == status->pid && runit->since == status->stamp && runit->paused == status->paused), "runit is told something else");
}
