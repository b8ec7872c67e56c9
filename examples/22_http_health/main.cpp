// 22: an HTTP health endpoint by Boost.Beast, unchanged, in blocking style.
//
// otter::sync_stream makes a socket what Beast's synchronous functions expect. They wait for the
// peer by stopping their process and nobody else, so there is no io_context and no handler.
//
// Try: run it with a port (example_22_http_health 8080) and: curl -i 127.0.0.1:8080/health

#include <fmt/format.h>

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <cstdlib>
#include <otter/node.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <otter/sync_stream.hpp>

namespace http = boost::beast::http;
using namespace std::chrono_literals;

http::response<http::string_body> answer(http::request<http::empty_body> const& request) {
  bool const found = request.target() == "/health";
  http::response<http::string_body> out(found ? http::status::ok : http::status::not_found, 11);
  out.set(http::field::content_type, "text/plain");
  out.body() = found ? "alive\n" : "try /health\n";
  out.keep_alive(request.keep_alive());
  out.prepare_payload();
  return out;
}

void connection(otter::tcp_socket socket) {
  otter::sync_stream stream(socket, boost::asio::error::eof);
  boost::beast::flat_buffer buffer(8192);  // a longer head is an error
  for (bool more = true; more;) {
    stream.expires_after(10s);  // for the whole request: a slow peer holds nothing up
    http::request<http::empty_body> request;
    boost::beast::error_code ec;
    http::read(stream, buffer, request, ec);
    if (ec) break;
    http::write(stream, answer(request), ec);
    more = request.keep_alive() && !ec;
  }
  socket.close();
}

void serve(otter::tcp_listener listener) {
  while (auto const socket = otter::tcp_accept(listener)) connection(*socket);
}

int main(int argc, char** argv) {
  return otter::run({.workers = 1}, [&] {
    auto const port = static_cast<std::uint16_t>(argc > 1 ? std::atoi(argv[1]) : 0);
    auto const listener = otter::tcp_listen(otter::tcp_address::loopback(port)).value();
    for (int i = 0; i < 4; ++i) otter::spawn_link(serve, listener);
    if (argc > 1) otter::sleep_for(otter::infinity);
    auto const client = otter::tcp_connect(listener.local_address().value()).value();
    client.send("GET /health HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n");
    while (auto const text = client.recv()) fmt::print("{}", *text);
  });
}
