#pragma once

// logs.hpp - handlers that keep what they get, for the tests of the logger.

#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>
#include <otter/logger.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace logs {

namespace logger = otter::logger;
using namespace std::chrono_literals;

/// What a handler has written, and the events that its lines were made of.
///
/// Threads: any. The lock is held only while a line is added or copied.
class paper {
 public:
  void add_event(logger::event const& e) {
    std::lock_guard lock(mutex_);
    events_.push_back(e);
  }
  void add_line(std::string const& line) {
    std::lock_guard lock(mutex_);
    lines_.push_back(line);
  }
  std::vector<logger::event> events() const {
    std::lock_guard lock(mutex_);
    return events_;
  }
  std::vector<std::string> lines() const {
    std::lock_guard lock(mutex_);
    return lines_;
  }
  std::size_t count(std::string_view part) const {
    auto const all = lines();
    return static_cast<std::size_t>(std::count_if(
        all.begin(), all.end(),
        [&](std::string const& line) { return line.find(part) != std::string::npos; }));
  }
  /// The first event whose text has `part` in it; an empty one if there is none.
  logger::event event_with(std::string_view part) const {
    for (logger::event& e : events())
      if (e.text.find(part) != std::string::npos) return std::move(e);
    return {};
  }

 private:
  mutable std::mutex mutex_;
  std::vector<logger::event> events_;
  std::vector<std::string> lines_;
};
using paper_ptr = std::shared_ptr<paper>;

class paper_device final : public logger::device {
 public:
  explicit paper_device(paper_ptr to) : to_(std::move(to)) {}
  void write(std::span<logger::line const> lines) override {
    for (logger::line const& l : lines) to_->add_line(l.text);
  }

 private:
  paper_ptr to_;
};

/// A handler that writes on `to`: `level module: text name=value`.
inline logger::handler_options on(paper_ptr to, std::string id = "paper") {
  auto const line = logger::text_format({.time = false, .process = false});
  logger::handler_options h;
  h.id = std::move(id);
  h.open = [to] { return std::make_unique<paper_device>(to); };
  h.format = [to, line](logger::event const& e) {
    to->add_event(e);
    return line(e);
  };
  // A stall is a matter of the wall clock: a machine with too much to do makes one of any process.
  h.filters = {{"no stalls", [](logger::event const& e) {
                  bool const stall =
                      !e.fields.empty() && e.fields.front() == logger::named_value{"kind", "stall"};
                  return stall ? logger::verdict::stop : logger::verdict::ignore;
                }}};
  // Nobody goes on by himself because the machine is slow, unless a test is about that.
  h.overload.sync_limit = 60s;
  h.overload.burst_limit_enable = false;
  h.overload.burst_limit_window_time = 1h;  // what is dropped is told at the end
  return h;
}

/// The value of that name in `e`, as text; "none" if there is none.
inline std::string value_in(logger::event const& e, std::string_view name) {
  for (auto const& f : e.fields)
    if (f.name == name) return logger::to_string(f.what);
  return "none";
}

/// The process of the handler of that id.
inline otter::pid handler(std::string_view id = "paper") {
  for (auto const& h : logger::handlers())
    if (h.id == id) return h.process;
  return {};
}
inline logger::handler_info info_of(std::string_view id = "paper") {
  for (auto const& h : logger::handlers())
    if (h.id == id) return h;
  return {};
}

/// Starts a logger with one handler, which logs all that passes `level`.
inline paper_ptr start(logger::level level = logger::level::debug) {
  auto to = std::make_shared<paper>();
  logger::start_link({.level = level, .handlers = {on(to)}}).value();
  return to;
}

}  // namespace logs
