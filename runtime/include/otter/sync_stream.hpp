#pragma once

// otter/sync_stream.hpp - a socket as Boost.Asio's SyncReadStream and SyncWriteStream.
//
//   otter::sync_stream   what Boost.Beast's HTTP and WebSocket, in blocking style, read and write
//
// This header includes no Boost: whatever differs between its versions comes in by template
// parameters. Hence the second argument: `boost::asio::error::eof` of the user's Boost, by which
// parsers know the peer's end.
//
//     otter::sync_stream stream(socket, boost::asio::error::eof);
//     boost::beast::http::read(stream, buffer, request);
//
// An ordinary stack is enough for both: 64 KiB, of which they use a fifth at most.
// WebSocket streams ask for an executor too, although nothing of it runs, and for a function
// teardown() that ends the connection; runtime/doc/io.md shows both.

#include <algorithm>
#include <cstddef>
#include <otter/duration.hpp>
#include <otter/tcp.hpp>
#include <otter/timer.hpp>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

namespace otter {

namespace detail {

/// No executor was given: the stream has no get_executor().
struct no_executor {};

/// Calls `f(pointer, size)` for each piece of a buffer sequence while it returns true.
template <class Buffers, class F>
void for_each_buffer(Buffers const& buffers, F f) {
  if constexpr (requires { (*buffers.begin()).data(); }) {
    auto const end = buffers.end();
    for (auto at = buffers.begin(); at != end; ++at) {
      auto const& one = *at;
      if (one.size() != 0 && !f(one.data(), one.size())) return;
    }
  } else {
    if (buffers.size() != 0) f(buffers.data(), buffers.size());
  }
}

}  // namespace detail

/// Refers to the socket, as a name does: copying it makes no second connection, its end closes
/// nothing. Reads want a passive socket in raw mode.
///
/// `End` is a value that an error code can be made of, for the end of the stream. Other errors are
/// those of otter/tcp_error.hpp, as the error code wraps a std::error_code.
template <class End, class Executor = detail::no_executor>
class sync_stream {
 public:
  using executor_type = Executor;
  using lowest_layer_type = sync_stream;

  sync_stream(tcp_socket socket, End end, Executor executor = {})
      : socket_(socket), end_(end), executor_(std::move(executor)) {}

  tcp_socket socket() const noexcept { return socket_; }
  Executor get_executor() const noexcept requires(!std::is_same_v<Executor, detail::no_executor>) {
    return executor_;
  }
  lowest_layer_type& lowest_layer() noexcept { return *this; }

  /// All reads from now on, together, end with `timeout` after so long: a peer that sends a byte a
  /// second holds nobody up. Writes are bounded by tcp_options::send_timeout.
  /// Throws: error(timeout_value) if it is negative.
  void expires_after(duration limit) {
    limit = detail::checked_limit(limit);
    limited_ = limit != infinity;
    if (limited_) due_ = node_clock::now() + limit;
  }
  void expires_never() noexcept { limited_ = false; }

  /// Some bytes into the first of `buffers` that has room; 0 if none has.
  ///
  /// Called from: a process. Blocks: until something has come, at most as expires_after() says.
  /// Exits: may. Errors: `End` at the peer's end or when the socket was closed here; as
  /// recv_some().
  template <class Buffers, class ErrorCode>
  std::size_t read_some(Buffers const& buffers, ErrorCode& ec) {
    ec = {};
    std::size_t n = 0;
    detail::for_each_buffer(buffers, [&](void* data, std::size_t size) {
      auto const result = socket_.recv_some({static_cast<std::byte*>(data), size}, time_left());
      if (result)
        n = *result;
      else
        fail(ec, result.error());
      return false;
    });
    return n;
  }
  /// The same. Throws: std::system_error.
  template <class Buffers>
  std::size_t read_some(Buffers const& buffers) {
    std::error_code ec;
    std::size_t n = 0;
    detail::for_each_buffer(buffers, [&](void* data, std::size_t size) {
      auto const result = socket_.recv_some({static_cast<std::byte*>(data), size}, time_left());
      if (!result) throw std::system_error(result.error(), "otter::sync_stream::read_some");
      n = *result;
      return false;
    });
    return n;
  }

  /// Sends `buffers`, or the front of them if they are many or long: pieces go out together, so
  /// that a short head and its body are one segment.
  ///
  /// Called from: a process. Blocks: while the socket's queue is full. Exits: may.
  /// Errors: `End` if the connection is closed; as tcp_socket::send().
  template <class Buffers, class ErrorCode>
  std::size_t write_some(Buffers const& buffers, ErrorCode& ec) {
    ec = {};
    auto const result = send_front(buffers);
    if (result) return *result;
    fail(ec, result.error());
    return 0;
  }
  /// The same. Throws: std::system_error.
  template <class Buffers>
  std::size_t write_some(Buffers const& buffers) {
    auto const result = send_front(buffers);
    if (!result) throw std::system_error(result.error(), "otter::sync_stream::write_some");
    return *result;
  }

  /// As tcp_socket::shutdown_write() and close().
  void shutdown_write() noexcept { static_cast<void>(socket_.shutdown_write()); }
  void close() noexcept { socket_.close(); }

 private:
  /// So much is worth copying, to save a system call and a segment.
  static constexpr std::size_t most_together = 8192;

  duration time_left() const {
    if (!limited_) return infinity;
    return std::max(due_ - node_clock::now(), duration::zero());
  }

  template <class ErrorCode>
  void fail(ErrorCode& ec, std::error_code why) const {
    if (why == tcp_errc::closed)
      ec = end_;
    else
      ec = ErrorCode(why);
  }

  template <class Buffers>
  tcp_result<std::size_t> send_front(Buffers const& buffers) {
    std::string_view first;
    std::string together;
    detail::for_each_buffer(buffers, [&](void const* data, std::size_t size) {
      std::string_view const piece(static_cast<char const*>(data), size);
      if (first.empty()) {
        first = piece;
        return piece.size() < most_together;
      }
      if (together.empty()) together = first;
      together += piece.substr(0, most_together - together.size());
      return together.size() < most_together;
    });
    std::string_view const front = together.empty() ? first : std::string_view(together);
    if (front.empty()) return std::size_t{0};
    auto const sent = socket_.send(front);
    if (!sent) return tl::unexpected(sent.error());
    return front.size();
  }

  tcp_socket socket_;
  End end_;
  [[no_unique_address]] Executor executor_;
  node_clock::time_point due_{};
  bool limited_ = false;
};

}  // namespace otter
