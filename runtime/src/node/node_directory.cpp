#include "node/node_directory.hpp"

#include <array>
#include <mutex>
#include <otter/error.hpp>

namespace otter::rts {
namespace {

struct place {
  std::uint32_t incarnation = 0;
  bool taken = false;
};

std::mutex mutex;
std::array<place, 256> places;  // guarded by mutex; place 0 stays empty: node 0 is no node

}  // namespace

std::uint32_t enter_node_directory() {
  std::lock_guard lock(mutex);
  for (std::uint32_t i = 1; i < places.size(); ++i) {
    if (places[i].taken) continue;
    places[i].taken = true;
    return places[i].incarnation++ << 8 | i;
  }
  throw error(errc::system_limit, "255 nodes live in this OS process; no more are possible");
}

void leave_node_directory(std::uint32_t id) noexcept {
  std::lock_guard lock(mutex);
  places[id & 255].taken = false;
}

}  // namespace otter::rts
