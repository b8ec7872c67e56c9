// process/memory.cpp - what a process holds, and what is done when it is too much.

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <otter/memory.hpp>

#include "process/process.hpp"
#include "process/process_system.hpp"

namespace otter {
namespace rts {

void process::limit_heap(otter::max_heap_size const& limit) {
  if (limit.size != 0 || extra_ != nullptr) extra().max_heap = limit;
  set(flag_heap_limited, limit.size != 0);
  set(flag_over_heap, false);
}

otter::max_heap_size process::heap_limit() const noexcept {
  return extra_ != nullptr ? extra_->max_heap : otter::max_heap_size{};
}

namespace {
/// An array has eight buckets at least, and one word more; without one there is none to count.
template <class Set>
std::uint64_t bytes_of_buckets(Set const& set) noexcept {
  return set.bucket_count() > 1 ? (set.bucket_count() + 1) * sizeof(void*) : 0;
}
}  // namespace

std::uint64_t process::memory_in_use() const noexcept {
  return sizeof(process) + links_.bytes() + link_entries_.size() * sizeof(link_entry) +
         open_requests_.size() * sizeof(request_envelope) + own_refs_.size() * sizeof(own_ref) +
         bytes_of_buckets(link_entries_) + bytes_of_buckets(open_requests_) +
         bytes_of_buckets(own_refs_) + mailbox_.bytes() +
         (extra_ != nullptr ? sizeof(process_extra) + extra_->held : 0);
}

void process::shrink() noexcept {
  links_.shrink();
  link_entries_.shrink();
  open_requests_.shrink();
  own_refs_.shrink();
}

void process::account(std::ptrdiff_t bytes) noexcept {
  try {
    std::uint64_t& held = extra().held;
    auto const less = static_cast<std::uint64_t>(-bytes);
    if (bytes >= 0)
      held += static_cast<std::uint64_t>(bytes);
    else
      held -= std::min(held, less);  // what came from elsewhere was counted there
  } catch (std::bad_alloc const&) {
    return;  // not counted
  }
  if (has(flag_heap_limited)) check_heap();
  if (system_->watch().on()) [[unlikely]]
    observe_load();
}

/// Acted upon at the next safe point (PI-12).
void process::check_heap() noexcept {
  otter::max_heap_size const& limit = extra_->max_heap;
  std::uint64_t const now = memory_in_use();
  if (now <= limit.size) {
    set(flag_over_heap, false);
    return;
  }
  if (has(flag_over_heap | flag_exit_pending | flag_dying)) return;
  set(flag_over_heap, true);
  if (limit.error_logger) {
    try {
      system_->report({node_event::kind::large_heap, self_pid(),
                       fmt::format("it holds {} bytes and may hold {}: {} messages wait{}", now,
                                   limit.size, mailbox_.size(), limit.kill ? "; killed" : "")});
    } catch (std::bad_alloc const&) {
      system_->report({node_event::kind::large_heap, self_pid(), {}});
    }
  }
  if (limit.kill) die(exit_reason::killed(), true);
}

}  // namespace rts

using rts::runtime_entry;

max_heap_size set_max_heap_size(max_heap_size const& limit) {
  runtime_entry entry;
  rts::process& self = rts::current_process();
  max_heap_size const was = self.heap_limit();
  self.limit_heap(limit);
  return was;
}

void account_memory(std::ptrdiff_t bytes) noexcept {
  runtime_entry entry;
  rts::process* self = rts::current_process_or_null();
  if (self != nullptr && !entry.refused()) self->account(bytes);
}

}  // namespace otter
