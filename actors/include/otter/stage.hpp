#pragma once

// otter/stage.hpp - producers and consumers of events, at the pace of the consumers.
//
//   otter::producer<S, E>              the base class of a stage S that emits events of type E
//   otter::consumer<S, E>              of one that takes them
//   otter::producer_consumer<S, I, O>  of one that takes some and emits others
//   otter::subscribe()                 a consumer begins to take from a producer
//   otter::unsubscribe()               and stops
//   otter::dispatcher<E>               who of several consumers gets an event
//
//     class numbers : public otter::producer<numbers, int> {
//      public:
//       std::vector<int> handle_demand(std::size_t wanted) {   // at most so many, now or later
//         std::vector<int> events;
//         while (events.size() != wanted) events.push_back(next_++);
//         return events;
//       }
//      private:
//       int next_ = 0;
//     };
//     class printer : public otter::consumer<printer, int> {
//      public:
//       void handle_events(std::vector<int> events) { ... }
//     };
//
//     auto source = numbers::start_link().value();
//     auto sink = printer::start_link().value();
//     otter::subscribe(sink, source, {.max_demand = 100});
//
// Consumers ask, producers answer: a producer never sends more than its consumers have asked for
// and not yet got (ST-1). So no mailbox grows, however fast a producer could be, through any number
// of stages. A producer that has nothing remembers who wants how much; one whose events come from
// elsewhere emits them when they come, and keeps a bounded number that nobody wants yet (ST-2).
//
// A stage is a gen_server and may have all that one has: calls, casts, timers, init(), terminate().
// Its own messages it lists by `using accepts = with<tick, ask>;`. If it has a handle_info of its
// own, it keeps that of its base too: `using producer::handle_info;`.
//
// Where one process asks another and waits, use otter::call(); where all that counts is that not
// too much waits at a server, see otter/busy_policy.hpp. Pages: doc/stage.md, doc/overload.md.

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <deque>
#include <functional>
#include <iterator>
#include <optional>
#include <otter/accepts.hpp>
#include <otter/detail/stage_core.hpp>
#include <otter/gen_server.hpp>
#include <otter/message.hpp>
#include <otter/monitor.hpp>
#include <otter/outcome.hpp>
#include <otter/server_ref.hpp>
#include <utility>
#include <vector>

namespace otter {

/// Which consumer gets an event (ST-3). A value, for producer_options.
template <class Event>
class dispatcher {
 public:
  using partition_function = std::function<unsigned(Event const&)>;

  /// One of them: whoever has asked for most.
  static dispatcher demand() { return {detail::dispatch_kind::demand, 1, 0, {}}; }
  /// Each of them: none gets an event before all have asked for one, so the slowest sets the pace.
  /// It begins when so many consumers have subscribed; one that comes later gets what is emitted
  /// from then on.
  static dispatcher broadcast(unsigned consumers = 1) requires std::copy_constructible<Event> {
    return {detail::dispatch_kind::broadcast, 1, consumers, {}};
  }
  /// One of those that subscribed to the partition `of(event)`, a number below `partitions` (1 to
  /// 65,536), as with demand(). `of` is called in the producer; what it throws ends the producer,
  /// as does a number that is too large. Events of a partition that nobody takes from fill the
  /// buffer, and then nobody gets any.
  static dispatcher partition(unsigned partitions, partition_function of) {
    return {detail::dispatch_kind::partition, partitions, 0, std::move(of)};
  }

  [[nodiscard]] detail::demand_book make_book() const {
    return {kind_, partitions_, consumers_, descriptor_of<Event>()};
  }
  /// Throws: error(badarg): there is no such partition.
  [[nodiscard]] unsigned lane_of(Event const& event) const {
    if (!partition_of_) return 0;
    unsigned const partition = partition_of_(event);
    detail::check_partition(partition, partitions_);
    return partition;
  }

 private:
  dispatcher(detail::dispatch_kind kind, unsigned partitions, unsigned consumers,
             partition_function of)
      : kind_(kind), partitions_(partitions), consumers_(consumers), partition_of_(std::move(of)) {}

  detail::dispatch_kind kind_;
  unsigned partitions_;
  unsigned consumers_;
  partition_function partition_of_;
};

/// Which events are kept when more wait than the buffer holds.
enum class buffer_keep : unsigned char { last, first };

template <class Event>
struct producer_options {
  dispatcher<Event> dispatch = dispatcher<Event>::demand();
  /// So many events may wait for demand; of more, some are dropped, and the log says so. A
  /// producer_consumer drops none, but stops to handle events until fewer wait.
  /// At least 1 where there are partitions.
  std::size_t buffer_size = 10'000;
  buffer_keep keep = buffer_keep::last;
};

namespace detail {

enum class when_full : unsigned char { drop, stop_handling };

/// The events of a stage that wait for demand, and the way to its consumers.
///
/// Threads: the stage's process.
/// Invariant: between two callbacks no event waits for which there is demand.
template <class Event>
class outlet {
 public:
  outlet(producer_options<Event> how, when_full full)
      : how_(std::move(how)), full_(full), book_(how_.dispatch.make_book()), lanes_(book_.lanes()) {
    check_buffer(how_.buffer_size, book_.lanes());
  }

  void join(stage_join const& m) { book_.join(m); }
  void ask(stage_ask const& m) {
    book_.ask(m);
    flush();
  }
  void leave(stage_leave const& m) {
    book_.leave(m.subscription);
    flush();  // who sets the pace of a broadcast may have left
  }
  void gone(monitor_ref watch) {
    book_.gone(watch);
    flush();
  }

  void emit(std::vector<Event> events) {
    told_ -= std::min(told_, events.size());
    for (Event& e : events) {
      lanes_[how_.dispatch.lane_of(e)].push_back(std::move(e));
      ++waiting_;
    }
    flush();
    if (full_ == when_full::drop && waiting_ > how_.buffer_size) drop_surplus();
  }

  /// Demand that nothing waits for.
  [[nodiscard]] std::size_t demand() const noexcept {
    std::size_t all = 0;
    for (unsigned lane = 0; lane != lanes_.size(); ++lane) {
      std::size_t const wanted = book_.demand(lane);
      all += wanted - std::min(wanted, lanes_[lane].size());
    }
    return all;
  }
  /// Of that what the stage has not been told of yet; from now on it has been told.
  [[nodiscard]] std::size_t take_new_demand() noexcept {
    std::size_t const all = demand();
    std::size_t fresh = all - std::min(all, told_);
    // With one lane all that comes goes out; of partitions, it may all be for another one.
    if (lanes_.size() != 1) fresh = std::min(fresh, room());
    told_ += fresh;
    return fresh;
  }
  [[nodiscard]] bool wants_more() const noexcept {
    return demand() != 0 && (waiting_ == 0 || room() != 0);
  }
  [[nodiscard]] std::size_t waiting() const noexcept { return waiting_; }
  [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_; }

 private:
  [[nodiscard]] std::size_t room() const noexcept {
    return how_.buffer_size - std::min(how_.buffer_size, waiting_);
  }

  void flush() {
    for (unsigned lane = 0; lane != lanes_.size(); ++lane)
      if (!lanes_[lane].empty()) flush(lane);
    if (drops_ != 0 && waiting_ < how_.buffer_size) report_dropped(std::exchange(drops_, 0));
  }
  void flush(unsigned lane) {
    std::deque<Event>& queue = lanes_[lane];
    std::vector<delivery> const plan = book_.plan(lane, queue.size());
    if (plan.empty()) return;
    if (book_.broadcasts()) {
      if constexpr (std::copy_constructible<Event>)
        for (std::size_t i = 0; i + 1 != plan.size(); ++i)
          deliver(plan[i], std::vector<Event>(queue.begin(), end_of(queue, plan[i].count)));
      deliver(plan.back(), take_front(queue, plan.back().count));
    } else {
      for (delivery const& d : plan) deliver(d, take_front(queue, d.count));
    }
  }
  static auto end_of(std::deque<Event>& queue, std::size_t count) {
    return queue.begin() + static_cast<std::ptrdiff_t>(count);
  }
  std::vector<Event> take_front(std::deque<Event>& queue, std::size_t count) {
    auto const end = end_of(queue, count);
    std::vector<Event> front(std::make_move_iterator(queue.begin()), std::make_move_iterator(end));
    queue.erase(queue.begin(), end);
    waiting_ -= count;
    return front;
  }
  static void deliver(delivery const& d, std::vector<Event> events) {
    otter::send(d.consumer, stage_events<Event>{d.subscription, std::move(events)});
  }

  /// From the longest lane: it is the one that makes the buffer too long.
  void drop_surplus() {
    if (drops_ == 0) report_buffer_full(how_.buffer_size);
    std::size_t const surplus = waiting_ - how_.buffer_size;
    for (std::size_t i = 0; i != surplus; ++i) {
      auto const longest =
          std::max_element(lanes_.begin(), lanes_.end(),
                           [](auto const& a, auto const& b) { return a.size() < b.size(); });
      if (how_.keep == buffer_keep::last)
        longest->pop_front();
      else
        longest->pop_back();
    }
    waiting_ -= surplus;
    dropped_ += surplus;
    drops_ += surplus;
  }

  producer_options<Event> how_;
  when_full full_;
  demand_book book_;
  std::vector<std::deque<Event>> lanes_;
  std::size_t waiting_ = 0;  // in all lanes
  std::size_t told_ = 0;     // demand that the stage knows of and has not emitted for
  std::size_t drops_ = 0;    // since the buffer is full; 0: it is not
  std::uint64_t dropped_ = 0;
};

/// `count` events from `at` on; the vector itself if that is all of them.
template <class Event>
std::vector<Event> portion_of(std::vector<Event>& events, std::size_t at, std::size_t count) {
  if (at == 0 && count == events.size()) return std::move(events);
  auto const first = events.begin() + static_cast<std::ptrdiff_t>(at);
  return std::vector<Event>(std::make_move_iterator(first),
                            std::make_move_iterator(first + static_cast<std::ptrdiff_t>(count)));
}

template <class Consumer, class Producer>
constexpr bool events_fit() noexcept {
  if constexpr (requires {
                  typename Consumer::event_in;
                  typename Producer::event_out;
                })
    return std::is_same_v<typename Consumer::event_in, typename Producer::event_out>;
  else
    return true;  // the producer looks when it is asked
}

}  // namespace detail

/// The base class of a stage that emits events. What the class `Stage` may have, public:
///
///   std::vector<Event> handle_demand(std::size_t wanted)
///
/// Consumers want so many more. It returns as many of them as it has; the rest is remembered, and
/// not asked for again: emit() them when they are there. More than wanted wait in the buffer. A
/// stage without it only emits what comes from elsewhere.
template <class Stage, class Event>
class producer : public gen_server<Stage> {
 public:
  using event_out = Event;
  template <class... Messages>
  using with = otter::accepts<detail::stage_join, detail::stage_ask, detail::stage_leave,
                              tagged_down<detail::consumer_gone>, Messages...>;
  using accepts = with<>;

  void handle_info(detail::stage_join m) { out_.join(m); }
  void handle_info(detail::stage_ask m) {
    out_.ask(m);
    serve();
  }
  void handle_info(detail::stage_leave m) {
    out_.leave(m);
    serve();
  }
  void handle_info(tagged_down<detail::consumer_gone> m) {
    out_.gone(m.what.ref);
    serve();
  }

 protected:
  /// Throws: error(badarg) for partitions or a buffer that cannot be.
  explicit producer(producer_options<Event> how = {})
      : out_(std::move(how), detail::when_full::drop) {
    static_assert(detail::informs<Stage, detail::stage_ask>,
                  "otter: this stage has a handle_info of its own, which hides that of the stages: "
                  "add `using producer::handle_info;`, public");
  }
  ~producer() = default;

  /// Sends events to those who have asked for some, in order; the rest waits in the buffer.
  /// Called from: a callback of the stage. Blocks: never. Exits: may. Throws: what moving or
  /// copying an event throws.
  void emit(std::vector<Event> events) { out_.emit(std::move(events)); }

  [[nodiscard]] std::size_t buffered() const noexcept { return out_.waiting(); }
  /// How many events would be sent at once.
  [[nodiscard]] std::size_t demand() const noexcept { return out_.demand(); }
  [[nodiscard]] std::uint64_t dropped() const noexcept { return out_.dropped(); }

 private:
  void serve() {
    if constexpr (requires(Stage & s) { s.handle_demand(std::size_t{}); }) {
      // Again while there is new demand: of partitions, what came may all be for others.
      while (std::size_t const wanted = out_.take_new_demand()) {
        std::vector<Event> events = static_cast<Stage&>(*this).handle_demand(wanted);
        if (events.empty()) return;
        out_.emit(std::move(events));
      }
    }
  }

  detail::outlet<Event> out_;
};

/// The base class of a stage that takes events. What the class `Stage` has, public:
///
///   void handle_events(std::vector<Event> events)
///
/// Some events of one producer, in their order: at most max_demand - min_demand of them. When it
/// returns they count as done, and more are asked for.
template <class Stage, class Event>
class consumer : public gen_server<Stage> {
 public:
  using event_in = Event;
  template <class... Messages>
  using with = otter::accepts<detail::stage_subscribe, detail::stage_unsubscribe,
                              detail::stage_events<Event>, detail::stage_end,
                              tagged_down<detail::producer_gone>, Messages...>;
  using accepts = with<>;

  void handle_info(detail::stage_subscribe m) { in_.subscribe(m.producer, m.how); }
  void handle_info(detail::stage_unsubscribe m) { in_.unsubscribe(m.producer); }
  void handle_info(detail::stage_events<Event> m) {
    std::size_t const all = m.events.size();
    for (std::size_t at = 0; at != all;) {
      std::size_t const count = in_.next_portion(m.subscription, all - at);
      if (count == 0) return;  // it has unsubscribed
      static_cast<Stage&>(*this).handle_events(detail::portion_of(m.events, at, count));
      in_.handled(m.subscription, count);
      at += count;
    }
  }
  outcome handle_info(detail::stage_end m) { return end_with(m.subscription, m.reason); }
  outcome handle_info(tagged_down<detail::producer_gone> m) {
    return end_with(m.what.ref, m.what.reason);
  }

 protected:
  consumer() {
    static_assert(detail::informs<Stage, detail::stage_end>,
                  "otter: this stage has a handle_info of its own, which hides that of the stages: "
                  "add `using consumer::handle_info;`, public");
  }
  ~consumer() = default;

  /// As otter::subscribe(), for the stage itself: in its constructor, say.
  template <server_address Producer>
  void subscribe_to(Producer const& from_whom, subscription_options const& how = {}) {
    static_assert(detail::events_fit<consumer, typename detail::server_class_of<Producer>::type>(),
                  "otter: that producer emits events of another type");
    in_.subscribe(detail::locate(from_whom).process, how);
  }
  /// From whom it takes events, in the order of subscribing.
  [[nodiscard]] std::vector<pid> producers() const { return in_.producers(); }

 private:
  outcome end_with(ref subscription, exit_reason const& why) {
    if (auto own = in_.ended(subscription, why)) return gen_server<Stage>::stop(std::move(*own));
    return gen_server<Stage>::noreply();
  }

  detail::intake in_{descriptor_of<Event>()};
};

/// The base class of a stage that takes events and emits others. What the class `Stage` has,
/// public:
///
///   std::vector<Out> handle_events(std::vector<In> events)
///
/// As that of a consumer; what it returns is emitted. It is called only while somebody wants what
/// the stage emits: otherwise the events wait, and the stage asks for no more. If its producer ends
/// and it is to end too, it first deals with what it got.
template <class Stage, class In, class Out>
class producer_consumer : public gen_server<Stage> {
 public:
  using event_in = In;
  using event_out = Out;
  template <class... Messages>
  using with = otter::accepts<detail::stage_join, detail::stage_ask, detail::stage_leave,
                              tagged_down<detail::consumer_gone>, detail::stage_subscribe,
                              detail::stage_unsubscribe, detail::stage_events<In>,
                              detail::stage_end, tagged_down<detail::producer_gone>, Messages...>;
  using accepts = with<>;

  void handle_info(detail::stage_join m) { out_.join(m); }
  outcome handle_info(detail::stage_ask m) {
    out_.ask(m);
    return go_on();
  }
  outcome handle_info(detail::stage_leave m) {
    out_.leave(m);
    return go_on();
  }
  outcome handle_info(tagged_down<detail::consumer_gone> m) {
    out_.gone(m.what.ref);
    return go_on();
  }
  void handle_info(detail::stage_subscribe m) { in_.subscribe(m.producer, m.how); }
  void handle_info(detail::stage_unsubscribe m) { in_.unsubscribe(m.producer); }
  outcome handle_info(detail::stage_events<In> m) {
    arrived_.push_back({m.subscription, std::move(m.events)});
    return go_on();
  }
  outcome handle_info(detail::stage_end m) {
    arrived_.push_back({.subscription = m.subscription, .end = std::move(m.reason)});
    return go_on();
  }
  outcome handle_info(tagged_down<detail::producer_gone> m) {
    arrived_.push_back({.subscription = m.what.ref, .end = std::move(m.what.reason)});
    return go_on();
  }

 protected:
  /// Throws: error(badarg) for partitions or a buffer that cannot be.
  explicit producer_consumer(producer_options<Out> how = {})
      : out_(std::move(how), detail::when_full::stop_handling) {
    static_assert(detail::informs<Stage, detail::stage_ask>,
                  "otter: this stage has a handle_info of its own, which hides that of the stages: "
                  "add `using producer_consumer::handle_info;`, public");
  }
  ~producer_consumer() = default;

  /// As those of a producer and of a consumer.
  void emit(std::vector<Out> events) { out_.emit(std::move(events)); }
  [[nodiscard]] std::size_t buffered() const noexcept { return out_.waiting(); }
  [[nodiscard]] std::size_t demand() const noexcept { return out_.demand(); }
  template <server_address Producer>
  void subscribe_to(Producer const& from_whom, subscription_options const& how = {}) {
    static_assert(
        detail::events_fit<producer_consumer, typename detail::server_class_of<Producer>::type>(),
        "otter: that producer emits events of another type");
    in_.subscribe(detail::locate(from_whom).process, how);
  }
  [[nodiscard]] std::vector<pid> producers() const { return in_.producers(); }

 private:
  /// Events that came, or, behind the last of them, the end of their subscription.
  struct arrival {
    ref subscription{};
    std::vector<In> events{};
    std::size_t handled = 0;  // of the events
    std::optional<exit_reason> end{};
  };

  outcome go_on() {
    while (!ends_with_ && !arrived_.empty() && (arrived_.front().end || out_.wants_more()))
      treat(arrived_.front());
    if (ends_with_ && out_.waiting() == 0) return gen_server<Stage>::stop(*ends_with_);
    return gen_server<Stage>::noreply();
  }
  void treat(arrival& first) {
    if (first.end) {
      ends_with_ = in_.ended(first.subscription, *first.end);
      arrived_.pop_front();
      return;
    }
    ref const subscription = first.subscription;
    std::size_t const left = first.events.size() - first.handled;
    std::size_t const count = in_.next_portion(subscription, left);
    std::vector<In> events = detail::portion_of(first.events, first.handled, count);
    first.handled += count;
    if (count == left || count == 0) arrived_.pop_front();
    if (count == 0) return;
    out_.emit(static_cast<Stage&>(*this).handle_events(std::move(events)));
    in_.handled(subscription, count);
  }

  detail::outlet<Out> out_;
  detail::intake in_{descriptor_of<In>()};
  std::deque<arrival> arrived_;
  std::optional<exit_reason> ends_with_;  // once out_ is empty
};

/// Lets a consumer take events from a producer, from now until one of them ends or unsubscribe().
/// It may take from several, and from one several times.
///
/// Returns at once. There is no such producer, or it emits events of another type or has no such
/// partition: to the consumer that is an end of the subscription, and its cancel_mode decides.
/// There is no such consumer: nothing happens.
///
/// Called from: a process, or an attached thread. Blocks: never. Exits: may, once the turn's budget
/// is used up. Throws: error(badarg) for options that cannot be.
template <server_address Consumer, server_address Producer>
void subscribe(Consumer const& who, Producer const& from_whom,
               subscription_options const& how = {}) {
  static_assert(detail::events_fit<typename detail::server_class_of<Consumer>::type,
                                   typename detail::server_class_of<Producer>::type>(),
                "otter: that producer emits events of another type than the consumer takes");
  detail::check_subscription(how);
  otter::send(detail::locate(who).process,
              detail::stage_subscribe{detail::locate(from_whom).process, how});
}

/// Ends all subscriptions of a consumer with that producer; none is no error. The consumer goes on,
/// whatever its cancel_mode. Events that are under way to it are lost. Called from, Blocks, Exits:
/// as subscribe().
template <server_address Consumer, server_address Producer>
void unsubscribe(Consumer const& who, Producer const& from_whom) {
  otter::send(detail::locate(who).process,
              detail::stage_unsubscribe{detail::locate(from_whom).process});
}

}  // namespace otter
