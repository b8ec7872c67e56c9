#pragma once

// session.hpp - the process that serves one client's connection.
//
// What to say is session_core's business. This process owns the socket: it feeds the core with what
// happens, and does what the core asks for. It is a special process: between two events it holds no
// stack, no buffer and no parser.
//
// It is in a module (its entries are at the end of session.cpp) and goes on in the next version of
// it, at any moment between two events: in the middle of a stanza, of a login, of a goodbye.
// Whatever it knows must therefore be in `state`, and a field keeps its name as long as it keeps
// its meaning. What is new stands beside `core` and the boxes in it: these go as a whole, and if
// they are laid out otherwise, `code_change()` has to say how they come over.

#include <cstdint>
#include <memory>
#include <otter/code_change.hpp>
#include <otter/ref.hpp>
#include <otter/special_process.hpp>
#include <otter/tcp.hpp>
#include <string>
#include <vector>

#include "parser_pool.hpp"
#include "session_border.hpp"
#include "session_core.hpp"
#include "session_version.hpp"
#include "xml_stream.hpp"

namespace chat {

/// What was asked and is not answered yet: one thing at a time.
enum class session_question : std::uint8_t {
  none,
  credentials,
  derivation,
  binding,
  offline,
  leaving
};

/// From a session to itself: the client has been made to wait for long enough.
struct go_on_reading {};

/// Ownership: of the socket, once it has been told `begin`.
/// Threads:   its own process.
/// Invariant: while an answer is due the socket is passive and what came before waits in `pending`.
///            A session that was bound ends after the router has answered unbind: behind that
///            answer nothing more is entrusted to it.
class session final : public otter::special_process<session> {
 public:
  struct state {
    std::shared_ptr<session_context const> context;
    otter::tcp_socket socket;
    session_state core;
    lent_parser parser;                               // only within an element or the header
    std::string header;                               // of the open stream; empty: the usual one
    std::unique_ptr<std::vector<xml_event>> pending;  // behind an answer that is due
    otter::request_id asked;
#if CHAT_SESSION_VERSION >= 2
    session_count received = 0;  // stanzas of the client, since it was counted
#endif
    session_question question = session_question::none;
    bool owns_socket = false;
    bool reading = false;      // the socket tells when there is something to read
    bool stream_open = false;  // header is that of an open stream
    bool full_limits = false;  // the parser's, after the login
    bool restarted = false;    // what is pending belongs to the old stream
    bool was_idle = true;      // when the stream was restarted
    bool paused = false;       // the client has sent more than it may
    bool draining = false;     // our side is closed, and the client's not yet
    bool lost = false;         // nothing can be written any more
    bool over = false;         // nothing is left to do but to hear from the router
  };

  session(std::shared_ptr<session_context const> context, otter::tcp_socket socket);
  /// Goes on where another version was.
  explicit session(state s) noexcept : s_{std::move(s)} {}

  void handle(otter::event& what);
  void terminate(otter::exit_reason const& reason);
  [[nodiscard]] std::string format_status() const;
  state& system_state() noexcept { return s_; }

 private:
  using question = session_question;

  session_core core() noexcept { return {*s_.context->settings, s_.core}; }
  void on_message(otter::event& what);
  void on_answer(otter::event& what);
  void on_ready();
  void arrived();
  void work_off();
  void after_event();

  void act(session_actions& actions);
  void carry_out(action::find_credentials& a);
  void carry_out(action::derive_key& a);
  void carry_out(action::login_failed& a);
  void carry_out(action::restart_stream& a);
  void carry_out(action::bind& a);
  void carry_out(action::unbind& a);
  void carry_out(action::give_back& a);
  void carry_out(action::set_presence& a);
  void carry_out(action::route& a);
  void carry_out(action::fetch_offline& a);
  void carry_out(action::delete_offline& a);
  void carry_out(action::arm_timer& a);
  void carry_out(action::pause_reading& a);
  void carry_out(action::close& a);

  void end();
  void send_now(std::string const& bytes);
  std::vector<xml_event> parse(std::string_view bytes);
  void put_parser_away();
  void drain();
  [[nodiscard]] static milliseconds now();

  state s_;
};

}  // namespace chat
