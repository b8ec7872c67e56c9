// process/estate.cpp - things of a room above that belong to processes (otter/detail/estate.hpp).

#include <optional>
#include <otter/detail/estate.hpp>

#include "process/process.hpp"
#include "process/process_system.hpp"

namespace otter {
namespace rts {

std::uint16_t process::estate_word(std::uint64_t bits, estate_state state) noexcept {
  return static_cast<std::uint16_t>((bits >> pid_access::index_bits) << 2 | state);
}

bool process::mark_owner(pid who) noexcept {
  std::uint16_t word = estate_word(pid_access::bits(who), owns_nothing);
  std::uint16_t const marked = estate_word(pid_access::bits(who), owns);
  return estate_.compare_exchange_strong(word, marked, std::memory_order_acq_rel) || word == marked;
}

/// Of a process that was given up there is no turn to run destructors in: they run here as they
/// are.
void process::release_estate() noexcept {
  std::uint16_t const before =
      estate_.exchange(estate_word(bits(), ended), std::memory_order_acq_rel);
  if (before != estate_word(bits(), owns)) return;
  if (code_watch* const code = system_->code().get()) code->ended(bits());
  detail::node_estates* const estates = system_->estates().get();
  if (estates == nullptr) return;
  std::unique_ptr<detail::estate> left = estates->owner_ended(self_pid());
  if (left == nullptr) return;
  std::optional<user_code> border;
  if (!attached() && !has(flag_abandoned)) border.emplace();
  left.reset();
}

}  // namespace rts

namespace detail {

using rts::here;
using rts::runtime_entry;

node_estates* current_node_estates() noexcept {
  runtime_entry entry;
  here const at = here::now(entry);
  return at.system != nullptr && !entry.refused() ? at.system->estates().get() : nullptr;
}

node_estates* make_node_estates(std::unique_ptr<node_estates> (*make)()) {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  here const at = here::now(entry);
  return at.system != nullptr ? &at.system->estates().make(make) : nullptr;
}

bool mark_owner(pid owner) noexcept {
  runtime_entry entry;
  here const at = here::now(entry);
  if (at.system == nullptr || entry.refused()) return false;
  rts::process* const p = at.system->find(owner);
  return p != nullptr && p->mark_owner(owner);
}

}  // namespace detail
}  // namespace otter
