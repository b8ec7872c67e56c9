#include "stacks/stack_source.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <numeric>
#include <utility>

#include "stacks/depth.hpp"
#include "stacks/guard.hpp"
#include "stacks/slab_directory.hpp"
#include "stacks/stack_access.hpp"
#include "stacks/stack_error.hpp"
#include "stacks/switch.hpp"

namespace otter::rts {
namespace {

constexpr std::size_t index_of(stack_class kind) noexcept { return static_cast<std::size_t>(kind); }
constexpr std::size_t index_of(guard_kind kind) noexcept { return static_cast<std::size_t>(kind); }

constexpr std::size_t largest_exact = std::size_t{1} << 40;  // keeps the sums below from wrapping
constexpr std::size_t exact_kept = 64;                       // idle ones; more are unmapped

std::size_t stride_of(stack_class kind, std::size_t bytes) noexcept {
  if (kind != stack_class::exact) return stack_size(kind);
  std::size_t const page = guard_size();
  std::size_t const wanted = std::max(bytes * stack_size_factor(), page);
  return (wanted + page - 1) / page * page + page;
}

// Address space that begins at a multiple of slab_unit; null with errno set.
std::byte* map_aligned(std::size_t bytes) noexcept {
  constexpr int protection = PROT_READ | PROT_WRITE;
  constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK;
  auto const beyond = [](void* at) { return reinterpret_cast<std::uintptr_t>(at) % slab_unit; };

  // Below an aligned neighbour the kernel's own choice is aligned, and becomes one mapping with it.
  void* const guess = ::mmap(nullptr, bytes, protection, flags, -1, 0);
  if (guess == MAP_FAILED) return nullptr;
  if (beyond(guess) == 0) return static_cast<std::byte*>(guess);
  ::munmap(guess, bytes);

  void* const wide = ::mmap(nullptr, bytes + slab_unit, protection, flags, -1, 0);
  if (wide == MAP_FAILED) return nullptr;
  std::size_t const before = (slab_unit - beyond(wide)) % slab_unit;
  std::byte* const base = static_cast<std::byte*>(wide) + before;
  if (before != 0) ::munmap(wide, before);
  ::munmap(base + bytes, slab_unit - before);
  return base;
}

// Everything above the guard back to the system. The guard stays: MADV_DONTNEED leaves markers.
void cool(stack& s) noexcept { ::madvise(s.low(), s.size(), MADV_DONTNEED); }

}  // namespace

std::size_t stack_counts::total_mapped() const noexcept {
  return std::accumulate(mapped.begin(), mapped.end(), std::size_t{0});
}

std::size_t stack_counts::total_in_use() const noexcept {
  return std::accumulate(in_use.begin(), in_use.end(), std::size_t{0});
}

void stack_source::list::push(stack* s) noexcept {
  s->next = first;
  first = s;
  ++size;
}

stack* stack_source::list::pop() noexcept {
  stack* const s = first;
  first = s->next;
  s->next = nullptr;
  --size;
  return s;
}

stack_source::stack_source(stack_source_options const& options) noexcept : options_(options) {}

stack_source::~stack_source() { trim(); }

stack* stack_source::take(stack_class kind, std::size_t bytes) {
  if (bytes > largest_exact) throw stack_mapping_error(bytes, ENOMEM, 0, 0);
  std::size_t const stride = stride_of(kind, bytes);
  std::lock_guard const lock(mutex_);
  stack* s = take_idle(kind, stride);
  if (s == nullptr) {
    map_slab(kind, stride);
    s = take_idle(kind, stride);
  }
  ++counts_.in_use[index_of(kind)];
  return s;
}

stack* stack_source::take_idle(stack_class kind, std::size_t stride) noexcept {
  idle_lists& lists = idle_[index_of(kind)];
  for (list* const from : {&lists.warm, &lists.cold}) {
    if (kind != stack_class::exact) {
      if (from->first != nullptr) return from->pop();
      continue;
    }
    for (stack** at = &from->first; *at != nullptr; at = &(*at)->next) {  // exact_kept at most
      stack* const s = *at;
      if (stack_access::slab(*s)->stride != stride) continue;
      *at = s->next;
      s->next = nullptr;
      --from->size;
      return s;
    }
  }
  return nullptr;
}

void stack_source::map_slab(stack_class kind, std::size_t stride) {
  std::size_t const count =
      kind == stack_class::exact ? 1 : std::max(slab_unit / stride, std::size_t{1});
  stack_slab* const slab = acquire_slab(count);
  slab->bytes = stride * count;
  slab->stride = stride;
  slab->idle = 0;
  slab->base = map_aligned(slab->bytes);
  if (slab->base == nullptr) {
    int const error = errno;
    release_slab(slab);
    throw stack_mapping_error(stride, error, counts_.total_mapped(), counts_.slabs);
  }
  // A huge page would make 2 MiB resident at the first touch. Where it is refused there are none.
  ::madvise(slab->base, slab->bytes, MADV_NOHUGEPAGE);

  guard_kind const wish = options_.guard == guard_kind::none ? best_guard() : options_.guard;
  bool canaries = false;
  for (std::size_t i = 0; i < count; ++i) {
    std::byte* const page = slab->base + i * stride;
    guard_kind const guard = install_guard(page, wish);
    canaries |= guard == guard_kind::canary && wish != guard_kind::canary;
    stack_access::place(slab->stacks()[i], page + guard_size(), page + stride, slab, kind, guard);
    slab->stacks()[i].owner = nullptr;
  }
  try {
    publish_slab(*slab);
  } catch (...) {
    unmap_slab(*slab);
    throw;
  }

  for (std::size_t i = 0; i < count; ++i) {
    idle_[index_of(kind)].cold.push(&slab->stacks()[i]);
    ++counts_.guarded[index_of(slab->stacks()[i].guard())];
  }
  counts_.mapped[index_of(kind)] += count;
  ++counts_.slabs;

  if (canaries && !canaries_reported_ && options_.report != nullptr) {
    canaries_reported_ = true;
    char line[200];
    std::snprintf(line, sizeof line,
                  "stacks from number %zu on have no guard page, only a canary that is checked at "
                  "switches: vm.max_map_count is %zu and each guard takes 2 maps",
                  counts_.total_mapped() - count + 1, max_map_count());
    options_.report(line, options_.report_context);
  }
}

void stack_source::unmap_slab(stack_slab& slab) noexcept {
  withdraw_slab(slab);
  std::size_t protections = 0;
  for (std::size_t i = 0; i < slab.count; ++i) {
    if (slab.stacks()[i].guard() == guard_kind::protection) ++protections;
  }
  ::munmap(slab.base, slab.bytes);
  release_protections(protections);
  release_slab(&slab);
}

void stack_source::give_back(stack* chain) noexcept {
  std::size_t room = 0;
  {
    std::lock_guard const lock(mutex_);
    std::size_t warm = 0;
    for (idle_lists const& lists : idle_) warm += lists.warm.size;
    room = options_.warm_limit - std::min(warm, options_.warm_limit);
  }
  // The system calls are made without the mutex; two batches at once may exceed the limit by one.
  std::array<idle_lists, stack_class_count> batch;
  while (chain != nullptr) {
    stack* const s = chain;
    chain = s->next;
    if (s->has_context()) discard_context(*s);
    forget_depth(*s);
    s->owner = nullptr;
    idle_lists& lists = batch[index_of(s->kind())];
    if (room > 0) {
      --room;
      lists.warm.push(s);
    } else {
      cool(*s);
      lists.cold.push(s);
    }
  }

  list surplus;
  {
    std::lock_guard const lock(mutex_);
    for (std::size_t kind = 0; kind < stack_class_count; ++kind) {
      idle_lists& lists = idle_[kind];
      counts_.in_use[kind] -= batch[kind].warm.size + batch[kind].cold.size;
      for (auto const part : {&idle_lists::warm, &idle_lists::cold}) {
        while ((batch[kind].*part).first != nullptr) {
          stack* const s = (batch[kind].*part).pop();
          if (kind == index_of(stack_class::exact) &&
              lists.warm.size + lists.cold.size >= exact_kept) {
            surplus.push(s);
            --counts_.mapped[kind];
            --counts_.guarded[index_of(s->guard())];
            --counts_.slabs;
          } else {
            (lists.*part).push(s);
          }
        }
      }
    }
  }
  while (surplus.first != nullptr) unmap_slab(*stack_access::slab(*surplus.pop()));
}

std::size_t stack_source::trim() noexcept {
  std::lock_guard const one_at_a_time(trim_mutex_);
  std::array<idle_lists, stack_class_count> idle;
  {
    std::lock_guard const lock(mutex_);
    idle = std::exchange(idle_, {});
  }
  // Who takes a stack now maps a new slab: a waste, but a rare one, and nobody waits for us.
  for (idle_lists const& lists : idle) {
    for (list const* const from : {&lists.warm, &lists.cold}) {
      for (stack* s = from->first; s != nullptr; s = s->next) ++stack_access::slab(*s)->idle;
    }
  }

  stack_counts gone;
  stack_slab* unused = nullptr;
  std::array<list, stack_class_count> left;
  for (idle_lists& lists : idle) {
    for (list* const from : {&lists.warm, &lists.cold}) {
      while (from->first != nullptr) {
        stack* const s = from->pop();
        stack_slab* const slab = stack_access::slab(*s);
        if (slab->idle == slab->count) {
          ++gone.mapped[index_of(s->kind())];
          ++gone.guarded[index_of(s->guard())];
          if (s == slab->stacks()) {  // once per slab; its other stacks must be seen, too
            slab->next = unused;
            unused = slab;
          }
        } else {
          if (from == &lists.warm) cool(*s);
          left[index_of(s->kind())].push(s);
        }
      }
    }
  }
  for (list const& kept : left) {
    for (stack* s = kept.first; s != nullptr; s = s->next) stack_access::slab(*s)->idle = 0;
  }
  while (unused != nullptr) {
    stack_slab* const slab = unused;
    unused = slab->next;
    unmap_slab(*slab);
    ++gone.slabs;
  }

  std::lock_guard const lock(mutex_);
  for (std::size_t kind = 0; kind < stack_class_count; ++kind) {
    while (left[kind].first != nullptr) idle_[kind].cold.push(left[kind].pop());
    counts_.mapped[kind] -= gone.mapped[kind];
  }
  for (std::size_t guard = 0; guard < gone.guarded.size(); ++guard) {
    counts_.guarded[guard] -= gone.guarded[guard];
  }
  counts_.slabs -= gone.slabs;
  return gone.total_mapped();
}

stack_counts stack_source::counts() const noexcept {
  std::lock_guard const lock(mutex_);
  return counts_;
}

}  // namespace otter::rts
