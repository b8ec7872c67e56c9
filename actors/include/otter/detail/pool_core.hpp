#pragma once

// otter/detail/pool_core.hpp - a worker pool without the types of its workers.
//
//   otter::detail::pool_job      a request that the pool hands to a worker
//   otter::detail::start_pool()  and what else otter/worker_pool.hpp is made of

#include <cstddef>
#include <cstdint>
#include <optional>
#include <otter/child_spec.hpp>
#include <otter/detail/call.hpp>
#include <otter/detail/envelope.hpp>
#include <otter/partition_supervisor.hpp>
#include <otter/pid.hpp>
#include <otter/start.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace otter {

struct pool_spec;
struct pool_flags;
struct pool_status;

namespace detail {

/// What travels to the pool: a worker's request as it will be sent, and the key of the worker.
struct pool_job {
  using reply = void;  // not so: it is that of the request, which only the caller knows
  envelope_ptr request;
  std::optional<std::uint64_t> key;  // none: whoever is free
};

tl::expected<pid, start_error> start_pool(std::string const& name, pool_spec spec,
                                          pool_flags const& flags, start_options const& options);
pool_status status_of_pool(std::string_view name);

/// Packs `request` and what carries it to the pool.
template <class Message, class Request>
envelope_ptr pack_job(Request&& request, std::optional<std::uint64_t> key) {
  return pack<pool_job>(
      signal_kind::request,
      pool_job{pack<Message>(signal_kind::request, std::forward<Request>(request)), key});
}

}  // namespace detail
}  // namespace otter
