#include "xml_stream.hpp"

#include <expat.h>

#include <algorithm>
#include <exception>
#include <new>
#include <stdexcept>
#include <utility>

// Debian's 2.5.0 carries this function of 2.6; other builds may lack it, hence weak. Without the
// call, a tag that arrives in pieces may not be reported until much more data has come.
extern "C" XML_Bool XML_SetReparseDeferralEnabled(XML_Parser parser, XML_Bool enabled)
    __attribute__((weak));

namespace chat {
namespace {

// No XML text can contain it, so it cannot be forged inside a namespace.
constexpr XML_Char separator = '\x01';
// A larger read is parsed in slices, so that a limit is noticed soon after it has been passed.
constexpr std::size_t slice = 4096;
constexpr std::string_view usual_header =
    "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

struct qualified_name {
  std::string_view ns;
  std::string_view name;
};

qualified_name split(XML_Char const* raw) {
  std::string_view const text{raw};
  auto const at = text.find(separator);
  if (at == std::string_view::npos) return {{}, text};
  return {text.substr(0, at), text.substr(at + 1)};
}

bool is_space(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

bool is_utf8_name(std::string_view encoding) {
  constexpr std::string_view wanted = "utf-8";
  return encoding.size() == wanted.size() &&
         std::equal(encoding.begin(), encoding.end(), wanted.begin(), [](char a, char b) {
           return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
         });
}

}  // namespace

std::string const* stream_opened::attribute(std::string_view wanted) const noexcept {
  for (auto const& a : attributes)
    if (a.name == wanted && a.ns.empty()) return &a.value;
  return nullptr;
}

/// Callbacks of expat are C functions: nothing may be thrown through them. Each one runs its body
/// under guarded(), which keeps the exception for feed() and stops the parser.
struct xml_stream::state {
  struct free_parser {
    void operator()(XML_Parser p) const noexcept { XML_ParserFree(p); }
  };
  struct declaration {
    std::string prefix;
    std::string uri;
  };

  std::unique_ptr<std::remove_pointer_t<XML_Parser>, free_parser> parser;
  xml_limits limits;
  std::vector<xml_event> events;
  std::exception_ptr thrown;
  std::vector<xml_element> open;      // the element under construction, outermost first
  std::vector<declaration> declared;  // on the header
  std::string stream_name;            // "ns separator name" of the root
  std::uint64_t fed = 0;              // bytes given to expat
  std::uint64_t consumed = 0;         // where the last complete thing ended
  std::size_t depth = 0;              // 0: before the header; 1: between stanzas
  std::size_t nodes = 0;
  unsigned char first_byte = 0;
  bool over = false;  // a fault or the end has been reported
  bool priming = false;

  // --- life ---

  void make() {
    parser.reset(XML_ParserCreateNS("UTF-8", separator));
    if (!parser) throw std::bad_alloc{};
    prepare();
  }

  void restart() {
    if (XML_ParserReset(parser.get(), "UTF-8") != XML_TRUE) {
      make();
    } else {
      prepare();
    }
    events.clear();
    thrown = nullptr;
    open.clear();
    declared.clear();
    stream_name.clear();
    fed = consumed = 0;
    depth = nodes = 0;
    over = priming = false;
  }

  /// Handlers are forgotten by XML_ParserReset. The limit on entity amplification is expat's
  /// default and stays on, though no DOCTYPE gets that far.
  void prepare() {
    XML_Parser const p = parser.get();
    XML_SetUserData(p, this);
    XML_SetElementHandler(p, on_start, on_end);
    XML_SetCharacterDataHandler(p, on_text);
    XML_SetNamespaceDeclHandler(p, on_declaration, nullptr);
    XML_SetXmlDeclHandler(p, on_xml_declaration);
    XML_SetStartDoctypeDeclHandler(p, on_doctype);
    XML_SetCommentHandler(p, on_comment);
    XML_SetProcessingInstructionHandler(p, on_instruction);
    if (XML_SetReparseDeferralEnabled != nullptr) XML_SetReparseDeferralEnabled(p, XML_FALSE);
  }

  // --- what happens ---

  void fail(stream_condition condition, std::string_view text = {}) {
    if (over) return;
    over = true;
    open.clear();
    events.emplace_back(stream_fault{condition, std::string{text}});
    XML_StopParser(parser.get(), XML_FALSE);
  }

  /// Where the token ends that expat is reporting.
  [[nodiscard]] std::uint64_t token_end() const {
    return static_cast<std::uint64_t>(XML_GetCurrentByteIndex(parser.get())) +
           static_cast<std::uint64_t>(XML_GetCurrentByteCount(parser.get()));
  }

  void check_size(std::uint64_t reached) {
    if (reached > consumed && reached - consumed > limits.element_bytes)
      fail(stream_condition::policy_violation,
           "element larger than " + std::to_string(limits.element_bytes) + " bytes");
  }

  void start(XML_Char const* raw, XML_Char const** attributes) {
    check_size(token_end());
    if (over) return;
    if (depth > limits.depth)
      return fail(stream_condition::policy_violation,
                  "elements nested deeper than " + std::to_string(limits.depth));
    std::size_t count = 0;
    for (XML_Char const** a = attributes; *a != nullptr; a += 2) {
      if (++count > limits.attributes)
        return fail(stream_condition::policy_violation,
                    "more than " + std::to_string(limits.attributes) + " attributes");
      if (std::string_view{a[1]}.size() > limits.attribute_bytes)
        return fail(stream_condition::policy_violation,
                    "attribute larger than " + std::to_string(limits.attribute_bytes) + " bytes");
    }
    if (depth == 0) return open_stream(raw, attributes);
    if (++nodes > limits.nodes)
      return fail(stream_condition::policy_violation,
                  "more than " + std::to_string(limits.nodes) + " elements in one");
    auto const [space, name] = split(raw);
    xml_element element{name, space};
    for (XML_Char const** a = attributes; *a != nullptr; a += 2) {
      auto const [attribute_ns, attribute_name] = split(a[0]);
      element.set(attribute_name, a[1], attribute_ns);
    }
    open.push_back(std::move(element));
    ++depth;
  }

  void open_stream(XML_Char const* raw, XML_Char const** attributes) {
    stream_opened opened;
    auto const [space, name] = split(raw);
    opened.name = name;
    opened.ns = space;
    for (XML_Char const** a = attributes; *a != nullptr; a += 2) {
      auto const [attribute_ns, attribute_name] = split(a[0]);
      opened.attributes.push_back(
          {std::string{attribute_name}, std::string{attribute_ns}, std::string{a[1]}});
    }
    for (auto const& d : declared) {
      if (d.prefix.empty())
        opened.default_ns = d.uri;
      else if (d.uri == ns::client)
        opened.client_prefix = true;
    }
    stream_name = raw;
    depth = 1;
    consumed = token_end();
    if (!priming) events.emplace_back(std::move(opened));
  }

  void end() {
    check_size(token_end());
    if (over) return;
    --depth;
    if (depth == 0) {
      over = true;
      consumed = token_end();
      events.emplace_back(stream_closed{});
      // What a peer sends behind its own end is not looked at.
      XML_StopParser(parser.get(), XML_FALSE);
      return;
    }
    xml_element done = std::move(open.back());
    open.pop_back();
    if (!open.empty()) {
      open.back().add(std::move(done));
      return;
    }
    auto const at = token_end();
    events.emplace_back(stream_element{std::move(done), static_cast<std::size_t>(at - consumed)});
    consumed = at;
    nodes = 0;
  }

  void text(std::string_view run) {
    if (!open.empty()) {
      check_size(token_end());
      if (!over) open.back().add_text(run);
      return;
    }
    if (!is_space(run)) return fail(stream_condition::bad_format, "text between stanzas");
    consumed = token_end();
    if (events.empty() || !std::holds_alternative<stream_whitespace>(events.back()))
      events.emplace_back(stream_whitespace{});
  }

  void declare(std::string_view prefix, std::string_view uri) {
    if (depth == 0) {
      if (declared.size() >= limits.attributes)
        return fail(stream_condition::policy_violation, "too many namespaces on the header");
      declared.push_back({std::string{prefix}, std::string{uri}});
    } else if (uri == ns::streams && !prefix.empty()) {
      // Only the stream's own header gives this namespace a prefix (RFC 6120, section 4.8.5).
      fail(stream_condition::bad_namespace_prefix, "stream namespace bound again");
    } else if (++nodes > limits.nodes) {  // each declaration costs expat memory
      fail(stream_condition::policy_violation, "too many namespaces");
    }
  }

  void xml_declaration(XML_Char const* encoding) {
    if (encoding != nullptr && !is_utf8_name(encoding))
      fail(stream_condition::unsupported_encoding, "only UTF-8");
  }

  void parse_error() {
    switch (XML_GetErrorCode(parser.get())) {
      case XML_ERROR_UNBOUND_PREFIX:
      case XML_ERROR_UNDECLARING_PREFIX:
      case XML_ERROR_RESERVED_PREFIX_XML:
      case XML_ERROR_RESERVED_PREFIX_XMLNS:
      case XML_ERROR_RESERVED_NAMESPACE_URI:
        return fail(stream_condition::bad_namespace_prefix);
      case XML_ERROR_UNDEFINED_ENTITY:
      case XML_ERROR_RECURSIVE_ENTITY_REF:
      case XML_ERROR_BINARY_ENTITY_REF:
      case XML_ERROR_ATTRIBUTE_EXTERNAL_ENTITY_REF:
        return fail(stream_condition::restricted_xml, "entity");
      case XML_ERROR_UNKNOWN_ENCODING:
      case XML_ERROR_INCORRECT_ENCODING:
        return fail(stream_condition::unsupported_encoding, "only UTF-8");
      case XML_ERROR_NO_MEMORY:
        throw std::bad_alloc{};
      default:
        return fail(stream_condition::not_well_formed);
    }
  }

  void parse(std::string_view bytes) {
    while (!bytes.empty() && !over) {
      auto const part = bytes.substr(0, slice);
      bytes.remove_prefix(part.size());
      fed += part.size();
      auto const status =
          XML_Parse(parser.get(), part.data(), static_cast<int>(part.size()), XML_FALSE);
      if (thrown) std::rethrow_exception(std::exchange(thrown, nullptr));
      if (over) break;
      if (status == XML_STATUS_ERROR) {
        parse_error();
        break;
      }
      check_size(fed);  // what expat holds of an unfinished token
    }
  }

  // --- callbacks ---

  template <typename Body>
  static void guarded(void* user, Body body) noexcept {
    auto& self = *static_cast<state*>(user);
    if (self.over || self.thrown) return;  // expat may still call after it was stopped
    try {
      body(self);
    } catch (...) {
      self.thrown = std::current_exception();
      self.over = true;
      XML_StopParser(self.parser.get(), XML_FALSE);
    }
  }

  static void XMLCALL on_start(void* user, XML_Char const* name, XML_Char const** attributes) {
    guarded(user, [&](state& s) { s.start(name, attributes); });
  }
  static void XMLCALL on_end(void* user, XML_Char const*) {
    guarded(user, [](state& s) { s.end(); });
  }
  static void XMLCALL on_text(void* user, XML_Char const* text, int size) {
    guarded(user, [&](state& s) { s.text({text, static_cast<std::size_t>(size)}); });
  }
  static void XMLCALL on_declaration(void* user, XML_Char const* prefix, XML_Char const* uri) {
    guarded(user, [&](state& s) {
      s.declare(prefix == nullptr ? "" : prefix, uri == nullptr ? "" : uri);
    });
  }
  static void XMLCALL on_xml_declaration(void* user, XML_Char const*, XML_Char const* encoding,
                                         int) {
    guarded(user, [&](state& s) { s.xml_declaration(encoding); });
  }
  static void XMLCALL on_doctype(void* user, XML_Char const*, XML_Char const*, XML_Char const*,
                                 int) {
    guarded(user, [](state& s) { s.fail(stream_condition::restricted_xml, "document type"); });
  }
  static void XMLCALL on_comment(void* user, XML_Char const*) {
    guarded(user, [](state& s) { s.fail(stream_condition::restricted_xml, "comment"); });
  }
  static void XMLCALL on_instruction(void* user, XML_Char const*, XML_Char const*) {
    guarded(user,
            [](state& s) { s.fail(stream_condition::restricted_xml, "processing instruction"); });
  }
};

xml_stream::xml_stream(xml_limits const& limits) : state_{std::make_unique<state>()} {
  state_->limits = limits;
  state_->make();
}
xml_stream::~xml_stream() = default;
xml_stream::xml_stream(xml_stream&&) noexcept = default;
xml_stream& xml_stream::operator=(xml_stream&&) noexcept = default;

std::vector<xml_event> xml_stream::feed(std::string_view bytes) {
  auto& s = *state_;
  // The first two bytes tell UTF-16 and UTF-32 from UTF-8, with or without a byte order mark; told
  // that the text is UTF-8, expat would only call it not well-formed. They may come one by one.
  if (s.fed < 2 && !bytes.empty()) {
    if (s.fed == 0) s.first_byte = static_cast<unsigned char>(bytes[0]);
    auto const first = s.first_byte;
    auto const rest = bytes.substr(1 - s.fed);
    if (first == 0xFE || first == 0xFF || first == 0 || (first == '<' && rest.starts_with('\0')))
      s.fail(stream_condition::unsupported_encoding, "only UTF-8");
  }
  s.parse(bytes);
  return std::exchange(s.events, {});
}

void xml_stream::reset() { state_->restart(); }
void xml_stream::set_limits(xml_limits const& limits) noexcept { state_->limits = limits; }

bool xml_stream::idle() const noexcept {
  return !state_->over && state_->depth == 1 && state_->consumed == state_->fed;
}
bool xml_stream::untouched() const noexcept { return state_->fed == 0 && !state_->over; }

std::string xml_stream::header() const {
  auto const [space, name] = split(state_->stream_name.c_str());
  std::string out = "<";
  std::string declarations;
  std::string prefix;
  auto sorted = state_->declared;  // one spelling, whatever order the client chose
  std::sort(sorted.begin(), sorted.end(),
            [](auto const& a, auto const& b) { return a.prefix < b.prefix; });
  for (auto const& d : sorted) {
    if (d.uri == space && (prefix.empty() || d.prefix == "stream")) prefix = d.prefix;
    append_attribute(declarations, d.prefix.empty() ? "xmlns" : "xmlns:" + d.prefix, d.uri);
  }
  if (!prefix.empty()) out += prefix + ":";
  out += name;
  out += declarations;
  out += '>';
  if (out == usual_header) out.clear();
  return out;
}

void xml_stream::prime(std::string_view header) {
  auto& s = *state_;
  s.restart();
  s.priming = true;
  s.parse(header.empty() ? usual_header : header);
  s.priming = false;
  if (s.depth != 1 || s.over)
    throw std::logic_error("xml_stream: cannot be primed with \"" + std::string{header} + "\"");
}

}  // namespace chat
