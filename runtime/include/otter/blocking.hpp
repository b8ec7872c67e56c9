#pragma once

// otter/blocking.hpp - work that would stop a worker: files, databases, slow sums.
//
//   otter::blocking(f)   runs f on the node's pool of threads and waits for its value
//   otter::offload(f)    runs f there and returns a request id; killable
//
// blocking() waits whatever happens: f may refer to the caller's stack, so an exit signal is acted
// upon when f has returned. offload() owns what it uses; its value comes as the response of the
// request id, and a value for a process that has ended is destroyed on the pool.

#include <exception>
#include <functional>
#include <optional>
#include <otter/detail/call.hpp>
#include <otter/detail/envelope.hpp>
#include <type_traits>
#include <utility>

namespace otter {
namespace detail {

/// Runs `job(argument)` on the pool and waits for its end. Exits: may, after the job's end.
void run_blocking(void (*job)(void*) noexcept, void* argument);

/// A job that owns what it needs. run() gives the reply's envelope or throws.
class offloaded {
 public:
  virtual ~offloaded() = default;
  virtual envelope_ptr run() = 0;
};
request_id run_offloaded(std::unique_ptr<offloaded> job);

}  // namespace detail

/// Runs `f()` on the blocking pool and returns its value, or throws what it threw.
///
/// Called from: a process. Blocks: until f has returned. Exits: may, after that.
/// Throws: what f throws; error(would_suspend) under no_suspend.
template <class Function>
std::invoke_result_t<Function&> blocking(Function&& f) {
  using value_type = std::invoke_result_t<Function&>;
  struct frame {
    Function& f;
    std::exception_ptr error;
    std::conditional_t<std::is_void_v<value_type>, char, std::optional<value_type>> value{};
  } here{f, nullptr, {}};
  detail::run_blocking(
      [](void* p) noexcept {
        auto& there = *static_cast<frame*>(p);
        try {
          if constexpr (std::is_void_v<value_type>)
            std::invoke(there.f);
          else
            there.value.emplace(std::invoke(there.f));
        } catch (...) {
          there.error = std::current_exception();
        }
      },
      &here);
  if (here.error) std::rethrow_exception(std::exchange(here.error, nullptr));
  if constexpr (!std::is_void_v<value_type>) return std::move(*here.value);
}

/// Runs `f()` on the blocking pool; the value arrives as the response to the request id, of f's
/// result type. If f throws, the response fails with the exception as reason.
///
/// Called from: a process. Blocks: never. Exits: never. Throws: std::bad_alloc.
template <class Function>
request_id offload(Function f) {
  using value_type = std::invoke_result_t<Function&>;
  static_assert(!std::is_void_v<value_type>, "otter: an offloaded function returns its answer");
  struct job final : detail::offloaded {
    explicit job(Function&& function) : f(std::move(function)) {}
    detail::envelope_ptr run() override {
      return detail::pack<std::decay_t<value_type>>(detail::signal_kind::reply, std::invoke(f));
    }
    Function f;
  };
  return detail::run_offloaded(std::make_unique<job>(std::move(f)));
}

}  // namespace otter
