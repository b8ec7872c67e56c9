#include "stanza_error.hpp"

namespace chat {

std::string_view to_string(stanza_condition condition) noexcept {
  switch (condition) {
    case stanza_condition::bad_request:
      return "bad-request";
    case stanza_condition::conflict:
      return "conflict";
    case stanza_condition::feature_not_implemented:
      return "feature-not-implemented";
    case stanza_condition::forbidden:
      return "forbidden";
    case stanza_condition::gone:
      return "gone";
    case stanza_condition::internal_server_error:
      return "internal-server-error";
    case stanza_condition::item_not_found:
      return "item-not-found";
    case stanza_condition::jid_malformed:
      return "jid-malformed";
    case stanza_condition::not_acceptable:
      return "not-acceptable";
    case stanza_condition::not_allowed:
      return "not-allowed";
    case stanza_condition::not_authorized:
      return "not-authorized";
    case stanza_condition::policy_violation:
      return "policy-violation";
    case stanza_condition::recipient_unavailable:
      return "recipient-unavailable";
    case stanza_condition::registration_required:
      return "registration-required";
    case stanza_condition::remote_server_not_found:
      return "remote-server-not-found";
    case stanza_condition::remote_server_timeout:
      return "remote-server-timeout";
    case stanza_condition::resource_constraint:
      return "resource-constraint";
    case stanza_condition::service_unavailable:
      return "service-unavailable";
    case stanza_condition::subscription_required:
      return "subscription-required";
    case stanza_condition::unexpected_request:
      return "unexpected-request";
  }
  return "undefined-condition";
}

std::string_view type_of(stanza_condition condition) noexcept {
  switch (condition) {
    case stanza_condition::bad_request:
    case stanza_condition::jid_malformed:
    case stanza_condition::not_acceptable:
    case stanza_condition::policy_violation:
      return "modify";
    case stanza_condition::forbidden:
    case stanza_condition::not_authorized:
    case stanza_condition::registration_required:
    case stanza_condition::subscription_required:
      return "auth";
    case stanza_condition::recipient_unavailable:
    case stanza_condition::remote_server_timeout:
    case stanza_condition::resource_constraint:
    case stanza_condition::unexpected_request:
      return "wait";
    case stanza_condition::conflict:
    case stanza_condition::feature_not_implemented:
    case stanza_condition::gone:
    case stanza_condition::internal_server_error:
    case stanza_condition::item_not_found:
    case stanza_condition::not_allowed:
    case stanza_condition::remote_server_not_found:
    case stanza_condition::service_unavailable:
      break;
  }
  return "cancel";
}

xml_element error_element(stanza_condition condition, std::string_view text) {
  xml_element error{"error", ns::client};
  error.set("type", type_of(condition));
  error.add(xml_element{to_string(condition), ns::stanza_errors});
  if (!text.empty()) {
    xml_element words{"text", ns::stanza_errors};
    words.set("lang", "en", ns::xml).add_text(text);
    error.add(std::move(words));
  }
  return error;
}

std::string stanza_error_xml(stanza_kind kind, std::string_view id, std::string_view from,
                             std::string_view to, stanza_condition condition,
                             std::string_view text) {
  xml_element out{to_string(kind), ns::client};
  out.set("type", "error");
  if (!id.empty()) out.set("id", id);
  if (!from.empty()) out.set("from", from);
  if (!to.empty()) out.set("to", to);
  out.add(error_element(condition, text));
  return to_xml(out);
}

std::optional<std::string> error_reply(stanza const& to_what, stanza_condition condition) {
  if (to_what.cls == stanza_class::iq_response || to_what.cls == stanza_class::message_error ||
      to_what.kind == stanza_kind::presence)
    return std::nullopt;
  return stanza_error_xml(to_what.kind, to_what.id, to_what.to.full(), to_what.from.full(),
                          condition);
}

}  // namespace chat
