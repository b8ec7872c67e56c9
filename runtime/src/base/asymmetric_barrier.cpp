// base/asymmetric_barrier.cpp - membarrier(2).

#include "base/asymmetric_barrier.hpp"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>

#include "base/sanitizers.hpp"

namespace otter::rts {

std::atomic<bool> asymmetric::kernel_helps{false};

void asymmetric::prepare() noexcept {
  if (built_with_tsan || kernel_helps.load(std::memory_order_relaxed)) return;
  // A kernel without it, or a sandbox that forbids it: then not.
  if (::syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0)
    kernel_helps.store(true, std::memory_order_relaxed);
}

void barrier_for_all() noexcept {
  if (!asymmetric::kernel_helps.load(std::memory_order_relaxed)) return;
  // It cannot fail once it is registered, and the frequent side relies on it.
  if (::syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) != 0) std::abort();
}

}  // namespace otter::rts
