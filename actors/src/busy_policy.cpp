// A behaviour that answers `busy`: what is refused, and what is counted.

#include <fmt/format.h>

#include <otter/busy_policy.hpp>
#include <otter/detail/behaviour_core.hpp>
#include <otter/detail/call.hpp>
#include <otter/dictionary.hpp>
#include <otter/spawn.hpp>
#include <string_view>
#include <utility>

namespace otter {
namespace detail {

/// What a server remembers between two refusals, in its dictionary: a server that never refuses
/// has no such thing.
struct busy_record {
  busy_count counts{};
  std::uint32_t to_clear = 0;  // so many calls at the head of the queue are refused
};

namespace {

busy_record& record() {
  if (auto* found = dictionary::get<busy_record>()) return *found;
  dictionary::put(busy_record{});
  return *dictionary::get<busy_record>();
}

void refuse(from caller, std::string_view server, std::string const& numbers) {
  ++record().counts.refused;
  reply_failed(caller, exit_reason::busy(fmt::format("{} {}: {}", server, self(), numbers)));
}

void refuse_oldest(from caller, std::string_view server, std::uint32_t waiting,
                   busy_policy const& policy) {
  refuse(caller, server,
         fmt::format("{} calls wait behind this one, above max_calls ({}); try again later",
                     waiting, policy.max_calls));
}

}  // namespace

bool behaviour_core::shed(event& e, busy_policy const& policy) {
  if (e.what() == event::kind::request) return shed_call(e, policy);
  if (policy.casts == busy_casts::serve || waiting_calls() <= policy.max_calls) return false;
  ++record().counts.dropped_casts;
  return true;
}

bool behaviour_core::shed_call(event& e, busy_policy const& policy) {
  std::uint32_t const waiting = waiting_calls();
  busy_record* const before = dictionary::get<busy_record>();
  bool const clears = before != nullptr && before->to_clear != 0;
  if (clears) --before->to_clear;
  if (policy.stale != stale_calls::serve && !is_awaited(e.caller())) {
    busy_record& now = record();
    ++now.counts.stale;
    // Those behind it, once: whoever comes while they are refused finds a short queue.
    if (policy.stale == stale_calls::clear && !clears) now.to_clear = waiting;
    return true;
  }
  if (waiting > policy.max_calls) {
    refuse_oldest(e.caller(), type().name, waiting, policy);
    return true;
  }
  if (!clears) return false;
  refuse(e.caller(), type().name,
         fmt::format("a call ahead of this one waited longer than its caller, and {} more wait; "
                     "try again later",
                     waiting));
  return true;
}

bool behaviour_core::shed_waiting(from caller, std::uint32_t behind, busy_policy const& policy) {
  std::uint32_t const waiting = waiting_calls() + behind;
  if (waiting <= policy.max_calls) return false;
  refuse_oldest(caller, type().name, waiting, policy);
  return true;
}

bool behaviour_core::shed_stale(from caller, busy_policy const& policy) {
  if (policy.stale == stale_calls::serve || is_awaited(caller)) return false;
  ++record().counts.stale;
  return true;
}

std::string behaviour_core::busy_status() {
  busy_record const* const kept = dictionary::get<busy_record>();
  if (kept == nullptr) return {};
  busy_count const& n = kept->counts;
  return fmt::format("\n  refused as busy: {} calls\n  not served: {} stale calls, {} casts",
                     n.refused, n.stale, n.dropped_casts);
}

}  // namespace detail

busy_count busy_counts() noexcept {
  auto const* const kept = dictionary::get<detail::busy_record>();
  return kept == nullptr ? busy_count{} : kept->counts;
}

}  // namespace otter
