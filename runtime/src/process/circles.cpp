#include "process/circles.hpp"

#include <fmt/format.h>

#include <array>
#include <string>

#include "process/process_system.hpp"

namespace otter::rts {
namespace {

constexpr std::size_t longest = 16;  // a longer chain is not followed to its end

/// `<1.5.7>`, and the name if it has one. Others' labels are theirs to read.
std::string text_of(process_system& system, std::uint64_t bits) {
  std::string const name = system.names().name_of(bits);
  return name.empty() ? fmt::format("{}", system.make_pid_of(bits))
                      : fmt::format("{} {}", system.make_pid_of(bits), name);
}

}  // namespace

void report_circle(process& self) noexcept {
  process_system& system = self.system();
  std::array<std::uint64_t, longest> chain{};
  std::size_t length = 0;
  std::uint64_t at = self.bits();
  do {
    if (length == longest) return;
    chain[length++] = at;
    process* const p = system.find(system.make_pid_of(at));
    if (p == nullptr) return;
    at = p->waits_for().load(std::memory_order_relaxed);
    if (at == 0) return;
  } while (at != self.bits());
  if (length < 2) return;
  try {
    std::string text =
        "processes wait for each other in a circle, in calls or for room in a mailbox: ";
    for (std::size_t i = 0; i < length; ++i) text += text_of(system, chain[i]) + " waits for ";
    text += text_of(system, self.bits());
    system.report({node_event::kind::failure, self.self_pid(), std::move(text)});
  } catch (...) {
    // Out of memory: the caller hears of its time-out all the same.
  }
}

}  // namespace otter::rts
