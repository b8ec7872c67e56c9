// Sessions that go on in another version of their module, under clients that notice nothing: on
// threads, and in simulation, where the seed decides where in its work each session is met.

#include <atomic>
#include <catch2/catch.hpp>
#include <vector>

#include "on_every_driver.hpp"
#include "parser_pool.hpp"
#include "upgrade_support.hpp"

using namespace chat_test;

namespace {

bool contains(std::string const& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// A client that has ended.
struct talked {
  std::string who;
  int said = 0;
  int heard = 0;
};
struct there {};
struct begin {};

/// One half of a pair: sends numbers to the other and checks that its own are 0, 1, 2 ... It has
/// some on their way all the time, until `stop`.
class talker {
 public:
  talker(running_server const& server, std::string me, std::string other, std::string resource)
      : client_{server}, me_{me + "/" + resource}, other_{other + "@localhost/" + resource} {
    client_.log_in(me, resource);
  }

  talked run(std::atomic<bool> const& stop) {
    constexpr int on_their_way = 2;
    talked all{me_};
    auto const say = [&](std::string const& body) { client_.say(other_, body); };
    for (int i = 0; i < on_their_way; ++i) say(std::to_string(all.said++));
    bool ended = false;
    for (;;) {
      auto const body = client_.hear();
      if (body == "end") break;
      if (body != std::to_string(all.heard))
        throw std::runtime_error(fmt::format("{} heard {}, not {}", me_, body, all.heard));
      ++all.heard;
      if (!stop)
        say(std::to_string(all.said++));
      else if (!std::exchange(ended, true))
        say("end");
    }
    if (!ended) say("end");
    client_.send("</stream:stream>");
    if (auto const rest = client_.rest(); contains(rest, "<message"))
      throw std::runtime_error(me_ + " heard more: " + rest);
    return all;
  }

 private:
  wire client_;
  std::string me_;
  std::string other_;
};

/// Pairs that chat from now on. Called from: one process, as all of it.
class chatting {
 public:
  chatting(running_server const& server, int pairs) {
    for (int i = 0; i < pairs; ++i) {
      start(server, "alice", "bob", i);
      start(server, "bob", "alice", i);
    }
    for (std::size_t i = 0; i < clients_.size(); ++i) otter::receive([](there) {});
    for (auto const& c : clients_) otter::send(c.process, begin{});
  }
  /// Ends it, and reports what was wrong.
  void finish(driver_report& report) {
    stop_ = true;
    std::vector<talked> all;
    for (auto const& c : clients_)
      otter::receive(otter::when([&](otter::down const& d) { return d.ref == c.ref; },
                                 [&](otter::down const& d) {
                                   report.equal("a client", to_string(d.reason), "normal");
                                 }),
                     otter::after(patience, [&] { report.check("a client ends", false); }));
    for (std::size_t i = 0; i < clients_.size(); ++i)
      otter::receive([&](talked t) { all.push_back(std::move(t)); }, otter::after(0ms, [] {}));
    report.equal("all have told", all.size(), clients_.size());
    for (auto const& a : all)
      for (auto const& b : all)
        if (a.who != b.who && a.who.substr(a.who.find('/')) == b.who.substr(b.who.find('/')))
          report.equal(b.who + " heard all", b.heard, a.said);
  }

 private:
  void start(running_server const& server, char const* me, char const* other, int pair) {
    clients_.push_back(otter::spawn_monitor([&, me, other, pair, home = otter::self()] {
      talker one{server, me, other, fmt::format("r{}", pair)};
      otter::send(home, there{});
      otter::receive([](begin) {});
      otter::send(home, one.run(stop_));
    }));
  }

  std::vector<otter::spawned> clients_;
  std::atomic<bool> stop_{false};
};

std::string all_of(std::vector<std::string> const& lines) {
  return fmt::format("{}", fmt::join(lines, "; "));
}

}  // namespace

TEST_CASE("clients chat on while their sessions go to the next version, back, and to it again",
          "[chat][upgrade]") {
  on_every_driver([](driver_report& report) {
    running_server server{{}, session_file(1)};
    chatting pairs{server, 2};
    wire asking{server};
    asking.log_in("alice", "asking");
    report.check("version 1 does not know the time", !knows_the_time(asking));
    for (int const version : {2, 1, 2}) {
      auto const upgraded = go_to(version);
      report.equal("version " + std::to_string(version), all_of(upgraded.refusals), "");
      report.check("all that talk", upgraded.modules.at(0).processes >= 5);
      report.equal("what the client sees", knows_the_time(asking), version == 2);
      report.check("nobody is left behind", otter::code::soft_purge(chat::session_module));
      wire fresh{server};
      fresh.log_in("bob", "fresh");
      report.equal("a new client too", knows_the_time(fresh), version == 2);
      fresh.send("</stream:stream>");
      fresh.rest();
    }
    pairs.finish(report);
    asking.send("</stream:stream>");
    asking.rest();
    report.equal("server", server.stop(), "normal");
    report.equal("crashes", report.count_events(otter::node_event::kind::crash), std::size_t{0});
  });
}

TEST_CASE("a version that busy sessions cannot come to is refused, and all serve on in theirs",
          "[chat][upgrade]") {
  on_every_driver([](driver_report& report) {
    running_server server{{}, session_file(2)};
    chatting pairs{server, 1};
    wire quiet{server}, busy{server};
    quiet.log_in("alice", "quiet");
    busy.log_in("alice", "busy");
    std::string questions;
    for (int i = 0; i < 300; ++i)  // more than a byte can count
      questions += "<iq type='get' id='p' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>";
    busy.send(questions);
    for (int i = 0; i < 300; ++i) busy.until("id='p'");
    // Seen before anything is touched; and found out when some have gone there already.
    for (std::size_t const trials : {std::size_t{1000}, std::size_t{0}}) {
      auto const refused = go_to(3, {.trial_sample = trials});
      report.check("refused", !refused.done);
      report.check("says the field: " + all_of(refused.refusals),
                   contains(all_of(refused.refusals), "received"));
      report.equal("current", current_version(), "2");
      report.check("the quiet one serves on", knows_the_time(quiet));
      report.check("the busy one serves on", knows_the_time(busy));
    }
    pairs.finish(report);
    for (auto* one : {&quiet, &busy}) {
      one->send("</stream:stream>");
      one->rest();
    }
    report.equal("server", server.stop(), "normal");
    report.equal("crashes", report.count_events(otter::node_event::kind::crash), std::size_t{0});
  });
}

TEST_CASE("a session goes on in another version in the middle of whatever it does",
          "[chat][upgrade]") {
  on_every_driver([](driver_report& report) {
    constexpr std::string_view open =
        "<?xml version='1.0'?><stream:stream to='localhost' version='1.0' xmlns='jabber:client' "
        "xmlns:stream='http://etherx.jabber.org/streams'>";
    running_server server{{}, session_file(1)};
    wire silent{server}, half_header{server}, in_login{server}, in_bind{server}, fetching{server},
        half_stanza{server}, leaving{server}, closing{server}, listening{server};
    half_header.send(open.substr(0, 60));
    closing.open();
    closing.send("</stream:stream>");
    closing.until("</stream:stream>");  // and our side stays open
    in_login.open();
    in_bind.open();
    in_bind.authenticate("bob");
    in_bind.open();
    fetching.open();
    fetching.authenticate("bob");
    fetching.open();
    fetching.bind("fetching");
    half_stanza.log_in("alice", "half");
    leaving.log_in("alice", "leaving");
    listening.log_in("alice", "listening");
    wait_until("no parser is lent but for the header", [] { return chat::parsers_lent() == 1; });
    half_stanza.send("<message type='chat' to='alice@localhost/listening'><bo");
    wait_until("half a stanza is read", [] { return chat::parsers_lent() == 2; });
    // Nobody gets an answer from now on.
    otter::sys::suspend("accounts");
    otter::sys::suspend("router");
    in_login.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" +
                  chat::base64_encode(std::string("\0bob\0pw", 7)) + "</auth>");
    in_bind.send(
        "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>bound"
        "</resource></bind></iq>");
    fetching.send("<presence/>");
    leaving.send("</stream:stream>");
    wait_until("a question to the accounts", [] { return waiting_for("accounts") == 1; });
    wait_until("questions to the router", [] { return waiting_for("router") == 4; });

    for (int const version : {2, 1, 2})
      report.equal("upgraded", all_of(go_to(version).refusals), "");

    otter::sys::resume("accounts");
    otter::sys::resume("router");
    in_login.until("<success");
    in_login.until(">");
    in_login.open();
    in_login.bind("late");
    report.check("logged in", knows_the_time(in_login));
    in_bind.until("<jid>bob@localhost/bound</jid>");
    in_bind.until("</iq>");
    report.check("bound", knows_the_time(in_bind));
    fetching.until("<presence ");
    report.check("fetched", knows_the_time(fetching));
    half_stanza.send("dy>whole</body></message>");
    report.equal("the stanza", listening.hear(), "whole");
    half_header.send(open.substr(60));
    report.check("the header", contains(half_header.until("</stream:features>"), "<mechanisms"));
    silent.open();
    leaving.until("</stream:stream>");
    for (auto* one :
         {&silent, &half_header, &in_login, &in_bind, &fetching, &half_stanza, &listening})
      one->send("</stream:stream>");
    for (auto* one : {&silent, &half_header, &in_login, &in_bind, &fetching, &half_stanza, &leaving,
                      &closing, &listening})
      one->rest();
    wait_until("parsers are given back", [] { return chat::parsers_lent() == 0; });
    report.equal("server", server.stop(), "normal");
    report.equal("crashes", report.count_events(otter::node_event::kind::crash), std::size_t{0});
  });
}

TEST_CASE("a module that was built with other headers of the server is refused, with the reason",
          "[chat][upgrade]") {
  on_every_driver([](driver_report& report) {
    running_server server{{}, session_file(2)};
    wire client{server};
    client.log_in("alice", "r");
    auto const refused =
        otter::code::load(fmt::format("{}/chat_session-other_border.so", CHAT_SESSION_OTHERS));
    report.check("refused", !refused);
    if (!refused)
      report.check("says why: " + refused.error().text,
                   contains(refused.error().text, "other headers of the chat server"));
    report.check("all is as it was", knows_the_time(client));
    client.send("</stream:stream>");
    client.rest();
    report.equal("server", server.stop(), "normal");
  });
}
