// process/spawn.cpp - starting processes.

#include "process/spawn.hpp"

#include <fmt/format.h>

#include <new>
#include <otter/detail/keyed_hash.hpp>
#include <otter/name.hpp>
#include <otter/spawn.hpp>

#include "process/process.hpp"
#include "process/process_system.hpp"
#include "process/send.hpp"
#include "stacks/guard.hpp"

namespace otter {
namespace rts {

namespace {

/// What a stack of the default class has for use. An exact one is given stack_size_factor() times
/// what is asked for, as that one was.
std::size_t default_stack_bytes() noexcept {
  return stack_size(stack_class::small) / stack_size_factor() - guard_size();
}

stack_class stack_class_for(std::size_t bytes) noexcept {
  if (bytes <= stack_size(stack_class::small)) return stack_class::small;
  if (bytes <= stack_size(stack_class::medium)) return stack_class::medium;
  if (bytes <= stack_size(stack_class::large)) return stack_class::large;
  return stack_class::exact;
}

constexpr std::size_t largest_stack = std::size_t{1} << 30;

/// Links and monitors of a child are made before it can run, so nothing can be missed (L-8, SP-3).
struct bonds {
  own_ref* watch = nullptr;
  request_envelope* watched = nullptr;
  slab* memory;

  explicit bonds(slab* m) noexcept : memory(m) {}
  ~bonds() {
    for (void* block : {static_cast<void*>(watch), static_cast<void*>(watched)})
      if (block != nullptr) slab::free(block, memory);
  }
};

}  // namespace

void check_name(std::string_view name) {
  if (name.empty() || name.size() > 255)
    throw error(errc::badarg,
                fmt::format("a name of {} bytes: it must have 1 to 255", name.size()));
}

void register_process(process_system& system, std::string_view name, pid who) {
  check_name(name);
  process* p = system.find(who);
  if (p == nullptr)
    throw error(errc::badarg, fmt::format("register \"{}\": {} has ended", name, who));
  std::uint8_t state = process::unnamed;
  switch (system.names().insert(name, pid_access::bits(who), [&] {
    if (!p->name_state().compare_exchange_strong(state, process::named, std::memory_order_acq_rel))
      return false;
    if (p->is(who)) return true;
    p->name_state().store(process::unnamed, std::memory_order_release);  // another occupant
    state = process::nameless;
    return false;
  })) {
    case name_table::inserted::done:
      return;
    case name_table::inserted::taken:
      throw error(errc::badarg, fmt::format("register \"{}\": the name is taken by {}", name,
                                            system.make_pid_of(system.names().find(name))));
    case name_table::inserted::refused:
      if (state == process::named)
        throw error(errc::badarg,
                    fmt::format("register \"{}\": {} has the name \"{}\" already", name, who,
                                system.names().name_of(pid_access::bits(who))));
      throw error(errc::badarg, fmt::format("register \"{}\": {} has ended", name, who));
  }
}

namespace {

/// A block for an occupant. One with a limit gets none in which places are still taken: senders may
/// keep what an earlier occupant gave them until their turn ends, and the next one would be full
/// without a message in it. Others never look at places. Null: no more processes are allowed.
process* acquire_block(local_state& local, std::uint32_t limit) noexcept {
  process* p = local.processes.acquire();
  // Few of them are left so, and those only for a turn: a number of tries that is never reached.
  for (int tries = 64; p != nullptr && limit != 0 && p->places().taken() != 0 && tries > 0;
       --tries) {
    local.processes.release(p->index());  // behind all the others
    p = local.processes.acquire();
  }
  return p;
}

}  // namespace

spawned spawn_process(process_system& system, local_state& local, slab& memory, process* parent,
                      spawn_options const& options, reactive_ptr body, spawn_extras const& extras) {
  bool const with_monitor = options.monitor.has_value();
  bool const requested = extras.request != nullptr;
  if ((options.link || with_monitor) && parent == nullptr)
    throw error(errc::not_in_process,
                "spawn from outside a node: only a process can be linked to or watch a child");
  if (body == nullptr) throw error(errc::badarg, "spawn: there is no body to run");
  if (!options.name.empty()) check_name(options.name);
  if (options.max_mailbox.limit >= (1u << 31))
    throw error(errc::badarg, fmt::format("max_mailbox of {} messages: at most 2^31-1",
                                          options.max_mailbox.limit));
  if (options.stack_size > largest_stack)
    throw error(errc::badarg, fmt::format("a stack of {} bytes: {} is the most", options.stack_size,
                                          largest_stack));
  if (system.stopping.load(std::memory_order_relaxed) && parent == nullptr)
    throw error(errc::system_limit, "spawn: the node is stopping");

  bonds b(&memory);
  if (options.link) parent->reserve_link();  // of its first link each process is sure
  if (with_monitor || requested) b.watch = ::new (memory.allocate(own_ref_bytes)) own_ref;
  if (with_monitor) {
    b.watched = ::new (memory.allocate(monitor_block_bytes)) request_envelope;
  }
  process* child = acquire_block(local, options.max_mailbox.limit);
  if (child == nullptr)
    throw error(errc::system_limit, fmt::format("spawn: {} processes live, and this node allows {}",
                                                system.alive(), system.limits().max_processes));
  pid const parent_pid = parent != nullptr ? parent->self_pid() : pid{};
  pid const leader = options.group_leader ? options.group_leader
                     : parent != nullptr  ? parent->group_leader_pid()
                                          : pid{};
  pid id;
  try {
    id = child->occupy(system, std::move(body), parent_pid, leader);
    if (!options.label.empty()) child->extra().label = options.label;
    // Where the depth is kept, and where those stand who wait for room.
    if (options.measure_stack ||
        (options.max_mailbox.limit != 0 && options.max_mailbox.policy == overflow::block))
      child->extra();
    child->limit_heap(options.max_heap_size.value_or(system.limits().max_heap));
    if (code_watch* const code = system.code().get()) [[unlikely]]
      code->spawned(id, *child->body());
    // Open before it can be found by its name: what is sent to it from then on must wait for it,
    // not be refused. Nobody has the pid yet should the name be taken.
    child->open();
    if (!options.name.empty()) register_process(system, options.name, id);
  } catch (...) {
    // Nobody was told of the pid, but a list of all processes has it while the inbox is open.
    bool const opened = child->signals().is_open();
    for (envelope* e = opened ? child->signals().close() : nullptr; e != nullptr;) {
      envelope* next = e->next;
      answer_for_dead(system, e);
      e = next;
    }
    if (code_watch* const code = system.code().get()) code->ended(child->bits());
    child->vacate();
    local.processes.release(child->index());
    throw;
  }
  child->mark_fresh_priority(options.priority);
  child->stack_kind = stack_class_for(options.stack_size);
  child->stack_bytes = static_cast<std::uint32_t>(options.stack_size);  // for an exact one
  if (options.measure_stack) {
    // A stack of its own for each turn, since paint on the worker's would be everybody's.
    child->measured = true;
    if (child->stack_kind == stack_class::small) {
      child->stack_kind = stack_class::exact;
      child->stack_bytes = static_cast<std::uint32_t>(default_stack_bytes());
    }
  }
  child->limit_word().store(
      std::uint64_t{options.max_mailbox.limit} << 8 |
          (options.max_mailbox.limit != 0 ? static_cast<std::uint64_t>(options.max_mailbox.policy)
                                          : 0),
      std::memory_order_relaxed);

  spawned result{id, {}};
  if (options.link) {
    parent->add_link(pid_access::bits(id));
    child->add_link(pid_access::bits(parent_pid));
  }
  ref watch_ref;
  if (own_ref* w = std::exchange(b.watch, nullptr)) {
    w->id = parent->next_id();
    w->what = requested ? own_ref::purpose::spawn : own_ref::purpose::monitor;
    w->target = pid_access::bits(id);
    w->alias = options.monitor.value_or(alias_mode::none);
    w->monitors = with_monitor;
    w->links = options.link;
    w->tag = extras.tag;
    w->make = extras.make;
    parent->add_own_ref(*w);
    parent->messages().mark(w->id);
    watch_ref = parent->make_own_ref(w->id);
    result.ref = monitor_ref(watch_ref);
  }
  if (with_monitor) {
    request_envelope* r = std::exchange(b.watched, nullptr);
    r->kind = signal_kind::monitor;
    r->bytes = monitor_block_bytes;
    r->flags = extras.for_start ? of_start : std::uint8_t{0};
    r->target = pid_access::bits(id);
    r->caller = from(watch_ref);
    child->add_watcher(*r);
  }
  if (requested) {  // in the inbox before the child can run: the first thing that it acts upon
    extras.request->id = id_of(watch_ref);
    push(system, pid_access::bits(id), extras.request);
  }
  local_state::add(local.alive, 1);
  if (system.sched().simulated()) system.sched().trace("spawn", pid_access::bits(id), 0);
  if (worker* w = current_worker(); w != nullptr && &w->owner() == &system.sched())
    w->submit_fresh(*child);
  else
    system.sched().submit(*child);
  return result;
}

void process::mark_fresh_priority(otter::priority p) noexcept {
  priority = static_cast<priority_level>(p);
}

}  // namespace rts

using rts::here;
using rts::process;
using rts::runtime_entry;

pid self() {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  return here::in_process().self->self_pid();
}

spawned detail::spawn_body(spawn_options const& options, reactive_ptr body) {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  here const at = here::in_process();
  spawned const child =
      rts::spawn_process(*at.system, *at.local, *at.memory, at.self, options, std::move(body));
  at.self->charge(10);
  return child;
}

spawned detail::spawn_body_tagged(spawn_options const& options, reactive_ptr body, envelope_ptr tag,
                                  down_maker make) {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  here const at = here::in_process();
  spawned const child = rts::spawn_process(*at.system, *at.local, *at.memory, at.self, options,
                                           std::move(body), {nullptr, tag.get(), make});
  tag.release();
  at.self->charge(10);
  return child;
}

spawned detail::spawn_for_start(spawn_options const& options, reactive_ptr body) {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  here const at = here::in_process();
  spawned const child = rts::spawn_process(*at.system, *at.local, *at.memory, at.self, options,
                                           std::move(body), {nullptr, nullptr, nullptr, true});
  at.self->charge(10);
  return child;
}

spawned spawn_reactive(spawn_options const& options, reactive_ptr body) {
  return detail::spawn_body(options, std::move(body));
}

void register_name(std::string_view name, pid who) {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  rts::register_process(*here::in_process().system, name, who);
}

void unregister_name(std::string_view name) {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  here const at = here::in_process();
  bool const was = at.system->names().erase(name, [&](std::uint64_t bits) {
    std::uint8_t state = process::named;
    if (process* p = at.system->find(at.system->make_pid_of(bits)))
      p->name_state().compare_exchange_strong(state, process::unnamed, std::memory_order_acq_rel);
  });
  if (!was) throw error(errc::badarg, fmt::format("unregister \"{}\": nobody has that name", name));
}

pid whereis(std::string_view name) noexcept {
  runtime_entry entry;
  here const at = here::now();
  if (at.system == nullptr || entry.refused()) return {};
  std::uint64_t const bits = at.system->names().find(name);
  return bits == 0 ? pid{} : at.system->make_pid_of(bits);
}

std::uint64_t detail::keyed_hash(std::string_view text) {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  return here::in_process().system->names().keyed_hash(text);
}

detail::hash_key detail::make_hash_key() { return {keyed_hash("first"), keyed_hash("second")}; }

std::string name_of(pid who) {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  here const at = here::in_process();
  if (rts::node_of(who) != at.system->node_index()) return {};
  return at.system->names().name_of(rts::pid_access::bits(who));
}

std::vector<std::string> registered() {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  return here::in_process().system->names().all();
}

}  // namespace otter
