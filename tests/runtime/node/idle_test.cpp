// A node at rest does nothing.

#include <dirent.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <otter/attached_thread.hpp>
#include <otter/exit.hpp>
#include <otter/message.hpp>
#include <otter/monitor.hpp>
#include <otter/node.hpp>
#include <otter/reactive.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <string>
#include <vector>

using namespace std::chrono_literals;

namespace {

struct here_i_am {};

class at_rest final : public otter::reactive {
 public:
  explicit at_rest(otter::pid test) : test_(test) {}
  void start() override { otter::send(test_, here_i_am{}); }
  void handle(otter::event&) override {}

 private:
  otter::pid test_;
};

struct activity {
  std::uint64_t switches = 0;  ///< of the threads but this one, of both kinds
  std::uint64_t ticks = 0;     ///< of processor time that they have used
  friend bool operator==(activity const&, activity const&) = default;
};

/// What the other threads of this OS process have done so far.
activity of_the_others() {
  activity sum;
  DIR* const tasks = ::opendir("/proc/self/task");
  REQUIRE(tasks != nullptr);
  auto const own = std::to_string(::syscall(SYS_gettid));
  while (dirent const* const entry = ::readdir(tasks)) {
    if (entry->d_name[0] == '.' || own == entry->d_name) continue;
    std::string const task = std::string("/proc/self/task/") + entry->d_name;
    char line[1024];
    if (std::FILE* const f = std::fopen((task + "/status").c_str(), "r")) {
      unsigned long long n = 0;
      while (std::fgets(line, sizeof line, f) != nullptr)
        if (std::sscanf(line, "voluntary_ctxt_switches: %llu", &n) == 1 ||
            std::sscanf(line, "nonvoluntary_ctxt_switches: %llu", &n) == 1)
          sum.switches += n;
      std::fclose(f);
    }
    if (std::FILE* const f = std::fopen((task + "/schedstat").c_str(), "r")) {
      unsigned long long ns = 0;
      if (std::fscanf(f, "%llu", &ns) == 1) sum.ticks += ns;
      std::fclose(f);
    }
  }
  ::closedir(tasks);
  return sum;
}

/// To see that nothing happens takes time; how much decides only how much would be noticed.
void let_time_pass(std::chrono::milliseconds time) {
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, time, [] { return false; });
}

}  // namespace

TEST_CASE("a node with a thousand processes at rest uses no processor and wakes nobody",
          "[node][idle]") {
  otter::node node({.workers = 4});
  otter::node with_ring({.workers = 2, .poller = otter::poller_kind::io_uring});  // rests beside it
  CHECK(with_ring.run([] {}).is_normal_exit());
  std::vector<otter::pid> all;
  {
    otter::attached_thread me(node);
    otter::pid const test = otter::self();
    for (int i = 0; i < 500; ++i) {
      all.push_back(otter::spawn_reactive({}, otter::make_reactive<at_rest>(test)));
      all.push_back(otter::spawn([test] {
        otter::send(test, here_i_am{});
        otter::receive([](double) {});
      }));
    }
    for (std::size_t i = 0; i < all.size(); ++i) otter::receive([](here_i_am) {});
  }
  // It comes to rest: memory is put in order, and the watchdog looks around for another second.
  bool rests = false;
  for (int i = 0; i < 100 && !rests; ++i) {
    activity const before = of_the_others();
    let_time_pass(300ms);
    rests = of_the_others() == before;
  }
  REQUIRE(rests);
  std::uint64_t const wakeups = node.statistics().wakeups;
  std::uint64_t const wakeups_with_ring = with_ring.statistics().wakeups;
  activity const before = of_the_others();
  let_time_pass(1500ms);
  activity const after = of_the_others();
  CHECK(after.switches == before.switches);
  CHECK(after.ticks == before.ticks);
  CHECK(node.statistics().wakeups == wakeups);
  CHECK(with_ring.statistics().wakeups == wakeups_with_ring);
  CHECK(node.statistics().processes == all.size());

  // And it is there at once when it is wanted.
  otter::attached_thread me(node);
  otter::spawn([test = otter::self()] { otter::send(test, here_i_am{}); });
  otter::receive([](here_i_am) {});
  SUCCEED("it wakes");
}
