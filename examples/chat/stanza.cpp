#include "stanza.hpp"

#include "offline.hpp"

namespace chat {

std::string_view to_string(stanza_kind kind) noexcept {
  switch (kind) {
    case stanza_kind::message:
      return "message";
    case stanza_kind::presence:
      return "presence";
    case stanza_kind::iq:
      return "iq";
  }
  return "";
}

std::optional<stanza_kind> kind_of(xml_element const& element) noexcept {
  if (element.ns() != ns::client) return std::nullopt;
  if (element.name() == "message") return stanza_kind::message;
  if (element.name() == "presence") return stanza_kind::presence;
  if (element.name() == "iq") return stanza_kind::iq;
  return std::nullopt;
}

std::optional<stanza_class> classify(xml_element const& element) noexcept {
  auto const kind = kind_of(element);
  if (!kind) return std::nullopt;
  auto const* attribute = element.attribute("type");
  std::string_view const type = attribute == nullptr ? std::string_view{} : *attribute;
  switch (*kind) {
    case stanza_kind::message:
      if (type == "groupchat") return stanza_class::message_groupchat;
      if (type == "headline") return stanza_class::message_headline;
      if (type == "error") return stanza_class::message_error;
      return stanza_class::message_normal;
    case stanza_kind::presence:
      if (attribute == nullptr || type == "unavailable" || type == "error")
        return stanza_class::presence;
      if (type == "subscribe" || type == "subscribed" || type == "unsubscribe" ||
          type == "unsubscribed" || type == "probe")
        return stanza_class::presence_managing;
      return std::nullopt;
    case stanza_kind::iq:
      if (type == "get" || type == "set") return stanza_class::iq_request;
      if (type == "result" || type == "error") return stanza_class::iq_response;
      return std::nullopt;
  }
  return std::nullopt;
}

stanza make_stanza(xml_element element, jid const& from, jid const& to) {
  stanza out;
  out.kind = kind_of(element).value();
  out.cls = classify(element).value();
  out.keep_offline = out.cls == stanza_class::message_normal && worth_keeping(element);
  if (auto const* id = element.attribute("id")) out.id = *id;
  out.from = from;
  out.to = to;
  element.set("from", from.full());
  element.set("to", to.full());
  serialise(out.xml, element);
  return out;
}

std::string addressed_to(std::string_view xml, jid const& to) {
  // The name of the element ends at the first space, slash or bracket.
  auto const at = xml.find_first_of(" />", 1);
  std::string out{xml.substr(0, at)};
  append_attribute(out, "to", to.full());
  out += xml.substr(at);
  return out;
}

}  // namespace chat
