#include "log.hpp"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

namespace chat {
namespace {

spdlog::level::level_enum to_spdlog(log_level level) {
  switch (level) {
    case log_level::debug:
      return spdlog::level::debug;
    case log_level::info:
      return spdlog::level::info;
    case log_level::warning:
      return spdlog::level::warn;
    case log_level::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

}  // namespace

void start_logging(log_level level) {
  auto logger = std::make_shared<spdlog::logger>(
      "chat", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%l%$ %v");
  logger->set_level(to_spdlog(level));
  logger->flush_on(spdlog::level::warn);
  spdlog::set_default_logger(std::move(logger));
}

void log_node_event(otter::node_event const& event) {
  using kind = otter::node_event::kind;
  auto const who = fmt::format("{}", event.process);
  switch (event.what) {
    case kind::crash:
      return spdlog::error("process {} crashed: {}", who, event.text);
    case kind::stall:
      return spdlog::warn("stall: {}", event.text);
    case kind::process_abandoned:
      return spdlog::error("process {} was abandoned: {}", who, event.text);
    case kind::long_queue:
    case kind::large_heap:
      return spdlog::warn("process {}: {}", who, event.text);
    case kind::report:
      return spdlog::warn("process {}: {}", who, event.text);
    case kind::failure:
      return spdlog::error("{}", event.text);
    case kind::progress:
      return spdlog::debug("process {}: {}", who, event.text);
  }
}

}  // namespace chat
