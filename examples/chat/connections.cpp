#include "connections.hpp"

#include <otter/logger.hpp>

namespace chat {
namespace {

constexpr otter::logger::module_log log{"chat.connections"};

}  // namespace

bool connections::handle_call(admit m, otter::from who) {
  auto const found = counts_.find(m.from.bytes);
  auto const count = found == counts_.end() ? 0 : found->second;
  if (count >= per_address_) {
    log.warning("a connection is refused: there are too many from its address",
                {{"from", m.from}, {"open", count}});
    return false;
  }
  leave(who.caller());
  hold(who.caller(), m.from.bytes);
  return true;
}

void connections::handle_cast(hand_over m) {
  auto const found = held_.find(m.acceptor);
  if (found == held_.end()) return;  // it has ended, and its socket with it
  auto const from = found->second.from;
  hold(m.session, from);  // first: the address keeps its count
  leave(m.acceptor);
}

void connections::handle_cast(release m) { leave(m.acceptor); }

void connections::handle_info(otter::down m) { leave(m.process); }

void connections::hold(otter::pid who, host const& from) {
  held_.emplace(who, place{from, otter::monitor(who)});
  ++counts_[from];
}

void connections::leave(otter::pid who) {
  auto const found = held_.find(who);
  if (found == held_.end()) return;
  otter::demonitor(found->second.watch);
  auto const count = counts_.find(found->second.from);
  if (--count->second == 0) counts_.erase(count);
  held_.erase(found);
}

}  // namespace chat
