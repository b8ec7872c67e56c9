#pragma once

// application_controller.hpp - what the operations of otter/application.hpp ask the controller.

#include <otter/application.hpp>
#include <string>
#include <vector>

#include "application_table.hpp"

namespace otter::detail {

/// One of the two says which.
struct load_application {
  using reply = application::result<void>;
  spec_ptr spec;
  std::string name;
};
struct unload_application {
  using reply = application::result<void>;
  std::string name;
};
/// Answered when it runs, or does not.
struct start_application {
  using reply = application::result<void>;
  std::string name;
  restart_type type;
};
/// Answered when it has stopped.
struct stop_application {
  using reply = application::result<void>;
  std::string name;
};
/// Whose masters are to be told, by who asks: the controller waits for no master.
struct replace_configuration {
  using reply = application::result<std::vector<application_table::affected>>;
  application::configuration config;
};
struct stop_whole_node {
  int status;
};

}  // namespace otter::detail
