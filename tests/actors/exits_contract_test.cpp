// The functions with which processes talk to servers and start them, and whether each may end the
// one who calls it.

#include "exits_contract.hpp"

#include <otter/alias.hpp>
#include <otter/dynamic_supervisor.hpp>
#include <otter/gen_server.hpp>
#include <otter/request.hpp>
#include <otter/supervisor.hpp>
#include <otter/sys.hpp>
#include <string>

using otter::dynamic_supervisor;
using otter::supervisor;
using otter_test::exits;
using otter_test::waits;

namespace exits_contract_test {

class oracle : public otter::gen_server<oracle> {
 public:
  struct ask {
    using reply = int;
  };
  struct hint {};
  using accepts = otter::accepts<ask, hint>;

  int handle_call(ask) { return 42; }
  void handle_cast(hint) {}
};

otter::child_spec oracle_spec(std::string id) {
  return {.id = std::move(id), .start = [] { return oracle::start_link(); }};
}

/// A server to talk to. Lives in the process that calls.
struct server_world {
  ~server_world() { otter::exit(server.process(), otter::exit_reason::kill()); }

  std::string const name = "oracle of " + otter::to_string(otter::self());
  otter::server_ref<oracle> server = oracle::start({.name = name}).value();
  otter::alias_ref alias = otter::alias();
};

/// Supervisors to ask; they end with the process that calls.
struct tree_world {
  otter::server_ref<supervisor> sup = supervisor::start_link({}, {oracle_spec("oracle")}).value();
  otter::server_ref<dynamic_supervisor> many = dynamic_supervisor::start_link().value();
};

// An answer may have come before its caller has to wait for it.
constexpr otter_test::contract_entry<server_world> functions_of_servers[] = {
    {"call", exits::may, waits::perhaps,
     [](server_world& w) { otter::call(w.server, oracle::ask{}); }},
    {"call by name", exits::may, waits::perhaps,
     [](server_world& w) { otter::call(w.name, oracle::ask{}); }},
    {"try_call", exits::may, waits::perhaps,
     [](server_world& w) { static_cast<void>(otter::try_call(w.server, oracle::ask{})); }},
    {"cast", exits::may, waits::no, [](server_world& w) { otter::cast(w.server, oracle::hint{}); }},
    {"cast by name", exits::may, waits::no,
     [](server_world& w) { otter::cast(w.name, oracle::hint{}); }},
    {"reply", exits::never, waits::no,
     [](server_world& w) { otter::reply(otter::from(w.alias), 42); }},
    {"send_request", exits::if_it_waits, waits::no,
     [](server_world& w) { otter::send_request(w.server, oracle::ask{}); }},
    {"receive_response", exits::may, waits::perhaps,
     [](server_world& w) {
       static_cast<void>(otter::receive_response(otter::send_request(w.server, oracle::ask{})));
     }},
    {"wait_response", exits::may, waits::perhaps,
     [](server_world& w) {
       static_cast<void>(
           otter::wait_response(otter::send_request(w.server, oracle::ask{}), otter::infinity));
     }},
    {"start", exits::may, waits::perhaps,
     [](server_world&) { otter::exit(oracle::start().value(), otter::exit_reason::kill()); }},
    {"start_link", exits::may, waits::perhaps,
     [](server_world&) { static_cast<void>(oracle::start_link()); }},
    {"stop", exits::may, waits::perhaps,
     [](server_world&) { otter::stop(oracle::start().value()); }},
    {"sys::get_status", exits::may, waits::perhaps,
     [](server_world& w) { static_cast<void>(otter::sys::get_status(w.server)); }},
    {"sys::suspend, sys::resume", exits::may, waits::perhaps,
     [](server_world& w) {
       otter::sys::suspend(w.server);
       otter::sys::resume(w.server);
     }},
};

constexpr otter_test::contract_entry<tree_world> functions_of_supervisors[] = {
    {"supervisor::start_link", exits::may, waits::perhaps,
     [](tree_world&) { static_cast<void>(supervisor::start_link({}, {})); }},
    {"supervisor::start_child, delete_child", exits::may, waits::perhaps,
     [](tree_world& t) {
       static_cast<void>(supervisor::start_child(t.sup, oracle_spec("another")));
       static_cast<void>(supervisor::terminate_child(t.sup, "another"));
       static_cast<void>(supervisor::delete_child(t.sup, "another"));
     }},
    {"supervisor::terminate_child, restart_child", exits::may, waits::perhaps,
     [](tree_world& t) {
       static_cast<void>(supervisor::terminate_child(t.sup, "oracle"));
       static_cast<void>(supervisor::restart_child(t.sup, "oracle"));
     }},
    {"supervisor::get_childspec", exits::may, waits::perhaps,
     [](tree_world& t) { static_cast<void>(supervisor::get_childspec(t.sup, "oracle")); }},
    {"supervisor::which_children, count_children", exits::may, waits::perhaps,
     [](tree_world& t) {
       static_cast<void>(supervisor::which_children(t.sup));
       static_cast<void>(supervisor::count_children(t.sup));
     }},
    {"dynamic_supervisor::start_link", exits::may, waits::perhaps,
     [](tree_world&) { static_cast<void>(dynamic_supervisor::start_link()); }},
    {"dynamic_supervisor::start_child, terminate_child", exits::may, waits::perhaps,
     [](tree_world& t) {
       auto const child = dynamic_supervisor::start_child(t.many, oracle_spec("one"));
       static_cast<void>(dynamic_supervisor::terminate_child(t.many, child.value()));
     }},
    {"dynamic_supervisor::which_children, count_children", exits::may, waits::perhaps,
     [](tree_world& t) {
       static_cast<void>(dynamic_supervisor::which_children(t.many));
       static_cast<void>(dynamic_supervisor::count_children(t.many));
     }},
};

}  // namespace exits_contract_test

using namespace exits_contract_test;

TEST_CASE("calls, casts, requests and starts keep what their headers say about exits",
          "[gen][exit][C0-2]") {
  on_every_driver([](driver_report& report) {
    otter_test::check_contract<server_world>(report, functions_of_servers);
  });
}

TEST_CASE("operations of supervisors keep what their headers say about exits",
          "[supervisor][exit][C0-2]") {
  on_every_driver([](driver_report& report) {
    otter_test::check_contract<tree_world>(report, functions_of_supervisors);
  });
}
