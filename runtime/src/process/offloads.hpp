#pragma once

// process/offloads.hpp - the jobs of offload() that are waiting or running.
//
// A module's version is unmapped only when none of them is its code. Such a job has nobody's frames
// to be found in: it owns what it needs, and who asked for it may have ended.

#include <cstdint>
#include <mutex>

namespace otter::rts {

/// Ownership: of no entry; an entry is in the list as long as its job may run.
/// Threads:   any.
class offloads {
 public:
  struct entry {
    entry* next = nullptr;
    entry** back = nullptr;
    void const* code = nullptr;  ///< the job's table of virtual functions
    std::uint64_t asked_by = 0;  ///< bits of the process
  };

  void add(entry& e) noexcept {
    std::lock_guard lock(mutex_);
    e.next = first_;
    e.back = &first_;
    if (first_ != nullptr) first_->back = &e.next;
    first_ = &e;
  }
  /// Does nothing for one that is in no list.
  void remove(entry& e) noexcept {
    std::lock_guard lock(mutex_);
    if (e.back == nullptr) return;
    *e.back = e.next;
    if (e.next != nullptr) e.next->back = e.back;
    e.back = nullptr;
  }
  template <class F>
  void for_each(F&& f) {
    std::lock_guard lock(mutex_);
    for (entry const* e = first_; e != nullptr; e = e->next) f(*e);
  }

 private:
  std::mutex mutex_;
  entry* first_ = nullptr;  // guarded by mutex_
};

}  // namespace otter::rts
