#pragma once

// stacks/stack_pool.hpp - a worker's own stacks, so that lending one costs a few instructions.
//
//   stack_pool   one per worker thread
//
// What is in the pool may have a suspended scheduling loop on it: take it by switching to it again
// (stack::has_context() tells). What the source (stack_source.hpp) hands out never has.

#include "stacks/stack_source.hpp"

namespace otter::rts {

/// Idle stacks of one thread, the last one used first, since its pages are in the cache.
///
/// Ownership: of what is in it; its destructor gives all of it back to the source.
/// Threads:   one. With frames on them, stacks cannot go to another thread; the source makes them
///            new before it lends them elsewhere.
/// Invariant: at most `limit` stacks of each class; exact ones always go to the source.
class stack_pool {
 public:
  /// Holds `limit` stacks of each class at most; half of them go to the source when it overflows.
  explicit stack_pool(stack_source& source, std::size_t limit = 64) noexcept;
  ~stack_pool();
  stack_pool(stack_pool const&) = delete;
  stack_pool& operator=(stack_pool const&) = delete;

  /// The stack put last, or one from the source. Throws: stack_mapping_error, only if none is here.
  stack* take(stack_class kind, std::size_t bytes = 0);

  /// Takes `s`. It may have a suspended loop frame, and may even be the stack that the caller runs
  /// on, if it is not an exact one and the caller switches away before the next take().
  /// Throws: never.
  void put(stack* s) noexcept;

  /// Gives everything to the source, e.g. before a worker sleeps for long. The caller must not run
  /// on a stack that it has put.
  void release_all() noexcept;

  std::size_t size(stack_class kind) const noexcept;
  stack_source& source() const noexcept { return source_; }

 private:
  struct kept {
    stack* top = nullptr;
    std::size_t size = 0;
  };
  void give_colder(kept& from, std::size_t keep) noexcept;

  stack_source& source_;
  std::size_t const limit_;
  std::array<kept, stack_class_count> kept_;
};

}  // namespace otter::rts
