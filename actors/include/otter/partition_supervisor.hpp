#pragma once

// otter/partition_supervisor.hpp - one server several times, and a key says which of them serves.
//
//   otter::partition_supervisor<Server>   names such a supervisor; starts it, addresses partitions
//   otter::partition_spec                 how each of them is started
//   otter::partition_flags                how many there are, and how many restarts are too many
//   otter::partition<Server>              one of them, as an address
//
//     inline const otter::partition_supervisor<counter> counters{"counters"};
//
//     counters.start_link({.start = [](unsigned number) { return counter::start_link(number); }});
//     otter::call(counters.via(user), counter::read{});   // each user's counter is always the same
//
// For a server that all go through, and that could as well be several. Partitions know nothing of
// each other: what has to be seen together has to have one key.

#include <concepts>
#include <cstdint>
#include <functional>
#include <otter/child_spec.hpp>
#include <otter/detail/key_text.hpp>
#include <otter/detail/keyed_hash.hpp>
#include <otter/pid.hpp>
#include <otter/server_ref.hpp>
#include <otter/start.hpp>
#include <otter/supervisor.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace otter {

/// Starts one partition, as child_start: from a function that takes its number, or one that takes
/// nothing and starts all alike.
class partition_start {
 public:
  partition_start() = default;
  template <class Function>
  requires(!std::same_as<std::remove_cvref_t<Function>, partition_start> &&
           (std::invocable<Function&, unsigned> || std::invocable<Function&>))
      partition_start(Function function) {
    if constexpr (std::invocable<Function&, unsigned>)
      start_ = std::move(function);
    else
      start_ = [f = std::move(function)](unsigned) mutable { return f(); };
  }

  explicit operator bool() const noexcept { return static_cast<bool>(start_); }
  tl::expected<pid, start_error> operator()(unsigned number) const { return start_(number); }

 private:
  std::function<tl::expected<pid, start_error>(unsigned number)> start_;
};

/// A child_spec for all partitions; the id of each is its number.
struct partition_spec {
  partition_start start{};
  restart_type restart = restart_type::permanent;
  shutdown_limit shutdown{};
  child_type type = child_type::worker;
};

struct partition_flags {
  /// 1 to 65,536; 0: otter::schedulers().
  unsigned partitions = 0;
  /// So many restarts within `period` are allowed, of all partitions together.
  unsigned intensity = 3;
  duration period = std::chrono::seconds(5);
};

namespace detail {

tl::expected<pid, start_error> start_partitions(std::string const& name, partition_spec spec,
                                                partition_flags const& flags,
                                                start_options const& options);
/// The process of the partition that serves `key`, or none.
pid partition_of(std::string_view supervisor, std::uint64_t key) noexcept;
unsigned partitions_of(std::string_view supervisor) noexcept;
std::vector<child_info> which_partitions(std::string_view supervisor);

/// An integer is itself without its sign; what is not, is hashed.
template <class Key>
std::uint64_t partition_key(Key const& key) {
  if constexpr (std::is_integral_v<Key>) {
    auto const bits = static_cast<std::uint64_t>(key);
    if constexpr (std::is_signed_v<Key>) return key < 0 ? 0 - bits : bits;
    return bits;
  } else {
    return keyed_hash(key_text(key));
  }
}

}  // namespace detail

/// Addresses the partition that serves one key: whatever takes a server_ref<Server> or a pid takes
/// this. Each use looks up who serves now, so that a partition that was started again is found; in
/// between, and when the supervisor does not run, it is no process.
///
/// A value; the partition_supervisor that made it must live as long.
template <class Server>
class partition {
 public:
  partition(std::string_view supervisor, std::uint64_t key) noexcept
      : supervisor_(supervisor), key_(key) {}

  /// Lock-free, and asks no process.
  /// Called from: a process, or an attached thread. Blocks: never. Exits: never.
  [[nodiscard]] pid process() const noexcept { return detail::partition_of(supervisor_, key_); }
  operator pid() const noexcept { return process(); }
  [[nodiscard]] detail::target locate() const noexcept { return {process(), supervisor_}; }

 private:
  std::string_view supervisor_;
  std::uint64_t key_;
};

namespace detail {
template <class Server>
struct server_class_of<partition<Server>> {
  using type = Server;
};
}  // namespace detail

/// Names a supervisor of partitions by the name of its process, whether or not it runs; a value
/// that may be global, copied, and used by every process of the node. That its partitions are of
/// the class `Server` is trusted; without one, messages are checked where they arrive.
template <class Server = detail::any_server>
class partition_supervisor {
 public:
  explicit partition_supervisor(std::string name) : name_(std::move(name)) {}

  [[nodiscard]] std::string const& name() const noexcept { return name_; }

  /// Starts the supervisor, under the name, and its partitions in order; `options.name` is not
  /// used. It is an otter::supervisor with the strategy one_for_one, and fails to start as that
  /// does.
  ///
  /// Called from: a process. Blocks: until all run. Exits: may.
  /// Throws: error(badarg) for a name or a number of partitions that cannot be.
  start_result<partition_supervisor> start_link(partition_spec spec, partition_flags flags = {},
                                                start_options const& options = {}) const {
    auto started = detail::start_partitions(name_, std::move(spec), flags, options);
    if (!started) return tl::unexpected<start_error>(std::move(started.error()));
    return server_ref<partition_supervisor>(*started);
  }

  /// The partition that serves `key`, the same as long as the supervisor runs (PS-2). An integer
  /// names the partition `key mod partitions()`, by its absolute value; a text, an enumeration, a
  /// pid or a ref, or a pair, tuple or plain struct of such is hashed, by a hash that is the node's
  /// own.
  ///
  /// Called from: a process, or an attached thread. Blocks: never. Exits: never.
  /// Throws: std::bad_alloc; error(not_in_process).
  template <class Key>
  [[nodiscard]] partition<Server> via(Key const& key) const {
    return {name_, detail::partition_key(key)};
  }
  /// How many there are; 0 if the supervisor does not run. As via().
  [[nodiscard]] unsigned partitions() const noexcept { return detail::partitions_of(name_); }

  // As those of otter::supervisor, with the partitions in the order of their numbers.
  std::vector<child_info> which_children() const { return detail::which_partitions(name_); }
  child_count count_children() const { return supervisor::count_children(std::string_view(name_)); }

 private:
  std::string name_;
};

}  // namespace otter
