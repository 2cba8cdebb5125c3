// The pump from the FIFO to a log, in the simulated world: pieces of output, rotations, errors and KILLs as the input has them.
// In the end every byte is in the files, once, in order.
#include "fault/log_world.h"
#include "fuzz/fuzz.h"

namespace {

using namespace sim::log;

constexpr std::size_t kMaxSteps = 40, kMaxCall = 2000;

struct Course {
  LogSpec spec;
  Checked checked;
  bool has_stamps = false;
};

Course course_of(fuzz::Bytes& bytes) {
  Course out;
  const auto stamps = static_cast<LogStamps>(bytes.below(3));
  out.has_stamps = stamps != LogStamps::kNone;
  const auto backups = bytes.below(4);
  out.checked.all_kept = backups != 0;
  const auto maxbytes = 40 + bytes.byte() * 4U + (out.has_stamps ? 60 : 0);
  out.spec = spec_of(maxbytes, out.checked.all_kept ? 100'000 : bytes.below(4), stamps);
  if (bytes.below(4) == 0) out.spec.in_status_directory = true;
  // What the input is about: the lines may be as long as it likes, and rotations may fail.
  out.checked.long_lines = true;
  return out;
}

// A writer that comes anew does not know that a file begins within a line, and stamps are then put there.
bool has_short_lines(std::string_view text, std::size_t limit) {
  for (std::size_t line = 0; const char c : text) {
    line = c == '\n' ? 0 : line + 1;
    if (line + 40 > limit) return false;
  }
  return true;
}

}  // namespace

FUZZ(log_writer) {
  fuzz::Bytes bytes(input);
  auto course = course_of(bytes);
  World world(course.spec);
  const auto disturbances = bytes.below(8);
  for (unsigned i = 0; i < disturbances; ++i) {
    Disturbance disturbance;
    disturbance.call = world.first_call + bytes.number<std::uint16_t>() % kMaxCall;
    disturbance.what = bytes.flag() ? Disturbance::What::kKill : bytes.flag() ? Disturbance::What::kFirstError : Disturbance::What::kLastError;
    world.disturbances.push_back(disturbance);
  }
  for (std::size_t i = 0; i < kMaxSteps && !bytes.empty(); ++i) {
    const auto choice = bytes.byte();
    if (choice == 255) world.begin();
    else if (choice == 254) world.writer().ask_rotation();
    else if (choice == 253) world.pass(std::chrono::hours(1));
    else if (choice >= 128) (void)world.advance();
    else if (choice >= 100) world.put(std::string((choice - 99) * 4U, 'x') + (choice % 2 == 0 ? "\n" : ""));
    else world.put(bytes.text(choice));
  }
  const bool anew = disturbances != 0 || input.find('\xff') != std::string_view::npos;
  if (course.has_stamps && (anew || !course.checked.all_kept) && !has_short_lines(world.all, course.spec.maxbytes)) return;
  course.checked.bounded = disturbances == 0;
  const bool settled = world.settle() && world.end();
  const auto wrong = wrong_with(world, course.spec, settled, course.checked);
  fuzz::require(wrong.empty(), wrong);
}
