#pragma once

// stacks/stack_source.hpp - where a node's stacks come from and go back to.
//
//   stack_source          maps, guards and lends stacks; any thread
//   stack_source_options  which guard, how many warm stacks to keep
//   stack_counts          what is mapped and what is lent
//
// A worker does not come here for each stack: it has a stack_pool (stack_pool.hpp) before it.

#include <array>
#include <atomic>
#include <cstddef>
#include <mutex>

#include "stacks/stack.hpp"

namespace otter::rts {

struct stack_source_options {
  /// `none` chooses: markers where the kernel has them, else protection while vm.max_map_count
  /// allows, else canaries. Another value asks for that kind at best; a worse one may be used.
  guard_kind guard = guard_kind::none;
  /// Idle stacks beyond so many give their memory back to the system when they come home.
  std::size_t warm_limit = 1024;
  /// Gets a line worth logging, at most once per source: guards had to be replaced by canaries.
  void (*report)(char const* line, void* context) noexcept = nullptr;
  void* report_context = nullptr;
};

/// Indexed by stack_class and by guard_kind.
struct stack_counts {
  std::array<std::size_t, stack_class_count> mapped{};
  std::array<std::size_t, stack_class_count> in_use{};
  std::array<std::size_t, 4> guarded{};
  std::size_t slabs = 0;

  std::size_t total_mapped() const noexcept;
  std::size_t total_in_use() const noexcept;
};

/// A node's stacks.
///
/// Ownership: the mappings are the source's; what take() returns is lent until give_back(). All
///            must have come back when it is destroyed, except those whose frames were left where
///            they are (abandoned): their slabs stay mapped for the rest of the program.
/// Threads:   any thread may call anything. One mutex, held for a few list operations, and while a
///            slab of 2 MiB is mapped and guarded (some 20 us): pools make both rare.
/// Invariant: a stack is in exactly one list here, or lent.
class stack_source {
 public:
  explicit stack_source(stack_source_options const& options = {}) noexcept;
  ~stack_source();
  stack_source(stack_source const&) = delete;
  stack_source& operator=(stack_source const&) = delete;

  /// A stack without context. `bytes` counts for `exact` only and is rounded up to whole pages.
  /// Blocks: briefly. Throws: stack_mapping_error (a std::bad_alloc that tells the numbers).
  stack* take(stack_class kind, std::size_t bytes = 0);

  /// Takes a stack back, together with those that hang on its `next` (a batch). A suspended loop
  /// frame on one is discarded, so call it on the thread that used it.
  /// Blocks: briefly. Throws: never.
  void give_back(stack* chain) noexcept;

  /// Gives the memory of idle stacks back to the system, and unmaps slabs that nobody uses.
  /// Returns how many stacks were unmapped. Blocks: briefly.
  std::size_t trim() noexcept;

  /// Exact when nobody takes or gives back at the same time.
  stack_counts counts() const noexcept;

 private:
  struct list {
    stack* first = nullptr;
    std::size_t size = 0;
    void push(stack* s) noexcept;
    stack* pop() noexcept;
  };
  struct idle_lists {
    list warm;  // pages may be resident: taken first
    list cold;  // nothing resident
  };

  stack* take_idle(stack_class kind, std::size_t stride) noexcept;
  void map_slab(stack_class kind, std::size_t stride);
  static void unmap_slab(stack_slab& slab) noexcept;

  stack_source_options const options_;
  mutable std::mutex mutex_;
  // Guarded by mutex_:
  std::array<idle_lists, stack_class_count> idle_;
  stack_counts counts_;
  bool canaries_reported_ = false;

  // Held by trim() alone, and before mutex_: stack_slab::idle is only right for one at a time.
  std::mutex trim_mutex_;
};

}  // namespace otter::rts
