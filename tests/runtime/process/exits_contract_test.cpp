// Each public function of a process, and whether it may end the one who calls it.

#include "exits_contract.hpp"

#include <memory>
#include <otter/alias.hpp>
#include <otter/blocking.hpp>
#include <otter/detail/call.hpp>
#include <otter/dictionary.hpp>
#include <otter/link.hpp>
#include <otter/memory.hpp>
#include <otter/name.hpp>
#include <otter/node.hpp>
#include <otter/process_info.hpp>
#include <otter/random.hpp>
#include <otter/spawn_request.hpp>
#include <otter/system_monitor.hpp>
#include <otter/timer.hpp>

#include "process_support.hpp"

using namespace process_test;
using otter_test::exits;
using otter_test::waits;

namespace {

struct question {};

/// Answers questions, and takes no notice of anything else.
class answering final : public otter::reactive {
 public:
  void start() override {}
  void handle(otter::event& e) override {
    if (e.what() == otter::event::kind::request) otter::detail::reply(e.caller(), answer());
  }
  static otter::detail::envelope_ptr answer() {
    return otter::detail::pack<int>(otter::detail::signal_kind::reply, 1);
  }
};

/// The functions that a body calls on its own process.
class body_functions final : public otter::reactive {
 public:
  void start() override {}
  void handle(otter::event&) override {}
  using reactive::pause_messages;
  using reactive::shrink;
  using reactive::start_timeout;
  using reactive::stop;
  using reactive::stop_timeout;
};

/// What the calls of the table are made with. Lives in the process that calls.
struct world {
  world() {
    partner = otter::spawn_reactive({}, otter::make_reactive<answering>());
    silent = otter::spawn([] { otter::receive([](number) {}); });
    otter::register_name(name, partner);
  }
  ~world() {
    otter::exit(partner, exit_reason::kill());
    otter::exit(silent, exit_reason::kill());
  }

  std::string const name = "partner of " + otter::to_string(otter::self());
  otter::pid partner;
  otter::pid silent;  // does not answer
  otter::alias_ref alias = otter::alias();
  otter::timer_ref timer = otter::send_after(1h, otter::self(), go{});
  body_functions body;
};

otter::detail::envelope_ptr ask() {
  return otter::detail::pack<question>(otter::detail::signal_kind::request, question{});
}

using entry = otter_test::contract_entry<world>;

/// Every public function that a process calls, with the mark that stands in its header. Not here:
/// exit(reason), which always throws what it says; sockets (io/tcp_exits_test); what belongs to
/// plain threads (node, attached_thread, simulation); and what never asks the runtime for anything
/// (when, after, share, to_text, descriptors).
constexpr entry all_functions[] = {
    // spawn.hpp, reactive.hpp
    {"self", exits::never, waits::no, [](world&) { otter::self(); }},
    {"spawn", exits::may, waits::no, [](world&) { otter::spawn([] {}); }},
    {"spawn with options", exits::may, waits::no,
     [](world&) { otter::spawn(otter::spawn_options{.label = "x"}, [] {}); }},
    {"spawn_link", exits::may, waits::no, [](world&) { otter::spawn_link([] {}); }},
    {"spawn_monitor", exits::may, waits::no, [](world&) { otter::spawn_monitor([] {}); }},
    {"spawn_monitor_with_tag", exits::may, waits::no,
     [](world&) { otter::spawn_monitor_with_tag(number{1}, {}, [] {}); }},
    {"make_reactive", exits::never, waits::no, [](world&) { otter::make_reactive<answering>(); }},
    {"spawn_reactive", exits::may, waits::no,
     [](world&) {
       otter::pid const p = otter::spawn_reactive({}, otter::make_reactive<answering>());
       otter::exit(p, exit_reason::kill());
     }},
    {"spawn_request", exits::may, waits::no, [](world&) { otter::spawn_request({}, [] {}); }},
    {"spawn_request_with_tag", exits::may, waits::no,
     [](world&) {
       otter::spawn_request_with_tag(number{1}, {}, otter::spawn_reply_mode::no, [] {});
     }},
    {"spawn_request_abandon", exits::never, waits::no,
     [](world& w) { otter::spawn_request_abandon(otter::request_id(w.alias)); }},
    {"reactive::pause_messages", exits::never, waits::no,
     [](world& w) {
       w.body.pause_messages(true);
       w.body.pause_messages(false);
     }},
    {"reactive::start_timeout", exits::never, waits::no,
     [](world& w) { w.body.start_timeout(1h, 1); }},
    {"reactive::stop_timeout", exits::never, waits::no, [](world& w) { w.body.stop_timeout(); }},
    {"reactive::shrink", exits::never, waits::no, [](world& w) { w.body.shrink(); }},
    // The signal is earlier than the end that the body asks for.
    {"reactive::stop", exits::never, waits::no,
     [](world& w) { w.body.stop(exit_reason::of("by itself")); }},
    // message.hpp
    {"send to a pid", exits::may, waits::no, [](world& w) { otter::send(w.partner, go{}); }},
    {"send to a name", exits::may, waits::no, [](world& w) { otter::send(w.name, go{}); }},
    {"send to an alias", exits::may, waits::no, [](world& w) { otter::send(w.alias, go{}); }},
    {"any_message::of", exits::never, waits::no, [](world&) { otter::any_message::of(go{}); }},
    // receive.hpp
    {"receive", exits::may, waits::yes,
     [](world&) { otter::receive([](number) {}, otter::after(1us)); }},
    {"receive that does not wait", exits::may, waits::no,
     [](world&) { otter::receive([](number) {}, otter::after(0s)); }},
    {"receive_from", exits::may, waits::yes,
     [](world& w) {
       otter::receive_from(
           w.alias, [](number) {}, otter::after(1us));
     }},
    {"sleep_for", exits::may, waits::perhaps, [](world&) { otter::sleep_for(1us); }},
    // link.hpp, monitor.hpp
    {"link, unlink", exits::never, waits::no,
     [](world& w) {
       otter::link(w.partner);
       otter::unlink(w.partner);
     }},
    {"monitor, demonitor", exits::never, waits::no,
     [](world& w) { otter::demonitor(otter::monitor(w.partner)); }},
    {"monitor by name, demonitor with flush", exits::never, waits::no,
     [](world& w) { otter::demonitor(otter::monitor(w.name), otter::demonitor_flush::yes); }},
    {"monitor with an alias", exits::never, waits::no,
     [](world& w) {
       otter::demonitor(otter::monitor(w.partner, otter::alias_mode::reply_demonitor));
     }},
    {"monitor_with_tag", exits::never, waits::no,
     [](world& w) { otter::demonitor(otter::monitor_with_tag(w.partner, number{1})); }},
    // exit.hpp
    {"exit of another", exits::never, waits::no,
     [](world& w) { otter::exit(w.partner, exit_reason::normal()); }},
    {"exit to oneself", exits::never, waits::no,
     [](world&) { otter::exit(otter::self(), exit_reason::of("late")); }},
    {"trap_exit", exits::never, waits::no, [](world&) { otter::trap_exit(false); }},
    {"checkpoint", exits::may, waits::no, [](world&) { otter::checkpoint(); }},
    {"defer_exit", exits::never, waits::no, [](world&) { otter::defer_exit guard; }},
    {"no_suspend", exits::never, waits::no, [](world&) { otter::no_suspend guard; }},
    // alias.hpp, name.hpp
    {"alias, unalias", exits::never, waits::no, [](world&) { otter::unalias(otter::alias()); }},
    {"make_ref", exits::never, waits::no, [](world&) { otter::make_ref(); }},
    {"register_name, unregister_name", exits::never, waits::no,
     [](world&) {
       std::string const name = otter::to_string(otter::self());
       otter::register_name(name, otter::self());
       otter::unregister_name(name);
     }},
    {"whereis, name_of, registered", exits::never, waits::no,
     [](world& w) {
       otter::whereis(w.name);
       otter::name_of(w.partner);
       otter::registered();
     }},
    // timer.hpp
    {"send_after, cancel_timer", exits::never, waits::no,
     [](world& w) { otter::cancel_timer(otter::send_after(1h, w.partner, go{})); }},
    {"send_after to a name", exits::never, waits::no,
     [](world& w) { otter::cancel_timer(otter::send_after(1h, w.name, go{})); }},
    {"send_at", exits::never, waits::no,
     [](world&) { otter::send_at(otter::node_clock::now(), otter::self(), go{}); }},
    {"send_at to a name", exits::never, waits::no,
     [](world& w) {
       otter::cancel_timer(otter::send_at(otter::node_clock::now() + 1h, w.name, go{}));
     }},
    {"start_timer", exits::never, waits::no,
     [](world&) { otter::cancel_timer(otter::start_timer(1h, otter::self(), go{})); }},
    {"start_timer_at", exits::never, waits::no,
     [](world&) {
       otter::cancel_timer(
           otter::start_timer_at(otter::node_clock::now() + 1h, otter::self(), go{}));
     }},
    {"read_timer", exits::never, waits::no, [](world& w) { otter::read_timer(w.timer); }},
    {"cancel_timer_async", exits::may, waits::no,
     [](world& w) { otter::cancel_timer_async(w.timer); }},
    {"read_timer_async", exits::may, waits::no, [](world& w) { otter::read_timer_async(w.timer); }},
    {"send_interval", exits::may, waits::no,
     [](world&) { otter::cancel_interval(otter::send_interval(1h, otter::self(), number{1})); }},
    {"apply_after, apply_interval", exits::may, waits::no,
     [](world&) {
       otter::timer_ref const t = otter::apply_after(1h, [] {});
       otter::cancel_interval(t);
       otter::cancel_interval(otter::apply_interval(1h, [] {}));
     }},
    {"cancel_interval", exits::never, waits::no, [](world& w) { otter::cancel_interval(w.timer); }},
    {"exit_after, kill_after", exits::never, waits::no,
     [](world& w) {
       otter::cancel_timer(otter::exit_after(1h, w.partner, exit_reason::shutdown()));
       otter::cancel_timer(otter::kill_after(1h, w.partner));
     }},
    {"node_clock::now", exits::never, waits::no, [](world&) { otter::node_clock::now(); }},
    // random.hpp
    {"random_number", exits::never, waits::no, [](world&) { otter::random_number(); }},
    // process_info.hpp, dictionary.hpp
    {"is_alive", exits::may, waits::perhaps, [](world& w) { otter::is_alive(w.partner); }},
    {"process_info", exits::may, waits::perhaps,
     [](world& w) { otter::process_info(w.partner, {otter::info_item::links}); }},
    {"process_info of oneself", exits::never, waits::no,
     [](world&) { otter::process_info(otter::self(), {otter::info_item::links}); }},
    {"group_leader, set_group_leader", exits::never, waits::no,
     [](world& w) { otter::set_group_leader(otter::group_leader(), w.partner); }},
    {"set_priority, set_sensitive, set_label, set_initial_call", exits::never, waits::no,
     [](world&) {
       otter::set_priority(otter::priority::normal);
       otter::set_sensitive(false);
       otter::set_label("label");
       otter::set_initial_call("call");
     }},
    {"parent, processes, group_members, schedulers, is_local", exits::never, waits::no,
     [](world& w) {
       otter::parent();
       otter::processes();
       otter::group_members(otter::group_leader());
       otter::schedulers();
       otter::is_local(w.partner);
     }},
    {"system_monitor", exits::never, waits::no,
     [](world& w) {
       otter::system_monitor(w.partner, {});
       otter::system_monitor();
     }},
    {"dictionary", exits::never, waits::no,
     [](world&) {
       otter::dictionary::put(number{1});
       otter::dictionary::get<number>();
       otter::dictionary::erase<number>();
     }},
    // memory.hpp, blocking.hpp, node.hpp
    {"set_max_heap_size, account_memory", exits::never, waits::no,
     [](world&) {
       otter::account_memory(100);
       otter::set_max_heap_size(otter::set_max_heap_size({}));
       otter::account_memory(-100);
     }},
    {"blocking", exits::may, waits::yes, [](world&) { otter::blocking([] {}); }},
    {"offload", exits::never, waits::no, [](world&) { otter::offload([] { return 1; }); }},
    {"report", exits::never, waits::no,
     [](world&) {
       otter::report({otter::node_event::kind::report, otter::self(), "text"});
     }},
    // detail/call.hpp: what the generic module's functions do
    {"call", exits::may, waits::yes, [](world& w) { otter::detail::call(w.silent, ask(), 1us); }},
    {"send_request", exits::if_it_waits, waits::no,
     [](world& w) {
       otter::detail::abandon_request(otter::detail::send_request(w.partner, ask()));
     }},
    {"wait_response", exits::may, waits::perhaps,
     [](world& w) {
       otter::detail::response out;
       otter::request_id const id = otter::detail::send_request(w.silent, ask());
       otter::detail::wait_response(id, 1us, true, out);
     }},
    {"cast", exits::may, waits::no,
     [](world& w) {
       otter::detail::cast(w.partner,
                           otter::detail::pack<go>(otter::detail::signal_kind::cast, go{}));
     }},
    {"cast to a name", exits::may, waits::no,
     [](world& w) {
       otter::detail::cast(w.name, otter::detail::pack<go>(otter::detail::signal_kind::cast, go{}));
     }},
    {"reply, reply_failed", exits::never, waits::no,
     [](world& w) {
       otter::detail::reply(otter::from(w.alias), answering::answer());
       otter::detail::reply_failed(otter::from(w.alias), exit_reason::noproc());
     }},
};

}  // namespace

TEST_CASE("every function keeps what its header says about exits", "[exit][C0-2][C0-3]") {
  on_every_driver(
      [](driver_report& report) { otter_test::check_contract<world>(report, all_functions); });
}
