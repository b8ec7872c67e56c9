#include "log.hpp"

#include <otter/log_devices.hpp>

namespace chat {
namespace {

otter::logger::level to_otter(log_level level) noexcept {
  switch (level) {
    case log_level::debug:
      return otter::logger::level::debug;
    case log_level::info:
      return otter::logger::level::info;
    case log_level::warning:
      return otter::logger::level::warning;
    case log_level::error:
      return otter::logger::level::error;
  }
  return otter::logger::level::info;
}

}  // namespace

otter::logger::options log_options(log_level level) {
  return {.level = to_otter(level),
          .handlers = {{.id = "console", .open = otter::logger::console()}}};
}

}  // namespace chat
