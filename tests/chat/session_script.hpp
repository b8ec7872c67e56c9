#pragma once

// session_script.hpp - a session in a bottle: what a client sends goes in as text, what the server
// would write comes out as text. Accounts, router and store are small stand-ins; time is a number.

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base64.hpp"
#include "presence_table.hpp"
#include "routing.hpp"
#include "session_core.hpp"

namespace chat_test {

class client;

/// What sessions share.
struct world {
  chat::session_settings settings;
  std::map<std::string, chat::credentials> accounts;
  chat::presence_table<int> table;
  std::map<std::string, std::vector<chat::offline_message>> offline;
  std::map<int, client*> clients;
  bool store_works = true;
  bool derivation_works = true;
  std::int64_t next_id = 1;

  world() {
    settings.domain = settings.sasl.domain = "otter.test";
    settings.sasl.server_secret = "secret";
    settings.sasl.iterations = 4096;
    settings.sasl.nonce = [] { return std::string{"server"}; };
    // Counts up, so that ids differ and a script repeats.
    settings.sasl.random = [n = 0](char* at, std::size_t size) mutable {
      for (std::size_t i = 0; i < size; ++i) at[i] = static_cast<char>(++n);
    };
    static auto const keys = chat::make_credentials(chat::secret{"pw"}, 4096, chat::system_random);
    accounts = {{"alice", keys}, {"bob", keys}};
  }
};

class client {
 public:
  client(world& w, int number)
      : world_{w},
        number_{number},
        parser_{before_login(w.settings.limits)},
        core_{w.settings, state_} {
    world_.clients[number_] = this;
    chat::session_actions out;
    core_.on_accepted(now(), out);
    act(std::move(out));
  }
  ~client() { world_.clients.erase(number_); }
  client(client const&) = delete;
  client& operator=(client const&) = delete;

  /// Feeds `bytes` and returns what was written in answer, without the stream headers.
  std::string send(std::string const& bytes) {
    auto events = parser_.feed(bytes);
    chat::session_actions out;
    for (std::size_t i = 0; i < events.size(); ++i) {
      bool const restarted = restarted_;
      core_.on_event(std::move(events[i]), now(), out);
      act(std::exchange(out, {}));
      if (restarted_ && !restarted) {
        for (++i; i < events.size(); ++i)
          if (!std::holds_alternative<chat::stream_whitespace>(events[i])) leftover_ = true;
        if (leftover_ || !was_idle_) core_.on_leftover(out);
        break;
      }
    }
    act(std::exchange(out, {}));
    restarted_ = leftover_ = false;
    core_.on_read(bytes.size(), parser_.idle(), now(), out);
    act(std::move(out));
    return take();
  }

  std::string open(std::string const& to = "otter.test") {
    return send(
        "<?xml version='1.0'?><stream:stream to='" + to +
        "' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>");
  }
  /// Opens, authenticates, opens again and binds; forgets what was written.
  void log_in(std::string const& name, std::string const& resource) {
    open();
    send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" + plain(name, "pw") +
         "</auth>");
    open();
    send("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>" +
         resource + "</resource></bind></iq>");
  }
  static std::string plain(std::string const& name, std::string const& password) {
    return chat::base64_encode(std::string(1, '\0') + name + std::string(1, '\0') + password);
  }

  void pass(std::chrono::seconds time) { now_ += time; }
  /// Lets the timer fire if it is due; returns what was written.
  std::string tick() {
    chat::session_actions out;
    if (timer_ && *timer_ <= now_) {
      timer_.reset();
      core_.on_timer(now(), out);
    }
    act(std::move(out));
    return take();
  }
  /// Moves time to the next timer, as often as it takes, until something is written or `most`
  /// passed.
  std::string run_timers(std::chrono::seconds most) {
    auto const end = now_ + most;
    while (timer_ && *timer_ <= end && !closed_) {
      now_ = std::max(now_, *timer_);
      auto text = tick();
      if (!text.empty()) return text;
    }
    now_ = end;
    return {};
  }

  template <typename Call>
  std::string with(Call call) {
    chat::session_actions out;
    call(core_, out);
    act(std::move(out));
    return take();
  }

  std::string take() { return std::exchange(written_, {}); }
  chat::session_core& core() { return core_; }
  bool closed() const { return closed_; }
  std::chrono::milliseconds now() const { return now_; }
  std::chrono::milliseconds paused() const { return paused_; }
  void deliver(std::string xml) {
    chat::session_actions out;
    core_.on_delivery(std::move(xml), out);
    act(std::move(out));
  }
  void entrust(chat::stanza what) {
    chat::session_actions out;
    core_.on_entrusted(std::move(what), out);
    act(std::move(out));
  }
  /// When false, store and pool do not answer: the session stays waiting.
  bool answering = true;

 private:
  void act(chat::session_actions actions) {
    for (auto& a : actions) std::visit([this](auto& one) { carry_out(one); }, a);
  }

  void carry_out(chat::action::write& a) {
    // The headers differ by id only; the tests look at what is behind them.
    constexpr std::string_view header = "<?xml version='1.0'?><stream:stream";
    if (a.bytes.starts_with(header)) {
      ++headers;
      last_header = a.bytes;
    } else {
      written_ += a.bytes;
    }
  }
  void carry_out(chat::action::find_credentials& a) {
    if (!answering) return;
    chat::session_actions out;
    if (!world_.store_works) {
      core_.on_login_failed(now(), out);
    } else {
      auto const found = world_.accounts.find(a.username);
      core_.on_credentials(
          found == world_.accounts.end() ? std::nullopt : std::optional{found->second}, now(), out);
    }
    act(std::move(out));
  }
  void carry_out(chat::action::derive_key& a) {
    if (!answering) return;
    chat::session_actions out;
    if (world_.derivation_works)
      core_.on_derived(run(a.job), now(), out);
    else
      core_.on_login_failed(now(), out);
    act(std::move(out));
  }
  void carry_out(chat::action::login_failed&) { ++failed_logins; }
  void carry_out(chat::action::restart_stream& a) {
    was_idle_ = parser_.idle();
    restarted_ = true;
    parser_.reset();
    parser_.set_limits(a.limits);
  }
  void carry_out(chat::action::bind& a) {
    if (!answering) return;
    auto result = world_.table.bind(a.who, number_, world_.settings.limits.resources);
    if (result.replaced) {
      chat::session_actions out;
      auto* old = world_.clients.at(*result.replaced);
      old->core_.on_replaced(out);
      old->act(std::move(out));
    }
    tell(result.told);
    chat::session_actions out;
    core_.on_bound(
        result.bound ? chat::bind_outcome::bound : chat::bind_outcome::too_many_resources, now(),
        out);
    act(std::move(out));
  }
  void carry_out(chat::action::unbind& a) { tell(world_.table.unbind(a.who, number_)); }
  void carry_out(chat::action::give_back& a) { given_back.push_back(std::move(a.what.xml)); }
  void carry_out(chat::action::set_presence& a) {
    tell(world_.table.set_presence(core_.who(), number_, a.available, a.priority, a.xml));
  }
  void carry_out(chat::action::route& a) {
    auto const exists = world_.accounts.contains(std::string{a.what.to.local()});
    std::vector<int> to;
    auto const decision =
        world_.table.route(target_of(a.what.to, "otter.test", exists), a.what.cls, a.what.to, to);
    auto refuse = [&](chat::stanza_condition condition) {
      if (auto reply = error_reply(a.what, condition)) deliver(*reply);
    };
    switch (decision.action) {
      case chat::route_action::deliver:
        for (int const n : to) world_.clients.at(n)->entrust(a.what);
        break;
      case chat::route_action::store_offline:
        if (a.what.keep_offline)
          world_.offline[std::string{a.what.to.bare()}].push_back(
              {world_.next_id++, 0, a.what.xml});
        else
          refuse(chat::stanza_condition::service_unavailable);
        break;
      case chat::route_action::answer_error:
        refuse(decision.condition);
        break;
      case chat::route_action::answer_server:
        refuse(chat::stanza_condition::service_unavailable);
        break;
      case chat::route_action::drop:
        break;
    }
  }
  void carry_out(chat::action::fetch_offline&) {
    if (!answering) return;
    chat::session_actions out;
    core_.on_offline(world_.offline[std::string{core_.who().bare()}], now_, out);
    act(std::move(out));
  }
  void carry_out(chat::action::delete_offline& a) {
    std::erase_if(world_.offline[std::string{core_.who().bare()}],
                  [&](chat::offline_message const& m) {
                    return std::find(a.ids.begin(), a.ids.end(), m.id) != a.ids.end();
                  });
  }
  void carry_out(chat::action::arm_timer& a) { timer_ = now_ + a.after; }
  void carry_out(chat::action::pause_reading& a) { paused_ += a.time; }
  void carry_out(chat::action::close&) {
    written_ += "[closed]";
    closed_ = true;
    timer_.reset();
  }

  void tell(std::vector<chat::presence_table<int>::delivery> const& deliveries) {
    for (auto const& d : deliveries)
      if (world_.clients.contains(d.to)) world_.clients.at(d.to)->deliver(d.xml);
  }

  world& world_;
  int number_;
  chat::xml_stream parser_;
  chat::session_state state_;
  chat::session_core core_;
  std::chrono::milliseconds now_{1000000};
  std::optional<std::chrono::milliseconds> timer_;
  std::chrono::milliseconds paused_{0};
  std::string written_;
  bool closed_ = false;
  bool restarted_ = false;
  bool leftover_ = false;
  bool was_idle_ = true;

 public:
  int headers = 0;
  int failed_logins = 0;
  std::vector<std::string> given_back;
  std::string last_header;
};

}  // namespace chat_test
