#pragma once

// io/simulated_network.hpp - a network inside one simulation: nothing leaves the program.
//
// Bytes travel in pieces that the seed chooses, at moments that it chooses; sends are cut short,
// events come late or for nothing, and if asked for, connections are reset on the way. A port sees
// what it would see of a real network on a bad day.

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "io/network.hpp"
#include "scheduler/scheduler.hpp"

namespace otter::rts {

/// Ownership: of its endpoints. Threads: the simulation's one.
class simulated_network final : public network {
 public:
  explicit simulated_network(scheduler& node) noexcept;
  ~simulated_network() override;

  /// How many of a million deliveries reset the connection instead.
  void reset_now_and_then(std::uint32_t per_million) noexcept { resets_per_million_ = per_million; }
  /// How many of a million deliveries wait before they go on, for up to `longest`: a peer that is
  /// stuck, a path that is gone for a while.
  void stall_now_and_then(std::uint32_t per_million, duration longest) noexcept {
    stalls_per_million_ = per_million;
    longest_stall_ = longest;
  }
  /// How many of a million datagrams never arrive, and how many arrive twice. They overtake each
  /// other in any case.
  void lose_and_double(std::uint32_t lost, std::uint32_t doubled) noexcept {
    lost_per_million_ = lost;
    doubled_per_million_ = doubled;
  }
  /// Connecting there is never answered from now on.
  void swallow_connections_to(tcp_address const& at) { swallowed_.push_back(at); }

  int listen(tcp_address const& at, tcp_options const& options) noexcept override;
  int accept(int listener) noexcept override;
  int connect(tcp_address const& to, tcp_options const& options) noexcept override;
  int finish_connect(int fd) noexcept override;
  std::ptrdiff_t receive(int fd, void* into, std::size_t size) noexcept override;
  std::ptrdiff_t send(int fd, void const* data, std::size_t size) noexcept override;
  int open_datagrams(tcp_address const& at, udp_options const& options) noexcept override;
  std::ptrdiff_t receive_from(int fd, void* into, std::size_t size,
                              tcp_address& from) noexcept override;
  std::ptrdiff_t send_to(int fd, std::string_view data, tcp_address const& to) noexcept override;
  void shutdown_write(int fd) noexcept override;
  void discard_input(int fd) noexcept override;
  void close(int fd, bool reset) noexcept override;
  void close_at_end(int) noexcept override {}
  int set_nodelay(int, bool) noexcept override { return 0; }
  int set_keepalive(int, bool) noexcept override { return 0; }
  void limit_flush(int, std::int64_t) noexcept override {}
  int local_address(int fd, tcp_address& out) noexcept override;
  int peer_address(int fd, tcp_address& out) noexcept override;
  int watch(poll_source& source) noexcept override;
  bool unwatch(poll_source& source) noexcept override;
  resolver name_resolver() const noexcept override;
  bool resolver_blocks() const noexcept override { return false; }

 private:
  struct endpoint;
  struct release_job;
  struct flight;

  endpoint* find(int fd) noexcept;
  endpoint& make(tcp_address const& local, tcp_address const& peer);
  void schedule(endpoint& e, std::uint32_t events = 0) noexcept;
  void run(endpoint& e) noexcept;
  void carry(endpoint& e) noexcept;
  void room_for(int sender) noexcept;
  void arrive_at_listener(endpoint& e);
  bool now_and_then(std::uint32_t per_million) noexcept;
  void break_connection(endpoint& e) noexcept;
  std::size_t some_of(std::size_t n) noexcept;
  void forget_if_done(endpoint& e) noexcept;

  scheduler& node_;
  std::uint32_t resets_per_million_ = 0;
  std::uint32_t stalls_per_million_ = 0;
  std::uint32_t lost_per_million_ = 0;
  std::uint32_t doubled_per_million_ = 0;
  duration longest_stall_{};
  std::vector<tcp_address> swallowed_;
  int last_fd_ = 0;
  std::uint16_t last_port_ = 40000;
  std::map<int, std::unique_ptr<endpoint>> endpoints_;  // in order of making, never of addresses
  release_job* releases_ = nullptr;
  std::map<std::uint64_t, std::unique_ptr<flight>> flights_;  // datagrams under way, by number
  std::uint64_t last_flight_ = 0;
};

}  // namespace otter::rts
