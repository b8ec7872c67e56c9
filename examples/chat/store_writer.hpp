#pragma once

// store_writer.hpp - the process that writes: messages for users who are away.
//
// One process, so that what it is told happens in order: a message that was kept before a user came
// back is read when he fetches. SQLite blocks, so each call runs on the pool of blocking threads;
// nobody but this process waits for it.
//
// A commit waits for the disk. So changes are not written one by one: those that wait in the
// mailbox are gathered, and written in one transaction; while the disk is busy the next ones
// gather. A reader makes the gathered ones be written before it reads.

#include <cstdint>
#include <optional>
#include <otter/exit_reason.hpp>
#include <otter/gen_server.hpp>
#include <otter/pid.hpp>
#include <string>
#include <variant>
#include <vector>

#include "offline.hpp"
#include "stanza.hpp"
#include "store.hpp"

namespace chat {

using offline_batch = std::vector<offline_message>;

/// Ownership: its own connection to the database. Threads: its own process.
/// Invariant: while anything is gathered a write_now is on its way.
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
  /// How much was asked for and how often the disk was waited for, since the start.
  struct statistics {
    std::uint64_t changes = 0;
    std::uint64_t transactions = 0;
  };
  struct count {
    using reply = statistics;
  };
  /// Its own: behind what was in the mailbox when the first change was gathered.
  struct write_now {};
  using accepts = otter::accepts<keep, fetch, forget, count, write_now>;

  /// Throws: store_error.
  store_writer(std::string directory, offline_limits limits);

  void handle_cast(keep m);
  void handle_cast(fetch m);
  void handle_cast(forget m);
  void handle_cast(write_now);
  statistics handle_call(count) const;
  void terminate(otter::exit_reason const& reason);

 private:
  using change = std::variant<keep, forget>;

  void gather(change c);
  void write_gathered();

  std::optional<store> store_;  // empty when this is over
  offline_limits limits_;
  std::vector<change> gathered_;
  std::uint64_t changes_ = 0;
};

}  // namespace chat
