#pragma once

// trace.hpp - servers under test tell the test's process what happens to them, in order.

#include <chrono>
#include <otter/exit_reason.hpp>
#include <otter/gen_server.hpp>
#include <otter/message.hpp>
#include <otter/monitor.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <string>
#include <string_view>

namespace trace {

using namespace std::chrono_literals;

/// Longer than anything takes; never the thing that is tested.
inline constexpr auto patience = 20s;

struct saw {
  std::string what;
};

inline void tell(otter::pid to, std::string what) { otter::send(to, saw{std::move(what)}); }

/// The next thing that a server told.
inline std::string next() {
  return otter::receive([](saw s) { return s.what; },
                        otter::after(patience, [] { return std::string("nothing came"); }));
}
/// True if the mailbox of the calling process is empty.
inline bool mailbox_is_empty() {
  return otter::receive([](otter::any_message&) { return false; },
                        otter::after(0s, [] { return true; }));
}
/// Waits for the `down` of `ref`, and gives its reason.
inline std::string end_of(otter::monitor_ref ref) {
  return otter::receive(otter::when([&](otter::down const& d) { return d.ref == ref; },
                                    [](otter::down d) { return to_string(d.reason); }),
                        otter::after(patience, [] { return std::string("no end"); }));
}
/// The reason for which `process` ends or has ended; noproc if it had ended before.
inline std::string end_of(otter::pid process) { return end_of(otter::monitor(process)); }

/// The cause for which `function` throws process_exit, as text.
template <class Function>
std::string failure_of(Function function) {
  try {
    function();
  } catch (otter::process_exit const& e) {
    return to_string(e.reason().cause());
  }
  return "no failure";
}

inline std::string text(otter::exit_reason const& reason) { return to_string(reason); }

}  // namespace trace
