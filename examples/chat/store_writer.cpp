#include "store_writer.hpp"

#include <spdlog/spdlog.h>

#include <chrono>
#include <otter/blocking.hpp>
#include <otter/message.hpp>
#include <utility>

#include "session.hpp"
#include "stanza_error.hpp"

namespace chat {
namespace {

/// So many messages travel at once: enough to be quick, and few enough for the send queue.
constexpr std::size_t batch_size = 50;

std::int64_t seconds_since_1970() {
  using namespace std::chrono;
  return duration_cast<seconds>(system_clock::now().time_since_epoch()).count();
}

}  // namespace

store_writer::store_writer(std::string directory, offline_limits limits)
    : store_{otter::blocking([&] {
        return store{directory, system_random};
      })},
      limits_{limits} {}

void store_writer::handle_cast(keep m) {
  bool kept = false;
  try {
    kept = otter::blocking([&] {
      return store_.keep_offline(m.what.to.local(), m.what.xml, seconds_since_1970(), limits_);
    });
  } catch (store_error const& e) {
    spdlog::error("{}", e.what());
  }
  if (kept) return;
  if (auto error = error_reply(m.what, stanza_condition::service_unavailable))
    otter::send(m.sender, session::delivery{*std::move(error)});
}

void store_writer::handle_cast(fetch m) {
  offline_batch batch;
  try {
    batch = otter::blocking([&] { return store_.offline_for(m.account, 0, batch_size); });
  } catch (store_error const& e) {
    spdlog::error("{}", e.what());
  }
  otter::reply(m.to, std::move(batch));
}

void store_writer::handle_cast(forget m) {
  try {
    otter::blocking([&] { store_.delete_offline(m.account, m.ids); });
  } catch (store_error const& e) {
    spdlog::error("{}", e.what());
  }
}

}  // namespace chat
