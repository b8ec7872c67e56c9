// 16: overload - more comes than can be done: refused early, shared by several, or not asked at
// all.
//
// A market in virtual time, so that what takes a minute takes none. Its till is slower than its
// customers come: without a policy nearly all of them leave before it is their turn, and the till
// works for people who have gone. Its bakery has two ovens and a short queue. Its supplier does not
// answer for a while, and a circuit spares everybody the wait.
//
// Try: another max_calls; more ovens; `.trials = 3`.

#include <fmt/format.h>

#include <chrono>
#include <otter/circuit.hpp>
#include <otter/gen_server.hpp>
#include <otter/monitor.hpp>
#include <otter/receive.hpp>
#include <otter/simulation.hpp>
#include <otter/spawn.hpp>
#include <otter/worker_pool.hpp>
#include <string>
#include <vector>

using namespace std::chrono_literals;

namespace {

// --- a till ---

class till : public otter::gen_server<till> {
 public:
  struct pay {
    using reply = void;
  };
  using accepts = otter::accepts<pay>;
  otter::busy_policy busy;

  explicit till(otter::busy_policy policy) : busy(policy) {}
  void handle_call(pay) { otter::sleep_for(517ms); }
};

struct outcome_of_a_visit {
  otter::exit_kind kind;  // normal: paid
};

/// A hundred customers, one every 200 ms; each waits for 2 s.
void a_day(char const* title, otter::busy_policy policy) {
  auto const server = till::start_link(policy).value();
  for (int i = 0; i != 100; ++i) {
    otter::spawn([server, me = otter::self()] {
      auto const paid = otter::try_call(server, till::pay{}, 1990ms);
      otter::send(me, outcome_of_a_visit{paid ? otter::exit_kind::normal : paid.error().kind()});
    });
    otter::sleep_for(200ms);
  }
  int paid = 0, refused = 0, left = 0;
  for (int i = 0; i != 100; ++i)
    otter::receive([&](outcome_of_a_visit v) {
      ++(v.kind == otter::exit_kind::normal ? paid
         : v.kind == otter::exit_kind::busy ? refused
                                            : left);
    });
  otter::stop(server);
  fmt::print("{}: {} paid, {} were told to come later, {} waited for nothing\n", title, paid,
             refused, left);
}

// --- a bakery ---

class oven : public otter::gen_server<oven> {
 public:
  struct bake {
    using reply = std::string;
    std::string what;
    otter::duration time;
  };
  using accepts = otter::accepts<bake>;

  explicit oven(unsigned number) : number_(number) {}
  std::string handle_call(bake b) {
    otter::sleep_for(b.time);
    return fmt::format("{} from oven {}", b.what, number_);
  }

 private:
  unsigned number_;
};

inline const otter::worker_pool<oven> bakery{"bakery"};

void a_morning() {
  bakery
      .start_link({.start = [](unsigned number) { return oven::start_link(number); }},
                  {.workers = 2, .max_queue = 1})
      .value();
  std::vector<otter::sent_request<std::string>> orders;
  orders.push_back(bakery.send_request_by_key(0, oven::bake{"bread", 40min}));
  orders.push_back(bakery.send_request(oven::bake{"rolls", 10min}));
  orders.push_back(bakery.send_request(oven::bake{"cake", 50min}));
  orders.push_back(bakery.send_request(oven::bake{"one more", 1min}));
  for (auto const& order : orders) {
    auto const done = *otter::receive_response(order);
    fmt::print("{}\n", done ? *done : to_string(done.error()));
  }
}

// --- a supplier ---

class supplier : public otter::gen_server<supplier> {
 public:
  struct order {
    using reply = std::string;
  };
  struct wake {};
  using accepts = otter::accepts<order, wake>;

  otter::call_outcome<std::string> handle_call(order) {
    if (!awake_) return noreply();
    return reply(std::string("flour"));
  }
  void handle_cast(wake) { awake_ = true; }

 private:
  bool awake_ = false;
};

inline const otter::circuit supplier_circuit{"supplier"};

void ask(otter::pid server) {
  auto const got = supplier_circuit.try_call(server, supplier::order{}, 1s);
  fmt::print("{}\n", got ? *got : to_string(got.error()));
}

void an_order() {
  supplier_circuit.start_link({.failures = 3, .window = 1min, .open_for = 30s}).value();
  auto const server = supplier::start_link().value();
  for (int i = 0; i != 4; ++i) ask(server);
  otter::cast(server, supplier::wake{});
  otter::sleep_for(31s);
  ask(server);
  fmt::print("the circuit is {}\n", to_string(supplier_circuit.status().state));
}

}  // namespace

int main() {
  otter::simulation_options quiet;
  quiet.node.on_event = [](otter::node_event const&) {};
  otter::simulation simulation(1, quiet);
  auto const end = simulation.run([] {
    a_day("serves all", {});
    a_day("refuses some", {.max_calls = 2, .stale = otter::stale_calls::skip});
    a_morning();
    an_order();
  });
  return end.finished ? 0 : 1;
}
