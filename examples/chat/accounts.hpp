#pragma once

// accounts.hpp - the process that knows the accounts, and slows down those who guess passwords.
//
// It reads the database through a connection of its own, so that logins do not wait behind messages
// that are being kept. The passwords themselves are nowhere: the store has SCRAM's keys.

#include <chrono>
#include <optional>
#include <otter/gen_server.hpp>
#include <otter/tcp_address.hpp>
#include <string>
#include <tl/expected.hpp>

#include "login_brake.hpp"
#include "rate_limit.hpp"
#include "sasl.hpp"
#include "store.hpp"

namespace chat {

/// The database could not be asked; why is in the log.
struct lookup_failed {
  friend bool operator==(lookup_failed, lookup_failed) noexcept { return true; }
};

/// Ownership: its own connection to the database. Threads: its own process.
class accounts : public otter::gen_server<accounts> {
 public:
  /// The keys of `username`, or nothing if nobody has the name. The answer waits while too many
  /// logins have failed (login_brake.hpp): it is the same wait whether the account exists or not.
  struct find {
    using reply = tl::expected<std::optional<credentials>, lookup_failed>;
    std::string username;
    otter::tcp_address address;
  };
  /// A login from `address` has failed, or was completed.
  struct login_failed {
    std::string username;
    otter::tcp_address address;
  };
  struct logged_in {
    std::string username;
    otter::tcp_address address;
  };
  /// Its own: a find() whose wait is over.
  struct waited {
    otter::caller<find> who;
    std::string username;
  };
  using accepts = otter::accepts<find, login_failed, logged_in, waited>;

  /// Throws: store_error.
  accounts(std::string directory, rate_limit failed_logins);

  otter::call_outcome<find::reply> handle_call(find m, otter::caller<find> who);
  void handle_cast(login_failed m);
  void handle_cast(logged_in m);
  void handle_info(waited m);

 private:
  find::reply look_up(std::string const& username);

  store store_;
  login_brake brake_;
};

}  // namespace chat
