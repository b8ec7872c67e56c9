#pragma once

// scheduler/blocking_pool.hpp - OS threads for calls that block, started on demand, ended when they
// have been idle for long.

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

#include "scheduler/scheduler.hpp"

namespace otter::rts {

/// Ownership: of its threads, none of the jobs. The state outlives the pool as long as a thread
///            that could not be joined still looks at it.
/// Threads:   submit() any; stop() one.
class blocking_pool {
 public:
  explicit blocking_pool(unsigned most_threads);
  ~blocking_pool();
  blocking_pool(blocking_pool const&) = delete;
  blocking_pool& operator=(blocking_pool const&) = delete;

  /// Jobs start in the order of submission. Throws std::system_error if there is no thread at all
  /// and none can be started.
  void submit(blocking_job& job);

  /// Jobs that have not begun are not run. Waits for those that have, until `deadline_ns`
  /// (monotonic). Gives the number of threads still in a job.
  std::size_t stop(std::int64_t deadline_ns);

  std::size_t threads() const;

 private:
  struct state;
  std::shared_ptr<state> state_;
};

}  // namespace otter::rts
