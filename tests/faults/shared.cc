// T05 and T06: what strangers share with the supervisor — locks, the name of a socket — and limits that it was started with.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "faults/site.h"

using namespace faults;

namespace {

// All the locks that somebody can have on a file who may only read it.
class ReaderOf {
 public:
  explicit ReaderOf(const fs::path& file) : fd_(open(file.c_str(), O_RDONLY | O_CLOEXEC)) {
    struct flock whole {};
    whole.l_type = F_RDLCK;
    (void)flock(fd_, LOCK_EX | LOCK_NB);
    (void)fcntl(fd_, F_OFD_SETLK, &whole);
  }
  ~ReaderOf() { close(fd_); }
  ReaderOf(const ReaderOf&) = delete;
  ReaderOf& operator=(const ReaderOf&) = delete;

 private:
  int fd_;
};

std::size_t sizes(const std::vector<fs::path>& files) {
  std::size_t sum = 0;
  for (const auto& file : files) sum += text_of(file).size();
  return sum;
}

}  // namespace

FAULT("T05a a reader of the log holds every lock that a reader can have: the log is rotated and the logger dies") {
  Site site(kind, {.verbs = {"numbers", "1", "100000000", "100"}, .logging = peers::Logging::kOwn});
  site.start();
  site.await("no output", [&] { return !site.output().empty(); });
  for (const char* what : {"another logger", "a rotation"}) {
    // The one that is there may have the file open, and the next one opens it, or another one, under the reader's eyes.
    std::vector<std::unique_ptr<ReaderOf>> readers;
    const auto read = [&] { for (const auto& file : site.fleet().output(0)) readers.push_back(std::make_unique<ReaderOf>(file)); };
    for (const auto pid : descendants())
      if (is_logger(pid)) ::kill(pid, SIGKILL);
    read();
    if (what == std::string("a rotation")) site.tell('l');
    const auto size = sizes(site.fleet().output(0));
    site.await(std::string("no output after ") + what, [&] { return read(), sizes(site.fleet().output(0)) > size + 1000; });
  }
  site.await_running();
}

FAULT("T06 files may not grow to the size at which a log is rotated") {
  if (kind.name != "supervise") throw Meaningless();
  skip_unless(harness::has_program("prlimit"), "no prlimit");
  for (const std::string limit : {"16384:unlimited", "16384:16384"}) {
    Site site(kind, {.verbs = {"numbers", "1", "5000", "0", "sleep", "1000"}, .logging = peers::Logging::kOwn, .conf = "stdout_logfile_backups : 1000\nstdout_logfile_maxbytes : 1MB"});
    site.fleet().set_wrapper({"prlimit", "--fsize=" + limit});
    site.start();
    site.await("output stops with --fsize=" + limit, [&] { return site.written(numbered(5000)) == 1; });
    const auto wrong = wrong_with(site.output());
    expect(wrong.empty(), wrong);
    const bool is_one = limit.ends_with("unlimited");
    expect((site.fleet().output(0).size() == 1) == is_one, "rotated at the wrong size");
    expect((text_of(site.home() / "supervise.log").find("RLIMIT_FSIZE") == std::string::npos) == is_one, "the log does not say why it is rotated");
  }
}
