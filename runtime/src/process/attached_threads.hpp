#pragma once

// process/attached_threads.hpp - the attached threads of a node, for who wants to look at
// everything and finds them in no queue.

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <vector>

namespace otter::rts {

class attached_waker;
class process;

/// Ownership: of no thread. Threads: any. An entry stays as long as the mutex is held.
class attached_threads {
 public:
  struct entry {
    attached_waker* waker;
    process* self;
  };

  /// Throws: std::bad_alloc.
  void add(entry e) {
    std::lock_guard lock(mutex);
    all.push_back(e);
  }
  void remove(attached_waker const& waker) noexcept {
    std::lock_guard lock(mutex);
    std::erase_if(all, [&](entry const& e) { return e.waker == &waker; });
  }

  std::mutex mutex;
  std::vector<entry> all;  // guarded by mutex
};

}  // namespace otter::rts
