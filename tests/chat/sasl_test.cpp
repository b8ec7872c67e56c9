// Logging in, without a network: vectors of the RFCs, and everything a client can do wrong.

#include "sasl.hpp"

#include <catch2/catch.hpp>
#include <sstream>
#include <string>
#include <variant>

#include "base64.hpp"

using namespace std::string_literals;
using chat::sasl_condition;

namespace {

chat::scram_key key_for(chat::hash_type hash, std::string const& password,
                        std::string const& salt) {
  return keys_from_salted(hash, run(chat::pbkdf2_job{hash, chat::secret{password}, salt, 4096}),
                          salt, 4096);
}

/// The account `user` with the password `pencil`, as in both RFCs.
chat::credentials const& pencil() {
  static chat::credentials const keys{
      key_for(chat::hash_type::sha1, "pencil", chat::base64_decode("QSXCR+Q6sek8bf92").value()),
      key_for(chat::hash_type::sha256, "pencil",
              chat::base64_decode("W22ZaJ0SNY7soEsUEjb6gQ==").value())};
  return keys;
}

chat::sasl_policy policy(std::string const& nonce = "") {
  chat::sasl_policy p;
  p.domain = "otter.test";
  p.server_secret = "the secret of the server";
  p.iterations = 4096;
  if (!nonce.empty()) p.nonce = [nonce] { return nonce; };
  return p;
}

/// Answers lookups and derivations until the client has to speak.
chat::sasl_step settle(chat::sasl_exchange& x, chat::sasl_step step) {
  for (;;) {
    if (auto* need = std::get_if<chat::need_credentials>(&step)) {
      std::optional<chat::credentials> account;
      if (need->username == "user") account = pencil();
      step = x.found(account);
    } else if (auto* job = std::get_if<chat::need_derivation>(&step)) {
      step = x.derived(run(job->job));
    } else {
      return step;
    }
  }
}

std::string show(chat::sasl_step const& step) {
  if (auto const* c = std::get_if<chat::sasl_challenge>(&step)) return "challenge " + c->data;
  if (auto const* s = std::get_if<chat::sasl_success>(&step))
    return "success " + s->username + " " + s->data;
  if (auto const* f = std::get_if<chat::sasl_failure>(&step))
    return std::string{to_string(f->condition)};
  return "unsettled";
}

std::string plain(std::string const& message, chat::sasl_policy const& p = policy()) {
  chat::sasl_exchange x{p};
  return show(settle(x, x.start("PLAIN", message)));
}
/// The answer to a client-first message.
std::string scram(std::string const& first) {
  auto const p = policy("server");
  chat::sasl_exchange x{p};
  return show(settle(x, x.start("SCRAM-SHA-1", first)));
}

constexpr auto first1 = "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL";
constexpr auto final1 =
    "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=";

}  // namespace

TEST_CASE("SCRAM-SHA-1 speaks the exchange of RFC 5802", "[chat][sasl]") {
  auto const p = policy("3rfcNHYJY1ZVvWVs7j");
  chat::sasl_exchange x{p};
  CHECK(show(settle(x, x.start("SCRAM-SHA-1", first1))) ==
        "challenge r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096");
  CHECK(show(x.response(final1)) == "success user v=rmF9pqV8S7suAoZWja4dJRkFsKQ=");
}

TEST_CASE("SCRAM-SHA-256 speaks the exchange of RFC 7677", "[chat][sasl]") {
  auto const p = policy("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
  chat::sasl_exchange x{p};
  CHECK(show(settle(x, x.start("SCRAM-SHA-256", "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"))) ==
        "challenge "
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
  CHECK(show(x.response("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                        "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")) ==
        "success user v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

TEST_CASE("a client without an initial response is asked for it", "[chat][sasl]") {
  auto const p = policy("3rfcNHYJY1ZVvWVs7j");
  chat::sasl_exchange x{p};
  CHECK(show(x.start("SCRAM-SHA-1", std::nullopt)) == "challenge ");
  CHECK(show(settle(x, x.response(first1))).starts_with("challenge r="));
  chat::sasl_exchange y{p};
  CHECK(show(y.start("PLAIN", std::nullopt)) == "challenge ");
  CHECK(show(settle(y, y.response("\0user\0pencil"s))) == "success user ");
}

TEST_CASE("a final message that does not fit the first is refused", "[chat][sasl]") {
  struct row {
    std::string message;
    std::string answer;
  };
  std::string const nonce = "fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j";
  std::string const proof = ",p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=";
  for (auto const& [message, answer] : std::vector<row>{
           {"c=biws,r=" + nonce + ",p=AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            "not-authorized"},  // wrong password
           {"c=biws,r=" + nonce + "x" + proof, "not-authorized"},
           {"c=biws,r=fyko+d2lbbFgONRv9qkxdawL" + proof, "not-authorized"},
           {"c=eSws,r=" + nonce + proof, "not-authorized"},  // another GS2 header
           {"c=biws,r=" + nonce + ",m=x" + proof, "malformed-request"},
           {"c=biws,r=" + nonce + ",x=y" + proof, "not-authorized"},  // is part of what was signed
           {"c=biws,r=" + nonce, "malformed-request"},
           {"c=biws,r=" + nonce + ",p=AAAA", "malformed-request"},
           {"c=biws,r=" + nonce + ",p=!", "malformed-request"},
           {"c=b,r=" + nonce + proof, "malformed-request"},
           {"r=" + nonce + ",c=biws" + proof, "malformed-request"},
           {"", "malformed-request"},
           {",,,,", "malformed-request"},
           {first1, "malformed-request"},
       }) {
    INFO(message);
    auto const p = policy("3rfcNHYJY1ZVvWVs7j");
    chat::sasl_exchange x{p};
    (void)settle(x, x.start("SCRAM-SHA-1", first1));
    CHECK(show(x.response(message)) == answer);
    CHECK(show(x.response(final1)) == "malformed-request");  // it is over
  }
}

TEST_CASE("a first message is taken or refused by its form", "[chat][sasl]") {
  struct row {
    std::string message;
    std::string answer;
  };
  std::string const ok = "challenge r=cnonceserver,s=QSXCR+Q6sek8bf92,i=4096";
  for (auto const& [message, answer] : std::vector<row>{
           {"n,,n=user,r=cnonce", ok},
           {"y,,n=user,r=cnonce", ok},
           {"n,,n=USER,r=cnonce", ok},
           {"n,,n=user,r=cnonce,x=ext", ok},
           {"n,a=user@otter.test,n=user,r=cnonce", ok},
           {"n,a=User@OTTER.test,n=user,r=cnonce", ok},
           {"n,a=other@otter.test,n=user,r=cnonce", "invalid-authzid"},
           {"n,a=user@other.test,n=user,r=cnonce", "invalid-authzid"},
           {"n,a=user,n=user,r=cnonce", "invalid-authzid"},
           {"n,a=user@otter.test/x,n=user,r=cnonce", "invalid-authzid"},
           {"p=tls-unique,,n=user,r=cnonce", "malformed-request"},
           {"n,,m=x,n=user,r=cnonce", "malformed-request"},
           {"n,,n=user,r=cnonce,m=x", "malformed-request"},
           {"n,,n=us=er,r=cnonce", "malformed-request"},
           {"n,,n=us=2,r=cnonce", "malformed-request"},
           {"n,,n=us=2c,r=cnonce", "malformed-request"},
           {"n,,n=,r=cnonce", "malformed-request"},
           {"n,,n=user,r=", "malformed-request"},
           {"n,,n=user,r=a b", "malformed-request"},
           {"n,,n=user", "malformed-request"},
           {"n,,r=cnonce,n=user", "malformed-request"},
           {"n,x,n=user,r=cnonce", "malformed-request"},
           {"n", "malformed-request"},
           {"n,", "malformed-request"},
           {"n,,", "malformed-request"},
           {"", "malformed-request"},
           {"x,,n=user,r=cnonce", "malformed-request"},
           {"n,,n=us\0er,r=cnonce"s, "malformed-request"},
           {"n,,n=\xff,r=cnonce", "malformed-request"},
       }) {
    INFO(message);
    CHECK(scram(message) == answer);
  }
}

TEST_CASE("a name with comma and equals sign is decoded", "[chat][sasl]") {
  auto const p = policy();
  chat::sasl_exchange x{p};
  auto const step = x.start("SCRAM-SHA-1", "n,,n=a=2Cb=3Dc,r=x");
  REQUIRE(std::holds_alternative<chat::need_credentials>(step));
  CHECK(std::get<chat::need_credentials>(step).username == "a,b=c");
}

TEST_CASE("PLAIN takes the right password only, and only for oneself", "[chat][sasl]") {
  struct row {
    std::string message;
    std::string answer;
  };
  for (auto const& [message, answer] : std::vector<row>{
           {"\0user\0pencil"s, "success user "},
           {"\0USER\0pencil"s, "success user "},
           {"user@otter.test\0user\0pencil"s, "success user "},
           {"USER@Otter.Test\0user\0pencil"s, "success user "},
           {"\0user\0pencil2"s, "not-authorized"},
           {"\0user\0PENCIL"s, "not-authorized"},
           {"\0other\0pencil"s, "not-authorized"},
           {"\0us er\0pencil"s, "not-authorized"},
           {"\0user\0pen\x01cil"s, "not-authorized"},
           {"victim@otter.test\0user\0pencil"s, "invalid-authzid"},
           {"user\0user\0pencil"s, "invalid-authzid"},
           {"user@other.test\0user\0pencil"s, "invalid-authzid"},
           {"user@otter.test/x\0user\0pencil"s, "invalid-authzid"},
           {"otter.test\0user\0pencil"s, "invalid-authzid"},
           {"user\0pencil"s, "malformed-request"},
           {"\0user\0pencil\0"s, "malformed-request"},
           {"\0\0user\0pencil"s, "malformed-request"},
           {"\0user\0"s, "malformed-request"},
           {"\0\0pencil"s, "malformed-request"},
           {"\0\0"s, "malformed-request"},
           {"", "malformed-request"},
           {"\0user\0\xff"s, "malformed-request"},
           {std::string(100000, 'x'), "malformed-request"},
       }) {
    INFO(message);
    CHECK(plain(message) == answer);
  }
}

TEST_CASE("an unknown user cannot be told from a wrong password", "[chat][sasl]") {
  auto const p = policy("server");
  auto const first = [&](std::string const& name) {
    chat::sasl_exchange x{p};
    auto step = x.start("SCRAM-SHA-256", "n,,n=" + name + ",r=c");
    auto const asked = std::holds_alternative<chat::need_credentials>(step);
    auto challenge = show(settle(x, std::move(step)));
    auto const answer =
        show(x.response("c=biws,r=cserver,p=" + chat::base64_encode(std::string(32, 'x'))));
    CHECK(answer == "not-authorized");
    CHECK(asked);
    return challenge;
  };
  auto const nobody = first("nobody");
  CHECK(nobody.size() == first("user").size());
  CHECK(nobody == first("nobody"));   // the salt is the same each time
  CHECK(nobody != first("nobody2"));  // and another for another name
  // PLAIN derives a key for both.
  for (auto const* name : {"user", "nobody"}) {
    chat::sasl_exchange x{p};
    (void)x.start("PLAIN", "\0"s + name + "\0wrong"s);
    auto const step = x.found(name == "user"s ? std::optional{pencil()} : std::nullopt);
    REQUIRE(std::holds_alternative<chat::need_derivation>(step));
    CHECK(std::get<chat::need_derivation>(step).job.iterations == 4096);
    CHECK(std::get<chat::need_derivation>(step).job.salt.size() == 16);
  }
}

TEST_CASE("another mechanism is refused", "[chat][sasl]") {
  auto const p = policy();
  for (auto const* name : {"", "plain", "SCRAM-SHA-1-PLUS", "DIGEST-MD5", "EXTERNAL"}) {
    chat::sasl_exchange x{p};
    CHECK(show(x.start(name, "")) == "invalid-mechanism");
  }
}

TEST_CASE("a step out of turn is malformed and ends the exchange", "[chat][sasl]") {
  auto const p = policy();
  chat::sasl_exchange x{p};
  CHECK(show(x.response("x")) == "malformed-request");
  chat::sasl_exchange y{p};
  (void)y.start("PLAIN", "\0user\0pencil"s);
  CHECK(show(y.response("x")) == "malformed-request");
  CHECK(show(y.found(pencil())) == "malformed-request");
  CHECK(show(y.derived(chat::secret{"x"})) == "malformed-request");
}

TEST_CASE("credentials made from a password let it in", "[chat][sasl]") {
  auto const keys = make_credentials(chat::secret{"pa\xc2\xa0ss"}, 4096, chat::system_random);
  CHECK(keys.sha1.salt != keys.sha256.salt);
  auto const p = policy();
  chat::sasl_exchange x{p};
  (void)x.start("PLAIN", "\0user\0pa ss"s);  // the other space is the same password
  auto step = x.found(keys);
  REQUIRE(std::holds_alternative<chat::need_derivation>(step));
  CHECK(show(x.derived(run(std::get<chat::need_derivation>(step).job))) == "success user ");
  CHECK_THROWS_AS(make_credentials(chat::secret{"\x01"}, 4096, chat::system_random),
                  std::invalid_argument);
  CHECK_THROWS_AS(make_credentials(chat::secret{}, 4096, chat::system_random),
                  std::invalid_argument);
}

TEST_CASE("base64 has one spelling per value", "[chat][sasl]") {
  for (auto const* text : {"", "f", "fo", "foo", "foob", "fooba", "foobar"})
    CHECK(chat::base64_decode(chat::base64_encode(text)) == text);
  CHECK(chat::base64_encode("foob") == "Zm9vYg==");
  for (auto const* bad :
       {"Zm9vYg=", "Zm9vYg", "Zm9vYh==", "Zm9=", "Zm 9vYg==", "Zm9vYg==\n", "====", "=",
        "Zg==Zg==", "Z===", "Zm9v!A==", "Zm-v", "\xff\xff\xff\xff"}) {
    INFO(bad);
    CHECK_FALSE(chat::base64_decode(bad));
  }
}

TEST_CASE("a secret does not print", "[chat][sasl]") {
  std::ostringstream out;
  out << chat::secret{"pencil"};
  CHECK(out.str() == "<secret>");
}

TEST_CASE("keys are compared whole", "[chat][sasl]") {
  CHECK(chat::equal_in_constant_time("abc", "abc"));
  CHECK_FALSE(chat::equal_in_constant_time("abc", "abd"));
  CHECK_FALSE(chat::equal_in_constant_time("abc", "ab"));
  CHECK(chat::equal_in_constant_time("", ""));
}
