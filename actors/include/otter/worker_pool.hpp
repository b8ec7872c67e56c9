#pragma once

// otter/worker_pool.hpp - several servers of one kind that share the work.
//
//   otter::worker_pool<Worker>   names a pool; starts it, and asks it
//   otter::pool_spec             how each worker is started
//   otter::pool_flags            how many there are, and how many requests may wait
//   otter::pool_status           what it does now, and what it has done
//
//     inline const otter::worker_pool<resizer> resizers{"resizers"};
//
//     resizers.start_link({.start = [] { return resizer::start_link(); }}, {.workers = 4});
//     image small = resizers.call(resizer::shrink{big});              // the first that is free
//     image mine = resizers.call_by_key(user, resizer::shrink{big});  // always the same worker
//
// For work that takes long, waits for something outside, or needs something of which there are few:
// connections, handles of a C library. A worker has one request at a time; the others wait at the
// pool, in the order of their coming, and not at a worker that happens to be slow. Requests with a
// key wait for the worker of their key, each in its turn: so those of one key are served in the
// order in which they came.
//
// Where many short messages go to servers that each have a state of their own, and casts too, use
// otter/partition_supervisor.hpp: there is nobody between caller and server.

#include <cstddef>
#include <cstdint>
#include <otter/child_spec.hpp>
#include <otter/detail/pool_core.hpp>
#include <otter/duration.hpp>
#include <otter/gen.hpp>
#include <otter/partition_supervisor.hpp>
#include <otter/request.hpp>
#include <otter/server_ref.hpp>
#include <otter/start.hpp>
#include <string>
#include <type_traits>
#include <utility>

namespace otter {

/// A child_spec for all workers. A worker that ends is started again, however it ended.
struct pool_spec {
  partition_start start{};  ///< takes the number of the worker, 0 to workers - 1, or nothing
  shutdown_limit shutdown{};
};

struct pool_flags {
  /// 1 to 65,536; 0: otter::schedulers().
  unsigned workers = 0;
  /// So many requests may wait for a worker. One more is refused: `busy`.
  std::size_t max_queue = 1000;
  /// So many restarts of workers within `period` are allowed, of all together; then the pool ends.
  unsigned intensity = 3;
  duration period = std::chrono::seconds(5);
};

struct pool_status {
  unsigned workers = 0;
  unsigned working = 0;       ///< those that have a request
  unsigned missing = 0;       ///< those that are being started again
  std::size_t waiting = 0;    ///< requests that wait for a worker
  std::uint64_t served = 0;   ///< requests that a worker has answered
  std::uint64_t failed = 0;   ///< requests whose worker ended, or did not understand them
  std::uint64_t refused = 0;  ///< requests that found max_queue others waiting
  std::uint64_t left = 0;     ///< requests whose callers had left before a worker was free

  friend bool operator==(pool_status const&, pool_status const&) noexcept = default;
};

/// Names a pool by the name of its process, whether or not it runs; a value that may be global,
/// copied, and used by every process of the node. That its workers are of the class `Worker` is
/// trusted; without one, requests are checked by the worker.
///
/// A caller whose time limit is over, or that ends, leaves the queue. A request that a worker has
/// already is served all the same, and the worker is not given another before it has answered: a
/// worker that does not come back is missed, not piled up on.
template <class Worker = detail::any_server>
class worker_pool {
 public:
  explicit worker_pool(std::string name) : name_(std::move(name)) {}

  [[nodiscard]] std::string const& name() const noexcept { return name_; }

  /// Starts the pool under its name: a supervisor of the process that hands out the requests, and
  /// of the workers. What is returned is the supervisor, for a supervision tree (child_type
  /// supervisor); `options.name` is not used.
  ///
  /// Called from: a process. Blocks: until all workers run. Exits: may.
  /// Throws: error(badarg) for a name or a number of workers that cannot be.
  start_result<worker_pool> start_link(pool_spec spec, pool_flags flags = {},
                                       start_options const& options = {}) const {
    auto started = detail::start_pool(name_, std::move(spec), flags, options);
    if (!started) return tl::unexpected<start_error>(std::move(started.error()));
    return server_ref<worker_pool>(*started);
  }

  /// The answer of the first worker that is free.
  ///
  /// Called from: a process, or an attached thread. Blocks: until the answer, at most for `limit`,
  /// the time in the queue included. Exits: may.
  /// Throws: process_exit as otter::call(), whose cause() is: noproc if the pool does not run; a
  /// reason of kind busy, with the numbers, if max_queue others wait; timeout; or why the worker
  /// ended that had the request. Then another worker takes its place, and nobody repeats the
  /// request.
  template <class Request>
  reply_t<Request> call(Request&& request, duration limit = default_call_limit) const {
    return ask(std::forward<Request>(request), {}, limit);
  }
  /// The answer of the worker of `key`, the same as long as the pool runs: an integer names it by
  /// its absolute value, modulo the number of workers, any other key by its hash; see
  /// partition_supervisor::via(). Requests of one key are served one after the other, in the order
  /// in which they came; also if the worker ends meanwhile. Blocks, Exits, Throws: as call().
  template <class Key, class Request>
  reply_t<Request> call_by_key(Key const& key, Request&& request,
                               duration limit = default_call_limit) const {
    return ask(std::forward<Request>(request), detail::partition_key(key), limit);
  }

  /// As call() and call_by_key(), but a missing answer is returned: why there is none.
  template <class Request>
  response<reply_t<Request>> try_call(Request&& request,
                                      duration limit = default_call_limit) const {
    return try_ask(std::forward<Request>(request), {}, limit);
  }
  template <class Key, class Request>
  response<reply_t<Request>> try_call_by_key(Key const& key, Request&& request,
                                             duration limit = default_call_limit) const {
    return try_ask(std::forward<Request>(request), detail::partition_key(key), limit);
  }

  /// As otter::send_request(): asks, and does not wait. A request that is given up leaves the
  /// queue.
  template <class Request>
  sent_request<reply_t<Request>> send_request(Request&& request) const {
    return send(std::forward<Request>(request), {});
  }
  template <class Key, class Request>
  sent_request<reply_t<Request>> send_request_by_key(Key const& key, Request&& request) const {
    return send(std::forward<Request>(request), detail::partition_key(key));
  }

  /// Called from: a process, or an attached thread. Blocks: until the pool answers, which waits for
  /// no worker. Exits: may. Throws: process_exit as otter::call().
  [[nodiscard]] pool_status status() const { return detail::status_of_pool(name_); }

 private:
  using key_type = std::optional<std::uint64_t>;

  template <class Message>
  static constexpr void check() {
    static_assert(request_message<Message>,
                  "otter: a pool is asked, not told: this message does not name its answer; add "
                  "`using reply = void;` if there is none");
    static_assert(detail::server_accepts<Worker, Message>(),
                  "otter: the workers do not accept this request; see their `accepts`");
  }
  template <class Request>
  detail::response run(Request&& request, key_type key, duration limit) const {
    using message = std::decay_t<Request>;
    check<message>();
    return detail::call_target(detail::locate(name_),
                               detail::pack_job<message>(std::forward<Request>(request), key),
                               limit, descriptor_of<detail::wire_reply<reply_t<message>>>());
  }
  template <class Request>
  reply_t<Request> ask(Request&& request, key_type key, duration limit) const {
    detail::response got = run(std::forward<Request>(request), key, limit);
    if (!got.reply)
      detail::throw_call_failed(detail::locate(name_), type_name<std::decay_t<Request>>(),
                                std::move(got.why));
    return detail::unpack_reply<reply_t<Request>>(got.reply);
  }
  template <class Request>
  response<reply_t<Request>> try_ask(Request&& request, key_type key, duration limit) const {
    detail::response got = run(std::forward<Request>(request), key, limit);
    return detail::typed_response<reply_t<Request>>(got);
  }
  template <class Request>
  sent_request<reply_t<Request>> send(Request&& request, key_type key) const {
    using message = std::decay_t<Request>;
    check<message>();
    return sent_request<reply_t<message>>(
        detail::send_request(detail::locate(name_).process,
                             detail::pack_job<message>(std::forward<Request>(request), key)));
  }

  std::string name_;
};

}  // namespace otter
