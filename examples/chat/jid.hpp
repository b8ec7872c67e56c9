#pragma once

// jid.hpp - an address: local@domain/resource (RFC 7622).
//
// A jid exists only in prepared form, so two of them are the same address exactly if they are
// equal. One string and two lengths: an idle session keeps its own address at the price of one
// allocation.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <ostream>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace chat {

class jid {
 public:
  static constexpr std::size_t max_part = 1023;  // bytes of UTF-8

  /// The empty jid: no address at all. parse() never gives it.
  jid() = default;

  /// The prepared address, or why `text` is none, for a person to read.
  [[nodiscard]] static tl::expected<jid, std::string> parse(std::string_view text);

  /// Puts prepared parts together (a store's key, a freshly bound resource). `local` and `resource`
  /// may be empty. The caller answers for the preparation.
  [[nodiscard]] static jid from_prepared(std::string_view local, std::string_view domain,
                                         std::string_view resource = {});

  [[nodiscard]] bool empty() const noexcept { return text_.empty(); }
  [[nodiscard]] std::string_view local() const noexcept { return view().substr(0, local_); }
  [[nodiscard]] std::string_view domain() const noexcept {
    return view().substr(domain_at(), domain_);
  }
  [[nodiscard]] std::string_view resource() const noexcept {
    return is_full() ? view().substr(domain_at() + domain_ + 1U) : std::string_view{};
  }
  /// True if there is a resource.
  [[nodiscard]] bool is_full() const noexcept { return text_.size() > domain_at() + domain_; }

  [[nodiscard]] std::string const& full() const noexcept { return text_; }
  /// Without the resource; a view into this jid.
  [[nodiscard]] std::string_view bare() const noexcept {
    return view().substr(0, domain_at() + domain_);
  }
  [[nodiscard]] jid to_bare() const { return from_prepared(local(), domain()); }

  // The text determines the parts: a local part has no `/` and a domain neither `/` nor `@`.
  friend bool operator==(jid const& a, jid const& b) noexcept { return a.text_ == b.text_; }
  friend bool operator<(jid const& a, jid const& b) noexcept { return a.text_ < b.text_; }
  friend std::ostream& operator<<(std::ostream& out, jid const& j) { return out << j.text_; }

 private:
  [[nodiscard]] std::string_view view() const noexcept { return text_; }
  [[nodiscard]] std::size_t domain_at() const noexcept { return local_ == 0 ? 0U : local_ + 1U; }

  std::string text_;
  std::uint16_t local_ = 0;   // bytes of the local part; 0: there is none
  std::uint16_t domain_ = 0;  // bytes of the domain
};

/// The local part of an address, prepared; empty if `text` can be none. Login names use it too.
[[nodiscard]] tl::expected<std::string, std::string> prepare_local(std::string_view text);
[[nodiscard]] tl::expected<std::string, std::string> prepare_resource(std::string_view text);

}  // namespace chat

template <>
struct std::hash<chat::jid> {
  std::size_t operator()(chat::jid const& j) const noexcept {
    return std::hash<std::string>{}(j.full());
  }
};
