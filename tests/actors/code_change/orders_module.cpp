// The module "orders" in two versions, whose messages differ in layout: ORDERS_VERSION.

#include <otter/code_change.hpp>
#include <otter/gen_event.hpp>
#include <otter/gen_server.hpp>
#include <otter/gen_statem.hpp>
#include <otter/message_change.hpp>
#include <otter/module.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <string>
#include <utility>
#include <vector>

#include "orders.hpp"

namespace {

using namespace ordering;

std::string text_of(order const& o) {
#if ORDERS_VERSION == 1
  return "order 1: " + std::to_string(o.id) + " " + o.what;
#else
  return "order 2: " + std::to_string(o.id) + " " + o.what.value_or("nothing") + " x" +
         std::to_string(o.copies);
#endif
}
std::string text_of(parcel& p) {
  std::string text = "parcel " + std::to_string(p.weight) + " " + *p.content;
#if ORDERS_VERSION == 2
  text += " " + std::to_string(p.weights.size());
#endif
  if (p.sender) otter::send(p.sender, told{"got " + *p.content});
  return text;
}
answer answer_to(ask const& a) {
  answer x;
  x.total = static_cast<decltype(x.total)>(a.id);
#if ORDERS_VERSION == 2
  x.total += a.copies;
#else
  if (a.id == 99) x.total = 1L << 40;  // more than version 2 can hold
#endif
  return x;
}

/// What the servers have in common.
template <class Server>
class keeper : public otter::gen_server<Server> {
 public:
  using accepts = otter::accepts<order, ask, count, parcel, voucher, voucher_call, note, seen>;
  struct state {
    std::vector<std::string> lines;
  };

  keeper() = default;
  explicit keeper(state s) noexcept : state_(std::move(s)) {}
  state& system_state() { return state_; }

  void handle_cast(order o) { state_.lines.push_back(text_of(o)); }
  answer handle_call(ask a) { return answer_to(a); }
  count::reply handle_call(count c) { return static_cast<count::reply>(c.how_many); }
  void handle_info(parcel p) { state_.lines.push_back(text_of(p)); }
  void handle_cast(voucher) { state_.lines.push_back("a voucher"); }
  int handle_call(voucher_call) { return 1; }
  void handle_cast(note) { state_.lines.push_back("a note"); }
  std::vector<std::string> handle_call(seen) { return state_.lines; }

 protected:
  state state_;
};

}  // namespace

class shop : public keeper<shop> {
 public:
  using keeper<shop>::keeper;
};

/// The same, and takes what it does not know.
class open_shop : public keeper<open_shop> {
 public:
  using keeper<open_shop>::keeper;
  using keeper<open_shop>::handle_info;
  void handle_info(otter::any_message& m) {
    state_.lines.push_back("any " + std::string(m.type()->name) +
                           (m.get_if<voucher>() != nullptr ? ", cast" : ""));
  }
};

/// A machine that takes no order before it is open.
class till : public otter::gen_statem<till> {
 public:
  enum class state { closed, open };
  using accepts = otter::accepts<order, ask, voucher, go, seen>;

  auto handle_event(in<state::closed>, order) { return postpone(); }
  void handle_event(in<state::open>, order& o) { lines_.push_back(text_of(o)); }
  auto handle_event(in<state::closed>, ask) { return postpone(); }
  answer handle_event(in<state::open>, ask& a) { return answer_to(a); }
  void handle_event(state, voucher) { lines_.push_back("a voucher"); }
  auto handle_event(state, go) { return next_state(state::open); }
  std::vector<std::string> handle_event(state, seen) { return lines_; }
  void handle_event(state, otter::any_message& m) {
    lines_.push_back("any " + std::string(m.type()->name));
  }

 private:
  std::vector<std::string> lines_;
};

/// A handler of events; who asks the order's id gets it as a message.
class ledger : public otter::event_handler<ledger> {
 public:
  using accepts = otter::accepts<order, parcel, voucher>;

  explicit ledger(otter::pid who) : who_(who) {}
  void handle_event(order const& o) { otter::send(who_, told{text_of(o)}); }
  void handle_event(voucher const&) { otter::send(who_, told{"a voucher"}); }
  void handle_info(order const& o) { otter::send(who_, told{"message " + text_of(o)}); }
  void handle_event(parcel const&) { otter::send(who_, told{"a parcel"}); }

 private:
  otter::pid who_;
};

namespace {

template <class Behaviour>
started start() {
  auto made = Behaviour::start_link();
  if (!made) return tl::unexpected(std::move(made.error()));
  return *made;
}

otter::pid start_asker(otter::pid server, otter::pid who) {
  return otter::spawn([server, who] {
    otter::receive([](go) {});
    auto const got = otter::try_call(server, ask{5});
    otter::send(who, told{got ? std::to_string(got->total) : to_string(got.error())});
    auto const counted = otter::try_call(server, count{7});
    otter::send(who, told{counted ? std::to_string(*counted) : to_string(counted.error())});
  });
}

/// Takes an order as its own version knows it.
otter::pid start_reader(otter::pid who) {
  return otter::spawn([who] {
    otter::receive([&](order o) { otter::send(who, told{text_of(o)}); },
                   [&](otter::any_message& m) {
                     auto got = otter::code::convert<order>(m);
                     otter::send(
                         who, told{"any, then " + (got ? text_of(*got) : to_string(got.error()))});
                   });
  });
}

bool add_ledger(otter::pid manager, otter::pid who) {
  return otter::gen_event::add_handler<ledger>(manager, who).has_value();
}

}  // namespace

OTTER_MODULE(otter::code::behaviour<shop>(), otter::code::behaviour<open_shop>(),
             otter::code::messages<till::accepts>(), otter::code::messages<price>(),
             otter::code::function<&start<shop>>("shop"),
             otter::code::function<&start<open_shop>>("open_shop"),
             otter::code::function<&start<till>>("till"),
             otter::code::function<&start_asker>("asker"),
             otter::code::function<&start_reader>("reader"),
             otter::code::function<&add_ledger>("add_ledger"));
