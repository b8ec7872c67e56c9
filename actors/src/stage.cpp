// Who wants how many events: the producer's book and the consumer's.

#include <fmt/format.h>

#include <algorithm>
#include <otter/detail/stage_core.hpp>
#include <otter/error.hpp>
#include <otter/spawn.hpp>

#include "report.hpp"

namespace otter::detail {

// --- the producer's side ---

demand_book::demand_book(dispatch_kind kind, unsigned partitions, unsigned consumers,
                         type_descriptor const& event)
    : kind_(kind), lanes_(partitions), awaited_(consumers), event_(&event) {
  if (partitions < 1 || partitions > 65'536)
    throw error(errc::badarg,
                fmt::format("a producer with {} partitions, must be 1 to 65,536", partitions));
}

void demand_book::join(stage_join const& wish) {
  std::string why;
  if (!same_type(*wish.event, *event_))
    why = fmt::format("{} emits events of type {}, not {}", self(), event_->name, wish.event->name);
  else if (wish.partition >= lanes_)
    why = fmt::format("{} has {} partitions, and no partition {}", self(), lanes_, wish.partition);
  if (!why.empty()) {
    otter::send(wish.consumer,
                stage_end{wish.subscription, exit_reason::error("bad_subscription", why)});
    return;
  }
  consumers_.push_back({wish.subscription, wish.consumer,
                        monitor_with_tag(wish.consumer, consumer_gone{}), 0, wish.partition});
  if (consumers_.size() >= awaited_) awaited_ = 0;
}

void demand_book::ask(stage_ask const& wish) {
  if (entry* e = find(wish.subscription)) e->demand += wish.count;
}

void demand_book::leave(ref subscription) noexcept {
  if (entry* e = find(subscription)) {
    demonitor(e->watch, demonitor_flush::yes);
    remove(e);
  }
}

void demand_book::gone(monitor_ref watch) noexcept {
  auto const e = std::find_if(consumers_.begin(), consumers_.end(),
                              [&](entry const& one) { return one.watch == watch; });
  if (e != consumers_.end()) consumers_.erase(e);
}

demand_book::entry* demand_book::find(ref subscription) noexcept {
  auto const e = std::find_if(consumers_.begin(), consumers_.end(),
                              [&](entry const& one) { return one.subscription == subscription; });
  return e == consumers_.end() ? nullptr : &*e;
}

void demand_book::remove(entry* e) noexcept {
  consumers_.erase(consumers_.begin() + (e - consumers_.data()));
}

std::size_t demand_book::demand(unsigned lane) const noexcept {
  if (consumers_.empty() || awaited_ != 0) return 0;
  if (broadcasts())  // the slowest sets the pace
    return std::min_element(consumers_.begin(), consumers_.end(),
                            [](entry const& a, entry const& b) { return a.demand < b.demand; })
        ->demand;
  std::size_t all = 0;
  for (entry const& e : consumers_)
    if (e.lane == lane) all += e.demand;
  return all;
}

std::vector<delivery> demand_book::plan(unsigned lane, std::size_t available) {
  return broadcasts() ? plan_broadcast(available) : plan_demand(lane, available);
}

std::vector<delivery> demand_book::plan_broadcast(std::size_t available) {
  std::size_t const count = std::min(available, demand(0));
  std::vector<delivery> all;
  if (count == 0) return all;
  for (entry& e : consumers_) {
    e.demand -= count;
    all.push_back({e.process, e.subscription, count});
  }
  return all;
}

std::vector<delivery> demand_book::plan_demand(unsigned lane, std::size_t available) {
  std::vector<delivery> all;
  while (available != 0) {
    entry* most = nullptr;
    for (entry& e : consumers_)
      if (e.lane == lane && e.demand > (most == nullptr ? 0 : most->demand)) most = &e;
    if (most == nullptr) break;
    std::size_t const count = std::min(available, most->demand);
    most->demand -= count;
    available -= count;
    all.push_back({most->process, most->subscription, count});
  }
  return all;
}

void check_partition(unsigned partition, unsigned lanes) {
  if (partition >= lanes)
    throw error(errc::badarg,
                fmt::format("an event of partition {}, but there are {}", partition, lanes));
}

void check_buffer(std::size_t size, unsigned lanes) {
  if (size == 0 && lanes > 1)
    throw error(errc::badarg, fmt::format("a producer with {} partitions and buffer_size 0, must "
                                          "be 1 at least",
                                          lanes));
}

void report_buffer_full(std::size_t size) noexcept {
  try {
    report_text(
        fmt::format("stage {}: {} events wait for demand, its buffer_size: others are "
                    "dropped from now on",
                    self_text(), size));
  } catch (std::exception const&) {
    // no memory for a report
  }
}

void report_dropped(std::size_t dropped) noexcept {
  try {
    report_text(fmt::format("stage {}: {} events were dropped while its buffer was full",
                            self_text(), dropped));
  } catch (std::exception const&) {
    // no memory for a report
  }
}

// --- the consumer's side ---

void check_subscription(subscription_options const& how) {
  if (how.max_demand < 1)
    throw error(errc::badarg, "a subscription with max_demand 0, must be 1 at least");
  if (how.min_demand && *how.min_demand >= how.max_demand)
    throw error(errc::badarg,
                fmt::format("a subscription with min_demand {}, must be less than max_demand ({})",
                            *how.min_demand, how.max_demand));
}

ref intake::subscribe(pid producer, subscription_options const& how) {
  check_subscription(how);
  monitor_ref const subscription = monitor_with_tag(producer, producer_gone{});
  producers_.push_back({subscription, producer, how.max_demand,
                        how.min_demand.value_or(how.max_demand / 2), how.max_demand, how.cancel});
  otter::send(producer, stage_join{subscription, self(), how.partition, event_});
  otter::send(producer, stage_ask{subscription, how.max_demand});
  return subscription;
}

void intake::unsubscribe(pid producer) {
  for (;;) {
    auto const e = std::find_if(producers_.begin(), producers_.end(),
                                [&](entry const& one) { return one.producer == producer; });
    if (e == producers_.end()) return;
    ref const subscription = e->watch;
    demonitor(e->watch, demonitor_flush::yes);
    producers_.erase(e);
    otter::send(producer, stage_leave{subscription});
  }
}

intake::entry* intake::find(ref subscription) noexcept {
  auto const e = std::find_if(producers_.begin(), producers_.end(),
                              [&](entry const& one) { return one.watch == subscription; });
  return e == producers_.end() ? nullptr : &*e;
}

std::size_t intake::next_portion(ref subscription, std::size_t left) noexcept {
  entry const* const e = find(subscription);
  if (e == nullptr) return 0;
  // Handling so many brings it down to min_demand, where it asks again.
  return std::min(left, e->in_flight > e->min_demand ? e->in_flight - e->min_demand : 1);
}

void intake::handled(ref subscription, std::size_t count) {
  entry* const e = find(subscription);
  if (e == nullptr) return;  // unsubscribed meanwhile
  e->in_flight -= std::min(e->in_flight, count);
  if (e->in_flight > e->min_demand) return;
  otter::send(e->producer, stage_ask{e->watch, e->max_demand - e->in_flight});
  e->in_flight = e->max_demand;
}

std::optional<exit_reason> intake::ended(ref subscription, exit_reason const& why) {
  entry* const e = find(subscription);
  if (e == nullptr) return std::nullopt;
  cancel_mode const mode = e->cancel;
  demonitor(e->watch, demonitor_flush::yes);
  producers_.erase(producers_.begin() + (e - producers_.data()));
  bool const ends =
      mode == cancel_mode::permanent || (mode == cancel_mode::transient && why.abnormal());
  return ends ? std::optional<exit_reason>(why) : std::nullopt;
}

std::vector<pid> intake::producers() const {
  std::vector<pid> all;
  for (entry const& e : producers_) all.push_back(e.producer);
  return all;
}

}  // namespace otter::detail
