// Where an exception was thrown that ended a process: what its reason says of that.

#include <atomic>
#include <catch2/catch.hpp>
#include <exception>
#include <memory>
#include <otter/node.hpp>
#include <otter/process_info.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "on_every_driver.hpp"
#include "process_support.hpp"

using namespace process_test;

// No unnamed namespace: a program exports no names of that.
namespace where_thrown {

/// Never false; the compiler does not know that.
std::atomic<bool> always{true};

[[gnu::noinline]] void throw_here() { throw std::runtime_error("no key"); }
[[gnu::noinline]] void throw_pointer_here() { throw "no key"; }
[[gnu::noinline]] void caller_of_throw() {
  throw_here();
  always = true;  // so that the call above is none that ends the function
}
[[gnu::noinline]] void throw_again_here(std::exception_ptr const& e) { std::rethrow_exception(e); }

/// Throws and catches by itself while the stack is unwound.
struct busy_destructor {
  ~busy_destructor() {
    try {
      throw_pointer_here();
    } catch (char const*) {
    }
  }
};

[[gnu::noinline]] void go_deeper(int levels) {
  if (levels > 0 && always) go_deeper(levels - 1);
  if (always) throw_here();
  always = true;  // as above
}

}  // namespace where_thrown

namespace {

std::string joined(std::vector<std::string> const& lines) {
  std::string all;
  for (std::string const& line : lines) all += line + "\n";
  return all;
}

/// Why a process has ended that ran `body`.
template <class Body>
exit_reason reason_of(Body body) {
  otter::spawned const p =
      otter::spawn(otter::spawn_options{.monitor = otter::alias_mode::none}, body);
  return otter::receive(otter::when([&](otter::down const& d) { return d.ref == p.ref; },
                                    [](otter::down d) { return d.reason; }));
}

template <class Body>
std::vector<std::string> trace_of(Body body) {
  return otter::stacktrace_of(reason_of(body));
}

}  // namespace

TEST_CASE("the reason of a process that an exception ended says which function threw it",
          "[process][C0-1]") {
  on_every_driver([](driver_report& report) {
    auto const lines = trace_of([] { where_thrown::caller_of_throw(); });
    report.check("the innermost is who threw: " + joined(lines),
                 lines.size() > 1 && lines[0].find("where_thrown::throw_here()") == 0);
    report.check("then who called it: " + joined(lines),
                 lines.size() > 1 && lines[1].find("where_thrown::caller_of_throw()") == 0);
    report.check("nothing of the scheduler: " + joined(lines),
                 joined(lines).find("process::run()") == std::string::npos);
    report.check("in the crash report too", report.count_events("where_thrown::throw_here()") == 1);
  });
}

TEST_CASE("whatever is thrown is found, also after destructors that throw and catch",
          "[process][C0-1]") {
  on_every_driver([](driver_report& report) {
    auto const pointer = trace_of([] { where_thrown::throw_pointer_here(); });
    report.check("a pointer: " + joined(pointer),
                 !pointer.empty() && pointer[0].find("where_thrown::throw_pointer_here()") == 0);
    auto const guarded = trace_of([] {
      where_thrown::busy_destructor later;
      where_thrown::throw_here();
    });
    report.check("behind a destructor: " + joined(guarded),
                 !guarded.empty() && guarded[0].find("where_thrown::throw_here()") == 0);
    auto const again = trace_of([] {
      where_thrown::throw_again_here(std::make_exception_ptr(std::runtime_error("kept")));
    });
    report.check("what is thrown again, where that was: " + joined(again),
                 !again.empty() && again[0].find("where_thrown::throw_again_here(") == 0);
    auto const deep = trace_of([] { where_thrown::go_deeper(100); });
    report.check("a deep stack is cut: " + joined(deep),
                 deep.size() == 16 && deep[0].find("where_thrown::throw_here()") == 0);
  });
}

TEST_CASE("what is no error, and what the program catches, has no place", "[process][C0-1]") {
  on_every_driver([](driver_report& report) {
    report.check("an exit", trace_of([] { otter::exit(exit_reason::of("bored")); }).empty());
    auto const killed = reason_of([] { otter::exit(otter::self(), exit_reason::kill()); });
    report.check("a kill", otter::stacktrace_of(killed).empty());
    report.check("a caught one is forgotten", trace_of([] {
                                                try {
                                                  where_thrown::throw_here();
                                                } catch (std::exception const&) {
                                                }
                                                otter::exit(exit_reason::of("bored"));
                                              }).empty());
  });
}

TEST_CASE("two reasons that differ in their places only are equal", "[process][C0-1]") {
  on_every_driver([](driver_report& report) {
    exit_reason const one = reason_of([] { where_thrown::throw_here(); });
    exit_reason const other = reason_of([] { where_thrown::caller_of_throw(); });
    report.check("other places", one.backtrace().size() != other.backtrace().size());
    report.check("equal", one == other);
  });
}

TEST_CASE("a node that does not want to know where exceptions are thrown is not told",
          "[process][node]") {
  otter::node n(
      {.workers = 1, .throw_backtraces = false, .on_event = [](otter::node_event const&) {}});
  std::size_t lines = 1;
  std::string reason;
  n.run([&] {
    exit_reason const why = reason_of([] { where_thrown::throw_here(); });
    lines = otter::stacktrace_of(why).size();
    reason = to_string(why);
  });
  CHECK(lines == 0);
  CHECK(reason == "std::runtime_error(\"no key\")");
}
