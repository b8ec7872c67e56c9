#pragma once

// demo_accounts.hpp - two accounts to try the server with.

#include <string>
#include <vector>

#include "config.hpp"
#include "store.hpp"

namespace chat {

/// Creates alice and bob where they are missing, with random passwords, and returns lines for the
/// person at the terminal. The only place where a password is ever shown.
/// Blocks: for the derivation of keys and the disk. Throws: store_error.
[[nodiscard]] std::vector<std::string> make_demo_accounts(store& accounts,
                                                          chat_config const& config);

}  // namespace chat
