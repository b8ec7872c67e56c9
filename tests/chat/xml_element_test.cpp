// Elements as trees: building, looking into them, writing them out.

#include "xml_element.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <variant>

#include "xml_stream.hpp"

using chat::xml_element;

namespace {
xml_element parse(std::string const& xml, std::string const& declarations = "") {
  chat::xml_stream in;
  auto events = in.feed("<stream:stream xmlns='jabber:client' " + declarations +
                        " xmlns:stream='http://etherx.jabber.org/streams'>" + xml);
  REQUIRE(events.size() == 2);
  REQUIRE(std::holds_alternative<chat::stream_element>(events[1]));
  return std::get<chat::stream_element>(events[1]).element;
}
}  // namespace

TEST_CASE("an element in the namespace in force is written without a declaration", "[chat][xml]") {
  xml_element m{"message", chat::ns::client};
  m.set("to", "a@b").add(xml_element{"body", chat::ns::client}.add_text("fish & <chips>"));
  CHECK(chat::to_xml(m) == "<message to='a@b'><body>fish &amp; &lt;chips&gt;</body></message>");
}

TEST_CASE("a child of another namespace declares it, and its child goes back", "[chat][xml]") {
  xml_element m{"message", chat::ns::client};
  m.add(xml_element{"x", "urn:x"}
            .add(xml_element{"y", "urn:x"})
            .add(xml_element{"z", chat::ns::client}));
  CHECK(chat::to_xml(m) ==
        "<message><x xmlns='urn:x'><y/><z xmlns='jabber:client'/></x></message>");
}

TEST_CASE("an element without a namespace says so", "[chat][xml]") {
  CHECK(chat::to_xml(xml_element{"x", ""}) == "<x xmlns=''/>");
}

TEST_CASE("attributes with a namespace get a prefix, xml:lang keeps its own", "[chat][xml]") {
  xml_element m{"message", chat::ns::client};
  m.set("lang", "en", chat::ns::xml).set("a", "1", "urn:a").set("a", "2", "urn:b").set("a", "3");
  CHECK(chat::to_xml(m) ==
        "<message xml:lang='en' xmlns:n1='urn:a' n1:a='1' xmlns:n2='urn:b' n2:a='2' a='3'/>");
  CHECK(parse(chat::to_xml(m)) == m);
}

TEST_CASE("what is written reads back as the same tree", "[chat][xml]") {
  for (auto const* xml :
       {"<message/>", "<message to='&lt;&amp;&quot;&apos;&#10;&#9;&#13;'>a&#13;b\nc\td</message>",
        "<message><body>]]&gt; &amp;amp; <![CDATA[<raw> & ]]></body></message>",
        "<iq id='&#x1F9A6;'><p:x xmlns:p='urn:p' p:a='1' b='2'><p:y/><q "
        "xmlns=''><r/></q></p:x></iq>",
        "<message><a/>one<b/>two<c>three</c></message>",
        "<message xmlns:stream='urn:other'><stream:x/></message>"}) {
    INFO(xml);
    auto const tree = parse(xml);
    CHECK(parse(chat::to_xml(tree)) == tree);
  }
}

TEST_CASE("a prefix declared on the stream header is declared again where it is used",
          "[chat][xml]") {
  auto const tree = parse("<message><w:x w:a='1'/></message>", "xmlns:w='urn:w'");
  CHECK(chat::to_xml(tree) == "<message><x xmlns='urn:w' xmlns:n1='urn:w' n1:a='1'/></message>");
  CHECK(parse(chat::to_xml(tree)) == tree);
}

TEST_CASE("attributes are set, replaced and removed by name", "[chat][xml]") {
  xml_element e{"iq", chat::ns::client};
  e.set("id", "1").set("id", "2");
  REQUIRE(e.attribute("id") != nullptr);
  CHECK(*e.attribute("id") == "2");
  CHECK(e.attributes().size() == 1);
  e.remove_attribute("id");
  CHECK(e.attribute("id") == nullptr);
}

TEST_CASE("text and children are found", "[chat][xml]") {
  auto const e = parse("<iq>a<x xmlns='urn:x'>no</x>b<y/></iq>");
  CHECK(e.text() == "ab");
  CHECK(e.child_count() == 2);
  REQUIRE(e.first_child() != nullptr);
  CHECK(e.first_child()->name() == "x");
  CHECK(e.child("x", chat::ns::client) == nullptr);
  CHECK(e.child("y", chat::ns::client) != nullptr);
}
