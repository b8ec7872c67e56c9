#pragma once

// session.hpp - the process that serves one client's connection.
//
//   session           the process; the messages that it understands
//   session_context   what all sessions share
//
// What to say is session_core's business. This process owns the socket: it feeds the core with what
// happens, and does what the core asks for. It is a reactive: between two events it holds no stack,
// no buffer and no parser.

#include <chrono>
#include <cstdint>
#include <memory>
#include <otter/reactive.hpp>
#include <otter/ref.hpp>
#include <otter/server_ref.hpp>
#include <otter/tcp.hpp>
#include <string>
#include <vector>

#include "parser_pool.hpp"
#include "session_core.hpp"
#include "xml_stream.hpp"

namespace chat {

class accounts;
class router;

/// The same for all sessions of one listener; constant.
struct session_context {
  session_settings const* settings = nullptr;
  otter::server_ref<chat::accounts> accounts;
  otter::server_ref<chat::router> router;
  bool fault_injection = false;
};

/// Ownership: of the socket, once it has been told `begin`.
/// Threads:   its own process.
/// Invariant: while an answer is due the socket is passive and what came before waits in pending_.
/// A
///            session that was bound ends after the router has answered unbind: behind that answer
///            nothing more is entrusted to it.
class session final : public otter::reactive {
 public:
  // --- messages ---

  /// The socket is yours now.
  struct begin {};
  /// A stanza for the client, as it is to be written.
  struct delivery {
    std::string xml;
  };
  /// A stanza that must not be lost: if the client has left meanwhile, the router gets it back.
  struct entrusted {
    stanza what;
  };
  /// Another connection has taken the resource.
  struct replaced {};

  session(std::shared_ptr<session_context const> context, otter::tcp_socket socket);
  ~session() override;

  void start() override;
  void handle(otter::event& what) override;
  void ending(otter::exit_reason const& reason) override;
  [[nodiscard]] std::string describe() const override;

 private:
  /// Its own messages.
  struct go_on_reading {};
  /// What was asked and is not answered yet: one thing at a time.
  enum class question : std::uint8_t { none, credentials, derivation, binding, offline, leaving };

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

  std::shared_ptr<session_context const> context_;
  otter::tcp_socket socket_;
  session_core core_;
  lent_parser parser_;                               // only within an element or the header
  std::string header_;                               // of the open stream; empty for the usual one
  std::unique_ptr<std::vector<xml_event>> pending_;  // behind an answer that is due
  otter::request_id asked_;
  question question_ = question::none;
  bool owns_socket_ = false;
  bool reading_ = false;      // the socket tells when there is something to read
  bool stream_open_ = false;  // header_ is that of an open stream
  bool full_limits_ = false;  // the parser's, after the login
  bool restarted_ = false;    // what is pending belongs to the old stream
  bool was_idle_ = true;      // when the stream was restarted
  bool paused_ = false;       // the client has sent more than it may
  bool draining_ = false;     // our side is closed, and the client's not yet
  bool lost_ = false;         // nothing can be written any more
  bool over_ = false;         // nothing is left to do but to hear from the router
};

}  // namespace chat
