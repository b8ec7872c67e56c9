// process/blocking.cpp - work on the blocking pool.

#include <otter/blocking.hpp>

#include "process/process.hpp"
#include "process/process_system.hpp"
#include "process/send.hpp"

namespace otter {

using rts::here;
using rts::process;
using rts::runtime_entry;

namespace {

/// A job on the waiting process's own stack.
///
/// Ownership: the frame of run_blocking(), which does not return before the signal has come.
/// Threads:   run() on the pool, until the push; then the process.
/// Ordering:  the push of `signal` carries what the job wrote to the process [I1]. The job touches
///            nothing of itself after it: the frame may be gone.
struct waited_job final : rts::blocking_job {
  void (*job)(void*) noexcept;
  void* argument;
  rts::process_system* system;
  std::uint64_t owner;
  rts::wake_signal signal;

  void run() noexcept override {
    {
      rts::on_behalf_of const here(*system, owner);  // it may log
      job(argument);
    }
    rts::push(*system, owner, &signal);
  }
};

/// A job that belongs to itself.
struct owned_job final : rts::blocking_job {
  std::unique_ptr<detail::offloaded> work;
  rts::process_system* system;
  from caller;
  rts::offloads::entry listed;

  owned_job() = default;
  owned_job(owned_job const&) = delete;
  owned_job& operator=(owned_job const&) = delete;
  ~owned_job() {
    if (listed.back != nullptr) system->jobs.remove(listed);
  }

  void run() noexcept override {
    std::unique_ptr<owned_job> self(this);
    detail::envelope_ptr reply;
    exit_reason why;
    rts::pool_memory memory(*system);  // a slab for what the job makes
    try {
      reply = work->run();
    } catch (...) {
      why = exit_reason::from_current_exception();
    }
    work.reset();
    system->jobs.remove(listed);  // its code has run; what it made is seen once `memory` has gone
    detail::envelope* e = nullptr;
    if (reply) {
      auto* r = static_cast<detail::id_envelope*>(reply.release());
      r->id = rts::id_of(caller.call());
      r->extra = 1;  // no process answered
      e = r;
    } else {
      try {
        auto* f = rts::make_signal<rts::call_failed_signal>(detail::signal_kind::call_failed);
        f->id = rts::id_of(caller.call());
        f->reason = std::move(why);
        e = f;
      } catch (...) {
        return;  // the requester's time-out tells it
      }
    }
    std::uint64_t const to = rts::pid_access::bits(caller.caller());
    if (!rts::push(*system, to, e)) detail::delete_envelope(e);
  }
};

}  // namespace

void detail::run_blocking(void (*job)(void*) noexcept, void* argument) {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  here const at = here::in_process();
  process& self = *at.self;
  if (self.attached()) {  // it may block itself: its thread is nobody else's
    job(argument);
    return;
  }
  self.checkpoint();
  self.require_suspendable();
  waited_job work;
  work.job = job;
  work.argument = argument;
  work.system = at.system;
  work.owner = self.bits();
  at.system->sched().submit_blocking(work);
  {
    rts::waiting mark(self, rts::wait_place::blocking);
    self.wait_for(work.signal);
  }
  self.exit_if_asked();
}

request_id detail::run_offloaded(std::unique_ptr<offloaded> job) {
  runtime_entry entry;
  rts::refuse_abandoned(entry);
  here const at = here::in_process();
  auto work = std::make_unique<owned_job>();
  auto* mine = ::new (at.memory->allocate(sizeof(rts::own_ref))) rts::own_ref;
  mine->id = at.self->next_id();
  mine->what = rts::own_ref::purpose::request;
  mine->target = 1;  // no process: nothing to cancel
  at.self->add_own_ref(*mine);
  at.self->messages().mark(mine->id);
  request_id const id(at.self->make_own_ref(mine->id));
  work->work = std::move(job);
  work->system = at.system;
  work->caller = from(id);
  // The first word of a class with virtual functions, in the C++ ABI that gcc and clang share.
  work->listed.code = *reinterpret_cast<void const* const*>(work->work.get());
  work->listed.asked_by = at.self->bits();
  at.system->jobs.add(work->listed);
  try {
    at.system->sched().submit_blocking(*work);
  } catch (...) {
    at.self->forget_own_ref(*mine);
    throw;
  }
  work.release();
  return id;
}

}  // namespace otter
