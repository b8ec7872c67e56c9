#pragma once

// xml_stream.hpp - bytes in, events of one XMPP stream out: a push parser over expat.
//
//   xml_limits    how large an element may get
//   xml_event     what happened: opened, element, white space, closed, fault
//   xml_stream    the parser
//
// A parser costs about 11 kB, so an idle connection must not have one. Whenever idle() is true,
// everything that the stream knows is in its header; the session keeps header(), gives the parser
// away, and continues later on any other one after prime(header).
//
// Restricted XML (RFC 6120, section 11.1): DOCTYPE, comment, processing instruction and undefined
// entity are faults. Sizes are checked when a limit is passed, not when an element is complete.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "stream_error.hpp"
#include "xml_element.hpp"

namespace chat {

/// Bounds on one first-level element (and on the stream header).
struct xml_limits {
  std::size_t element_bytes = 65536;   // on the wire
  std::size_t depth = 32;              // of elements, the first-level one being 1
  std::size_t attributes = 64;         // of one element
  std::size_t attribute_bytes = 8192;  // of one value
  std::size_t nodes = 4096;  // elements in the tree: memory is more than bytes on the wire
};

struct stream_opened {
  std::string name;
  std::string ns;
  std::vector<xml_attribute> attributes;
  /// The namespace of elements without a prefix; empty if none was declared.
  std::string default_ns;
  /// True if `jabber:client` is bound to some prefix.
  bool client_prefix = false;
  [[nodiscard]] std::string const* attribute(std::string_view wanted) const noexcept;
};
struct stream_element {
  xml_element element;
  std::size_t bytes = 0;  // what it took on the wire
};
struct stream_whitespace {};
struct stream_closed {};
struct stream_fault {
  stream_condition condition;
  std::string text;
};
using xml_event =
    std::variant<stream_opened, stream_element, stream_whitespace, stream_closed, stream_fault>;

/// Ownership: owns its expat parser and the tree under construction.
/// Threads:   one at a time.
/// Invariant: after stream_closed or stream_fault no further event comes until reset() or prime().
class xml_stream {
 public:
  explicit xml_stream(xml_limits const& limits = {});
  ~xml_stream();
  xml_stream(xml_stream&&) noexcept;
  xml_stream& operator=(xml_stream&&) noexcept;

  /// Parses `bytes` and returns what they completed, in order.
  /// Throws: std::bad_alloc; the stream is then unusable until reset().
  [[nodiscard]] std::vector<xml_event> feed(std::string_view bytes);

  /// Ready for a new stream: first use, stream restart, or another connection.
  void reset();
  void set_limits(xml_limits const& limits) noexcept;

  /// True if the stream is open and nothing of a next element has arrived: the parser can be given
  /// away. False before the header and after the end.
  [[nodiscard]] bool idle() const noexcept;
  /// True if no byte has been fed since reset().
  [[nodiscard]] bool untouched() const noexcept;

  /// What a fresh parser needs in order to go on with this stream: the declarations of its header.
  /// Empty stands for the header that almost every client sends.
  [[nodiscard]] std::string header() const;
  /// Takes over an open stream whose header() was `header`. No event is given for it.
  void prime(std::string_view header);

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace chat
