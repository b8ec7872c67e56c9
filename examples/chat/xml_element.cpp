#include "xml_element.hpp"

#include <algorithm>

namespace chat {

xml_element::xml_element() = default;
xml_element::xml_element(std::string_view name, std::string_view ns) : name_{name}, ns_{ns} {}
xml_element::xml_element(xml_element const&) = default;
xml_element::xml_element(xml_element&&) noexcept = default;
xml_element& xml_element::operator=(xml_element const&) = default;
xml_element& xml_element::operator=(xml_element&&) noexcept = default;
xml_element::~xml_element() = default;

std::string const* xml_element::attribute(std::string_view name,
                                          std::string_view ns) const noexcept {
  for (auto const& a : attributes_)
    if (a.name == name && a.ns == ns) return &a.value;
  return nullptr;
}

xml_element& xml_element::set(std::string_view name, std::string_view value, std::string_view ns) {
  for (auto& a : attributes_) {
    if (a.name == name && a.ns == ns) {
      a.value = value;
      return *this;
    }
  }
  attributes_.push_back({std::string{name}, std::string{ns}, std::string{value}});
  return *this;
}

void xml_element::remove_attribute(std::string_view name) noexcept {
  std::erase_if(attributes_,
                [&](xml_attribute const& a) { return a.name == name && a.ns.empty(); });
}

std::string xml_element::text() const {
  std::string out;
  for (auto const& n : nodes_)
    if (n.is_text()) out += n.text;
  return out;
}

xml_element const* xml_element::child(std::string_view name, std::string_view ns) const noexcept {
  for (auto const& n : nodes_)
    if (!n.is_text() && n.element.is(name, ns)) return &n.element;
  return nullptr;
}

xml_element const* xml_element::first_child() const noexcept {
  for (auto const& n : nodes_)
    if (!n.is_text()) return &n.element;
  return nullptr;
}

std::size_t xml_element::child_count() const noexcept {
  return static_cast<std::size_t>(
      std::count_if(nodes_.begin(), nodes_.end(), [](xml_node const& n) { return !n.is_text(); }));
}

xml_element& xml_element::add(xml_element child) {
  nodes_.push_back({std::move(child), {}});
  return *this;
}

xml_element& xml_element::add_text(std::string_view text) {
  if (text.empty()) return *this;
  if (!nodes_.empty() && nodes_.back().is_text())
    nodes_.back().text += text;  // the parser hands text over in pieces
  else
    nodes_.push_back({xml_element{}, std::string{text}});
  return *this;
}

bool operator==(xml_attribute const& a, xml_attribute const& b) {
  return a.name == b.name && a.ns == b.ns && a.value == b.value;
}
bool operator==(xml_node const& a, xml_node const& b) {
  return a.text == b.text && a.element == b.element;
}
bool operator==(xml_element const& a, xml_element const& b) {
  return a.name_ == b.name_ && a.ns_ == b.ns_ && a.attributes_ == b.attributes_ &&
         a.nodes_ == b.nodes_;
}

void append_escaped(std::string& out, std::string_view text, xml_place place) {
  for (char const c : text) {
    if (place == xml_place::attribute && (c == '\n' || c == '\t')) {
      out += c == '\n' ? "&#10;" : "&#9;";  // read back as a space if written plainly
      continue;
    }
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '\'':
        out += "&apos;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\r':
        out += "&#13;";
        break;  // read back as a line feed if written plainly
      default:
        out += c;
    }
  }
}

void append_attribute(std::string& out, std::string_view name, std::string_view value) {
  out += ' ';
  out += name;
  out += "='";
  append_escaped(out, value, xml_place::attribute);
  out += '\'';
}

void serialise(std::string& out, xml_element const& element, std::string_view default_ns) {
  // Features and stream errors are the only elements written with a prefix.
  bool const prefixed = element.ns() == ns::streams;
  auto const start = out.size();
  out += '<';
  if (prefixed) out += "stream:";
  out += element.name();
  std::string_view inner = default_ns;
  if (!prefixed && element.ns() != default_ns) {
    append_attribute(out, "xmlns", element.ns());
    inner = element.ns();
  }
  int prefixes = 0;
  for (auto const& a : element.attributes()) {
    if (a.ns.empty()) {
      append_attribute(out, a.name, a.value);
    } else if (a.ns == ns::xml) {
      append_attribute(out, "xml:" + a.name, a.value);
    } else {
      auto const prefix = "n" + std::to_string(++prefixes);
      append_attribute(out, "xmlns:" + prefix, a.ns);
      append_attribute(out, prefix + ":" + a.name, a.value);
    }
  }
  if (element.nodes().empty()) {
    out += "/>";
    return;
  }
  auto const name_size = element.name().size() + (prefixed ? 7U : 0U);
  out += '>';
  for (auto const& n : element.nodes()) {
    if (n.is_text())
      append_escaped(out, n.text);
    else
      serialise(out, n.element, inner);
  }
  out += "</";
  out.append(out, start + 1, name_size);
  out += '>';
}

std::string to_xml(xml_element const& element, std::string_view default_ns) {
  std::string out;
  serialise(out, element, default_ns);
  return out;
}

}  // namespace chat
