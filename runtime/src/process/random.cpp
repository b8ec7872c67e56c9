// process/random.cpp - the scheduler's random numbers, for processes.

#include <otter/error.hpp>
#include <otter/random.hpp>

#include "process/process_system.hpp"

namespace otter {

std::uint64_t random_number() {
  rts::runtime_entry entry;
  rts::refuse_abandoned(entry);
  rts::here const at = rts::here::in_process();
  // The generator is the core's, and an attached thread has none.
  if (at.on == nullptr)
    throw error(errc::not_in_process, "random_number: an attached thread has no core to ask");
  return at.system->sched().random();
}

}  // namespace otter
