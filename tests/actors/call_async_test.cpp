// Plain threads that ask servers.

#include <atomic>
#include <catch2/catch.hpp>
#include <future>
#include <otter/call_async.hpp>
#include <otter/gen_server.hpp>
#include <otter/node.hpp>
#include <string>
#include <thread>
#include <vector>

namespace call_async_test {

using namespace std::chrono_literals;

class adder : public otter::gen_server<adder> {
 public:
  struct add {
    using reply = int;
    int by;
  };
  struct touch {
    using reply = void;
  };
  struct never {
    using reply = std::string;
  };
  using accepts = otter::accepts<add, touch, never>;

  int handle_call(add a) { return sum_ += a.by; }
  void handle_call(touch) { ++sum_; }
  otter::call_outcome<std::string> handle_call(never) { return noreply(); }

 private:
  int sum_ = 0;
};

/// A node with an adder that is named "adder".
struct with_adder {
  with_adder() : node({.workers = 2, .on_event = [](otter::node_event const&) {}}) {
    std::promise<otter::server_ref<adder>> started;
    node.spawn([&] { started.set_value(adder::start({.name = "adder"}).value()); });
    server = started.get_future().get();
  }
  otter::node node;
  otter::server_ref<adder> server;
};

template <class T>
std::string failure_of(std::future<T> f) {
  try {
    f.get();
  } catch (otter::process_exit const& e) {
    return to_string(e.reason().cause());
  } catch (std::exception const& e) {
    return e.what();
  }
  return "none";
}

}  // namespace call_async_test

using namespace call_async_test;

TEST_CASE("a plain thread gets the answer of a server as a future", "[bridge]") {
  with_adder w;
  CHECK(otter::call_async(w.node, w.server, adder::add{2}).get() == 2);
  otter::call_async(w.node, "adder", adder::touch{}).get();
  CHECK(otter::call_async(w.node, w.server.process(), adder::add{3}).get() == 6);
}

TEST_CASE("the future throws what the call throws", "[bridge]") {
  with_adder w;
  CHECK(failure_of(otter::call_async(w.node, "nobody", adder::add{1})) == "noproc");
  CHECK(failure_of(otter::call_async(w.node, w.server, adder::never{}, 1ms)) == "timeout");
  CHECK(
      failure_of(otter::call_async(w.node, w.server, adder::add{1}, -1ms)).find("timeout_value") !=
      std::string::npos);
}

TEST_CASE("many threads ask at once, and each gets its own answer", "[bridge]") {
  with_adder w;
  std::atomic<long> sum{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      std::vector<std::future<int>> answers;
      for (int i = 0; i < 50; ++i)
        answers.push_back(otter::call_async(w.node, w.server, adder::add{1}));
      for (auto& a : answers) sum += a.get();
    });
  for (std::thread& t : threads) t.join();
  CHECK(sum == 200L * 201 / 2);  // 1 .. 200, each once
}

TEST_CASE("a future that the node leaves open at its stop throws", "[bridge]") {
  std::future<std::string> open;
  {
    with_adder w;
    open = otter::call_async(w.node, w.server, adder::never{}, otter::infinity);
    w.node.stop();
    REQUIRE_THROWS_AS(otter::call_async(w.node, w.server, adder::add{1}), otter::error);
  }
  CHECK(failure_of(std::move(open)) != "none");
}
