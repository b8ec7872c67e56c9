#include "store_writer.hpp"

#include <chrono>
#include <otter/blocking.hpp>
#include <otter/exit.hpp>
#include <otter/logger.hpp>
#include <otter/message.hpp>
#include <utility>

#include "session_border.hpp"
#include "stanza_error.hpp"

namespace chat {
namespace {

constexpr otter::logger::module_log log{"chat.store"};

/// So many messages travel at once: enough to be quick, and few enough for the send queue.
constexpr std::size_t batch_size = 50;
constexpr std::size_t batch_bytes = 262144;

/// A transaction that is never longer than this: the first of its changes waits for the last.
constexpr std::size_t most_gathered = 1000;

}  // namespace

store_writer::store_writer(std::string directory, offline_limits limits)
    : store_{otter::blocking([&] {
        return store{directory, system_random};
      })},
      limits_{limits} {
  otter::trap_exit(true);  // a shutdown comes behind the changes that were asked for before it
}

// --- changes ---

void store_writer::handle_cast(keep m) { gather(std::move(m)); }
void store_writer::handle_cast(forget m) { gather(std::move(m)); }
void store_writer::handle_cast(write_now) { write_gathered(); }
void store_writer::terminate(otter::exit_reason const&) {
  write_gathered();
  otter::blocking([&] { store_.reset(); });  // SQLite tidies its log up
}

void store_writer::gather(change c) {
  if (gathered_.empty()) otter::cast(otter::server_ref<store_writer>{otter::self()}, write_now{});
  gathered_.push_back(std::move(c));
  ++changes_;
  if (gathered_.size() >= most_gathered) write_gathered();
}

void store_writer::write_gathered() {
  if (gathered_.empty()) return;
  auto const changes = std::exchange(gathered_, {});
  std::vector<bool> done(changes.size());
  auto const now = seconds_since_1970();
  auto carry_out = [&](change const& c) {
    if (auto const* k = std::get_if<keep>(&c))
      return store_->keep_offline(k->what.to.local(), k->what.xml, now, limits_);
    auto const& f = std::get<forget>(c);
    store_->delete_offline(f.account, f.ids);
    return true;
  };
  try {
    otter::blocking([&] {
      store_->together([&] {
        for (std::size_t i = 0; i < changes.size(); ++i) done[i] = carry_out(changes[i]);
      });
    });
  } catch (store_error const& e) {
    log.error("changes were not stored", {{"changes", changes.size()}, {"reason", e.what()}});
    done.assign(changes.size(), false);  // all or nothing
  }
  for (std::size_t i = 0; i < changes.size(); ++i) {
    auto const* refused = done[i] ? nullptr : std::get_if<keep>(&changes[i]);
    if (refused == nullptr) continue;
    if (auto error = error_reply(refused->what, stanza_condition::service_unavailable))
      otter::send(refused->sender, to_session::delivery{*std::move(error)});
  }
}

// --- questions ---

void store_writer::handle_cast(fetch m) {
  write_gathered();
  offline_batch batch;
  try {
    batch =
        otter::blocking([&] { return store_->offline_for(m.account, 0, batch_size, batch_bytes); });
  } catch (store_error const& e) {
    log.error("waiting messages cannot be read", {{"reason", e.what()}});
  }
  otter::reply(m.to, std::move(batch));
}

store_writer::statistics store_writer::handle_call(count) const {
  return {changes_, store_->transactions()};
}

}  // namespace chat
