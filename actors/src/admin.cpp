// The endpoint of otter/admin.hpp: acceptors that serve a connection each, one request after the
// other.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <exception>
#include <filesystem>
#include <memory>
#include <optional>
#include <otter/admin.hpp>
#include <otter/blocking.hpp>
#include <otter/code.hpp>
#include <otter/detail/unwinding.hpp>
#include <otter/error.hpp>
#include <otter/exit.hpp>
#include <otter/message.hpp>
#include <otter/monitor.hpp>
#include <otter/proc_lib.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <otter/tcp.hpp>
#include <string_view>
#include <utility>
#include <vector>

#include "report.hpp"
#include "text_table.hpp"

namespace otter {
namespace detail {

namespace {

using admin_options = std::shared_ptr<admin::options const>;

constexpr std::size_t longest_line = 4096;  // with its end
constexpr std::string_view requests =
    "modules\n"
    "upgrade PLAN\n"
    "upgrade --dry-run PLAN\n"
    "help";

/// One connection. Threads: the process that serves it.
class admin_session {
 public:
  admin_session(admin_options how, tcp_socket socket) : how_(std::move(how)), socket_(socket) {}

  void run() {
    while (auto const line = next_line()) serve(*line);
    // What was said last would be lost if it closed with something unread.
    if (socket_.shutdown_write()) {
      std::size_t left = 512;
      while (left > 0 && socket_.recv(0, std::chrono::seconds(1))) --left;
    }
    socket_.close();
  }

 private:
  /// Without its end. None: the connection is over.
  std::optional<std::string> next_line() {
    auto line = socket_.recv(0, how_->idle_limit);
    if (!line) {
      if (line.error() == tcp_errc::timeout) fail("nothing came for too long");
      return std::nullopt;
    }
    if (line->empty() || line->back() != '\n') {
      fail(fmt::format("a request is one line of at most {} bytes", longest_line - 1));
      return std::nullopt;
    }
    line->pop_back();
    if (!line->empty() && line->back() == '\r') line->pop_back();
    return std::move(*line);
  }

  void serve(std::string const& line) {
    try {
      answer(line);
    } catch (unwinding const&) {
      throw;
    } catch (std::exception const& e) {
      fail(e.what());
    }
  }

  void answer(std::string_view line) {
    auto const take = [&](std::string_view word) {
      if (line.substr(0, word.size()) != word) return false;
      line.remove_prefix(word.size());
      return true;
    };
    if (std::any_of(line.begin(), line.end(), [](char c) { return c >= 0 && c < ' '; }))
      return fail("a request has no control characters");
    if (line == "modules") return show_modules();
    if (line == "help") {
      say(requests);
      return finish();
    }
    if (!take("upgrade ")) return fail(fmt::format("no request: \"{}\"; try: help", line));
    bool const dry = take("--dry-run ");
    if (line.empty() || line.front() != '/')
      return fail(fmt::format("\"{}\": the file of a plan is a path that begins with /", line));
    upgrade_by(std::string(line), dry);
  }

  // --- what is said ---

  void send(std::string text) const { static_cast<void>(socket_.send(text)); }

  /// Each line with a blank ahead of it, so that none looks like the end of the answer.
  void say(std::string_view text) const {
    std::string out = " ";
    for (char const c : text) {
      if (c == '\n')
        out += "\n ";
      else
        out += c >= 0 && c < ' ' ? '?' : c;
    }
    send(out + '\n');
  }
  void finish() const { send("ok\n"); }
  void fail(std::string_view why) const {
    std::string out = fmt::format("error: {}", why);
    for (char& c : out)
      if (c >= 0 && c < ' ') c = ' ';
    send(out + '\n');
  }

  // --- requests ---

  void show_modules() const {
    using row = std::array<std::string, 5>;
    std::vector<row> rows{{"module", "current", "processes", "old", "processes"}};
    for (code::loaded_module const& m : code::all_loaded())
      rows.push_back({m.name, m.current ? m.current->version : "-",
                      m.current ? std::to_string(m.current->processes) : "-",
                      m.old ? m.old->version : "-",
                      m.old ? std::to_string(m.old->processes) : "-"});
    std::string text = text_table(rows, 5);
    text.pop_back();
    say(text);
    finish();
  }

  struct line_of_progress {
    std::string text;
  };

  void upgrade_by(std::string file, bool dry) {
    if (!how_->read_plan)
      return fail("this program reads no plans: admin::options::read_plan is not set");
    upgrade::plan const plan = blocking([&] { return how_->read_plan(file); });
    // In a process of its own, which goes on when the client goes away; this one passes on what
    // that says. It does not wait for a client that does not read.
    auto const worker = spawn_monitor([plan, dry, how = how_, here = self()] {
      upgrade::options options = how->upgrade;
      options.progress = [here](std::string_view line) {
        otter::send(here, line_of_progress{std::string(line)});
      };
      otter::send(here, dry ? upgrade::check(plan, options) : upgrade::apply(plan, options));
    });
    std::optional<upgrade::report> result;
    for (bool over = false; !over;)
      receive([&](line_of_progress l) { say(l.text); },
              [&](upgrade::report r) { result = std::move(r); },
              when([&](down const& d) { return d.ref == worker.ref; },
                   [&](down const& d) {
                     over = true;
                     if (!result) fail(fmt::format("the upgrade has ended: {}", d.reason));
                   }));
    if (!result) return;
    say(to_string(*result));
    if (result->done) return finish();
    fail(dry ? "the plan would be refused"
             : "the plan is refused; what had been changed was taken back");
  }

  admin_options const how_;
  tcp_socket const socket_;
};

void accept_and_serve(admin_options how, tcp_listener listener) {
  for (;;) {
    auto const socket = tcp_accept(listener);
    if (socket)
      admin_session(how, *socket).run();
    else if (socket.error() == tcp_errc::closed)
      return;
  }
}

tcp_result<tcp_listener> listen_at(tcp_address const& address) {
  return tcp_listen(address, {.packet = packet::line,
                              .buffer = longest_line,
                              // A client that does not read is nobody whom an upgrade waits for.
                              .send_timeout = std::chrono::seconds(5),
                              .send_timeout_close = true,
                              .permissions = 0600});
}

/// Whether the file was left by a program that has crashed; then it is gone.
bool remove_what_was_left(tcp_address const& address) {
  if (auto const there = tcp_connect(address, {}, std::chrono::seconds(5))) {
    there->close();
    return false;
  } else if (there.error() != std::errc::connection_refused) {
    return false;
  }
  return blocking([&] {
    std::error_code ignored;
    return std::filesystem::is_socket(address.path, ignored) &&
           std::filesystem::remove(address.path, ignored);
  });
}

void run_admin(admin_options how) {
  auto const address = tcp_address::local(how->socket);
  auto listener = listen_at(address);
  if (!listener && listener.error() == std::errc::address_in_use && remove_what_was_left(address))
    listener = listen_at(address);
  if (!listener) {
    std::error_code const why = listener.error();
    proc_lib::init_fail(exit_reason::error(
        "cannot_listen", blocking([&] { return explain_listen_failure(address, why); })));
  }
  for (std::size_t i = 0; i < std::max<std::size_t>(how->clients, 1); ++i)
    proc_lib::spawn_link(accept_and_serve, how, *listener);
  proc_lib::init_ack();
  receive(after(infinity, [] {}));
}

}  // namespace
}  // namespace detail

tl::expected<pid, start_error> admin::start_link(options how) {
  auto started = proc_lib::start_link({.spawn = {.label = "admin"}}, detail::run_admin,
                                      std::make_shared<options const>(std::move(how)));
  if (!started) return tl::unexpected(std::move(started.error()));
  return *started;
}

}  // namespace otter
