#include "iq_services.hpp"

#include "offline.hpp"
#include "session_version.hpp"

namespace chat {
namespace {

constexpr std::string_view disco_info = "http://jabber.org/protocol/disco#info";
constexpr std::string_view disco_items = "http://jabber.org/protocol/disco#items";
constexpr std::string_view ping = "urn:xmpp:ping";
constexpr std::string_view version = "jabber:iq:version";
[[maybe_unused]] constexpr std::string_view time = "urn:xmpp:time";
constexpr std::string_view roster = "jabber:iq:roster";

xml_element feature(std::string_view var) {
  xml_element out{"feature", disco_info};
  out.set("var", var);
  return out;
}

xml_element text_child(std::string_view name, std::string_view space, std::string_view text) {
  xml_element out{name, space};
  out.add_text(text);
  return out;
}

xml_element info_of(iq_target target) {
  xml_element query{"query", disco_info};
  xml_element identity{"identity", disco_info};
  if (target == iq_target::server)
    identity.set("category", "server").set("type", "im").set("name", "otter");
  else
    identity.set("category", "account").set("type", "registered");
  query.add(std::move(identity)).add(feature(disco_info)).add(feature(disco_items));
  query.add(feature(ping));
  if (target == iq_target::server) query.add(feature(version)).add(feature("msgoffline"));
#if CHAT_SESSION_VERSION >= 2
  if (target == iq_target::server) query.add(feature(time));
#endif
  return query;
}

}  // namespace

iq_answer answer_iq(iq_target target, bool is_set, xml_element const& payload,
                    [[maybe_unused]] std::int64_t now) {
  if (is_set) {
    if (payload.is("session", ns::session)) return iq_result{};
    return stanza_condition::service_unavailable;
  }
  if (payload.is("ping", ping)) return iq_result{};
  if (payload.is("query", disco_info) || payload.is("query", disco_items)) {
    auto const* node = payload.attribute("node");
    if (node != nullptr && !node->empty()) return stanza_condition::item_not_found;
    if (payload.ns() == disco_info) return iq_result{true, info_of(target)};
    return iq_result{true, xml_element{"query", disco_items}};
  }
  if (payload.is("query", version)) {
    xml_element query{"query", version};
    query.add(text_child("name", version, "otter chat")).add(text_child("version", version, "0.1"));
    return iq_result{true, std::move(query)};
  }
#if CHAT_SESSION_VERSION >= 2
  if (target == iq_target::server && payload.is("time", time)) {
    xml_element answer{"time", time};
    answer.add(text_child("tzo", time, "+00:00")).add(text_child("utc", time, utc_stamp(now)));
    return iq_result{true, std::move(answer)};
  }
#endif
  // Without contacts every roster is empty; an error here leaves some clients waiting.
  if (target == iq_target::own_account && payload.is("query", roster))
    return iq_result{true, xml_element{"query", roster}};
  return stanza_condition::service_unavailable;
}

}  // namespace chat
