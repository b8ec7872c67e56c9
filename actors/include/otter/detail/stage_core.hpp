#pragma once

// otter/detail/stage_core.hpp - stages without the types of their events.
//
//   otter::detail::stage_join ...   the messages between a producer and its consumers
//   otter::detail::demand_book      a producer's side: who wants how much
//   otter::detail::intake           a consumer's side: what it has asked for, and from whom

#include <cstddef>
#include <cstdint>
#include <optional>
#include <otter/exit_reason.hpp>
#include <otter/message.hpp>
#include <otter/monitor.hpp>
#include <otter/pid.hpp>
#include <otter/ref.hpp>
#include <otter/type_descriptor.hpp>
#include <string>
#include <vector>

namespace otter {

/// What becomes of a consumer when its producer ends, or ends the subscription.
enum class cancel_mode : unsigned char {
  permanent,  ///< it ends too, with the same reason
  transient,  ///< it ends too, unless the reason is normal, shutdown or shutdown with something
  temporary,  ///< it goes on
};

/// What a consumer says of one producer.
struct subscription_options {
  /// So many events at most are under way to it, or being handled; 1 at least.
  std::size_t max_demand = 1000;
  /// It asks again when so many are left; less than max_demand. None: half of it.
  std::optional<std::size_t> min_demand{};
  cancel_mode cancel = cancel_mode::permanent;
  /// Of which partition, if the producer has such.
  unsigned partition = 0;
};

namespace detail {

// A subscription is named by the monitor that the consumer has on the producer.

/// To a producer: events of that type, please; and how many more.
struct stage_join {
  ref subscription;
  pid consumer;
  unsigned partition;
  type_descriptor const* event;
};
struct stage_ask {
  ref subscription;
  std::size_t count;
};
struct stage_leave {
  ref subscription;
};
/// Of a producer's monitors: a consumer has ended.
struct consumer_gone {};

/// To a consumer, from outside: begin, or end, to take from that producer.
struct stage_subscribe {
  pid producer;
  subscription_options how;
};
struct stage_unsubscribe {
  pid producer;
};
/// To a consumer, from its producer.
template <class Event>
struct stage_events {
  ref subscription;
  std::vector<Event> events;
};
struct stage_end {
  ref subscription;
  exit_reason reason;
};
/// Of a consumer's monitors: a producer has ended.
struct producer_gone {};

enum class dispatch_kind : unsigned char { demand, broadcast, partition };

/// So many of the events that wait go to that consumer.
struct delivery {
  pid consumer;
  ref subscription;
  std::size_t count;
};

/// Who has asked for how much.
///
/// Events wait in lanes: one, or one for each partition. Threads: the producer's process.
class demand_book {
 public:
  /// It gives nothing before so many `consumers` have come.
  /// Throws: error(badarg) for 0 partitions, or more than 65,536.
  demand_book(dispatch_kind kind, unsigned partitions, unsigned consumers,
              type_descriptor const& event);

  void join(stage_join const& wish);
  void ask(stage_ask const& wish);
  void leave(ref subscription) noexcept;
  void gone(monitor_ref watch) noexcept;

  [[nodiscard]] unsigned lanes() const noexcept { return lanes_; }
  [[nodiscard]] bool broadcasts() const noexcept { return kind_ == dispatch_kind::broadcast; }
  /// How many events of a lane may go out.
  [[nodiscard]] std::size_t demand(unsigned lane) const noexcept;

  /// Who gets the `available` events of a lane, and counts them as given. If it broadcasts, all
  /// deliveries are of the same events; else each is of those behind the one before.
  std::vector<delivery> plan(unsigned lane, std::size_t available);

 private:
  struct entry {
    ref subscription;
    pid process;
    monitor_ref watch;
    std::size_t demand;
    unsigned lane;
  };
  entry* find(ref subscription) noexcept;
  void remove(entry* e) noexcept;
  std::vector<delivery> plan_broadcast(std::size_t available);
  std::vector<delivery> plan_demand(unsigned lane, std::size_t available);

  dispatch_kind kind_;
  unsigned lanes_;
  unsigned awaited_;  // consumers; 0: it has begun
  type_descriptor const* event_;
  std::vector<entry> consumers_;  // in the order of their coming
};

/// Throws: error(badarg): a partition that is not there.
void check_partition(unsigned partition, unsigned lanes);
/// Throws: error(badarg): partitions without a buffer.
void check_buffer(std::size_t size, unsigned lanes);
/// The process logs that its buffer is full, or was.
void report_buffer_full(std::size_t size) noexcept;
void report_dropped(std::size_t dropped) noexcept;

/// What a consumer has asked for.
///
/// Threads: the consumer's process.
class intake {
 public:
  explicit intake(type_descriptor const& event) noexcept : event_(&event) {}

  /// Throws: error(badarg) for options that cannot be.
  ref subscribe(pid producer, subscription_options const& how);
  void unsubscribe(pid producer);

  /// Of `left` events of a subscription, how many are to be handled before it asks again; 0: the
  /// subscription is no more, and they are dropped.
  [[nodiscard]] std::size_t next_portion(ref subscription, std::size_t left) noexcept;
  /// So many have been handled: asks for more, if it is time.
  void handled(ref subscription, std::size_t count);

  /// The subscription has ended. The reason for which the consumer is to end too, or none.
  std::optional<exit_reason> ended(ref subscription, exit_reason const& why);

  [[nodiscard]] std::vector<pid> producers() const;

 private:
  struct entry {
    monitor_ref watch;  // names the subscription
    pid producer;
    std::size_t max_demand;
    std::size_t min_demand;
    std::size_t in_flight;  // asked for and not handled yet
    cancel_mode cancel;
  };
  entry* find(ref subscription) noexcept;

  type_descriptor const* event_;
  std::vector<entry> producers_;
};

/// Throws: error(badarg).
void check_subscription(subscription_options const& how);

}  // namespace detail
}  // namespace otter
