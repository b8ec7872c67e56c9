// io/direct_network.cpp - accepted sockets in tables of io_uring, all others in the system's.
//
// doc/io.md, "More connections than descriptors".

#include "io/direct_network.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <limits>
#include <mutex>
#include <new>
#include <system_error>
#include <vector>

#include "io/direct_table.hpp"
#include "io/discard.hpp"
#include "scheduler/scheduler.hpp"

namespace otter::rts {
namespace {

constexpr std::uint64_t most_slots = 4096;  // of one table
static_assert(most_slots <= 1u << poll_ring::slot_bits);

/// Threads:   any, as for every network.
/// Invariant: a table that is in tables_ stays, and is watched by the core of the worker that made
///            it.
/// Ordering:  [D1] whoever finds a table in tables_ sees it made.
class direct_network final : public network {
 public:
  direct_network(scheduler& node, std::unique_ptr<network> system, unsigned tables, unsigned slots)
      : node_(node),
        system_(std::move(system)),
        slots_(slots),
        share_(tables / node.workers()),
        tables_(tables),
        had_room_(node.workers()) {}
  ~direct_network() override {
    for (auto& t : tables_) delete t.load(std::memory_order_relaxed);
  }

  int listen(tcp_address const& at, tcp_options const& o) noexcept override {
    return system_->listen(at, o);
  }

  /// Into a table of this worker's share, so that its core hears of the socket; if those are full,
  /// into any.
  int accept(int listener) noexcept override {
    unsigned const count = static_cast<unsigned>(tables_.size());
    unsigned const mine = current_worker()->number() % node_.workers();
    unsigned const begin = mine * share_;
    unsigned const hint = had_room_[mine].load(std::memory_order_relaxed);
    for (unsigned i = 0; i < count; ++i) {
      unsigned const number = i < share_ ? begin + (hint + i) % share_ : (begin + i) % count;
      direct_table* table = nullptr;
      if (int const error = table_at(number, table); error != 0) return -error;
      for (;;) {
        int const fd = table->accept(listener);
        if (fd == -EMFILE) break;  // this one is full
        if (fd < 0 && is_of_one_connection(-fd)) continue;
        if (fd >= 0 && i != 0 && i < share_)
          had_room_[mine].store(number - begin, std::memory_order_relaxed);
        return fd;
      }
    }
    return -EMFILE;
  }

  int connect(tcp_address const& to, tcp_options const& o) noexcept override {
    return system_->connect(to, o);
  }
  int finish_connect(int fd) noexcept override { return system_->finish_connect(fd); }

  std::ptrdiff_t receive(int fd, void* into, std::size_t size) noexcept override {
    return is_direct(fd) ? at(fd).receive(fd, into, size, 0) : system_->receive(fd, into, size);
  }
  std::ptrdiff_t send(int fd, void const* data, std::size_t size) noexcept override {
    return is_direct(fd) ? at(fd).send(fd, data, size) : system_->send(fd, data, size);
  }
  int open_datagrams(tcp_address const& at, udp_options const& o) noexcept override {
    return system_->open_datagrams(at, o);
  }
  std::ptrdiff_t receive_from(int fd, void* into, std::size_t size,
                              tcp_address& from) noexcept override {
    return system_->receive_from(fd, into, size, from);
  }
  std::ptrdiff_t send_to(int fd, std::string_view data, tcp_address const& to) noexcept override {
    return system_->send_to(fd, data, to);
  }
  void shutdown_write(int fd) noexcept override {
    is_direct(fd) ? at(fd).shutdown_write(fd) : system_->shutdown_write(fd);
  }

  void discard_input(int fd) noexcept override {
    if (!is_direct(fd)) return system_->discard_input(fd);
    discard_what_came([this, fd](void* into, std::size_t size, int flags) noexcept {
      return at(fd).receive(fd, into, size, flags);
    });
  }

  void close(int fd, bool reset) noexcept override {
    if (!is_direct(fd)) return system_->close(fd, reset);
    if (reset) {
      linger const at_once{1, 0};
      at(fd).set_option(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
    at(fd).close(fd);
  }
  void close_at_end(int fd) noexcept override {
    is_direct(fd) ? at(fd).close(fd) : system_->close_at_end(fd);
  }

  int set_nodelay(int fd, bool on) noexcept override {
    if (!is_direct(fd)) return system_->set_nodelay(fd, on);
    int const result = set_int(fd, IPPROTO_TCP, TCP_NODELAY, on ? 1 : 0);
    return result == -EOPNOTSUPP ? 0 : result;  // a local socket never holds bytes back
  }
  int set_keepalive(int fd, bool on) noexcept override {
    if (!is_direct(fd)) return system_->set_keepalive(fd, on);
    return set_int(fd, SOL_SOCKET, SO_KEEPALIVE, on ? 1 : 0);
  }
  void limit_flush(int fd, std::int64_t limit_ns) noexcept override {
    if (!is_direct(fd)) return system_->limit_flush(fd, limit_ns);
    std::int64_t const ms =
        std::min<std::int64_t>(limit_ns / 1'000'000, std::numeric_limits<int>::max());
    set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(ms));
  }

  int local_address(int fd, tcp_address& out) noexcept override {
    return with_descriptor(fd, [&](int ordinary) { return system_->local_address(ordinary, out); });
  }
  int peer_address(int fd, tcp_address& out) noexcept override {
    return with_descriptor(fd, [&](int ordinary) { return system_->peer_address(ordinary, out); });
  }

  int watch(poll_source& source) noexcept override {
    return is_direct(source.fd) ? at(source.fd).watch(source) : system_->watch(source);
  }
  /// A socket in a table stays with the core that hears of the table.
  bool follow(poll_source& source, bool again) noexcept override {
    return is_direct(source.fd) || system_->follow(source, again);
  }
  bool unwatch(poll_source& source) noexcept override {
    if (!is_direct(source.fd)) return system_->unwatch(source);
    at(source.fd).unwatch(source);
    return false;
  }

  resolver name_resolver() const noexcept override { return system_->name_resolver(); }
  bool resolver_blocks() const noexcept override { return system_->resolver_blocks(); }
  std::size_t direct_slots() const noexcept override { return tables_.size() * slots_; }

 private:
  direct_table& at(int fd) noexcept {
    return *tables_[table_of(fd)].load(std::memory_order_acquire);  // [D1]
  }

  /// Made by the first worker that wants it. 0 or an errno.
  int table_at(unsigned number, direct_table*& found) noexcept {
    found = tables_[number].load(std::memory_order_acquire);  // [D1]
    if (found != nullptr) return 0;
    try {
      std::lock_guard lock(mutex_);
      found = tables_[number].load(std::memory_order_relaxed);
      if (found != nullptr) return 0;
      auto table = std::make_unique<direct_table>(number, slots_);
      node_.watch(*table);
      found = table.release();
      tables_[number].store(found, std::memory_order_release);  // [D1]
      return 0;
    } catch (std::system_error const& e) {
      return e.code().value();
    } catch (std::bad_alloc const&) {
      return ENOMEM;
    }
  }

  int set_int(int fd, int level, int name, int value) noexcept {
    return at(fd).set_option(fd, level, name, &value, sizeof value);
  }

  /// The kernel tells addresses to descriptors only, so the socket gets one for a moment.
  template <class Function>
  int with_descriptor(int fd, Function f) noexcept {
    if (!is_direct(fd)) return f(fd);
    int const ordinary = at(fd).borrow_descriptor(fd);
    if (ordinary < 0) return ordinary;
    int const result = f(ordinary);
    ::close(ordinary);
    return result;
  }

  scheduler& node_;
  std::unique_ptr<network> const system_;
  unsigned const slots_;
  unsigned const share_;  // tables of each worker
  std::mutex mutex_;      // who makes a table
  std::vector<std::atomic<direct_table*>> tables_;
  std::vector<std::atomic<unsigned>> had_room_;  // which of its share, for each worker: a hint
};

}  // namespace

std::unique_ptr<network> make_direct_network(scheduler& node, std::unique_ptr<network> system,
                                             std::uint32_t connections, std::string& refused) {
  refused = why_no_direct_tables();
  if (!refused.empty()) return system;
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  // The kernel bounds a table by RLIMIT_NOFILE; we, since it finds the poll that is to be cancelled
  // by a hash of 256 chains. Each worker has as many as the others.
  std::uint64_t const most = std::min<std::uint64_t>(limit.rlim_cur, most_slots);
  std::uint64_t const workers = node.workers();
  std::uint64_t const needed = (connections + most - 1) / most;
  std::uint64_t const tables =
      std::min<std::uint64_t>((needed + workers - 1) / workers, most_tables / workers) * workers;
  std::uint64_t const slots = std::min((connections + tables - 1) / tables, most);
  return std::make_unique<direct_network>(node, std::move(system), static_cast<unsigned>(tables),
                                          static_cast<unsigned>(slots));
}

}  // namespace otter::rts
