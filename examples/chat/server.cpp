#include "server.hpp"

#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <otter/admin.hpp>
#include <otter/code.hpp>
#include <otter/dynamic_supervisor.hpp>
#include <otter/exit.hpp>
#include <otter/logger.hpp>
#include <otter/monitor.hpp>
#include <otter/name.hpp>
#include <otter/receive.hpp>
#include <otter/supervisor.hpp>
#include <otter/upgrade_toml.hpp>
#include <utility>
#include <vector>

#include "accounts.hpp"
#include "connections.hpp"
#include "listener.hpp"
#include "router.hpp"
#include "store_writer.hpp"

namespace chat {
namespace {

constexpr otter::logger::module_log log{"chat.server"};

/// How a child finds one that was started before it.
template <typename Server>
otter::server_ref<Server> named(char const* name) {
  return otter::server_ref<Server>{otter::whereis(name)};
}

std::vector<otter::child_spec> children(chat_server const& server) {
  auto const& config = server.config;
  auto const& limits = config.limits;
  std::vector<otter::child_spec> list;
  list.push_back({.id = "store_writer", .start = [&] {
                    return store_writer::start_link(
                        otter::start_options{.name = "store_writer"}, config.data_dir,
                        offline_limits{limits.offline_messages, limits.offline_bytes});
                  }});
  list.push_back({.id = "accounts", .start = [&] {
                    return accounts::start_link(otter::start_options{.name = "accounts"},
                                                config.data_dir, limits.failed_logins);
                  }});
  list.push_back({.id = "router", .start = [&] {
                    return router::start_link(otter::start_options{.name = "router"}, config.domain,
                                              limits.resources,
                                              named<store_writer>("store_writer"));
                  }});
  list.push_back({.id = "connections", .start = [&] {
                    return connections::start_link(otter::start_options{.name = "connections"},
                                                   limits.connections_per_address);
                  }});
  list.push_back(
      {.id = "sessions",
       .start = [] { return otter::dynamic_supervisor::start_link({}, {.name = "sessions"}); },
       .type = otter::child_type::supervisor});
  list.push_back({.id = "listener", .start = [&] {
                    auto context = std::make_shared<session_context const>(
                        session_context{&server.sessions, named<accounts>("accounts"),
                                        named<router>("router"), config.fault_injection});
                    return listener::start_link(
                        otter::start_options{.name = "listener"}, config, std::move(context),
                        named<connections>("connections"), otter::whereis("sessions"));
                  }});
  if (!config.admin.empty())
    list.push_back({.id = "admin", .start = [&] {
                      return otter::admin::start_link(
                          {.socket = config.admin, .read_plan = otter::upgrade::read_plan_file});
                    }});
  return list;
}

/// Starts the logger, and again should it end: the server does not depend on it.
class log_keeper {
 public:
  explicit log_keeper(chat_server const& server) : server_{server} { start(); }
  /// Waits until all is written: the end of this process would be the end of the logger.
  void stop() {
    if (!logger_) return;
    auto const watch = otter::monitor(logger_);
    otter::exit(std::exchange(logger_, {}), otter::exit_reason::shutdown());
    otter::receive(
        otter::when([&](otter::down const& d) { return d.ref == watch; }, [](otter::down) {}));
  }
  /// True if it was the logger that has ended.
  bool takes(otter::exited const& end) {
    if (!logger_ || end.process != logger_) return false;
    start();
    return true;
  }

 private:
  void start() {
    logger_ = {};
    if (!server_.log) return;
    auto const started = otter::logger::start_link(*server_.log);
    if (started)
      logger_ = started->process();
    else
      log.error("the log cannot be opened", {{"reason", started.error()}});
  }

  chat_server const& server_;
  otter::pid logger_;
};

/// The first version of what a session is. Later ones are loaded while the server runs.
void load_sessions(std::string const& file) {
  auto const loaded = otter::code::load(file);
  if (!loaded)
    otter::exit(otter::exit_reason::of("the sessions cannot be loaded: " + loaded.error().text));
  if (loaded->name != session_module)
    otter::exit(otter::exit_reason::of(
        fmt::format("the sessions cannot be loaded: {} has the module {}, and they are in {}", file,
                    loaded->name, session_module)));
  log.info("sessions are loaded", {{"version", loaded->version}, {"file", file}});
}

}  // namespace

void run_server(chat_server const& server, otter::pid starter) {
  otter::trap_exit(true);
  log_keeper logging{server};  // linked to this process, and so the last that ends
  load_sessions(server.session_module);
  auto const tree = otter::supervisor::start_link({.strategy = otter::strategy_type::rest_for_one,
                                                   .intensity = 3,
                                                   .period = std::chrono::seconds{10}},
                                                  children(server));
  if (!tree) otter::exit(tree.error().to_reason());
  otter::send(starter, server_started{otter::call("listener", listener::address{})});
  for (;;) {
    auto const end = otter::receive([](otter::exited e) { return e; });
    if (logging.takes(end)) continue;
    if (end.process != tree->process()) {
      otter::exit(*tree, otter::exit_reason::shutdown());  // the node stops
      continue;
    }
    logging.stop();
    if (end.reason != otter::exit_reason::shutdown()) otter::exit(end.reason);
    return;
  }
}

}  // namespace chat
