// The router's book of resources: who is bound, who hears of whom.

#include "presence_table.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using chat::jid;

namespace {
using table = chat::presence_table<int>;
jid const pond = jid::parse("alice@otter.test/pond").value();
jid const bank = jid::parse("alice@otter.test/bank").value();
jid const raft = jid::parse("bob@otter.test/raft").value();

std::string show(std::vector<table::delivery> const& deliveries) {
  std::string out;
  for (auto const& d : deliveries) out += std::to_string(d.to) + ": " + d.xml + "\n";
  return out;
}
std::string presence(jid const& who, std::string const& more = "") {
  return "<presence from='" + who.full() + "'" + more + "/>";
}
}  // namespace

TEST_CASE("the first presence is echoed, told to the others, and theirs come back",
          "[chat][presence]") {
  table t;
  CHECK(t.bind(pond, 1, 10).bound);
  CHECK(t.bind(bank, 2, 10).bound);
  CHECK(t.bind(raft, 3, 10).bound);
  CHECK(show(t.set_presence(pond, 1, true, 0, presence(pond))) ==
        "1: <presence to='alice@otter.test/pond' from='alice@otter.test/pond'/>\n");
  CHECK(show(t.set_presence(bank, 2, true, 0, presence(bank))) ==
        "1: <presence to='alice@otter.test/pond' from='alice@otter.test/bank'/>\n"
        "2: <presence to='alice@otter.test/bank' from='alice@otter.test/bank'/>\n"
        "2: <presence to='alice@otter.test/bank' from='alice@otter.test/pond'/>\n");
  // A later one is broadcast, but asks for nothing.
  CHECK(show(t.set_presence(bank, 2, true, 5, presence(bank))) ==
        "1: <presence to='alice@otter.test/pond' from='alice@otter.test/bank'/>\n"
        "2: <presence to='alice@otter.test/bank' from='alice@otter.test/bank'/>\n");
}

TEST_CASE("an end is told to the available resources of the same account", "[chat][presence]") {
  table t;
  (void)t.bind(pond, 1, 10);
  (void)t.bind(bank, 2, 10);
  (void)t.set_presence(pond, 1, true, 0, presence(pond));
  CHECK(t.unbind(bank, 2).empty());  // was never available
  CHECK_FALSE(t.is_bound(bank));
  (void)t.bind(bank, 2, 10);
  (void)t.set_presence(bank, 2, true, 0, presence(bank));
  CHECK(show(t.unbind(bank, 2)) ==
        "1: <presence to='alice@otter.test/pond' from='alice@otter.test/bank' "
        "type='unavailable'/>\n");
  (void)t.unbind(pond, 1);
  CHECK(t.accounts() == 0);
}

TEST_CASE("unavailable presence is echoed once and ends availability", "[chat][presence]") {
  table t;
  (void)t.bind(pond, 1, 10);
  CHECK(t.set_presence(pond, 1, false, 0, presence(pond, " type='unavailable'")).empty());
  (void)t.set_presence(pond, 1, true, 0, presence(pond));
  CHECK(t.set_presence(pond, 1, false, 0, presence(pond, " type='unavailable'")).size() == 1);
  std::vector<int> sessions;
  CHECK(t.route(chat::target_type::bare_account, chat::stanza_class::message_normal, pond.to_bare(),
                sessions)
            .action == chat::route_action::store_offline);
}

TEST_CASE("the old holder of a resource loses it and cannot give it up any more",
          "[chat][presence]") {
  table t;
  (void)t.bind(pond, 1, 10);
  (void)t.bind(bank, 5, 10);
  (void)t.set_presence(pond, 1, true, 0, presence(pond));
  (void)t.set_presence(bank, 5, true, 0, presence(bank));
  auto const again = t.bind(pond, 2, 10);
  CHECK(again.bound);
  CHECK(again.replaced == 1);
  CHECK(show(again.told) ==
        "5: <presence to='alice@otter.test/bank' from='alice@otter.test/pond' "
        "type='unavailable'/>\n");
  CHECK(t.unbind(pond, 1).empty());
  CHECK(t.is_bound(pond));
  CHECK(t.set_presence(pond, 1, true, 0, presence(pond)).empty());
}

TEST_CASE("an account has at most so many resources, and a known one does not count twice",
          "[chat][presence]") {
  table t;
  CHECK(t.bind(pond, 1, 1).bound);
  CHECK_FALSE(t.bind(bank, 2, 1).bound);
  CHECK(t.bind(pond, 3, 1).bound);
  CHECK(t.bind(raft, 4, 1).bound);
}

TEST_CASE("routing names the sessions of the chosen resources", "[chat][presence]") {
  table t;
  (void)t.bind(pond, 1, 10);
  (void)t.bind(bank, 2, 10);
  (void)t.set_presence(pond, 1, true, 1, presence(pond));
  (void)t.set_presence(bank, 2, true, 2, presence(bank));
  std::vector<int> sessions;
  auto const route = [&](jid const& to, chat::target_type target) {
    return t.route(target, chat::stanza_class::message_normal, to, sessions).action;
  };
  CHECK(route(pond.to_bare(), chat::target_type::bare_account) == chat::route_action::deliver);
  CHECK(sessions == std::vector<int>{2});
  CHECK(route(pond, chat::target_type::full_account) == chat::route_action::deliver);
  CHECK(sessions == std::vector<int>{1});
  CHECK(route(raft, chat::target_type::full_account) == chat::route_action::store_offline);
  CHECK(sessions.empty());
}
