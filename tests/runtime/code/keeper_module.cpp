// The module "keeper": each function leaves something of it behind.

#include <otter/blocking.hpp>
#include <otter/dictionary.hpp>
#include <otter/exit.hpp>
#include <otter/link.hpp>
#include <otter/message.hpp>
#include <otter/module.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>

#include "keeper.hpp"

namespace {

/// A message that no other module knows.
struct parcel {
  int weight = 0;
  friend bool operator==(parcel const&, parcel const&) = default;
};

int scale(int n) { return 3 * n; }

std::uintptr_t address() { return reinterpret_cast<std::uintptr_t>(&scale); }
void send_parcel(otter::pid to) { otter::send(to, parcel{1}); }
otter::timer_ref send_later(otter::pid to) {
  return otter::send_after(std::chrono::hours(1), to, parcel{2});
}
void remember() { otter::dictionary::put(parcel{3}); }
void forget() { otter::dictionary::erase<parcel>(); }
/// A process that ends with a parcel; whoever watches it has it in the reason.
otter::pid ends_with_a_parcel() {
  return otter::spawn([] {
    otter::receive([](keeper::go_on) {});
    otter::exit(otter::exit_reason::of(parcel{4}));
  });
}
otter::monitor_ref watch(otter::pid whom) { return otter::monitor_with_tag(whom, parcel{5}); }
std::function<int(int)> closure(int by) {
  return [by](int n) { return scale(n) * by; };
}
/// Offloads a job of the module. May be called when the version is purged.
std::function<otter::request_id()> offloads() {
  return [] { return otter::offload([] { return scale(2); }); };
}
/// A call that nobody waits for in the module.
void ask(otter::pid whom) {
  otter::detail::send_request(
      whom, otter::detail::pack<parcel>(otter::detail::signal_kind::request, parcel{6}));
}
/// Waits in a function of the module that is called in the ordinary way.
std::function<void()> waits() {
  return [] { otter::receive([](keeper::go_on) {}); };
}

}  // namespace

OTTER_MODULE(otter::code::function<&address>("address"),
             otter::code::function<&send_parcel>("send_parcel"),
             otter::code::function<&send_later>("send_later"),
             otter::code::function<&remember>("remember"), otter::code::function<&forget>("forget"),
             otter::code::function<&ends_with_a_parcel>("ends_with_a_parcel"),
             otter::code::function<&closure>("closure"), otter::code::function<&watch>("watch"),
             otter::code::function<&ask>("ask"), otter::code::function<&offloads>("offloads"),
             otter::code::function<&waits>("waits"));
