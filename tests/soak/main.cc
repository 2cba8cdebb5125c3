// soak [--services N] [--minutes M] [--seconds S] [--seed SEED] [--only NAME]
//
// Many services of all kinds, each under a supervise of its own, and everything that can be done to them at random; what must
// be true whatever was done is checked all the time and at the end. Exit status 0: no violation.
//
// The seed decides what is done to which service in which order, not when. --only: those of the N services whose name has NAME
// in it, `tai` or `tai-157`; to each is done what is done to it beside all the others, but by supervisectl. SUPERVISE and SUPERVISECTL name the programs.
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <latch>

#include "subject.h"

namespace soak {
namespace {

struct Request {
  std::size_t services = 200;
  std::chrono::seconds time = 10min;
  std::uint64_t seed = std::random_device{}();
  std::string only = {};
};

std::uint64_t number_in(const char* text) {
  char* end = nullptr;
  const auto number = std::strtoull(text, &end, 10);
  if (end != text && *end == 0) return number;
  std::fprintf(stderr, "soak: not a number: %s\n", text);
  std::exit(2);
}

Request request_in(int count, char** arguments) {
  Request request;
  for (int i = 1; i < count; i += 2) {
    const std::string_view option = arguments[i];
    if (option == "--only" && i + 1 < count) {
      request.only = arguments[i + 1];
      continue;
    }
    const auto value = number_in(i + 1 < count ? arguments[i + 1] : "");
    if (option == "--services") request.services = value;
    else if (option == "--minutes") request.time = std::chrono::minutes(value);
    else if (option == "--seconds") request.time = std::chrono::seconds(value);
    else if (option == "--seed") request.seed = value;
    else number_in(arguments[i]);
  }
  return request;
}

fs::path make_directory() {
  const char* parent = std::getenv("TMPDIR");
  auto name = std::string(parent != nullptr && *parent != 0 ? parent : "/tmp") + "/soak.XXXXXX";
  if (mkdtemp(name.data()) == nullptr) throw std::system_error(errno, std::generic_category(), name);
  const auto top = fs::canonical(name);
  for (const auto* folder : {"conf", "gone", "log", "own", "record", "said", "small", "status"}) fs::create_directory(top / folder);
  harness::write_script(top / "hook", "case $1 in *7) exec sleep 30 ;; esac");
  return top;
}

void allow_many_files() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

class Soak {
 public:
  Soak(const Request& request, const fs::path& top, Disks disks) : request_(request), world_(top), random_(request.seed), subjects_(make_subjects(disks)), begun_(static_cast<std::ptrdiff_t>(subjects_.size())) {}

  [[nodiscard]] std::size_t services() const { return subjects_.size(); }

  // The number of violations.
  std::size_t run() {
    std::vector<std::thread> lives;
    for (auto& subject : subjects_) lives.emplace_back([this, &subject] { live(*subject); });
    std::jthread reader([this](const std::stop_token& end) { read_outputs(end); });
    begun_.wait();
    world_.note("all services run");
    std::jthread client([this](const std::stop_token& end) { use_client(end); });
    report_until(Clock::now() + request_.time);
    client = {};
    chaos_.request_stop();
    world_.note("the chaos is over");
    for (auto& life : lives) life.join();
    reader = {};
    check_end();
    return world_.violations();
  }

  void print_table() {
    for (const auto& subject : subjects_) {
      world_.count("starts of services", static_cast<long>(subject->record().runs));
      world_.count("bytes of output verified", static_cast<long>(subject->record().verified));
    }
    std::fputs(world_.table().c_str(), stdout);
  }

 private:
  std::vector<std::unique_ptr<Subject>> make_subjects(Disks disks) {
    std::vector<std::unique_ptr<Subject>> made;
    const auto all = kinds(disks);
    for (std::size_t i = 0; i < request_.services; ++i) {
      const auto& kind = all[i % all.size()];
      char name[64];
      std::snprintf(name, sizeof name, "%s-%03zu", kind.name, i);
      const auto seed = random_();
      if (std::string_view(name).find(request_.only) != std::string_view::npos) made.push_back(std::make_unique<Subject>(world_, kind, name, seed));
    }
    return made;
  }

  void live(Subject& subject) {
    bool waited = false;
    const auto await_all = [&] {
      waited = true;
      begun_.arrive_and_wait();
    };
    try {
      subject.live(await_all, chaos_.get_token());
    } catch (const std::exception& error) {
      world_.violation(subject.name(), "no exception", error.what(), "");
      if (!waited) begun_.count_down();
    }
  }

  void read_outputs(const std::stop_token& end) {
    for (; !end.stop_requested(); std::this_thread::sleep_for(200ms))
      for (const auto& subject : subjects_) subject->output().look();
  }

  // Commands that look at all services, and such that change a few.
  void use_client(const std::stop_token& end) {
    static const std::vector<Words> commands{{"status"}, {"status", "--json"}, {"metrics"}, {"check"}, {"pid"}, {"check", "--warn", "uptime<60"}};
    static const std::vector<Words> changes{{"restart", "--rolling", "2"}, {"stop"}, {"start"}, {"restart"}, {"signal", "USR1"}, {"alarm", "off"}, {"wait", "up"}};
    for (; !end.stop_requested(); std::this_thread::sleep_for(500ms)) {
      use_client_with(commands[random_() % commands.size()]);
      auto words = changes[random_() % changes.size()];
      std::vector<std::unique_lock<std::mutex>> held;
      for (int i = 0; i < 3; ++i) {
        auto& subject = *subjects_[random_() % subjects_.size()];
        std::unique_lock lock(subject.calm(), std::defer_lock);
        if (std::ranges::find(words, subject.name()) != words.end() || !lock.try_lock()) continue;
        words.push_back(subject.name());
        held.push_back(std::move(lock));
      }
      words.insert(words.begin() + 1, {"-t", "10"});
      if (!held.empty()) use_client_with(words);
    }
  }

  void use_client_with(const Words& words) {
    const auto said = world_.top() / "said/client";
    const auto began = Clock::now();
    Words argv{client_program(), "-d", world_.top() / "status"};
    argv.insert(argv.end(), words.begin(), words.end());
    const auto pid = world_.spawn(argv, said);
    std::optional<int> status;
    const auto name = "supervisectl " + words[0];
    if (!await([&] { return (status = world_.status_of(pid, began)).has_value(); }, 60s)) {
      kill(pid, SIGKILL);
      return world_.violation(name, "an end", "none in 60 s", harness::text_of(said));
    }
    if (!WIFEXITED(*status) || WEXITSTATUS(*status) > 4) world_.violation(name, "an exit status", "wait status " + std::to_string(*status), harness::text_of(said));
    world_.count(name + " of several");
  }

  void report_until(Clock::time_point end) {
    for (auto next = Clock::now() + 1min; Clock::now() < end; std::this_thread::sleep_for(50ms)) {
      if (Clock::now() < next) continue;
      next += 1min;
      std::uint64_t starts = 0;
      std::uint64_t bytes = 0;
      for (const auto& subject : subjects_) starts += subject->record().runs, bytes += subject->record().verified;
      world_.note(std::to_string(starts) + " starts, " + std::to_string(world_.count_of("services adopted")) + " adoptions, " + std::to_string(bytes >> 20) + " MiB verified, " +
                  std::to_string(world_.count_of("examinations")) + " examinations, " + std::to_string(world_.violations()) + " violations");
    }
  }

  // Nothing is left: what an adopted service left behind ends by itself after 5 s.
  void check_end() {
    std::string left;
    const auto none_left = [&] {
      left.clear();
      const auto table = world_.processes();
      for (auto [at, end] = table->children.equal_range(getpid()); at != end; ++at)
        left += " " + std::to_string(at->second) + " " + harness::text_of("/proc/" + std::to_string(at->second) + "/cmdline");
      return left.empty();
    };
    std::this_thread::sleep_for(1s);  // another table
    if (!await(none_left, 60s)) world_.violation("all", "no process left behind", left, "");
    for (const auto& subject : subjects_) subject->check_output();
  }

  Request request_;
  World world_;
  std::stop_source chaos_;
  std::mt19937_64 random_;
  std::vector<std::unique_ptr<Subject>> subjects_;
  std::latch begun_;
};

int run(const Request& request) {
  allow_many_files();
  const auto disks = harness::is_root() && harness::enter_own_mounts() ? Disks::kSmall : Disks::kNone;
  const auto top = make_directory();
  std::printf("soak: seed %llu, %s%s\n", static_cast<unsigned long long>(request.seed), top.c_str(), disks == Disks::kNone ? ", no small disks" : "");
  std::fflush(stdout);
  std::size_t violations = 0, services = 0;
  {
    Soak soak(request, top, disks);
    services = soak.services();
    if (services == 0) {
      std::fprintf(stderr, "soak: no service has a name with %s in it\n", request.only.c_str());
      return 2;
    }
    violations = soak.run();
    soak.print_table();
  }
  std::printf("soak: %zu services, %.3g minutes: %zu violations\n", services, std::chrono::duration<double, std::ratio<60>>(request.time).count(), violations);
  if (violations != 0) {
    std::printf("soak: seed %llu; everything is in %s\n", static_cast<unsigned long long>(request.seed), top.c_str());
    return 1;
  }
  fs::remove_all(top);
  return 0;
}

}  // namespace
}  // namespace soak

int main(int count, char** arguments) { return soak::run(soak::request_in(count, arguments)); }
