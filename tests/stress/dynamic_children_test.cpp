// Very many children of one supervisor.

#include <catch2/catch.hpp>
#include <otter/dynamic_supervisor.hpp>
#include <otter/exit.hpp>
#include <otter/gen_server.hpp>
#include <otter/process_info.hpp>
#include <vector>

#include "stress.hpp"

namespace {

class session : public otter::gen_server<session> {
 public:
  struct ping {
    using reply = int;
  };
  using accepts = otter::accepts<ping>;
  explicit session(int number) : number_(number) {}
  int handle_call(ping) { return number_; }

 private:
  int number_;
};

otter::child_spec session_spec(int number) {
  return {.start = [number] { return session::start_link(number); },
          .restart = otter::restart_type::temporary};
}

}  // namespace

TEST_CASE("a hundred thousand children are started, answer, and are stopped one by one and at once",
          "[stress][DS-1][SUP-37]") {
  int const count = stress::sized(10'000, 100'000);
  unsigned const workers = GENERATE(from_range(stress::worker_counts()));
  bool all_answered = true, all_stopped = true;
  std::size_t ran = 0, left = 0, alive = 0;
  auto const round = [&] {
    otter::trap_exit(true);  // linked to what is stopped below
    auto const sup = otter::dynamic_supervisor::start_link().value();
    std::vector<otter::pid> all;
    for (int i = 0; i != count; ++i)
      all.push_back(otter::dynamic_supervisor::start_child(sup, session_spec(i)).value());
    ran = otter::dynamic_supervisor::count_children(sup).active;
    for (int i = 0; i < count; i += 100)
      all_answered &= otter::call(all[static_cast<std::size_t>(i)], session::ping{}) == i;
    // Every second one: where one stood among the others must not matter.
    for (std::size_t i = 0; i < all.size(); i += 2)
      all_stopped &= otter::dynamic_supervisor::terminate_child(sup, all[i]).has_value();
    left = otter::dynamic_supervisor::count_children(sup).active;
    otter::stop(sup, otter::exit_reason::shutdown());
    alive = 0;
    for (otter::pid const p : all) alive += otter::is_alive(p) ? 1 : 0;
  };
  stress::rounds("dynamic children", {.workers = workers, .rounds = stress::sized(2, 8)}, round);
  CHECK(ran == static_cast<std::size_t>(count));
  CHECK(all_answered);
  CHECK(all_stopped);
  CHECK(left == static_cast<std::size_t>(count) / 2);
  CHECK(alive == 0);
}
