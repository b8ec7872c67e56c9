// Every cell of the routing table (RFC 6121, section 8.5.4).

#include "routing.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using chat::resource_view;
using chat::stanza_class;
using chat::target_type;

namespace {

std::string show(chat::route_decision const& d) {
  switch (d.action) {
    case chat::route_action::deliver: {
      std::string out = "to";
      for (auto const i : d.resources) out += " " + std::to_string(i);
      return out;
    }
    case chat::route_action::store_offline:
      return "store";
    case chat::route_action::answer_error:
      return std::string{to_string(d.condition)};
    case chat::route_action::answer_server:
      return "server";
    case chat::route_action::drop:
      return "drop";
  }
  return "?";
}

constexpr stanza_class columns[] = {stanza_class::message_normal,   stanza_class::message_groupchat,
                                    stanza_class::message_headline, stanza_class::message_error,
                                    stanza_class::presence,         stanza_class::presence_managing,
                                    stanza_class::iq_request,       stanza_class::iq_response};

struct row {
  std::string name;
  target_type target;
  std::vector<resource_view> resources;
  std::vector<std::string> cells;
};

resource_view at(int priority, bool addressed = false) {
  return {true, static_cast<std::int8_t>(priority), addressed};
}
resource_view silent(bool addressed = false) { return {false, 0, addressed}; }

std::string const su = "service-unavailable";
std::string const rsnf = "remote-server-not-found";

}  // namespace

TEST_CASE("each kind of stanza goes where the table says", "[chat][routing]") {
  std::vector<row> const table{
      // normal, groupchat, headline, error, presence, managing, iq request, iq response
      {"bare, two of the highest priority",
       target_type::bare_account,
       {at(5), at(1), at(5), at(-1), silent()},
       {"to 0 2", su, "to 0 1 2", "drop", "to 0 1 2 3", "drop", "server", "drop"}},
      {"bare, one of priority 0",
       target_type::bare_account,
       {silent(), at(0)},
       {"to 1", su, "to 1", "drop", "to 1", "drop", "server", "drop"}},
      {"bare, only negative",
       target_type::bare_account,
       {at(-1), at(-128)},
       {"store", su, "drop", "drop", "to 0 1", "drop", "server", "drop"}},
      {"bare, bound but never available",
       target_type::bare_account,
       {silent()},
       {"store", su, "drop", "drop", "drop", "drop", "server", "drop"}},
      {"bare, none",
       target_type::bare_account,
       {},
       {"store", su, "drop", "drop", "drop", "drop", "server", "drop"}},
      {"full, there",
       target_type::full_account,
       {at(7), at(3, true)},
       {"to 1", "to 1", "to 1", "to 1", "to 1", "drop", "to 1", "to 1"}},
      {"full, there with negative priority",
       target_type::full_account,
       {at(7), at(-3, true)},
       {"to 1", "to 1", "to 1", "to 1", "to 1", "drop", "to 1", "to 1"}},
      {"full, there but never available",
       target_type::full_account,
       {silent(true)},
       {"to 0", "to 0", "to 0", "to 0", "to 0", "drop", "to 0", "to 0"}},
      {"full, gone, another is eligible",
       target_type::full_account,
       {at(2)},
       {"to 0", su, "drop", "drop", "drop", "drop", su, "drop"}},
      {"full, gone, only negative left",
       target_type::full_account,
       {at(-2)},
       {"store", su, "drop", "drop", "drop", "drop", su, "drop"}},
      {"full, gone, none left",
       target_type::full_account,
       {},
       {"store", su, "drop", "drop", "drop", "drop", su, "drop"}},
      {"no such account",
       target_type::no_account,
       {},
       {su, su, "drop", "drop", "drop", "drop", su, "drop"}},
      {"our domain",
       target_type::server,
       {},
       {"drop", "drop", "drop", "drop", "drop", "drop", "server", "drop"}},
      {"foreign domain",
       target_type::foreign,
       {},
       {rsnf, rsnf, rsnf, "drop", "drop", "drop", rsnf, "drop"}},
  };
  for (auto const& r : table) {
    REQUIRE(r.cells.size() == std::size(columns));
    for (std::size_t i = 0; i < r.cells.size(); ++i) {
      INFO(r.name << ", column " << i);
      CHECK(show(chat::decide(r.target, columns[i], r.resources)) == r.cells[i]);
    }
  }
}

TEST_CASE("an address is one of five kinds of target", "[chat][routing]") {
  auto const of = [](char const* text, bool exists) {
    return chat::target_of(chat::jid::parse(text).value(), "otter.test", exists);
  };
  CHECK(of("a@otter.test", true) == target_type::bare_account);
  CHECK(of("a@otter.test/x", true) == target_type::full_account);
  CHECK(of("a@otter.test", false) == target_type::no_account);
  CHECK(of("a@otter.test/x", false) == target_type::no_account);
  CHECK(of("otter.test", false) == target_type::server);
  CHECK(of("otter.test/x", false) == target_type::server);
  CHECK(of("a@other.test", true) == target_type::foreign);
}
