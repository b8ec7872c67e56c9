#pragma once

// store_writer.hpp - the process that writes: messages for users who are away.
//
// One process, so that what it is told happens in order: a message that was kept before a user came
// back is read when he fetches. SQLite blocks, so each call runs on the pool of blocking threads;
// nobody but this process waits for it.

#include <cstdint>
#include <otter/gen_server.hpp>
#include <otter/pid.hpp>
#include <string>
#include <vector>

#include "offline.hpp"
#include "stanza.hpp"
#include "store.hpp"

namespace chat {

using offline_batch = std::vector<offline_message>;

/// Ownership: its own connection to the database. Threads: its own process.
class store_writer : public otter::gen_server<store_writer> {
 public:
  /// Keeps `what` for its recipient. If that cannot be, the sender's session gets the error.
  struct keep {
    otter::pid sender;
    stanza what;
  };
  /// Answers `to` with a batch of the account's messages, the oldest first; empty if there are
  /// none.
  struct fetch {
    otter::from to;
    std::string account;
  };
  struct forget {
    std::string account;
    std::vector<std::int64_t> ids;
  };
  using accepts = otter::accepts<keep, fetch, forget>;

  /// Throws: store_error.
  store_writer(std::string directory, offline_limits limits);

  void handle_cast(keep m);
  void handle_cast(fetch m);
  void handle_cast(forget m);

 private:
  store store_;
  offline_limits limits_;
};

}  // namespace chat
