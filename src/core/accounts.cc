#include "core/accounts.h"

#include <algorithm>
#include <array>

#include "core/number.h"
#include "core/strings.h"

namespace core {
namespace {

// The fields of a line, which colons separate; missing ones are empty.
template <std::size_t N>
std::array<std::string_view, N> fields(std::string_view line) {
  std::array<std::string_view, N> out;
  for (auto& field : out) {
    const auto colon = line.find(':');
    field = line.substr(0, colon);
    line.remove_prefix(colon == std::string_view::npos ? line.size() : colon + 1);
  }
  return out;
}

struct User {
  std::string_view name;
  std::uint32_t uid;
  std::uint32_t gid;
};

template <typename Matches>
std::optional<User> find_user(std::string_view passwd, Matches matches) {
  while (!passwd.empty()) {
    const auto field = fields<4>(take_line(passwd));
    const auto uid = parse_number<std::uint32_t>(field[2]);
    const auto gid = parse_number<std::uint32_t>(field[3]);
    if (!uid || !gid || field[0].empty()) continue;
    const User user{field[0], *uid, *gid};
    if (matches(user)) return user;
  }
  return std::nullopt;
}

bool is_member(std::string_view members, std::string_view name) {
  while (!members.empty()) {
    const auto comma = members.find(',');
    if (members.substr(0, comma) == name) return true;
    members.remove_prefix(comma == std::string_view::npos ? members.size() : comma + 1);
  }
  return false;
}

Account account_of(const User& user, std::string_view group) {
  Account account{user.uid, user.gid, {user.gid}};
  while (!group.empty()) {
    const auto field = fields<4>(take_line(group));
    const auto gid = parse_number<std::uint32_t>(field[2]);
    if (gid && *gid != user.gid && is_member(field[3], user.name)) account.groups.push_back(*gid);
  }
  return account;
}

}  // namespace

std::optional<Account> find_account(std::string_view spec, std::string_view passwd, std::string_view group) {
  const auto colon = spec.find(':');
  const auto uid = parse_number<std::uint32_t>(spec.substr(0, colon));
  if (!uid && colon != std::string_view::npos) return std::nullopt;
  const auto user = find_user(passwd, [&](const User& u) { return uid ? u.uid == *uid : u.name == spec; });
  const bool alone = colon == std::string_view::npos;
  if (alone && user) return account_of(*user, group);
  if (!uid) return std::nullopt;
  const auto gid = alone ? uid : parse_number<std::uint32_t>(spec.substr(colon + 1));
  if (!gid) return std::nullopt;
  if (user) return account_of({user->name, *uid, *gid}, group);
  return Account{*uid, *gid, {*gid}};
}

std::string_view user_name(std::uint32_t uid, std::string_view passwd) {
  const auto user = find_user(passwd, [uid](const User& u) { return u.uid == uid; });
  return user ? user->name : std::string_view();
}

std::optional<std::uint32_t> find_group(std::string_view name, std::string_view group) {
  if (const auto number = parse_number<std::uint32_t>(name)) return number;
  while (!group.empty()) {
    const auto field = fields<3>(take_line(group));
    if (field[0] == name) return parse_number<std::uint32_t>(field[2]);
  }
  return std::nullopt;
}

}  // namespace core
