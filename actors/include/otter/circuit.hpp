#pragma once

// otter/circuit.hpp - not asking a server that does not answer.
//
//   otter::circuit           names a circuit; starts it, and calls servers through it
//   otter::circuit_options   how many failures open it, and for how long
//   otter::circuit_open      the reason with which a call is refused at once
//   otter::circuit_status    what it does now, and what it has done
//
//     inline const otter::circuit store_circuit{"store circuit"};
//
//     store_circuit.start_link({.failures = 5, .window = 10s, .open_for = 5s});
//     int n = store_circuit.call(store, read{key}, 200ms);
//
//             `failures` within `window`             `open_for` is over
//      closed --------------------------> open -------------------------> half open
//        ^                                  ^                                |  |
//        |                                  +----------- one fails ----------+  |
//        +---------------------- `trials` calls in a row succeed ---------------+
//
// A caller of a server that is slow waits for its whole time limit, and so do those who wait for
// the caller; and the server, which has too much to do, gets more. A circuit counts failed calls.
// Open, it refuses calls without a message to anybody; after a while it lets a few through, to see.
//
// The state belongs to the name and is shared by all callers of the node. A call through a closed
// circuit costs a look at it, and nothing else.

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <otter/detail/text_formatter.hpp>
#include <otter/duration.hpp>
#include <otter/exit_reason.hpp>
#include <otter/gen.hpp>
#include <otter/request.hpp>
#include <otter/server_ref.hpp>
#include <otter/start.hpp>
#include <otter/timer.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace otter {

struct circuit_options {
  unsigned failures = 5;                        ///< so many within `window` open it; 1 to 1000
  duration window = std::chrono::seconds(10);   ///< longer than 0
  duration open_for = std::chrono::seconds(5);  ///< how long it refuses; longer than 0
  /// So many calls at once are let through after that, and so many must succeed to close it. At
  /// least 1.
  unsigned trials = 1;
  /// Whether a call that failed so counts as a failure. Empty: any does, but one that the server
  /// refused because it does not know the request, and one to the caller itself. Called from: the
  /// process that calls; it must not call the runtime.
  std::function<bool(exit_reason const& why)> counts{};
};

enum class circuit_state : unsigned char {
  closed,     ///< calls go through, failures are counted
  open,       ///< calls are refused
  half_open,  ///< a few calls go through, the others are refused
};

[[nodiscard]] std::string_view to_string(circuit_state state) noexcept;

/// The payload of the reason with which a call is refused:
/// `reason.cause().get<otter::circuit_open>()`.
struct circuit_open {
  std::string circuit;
  /// When it will let a call through again. At or before the present moment: its trials are under
  /// way, and their result decides.
  node_clock::time_point until;
  duration left;      ///< the same, from the moment of the refusal
  unsigned failures;  ///< that opened it

  friend bool operator==(circuit_open const&, circuit_open const&) = default;
};
[[nodiscard]] std::string to_string(circuit_open const& refused);

struct circuit_status {
  circuit_state state = circuit_state::closed;
  unsigned failures = 0;       ///< within the window that ends now, or that opened it
  duration left{};             ///< open: how long it will refuse
  std::uint64_t opened = 0;    ///< how often it has opened
  std::uint64_t failed = 0;    ///< calls that failed
  std::uint64_t refused = 0;   ///< calls that were refused
  exit_reason last_failure{};  ///< normal: there was none
};

namespace detail {

class circuit_table;

tl::expected<pid, start_error> start_circuit(std::string const& name, circuit_options options,
                                             start_options const& start);
circuit_status status_of_circuit(std::string_view name);
[[noreturn]] void throw_refused(std::string_view circuit, exit_reason why);

/// One call through a circuit: asks for it when it begins, and tells how it went.
///
/// Ownership: of a place among the circuit's trials, if it is one. A call that is neither a success
/// nor a failure, since its caller was ended, gives the place back.
/// Threads: the calling process.
class circuit_pass {
 public:
  /// `name` must live as long.
  explicit circuit_pass(std::string_view name);
  ~circuit_pass();
  circuit_pass(circuit_pass const&) = delete;
  circuit_pass& operator=(circuit_pass const&) = delete;

  [[nodiscard]] bool granted() const noexcept { return granted_; }
  /// Why not.
  exit_reason take_refusal() noexcept { return std::move(refusal_); }
  void succeeded() noexcept;
  void failed(exit_reason const& why) noexcept;

 private:
  std::string_view name_;
  std::shared_ptr<circuit_table> trial_;  // whose place it has
  std::uint64_t round_ = 0;               // of which period of trials
  exit_reason refusal_{};
  bool granted_ = false;
};

}  // namespace detail

/// Names a circuit by the name of its process, whether or not it runs; a value that may be global,
/// copied, and used by every process of the node.
class circuit {
 public:
  explicit circuit(std::string name) : name_(std::move(name)) {}

  [[nodiscard]] std::string const& name() const noexcept { return name_; }

  /// Starts the process that keeps the state, closed, under the name; it has nothing else to do.
  /// `options.name` is not used.
  ///
  /// Called from: a process. Blocks: until it runs. Exits: may.
  /// Throws: error(badarg) for a name or options that cannot be.
  start_result<circuit> start_link(circuit_options how = {},
                                   start_options const& options = {}) const {
    auto started = detail::start_circuit(name_, std::move(how), options);
    if (!started) return tl::unexpected<start_error>(std::move(started.error()));
    return server_ref<circuit>(*started);
  }

  /// As otter::call(), for any address, unless the circuit is open.
  ///
  /// Called from: a process, or an attached thread. Blocks: until the answer; never if it is
  /// refused. Exits: may. Throws: process_exit as otter::call(), whose cause() is also:
  /// circuit_open as a payload; noproc if the circuit does not run, and then nobody is asked.
  template <server_address Address, class Request>
  reply_t<Request> call(Address const& server, Request&& request,
                        duration limit = detail::call_limit_of<Address>()) const {
    return run([&]() -> decltype(auto) {
      return otter::call(server, std::forward<Request>(request), limit);
    });
  }

  /// As call(), but a missing answer is returned: why there is none (the cause, not wrapped).
  template <server_address Address, class Request>
  response<reply_t<Request>> try_call(Address const& server, Request&& request,
                                      duration limit = detail::call_limit_of<Address>()) const {
    detail::circuit_pass pass(name_);
    if (!pass.granted()) return tl::unexpected<exit_reason>(pass.take_refusal());
    auto answer = otter::try_call(server, std::forward<Request>(request), limit);
    if (answer)
      pass.succeeded();
    else
      pass.failed(answer.error());
    return answer;
  }

  /// What `f()` returns, unless the circuit is open: for a worker_pool, or several calls that fail
  /// together. A process_exit that leaves `f` is a failed call, any other exception none, as its
  /// server has answered; both are thrown on. Blocks, Exits: as `f`. Throws: as call(), and `f`.
  template <std::invocable Function>
  std::invoke_result_t<Function&> run(Function&& f) const {
    detail::circuit_pass pass(name_);
    if (!pass.granted()) detail::throw_refused(name_, pass.take_refusal());
    try {
      if constexpr (std::is_void_v<std::invoke_result_t<Function&>>) {
        f();
        pass.succeeded();
      } else {
        std::invoke_result_t<Function&> value = f();
        pass.succeeded();
        return value;
      }
    } catch (process_exit const& e) {
      pass.failed(e.reason().cause());
      throw;
    }
  }

  /// Asks no process. Called from: a process, or an attached thread. Blocks: never. Exits: never.
  /// Throws: process_exit(noproc) if the circuit does not run.
  [[nodiscard]] circuit_status status() const { return detail::status_of_circuit(name_); }

 private:
  std::string name_;
};

}  // namespace otter

template <>
struct fmt::formatter<otter::circuit_state> : otter::detail::text_formatter<otter::circuit_state> {
};
template <>
struct fmt::formatter<otter::circuit_open> : otter::detail::text_formatter<otter::circuit_open> {};
