#pragma once

// server_support.hpp - the whole chat server inside a test, and clients that are processes.
//
//   running_server   the supervision tree in a process of its own, with a fresh directory
//   wire             a client's connection, in blocking style: send text, read until some text
//   comes
//
// All of it runs in processes of the test's node, on threads or in simulation: what the network
// does to the bytes is the driver's choice.

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <otter/exit.hpp>
#include <otter/monitor.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <otter/tcp.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "base64.hpp"
#include "server.hpp"
#include "store.hpp"

namespace chat_test {

using namespace std::chrono_literals;

/// Only a failing test waits for so long.
inline constexpr auto patience = 60s;

/// Accounts alice and bob with the password `pw`.
class running_server {
 public:
  explicit running_server(chat::chat_limits limits = {},
                          std::string const& session_module = CHAT_SESSION_MODULE) {
    std::string path = (std::filesystem::temp_directory_path() / "otter-chat-XXXXXX").string();
    if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("mkdtemp");
    auto& config = server_.config;
    config.data_dir = path;
    config.listen.port = 0;
    config.fault_injection = true;
    server_.session_module = session_module;
    config.limits = limits;
    auto& sessions = server_.sessions;
    sessions.domain = sessions.sasl.domain = config.domain;
    sessions.limits = limits;
    sessions.sasl.iterations = 4096;
    {
      static auto const keys =
          chat::make_credentials(chat::secret{"pw"}, 4096, chat::system_random);
      chat::store store{path, chat::system_random};
      sessions.sasl.server_secret = store.server_secret();
      for (auto const* name : {"alice", "bob"}) static_cast<void>(store.create_account(name, keys));
    }
    process_ =
        otter::spawn_monitor([this, home = otter::self()] { chat::run_server(server_, home); });
    otter::receive([&](chat::server_started s) { address_ = s.address; },
                   otter::after(patience, [] { throw std::runtime_error("no server"); }));
  }
  ~running_server() { std::filesystem::remove_all(server_.config.data_dir); }
  running_server(running_server const&) = delete;
  running_server& operator=(running_server const&) = delete;

  [[nodiscard]] otter::tcp_address address() const { return address_; }

  void begin_stop() const { otter::exit(process_.process, otter::exit_reason::shutdown()); }
  /// Waits for the end, and gives its reason.
  std::string end() const {
    return otter::receive(otter::when([&](otter::down const& d) { return d.ref == process_.ref; },
                                      [](otter::down d) { return to_string(d.reason); }),
                          otter::after(patience, [] { return std::string{"no end"}; }));
  }
  std::string stop() const {
    begin_stop();
    return end();
  }

 private:
  chat::chat_server server_;
  otter::spawned process_{};
  otter::tcp_address address_;
};

/// The calling process owns it. Pings are answered while it waits for something, as any client
/// does.
class wire {
 public:
  explicit wire(otter::tcp_address const& server)
      : socket_{otter::tcp_connect(server, {}, patience).value()} {}
  explicit wire(running_server const& server) : wire{server.address()} {}
  ~wire() { socket_.close(); }
  wire(wire&& other) noexcept
      : answers_pings{other.answers_pings},
        socket_{std::exchange(other.socket_, {})},
        got_{std::move(other.got_)},
        read_{std::move(other.read_)} {}
  wire& operator=(wire&&) = delete;

  void send(std::string_view text) { static_cast<void>(socket_.send(text)); }

  /// Reads until `text` has come; gives all of it up to there, or what came and ` [ended]`.
  std::string until(std::string_view text) {
    for (;;) {
      auto const at = got_.find(text);
      if (at != std::string::npos) {
        auto before = got_.substr(0, at + text.size());
        got_.erase(0, at + text.size());
        return before;
      }
      auto more = socket_.recv(0, patience);
      if (!more && more.error() == otter::tcp_errc::timeout)
        throw std::runtime_error("nothing came for long, after: " + got_);
      if (!more) return std::exchange(got_, {}) + " [ended]";
      got_ += *more;
      read_ += *more;
      if (answers_pings) answer_pings();
    }
  }
  std::string rest() { return until("\x01"); }
  /// Everything that has come on this connection, once it has ended.
  std::string all_that_was_read() {
    rest();
    return read_;
  }
  bool answers_pings = true;

  void open() {
    send(
        "<?xml version='1.0'?><stream:stream to='localhost' version='1.0' xmlns='jabber:client' "
        "xmlns:stream='http://etherx.jabber.org/streams'>");
    until("</stream:features>");
  }
  void authenticate(std::string const& name) {
    send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" +
         chat::base64_encode(std::string(1, '\0') + name + std::string(1, '\0') + "pw") +
         "</auth>");
    until("<success");
    until(">");
  }
  void bind(std::string const& resource) {
    send("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>" +
         resource + "</resource></bind></iq>");
    until("</iq>");
  }
  /// All of it, and says that it is available. The first to come may be a waiting message.
  wire& arrive(std::string const& name, std::string const& resource) {
    open();
    authenticate(name);
    open();
    bind(resource);
    send("<presence/>");
    return *this;
  }
  /// The same for one without waiting messages, until the echo of the presence has come.
  wire& log_in(std::string const& name, std::string const& resource) {
    arrive(name, resource);
    until("<presence ");
    until(">");
    return *this;
  }
  void say(std::string const& to, std::string const& body) {
    send("<message type='chat' to='" + to + "'><body>" + body + "</body></message>");
  }
  /// The body of the next message.
  std::string hear() {
    until("<body>");
    auto body = until("</body>");
    return body.substr(0, body.find("</body>"));
  }

 private:
  void answer_pings() {
    constexpr std::string_view begin = "<iq type='get' id='otter-", end = "</iq>";
    for (;;) {
      auto const from = got_.find(begin);
      if (from == std::string::npos) return;
      auto const to = got_.find(end, from);
      if (to == std::string::npos) return;
      auto const id = from + begin.size();
      send("<iq type='result' to='localhost' id='otter-" +
           got_.substr(id, got_.find('\'', id) - id) + "'/>");
      got_.erase(from, to + end.size() - from);
    }
  }

  otter::tcp_socket socket_;
  std::string got_;   // and not given yet
  std::string read_;  // all of it
};

}  // namespace chat_test
