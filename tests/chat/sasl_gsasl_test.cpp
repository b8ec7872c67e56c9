// The other end is GNU SASL's client: an implementation that is not ours agrees with our server.

#include "sasl.hpp"

#include <gsasl.h>

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <variant>

namespace {

struct free_library {
  void operator()(Gsasl* g) const { gsasl_done(g); }
};
struct free_session {
  void operator()(Gsasl_session* s) const { gsasl_finish(s); }
};

/// "success name", or the condition of the failure. `agreed` tells whether the client was content.
struct outcome {
  std::string answer;
  bool agreed = false;
};

outcome log_in(char const* mechanism, char const* name, char const* password,
               char const* authzid = nullptr) {
  Gsasl* raw = nullptr;
  REQUIRE(gsasl_init(&raw) == GSASL_OK);
  std::unique_ptr<Gsasl, free_library> const library{raw};
  Gsasl_session* raw_session = nullptr;
  REQUIRE(gsasl_client_start(raw, mechanism, &raw_session) == GSASL_OK);
  std::unique_ptr<Gsasl_session, free_session> const client{raw_session};
  gsasl_property_set(raw_session, GSASL_AUTHID, name);
  gsasl_property_set(raw_session, GSASL_PASSWORD, password);
  if (authzid != nullptr) gsasl_property_set(raw_session, GSASL_AUTHZID, authzid);

  static auto const keys =
      chat::make_credentials(chat::secret{"p,=ss w\xc3\xb6rd"}, 4096, chat::system_random);
  chat::sasl_policy policy;
  policy.domain = "otter.test";
  policy.server_secret = "secret";
  chat::sasl_exchange server{policy};

  auto speak = [&](std::string const& input) {
    char* output = nullptr;
    std::size_t size = 0;
    int const code = gsasl_step(raw_session, input.data(), input.size(), &output, &size);
    REQUIRE((code == GSASL_OK || code == GSASL_NEEDS_MORE));
    std::string out{output, size};
    gsasl_free(output);
    return std::pair{out, code};
  };

  auto [message, code] = speak("");
  auto step = server.start(mechanism, message);
  for (;;) {
    if (auto* need = std::get_if<chat::need_credentials>(&step)) {
      step = server.found(need->username == "alice" ? std::optional{keys} : std::nullopt);
    } else if (auto* need_key = std::get_if<chat::need_derivation>(&step)) {
      step = server.derived(run(need_key->job));
    } else if (auto* challenge = std::get_if<chat::sasl_challenge>(&step)) {
      std::tie(message, code) = speak(challenge->data);
      step = server.response(message);
    } else if (auto* success = std::get_if<chat::sasl_success>(&step)) {
      // The client checks the server's signature here.
      if (!success->data.empty()) code = speak(success->data).second;
      return {"success " + success->username, code == GSASL_OK};
    } else {
      return {std::string{to_string(std::get<chat::sasl_failure>(step).condition)}, false};
    }
  }
}

}  // namespace

TEST_CASE("the client of GNU SASL logs in with every mechanism and accepts our signature",
          "[chat][sasl]") {
  for (auto const* mechanism : {"PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256"}) {
    INFO(mechanism);
    auto const right = log_in(mechanism, "alice", "p,=ss w\xc3\xb6rd");
    CHECK(right.answer == "success alice");
    CHECK(right.agreed);
    CHECK(log_in(mechanism, "alice", "p,=ss w\xc3\xb6rd", "alice@otter.test").answer ==
          "success alice");
    CHECK(log_in(mechanism, "alice", "p,=ss w\xc3\xb6rd", "bob@otter.test").answer ==
          "invalid-authzid");
    CHECK(log_in(mechanism, "alice", "wrong").answer == "not-authorized");
    CHECK(log_in(mechanism, "bob", "p,=ss w\xc3\xb6rd").answer == "not-authorized");
  }
}
