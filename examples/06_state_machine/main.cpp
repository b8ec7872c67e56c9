// 06: a door that is opened by a code, as a state machine.
//
// Shows: states as types, a handler for each state and event, a time-out that ends with its state,
// events that wait for another state. Try it:
//
//     ./dev build dev example_06_state_machine && build/dev/examples/example_06_state_machine

#include <chrono>
#include <cstdio>
#include <otter/gen_statem.hpp>
#include <otter/node.hpp>
#include <string>
#include <utility>

using namespace std::chrono_literals;

class door : public otter::gen_statem<door> {
 public:
  // --- the states; what belongs to one of them lives in it ---
  struct locked {
    int wrong_codes = 0;
  };
  struct open {};
  struct barred {};  // too many wrong codes
  using state = otter::states<locked, open, barred>;

  // --- the events ---
  struct enter_code {
    using reply = bool;
    std::string code;
  };
  struct go_through {
    using reply = void;
  };
  using accepts = otter::accepts<enter_code, go_through>;

  explicit door(std::string code) : code_(std::move(code)) {}

  // --- locked ---
  transition handle_event(locked& s, enter_code const& e, otter::caller<enter_code> who) {
    if (e.code == code_) return next_state(open{}).reply(who, true);
    if (++s.wrong_codes == 3) return next_state(barred{}).reply(who, false);
    return keep_state().reply(who, false);
  }
  /// Whoever wants through waits until the door is open.
  transition handle_event(locked&, go_through) { return postpone(); }

  // --- open ---
  enter_result enter(open&) {
    std::puts("the door opens");
    return keep_state().state_timeout(20ms);
  }
  transition handle_event(open&, otter::state_timeout) { return next_state(locked{}); }
  bool handle_event(open&, enter_code) { return true; }
  void handle_event(open&, go_through) { std::puts("somebody goes through"); }

  // --- barred ---
  enter_result enter(barred&) {
    std::puts("three wrong codes: the door is barred");
    return keep_state().state_timeout(10ms);
  }
  transition handle_event(barred&, otter::state_timeout) { return next_state(locked{}); }
  template <class Event>
  transition handle_event(barred&, Event const&) {
    return postpone();  // whatever it is, it has to wait
  }

 private:
  std::string code_;
};

int main() {
  return otter::run([] {
    auto front = door::start_link("1234").value();

    // Asked while it is locked; answered when somebody has opened it.
    auto visitor = otter::send_request(front, door::go_through{});
    otter::call(front, door::enter_code{"1234"});
    otter::receive_response(visitor);

    // The door locks itself. Three wrong codes bar it; the right one waits until that is over.
    while (otter::call(front, door::enter_code{"0000"})) otter::sleep_for(5ms);
    otter::call(front, door::enter_code{"1111"});
    otter::call(front, door::enter_code{"2222"});
    visitor = otter::send_request(front, door::go_through{});
    otter::call(front, door::enter_code{"1234"});
    otter::receive_response(visitor);
    otter::stop(front);
  });
}
