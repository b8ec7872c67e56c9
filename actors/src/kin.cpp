// Ancestors: kept once for each process that has children, whoever lives longer.

#include <atomic>
#include <otter/detail/kin.hpp>
#include <otter/detail/system_messages.hpp>
#include <otter/process_info.hpp>
#include <otter/spawn.hpp>

#include "report.hpp"
#include "via_body.hpp"

namespace otter::detail {

struct ancestor {
  std::atomic<std::uint32_t> owners{1};
  pid process;
  std::string name;
  ancestry above;
};

ancestry::ancestry(ancestry const& other) noexcept : nearest_(other.nearest_) {
  if (nearest_ != nullptr) nearest_->owners.fetch_add(1, std::memory_order_relaxed);
}

ancestry::~ancestry() {
  // A loop, and not one destructor inside the other: a chain of starters may be long.
  while (nearest_ != nullptr && nearest_->owners.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    ancestor* last = nearest_;
    nearest_ = std::exchange(last->above.nearest_, nullptr);
    delete last;
  }
}

ancestry ancestry::of(pid process, std::string name, ancestry above) {
  ancestry made;
  made.nearest_ = new ancestor{{1}, process, std::move(name), std::move(above)};
  return made;
}

ancestry const& ancestry::above() const noexcept { return nearest_->above; }

std::vector<std::string> ancestry::list() const {
  std::vector<std::string> all;
  for (ancestor const* a = nearest_; a != nullptr && all.size() != 32; a = a->above.nearest_)
    all.push_back(a->name.empty() ? to_string(a->process) : a->name);
  return all;
}

ancestry const& kin::ancestors_of_children() {
  if (!has_children_) {
    nearest_ = ancestry::of(self(), registered_name(), nearest_);
    has_children_ = true;
  }
  return nearest_;
}

reactive* current_inner_body() noexcept {
  reactive* body = current_body();
  if (auto* outer = dynamic_cast<via_body*>(body)) return outer->inner()->get();
  return body;
}

kin* current_kin() noexcept {
  reactive* const body = current_body();
  return body == nullptr ? nullptr : static_cast<kin*>(body->upper_part());
}

ancestry ancestors_of_a_child() {
  if (kin* me = current_kin()) return me->ancestors_of_children();
  return ancestry::of(self(), registered_name(), {});
}

}  // namespace otter::detail
