#pragma once

// parser_pool.hpp - XML parsers, lent for the time of a read.
//
// A parser costs about 11 kB and most connections are silent, so none of them owns one between two
// stanzas. A frame never changes threads, so a pool per thread needs no lock.

#include <memory>

#include "xml_stream.hpp"

namespace chat {

/// A parser in an unknown state: reset() or prime() it. Throws: std::bad_alloc.
[[nodiscard]] std::unique_ptr<xml_stream> borrow_parser();

/// Keeps it for the next borrower on this thread, or frees it if there are enough.
void return_parser(std::unique_ptr<xml_stream> parser) noexcept;

}  // namespace chat
