// A stranger's program: logs to the console, and knows nothing of spdlog.
#include <otter/log_devices.hpp>
#include <otter/logger.hpp>
#include <otter/node.hpp>
#include <string>

namespace {
constexpr otter::logger::module_log log_of_main{"main"};
}

int main() {
  return otter::run([] {
    otter::logger::handler_options console;
    console.open = otter::logger::console({.to = otter::logger::console_options::stream::output});
    console.format = [](otter::logger::event const& e) {
      return otter::logger::to_string(e.fields.at(0).what);
    };
    otter::logger::start_link({.handlers = {console}}).value();
    log_of_main.notice("the answer", {{"value", 42}});
    otter::logger::sync();
  });
}
