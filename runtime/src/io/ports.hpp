#pragma once

// io/ports.hpp - what the ports of one node share.
//
//   io_state       table of ports, network; made when first needed
//   ports_open()   how many ports there are, for the node's statistics

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>

#include "base/stable_table.hpp"
#include "io/network.hpp"
#include "io/overload.hpp"
#include "io/port.hpp"
#include "io/scratch.hpp"
#include "io/tls_gates.hpp"
#include "process/process_system.hpp"

namespace otter::rts {

/// Ownership: of the process_system; destroyed with it, when no worker runs any more.
/// Threads:   any.
/// Invariant: a port is in use, or in the cache of free ones.
class io_state {
 public:
  /// `refused`: why sockets cannot live in tables of io_uring although that was asked for.
  io_state(process_system& system, std::string& refused);
  ~io_state();
  io_state(io_state const&) = delete;
  io_state& operator=(io_state const&) = delete;

  /// Made by the first call. Throws: std::bad_alloc.
  static io_state& of(process_system& system);
  /// For who holds the name of a port of this node: its maker has made the state long before.
  static io_state& of_existing(process_system& system) noexcept {
    return *static_cast<io_state*>(system.ports.get());
  }
  static io_state* of_if_any(process_system& system) noexcept;

  /// A free port, or null: there are as many as there may be.
  port* acquire() noexcept;
  void put_back(port& p) noexcept;
  port* at(std::uint32_t index) noexcept { return table_.at(index); }

  network& net() noexcept { return *network_; }
  tls_gates& gates() noexcept { return gates_; }
  process_system& system() noexcept { return system_; }
  node_marks& marks() noexcept { return marks_; }
  std::uint32_t node_index() const noexcept;
  std::size_t open() const noexcept { return open_.load(std::memory_order_relaxed); }
  /// A port has neither name nor descriptor any more. Its block may be held a little longer.
  void count_closed() noexcept { open_.fetch_sub(1, std::memory_order_relaxed); }

  /// Descriptors have run out (`error` says how) or are there again. Reports each time they run
  /// out, once.
  void exhausted(int error, pid who) noexcept;
  void replenished() noexcept {
    if (exhausted_.load(std::memory_order_relaxed))
      exhausted_.store(false, std::memory_order_relaxed);
  }

 private:
  process_system& system_;
  std::unique_ptr<network> network_;
  node_marks marks_;  // outlives the ports
  tls_gates gates_;
  std::atomic<std::size_t> open_{0};    // a count, orders nothing
  std::atomic<bool> exhausted_{false};  // relaxed: only a second report could come of it
  std::mutex mutex_;
  stable_table<port> table_;
  stable_table<port>::cache free_;  // guarded by mutex_
};

/// Ports of the node: sockets and listeners, with those that are still sending what was queued when
/// they were closed. Called from: any thread.
std::size_t ports_open(process_system& system) noexcept;
/// Bytes queued in all of them, and how many were closed to free memory.
std::size_t ports_queued(process_system& system) noexcept;
std::uint64_t ports_shed(process_system& system) noexcept;

/// Under the port's lock, in a life of it.
template <class Name>
Name port_access::name_of(port const& p) noexcept {
  return name<Name>(p.io_->node_index(), p.index_, p.generation());
}

}  // namespace otter::rts
