// Each public function of a socket, and whether it may end the process that calls it.

#include "exits_contract.hpp"
#include "tcp_support.hpp"

using namespace tcp_test;
using otter_test::exits;
using otter_test::waits;

namespace {

/// A connection of the calling process to itself, on which nothing comes.
struct world {
  pair between = connect_pair();
  otter::tcp_socket socket = between.client;
  otter::tcp_address address = must(between.listener.local_address(), "address");
};

using entry = otter_test::contract_entry<world>;

// The short limits may be over before the call has to wait.
constexpr entry all_functions[] = {
    {"tcp_listen", exits::never, waits::no,
     [](world&) {
       if (auto l = otter::tcp_listen(otter::tcp_address::loopback(0))) l->close();
     }},
    {"tcp_accept", exits::may, waits::perhaps,
     [](world& w) { static_cast<void>(otter::tcp_accept(w.between.listener, 1us)); }},
    {"tcp_connect", exits::may, waits::perhaps,
     [](world& w) { static_cast<void>(otter::tcp_connect(w.address, {}, long_time)); }},
    {"tcp_connect by name", exits::may, waits::perhaps,
     [](world& w) {
       static_cast<void>(otter::tcp_connect("localhost", w.address.port, {}, long_time));
     }},
    {"send", exits::may, waits::no, [](world& w) { static_cast<void>(w.socket.send("x")); }},
    {"recv", exits::may, waits::perhaps,
     [](world& w) { static_cast<void>(w.socket.recv(0, 1us)); }},
    {"recv_some", exits::may, waits::perhaps,
     [](world& w) {
       std::byte room[16];
       static_cast<void>(w.socket.recv_some(room, 1us));
     }},
    {"read", exits::may, waits::no,
     [](world& w) {
       static_cast<void>(w.socket.set_active(otter::active::ready));
       static_cast<void>(w.socket.read([](std::span<std::byte const> v) { return v.size(); }));
     }},
    {"controlling_process", exits::may, waits::no,
     [](world& w) { static_cast<void>(w.socket.controlling_process(otter::self())); }},
    {"set_active", exits::never, waits::no,
     [](world& w) { static_cast<void>(w.socket.set_active(otter::active::off)); }},
    {"set_packet, set_framer, set_watermarks", exits::never, waits::no,
     [](world& w) {
       static_cast<void>(w.socket.set_framer(nullptr));
       static_cast<void>(w.socket.set_packet(otter::packet::raw));
       static_cast<void>(w.socket.set_watermarks(8192, 4096));
     }},
    {"set_nodelay, set_keepalive, set_linger", exits::never, waits::no,
     [](world& w) {
       static_cast<void>(w.socket.set_nodelay(true));
       static_cast<void>(w.socket.set_keepalive(false));
       static_cast<void>(w.socket.set_linger(std::nullopt));
     }},
    {"set_exit_on_close, set_send_timeout", exits::never, waits::no,
     [](world& w) {
       static_cast<void>(w.socket.set_exit_on_close(true));
       static_cast<void>(w.socket.set_send_timeout(1s));
     }},
    {"local_address, peer_address, statistics, owner", exits::never, waits::no,
     [](world& w) {
       static_cast<void>(w.socket.local_address());
       static_cast<void>(w.socket.peer_address());
       static_cast<void>(w.socket.statistics());
       static_cast<void>(w.socket.owner());
     }},
    {"shutdown_write", exits::never, waits::no,
     [](world& w) { static_cast<void>(w.socket.shutdown_write()); }},
    {"close", exits::never, waits::no, [](world& w) { w.socket.close(); }},
    {"close of a listener", exits::never, waits::no, [](world& w) { w.between.listener.close(); }},
};

}  // namespace

TEST_CASE("every function of a socket keeps what its header says about exits", "[io][C0-2][C0-3]") {
  otter_test::on_every_driver([](otter_test::driver_report& report) {
    otter_test::check_contract<world>(report, all_functions);
  });
}
