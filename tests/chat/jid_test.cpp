// Addresses: what is one, what is none, and which ones are the same (RFC 7622, RFC 8265).

#include "jid.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "precis.hpp"

using chat::jid;

namespace {
std::string full(std::string const& text) {
  auto const j = jid::parse(text);
  return j ? j->full() : "refused: " + j.error();
}
bool refused(std::string const& text) { return !jid::parse(text).has_value(); }
}  // namespace

TEST_CASE("an address is split at the first slash, then at the first at-sign", "[chat][jid]") {
  auto const j = jid::parse("alice@otter.test/pond/a@b").value();
  CHECK(j.local() == "alice");
  CHECK(j.domain() == "otter.test");
  CHECK(j.resource() == "pond/a@b");
  CHECK(j.bare() == "alice@otter.test");
  CHECK(j.is_full());

  auto const no_local = jid::parse("a/b@c").value();
  CHECK(no_local.local().empty());
  CHECK(no_local.domain() == "a");
  CHECK(no_local.resource() == "b@c");

  auto const domain = jid::parse("otter.test").value();
  CHECK_FALSE(domain.is_full());
  CHECK(domain.bare() == "otter.test");
  CHECK(domain.resource().empty());
}

TEST_CASE("spellings of one address compare equal", "[chat][jid]") {
  auto const wanted = jid::parse("alice@otter.test").value();
  for (auto const* text :
       {"Alice@OTTER.test", "ＡＬＩＣＥ@otter.test", "alice@otter.test.", "ALICE@Otter.Test"}) {
    INFO(text);
    CHECK(jid::parse(text).value() == wanted);
  }
  CHECK(full("straße@otter.test") == "straße@otter.test");               // sharp s is kept
  CHECK(full("E\xcc\x81lise@otter.test") == "\xc3\xa9lise@otter.test");  // composed and lower case
  CHECK(full("a@xn--bcher-kva.example") == "a@bücher.example");
  CHECK(full("a@BÜCHER.example") == "a@bücher.example");
  CHECK(full("a@[::1]") == "a@[::1]");
  CHECK(full("a@127.0.0.1") == "a@127.0.0.1");
}

TEST_CASE("the case of a resource is kept and other spaces become plain ones", "[chat][jid]") {
  CHECK(full("a@b/Pond") == "a@b/Pond");
  CHECK(full("a@b/my\xc2\xa0pond") == "a@b/my pond");
  CHECK(full("a@b/\xf0\x9f\xa6\xa6") == "a@b/\xf0\x9f\xa6\xa6");  // an otter
  CHECK(jid::parse("a@b/x").value() != jid::parse("a@b/X").value());
}

TEST_CASE("what is no address is refused", "[chat][jid]") {
  for (auto const* text : {"",
                           "@otter.test",
                           "alice@",
                           "alice@otter.test/",
                           "a@b@c/d",
                           "/x",
                           "@",
                           "@/",
                           "a b@c",
                           "a\"b@c",
                           "a&b@c",
                           "a'b@c",
                           "a:b@c",
                           "a<b@c",
                           "a>b@c",
                           "not a jid@@",
                           "a@-b",
                           "a@b-.c",
                           "a@b..c",
                           "a@.b",
                           "a@b_c",
                           "a@[::g]",
                           "a@b/\x01",
                           "a@b/\x7f",
                           "a\x01@b",
                           "a\xff@b",
                           "a@b/\xc3",
                           "a@b/\xed\xa0\x80",  // not UTF-8; half of one; a surrogate
                           "\xe2\x85\xa3@b",    // roman numeral four: a compatibility form
                           "\xe2\x99\xa5@b",    // a heart is no letter
                           "a\xe2\x80\x8b@b",   // zero width space
                           "a@b/\xe2\x80\x8b",
                           "\xef\xbc\xa0@b",  // full-width @ becomes @
                           "\xd7\x90"
                           "a@b",             // bidi: right to left, then left to right
                           "a\xcd\xb8@b"}) {  // unassigned
    INFO(text);
    CHECK(refused(text));
  }
}

TEST_CASE("right-to-left names are allowed if they keep to the bidi rule", "[chat][jid]") {
  CHECK(full("\xd7\x90\xd7\x91@b") == "\xd7\x90\xd7\x91@b");
  CHECK(full("\xd7\x90"
             "1@b") ==
        "\xd7\x90"
        "1@b");
  CHECK(refused("1\xd7\x90@b"));
}

TEST_CASE("each part has at most 1023 bytes", "[chat][jid]") {
  std::string const most(1023, 'a');
  CHECK(jid::parse(most + "@otter.test").has_value());
  CHECK(jid::parse("a@otter.test/" + most).has_value());
  CHECK(refused(most + "a@otter.test"));
  CHECK(refused("a@otter.test/" + most + "a"));
  CHECK(refused("a@" + most + "a"));
  CHECK(jid::parse(most + "@otter.test").value().local().size() == 1023);
}

TEST_CASE("a refusal says which part is wrong", "[chat][jid]") {
  CHECK(jid::parse("@otter.test").error() == "local part is empty");
  CHECK(jid::parse("alice@otter.test/").error() == "resource is empty");
  CHECK(jid::parse("a@b@c").error() == "domain holds a character that is not allowed there");
}

TEST_CASE("a prepared address stays as it is when it is prepared again", "[chat][jid]") {
  for (auto const* text :
       {"Alice@OTTER.test/Pond", "ＡＬＩＣＥ@bücher.example/é", "ΣΑΣ@b", "Straße@x"}) {
    auto const once = jid::parse(text).value();
    CHECK(jid::parse(once.full()).value() == once);
  }
}

TEST_CASE("UTF-8 is checked to the letter", "[chat][jid]") {
  for (auto const* good : {"", "a", "\xc2\x80", "\xef\xbf\xbd", "\xf4\x8f\xbf\xbf"})
    CHECK(chat::is_utf8(good));
  for (auto const* bad :
       {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xed\xbf\xbf", "\xf0\x80\x80\x80",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\xc3("})
    CHECK_FALSE(chat::is_utf8(bad));
}
