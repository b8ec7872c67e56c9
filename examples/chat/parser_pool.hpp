#pragma once

// parser_pool.hpp - XML parsers, lent for the time of a read.
//
//   lent_parser       one that goes back by itself
//   borrow_parser()   lends one
//   parsers_lent()    how many are out
//
// A parser costs about 11 kB and most connections are silent, so none of them owns one between two
// stanzas. A frame never changes threads, so a pool per thread needs no lock.

#include <cstddef>
#include <memory>

#include "xml_stream.hpp"

namespace chat {

/// Keeps the parser for the next borrower on this thread, or frees it if there are enough.
struct return_parser {
  void operator()(xml_stream* parser) const noexcept;
};
using lent_parser = std::unique_ptr<xml_stream, return_parser>;

/// A parser in an unknown state: reset() or prime() it. Throws: std::bad_alloc.
[[nodiscard]] lent_parser borrow_parser();

/// In this program, now: one for each connection that is in the middle of an element.
[[nodiscard]] std::size_t parsers_lent() noexcept;

}  // namespace chat
