// Users and groups: `user` of the configuration in the first line, then passwd(5), a line of `--`, and group(5). Against a
// second reading with the text in pieces.
#include "core/accounts.h"

#include <algorithm>
#include <set>

#include "core/number.h"
#include "fuzz/fuzz.h"

namespace {

using Fields = std::vector<std::string>;

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> out(1);
  for (const char c : text) {
    if (c == separator) out.emplace_back();
    else out.back() += c;
  }
  return out;
}

std::vector<Fields> table(std::string_view text) {
  std::vector<Fields> out;
  for (const auto& line : split(std::string(text), '\n')) {
    out.push_back(split(line, ':'));
    out.back().resize(std::max<std::size_t>(out.back().size(), 4));
  }
  return out;
}

std::optional<std::uint32_t> number(const std::string& text) { return core::parse_number<std::uint32_t>(text); }

// The line of the user, and what it says.
std::optional<core::Account> expected(const std::string& spec, const std::vector<Fields>& users, const std::vector<Fields>& groups) {
  const auto parts = split(spec, ':');
  const bool by_number = number(parts[0]).has_value();
  if (parts.size() > 1 && (!by_number || parts.size() > 2 || !number(parts[1]))) return std::nullopt;
  const auto user = std::find_if(users.begin(), users.end(), [&](const Fields& f) {
    return !f[0].empty() && number(f[2]) && number(f[3]) && (by_number ? number(f[2]) == number(parts[0]) : f[0] == spec);
  });
  if (user == users.end() && !by_number) return std::nullopt;
  core::Account out;
  out.uid = by_number ? *number(parts[0]) : *number((*user)[2]);
  out.gid = parts.size() > 1 ? *number(parts[1]) : user != users.end() ? *number((*user)[3]) : out.uid;
  out.groups = {out.gid};
  if (user == users.end()) return out;
  for (const auto& group : groups) {
    const auto members = split(group[3], ',');
    const auto gid = number(group[2]);
    if (gid && *gid != out.gid && std::find(members.begin(), members.end(), (*user)[0]) != members.end()) out.groups.push_back(*gid);
  }
  return out;
}

}  // namespace

FUZZ(accounts) {
  fuzz::Bytes bytes(input);
  const std::string spec(bytes.until('\n'));
  const auto rest = bytes.rest();
  const auto at = rest.find("\n--\n");
  const auto passwd = rest.substr(0, at), group = at == std::string_view::npos ? std::string_view() : rest.substr(at + 4);
  const auto account = core::find_account(spec, passwd, group);
  const auto right = expected(spec, table(passwd), table(group));
  fuzz::require(account.has_value() == right.has_value(), account ? "an account that is not there" : "an account is not found");
  if (account) {
    fuzz::require(account->uid == right->uid && account->gid == right->gid, "another user or group");
    fuzz::require(account->groups == right->groups, "other supplementary groups");
  }
  const auto gid = core::find_group(spec, group);
  if (number(spec)) return fuzz::require(gid == number(spec), "a group that is given as a number is another");
  const auto groups = table(group);
  const auto line = std::find_if(groups.begin(), groups.end(), [&](const Fields& f) { return f[0] == spec; });
  if (!spec.empty()) fuzz::require(gid == (line == groups.end() ? std::nullopt : number((*line)[2])), "another group");
}
