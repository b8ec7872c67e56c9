// The parser: the same events however the bytes arrive, every limit, every kind of bad XML.

#include "xml_stream.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <variant>
#include <vector>

using namespace std::string_literals;
using chat::xml_stream;

namespace {

std::string const header =
    "<?xml version='1.0'?><stream:stream to='otter.test' version='1.0' xmlns='jabber:client' "
    "xmlns:stream='http://etherx.jabber.org/streams'>";

/// Events as one line each.
std::string describe(std::vector<chat::xml_event> const& events) {
  std::string out;
  bool space = false;
  for (auto const& e : events) {
    // Runs of white space may come as one event or as several.
    bool const is_space = std::holds_alternative<chat::stream_whitespace>(e);
    if (is_space && space) continue;
    space = is_space;
    if (auto const* o = std::get_if<chat::stream_opened>(&e)) {
      out += "open " + o->name + " in " + o->ns + " of " + o->default_ns;
      for (auto const& a : o->attributes) out += " " + a.name + "=" + a.value;
    } else if (auto const* el = std::get_if<chat::stream_element>(&e)) {
      out += "element " + chat::to_xml(el->element) + " " + std::to_string(el->bytes);
    } else if (is_space) {
      out += "space";
    } else if (std::holds_alternative<chat::stream_closed>(e)) {
      out += "closed";
    } else {
      out += "fault " + std::string{to_string(std::get<chat::stream_fault>(e).condition)};
    }
    out += '\n';
  }
  return out;
}

void append(std::vector<chat::xml_event>& to, std::vector<chat::xml_event> from) {
  for (auto& e : from) to.push_back(std::move(e));
}

/// The condition that ends the stream, or "none". `limits` small where a test needs it.
std::string fault_of(std::string const& bytes, chat::xml_limits const& limits = {}) {
  xml_stream in{limits};
  for (auto const& e : in.feed(bytes))
    if (auto const* f = std::get_if<chat::stream_fault>(&e))
      return std::string{to_string(f->condition)};
  return "none";
}

}  // namespace

TEST_CASE("a stream gives its header, its elements and its end", "[chat][xml_stream]") {
  xml_stream in;
  CHECK(
      describe(in.feed(header +
                       "<message to='a'><body>x</body></message> \n<presence/></stream:stream>")) ==
      "open stream in http://etherx.jabber.org/streams of jabber:client to=otter.test version=1.0\n"
      "element <message to='a'><body>x</body></message> 40\n"
      "space\n"
      "element <presence/> 11\n"
      "closed\n");
}

TEST_CASE("events do not depend on how the bytes are cut", "[chat][xml_stream]") {
  std::string const all =
      header +
      " <iq type='get' id='&#x1F9A6;&amp;'><q xmlns='urn:q' a='\xc3\xa9'>t\xc3\xa9xt &lt; "
      "<![CDATA[]]]]>"
      "\r\n</q></iq>\r\n<p:x xmlns:p='urn:p'><p:y/></p:x><presence/>  </stream:stream>";
  xml_stream in;
  auto const whole = describe(in.feed(all));
  REQUIRE(whole.find("closed") != std::string::npos);
  SECTION("cut in two at every byte") {
    for (std::size_t cut = 0; cut <= all.size(); ++cut) {
      INFO(cut);
      in.reset();
      auto events = in.feed(all.substr(0, cut));
      append(events, in.feed(all.substr(cut)));
      REQUIRE(describe(events) == whole);
    }
  }
  SECTION("byte by byte") {
    in.reset();
    std::vector<chat::xml_event> events;
    for (char const c : all) append(events, in.feed(std::string(1, c)));
    CHECK(describe(events) == whole);
  }
}

TEST_CASE("a tag that arrives in pieces is reported with its last byte", "[chat][xml_stream]") {
  xml_stream in;
  CHECK(in.feed(header).size() == 1);
  CHECK(in.feed("<mess").empty());
  CHECK(in.feed("age id='" + std::string(3000, 'x')).empty());
  CHECK(in.feed("'/").empty());
  CHECK(in.feed(">").size() == 1);
}

TEST_CASE("bad XML ends the stream with the condition of its kind", "[chat][xml_stream]") {
  struct row {
    std::string bytes;
    std::string condition;
  };
  std::string const laughs =
      "<!DOCTYPE lolz [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'>]>";
  for (auto const& [bytes, condition] : std::vector<row>{
           {"GET / HTTP/1.1\r\n\r\n", "not-well-formed"},
           {"\x16\x03\x01\x02\x00\x01", "not-well-formed"},
           {header + "<a></b>", "not-well-formed"},
           {header + "<a><b></a></b>", "not-well-formed"},
           {header + "<a>&</a>", "not-well-formed"},
           {header + "<a>& b</a>", "not-well-formed"},
           {header + "<a b=c/>", "not-well-formed"},
           {header + "<a b='1' b='2'/>", "not-well-formed"},
           {header + "<a>\xff</a>", "not-well-formed"},
           {header + "<a>\xc0\x80</a>", "not-well-formed"},
           {header + "<a>\xed\xa0\x80</a>", "not-well-formed"},
           {header + "<a>\0</a>"s, "not-well-formed"},
           {header + "<a>&#0;</a>", "not-well-formed"},
           {header + "<a>\x01</a>", "not-well-formed"},
           {header + "<a>\xef\xbf\xbe</a>", "not-well-formed"},
           {header + "<?xml version='1.0'?>", "not-well-formed"},
           {header + "<a>]]></a>", "not-well-formed"},
           {"<?xml version='1.0' encoding='iso-8859-1'?>", "unsupported-encoding"},
           {"<?xml version='1.0' encoding='windows-1252'?>", "unsupported-encoding"},
           {"<?xml version='1.0' encoding='UTF-16'?>", "unsupported-encoding"},
           {"<\0s\0t\0"s, "unsupported-encoding"},
           {"\xff\xfe<\0"s, "unsupported-encoding"},
           {"\xfe\xff\0<"s, "unsupported-encoding"},
           {"<!DOCTYPE stream>" + header, "restricted-xml"},
           {"<!DOCTYPE stream SYSTEM 'file:///etc/passwd'>" + header, "restricted-xml"},
           {"<!DOCTYPE stream [", "restricted-xml"},
           {laughs + header + "<a>&b;</a>", "restricted-xml"},
           {header + "<!-- hi -->", "restricted-xml"},
           {header + "<a><!-- hi --></a>", "restricted-xml"},
           {"<!-- hi -->" + header, "restricted-xml"},
           {header + "<?php echo?>", "restricted-xml"},
           {header + "<a>&undefined;</a>", "restricted-xml"},
           {header + "<a b='&undefined;'/>", "restricted-xml"},
           {header + "<x:a/>", "bad-namespace-prefix"},
           {header + "<a x:b='1'/>", "bad-namespace-prefix"},
           {"<stream:stream version='1.0'>", "bad-namespace-prefix"},
           {header + "<a xmlns:xml='urn:x'/>", "bad-namespace-prefix"},
           {header + "<a xmlns:s='http://etherx.jabber.org/streams'/>", "bad-namespace-prefix"},
           {header + "hello", "bad-format"},
           {header + "<a/>hello", "bad-format"},
           {header + "<a>&lt;&gt;&amp;&quot;&apos;&#65;<![CDATA[<b>]]></a>", "none"},
           {header + "<a xmlns:stream='urn:other'><stream:b/></a>", "none"},
           {"<?xml version='1.0' encoding='utf-8'?>" + header.substr(21), "none"},
       }) {
    INFO(bytes);
    CHECK(fault_of(bytes) == condition);
  }
}

TEST_CASE("another encoding is recognised however its bytes arrive", "[chat][xml_stream]") {
  for (auto const& bytes : {"<\0s\0t\0"s, "\0<\0s"s, "\xff\xfe<\0"s, "\xfe\xff\0<"s}) {
    INFO(bytes);
    xml_stream in;
    std::vector<chat::xml_event> events;
    for (char const c : bytes) append(events, in.feed(std::string(1, c)));
    CHECK(describe(events) == "fault unsupported-encoding\n");
  }
  xml_stream in;
  std::vector<chat::xml_event> events;
  for (char const c : {'a', '\0'}) append(events, in.feed(std::string(1, c)));
  CHECK(describe(events) == "fault not-well-formed\n");
}

TEST_CASE("nothing is reported behind a fault or the end", "[chat][xml_stream]") {
  xml_stream in;
  CHECK(describe(in.feed(header + "<!-- x --><presence/>")).ends_with("fault restricted-xml\n"));
  CHECK(in.feed("<presence/>").empty());
  in.reset();
  CHECK(describe(in.feed(header + "</stream:stream><presence/>")).ends_with("closed\n"));
  CHECK(in.feed("<presence/>").empty());
  in.reset();
  CHECK(in.feed(header).size() == 1);
}

TEST_CASE("a limit is noticed when it is passed and not when the element is complete",
          "[chat][xml_stream]") {
  chat::xml_limits limits;
  limits.element_bytes = 10000;
  std::string const chunk(1000, 'x');
  for (std::string const start : {"<message><body>", "<message to='", "<",
                                  "<message><body><![CDATA[", "<message><body>&#", "<message "}) {
    INFO(start);
    xml_stream in{limits};
    CHECK(in.feed(header).size() == 1);
    std::size_t sent = start.size();
    auto events = in.feed(start);
    while (events.empty() && sent < 100000) {
      events = in.feed(chunk);
      sent += chunk.size();
    }
    REQUIRE(events.size() == 1);
    auto const condition = std::get<chat::stream_fault>(events[0]).condition;
    CHECK((condition == chat::stream_condition::policy_violation ||
           condition == chat::stream_condition::not_well_formed));
    CHECK(sent <= limits.element_bytes + 1000);
  }
}

TEST_CASE("one read far over the limit is refused as well", "[chat][xml_stream]") {
  chat::xml_limits limits;
  limits.element_bytes = 10000;
  CHECK(fault_of(header + "<message><body>" + std::string(10000000, 'x'), limits) ==
        "policy-violation");
  CHECK(fault_of(header + "<message to='" + std::string(10000000, 'x'), limits) ==
        "policy-violation");
  CHECK(fault_of("<stream:stream a='" + std::string(20000, 'x'), limits) == "policy-violation");
}

TEST_CASE("the size limit counts one element and not the stream", "[chat][xml_stream]") {
  chat::xml_limits limits;
  limits.element_bytes = 1000;
  std::string const exact = "<a>" + std::string(993, 'x') + "</a>";
  REQUIRE(exact.size() == 1000);
  std::string many = header;
  for (int i = 0; i < 50; ++i) many += exact + std::string(2000, ' ');
  CHECK(fault_of(many, limits) == "none");
  CHECK(fault_of(header + "<a>" + std::string(994, 'x') + "</a>", limits) == "policy-violation");
}

TEST_CASE("depth, attributes, their length and the number of elements are bounded",
          "[chat][xml_stream]") {
  chat::xml_limits limits;
  limits.element_bytes = 1000000;
  limits.depth = 4;
  limits.attributes = 3;
  limits.attribute_bytes = 10;
  limits.nodes = 20;
  std::string const ok =
      header.substr(0, 21) +
      "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";
  CHECK(fault_of(ok + "<a><b><c><d/></c></b></a>", limits) == "none");
  CHECK(fault_of(ok + "<a><b><c><d><e/></d></c></b></a>", limits) == "policy-violation");
  CHECK(fault_of(ok + "<a b='1' c='2' d='3'/>", limits) == "none");
  CHECK(fault_of(ok + "<a b='1' c='2' d='3' e='4'/>", limits) == "policy-violation");
  CHECK(fault_of(ok + "<a b='0123456789'/>", limits) == "none");
  CHECK(fault_of(ok + "<a b='0123456789a'/>", limits) == "policy-violation");
  std::string children;
  for (int i = 0; i < 19; ++i) children += "<b/>";
  CHECK(fault_of(ok + "<a>" + children + "</a><a>" + children + "</a>", limits) == "none");
  CHECK(fault_of(ok + "<a>" + children + "<b/></a>", limits) == "policy-violation");
  std::string deep;
  for (int i = 0; i < 100000; ++i) deep += "<a>";
  CHECK(fault_of(ok + deep, limits) == "policy-violation");
  std::string declarations;
  for (int i = 0; i < 30; ++i)
    declarations += " xmlns:p" + std::to_string(i) + "='urn:" + std::to_string(i) + "'";
  CHECK(fault_of(ok + "<a" + declarations + "/>", limits) == "policy-violation");
}

TEST_CASE("a parser is idle exactly between elements", "[chat][xml_stream]") {
  xml_stream in;
  CHECK_FALSE(in.idle());
  (void)in.feed(header.substr(0, 50));
  CHECK_FALSE(in.idle());
  (void)in.feed(header.substr(50));
  CHECK(in.idle());
  for (auto const* part : {"<", "a", "><b", "/>", "t", "</a"}) {
    (void)in.feed(part);
    INFO(part);
    CHECK_FALSE(in.idle());
  }
  (void)in.feed(">");
  CHECK(in.idle());
  (void)in.feed(" ");
  CHECK(in.idle());
  (void)in.feed("<a/><a");
  CHECK_FALSE(in.idle());
  (void)in.feed("/></stream:stream>");
  CHECK_FALSE(in.idle());
}

TEST_CASE("another parser goes on with a stream after being primed with its header",
          "[chat][xml_stream]") {
  xml_stream first;
  auto const open =
      "<s:stream version='1.0' xmlns:w='urn:w' xmlns='jabber:client' "
      "xmlns:s='http://etherx.jabber.org/streams'>"s;
  CHECK(first.feed(open).size() == 1);
  (void)first.feed("<message/>");
  REQUIRE(first.idle());
  auto const kept = first.header();
  xml_stream second;
  (void)second.feed(header + "<half");  // lent from another connection
  second.prime(kept);
  CHECK(second.idle());
  CHECK(second.header() == kept);
  CHECK(describe(second.feed("<message><w:x/></message></s:stream>")) ==
        "element <message><x xmlns='urn:w'/></message> 25\nclosed\n");
}

TEST_CASE("the usual header is remembered for nothing", "[chat][xml_stream]") {
  xml_stream in;
  (void)in.feed(header);
  CHECK(in.header().empty());
  in.reset();
  (void)in.feed(
      "<stream:stream xmlns:stream='http://etherx.jabber.org/streams' xmlns='jabber:client'>");
  CHECK(in.header().empty());
  xml_stream other;
  other.prime("");
  CHECK(describe(other.feed("<message/>")) == "element <message/> 10\n");
}

TEST_CASE("limits can be raised in mid-stream", "[chat][xml_stream]") {
  chat::xml_limits limits;
  limits.element_bytes = 2000;
  xml_stream in{limits};
  (void)in.feed(header);
  limits.element_bytes = 10000;
  in.set_limits(limits);
  CHECK(describe(in.feed("<a>" + std::string(5000, 'x') + "</a>")).starts_with("element"));
}

TEST_CASE("the header reports how content is bound", "[chat][xml_stream]") {
  xml_stream in;
  auto const opened = [&](std::string const& bytes) {
    in.reset();
    auto events = in.feed(bytes);
    return std::get<chat::stream_opened>(events.at(0));
  };
  auto const prefixed =
      opened("<stream xmlns='http://etherx.jabber.org/streams' xmlns:c='jabber:client'>");
  CHECK(prefixed.default_ns == chat::ns::streams);
  CHECK(prefixed.client_prefix);
  auto const bare = opened("<foo a='1'>");
  CHECK(bare.ns.empty());
  CHECK(bare.default_ns.empty());
  REQUIRE(bare.attribute("a") != nullptr);
  CHECK(*bare.attribute("a") == "1");
}
