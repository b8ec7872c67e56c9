#pragma once

// iq_services.hpp - the questions that the server answers itself: ping (XEP-0199), service
// discovery (XEP-0030), version (XEP-0092), the time (XEP-0202), the old session request, and the
// roster, which is empty.

#include <cstdint>
#include <variant>

#include "stanza_error.hpp"
#include "xml_element.hpp"

namespace chat {

/// Whom the question was for.
enum class iq_target : std::uint8_t { server, own_account };

/// The child of the result, if it has one; or the condition to refuse with.
struct iq_result {
  bool has_payload = false;
  xml_element payload;
};
using iq_answer = std::variant<iq_result, stanza_condition>;

/// `payload` is the only child of an iq of type get or (`is_set`) set. `now` is in seconds since
/// 1970, UTC.
[[nodiscard]] iq_answer answer_iq(iq_target target, bool is_set, xml_element const& payload,
                                  std::int64_t now);

}  // namespace chat
