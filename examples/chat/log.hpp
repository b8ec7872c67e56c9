#pragma once

// log.hpp - where the server's words go: standard error, in colours if a person reads it.
//
//   log_options()   for otter::logger::start_link()
//
// Standard output is for the person who starts the server; what is logged never holds a password, a
// key, or the text of a message.

#include <otter/logger.hpp>

#include "config.hpp"

namespace chat {

otter::logger::options log_options(log_level level);

}  // namespace chat
