#pragma once

// log.hpp - where the server's words go: standard error, through spdlog.
//
//   start_logging()    once, before anything is logged
//   log_node_event()   what the runtime has to tell: crash reports, stalls, lost processes
//
// Standard output is for the person who starts the server; what is logged never holds a password, a
// key, or the text of a message.

#include <otter/node.hpp>

#include "config.hpp"

namespace chat {

void start_logging(log_level level);

/// Called from: any thread; for node_options::on_event.
void log_node_event(otter::node_event const& event);

}  // namespace chat
