// The module "talker", a special process, in several versions; which one is said by TALKER_VERSION:
//
//   1  the first
//   2  one field has another type, one is new, one has another name
//   3  as 2, but its code_change() always throws

#include <chrono>
#include <cstddef>
#include <memory>
#include <otter/code_change.hpp>
#include <otter/message.hpp>
#include <otter/module.hpp>
#include <otter/receive.hpp>
#include <otter/request.hpp>
#include <otter/special_process.hpp>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "talker.hpp"

class talker : public otter::special_process<talker> {
 public:
  struct state {
    otter::tcp_socket socket;
    otter::pid home;
    otter::request_id asked;
    talking::conversation talk;
#if TALKER_VERSION == 1
    int lines = 0;
    std::unique_ptr<std::string> answer;
#else
    long lines = 0;
    std::unique_ptr<std::string> answered;
    std::string manner = "politely";
#endif
    int timeouts = 0;
    bool closed = false;
  };

  talker(otter::tcp_socket socket, otter::pid home) {
    state_.socket = socket;
    state_.home = home;
  }
  explicit talker(state s) noexcept : state_(std::move(s)) {}
  state& system_state() { return state_; }

#if TALKER_VERSION == 1
  static void code_change(otter::code::old_state& old, state& now) {
    old.move("answered", now.answer);
  }
#elif TALKER_VERSION == 2
  static void code_change(otter::code::old_state& old, state& now) {
    old.move("answer", now.answered);
  }
#else
  static void code_change(otter::code::old_state&, state&) { throw std::runtime_error("never"); }
#endif

  void handle(otter::event& what) {
    switch (what.what()) {
      case otter::event::kind::ready:
        return read();
      case otter::event::kind::request:
        if (what.get_if<talking::look>() != nullptr) otter::reply(what.caller(), shown());
        return;
      case otter::event::kind::reply:
        if (auto got = otter::check_response(what, otter::sent_request<std::string>{state_.asked}))
          answer() = std::make_unique<std::string>(got->value_or("none"));
        return;
      case otter::event::kind::timeout:
        if (what.token() == 7) ++state_.timeouts;
        return;
      default:
        return told(what);
    }
  }
  void terminate(otter::exit_reason const& reason) {
    otter::send(state_.home, talking::over{to_string(reason)});
  }
  [[nodiscard]] std::string format_status() const {
    return std::to_string(state_.lines) + " lines";
  }

 private:
  void told(otter::event& what) {
    if (what.get_if<talking::begin>() != nullptr) {
      static_cast<void>(state_.socket.set_active(otter::active::ready));
    } else if (auto* a = what.get_if<talking::ask>()) {
      state_.asked = otter::send_request(a->whom, talking::question{});
    } else if (what.get_if<talking::set_timer>() != nullptr) {
      start_timeout(std::chrono::hours(1), 7);
    } else if (auto* w = what.get_if<talking::wait_inside>()) {
      otter::send(w->whom, talking::waiting{});
      otter::receive([](talking::go_on) {});
      state_.talk.said("waited");
    } else if (what.get_if<talking::fail>() != nullptr) {
      throw std::runtime_error("told to fail");
    } else if (what.get_if<talking::leave>() != nullptr) {
      stop(otter::exit_reason::of("told to"));
    }
  }
  void read() {
    // Line by line; the rest of one is shown again.
    auto const got = state_.socket.read([this](std::span<std::byte const> view) {
      std::string_view const text = otter::as_text(view);
      std::size_t used = 0;
      for (std::size_t end; (end = text.find('\n', used)) != std::string_view::npos;
           used = end + 1) {
        state_.talk.said(std::string(text.substr(used, end - used)));
        ++state_.lines;
        static_cast<void>(
            state_.socket.send(std::to_string(TALKER_VERSION) + state_.talk.last() + "\n"));
      }
      return used;
    });
    if (!got) state_.closed = true;
  }
  [[nodiscard]] std::string shown() {
    std::string text = "version " + std::to_string(TALKER_VERSION) + ": " +
                       std::to_string(state_.lines) + " lines, last " + state_.talk.last();
#if TALKER_VERSION != 1
    text += ", " + state_.manner;
#endif
    if (answer() != nullptr) text += ", answered " + *answer();
    if (state_.timeouts != 0) text += ", time-outs: " + std::to_string(state_.timeouts);
    return text;
  }
#if TALKER_VERSION == 1
  std::unique_ptr<std::string>& answer() { return state_.answer; }
#else
  std::unique_ptr<std::string>& answer() { return state_.answered; }
#endif

  state state_;
};

namespace {

/// Linked to the caller, and at once.
otter::pid start(otter::tcp_socket socket, otter::pid home) {
  return talker::spawn({.link = true}, socket, home);
}

}  // namespace

OTTER_MODULE(otter::code::behaviour<talker>(), otter::code::function<&start>("start"));
