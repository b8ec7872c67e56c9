// main.cpp - otter's program of the benchmarks: runs one row, once.

#include "rows.hpp"

namespace bench {

std::span<row const> rows() {
  static constexpr row all[] = {
      {"spawn_exit", spawn_exit},
      {"spawn_idle", spawn_idle},
      {"ping_pong", ping_pong},
      {"ring", ring},
      {"many_to_one", many_to_one},
      {"one_to_many", one_to_many},
      {"all_to_all", all_to_all},
      {"skynet", skynet},
      {"call", call},
      {"call_long_mailbox", call_long_mailbox},
      {"behaviour_cost", behaviour_cost},
      {"dynamic_child", dynamic_child},
      {"echo", echo},
      {"timer_set_cancel", timer_set_cancel},
      {"timer_lateness", timer_lateness},
      {"fairness", fairness},
      {"idle", idle},
      {"send_only", send_only},
      {"receive_only", receive_only},
      {"question_only", question_only},
  };
  return all;
}

}  // namespace bench

int main(int argc, char** argv) {
  bench::job const job(argc, argv);
  for (bench::row const& row : bench::rows()) {
    if (job.row() == row.name) {
      row.run(job);
      return 0;
    }
  }
  std::fprintf(stderr, "no row '%s'; there are:", job.row().c_str());
  for (bench::row const& row : bench::rows()) std::fprintf(stderr, " %s", row.name);
  std::fprintf(stderr, "\n");
  return 2;
}
