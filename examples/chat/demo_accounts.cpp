#include "demo_accounts.hpp"

#include <fmt/format.h>

#include "crypto.hpp"
#include "sasl.hpp"
#include "secret.hpp"

namespace chat {

std::vector<std::string> make_demo_accounts(store& accounts, chat_config const& config) {
  std::vector<std::string> lines;
  for (auto const* name : {"alice", "bob"}) {
    auto const address = fmt::format("{}@{}", name, config.domain);
    if (accounts.account_exists(name)) {
      lines.push_back(fmt::format("  {:24} its password was printed when it was made", address));
      continue;
    }
    auto const password = random_hex(system_random, 8);
    auto const keys = make_credentials(secret{password}, config.scram_iterations, system_random);
    if (accounts.create_account(name, keys))
      lines.push_back(fmt::format("  {:24} password {}", address, password));
  }
  return lines;
}

}  // namespace chat
