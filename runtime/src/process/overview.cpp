#include "process/overview.hpp"

#include <malloc.h>

#include <otter/reactive.hpp>

#include "process/process.hpp"

namespace otter::rts {

/// The private parts of a process, for reading.
struct process_overview {
  static void show(process& p, process_visitor& v) {
    if (!p.inbox_.is_open()) return;
    each(p.inbox_.waiting(), process_place::mailbox, v);
    each(*p.mailbox_.first(), process_place::mailbox, v);
    if (envelope const* const oldest = p.system_messages_.front(); oldest != nullptr) {
      envelope const* e = oldest;
      do {
        v.signal(process_place::mailbox, *e);
        e = e->next;
      } while (e != oldest);
    }
    p.open_requests_.for_each([&](request_envelope& r) { v.signal(process_place::request, r); });
    p.own_refs_.for_each([&](own_ref& r) {
      v.entry(&r);
      if (r.tag != nullptr) v.signal(process_place::monitor, *r.tag);
    });
    for (awaited_call const* c = p.call_; c != nullptr; c = c->outer)
      if (c->answer != nullptr) v.signal(process_place::call, *c->answer);
    if (p.extra_ != nullptr) each(p.extra_->values, process_place::dictionary, v);
    bodies(p.body_, v);
    if (p.frames != nullptr) v.frames(*p.frames);
  }

 private:
  static void each(envelope const* e, process_place where, process_visitor& v) {
    for (; e != nullptr; e = e->next) v.signal(where, *e);
  }

  static void bodies(reactive* body, process_visitor& v) {
    while (body != nullptr) {
      auto const* const block = static_cast<std::byte const*>(dynamic_cast<void const*>(body));
      // See detail::allocate_body(): one that a plain thread made has a block of its own.
      if ((reinterpret_cast<std::uintptr_t>(block) & 63) != 16) {
        v.body({block, 1}, true);
      } else {
        std::byte const* const start = block - 16;
        v.body({start, ::malloc_usable_size(const_cast<std::byte*>(start))}, false);
      }
      reactive_ptr* const inner = body->inner();
      body = inner != nullptr ? inner->get() : nullptr;
    }
  }
};

void overview(process& of, process_visitor& visitor) { process_overview::show(of, visitor); }

}  // namespace otter::rts
