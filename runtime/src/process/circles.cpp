#include "process/circles.hpp"

#include <fmt/format.h>

#include <array>
#include <string>

#include "process/process_system.hpp"

namespace otter::rts {
namespace {

constexpr std::size_t longest = 16;  // a longer chain is not followed to its end
constexpr std::int64_t second_look_after_ns = 1'000'000'000;

/// Those who wait for each other, beginning with the one who looks.
struct circle {
  std::array<std::uint64_t, longest> members{};
  std::size_t length = 0;  ///< 0: there is none
};

/// Whether the chain of those who wait leads from `self` back to it. Most chains are one link long,
/// so it is looked at before anything is written down.
bool leads_back(process& self) noexcept {
  process_system& system = self.system();
  std::uint64_t const begin = self.bits();
  std::uint64_t at = self.waits_for().load(std::memory_order_relaxed);
  for (std::size_t length = 1; at != 0 && length < longest; ++length) {
    if (at == begin) return length >= 2;
    process* const p = system.at(static_cast<std::uint32_t>(at) & max_process_index);
    if (p == nullptr || p->bits() != at) return false;
    at = p->waits_for().load(std::memory_order_relaxed);
  }
  return at == begin;
}

circle circle_of(process& self) noexcept {
  process_system& system = self.system();
  circle found;
  std::uint64_t at = self.bits();
  do {
    if (found.length == longest) return {};
    found.members[found.length++] = at;
    process* const p = system.find(system.make_pid_of(at));
    if (p == nullptr) return {};
    at = p->waits_for().load(std::memory_order_relaxed);
    if (at == 0) return {};
  } while (at != self.bits());
  return found.length < 2 ? circle{} : found;
}

/// `<1.5.7>`, and the name if it has one. Others' labels are theirs to read.
std::string text_of(process_system& system, std::uint64_t bits) {
  std::string const name = system.names().name_of(bits);
  return name.empty() ? fmt::format("{}", system.make_pid_of(bits))
                      : fmt::format("{} {}", system.make_pid_of(bits), name);
}

void report(process& self, circle const& found) noexcept {
  process_system& system = self.system();
  for (std::size_t i = 0; i < found.length; ++i) {
    process* const p = system.find(system.make_pid_of(found.members[i]));
    if (p != nullptr) p->circle_told().store(true, std::memory_order_relaxed);
  }
  try {
    std::string text =
        "processes wait for each other in a circle, in calls or for room in a mailbox: ";
    for (std::size_t i = 0; i < found.length; ++i)
      text += text_of(system, found.members[i]) + " waits for ";
    text += text_of(system, self.bits());
    system.report({node_event::kind::failure, self.self_pid(), std::move(text)});
  } catch (...) {
    // Out of memory: a report less.
  }
}

}  // namespace

wait_limit& circle_watch::look() {
  if (!self_.is_waited_for() || self_.circle_told().load(std::memory_order_relaxed) ||
      !leads_back(self_)) {
    second_look_.reset();
    return whole_;
  }
  if (!second_look_) {
    std::int64_t const due = self_.sched().now() + second_look_after_ns;
    if (whole_.due(self_) <= due) return whole_;
    second_look_.emplace(due);
  }
  return *second_look_;
}

void circle_watch::time_over(wait_limit const& which) noexcept {
  bool const told = self_.circle_told().load(std::memory_order_relaxed);
  if (circle const found = circle_of(self_); found.length != 0 && !told) report(self_, found);
  if (&which != &whole_) second_look_.reset();
}

}  // namespace otter::rts
