// What the compiler has to refuse, and say why: with -DCASE=n, the n-th case. Each begins with a
// line
//
//   // CASE n: what it must say | what else, the type that is meant for instance
//
// and `run` compiles them one by one. CASE 0 is the file without any, which compiles.
#include <atomic>
#include <chrono>
#include <memory>
#include <otter/blocking.hpp>
#include <otter/exit.hpp>
#include <otter/message.hpp>
#include <otter/process_info.hpp>
#include <otter/reactive.hpp>
#include <otter/receive.hpp>
#include <otter/request.hpp>
#include <otter/spawn.hpp>
#include <otter/timer.hpp>

using namespace std::chrono_literals;

struct shape {
  int sides;
};
struct fixed {
  std::atomic<int> n;
};
struct unique_shape {
  std::unique_ptr<int> sides;
};

[[maybe_unused]] static void wrong() {
  [[maybe_unused]] otter::pid const p;
  [[maybe_unused]] shape s{3};
#if CASE == 1
  // CASE 1: a pointer is not a message | shape*
  otter::send(p, &s);
#elif CASE == 2
  // CASE 2: an array (or string literal) is not a message | char
  otter::send(p, "text");
#elif CASE == 3
  // CASE 3: a message must be a movable object | fixed
  fixed f{};
  otter::send(p, f);
#elif CASE == 4
  // CASE 4: a receive clause is a lambda with exactly one parameter | lambda
  otter::receive([](auto x) { return x; });
#elif CASE == 5
  // CASE 5: a receive needs a clause | receive
  otter::receive();
#elif CASE == 6
  // CASE 6: a receive has one after() at most | after
  otter::receive([](shape) {}, otter::after(1s), otter::after(2s));
#elif CASE == 7
  // CASE 7: either all clauses of a receive return a value, or none does | lambda
  otter::receive([](shape) {}, [](int n) { return n; });
#elif CASE == 8
  // CASE 8: this function cannot be called with these arguments | shape
  otter::spawn(
      otter::spawn_options{}, [](int) {}, s);
#elif CASE == 9
  // CASE 9: the body must derive from reactive | shape
  otter::make_reactive<shape>(s);
#elif CASE == 10
  // CASE 10: use of deleted function | otter::exit(int)
  otter::exit(1);
#elif CASE == 11
  // CASE 11: an offloaded function returns its answer | lambda
  otter::offload([] {});
#elif CASE == 12
  // CASE 12: no item has a value of this type | float
  otter::process_info<float>(p, otter::info_item::memory);
#elif CASE == 13
  // CASE 13: an any_message is owned by one | any_message
  otter::any_message m;
  otter::send(p, m);
#elif CASE == 14
  // CASE 14: an interval sends copies | unique_shape
  otter::send_interval(1s, p, unique_shape{});
#elif CASE == 15
  // CASE 15: this message cannot be called, since it does not name its answer | shape
  otter::call(p, s);
#endif
}
