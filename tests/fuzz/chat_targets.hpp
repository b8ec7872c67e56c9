#pragma once

// chat_targets.hpp - what the fuzzers do with an input: libFuzzer (run), and the bounded mutation
// test.
//
//   xml, sasl, jid, base64, config   one target each
//
// A target returns false when something that must hold for every input does not, and lets an
// exception out that should not have been thrown.

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base64.hpp"
#include "config.hpp"
#include "jid.hpp"
#include "precis.hpp"
#include "sasl.hpp"
#include "xml_stream.hpp"

namespace chat_fuzz {

/// Parses `input` at once and byte by byte. Both must report the same elements, each element must
/// survive being written and read, and nothing may follow the end.
inline bool xml(std::string_view input) {
  chat::xml_limits limits;
  limits.element_bytes = 4096;
  limits.depth = 8;
  limits.attributes = 8;
  limits.attribute_bytes = 256;
  limits.nodes = 64;
  chat::xml_stream whole{limits};
  auto const events = whole.feed(input);
  chat::xml_stream bytewise{limits};
  std::vector<chat::xml_event> pieces;
  for (char const c : input)
    for (auto& e : bytewise.feed({&c, 1})) pieces.push_back(std::move(e));

  auto const elements = [](std::vector<chat::xml_event> const& all) {
    std::vector<chat::xml_element> out;
    for (auto const& e : all)
      if (auto const* el = std::get_if<chat::stream_element>(&e)) out.push_back(el->element);
    return out;
  };
  auto const found = elements(events);
  if (elements(pieces) != found) return false;
  for (std::size_t i = 0; i < events.size(); ++i) {
    bool const last = std::holds_alternative<chat::stream_closed>(events[i]) ||
                      std::holds_alternative<chat::stream_fault>(events[i]);
    if (last && i + 1 != events.size()) return false;
  }
  for (auto const& e : found) {
    chat::xml_stream again;
    again.prime({});
    auto const written = chat::to_xml(e);
    // The stream namespace has a prefix in what we write; a client may not spell it that way.
    if (written.find("stream:") != std::string::npos) continue;
    auto const back = elements(again.feed(written));
    if (back.size() != 1 || !(back[0] == e)) return false;
  }
  return true;
}

/// Runs `input` as up to three client messages, separated by line feeds, through each mechanism. No
/// input may log in: nobody knows the password.
inline bool sasl(std::string_view input) {
  static chat::sasl_policy const policy = [] {
    chat::sasl_policy p;
    p.domain = "otter.test";
    p.server_secret = "secret";
    p.iterations = 1;
    p.nonce = [] { return std::string{"server"}; };
    return p;
  }();
  static chat::credentials const account = [] {
    chat::scram_key const key{"salt", 1, std::string(20, '\1'), std::string(20, '\2')};
    chat::scram_key const key256{"salt", 1, std::string(32, '\1'), std::string(32, '\2')};
    return chat::credentials{key, key256};
  }();
  for (auto const* mechanism : {"PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256"}) {
    chat::sasl_exchange x{policy};
    auto rest = input;
    auto const next = [&] {
      auto const end = rest.find('\n');
      auto const out = rest.substr(0, end);
      rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
      return out;
    };
    auto step = x.start(mechanism, next());
    for (int i = 0; i < 3;) {
      if (auto* need = std::get_if<chat::need_credentials>(&step)) {
        step = x.found(need->username == "user" ? std::optional{account} : std::nullopt);
      } else if (auto* job = std::get_if<chat::need_derivation>(&step)) {
        step = x.derived(run(job->job));
      } else if (std::holds_alternative<chat::sasl_challenge>(step)) {
        step = x.response(next());
        ++i;
      } else {
        break;
      }
    }
    if (std::holds_alternative<chat::sasl_success>(step)) return false;
  }
  return true;
}

/// An address is refused with a reason, or its prepared form is an address again: the same one.
inline bool jid(std::string_view input) {
  auto const parsed = chat::jid::parse(input);
  if (!parsed) return !parsed.error().empty();
  auto const again = chat::jid::parse(parsed->full());
  if (!again || *again != *parsed || again->local() != parsed->local() ||
      again->domain() != parsed->domain() || again->resource() != parsed->resource())
    return false;
  for (auto const part : {parsed->local(), parsed->domain(), parsed->resource()})
    if (part.size() > chat::jid::max_part) return false;
  auto const bare = chat::jid::parse(parsed->bare());
  return bare && *bare == parsed->to_bare() && !parsed->domain().empty() &&
         chat::is_utf8(parsed->full());
}

/// All bytes survive being written and read; a text is refused, or is the one spelling of its
/// value.
inline bool base64(std::string_view input) {
  if (chat::base64_decode(chat::base64_encode(input)) != input) return false;
  auto const value = chat::base64_decode(input);
  return !value || chat::base64_encode(*value) == input;
}

/// A file is taken or refused by name and line; what was taken keeps to the limits.
inline bool config(std::string_view input) {
  chat::chat_config config;
  try {
    chat::read_config_text(config, input, "chat.toml");
  } catch (chat::config_error const& e) {
    std::string_view const why = e.what();
    constexpr std::string_view file = "chat.toml:";
    return why.starts_with(file) && why.size() > file.size() && why[file.size()] >= '1' &&
           why[file.size()] <= '9';
  }
  if (config.domain.empty() || config.limits.xml.element_bytes < 10000 ||
      config.limits.login_attempts < 3 || config.scram_iterations < 4096)
    return false;
  try {
    chat::check_config(config);
  } catch (chat::config_error const& e) {
    return e.what()[0] != '\0';
  }
  return config.insecure_plaintext || config.listen.host.starts_with("127.") ||
         config.listen.host.find(':') != std::string::npos;
}

}  // namespace chat_fuzz
