#include "sasl.hpp"

#include <algorithm>
#include <charconv>
#include <stdexcept>
#include <utility>

#include "base64.hpp"
#include "jid.hpp"
#include "precis.hpp"

namespace chat {
namespace {

constexpr std::size_t salt_bytes = 16;
constexpr std::size_t nonce_bytes = 18;

/// The text up to the next comma; `rest` goes on behind it.
std::string_view take_field(std::string_view& rest) {
  auto const comma = rest.find(',');
  auto const field = rest.substr(0, comma);
  rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
  return field;
}

/// `=2C` and `=3D` undone; nothing for any other `=`, for NUL and for an empty name.
std::optional<std::string> decode_name(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\0') return std::nullopt;
    if (text[i] != '=') {
      out += text[i];
      continue;
    }
    auto const code = text.substr(i + 1, 2);
    if (code == "2C")
      out += ',';
    else if (code == "3D")
      out += '=';
    else
      return std::nullopt;
    i += 2;
  }
  if (out.empty() || !is_utf8(out)) return std::nullopt;
  return out;
}

bool is_nonce(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7F; });
}

/// Further fields are ignored if they look like extensions (a letter, `=`, anything).
bool only_extensions(std::string_view rest) {
  while (!rest.empty()) {
    auto const field = take_field(rest);
    bool const letter = !field.empty() && ((field[0] >= 'a' && field[0] <= 'z') ||
                                           (field[0] >= 'A' && field[0] <= 'Z'));
    if (!letter || field.size() < 2 || field[1] != '=' || field[0] == 'm') return false;
  }
  return true;
}

}  // namespace

scram_key keys_from_salted(hash_type hash, secret const& salted, std::string salt,
                           std::uint32_t iterations) {
  scram_key out;
  out.salt = std::move(salt);
  out.iterations = iterations;
  auto client_key = hmac(hash, salted.view(), "Client Key");
  out.stored_key = digest(hash, client_key);
  wipe(client_key.data(), client_key.size());
  out.server_key = hmac(hash, salted.view(), "Server Key");
  return out;
}

credentials make_credentials(secret const& password, std::uint32_t iterations,
                             random_source const& random) {
  auto prepared = opaque_string(password.view());
  if (!prepared)
    throw std::invalid_argument("password of " + std::to_string(password.size()) +
                                " bytes is empty or holds a character that is not allowed");
  credentials out;
  for (auto const hash : {hash_type::sha1, hash_type::sha256}) {
    pbkdf2_job const job{hash, secret{*prepared}, random_bytes(random, salt_bytes), iterations};
    auto key = keys_from_salted(hash, run(job), job.salt, iterations);
    (hash == hash_type::sha1 ? out.sha1 : out.sha256) = std::move(key);
  }
  wipe(prepared->data(), prepared->size());
  return out;
}

std::string_view to_string(sasl_condition condition) noexcept {
  switch (condition) {
    case sasl_condition::aborted:
      return "aborted";
    case sasl_condition::incorrect_encoding:
      return "incorrect-encoding";
    case sasl_condition::invalid_authzid:
      return "invalid-authzid";
    case sasl_condition::invalid_mechanism:
      return "invalid-mechanism";
    case sasl_condition::malformed_request:
      return "malformed-request";
    case sasl_condition::not_authorized:
      return "not-authorized";
    case sasl_condition::temporary_auth_failure:
      return "temporary-auth-failure";
  }
  return "not-authorized";
}

sasl_exchange::sasl_exchange(sasl_policy const& policy) : policy_{&policy} {}
sasl_exchange::~sasl_exchange() = default;
sasl_exchange::sasl_exchange(sasl_exchange&&) noexcept = default;
sasl_exchange& sasl_exchange::operator=(sasl_exchange&&) noexcept = default;

sasl_step sasl_exchange::fail(sasl_condition condition) {
  phase_ = phase::done;
  password_ = secret{};
  return sasl_failure{condition};
}

sasl_step sasl_exchange::start(std::string_view mechanism,
                               std::optional<std::string_view> initial) {
  if (phase_ != phase::fresh) return fail(sasl_condition::malformed_request);
  if (mechanism == "PLAIN")
    plain_ = true;
  else if (mechanism == "SCRAM-SHA-1")
    hash_ = hash_type::sha1;
  else if (mechanism != "SCRAM-SHA-256")
    return fail(sasl_condition::invalid_mechanism);
  phase_ = phase::first;
  if (!initial) return sasl_challenge{};
  return first_message(*initial);
}

sasl_step sasl_exchange::response(std::string_view data) {
  if (phase_ == phase::first) return first_message(data);
  if (phase_ == phase::final) return scram_final(data);
  return fail(sasl_condition::malformed_request);
}

sasl_step sasl_exchange::first_message(std::string_view data) {
  return plain_ ? plain_message(data) : scram_first(data);
}

/// The identity to act as may only be one's own (RFC 6120, section 6.3.8).
bool sasl_exchange::own_authzid(std::string_view authzid, std::string_view raw_name) const {
  if (authzid.empty()) return true;
  auto const wanted = jid::parse(authzid);
  auto const name = prepare_local(raw_name);
  if (!wanted || wanted->is_full() || !name) return false;
  return wanted->local() == *name && wanted->domain() == policy_->domain;
}

sasl_step sasl_exchange::plain_message(std::string_view data) {
  auto const first = data.find('\0');
  if (first == std::string_view::npos) return fail(sasl_condition::malformed_request);
  auto const second = data.find('\0', first + 1);
  if (second == std::string_view::npos || data.find('\0', second + 1) != std::string_view::npos)
    return fail(sasl_condition::malformed_request);
  auto const authzid = data.substr(0, first);
  auto const name = data.substr(first + 1, second - first - 1);
  auto const password = data.substr(second + 1);
  if (name.empty() || password.empty() || !is_utf8(data))
    return fail(sasl_condition::malformed_request);
  if (!own_authzid(authzid, name)) return fail(sasl_condition::invalid_authzid);
  // A password that cannot be prepared cannot be right, but takes as long as any other.
  auto prepared = opaque_string(password);
  password_ = prepared ? secret{*prepared} : secret{password};
  if (prepared) wipe(prepared->data(), prepared->size());
  return look_up(name);
}

sasl_step sasl_exchange::scram_first(std::string_view data) {
  std::string_view rest = data;
  auto const binding = take_field(rest);
  // `y`: the client could bind the channel and believes that we cannot, which is so. `p=...` asks
  // for what we have not offered.
  if (binding != "n" && binding != "y") return fail(sasl_condition::malformed_request);
  if (rest.empty()) return fail(sasl_condition::malformed_request);
  auto const authzid_field = take_field(rest);
  std::optional<std::string> authzid{std::string{}};
  if (!authzid_field.empty()) {
    if (!authzid_field.starts_with("a=")) return fail(sasl_condition::malformed_request);
    authzid = decode_name(authzid_field.substr(2));
    if (!authzid) return fail(sasl_condition::malformed_request);
  }
  gs2_header_ = data.substr(0, data.size() - rest.size());
  client_first_ = rest;
  auto const name_field = take_field(rest);  // `m=` would stand here: it is no `n=`, so refused
  if (!name_field.starts_with("n=")) return fail(sasl_condition::malformed_request);
  auto const name = decode_name(name_field.substr(2));
  auto const nonce_field = take_field(rest);
  if (!name || !nonce_field.starts_with("r=") || !is_nonce(nonce_field.substr(2)) ||
      !only_extensions(rest))
    return fail(sasl_condition::malformed_request);
  if (!own_authzid(*authzid, *name)) return fail(sasl_condition::invalid_authzid);
  nonce_ = nonce_field.substr(2);
  nonce_ +=
      policy_->nonce ? policy_->nonce() : base64_encode(random_bytes(policy_->random, nonce_bytes));
  return look_up(*name);
}

sasl_step sasl_exchange::look_up(std::string_view raw_name) {
  auto prepared = prepare_local(raw_name);
  phase_ = phase::lookup;
  if (!prepared) {
    username_ = raw_name;  // nobody can have it; the answer is that of any unknown user
    return found(std::nullopt);
  }
  username_ = *std::move(prepared);
  return need_credentials{username_};
}

sasl_step sasl_exchange::found(std::optional<credentials> account) {
  if (phase_ != phase::lookup) return fail(sasl_condition::malformed_request);
  exists_ = account.has_value();
  // Derived in any case, so that both answers cost the same. The same name gets the same salt each
  // time, as a real account would; nobody knows a password that fits.
  std::string_view const label = hash_ == hash_type::sha1 ? "sha1:" : "sha256:";
  auto const made_up = [&](std::string_view what) {
    std::string input{what};
    input += label;
    input += username_;
    return hmac(hash_, policy_->server_secret, input);
  };
  key_ = {made_up("salt:").substr(0, salt_bytes), policy_->iterations, made_up("stored:"),
          made_up("server:")};
  if (exists_) key_ = account->of(hash_);
  if (plain_) {
    phase_ = phase::derivation;
    return need_derivation{{hash_, std::move(password_), key_.salt, key_.iterations}};
  }
  server_first_ =
      "r=" + nonce_ + ",s=" + base64_encode(key_.salt) + ",i=" + std::to_string(key_.iterations);
  phase_ = phase::final;
  return sasl_challenge{server_first_};
}

sasl_step sasl_exchange::derived(secret salted) {
  if (phase_ != phase::derivation) return fail(sasl_condition::malformed_request);
  auto const got = keys_from_salted(hash_, salted, key_.salt, key_.iterations);
  bool const equal = equal_in_constant_time(got.stored_key, key_.stored_key);
  if (!equal || !exists_) return fail(sasl_condition::not_authorized);
  phase_ = phase::done;
  return sasl_success{{}, username_};
}

sasl_step sasl_exchange::scram_final(std::string_view data) {
  auto const proof_at = data.rfind(",p=");
  if (proof_at == std::string_view::npos) return fail(sasl_condition::malformed_request);
  auto const without_proof = data.substr(0, proof_at);
  auto const proof = base64_decode(data.substr(proof_at + 3));
  std::string_view rest = without_proof;
  auto const binding = take_field(rest);
  auto const nonce = take_field(rest);
  if (!binding.starts_with("c=") || !nonce.starts_with("r=") || !only_extensions(rest) || !proof ||
      proof->size() != digest_size(hash_))
    return fail(sasl_condition::malformed_request);
  auto const bound = base64_decode(binding.substr(2));
  if (!bound) return fail(sasl_condition::malformed_request);
  if (*bound != gs2_header_ || nonce.substr(2) != nonce_)
    return fail(sasl_condition::not_authorized);

  std::string const auth_message =
      client_first_ + "," + server_first_ + "," + std::string{without_proof};
  auto client_key = hmac(hash_, key_.stored_key, auth_message);
  for (std::size_t i = 0; i < client_key.size(); ++i)
    client_key[i] = static_cast<char>(client_key[i] ^ (*proof)[i]);
  bool const equal = equal_in_constant_time(digest(hash_, client_key), key_.stored_key);
  wipe(client_key.data(), client_key.size());
  if (!equal || !exists_) return fail(sasl_condition::not_authorized);
  phase_ = phase::done;
  return sasl_success{"v=" + base64_encode(hmac(hash_, key_.server_key, auth_message)), username_};
}

}  // namespace chat
