// The fuzzers' targets on a bounded number of mutations of good and bad inputs. Every case has its
// seed; a failure prints the seed and the input.

#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

#include "base64.hpp"
#include "fuzz/targets.hpp"

using namespace std::string_literals;

namespace {

std::string mutate(std::vector<std::string> const& corpus, std::vector<std::string> const& tokens,
                   unsigned seed) {
  std::mt19937 random{seed};
  auto const below = [&](std::size_t n) { return n == 0 ? 0 : random() % n; };
  std::string s = corpus[below(corpus.size())];
  for (auto n = 1 + below(6); n > 0; --n) {
    auto const at = below(s.size() + 1);
    switch (below(6)) {
      case 0:
        s.insert(at, tokens[below(tokens.size())]);
        break;
      case 1:
        s.erase(at, below(20));
        break;
      case 2:
        s.insert(at, 1, static_cast<char>(random()));
        break;
      case 3:
        if (at < s.size()) s[at] = static_cast<char>(s[at] ^ (1 << below(8)));
        break;
      case 4:
        s.insert(at, s.substr(below(s.size() + 1), below(100)));
        break;
      default: {
        auto const& other = corpus[below(corpus.size())];
        s = s.substr(0, at) + other.substr(below(other.size() + 1));
      }
    }
  }
  return s;
}

template <typename Target>
void run_mutations(std::vector<std::string> const& corpus, std::vector<std::string> const& tokens,
                   unsigned count, Target target) {
  for (auto const& input : corpus) {
    INFO(input);
    REQUIRE(target(input));
  }
  for (unsigned seed = 0; seed < count; ++seed) {
    auto const input = mutate(corpus, tokens, seed);
    INFO("seed " << seed << ", base64 " << chat::base64_encode(input));
    REQUIRE(target(input));
  }
}

}  // namespace

TEST_CASE("no mutation of a stream confuses the parser", "[chat][fuzz]") {
  std::string const header =
      "<?xml version='1.0'?><stream:stream xmlns='jabber:client' "
      "xmlns:stream='http://etherx.jabber.org/streams' "
      "xmlns:w='urn:w' version='1.0'>";
  run_mutations(
      {header + "<message to='a@b' type='chat' id='1'><body>x &amp; "
                "\xc3\xa9</body></message><presence/> \n"
                "</stream:stream>",
       header +
           "<iq type='get' id='2'><p:x xmlns:p='urn:p' p:a='1' w:b='2'><q xmlns=''/></p:x></iq>",
       header + "<w:x><![CDATA[<a>]]>&#65;&lt;</w:x> <a><b><c>\r\n</c></b></a>",
       "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", header + "<!-- x --><?p i?>"},
      {"<",
       ">",
       "/>",
       "</",
       "'",
       "\"",
       "&",
       "&amp;",
       "&#x0;",
       "]]>",
       "<![CDATA[",
       "<!--",
       "-->",
       "<?",
       "?>",
       "xmlns='urn:x'",
       "xmlns:w=''",
       "xml:lang='en'",
       "w:a='1'",
       "\0"s,
       "\xef\xbb\xbf",
       "\xff",
       "<a>",
       "</a>",
       "</stream:stream>",
       "<stream:stream>",
       " ",
       "<a b='c'/>"},
      20000, chat_fuzz::xml);
}

TEST_CASE("no mutation of a login gets in", "[chat][fuzz]") {
  run_mutations(
      {"\0user\0pencil"s, "user@otter.test\0user\0x"s,
       "n,,n=user,r=c\nc=biws,r=cserver,p=" + chat::base64_encode(std::string(20, 'x')),
       "y,a=user@otter.test,n=us=2Cer,r=c,x=y\nc=eSxhPXVzZXJAb3R0ZXIudGVzdCw=,r=cserver,p=" +
           chat::base64_encode(std::string(32, 'x')),
       ""},
      {",", "=", "=2C", "=3D", "n=", "r=", "m=x", "p=", "c=biws", "\n", "\0"s, "user", "server",
       "\xff"},
      20000, chat_fuzz::sasl);
}
