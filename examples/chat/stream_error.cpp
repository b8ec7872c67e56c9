#include "stream_error.hpp"

#include "xml_element.hpp"

namespace chat {

std::string_view to_string(stream_condition condition) noexcept {
  switch (condition) {
    case stream_condition::bad_format:
      return "bad-format";
    case stream_condition::bad_namespace_prefix:
      return "bad-namespace-prefix";
    case stream_condition::conflict:
      return "conflict";
    case stream_condition::connection_timeout:
      return "connection-timeout";
    case stream_condition::host_unknown:
      return "host-unknown";
    case stream_condition::improper_addressing:
      return "improper-addressing";
    case stream_condition::internal_server_error:
      return "internal-server-error";
    case stream_condition::invalid_from:
      return "invalid-from";
    case stream_condition::invalid_namespace:
      return "invalid-namespace";
    case stream_condition::not_authorized:
      return "not-authorized";
    case stream_condition::not_well_formed:
      return "not-well-formed";
    case stream_condition::policy_violation:
      return "policy-violation";
    case stream_condition::resource_constraint:
      return "resource-constraint";
    case stream_condition::restricted_xml:
      return "restricted-xml";
    case stream_condition::system_shutdown:
      return "system-shutdown";
    case stream_condition::unsupported_encoding:
      return "unsupported-encoding";
    case stream_condition::unsupported_stanza_type:
      return "unsupported-stanza-type";
    case stream_condition::unsupported_version:
      return "unsupported-version";
  }
  return "undefined-condition";
}

std::string stream_error_xml(stream_condition condition, std::string_view text) {
  xml_element error{"error", ns::streams};
  error.add(xml_element{to_string(condition), ns::stream_errors});
  if (!text.empty()) {
    xml_element words{"text", ns::stream_errors};
    words.set("lang", "en", ns::xml).add_text(text);
    error.add(std::move(words));
  }
  return to_xml(error);
}

std::string stream_header_xml(std::string_view from, std::string_view id, std::string_view to) {
  std::string out = "<?xml version='1.0'?><stream:stream";
  append_attribute(out, "from", from);
  append_attribute(out, "id", id);
  if (!to.empty()) append_attribute(out, "to", to);
  append_attribute(out, "version", "1.0");
  append_attribute(out, "xml:lang", "en");
  append_attribute(out, "xmlns", ns::client);
  append_attribute(out, "xmlns:stream", ns::streams);
  out += '>';
  return out;
}

}  // namespace chat
