#include "jid.hpp"

#include <optional>

#include "precis.hpp"

namespace chat {
namespace {

using prepared = tl::expected<std::string, std::string>;

tl::unexpected<std::string> refuse(std::string_view part, std::string_view why) {
  return tl::unexpected<std::string>(std::string{part} + " " + std::string{why});
}

/// The rules that all three parts share, around the preparation of each.
template <typename Prepare>
prepared prepare_part(std::string_view part, std::string_view text, Prepare prepare) {
  if (text.empty()) return refuse(part, "is empty");
  if (text.size() > jid::max_part)
    return refuse(part, "has " + std::to_string(text.size()) + " bytes (allowed: 1023)");
  std::optional<std::string> out = prepare(text);
  if (!out) return refuse(part, "holds a character that is not allowed there");
  if (out->empty()) return refuse(part, "is empty once prepared");
  if (out->size() > jid::max_part)
    return refuse(part,
                  "has " + std::to_string(out->size()) + " bytes once prepared (allowed: 1023)");
  return *std::move(out);
}

}  // namespace

prepared prepare_local(std::string_view text) {
  auto out = prepare_part("local part", text, username_case_mapped);
  // RFC 7622, section 3.3.1; looked for in the prepared form, where ＠ has become @.
  if (out && out->find_first_of("\"&'/:<>@ ") != std::string::npos)
    return refuse("local part", "holds one of \" & ' / : < > @ or a space");
  return out;
}

prepared prepare_resource(std::string_view text) {
  return prepare_part("resource", text, opaque_string);
}

tl::expected<jid, std::string> jid::parse(std::string_view text) {
  std::optional<std::string_view> local;
  std::optional<std::string_view> resource;
  if (auto const slash = text.find('/'); slash != std::string_view::npos) {
    resource = text.substr(slash + 1);
    text = text.substr(0, slash);
  }
  if (auto const at = text.find('@'); at != std::string_view::npos) {
    local = text.substr(0, at);
    text = text.substr(at + 1);
  }
  auto const domain = prepare_part("domain", text, prepare_domain);
  if (!domain) return tl::unexpected<std::string>(domain.error());
  prepared local_part{std::string{}};
  if (local) local_part = prepare_local(*local);
  if (!local_part) return tl::unexpected<std::string>(local_part.error());
  prepared resource_part{std::string{}};
  if (resource) resource_part = prepare_resource(*resource);
  if (!resource_part) return tl::unexpected<std::string>(resource_part.error());
  return from_prepared(*local_part, *domain, *resource_part);
}

jid jid::from_prepared(std::string_view local, std::string_view domain, std::string_view resource) {
  jid out;
  out.local_ = static_cast<std::uint16_t>(local.size());
  out.domain_ = static_cast<std::uint16_t>(domain.size());
  out.text_.reserve(local.size() + domain.size() + resource.size() + 2);
  if (!local.empty()) out.text_.append(local).append(1, '@');
  out.text_.append(domain);
  if (!resource.empty()) out.text_.append(1, '/').append(resource);
  return out;
}

}  // namespace chat
