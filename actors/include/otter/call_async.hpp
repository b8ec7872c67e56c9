#pragma once

// otter/call_async.hpp - asking a server from a plain thread, without a pid of one's own.
//
//   otter::call_async()   returns a std::future of the answer
//
// The thread need not be attached to the node; a thread that talks to servers often is better off
// with an attached_thread and otter::call(). A process must not wait for the future: it would stop
// its worker, and use otter::send_request() instead.

#include <concepts>
#include <exception>
#include <future>
#include <otter/gen.hpp>
#include <otter/node.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace otter {
namespace detail {

/// The promise of an answer: broken by whatever ends the process that has it.
template <class Reply>
class promised_reply {
 public:
  promised_reply() = default;
  promised_reply(promised_reply&& other) noexcept
      : promise_(std::move(other.promise_)), open_(std::exchange(other.open_, false)) {}
  promised_reply& operator=(promised_reply&&) = delete;
  ~promised_reply() {
    if (open_) fail(std::make_exception_ptr(process_exit(exit_reason::killed())));
  }

  std::future<Reply> get_future() { return promise_.get_future(); }
  void fail(std::exception_ptr error) noexcept {
    open_ = false;
    promise_.set_exception(std::move(error));
  }
  template <class Ask>
  void fulfil(Ask&& ask) {
    if constexpr (std::is_void_v<Reply>) {
      ask();
      open_ = false;
      promise_.set_value();
    } else {
      Reply value = ask();
      open_ = false;
      promise_.set_value(std::move(value));
    }
  }

 private:
  std::promise<Reply> promise_;
  bool open_ = true;
};

/// An address that a process of the node may keep.
template <class Address>
struct kept_address {
  Address address;
  Address const& get() const noexcept { return address; }
};
template <class Address>
requires std::convertible_to<Address const&, std::string_view>
struct kept_address<Address> {
  std::string name;
  explicit kept_address(std::string_view text) : name(text) {}
  std::string_view get() const noexcept { return name; }
};

}  // namespace detail

/// Sends `request` to `server` on `n`; the future has the answer, or throws what otter::call()
/// throws. When the node stops first, it throws process_exit.
///
/// Called from: any thread that is no process. Blocks: never. Throws: error(system_limit) if the
/// node is stopping or has no room for a process; std::bad_alloc.
template <server_address Address, class Request>
std::future<reply_t<Request>> call_async(node& n, Address const& server, Request request,
                                         duration limit = default_call_limit) {
  detail::check_request<Address, Request>();
  detail::promised_reply<reply_t<Request>> promise;
  std::future<reply_t<Request>> answer = promise.get_future();
  n.spawn(spawn_options{.label = "call_async"},
          [promise = std::move(promise), to = detail::kept_address<Address>{server},
           request = std::move(request), limit]() mutable {
            try {
              promise.fulfil([&]() -> reply_t<Request> {
                return otter::call(to.get(), std::move(request), limit);
              });
            } catch (process_exit const&) {
              promise.fail(std::current_exception());
            } catch (std::exception const&) {
              promise.fail(std::current_exception());
            }
          });
  return answer;
}

}  // namespace otter
