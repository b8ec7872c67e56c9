// State machines of modules that go on in another version of their class.

#include <catch2/catch.hpp>
#include <chrono>
#include <memory>
#include <otter/code.hpp>
#include <otter/exit.hpp>
#include <otter/gen.hpp>
#include <otter/link.hpp>
#include <otter/message.hpp>
#include <otter/receive.hpp>
#include <otter/request.hpp>
#include <otter/sys.hpp>
#include <string>

#include "code_changing.hpp"
#include "gate.hpp"
#include "on_every_driver.hpp"

namespace code = otter::code;
namespace sys = otter::sys;
using namespace gating;
using code_changing::has;

namespace {

void load(int version) { code_changing::load("gate", version); }
std::string upgrade(otter::pid machine) { return code_changing::upgrade(machine, "gate"); }

/// In that state.
otter::pid start(int pushes, std::string const& state) {
  otter::pid const machine = starter("gate", "start")(pushes);
  otter::cast(machine, go_to{state});
  return machine;
}
std::string shown(otter::pid machine) { return otter::call(machine, look{}); }

}  // namespace

TEST_CASE("a machine goes on in the state of the same name, and enters none",
          "[code_change][SM-29][SM-16]") {
  on_every_driver([](driver_report& report) {
    load(1);
    otter::pid const machine = start(5, "open");
    otter::cast(machine, keep{std::make_unique<std::string>("a key")});
    report.equal("before", shown(machine),
                 std::string("version 1: open, 5 pushes, keeps a key, entered: 2"));
    load(2);
    report.equal("up", upgrade(machine), std::string("done"));
    report.equal("its number is another one", shown(machine),
                 std::string("version 2: open, 5 pushes, red, keeps a key, entered: 2"));
    report.check("it has left the old version", !code::check_process_code(machine, "gate"));
    otter::cast(machine, go_to{"locked"});
    load(1);
    report.equal("down", upgrade(machine), std::string("done"));
    report.equal("after", shown(machine),
                 std::string("version 1: locked, 5 pushes, keeps a key, entered: 3"));
  });
}

TEST_CASE("postponed events and calls, and callers who wait, come to the new version",
          "[code_change][SM-29][CL-13]") {
  on_every_driver([](driver_report& report) {
    load(1);
    otter::pid const machine = start(0, "locked");
    otter::cast(machine, push{});
    auto const passing = otter::send_request(machine, pass{});
    auto const holding = otter::send_request(machine, hold{});
    shown(machine);
    load(2);
    sys::suspend(machine);
    otter::cast(machine, push{});
    report.equal("the change", code_changing::change(machine, "gate"), std::string("done"));
    sys::resume(machine);
    otter::cast(machine, release{});
    report.equal("a caller", otter::receive_response(holding).value().value(),
                 std::string("released 2"));
    otter::cast(machine, go_to{"open"});
    report.equal("a postponed call", otter::receive_response(passing).value().value(),
                 std::string("passed 2"));
    report.equal("postponed events", shown(machine),
                 std::string("version 2: open, 2 pushes, red, entered: 2"));
  });
}

TEST_CASE("time-outs of the state and with a name run on through a change",
          "[code_change][SM-29][CL-13]") {
  in_simulation([](driver_report& report) {
    load(1);
    otter::pid const machine = start(0, "open");
    otter::cast(machine, be_careful{});
    load(2);
    report.equal("the change", upgrade(machine), std::string("done"));
    otter::receive(otter::after(std::chrono::minutes(61), [] {}));
    report.equal("that of the state", shown(machine),
                 std::string("version 2: locked, 0 pushes, red, entered: 3"));
    otter::receive(otter::after(std::chrono::minutes(60), [] {}));
    report.equal("that with a name", shown(machine),
                 std::string("version 2: locked, 0 pushes, red, rings: 1, entered: 3"));
    otter::cast(machine, go_to{"open"});
    otter::cast(machine, be_careful{});
    otter::cast(machine, go_to{"closing"});
    load(1);
    report.equal("and back", upgrade(machine), std::string("done"));
    otter::receive(otter::after(std::chrono::hours(3), [] {}));
    report.equal("one that was cancelled does not come", shown(machine),
                 std::string("version 1: between, 0 pushes, rings: 2, entered: 5"));
  });
}

TEST_CASE("a state that is no more is brought to another one by the hook, or the change is refused",
          "[code_change][SM-29][CL-15]") {
  on_every_driver([](driver_report& report) {
    std::string const before = "version 1: between, 1 pushes, keeps a key, entered: 2";
    for (int const version : {2, 3, 6}) {
      load(1);
      otter::pid const machine = start(1, "ajar");
      otter::cast(machine, keep{std::make_unique<std::string>("a key")});
      load(version);
      if (version == 2) {
        report.equal("by the hook", upgrade(machine), std::string("done"));
        report.equal("there", shown(machine),
                     std::string("version 2: between, 1 pushes, green, keeps a key, entered: 2"));
      } else {
        std::string const why = upgrade(machine);
        report.check("refused: " + why, has(why, "it is in the state ajar, which is not one"));
        report.equal("it serves on", shown(machine), before);
      }
      if (version == 6) {
        sys::suspend(machine);
        sys::change_code(machine, "gate", {.extra = otter::any_message::of(go_to{"open"})});
        sys::resume(machine);
        report.equal("as the asker said", shown(machine),
                     std::string("version 6: open, 1 pushes, red, keeps a key, entered: 2"));
      }
      otter::unlink(machine);
      otter::stop(machine);
    }
  });
}

TEST_CASE("states that are types bring what is in them, and enumerators become types and back",
          "[code_change][SM-29][SM-35]") {
  on_every_driver([](driver_report& report) {
    load(1);
    otter::pid const locked = start(1, "locked");
    load(4);
    report.equal("to types", upgrade(locked), std::string("done"));
    report.equal("with its defaults", shown(locked),
                 std::string("version 4: locked, pushed 0 by nobody, 1 pushes, red, entered: 1"));
    otter::cast(locked, go_to{"locked"});
    otter::pid const open = start(2, "open");
    shown(open);
    load(5);
    report.equal("another type of that name", upgrade(locked), std::string("done"));
    report.equal("field by field", shown(locked),
                 std::string("version 5: locked, pushed 1 by hand, 1 pushes, red, entered: 2"));
    report.equal("the same type", upgrade(open), std::string("done"));
    report.equal("moved as a whole", shown(open),
                 std::string("version 5: open, passed 3, 2 pushes, red, entered: 2"));
    load(3);
    report.equal("to enumerators", upgrade(open), std::string("done"));
    report.equal("there", shown(open), std::string("version 3: open, 2 pushes, red, entered: 2"));
  });
}

TEST_CASE("a machine is not changed while another callback module handles its events",
          "[code_change][SM-30][CL-15]") {
  on_every_driver([](driver_report& report) {
    load(1);
    otter::pid const machine = start(1, "open");
    otter::cast(machine, disguise{});
    report.equal("before", shown(machine), std::string("nothing to be seen"));
    load(2);
    std::string const why = upgrade(machine);
    report.check("refused: " + why, has(why, "mask handles its events"));
    otter::cast(machine, push{});
    report.equal("it serves on", shown(machine),
                 std::string("version 1: open, 1 pushes, entered: 2"));
    report.equal("then it goes", upgrade(machine), std::string("done"));
    report.equal("after", shown(machine),
                 std::string("version 2: open, 1 pushes, red, entered: 2"));
  });
}
