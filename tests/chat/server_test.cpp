// The whole chat server on every driver: on threads, and in simulation, where the seed decides how
// bytes are cut, who runs next and when. Clients are processes of the same node.

#include <catch2/catch.hpp>
#include <otter/name.hpp>
#include <otter/process_info.hpp>
#include <vector>

#include "listener.hpp"
#include "on_every_driver.hpp"
#include "parser_pool.hpp"
#include "server_support.hpp"

using namespace chat_test;

namespace {

bool contains(std::string const& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// Runs `f` in a process, whose end the caller awaits with join().
template <class F>
otter::monitor_ref in_process(F f) {
  return otter::spawn_monitor(std::move(f)).ref;
}
std::string join(otter::monitor_ref which) {
  return otter::receive(otter::when([&](otter::down const& d) { return d.ref == which; },
                                    [](otter::down d) { return to_string(d.reason); }),
                        otter::after(patience, [] { return std::string{"no end"}; }));
}

/// A client hears its answer before the session that sent it has come to rest: whoever counts what
/// the sessions hold waits until `now()` is `wanted`.
template <class Count>
void wait_for_count(std::string_view what, std::size_t wanted, Count now) {
  auto const end = otter::node_clock::now() + patience;
  for (;;) {
    std::size_t const count = now();
    if (count == wanted) return;
    if (otter::node_clock::now() > end)
      throw std::runtime_error(fmt::format("{} {}, not {}", count, what, wanted));
    otter::receive(otter::after(1ms, [] {}));
  }
}
/// Processes that wait for something else than a connection, and hold a stack meanwhile.
std::size_t holders_of_stacks() {
  std::size_t holders = 0;
  for (otter::pid const p : otter::processes()) {
    if (p == otter::self()) continue;
    auto const info =
        otter::process_info(p, {otter::info_item::stack_size, otter::info_item::waiting_in});
    if (!info) continue;
    bool const accepts = std::get<std::string>((*info)[1].value) == "tcp_accept";
    if (!accepts && std::get<std::uint64_t>((*info)[0].value) > 0) ++holders;
  }
  return holders;
}
void wait_for_parsers(std::size_t wanted) {
  wait_for_count("parsers are lent", wanted, chat::parsers_lent);
}

/// Where the server listens now: after a crash, once there is a listener again.
otter::tcp_address new_address() {
  for (;;) {
    if (auto const listener = otter::whereis("listener"))
      if (auto at = otter::try_call(listener, chat::listener::address{})) return *at;
    otter::receive(otter::after(1ms, [] {}));
  }
}

}  // namespace

TEST_CASE("clients that write to each other at the same time get everything once and in order",
          "[chat][server]") {
  on_every_driver([](driver_report& report) {
    constexpr int count = 50;
    running_server server;
    auto talk = [&](std::string me, std::string other) {
      wire w{server};
      w.log_in(me, "r");
      otter::send("story", me);
      otter::receive([](char) {});  // both are there
      for (int i = 0; i < count; ++i) w.say(other + "@localhost", std::to_string(i));
      for (int i = 0; i < count; ++i)
        if (auto const got = w.hear(); got != std::to_string(i))
          throw std::runtime_error("heard " + got + " instead of " + std::to_string(i));
      w.send("</stream:stream>");
      if (auto const rest = w.rest(); contains(rest, "<message"))
        throw std::runtime_error("heard more: " + rest);
    };
    otter::register_name("story", otter::self());
    auto const alice = otter::spawn_monitor([&] { talk("alice", "bob"); });
    auto const bob = otter::spawn_monitor([&] { talk("bob", "alice"); });
    for (int i = 0; i < 2; ++i) otter::receive([](std::string const&) {});
    otter::send(alice.process, 'x');
    otter::send(bob.process, 'x');
    report.equal("alice", join(alice.ref), "normal");
    report.equal("bob", join(bob.ref), "normal");
    report.equal("server", server.stop(), "normal");
  });
}

TEST_CASE("a session that throws is reported, and no other connection notices", "[chat][server]") {
  on_every_driver([](driver_report& report) {
    running_server server;
    wire alice{server}, bob{server}, victim{server};
    alice.log_in("alice", "r");
    bob.log_in("bob", "r");
    victim.log_in("bob", "victim");
    victim.say("alice@localhost", "otter: throw");
    report.check("the client is told", contains(victim.rest(), "<internal-server-error"));
    alice.say("bob@localhost/r", "well?");
    report.equal("bob", bob.hear(), "well?");
    bob.say("alice@localhost", "well.");
    report.equal("alice", alice.hear(), "well.");
    alice.send("</stream:stream>");
    bob.send("</stream:stream>");
    alice.rest();
    bob.rest();
    report.equal("server", server.stop(), "normal");
    report.equal("crashes", report.count_events(otter::node_event::kind::crash), std::size_t{1});
    report.equal("named", report.count_events("the session of bob@localhost/victim"),
                 std::size_t{1});
  });
}

TEST_CASE("a router that is killed is replaced, and clients can come back", "[chat][server]") {
  on_every_driver([](driver_report& report) {
    running_server server;
    wire alice{server};
    alice.log_in("alice", "r");
    auto const old = otter::whereis("router");
    otter::exit(old, otter::exit_reason::kill());
    // Sessions lean on the router: they are ended in order, and the client is told.
    report.check("told", contains(alice.until("</stream:stream>"), "<system-shutdown"));
    alice.send("</stream:stream>");
    alice.rest();
    wire again{new_address()};
    report.check("another router", otter::whereis("router") != old);
    again.log_in("alice", "r");
    again.say("alice@localhost/r", "to myself");
    report.equal("works", again.hear(), "to myself");
    again.send("</stream:stream>");
    again.rest();
    report.equal("server", server.stop(), "normal");
  });
}

TEST_CASE("a message that is sent while the recipient logs in arrives once", "[chat][server]") {
  on_every_driver([](driver_report& report) {
    constexpr int count = 30;
    running_server server;
    auto const sender = in_process([&] {
      wire alice{server};
      alice.log_in("alice", "r");
      for (int i = 0; i < count; ++i) alice.say("bob@localhost", std::to_string(i));
      alice.send("</stream:stream>");
      alice.rest();
    });
    // Some are kept and fetched, some are delivered: the seed decides which.
    wire bob{server};
    bob.arrive("bob", "r");
    for (int i = 0; i < count; ++i) report.equal("message", bob.hear(), std::to_string(i));
    report.equal("sender", join(sender), "normal");
    bob.send("</stream:stream>");
    report.check("no more", !contains(bob.rest(), "<message"));
    report.equal("server", server.stop(), "normal");
  });
}

TEST_CASE("a message that meets its recipient leaving waits for the next login, in its order",
          "[chat][server]") {
  on_every_driver([](driver_report& report) {
    constexpr int count = 40;
    running_server server;
    auto const sender = in_process([&] {
      wire alice{server};
      alice.log_in("alice", "r");
      for (int i = 0; i < count; ++i) alice.say("bob@localhost", std::to_string(i));
      alice.say("nobody@localhost", "?");
      alice.until("type='error'");  // all have been dealt with
      alice.send("</stream:stream>");
      alice.rest();
    });
    // Bob comes and goes, with a closing tag, as often as it takes: the seed decides where he
    // stops.
    int next = 0;
    int logins = 0;
    while (next < count && ++logins < 1000) {
      wire bob{server};
      bob.arrive("bob", "r");
      bob.until("<presence ");
      bob.send("</stream:stream>");
      auto const heard = bob.all_that_was_read();
      for (auto at = heard.find("<body>"); at != std::string::npos;
           at = heard.find("<body>", at + 1))
        report.equal("message", heard.substr(at + 6, heard.find('<', at + 6) - at - 6),
                     std::to_string(next++));
    }
    report.equal("all", next, count);
    report.equal("sender", join(sender), "normal");
    report.equal("server", server.stop(), "normal");
  });
}

TEST_CASE("waiting messages that were on their way to a client that died come again",
          "[chat][server]") {
  on_every_driver([](driver_report& report) {
    constexpr int count = 60;  // more than travel at once
    running_server server;
    {
      wire alice{server};
      alice.log_in("alice", "r");
      for (int i = 0; i < count; ++i) alice.say("bob@localhost", std::to_string(i));
      alice.say("nobody@localhost", "?");
      alice.until("type='error'");  // the store answers in order: all are kept
      alice.send("</stream:stream>");
      alice.rest();
    }
    {
      wire bob{server};
      bob.answers_pings = false;
      bob.arrive("bob", "r");
      report.equal("first", bob.hear(), "0");
    }  // dies here
    {
      wire bob{server};
      bob.arrive("bob", "r");
      for (int i = 0; i < count; ++i) report.equal("again", bob.hear(), std::to_string(i));
      // Its own presence follows them, when the store has none left.
      report.check("no more", !contains(bob.until("<presence "), "<message"));
      bob.send("</stream:stream>");
      bob.rest();
    }
    wire bob{server};
    bob.arrive("bob", "r");
    report.check("once", !contains(bob.until("<presence "), "<message"));
    bob.send("</stream:stream>");
    bob.rest();
    report.equal("server", server.stop(), "normal");
  });
}

TEST_CASE("a listener that was started again knows who is connected already", "[chat][server]") {
  on_every_driver([](driver_report& report) {
    chat::chat_limits limits;
    limits.connections_per_address = 3;
    running_server server{limits};
    auto const old = otter::whereis("listener");
    std::vector<wire> clients;
    for (auto const* resource : {"a", "b", "c"})
      clients.emplace_back(server).log_in("alice", resource);
    otter::exit(old, otter::exit_reason::kill());
    while (otter::whereis("listener") == old) otter::receive(otter::after(1ms, [] {}));
    auto const address = new_address();
    clients[0].say("alice@localhost/b", "still here");
    report.equal("connections live on", clients[1].hear(), "still here");
    wire fourth{address};
    report.check("full", contains(fourth.rest(), "<policy-violation"));
    clients[2].send("</stream:stream>");
    clients[2].rest();
    // The place is free once the session has ended, which its client cannot see.
    for (;;) {
      wire next{address};
      next.send(
          "<?xml version='1.0'?><stream:stream to='localhost' version='1.0' "
          "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>");
      auto const answer = next.until(">");
      auto const rest = next.until("</stream:");
      if (contains(answer + rest, "<mechanisms")) break;
    }
    for (int i : {0, 1}) {
      clients[static_cast<std::size_t>(i)].send("</stream:stream>");
      clients[static_cast<std::size_t>(i)].rest();
    }
    report.equal("server", server.stop(), "normal");
  });
}

TEST_CASE("connections in every state are ended politely when the server stops", "[chat][server]") {
  on_every_driver([](driver_report& report) {
    running_server server;
    wire silent{server}, opened{server}, logged_in{server};
    opened.open();
    logged_in.log_in("alice", "r");
    server.begin_stop();
    for (auto* one : {&silent, &opened, &logged_in}) {
      auto const last = one->until("</stream:stream>");
      report.check("told: " + last, contains(last, "<system-shutdown"));
      one->send("</stream:stream>");
      one->rest();
    }
    report.equal("server", server.end(), "normal");
  });
}

TEST_CASE("a silent connection holds no stack and no parser, nor does one that is closing",
          "[chat][server]") {
  constexpr int count = 200;
  otter::node_options options;
  options.workers = 2;
  otter::node node{options};
  auto const reason = node.run([&] {
    chat::chat_limits limits;
    limits.connections_per_address = count;
    limits.resources = count;
    running_server server{limits};
    std::vector<wire> clients;
    for (int i = 0; i < count; ++i)
      clients.emplace_back(server).log_in("alice", "r" + std::to_string(i));
    // Of all processes, only the one that runs the server and is no behaviour.
    wait_for_count("processes hold a stack", 1, holders_of_stacks);
    wait_for_parsers(0);
    clients[0].send("<message><bo");
    clients[1].send("<presence/>");
    clients[1].until("<presence ");
    wait_for_parsers(1);
    clients[0].send("dy/></message>");
    wait_for_parsers(0);
    clients[2].send("</stream:stream>");
    clients[2].until("</stream:stream>");  // and our side stays open
    wait_for_parsers(0);
    wait_for_count("processes hold a stack", 1, holders_of_stacks);
    for (auto& c : clients) c.send("</stream:stream>");
    for (auto& c : clients) c.rest();
    static_cast<void>(server.stop());
  });
  CHECK(to_string(reason) == "normal");
  node.stop();
  CHECK(node.statistics().processes == 0);
  CHECK(node.statistics().ports == 0);
}
