#pragma once

// rows.hpp - otter's rows: a function per question, each in a file of its own.
//
//   bench::rows()      all of them
//   bench::in_node()   runs a function as a process of a node made for the job

#include <exception>
#include <otter/node.hpp>
#include <span>
#include <string>

#include "../measure.hpp"

namespace bench {

struct row {
  char const* name;
  void (*run)(job const&);
};

std::span<row const> rows();

inline bool is_free(job const& j) { return j.text("form", "behaviour") == "free"; }

inline otter::node_options node_for(job const& j) {
  otter::node_options options;
  options.workers = j.workers();
#ifdef RUNNING_ON_VALGRIND
  // Fifty times slower: the watchdog would take every turn for a stall, and count itself.
  if (RUNNING_ON_VALGRIND) options.stall_limit = std::chrono::hours(1);
#endif
  return options;
}

/// A node for the time of `f()`, which runs in a process; ends the program if that fails.
template <class Function>
void in_node(job const& j, Function f) {
  int const status = otter::run(node_for(j), std::move(f));
  if (status != 0) std::exit(status);
}

// a file each
void spawn_exit(job const&);
void spawn_idle(job const&);
void ping_pong(job const&);
void ring(job const&);
void many_to_one(job const&);
void one_to_many(job const&);
void all_to_all(job const&);
void skynet(job const&);
void call(job const&);
void call_long_mailbox(job const&);
void behaviour_cost(job const&);
void dynamic_child(job const&);
void echo(job const&);
void timer_set_cancel(job const&);
void timer_lateness(job const&);
void fairness(job const&);
void idle(job const&);
// instructions.cpp
void send_only(job const&);
void receive_only(job const&);
void question_only(job const&);

}  // namespace bench
