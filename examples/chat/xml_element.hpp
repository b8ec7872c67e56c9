#pragma once

// xml_element.hpp - one element as a small tree, to look into and to write out again.
//
//   xml_element         name, namespace, attributes, children and text
//   append_escaped()    text or attribute value with the five predefined entities
//   serialise()         writes an element where some namespaces are already in scope
//
// Names are kept by namespace and not by prefix: an element whose prefix was declared on the stream
// header, or on a parent that is gone, is written with its own declaration. So what is forwarded
// means what it meant, though it may be spelled otherwise.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace chat {

namespace ns {
inline constexpr std::string_view client = "jabber:client";
inline constexpr std::string_view streams = "http://etherx.jabber.org/streams";
inline constexpr std::string_view xml = "http://www.w3.org/XML/1998/namespace";
inline constexpr std::string_view sasl = "urn:ietf:params:xml:ns:xmpp-sasl";
inline constexpr std::string_view tls = "urn:ietf:params:xml:ns:xmpp-tls";
inline constexpr std::string_view bind = "urn:ietf:params:xml:ns:xmpp-bind";
inline constexpr std::string_view session = "urn:ietf:params:xml:ns:xmpp-session";
inline constexpr std::string_view stream_errors = "urn:ietf:params:xml:ns:xmpp-streams";
inline constexpr std::string_view stanza_errors = "urn:ietf:params:xml:ns:xmpp-stanzas";
}  // namespace ns

struct xml_attribute {
  std::string name;
  std::string ns;  // empty: no namespace, as for almost all of them
  std::string value;
};

struct xml_node;

class xml_element {
 public:
  xml_element();
  xml_element(std::string_view name, std::string_view ns);
  xml_element(xml_element const&);
  xml_element(xml_element&&) noexcept;
  xml_element& operator=(xml_element const&);
  xml_element& operator=(xml_element&&) noexcept;
  ~xml_element();

  [[nodiscard]] std::string const& name() const noexcept { return name_; }
  [[nodiscard]] std::string const& ns() const noexcept { return ns_; }
  [[nodiscard]] bool is(std::string_view name, std::string_view ns) const noexcept {
    return name_ == name && ns_ == ns;
  }

  // --- attributes ---
  [[nodiscard]] std::vector<xml_attribute> const& attributes() const noexcept {
    return attributes_;
  }
  /// The value, or nullptr. `ns` is empty for attributes without a prefix.
  [[nodiscard]] std::string const* attribute(std::string_view name,
                                             std::string_view ns = {}) const noexcept;
  /// Sets or replaces; returns *this, so that a builder reads as a chain.
  xml_element& set(std::string_view name, std::string_view value, std::string_view ns = {});
  void remove_attribute(std::string_view name) noexcept;

  // --- content ---
  [[nodiscard]] std::vector<xml_node> const& nodes() const noexcept { return nodes_; }
  /// Text directly inside, children's text left out.
  [[nodiscard]] std::string text() const;
  [[nodiscard]] xml_element const* child(std::string_view name, std::string_view ns) const noexcept;
  [[nodiscard]] xml_element const* first_child() const noexcept;
  [[nodiscard]] std::size_t child_count() const noexcept;
  /// Appends and returns *this.
  xml_element& add(xml_element child);
  xml_element& add_text(std::string_view text);

  friend bool operator==(xml_element const& a, xml_element const& b);

 private:
  std::string name_;
  std::string ns_;
  std::vector<xml_attribute> attributes_;
  std::vector<xml_node> nodes_;
};

/// Either a child or a run of text.
struct xml_node {
  xml_element element;  // its name is empty if this is text
  std::string text;
  [[nodiscard]] bool is_text() const noexcept { return element.name().empty(); }
};

bool operator==(xml_attribute const& a, xml_attribute const& b);
bool operator==(xml_node const& a, xml_node const& b);

enum class xml_place { content, attribute };
/// Appends `text` so that it can stand at `place`.
void append_escaped(std::string& out, std::string_view text, xml_place place = xml_place::content);
/// Appends ` name='value'`, escaped.
void append_attribute(std::string& out, std::string_view name, std::string_view value);

/// Appends `element`. `default_ns` is the default namespace in force where it will stand;
/// the prefix `stream` is taken to be declared for the stream namespace.
void serialise(std::string& out, xml_element const& element,
               std::string_view default_ns = ns::client);
[[nodiscard]] std::string to_xml(xml_element const& element,
                                 std::string_view default_ns = ns::client);

}  // namespace chat
