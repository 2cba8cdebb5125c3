// Users and groups from the text of passwd(5) and group(5). A static program has no name service switch; users of
// directory services are named by number.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace core {

struct Account {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;    // the supplementary ones, with gid
};

// `spec` is a name of `passwd`, or UID[:GID] with numbers. Nothing for a name that is not there. A lone number that is not
// there has the group of the same number.
[[nodiscard]] std::optional<Account> find_account(std::string_view spec, std::string_view passwd, std::string_view group);

// The name of the user `uid` in `passwd`; empty where there is none.
[[nodiscard]] std::string_view user_name(std::uint32_t uid, std::string_view passwd);

// `name` is a name of `group` or a number.
[[nodiscard]] std::optional<std::uint32_t> find_group(std::string_view name, std::string_view group);

}  // namespace core
