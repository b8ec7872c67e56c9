// The fuzzers' targets on a bounded number of mutations of good and bad inputs. Every case has its
// seed; a failure prints the seed and the input.

#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

#include "../fuzz/chat_targets.hpp"
#include "base64.hpp"

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

TEST_CASE("no mutation of an address comes out as one that is none", "[chat][fuzz]") {
  run_mutations({"alice@otter.test/pond/a@b", "\xef\xbc\xa1lice@[::1]/x", "a@192.168.0.1",
                 "\xd7\x90\xd7\x91@xn--bcher-kva.test",
                 "stra\xc3\x9f"
                 "e@b\xc3\xbc"
                 "cher.test./ \xc2\xa0x",
                 "l\xc2\xb7l@a.b-c", "a\xcc\x81@\xe3\x83\xbb\xe3\x82\xa2", ""},
                {"@",
                 "/",
                 ".",
                 "..",
                 "xn--",
                 "xn--a",
                 "-",
                 "[",
                 "]",
                 "::",
                 "\xe2\x80\x8d",
                 "\xe2\x80\x8c",
                 "\xcc\x88",
                 "\xef\xbc\xa0",
                 "\xe3\x80\x82",
                 "\xc2\xad",
                 "\xf0\x9f\xa6\xa6",
                 "\0"s,
                 "\xff",
                 std::string(600, 'a'),
                 "\xe0\xa5\x8d",
                 "\xd9\xa1",
                 "\xdb\xb1",
                 "'",
                 " "},
                20000, chat_fuzz::jid);
}

TEST_CASE("no mutation of base64 has two spellings", "[chat][fuzz]") {
  run_mutations({"", "Zg==", "Zm8=", "Zm9v", "AGFsaWNlAHB3", std::string(40, '/')},
                {"=", "==", "A", "+", "/", "-", "_", "\n", "\0"s, "\xff", "Zh==", "Zm9="}, 20000,
                chat_fuzz::base64);
}

TEST_CASE("no mutation of a configuration is taken against the rules", "[chat][fuzz]") {
  run_mutations(
      {"domain = \"otter.test\"\nlisten = \"127.0.0.1:5222\"\nworkers = 2\n"
       "insecure_plaintext = false\n[limits]\nstanza_bytes = 65536\nlogin_attempts = 5\n",
       "listen = \"[::1]:0\" # x\nlog_level = 'debug'\nlimits = { depth = 32, elements = 4096 }\n",
       "scram_iterations = 10_000\nlimits.idle_seconds = 0x10\ndata_dir = \"\"\"\nx\"\"\"\n", ""},
      {"=",
       "\"",
       "'",
       "[",
       "]",
       "[[",
       "{",
       "}",
       "\n",
       "#",
       ".",
       "-",
       "1e9",
       "inf",
       "true",
       "0.0.0.0",
       "99999999999999999999",
       "1979-05-27",
       "\\u0041",
       "\\",
       "\xff",
       "\0"s,
       "limits",
       "[limits]\n",
       "stanza_bytes = 5\n",
       "unknown = 1\n",
       "listen = \"0.0.0.0:1\"\n"},
      20000, chat_fuzz::config);
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
