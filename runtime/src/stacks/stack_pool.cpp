#include "stacks/stack_pool.hpp"

#include <algorithm>

namespace otter::rts {
namespace {

constexpr std::size_t index_of(stack_class kind) noexcept { return static_cast<std::size_t>(kind); }

}  // namespace

// At least 2, so that what is given away is never the stack put last: a loop puts the stack that
// it is still running on, and switches away afterwards.
stack_pool::stack_pool(stack_source& source, std::size_t limit) noexcept
    : source_(source), limit_(std::max<std::size_t>(limit, 2)) {}

stack_pool::~stack_pool() { release_all(); }

stack* stack_pool::take(stack_class kind, std::size_t bytes) {
  kept& of_kind = kept_[index_of(kind)];
  stack* const s = of_kind.top;
  if (s == nullptr) return source_.take(kind, bytes);
  of_kind.top = s->next;
  s->next = nullptr;
  --of_kind.size;
  return s;
}

void stack_pool::put(stack* s) noexcept {
  if (s->kind() == stack_class::exact) {
    s->next = nullptr;
    source_.give_back(s);
    return;
  }
  kept& of_kind = kept_[index_of(s->kind())];
  s->next = of_kind.top;
  of_kind.top = s;
  if (++of_kind.size > limit_) give_colder(of_kind, limit_ / 2);
}

void stack_pool::release_all() noexcept {
  for (kept& of_kind : kept_) give_colder(of_kind, 0);
}

void stack_pool::give_colder(kept& from, std::size_t keep) noexcept {
  stack** cut = &from.top;
  for (std::size_t i = 0; i < keep && *cut != nullptr; ++i) cut = &(*cut)->next;
  stack* const colder = *cut;
  *cut = nullptr;
  from.size = std::min(from.size, keep);
  if (colder != nullptr) source_.give_back(colder);
}

std::size_t stack_pool::size(stack_class kind) const noexcept { return kept_[index_of(kind)].size; }

}  // namespace otter::rts
