#include <spdlog/sinks/ansicolor_sink.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/rotating_file_sink.h>

#include <memory>
#include <otter/log_devices.hpp>
#include <utility>

namespace otter::logger {
namespace {

spdlog::level::level_enum level_of_spdlog(level at) noexcept {
  switch (at) {
    case level::emergency:
    case level::alert:
    case level::critical:
      return spdlog::level::critical;
    case level::error:
      return spdlog::level::err;
    case level::warning:
      return spdlog::level::warn;
    case level::notice:
    case level::info:
      return spdlog::level::info;
    case level::debug:
      break;
  }
  return spdlog::level::debug;
}

/// One handler at a time uses it, so its sink needs no lock. An error is thrown by the sink.
class sink_device final : public device {
 public:
  sink_device(std::unique_ptr<spdlog::sinks::sink> sink, char const* pattern)
      : sink_(std::move(sink)) {
    sink_->set_pattern(pattern);
  }

  void write(std::span<line const> lines) override {
    for (line const& l : lines)
      sink_->log(spdlog::details::log_msg(spdlog::string_view_t{}, level_of_spdlog(l.level),
                                          spdlog::string_view_t(l.text.data(), l.text.size())));
    sink_->flush();
  }

 private:
  std::unique_ptr<spdlog::sinks::sink> sink_;
};

// The line is made by the handler's formatter; here only its end and its colour are added.
constexpr char const* plain = "%v";
constexpr char const* coloured = "%^%v%$";

spdlog::color_mode mode_of(console_options::colours use) noexcept {
  switch (use) {
    case console_options::colours::always:
      return spdlog::color_mode::always;
    case console_options::colours::never:
      return spdlog::color_mode::never;
    case console_options::colours::automatic:
      break;
  }
  return spdlog::color_mode::automatic;
}

}  // namespace

device_opener console(console_options options) {
  return [options]() -> std::unique_ptr<device> {
    std::unique_ptr<spdlog::sinks::sink> sink;
    if (options.to == console_options::stream::error)
      sink = std::make_unique<spdlog::sinks::ansicolor_stderr_sink_st>(mode_of(options.use));
    else
      sink = std::make_unique<spdlog::sinks::ansicolor_stdout_sink_st>(mode_of(options.use));
    return std::make_unique<sink_device>(std::move(sink), coloured);
  };
}

device_opener rotating_file(rotating_file_options options) {
  return [options = std::move(options)]() -> std::unique_ptr<device> {
    return std::make_unique<sink_device>(std::make_unique<spdlog::sinks::rotating_file_sink_st>(
                                             options.path, options.max_bytes, options.max_files),
                                         plain);
  };
}

device_opener file(std::string path) {
  return [path = std::move(path)]() -> std::unique_ptr<device> {
    return std::make_unique<sink_device>(std::make_unique<spdlog::sinks::basic_file_sink_st>(path),
                                         plain);
  };
}

}  // namespace otter::logger
