// call.cpp - what does it cost to ask a server, and have the answer, when nothing else goes on?
//
// A gen_server's call with everything that belongs to it: the caller hears at once if the server
// ends, waits five seconds at most, and a late answer is dropped. behaviour: the caller is a
// gen_server in a callback. free: it is a function. debug=over: the server was traced once, and is
// no more.

#include <otter/gen_server.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <otter/sys.hpp>

#include "rows.hpp"

namespace bench {
namespace {

class counter : public otter::gen_server<counter> {
 public:
  struct add {
    int by;
    using reply = int;
  };
  using accepts = otter::accepts<add>;
  int handle_call(add a) { return value_ += a.by; }

 private:
  int value_ = 0;
};

void call_often(otter::server_ref<counter> server, std::uint64_t n) {
  for (std::uint64_t i = 0; i < n; ++i) keep(otter::call(server, counter::add{1}));
}

class customer : public otter::gen_server<customer> {
 public:
  struct visit {
    otter::server_ref<counter> server;
    std::uint64_t times;
    using reply = void;
  };
  using accepts = otter::accepts<visit>;
  void handle_call(visit v) { call_often(v.server, v.times); }
};

}  // namespace

void call(job const& j) {
  std::uint64_t const n = j.number("n", 1'000'000);
  in_node(j, [&] {
    auto const server = counter::start().value();
    if (j.text("debug", "never") == "over") {
      otter::sys::log(server);
      otter::sys::statistics(server, otter::sys::debugging::on);
      otter::sys::no_debug(server);
    }
    stopwatch watch;
    if (is_free(j)) {
      call_often(server, n / 10);
      watch.start();
      call_often(server, n);
      watch.stop();
    } else {
      auto const caller = customer::start().value();
      otter::call(caller, customer::visit{server, n / 10}, otter::infinity);
      watch.start();
      otter::call(caller, customer::visit{server, n}, otter::infinity);
      watch.stop();
      otter::stop(caller);
    }
    otter::stop(server);
    print_time("call", watch, n);
  });
}

}  // namespace bench
