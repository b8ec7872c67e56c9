#pragma once

// io/receive_loop.hpp - the loop of all receives: an attempt under the port's lock, else wait.

#include <optional>

#include "io/entry.hpp"

namespace otter::rts {

/// `attempt(port&, wakes&)` gives an outcome, or nothing: it must wait. Exits: may.
template <class Result, class Attempt>
tcp_result<Result> receive_at(process& self, detail::port_name name, duration limit,
                              Attempt attempt) {
  wait_limit until(due_after(self, limit));
  self.charge(4);
  marks_of(self, name);
  std::optional<waiting_place> place;
  for (;;) {
    port* at = nullptr;
    {
      wakes woken;
      held_port p(self, name);
      if (!p) return io_failure(tcp_errc::closed);
      waiter* const mine = place ? &place->entry() : nullptr;
      if (std::error_code const why = p->receive_refused(mine)) return tl::unexpected(why);
      std::optional<tcp_result<Result>> result = attempt(*p, woken);
      if (result) return std::move(*result);
      at = &*p;
      if (place) {
        p->reader = mine;
        mine->listed = true;
      }
    }
    if (!place) {
      place.emplace(self, *at, wait_place::tcp_recv);
      continue;  // enters it, and looks again: an event may have come in between
    }
    if (!place->wait(until)) return io_failure(tcp_errc::timeout);
  }
}

}  // namespace otter::rts
