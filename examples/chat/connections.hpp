#pragma once

// connections.hpp - the process that counts connections per address.
//
// It is no part of the listener, so that a listener that is started again finds the count as it
// is. In the tree it comes before the sessions: should it end, they end with it, and the new one
// rightly begins at nothing.

#include <array>
#include <cstdint>
#include <map>
#include <otter/gen_server.hpp>
#include <otter/monitor.hpp>
#include <otter/pid.hpp>
#include <otter/tcp_address.hpp>
#include <unordered_map>

namespace chat {

/// Threads:   its own process.
/// Invariant: counts_ is how often each address stands in held_; and whoever stands there is
///            watched, so nobody can forget to give a place back.
class connections : public otter::gen_server<connections> {
 public:
  /// May another client connect from here? If so the caller holds a place until hand_over or
  /// release, or until it ends. One at a time.
  struct admit {
    using reply = bool;
    otter::tcp_address from;
  };
  /// The place of `acceptor` is the session's from now on: until that ends.
  struct hand_over {
    otter::pid acceptor;
    otter::pid session;
  };
  /// Nothing came of it.
  struct release {
    otter::pid acceptor;
  };
  using accepts = otter::accepts<admit, hand_over, release>;

  explicit connections(std::uint32_t per_address) : per_address_{per_address} {}

  bool handle_call(admit m, otter::from who);
  void handle_cast(hand_over m);
  void handle_cast(release m);
  void handle_info(otter::down m);

 private:
  using host = std::array<std::uint8_t, 16>;
  struct place {
    host from{};
    otter::monitor_ref watch;
  };
  void hold(otter::pid who, host const& from);
  void leave(otter::pid who);

  std::uint32_t per_address_;
  std::map<host, std::uint32_t> counts_;
  std::unordered_map<otter::pid, place> held_;
};

}  // namespace chat
