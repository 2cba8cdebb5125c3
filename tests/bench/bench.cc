#include "bench/bench.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <sstream>

namespace bench {
namespace {

double at(std::vector<double> values, double part) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(std::lround(static_cast<double>(values.size() - 1) * part))];
}

double median(const std::vector<double>& values) { return at(values, 0.5); }

// Three digits that mean something.
std::string figure(double value) {
  char text[32];
  const int digits = value >= 99.95 ? 0 : value >= 9.995 ? 1 : value >= 0.9995 || value == 0 ? 2 : 3;
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string ratio(double value, double base) { return base > 0 ? figure(value / base) : "–"; }


std::string quoted(const std::string& text) { return '"' + text + '"'; }

std::string program_output(const peers::Words& words) {
  auto text = peers::output_of(words);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

// What the figures were taken on.
std::string surroundings() {
  char date[32];
  const auto time = std::time(nullptr);
  std::strftime(date, sizeof date, "%Y-%m-%d", std::localtime(&time));
  std::ostringstream text;
  text << date << ", `make bench`, " << sysconf(_SC_NPROCESSORS_ONLN) << " CPUs, Linux " << program_output({"uname", "-r"});
  auto versions = program_output({"dpkg-query", "-W", "-f", "${Package} ${Version}, ", "daemontools", "runit", "s6", "supervisor"});
  if (versions.size() > 2) text << "; " << versions.substr(0, versions.size() - 2);
  return text.str();
}

}  // namespace

// ---- The report.

std::vector<double>& Table::values_of(const std::string& who) {
  for (auto& row : rows_)
    if (row.who == who) return row.values;
  return rows_.emplace_back(Row{who, {}}).values;
}

void Table::add(const std::string& who, double value) { values_of(who).push_back(value); }

const Table::Row* Table::find(const std::string& who) const {
  for (const auto& row : rows_)
    if (row.who == who && !row.values.empty()) return &row;
  return nullptr;
}

const Table::Row* Table::best_peer() const {
  const Row* best = nullptr;
  for (const auto& row : rows_) {
    if (row.who == kFloor || row.who == kNoLogger || row.who == "supervise" || row.values.empty()) continue;
    const bool beats = !best || (better_ == Better::kLower ? median(row.values) < median(best->values) : median(row.values) > median(best->values));
    if (beats) best = &row;
  }
  return best;
}

std::string Table::markdown() const {
  std::ostringstream text;
  text << "| " << title_ << " | " << unit_ << ", median | 5 % | 95 % | × floor |\n|---|---:|---:|---:|---:|\n";
  const auto* floor = find(kFloor);
  for (const auto& row : rows_) {
    text << "| " << row.who << " | ";
    if (row.values.empty()) text << "not here, or failed | | | |\n";
    else
      text << figure(median(row.values)) << " | " << figure(at(row.values, 0.05)) << " | " << figure(at(row.values, 0.95)) << " | "
           << (floor ? ratio(median(row.values), median(floor->values)) : "–") << " |\n";
  }
  return text.str();
}

std::string Table::summary() const {
  const auto *floor = find(kFloor), *ours = find("supervise"), *peer = best_peer();
  const auto cell = [](const Row* row) { return row ? figure(median(row->values)) : std::string("–"); };
  const auto over = [&](const Row* base) { return ours && base ? ratio(median(ours->values), median(base->values)) : std::string("–"); };
  std::ostringstream text;
  text << "| " << title_ << " | " << unit_ << " | " << cell(floor) << " | **" << cell(ours) << "** | " << (peer ? cell(peer) + " " + peer->who : "–") << " | "
       << over(floor) << " | " << over(peer) << " |\n";
  return text.str();
}

std::string Table::json() const {
  std::ostringstream text;
  text << "{\"id\": " << quoted(id_) << ", \"title\": " << quoted(title_) << ", \"unit\": " << quoted(unit_) << ", \"better\": "
       << quoted(better_ == Better::kLower ? "lower" : "higher") << ", \"values\": {";
  for (const auto& row : rows_) {
    text << (&row == &rows_.front() ? "" : ", ") << quoted(row.who) << ": [";
    for (const auto& value : row.values) text << (&value == &row.values.front() ? "" : ", ") << value;
    text << "]";
  }
  text << "}}";
  return text.str();
}

void Report::print_last() const {
  if (tables_.empty()) return;
  std::printf("%s\n", tables_.back().markdown().c_str());
  std::fflush(stdout);
}

Table& Report::begin(const std::string& id, const std::string& title, const std::string& unit, Better better) {
  print_last();
  return tables_.emplace_back(id, title, unit, better);
}

void Report::finish(const fs::path& folder) {
  print_last();
  std::ostringstream markdown, json;
  markdown << "Taken " << surroundings() << ". Medians of one run.\n\n"
           << "| | unit | floor | supervise | best peer | × floor | × best peer |\n|---|---|---:|---:|---:|---:|---:|\n";
  for (const auto& table : tables_) markdown << table.summary();
  std::printf("%s", markdown.str().c_str());
  json << "[\n";
  for (const auto& table : tables_) {
    markdown << "\n" << table.markdown();
    json << table.json() << (&table == &tables_.back() ? "\n" : ",\n");
  }
  json << "]\n";
  std::ofstream(folder / "bench.md") << markdown.str();
  std::ofstream(folder / "bench.json") << json.str();
}

// ---- Services.

Arena::Arena(const fs::path& parent, const peers::Kind* kind, int count, peers::Logging logging)
    : name_(kind ? kind->name : kFloor), top_(parent / name_), count_(count) {
  fs::remove_all(top_);
  const auto service = fs::canonical("/proc/self/exe").replace_filename("service");
  for (int i = 0; i < count; ++i) {
    fs::create_directories(top_ / std::to_string(i));
    fs::create_symlink(service, run(i));
  }
  // In memory, wherever the services are.
  const int fd = memfd_create("board", MFD_CLOEXEC);
  if (ftruncate(fd, sizeof(Board)) < 0) std::exit(1);
  board_ = static_cast<Board*>(mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  fs::create_symlink("/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(fd), top_ / "board");
  board_fd_ = fd;
  if (kind) fleet_ = kind->make(top_, count, logging);
}

Arena::~Arena() {
  peers::end_descendants();
  munmap(board_, sizeof(Board));
  close(board_fd_);
  fs::remove_all(top_);
}

bool Arena::await_starts(std::int64_t starts) {
  return wait_until([&] {
    for (int i = 0; i < count_; ++i)
      if (slot(i).starts < starts) return false;
    return true;
  });
}

std::int64_t Arena::last_start() {
  std::int64_t last = 0;
  for (int i = 0; i < count_; ++i) last = std::max<std::int64_t>(last, slot(i).started);
  return last;
}

const std::vector<peers::Kind>& contestants() {
  static const auto all = peers::kinds();
  return all;
}

Arenas::Arenas(const fs::path& parent, int count) {
  all_.emplace_back(parent, nullptr, count);
  for (const auto& kind : contestants())
    if (peers::has_program(kind.program)) all_.emplace_back(parent, &kind, count, kind.usual);
}

long field_of(pid_t pid, const std::string& file, const std::string& name) {
  const auto text = peers::text_of("/proc/" + std::to_string(pid) + "/" + file);
  const auto at = ("\n" + text).find("\n" + name + ":");
  return at == std::string::npos ? 0 : std::atol(text.c_str() + at + name.size() + 1);
}

double cpu_of(pid_t pid) {
  const auto text = peers::text_of("/proc/" + std::to_string(pid) + "/schedstat");
  return text.empty() ? 0 : std::strtod(text.c_str(), nullptr) * 1e-9;
}

std::vector<pid_t> overhead_of(Arena& arena) {
  std::vector<pid_t> found = arena.fleet().supervisors();
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto pid = std::to_string(found[i]);
    std::istringstream children(peers::text_of("/proc/" + pid + "/task/" + pid + "/children"));
    for (pid_t child; children >> child;) {
      bool is_service = false;
      for (int k = 0; k < arena.count(); ++k) is_service = is_service || arena.slot(k).pid == child;
      if (!is_service) found.push_back(child);
    }
  }
  return found;
}

}  // namespace bench
