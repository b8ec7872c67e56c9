#include "stacks/stack_error.hpp"

#include <sys/resource.h>

#include <cstdio>
#include <cstring>

#include "stacks/guard.hpp"

namespace otter::rts {

// snprintf and not fmt: memory is short here, and nothing may throw.
stack_mapping_error::stack_mapping_error(std::size_t bytes, int error, std::size_t stacks,
                                         std::size_t slabs) noexcept
    : error_(error), text_{} {
  char space[64] = "unlimited";
  rlimit limit{};
  if (::getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    std::snprintf(space, sizeof space, "%llu MiB",
                  static_cast<unsigned long long>(limit.rlim_cur >> 20));
  }
  char const* name = ::strerrorname_np(error);
  std::snprintf(text_, sizeof text_,
                "cannot map a %zu KiB stack: %s; %zu stacks mapped in %zu slabs, "
                "vm.max_map_count is %zu and the address space limit is %s",
                bytes / 1024, name != nullptr ? name : "unknown error", stacks, slabs,
                max_map_count(), space);
}

}  // namespace otter::rts
