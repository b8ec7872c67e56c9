// io/ports.cpp - the table of ports, and running out of descriptors.

#include "io/ports.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <stdexcept>

#include "io/direct_network.hpp"
#include "process/process_system.hpp"

namespace otter::rts {
namespace {
constexpr std::size_t most_ports = std::size_t{1} << 22;  // as many as there may be processes

std::unique_ptr<network> network_of(process_system& system, std::string& refused) {
  if (system.sched().simulated()) return make_simulated_network(system.sched());
  auto net = make_socket_network(system.sched());
  std::uint32_t const direct = system.limits().direct_connections;
  return direct == 0 ? std::move(net)
                     : make_direct_network(system.sched(), std::move(net), direct, refused);
}

}  // namespace

io_state::io_state(process_system& system, std::string& refused)
    : system_(system),
      network_(network_of(system, refused)),
      marks_(*this, system.limits().overload),
      table_(most_ports, 1),
      free_(table_) {}

io_state::~io_state() {
  // No worker runs any more, so nobody polls: what is still open is only closed.
  table_.for_each([this](port& p) {
    if (p.fd >= 0) network_->close_at_end(p.fd);
    if (p.set.extras) p.set.extras->from.forget();
  });
}

io_state& io_state::of(process_system& system) {
  std::string refused;
  {
    std::lock_guard lock(system.ports_mutex);
    if (!system.ports) system.ports = std::make_shared<io_state>(system, refused);
  }
  if (!refused.empty()) {  // told without the lock: who hears of it may ask for statistics
    node_event event;
    event.what = node_event::kind::failure;
    event.text = fmt::format(
        "no direct descriptors, {} were asked for: {}; connections end at the limit on descriptors "
        "(RLIMIT_NOFILE); io_uring of Linux 6.13 or later is needed",
        system.limits().direct_connections, refused);
    system.report(std::move(event));
  }
  return of_existing(system);
}

io_state* io_state::of_if_any(process_system& system) noexcept {
  std::lock_guard lock(system.ports_mutex);
  return static_cast<io_state*>(system.ports.get());
}

std::uint32_t io_state::node_index() const noexcept { return system_.node_index(); }

port* io_state::acquire() noexcept {
  std::lock_guard lock(mutex_);
  port* const p = free_.acquire();
  if (p != nullptr) open_.fetch_add(1, std::memory_order_relaxed);
  return p;
}

void io_state::put_back(port& p) noexcept {
  std::lock_guard lock(mutex_);
  free_.release(p.index());
}

void io_state::exhausted(int error, pid who) noexcept {
  if (exhausted_.exchange(true, std::memory_order_relaxed)) return;
  try {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    node_event event;
    event.what = node_event::kind::failure;
    event.process = who;
    std::size_t const direct = network_->direct_slots();
    std::string const bound =
        direct != 0 ? fmt::format("there is room for {} (node_options::direct_connections)", direct)
                    : fmt::format("the limit is {} descriptors (RLIMIT_NOFILE)", limit.rlim_cur);
    event.text = fmt::format(
        "cannot accept a connection: {}; {} ports are open, {}; accepting pauses until one is free",
        make_error_code(static_cast<tcp_errc>(error)).message(), open(), bound);
    system_.report(std::move(event));
  } catch (...) {
    // No memory for the text: the pause happens all the same.
  }
}

std::size_t ports_open(process_system& system) noexcept {
  io_state* const io = io_state::of_if_any(system);
  return io != nullptr ? io->open() : 0;
}

std::size_t ports_queued(process_system& system) noexcept {
  io_state* const io = io_state::of_if_any(system);
  return io != nullptr ? io->marks().queued() : 0;
}

std::uint64_t ports_shed(process_system& system) noexcept {
  io_state* const io = io_state::of_if_any(system);
  return io != nullptr ? io->marks().shed() : 0;
}

}  // namespace otter::rts
