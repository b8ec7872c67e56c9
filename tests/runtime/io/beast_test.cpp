// Boost.Beast, unchanged, on otter's sockets: HTTP and WebSocket in blocking style.

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <cstdio>
#include <otter/sync_stream.hpp>

#include "tcp_support.hpp"

namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;

namespace otter {

/// Beast asks how a connection is ended that it does not know.
template <class End, class Executor>
void teardown(beast::role_type, sync_stream<End, Executor>& stream, beast::error_code& ec) {
  stream.close();
  ec = {};
}

}  // namespace otter

using namespace otter;
using namespace tcp_test;

namespace {

using plain = sync_stream<boost::asio::error::misc_errors>;
static_assert(beast::is_sync_stream<plain>::value);

/// Runs `f` in a process of its own, and notes the most bytes of stack that it used.
template <class F>
void measured(std::atomic<std::uint64_t>& most, F f) {
  spawn_options options;
  options.measure_stack = true;
  options.link = true;
  pid const p = spawn(options, [f, home = self()] {
    f();
    otter::send(home, begun{});
    receive([](begun) {});
  });
  receive([](begun) {});
  most = std::max<std::uint64_t>(
      most, process_info<std::uint64_t>(p, info_item::stack_depth).value_or(0));
  otter::send(p, begun{});
}

/// An ordinary stack is enough, with a third to spare for other compilers.
void check(char const* what, std::uint64_t depth) {
  std::printf("%s by Boost.Beast: %llu bytes of stack\n", what,
              static_cast<unsigned long long>(depth));
  CHECK(depth > 0);
  CHECK(depth < 65536 * 2 / 3);
}

}  // namespace

TEST_CASE("HTTP by Boost.Beast runs on a socket, in blocking style", "[io][TCP-22]") {
  std::atomic<std::uint64_t> depth = 0;
  everywhere({"200 'hello /a' then 200 'hello /b' then end of stream"}, [&](notes& see) {
    auto l = must(tcp_listen(tcp_address::loopback(0)), "listen");
    auto const at = must(l.local_address(), "address");
    spawn_link([at, &see, home = self()] {
      plain stream(must(tcp_connect(at, {}, long_time), "connect"), boost::asio::error::eof);
      beast::flat_buffer buffer;
      std::string seen;
      for (char const* target : {"/a", "/b"}) {
        http::request<http::empty_body> request(http::verb::get, target, 11);
        request.keep_alive(*(target + 1) == 'a');
        http::write(stream, request);
        http::response<http::string_body> response;
        http::read(stream, buffer, response);
        seen += std::to_string(response.result_int()) + " '" + response.body() + "' then ";
      }
      http::response<http::string_body> response;
      beast::error_code ec;
      http::read(stream, buffer, response, ec);
      see.add(seen + ec.message());
      otter::send(home, 1);
    });
    measured(depth, [l] {
      tcp_socket const socket = must(tcp_accept(l, long_time), "accept");
      plain stream(socket, boost::asio::error::eof);
      beast::flat_buffer buffer;
      for (bool more = true; more;) {
        http::request<http::string_body> request;
        http::read(stream, buffer, request);
        http::response<http::string_body> response(http::status::ok, 11);
        response.body() = "hello " + std::string(request.target());
        response.keep_alive(request.keep_alive());
        response.prepare_payload();
        http::write(stream, response);
        more = request.keep_alive();
      }
      socket.close();
    });
    receive([](int) {});
  });
  check("HTTP", depth);
}

TEST_CASE("WebSocket by Boost.Beast runs on a socket, in blocking style", "[io][TCP-22]") {
  // Beast's stream wants an executor. Nothing runs on it.
  boost::asio::io_context unused;
  auto const executor = unused.get_executor();
  using stream_type = sync_stream<boost::asio::error::misc_errors, decltype(executor)>;
  std::atomic<std::uint64_t> depth = 0;
  std::string const large = numbered(100'000);
  everywhere({"hello", "the large one", "closed by handshake"}, [&](notes& see) {
    auto l = must(tcp_listen(tcp_address::loopback(0)), "listen");
    auto const at = must(l.local_address(), "address");
    spawn_link([&, at, home = self()] {
      websocket::stream<stream_type> ws(stream_type(must(tcp_connect(at, {}, long_time), "connect"),
                                                    boost::asio::error::eof, executor));
      ws.handshake("here", "/echo");
      ws.binary(true);
      beast::flat_buffer buffer;
      for (std::string_view const text : {std::string_view("hello"), std::string_view(large)}) {
        ws.write(boost::asio::buffer(text));
        buffer.clear();
        ws.read(buffer);
        std::string const back = beast::buffers_to_string(buffer.data());
        see.add(back == large ? "the large one" : back);
      }
      beast::error_code ec;
      ws.close(websocket::close_code::normal, ec);
      see.add(ec ? ec.message() : "closed by handshake");
      otter::send(home, 1);
    });
    measured(depth, [l, executor] {
      websocket::stream<stream_type> ws(
          stream_type(must(tcp_accept(l, long_time), "accept"), boost::asio::error::eof, executor));
      ws.accept();
      ws.binary(true);
      beast::error_code ec;
      for (;;) {
        beast::flat_buffer buffer;
        ws.read(buffer, ec);
        if (ec) break;
        ws.write(buffer.data());
      }
      if (ec != websocket::error::closed) throw std::runtime_error(ec.message());
    });
    receive([](int) {});
  });
  check("WebSocket", depth);
}
