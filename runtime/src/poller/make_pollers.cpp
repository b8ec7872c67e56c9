// poller/make_pollers.cpp - the pollers that were asked for, or epoll where the kernel refuses
// them.

#include <system_error>

#include "poller/poller.hpp"

namespace otter::rts {

poller_set make_pollers(poller_kind wanted, unsigned count) {
  poller_set set;
  if (wanted == poller_kind::io_uring) {
    try {
      while (set.pollers.size() < count) set.pollers.push_back(make_uring_poller());
      set.kind = poller_kind::io_uring;
      return set;
    } catch (std::system_error const& e) {
      set.refused = e.what();
      set.pollers.clear();
    }
  }
  while (set.pollers.size() < count) set.pollers.push_back(make_epoll_poller());
  return set;
}

}  // namespace otter::rts
