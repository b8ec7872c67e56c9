#include "accounts.hpp"

#include <otter/blocking.hpp>
#include <otter/logger.hpp>
#include <otter/timer.hpp>
#include <utility>

namespace chat {
namespace {

constexpr otter::logger::module_log log{"chat.accounts"};

std::chrono::milliseconds now() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
      otter::node_clock::now().time_since_epoch());
}

}  // namespace

accounts::accounts(std::string directory, rate_limit failed_logins)
    : store_{otter::blocking([&] {
        return store{directory, system_random};
      })},
      brake_{failed_logins} {}

otter::call_outcome<accounts::find::reply> accounts::handle_call(find m, otter::caller<find> who) {
  auto const wait = brake_.wait_of(m.username, m.address.bytes, now());
  if (wait.count() == 0) return reply(look_up(m.username));
  log.warning("a login waits, since too many have failed",
              {{"user", m.username}, {"from", m.address}, {"ms", wait.count()}});
  otter::send_after(wait, otter::self(), waited{who, std::move(m.username)});
  return noreply();
}

void accounts::handle_info(waited m) { otter::reply(m.who, look_up(m.username)); }

void accounts::handle_cast(login_failed m) { brake_.failed(m.username, m.address.bytes, now()); }
void accounts::handle_cast(logged_in m) { brake_.succeeded(m.username, m.address.bytes); }

accounts::find::reply accounts::look_up(std::string const& username) {
  try {
    return otter::blocking([&] { return store_.find_account(username); });
  } catch (store_error const& e) {
    log.error("an account cannot be looked up", {{"reason", e.what()}});
    return tl::unexpected(lookup_failed{});
  }
}

}  // namespace chat
