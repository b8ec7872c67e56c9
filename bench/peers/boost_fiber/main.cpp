// Boost.Fiber's program of the benchmarks: fibers and channels. One worker: the default scheduler.
// More: its work_stealing one on as many threads, as its documentation sets it up.

#include <atomic>
#include <boost/fiber/all.hpp>
#include <functional>
#include <map>
#include <memory>
#include <thread>

#include "../../measure.hpp"

namespace {

namespace fibers = boost::fibers;
using bench::job;
using u64 = std::uint64_t;
template <class T>
using channel = fibers::buffered_channel<T>;

bench::stopwatch warmed(u64 n, std::function<void(u64)> const& round) {
  round(n / 10);
  bench::stopwatch watch;
  watch.start();
  round(n);
  watch.stop();
  return watch;
}

void spawn_exit(job const& j) {
  u64 const n = j.number("n", 1'000'000);
  auto const watch = warmed(n, [](u64 k) {
    std::vector<fibers::fiber> batch;
    for (u64 left = k; left >= 100; left -= 100) {
      for (int i = 0; i < 100; ++i) batch.emplace_back([] {});
      for (auto& f : batch) f.join();
      batch.clear();
    }
  });
  bench::print_time("spawn_exit", watch, n);
}

/// Wait for a message each: on a mutex and a condition that all share, the smallest thing to wait
/// for.
struct waiting_room {
  fibers::mutex mutex;
  fibers::condition_variable woken;
  std::atomic<u64> inside{0};

  void fill(u64 n) {
    u64 const wanted = inside + n;
    for (u64 i = 0; i < n; ++i) {
      fibers::fiber([this] {
        std::unique_lock<fibers::mutex> lock(mutex);
        ++inside;
        woken.wait(lock);
      }).detach();
      if (i % 100 == 99) boost::this_fiber::yield();
    }
    while (inside < wanted) boost::this_fiber::yield();
  }
};

void spawn_idle(job const& j) {
  u64 const n = j.number("n", 1'000'000);
  auto* const room = new waiting_room;
  room->fill(1000);
  double const before = bench::resident_bytes();
  bench::stopwatch watch;
  watch.start();
  room->fill(n);
  watch.stop();
  bench::print_time("spawn_idle", watch, n);
  bench::print_result("idle_bytes", (bench::resident_bytes() - before) / double(n), "B");
}

void idle(job const& j) {
  auto* const room = new waiting_room;
  room->fill(j.number("n", 100'000));
  bench::wait_until_told();
}

void ping_pong(job const& j) {
  u64 const n = j.number("n", 1'000'000);
  auto const watch = warmed(n, [](u64 k) {
    channel<u64> ping{16}, pong{16};
    fibers::fiber b([&] {
      for (u64 p : ping) pong.push(p);
    });
    fibers::fiber a([&] {
      for (u64 i = 0; i < k; ++i) {
        ping.push(i);
        bench::keep(pong.value_pop());
      }
      ping.close();
    });
    a.join();
    b.join();
  });
  bench::print_time("ping_pong", watch, n);
}

void ring(job const& j) {
  u64 const n = j.number("n", 1'000'000), tokens = j.number("tokens", 1);
  u64 const size = j.number("size", 503);
  std::vector<std::unique_ptr<channel<u64>>> stations;
  for (u64 i = 0; i < size; ++i) stations.push_back(std::make_unique<channel<u64>>(128));
  channel<u64> finished{128};
  for (u64 i = 0; i < size; ++i) {
    fibers::fiber([&, i] {
      for (u64 hops : *stations[i]) {
        if (hops == 0)
          finished.push(1);
        else
          stations[(i + 1) % size]->push(hops - 1);
      }
    }).detach();
  }
  auto const watch = warmed(n, [&](u64 k) {
    for (u64 t = 0; t < tokens; ++t) stations[t * size / tokens]->push(k / tokens);
    for (u64 t = 0; t < tokens; ++t) bench::keep(finished.value_pop());
  });
  bench::print_time(tokens == 1 ? "ring_1" : "ring_100", watch, n);
  std::_Exit(0);
}

void flood(char const* bench, u64 senders, u64 receivers, u64 each) {
  auto const watch = warmed(each, [=](u64 k) {
    std::vector<std::unique_ptr<channel<u64>>> to;
    std::vector<fibers::fiber> all;
    for (u64 r = 0; r < receivers; ++r) {
      to.push_back(std::make_unique<channel<u64>>(1024));
      all.emplace_back([&mailbox = *to.back(), k, senders] {
        u64 sum = 0;
        for (u64 i = 0; i < k * senders; ++i) sum += mailbox.value_pop();
        bench::keep(sum);
      });
    }
    for (u64 s = 0; s < senders; ++s) {
      all.emplace_back([&to, k] {
        for (u64 i = 0; i < k; ++i) {
          for (auto& mailbox : to) mailbox->push(i);
        }
      });
    }
    for (auto& f : all) f.join();
  });
  bench::print_throughput(bench, watch, senders * receivers * each);
}
void many_to_one(job const& j) {
  flood("many_to_one", j.number("senders", 20), 1, j.number("n", 200'000));
}
void one_to_many(job const& j) {
  flood("one_to_many", 1, j.number("receivers", 60), j.number("n", 200'000));
}

struct mail {
  bool is_ping;
  u64 from;
};

void all_to_all(job const& j) {
  u64 const size = j.number("size", 120), each = j.number("n", 10'000);
  auto const watch = warmed(each, [size](u64 k) {
    std::vector<std::unique_ptr<channel<mail>>> boxes;
    for (u64 i = 0; i < size; ++i) boxes.push_back(std::make_unique<channel<mail>>(256));
    std::vector<fibers::fiber> all;
    std::atomic<u64> playing{size};
    for (u64 own = 0; own < size; ++own) {
      all.emplace_back([&, own, k] {
        u64 left = k, next = own;
        auto const serve = [&] {
          next = (next + 1) % size;
          if (next == own) next = (next + 1) % size;
          boxes[next]->push({true, own});
        };
        serve();
        for (mail m : *boxes[own]) {
          if (m.is_ping)
            boxes[m.from]->push({false, own});
          else if (--left > 0)
            serve();
          else if (--playing == 0)
            for (auto& box : boxes) box->close();
        }
      });
    }
    for (auto& f : all) f.join();
  });
  bench::print_time("all_to_all", watch, size * each);
}

u64 branch(u64 first, u64 leaves) {
  if (leaves == 1) return first;
  u64 const share = leaves / 10;
  std::vector<fibers::future<u64>> children;
  for (u64 i = 0; i < 10; ++i) children.push_back(fibers::async(branch, first + i * share, share));
  u64 sum = 0;
  for (auto& child : children) sum += child.get();
  return sum;
}

void skynet(job const& j) {
  auto const watch = warmed(j.number("n", 1'000'000), [](u64 n) {
    if (fibers::async(branch, u64{0}, n).get() != n * (n - 1) / 2) std::abort();
  });
  bench::print_result("skynet", watch.ns() / 1e6, "ms");
}

void call(job const& j) {
  u64 const n = j.number("n", 1'000'000);
  struct request {
    int by;
    fibers::promise<int>* answer;
  };
  channel<request> requests{16};
  fibers::fiber server([&] {
    int value = 0;
    for (request r : requests) r.answer->set_value(value += r.by);
  });
  auto const watch = warmed(n, [&](u64 k) {
    for (u64 i = 0; i < k; ++i) {
      fibers::promise<int> answer;
      auto answered = answer.get_future();
      requests.push({1, &answer});
      bench::keep(answered.get());
    }
  });
  requests.close();
  server.join();
  bench::print_time("call", watch, n);
}

void timer_lateness(job const& j) {
  u64 const n = j.number("n", 100'000);
  std::vector<std::int64_t> late(n);
  std::vector<fibers::fiber> all;
  auto const begin = std::chrono::steady_clock::now();
  for (u64 i = 0; i < n; ++i) {
    auto const due =
        begin + std::chrono::nanoseconds(500'000'000 + std::int64_t(2e9 / double(n) * double(i)));
    all.emplace_back([&late, due, i] {
      boost::this_fiber::sleep_until(due);
      late[i] = std::chrono::duration_cast<std::chrono::nanoseconds>(
                    std::chrono::steady_clock::now() - due)
                    .count();
    });
  }
  for (auto& f : all) f.join();
  std::sort(late.begin(), late.end());
  bench::print_result("timer_lateness_p50", double(bench::percentile(late, 0.50)) / 1e3, "us");
  bench::print_result("timer_lateness_p99", double(bench::percentile(late, 0.99)) / 1e3, "us");
}

void fairness(job const& j) {
  std::int64_t const end = bench::now_ns() + std::int64_t(j.number("seconds", 3)) * 1'000'000'000;
  unsigned const spinners = j.text("spin", "plain") == "none" ? 0 : j.workers();
  std::int64_t served = bench::now_ns();
  std::vector<double> took;
  took.reserve(30'000'000);
  std::vector<fibers::fiber> all;
  for (unsigned i = 0; i < spinners; ++i) {
    all.emplace_back([end] {
      while (bench::now_ns() < end + 100'000'000) {
        for (int k = 0; k < 1000; ++k) bench::keep(k);
      }
    });
  }
  channel<u64> ping{16}, pong{16};
  fibers::fiber b([&] {
    for (u64 p : ping) pong.push(p);
  });
  fibers::fiber a([&] {
    std::int64_t now = 0;
    do {
      ping.push(1);
      bench::keep(pong.value_pop());
      now = bench::now_ns();
      took.push_back(double(now - served) / 1e3);
      served = now;
    } while (now < end);
    ping.close();
  });
  a.join();
  b.join();
  for (auto& f : all) f.join();
  std::sort(took.begin(), took.end());
  bench::print_result("fairness_p50", bench::percentile(took, 0.50), "us");
  bench::print_result("fairness_p99", bench::percentile(took, 0.99), "us");
  bench::print_result("fairness_max", took.back(), "us");
}

}  // namespace

int main(int argc, char** argv) {
  bench::job const j(argc, argv);
  std::map<std::string, void (*)(job const&)> const rows = {
      {"spawn_exit", spawn_exit},
      {"spawn_idle", spawn_idle},
      {"ping_pong", ping_pong},
      {"ring", ring},
      {"many_to_one", many_to_one},
      {"one_to_many", one_to_many},
      {"all_to_all", all_to_all},
      {"skynet", skynet},
      {"call", call},
      {"timer_lateness", timer_lateness},
      {"fairness", fairness},
      {"idle", idle},
  };
  auto const row = rows.find(j.row());
  if (row == rows.end()) {
    std::fprintf(stderr, "no row '%s'\n", j.row().c_str());
    return 2;
  }
  for (unsigned i = 1; i < j.workers(); ++i) {
    std::thread([workers = j.workers()] {
      fibers::use_scheduling_algorithm<fibers::algo::work_stealing>(workers, true);
      fibers::mutex mutex;
      fibers::condition_variable never;
      std::unique_lock<fibers::mutex> lock(mutex);
      while (true) never.wait(lock);  // this thread's main fiber sleeps, the others run
    }).detach();
  }
  if (j.workers() > 1)
    fibers::use_scheduling_algorithm<fibers::algo::work_stealing>(j.workers(), true);
  row->second(j);
  std::fflush(stdout);
  std::_Exit(0);
}
