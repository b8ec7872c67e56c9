#pragma once

// router.hpp - the process that knows who is here, and hands stanzas on.
//
// All stanzas pass through it, so those of one sender arrive in the order of their sending. It
// decides (routing.hpp) and sends; it never waits: the store is told, not asked. It watches the
// sessions, so one that ends without a word is forgotten like any other.
//
// A client leaves at any moment, also with messages on their way to its session. What must not be
// lost is therefore entrusted, and comes back if it came too late:
//
//   session   unbind ->          the stream has ended
//   router    <- its answer      behind all that was entrusted to the session
//   session   give_back ->       each of those that it could not write
//   session   left ->            no more of them
//
// Meanwhile new stanzas for the account wait, so that those given back come first.

#include <cstdint>
#include <otter/gen_server.hpp>
#include <otter/monitor.hpp>
#include <otter/pid.hpp>
#include <string>
#include <unordered_map>
#include <vector>

#include "presence_table.hpp"
#include "session_settings.hpp"
#include "stanza.hpp"
#include "store_writer.hpp"

namespace chat {

/// Ownership: of the table. Threads: its own process.
/// Invariant: every session in the table is watched until it has left. departures_ counts, for each
///            account, the leavers_.
class router : public otter::gen_server<router> {
 public:
  /// Makes `who` the caller's address.
  struct bind {
    using reply = bind_outcome;
    jid who;
  };
  /// The caller is no longer to be found there.
  struct unbind {
    using reply = void;
  };
  /// Was entrusted to a session that has been unbound, and goes where it goes without it.
  struct give_back {
    stanza what;
  };
  /// Nothing more comes back from `session`.
  struct left {
    otter::pid session;
  };
  struct set_presence {
    otter::pid session;
    bool available = false;
    std::int8_t priority = 0;
    std::string xml;
  };
  struct route {
    otter::pid session;
    stanza what;
  };
  /// A batch of the account's waiting messages. It goes through here, behind the messages that were
  /// kept before the caller became available.
  struct fetch_offline {
    using reply = offline_batch;
    std::string account;
  };
  struct forget_offline {
    std::string account;
    std::vector<std::int64_t> ids;
  };
  using accepts = otter::accepts<bind, unbind, give_back, left, set_presence, route, fetch_offline,
                                 forget_offline>;

  router(std::string domain, std::uint32_t max_resources, otter::server_ref<store_writer> writer);

  bind_outcome handle_call(bind m, otter::from who);
  otter::call_outcome<offline_batch> handle_call(fetch_offline m, otter::caller<fetch_offline> who);
  void handle_call(unbind, otter::from who);
  void handle_cast(give_back m);
  void handle_cast(left m);
  void handle_cast(set_presence m);
  void handle_cast(route m);
  void handle_cast(forget_offline m);
  void handle_info(otter::down m);

 private:
  struct holder {
    jid who;
    otter::monitor_ref watch;
  };
  /// A session that was unbound and has not said `left`.
  struct leaver {
    std::string account;  // bare address
    otter::monitor_ref watch;
  };
  /// What waits for those of one account.
  struct departure {
    std::size_t leavers = 0;
    std::vector<route> behind;
  };
  using deliveries = std::vector<presence_table<otter::pid>::delivery>;

  void tell(deliveries told);
  void refuse(route const& m, stanza_condition condition);
  void send_on(route m);
  void forget_session(otter::pid session);
  void forget_leaver(otter::pid session);

  std::string domain_;
  std::uint32_t max_resources_;
  otter::server_ref<store_writer> writer_;
  presence_table<otter::pid> table_;
  std::unordered_map<otter::pid, holder> sessions_;
  std::unordered_map<otter::pid, leaver> leavers_;
  std::unordered_map<std::string, departure> departures_;  // by bare address
};

}  // namespace chat
