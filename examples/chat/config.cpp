#include "config.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <toml++/toml.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <sstream>

#include "precis.hpp"

namespace chat {
namespace {

/// One whole number of the file: where it is put and what it may be.
struct number_option {
  std::string_view key;
  std::int64_t least;
  std::int64_t most;
  void (*put)(chat_config&, std::int64_t);
};

template <typename T>
T narrow(std::int64_t value) {
  return static_cast<T>(value);
}

constexpr std::int64_t mebi = 1048576;

constexpr number_option top_numbers[] = {
    {"workers", 0, 1024, [](chat_config& c, std::int64_t v) { c.workers = narrow<unsigned>(v); }},
    {"scram_iterations", 4096, 10000000,
     [](chat_config& c, std::int64_t v) { c.scram_iterations = narrow<std::uint32_t>(v); }},
    {"blocking_threads", 1, 256,
     [](chat_config& c, std::int64_t v) { c.blocking_threads = narrow<std::uint32_t>(v); }},
};

// RFC 6120, section 13.12: a stanza limit below 10,000 bytes is not allowed.
constexpr number_option limit_numbers[] = {
    {"stanza_bytes", 10000, 64 * mebi,
     [](chat_config& c, std::int64_t v) { c.limits.xml.element_bytes = narrow<std::size_t>(v); }},
    {"stanza_bytes_before_login", 1024, 64 * mebi,
     [](chat_config& c, std::int64_t v) {
       c.limits.element_bytes_before_login = narrow<std::size_t>(v);
     }},
    {"depth", 4, 200,
     [](chat_config& c, std::int64_t v) { c.limits.xml.depth = narrow<std::size_t>(v); }},
    {"attributes", 8, 10000,
     [](chat_config& c, std::int64_t v) { c.limits.xml.attributes = narrow<std::size_t>(v); }},
    {"attribute_bytes", 3072, 64 * mebi,
     [](chat_config& c, std::int64_t v) { c.limits.xml.attribute_bytes = narrow<std::size_t>(v); }},
    {"elements", 16, mebi,
     [](chat_config& c, std::int64_t v) { c.limits.xml.nodes = narrow<std::size_t>(v); }},
    {"header_seconds", 1, 3600,
     [](chat_config& c, std::int64_t v) { c.limits.header_time = std::chrono::seconds{v}; }},
    {"login_seconds", 1, 3600,
     [](chat_config& c, std::int64_t v) { c.limits.login_time = std::chrono::seconds{v}; }},
    {"element_seconds", 1, 3600,
     [](chat_config& c, std::int64_t v) { c.limits.element_time = std::chrono::seconds{v}; }},
    {"idle_seconds", 1, 86400,
     [](chat_config& c, std::int64_t v) { c.limits.idle_time = std::chrono::seconds{v}; }},
    {"answer_seconds", 1, 3600,
     [](chat_config& c, std::int64_t v) { c.limits.answer_time = std::chrono::seconds{v}; }},
    {"close_seconds", 1, 60,
     [](chat_config& c, std::int64_t v) { c.limits.close_time = std::chrono::seconds{v}; }},
    // RFC 6120, section 6.4.5: at least 2 and not more than 5 retries.
    {"login_attempts", 3, 6,
     [](chat_config& c, std::int64_t v) { c.limits.login_attempts = narrow<std::uint32_t>(v); }},
    {"resources_per_account", 1, 1000,
     [](chat_config& c, std::int64_t v) { c.limits.resources = narrow<std::uint32_t>(v); }},
    {"connections_per_address", 1, 1000000,
     [](chat_config& c, std::int64_t v) {
       c.limits.connections_per_address = narrow<std::uint32_t>(v);
     }},
    {"failed_logins_per_second", 0, 1000,
     [](chat_config& c, std::int64_t v) {
       c.limits.failed_logins.per_second = narrow<std::uint32_t>(v);
     }},
    {"failed_logins_burst", 1, 1000000,
     [](chat_config& c, std::int64_t v) {
       c.limits.failed_logins.burst = narrow<std::uint32_t>(v);
     }},
    {"bytes_per_second", 0, 4000 * mebi,
     [](chat_config& c, std::int64_t v) { c.limits.bytes.per_second = narrow<std::uint32_t>(v); }},
    {"bytes_burst", 1024, 4000 * mebi,
     [](chat_config& c, std::int64_t v) { c.limits.bytes.burst = narrow<std::uint32_t>(v); }},
    {"stanzas_per_second", 0, 1000000,
     [](chat_config& c, std::int64_t v) {
       c.limits.stanzas.per_second = narrow<std::uint32_t>(v);
     }},
    {"stanzas_burst", 1, 1000000,
     [](chat_config& c, std::int64_t v) { c.limits.stanzas.burst = narrow<std::uint32_t>(v); }},
    {"send_queue_bytes", 65536, 4000 * mebi,
     [](chat_config& c, std::int64_t v) { c.limits.send_queue_bytes = narrow<std::size_t>(v); }},
    {"offline_messages", 0, 1000000,
     [](chat_config& c, std::int64_t v) { c.limits.offline_messages = narrow<std::uint32_t>(v); }},
    {"offline_bytes", 0, 4000 * mebi,
     [](chat_config& c, std::int64_t v) { c.limits.offline_bytes = narrow<std::size_t>(v); }},
};

[[noreturn]] void refuse(std::string_view key, std::string_view why) {
  throw config_error(fmt::format("{}: {}", key, why));
}

std::optional<listen_address> parse_address(std::string_view text) {
  auto const colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  auto host = text.substr(0, colon);
  auto const port_text = text.substr(colon + 1);
  bool const bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  listen_address out;
  out.host = host == "localhost" ? "127.0.0.1" : std::string{host};
  in6_addr scratch{};
  if (::inet_pton(bracketed ? AF_INET6 : AF_INET, out.host.c_str(), &scratch) != 1)
    return std::nullopt;
  auto const [end, error] =
      std::from_chars(port_text.data(), port_text.data() + port_text.size(), out.port);
  if (error != std::errc{} || end != port_text.data() + port_text.size()) return std::nullopt;
  return out;
}

bool is_loopback(listen_address const& address) {
  in_addr v4{};
  if (::inet_pton(AF_INET, address.host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  return ::inet_pton(AF_INET6, address.host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

// --- one setter per value that is no number; both the file and the command line use them ---

void put_domain(chat_config& config, std::string_view text) {
  auto prepared = prepare_domain(text);
  if (!prepared) refuse("domain", fmt::format("\"{}\" is not a domain name", text));
  config.domain = *std::move(prepared);
}
void put_listen(chat_config& config, std::string_view text) {
  auto parsed = parse_address(text);
  if (!parsed)
    refuse("listen",
           fmt::format("\"{}\" is not an address and port such as 127.0.0.1:5222 or [::1]:5222",
                       text));
  config.listen = *std::move(parsed);
}
void put_data_dir(chat_config& config, std::string_view text) {
  if (text.empty()) refuse("data_dir", "is empty");
  config.data_dir = text;
}
void put_session_module(chat_config& config, std::string_view text) {
  if (text.empty()) refuse("session_module", "is empty");
  config.session_module = text;
}
void put_admin(chat_config& config, std::string_view text) {
  if (text.empty()) refuse("admin", "is empty");
  config.admin = text;
}
void put_log_level(chat_config& config, std::string_view text) {
  for (auto const level :
       {log_level::debug, log_level::info, log_level::warning, log_level::error}) {
    if (text == to_string(level)) {
      config.log = level;
      return;
    }
  }
  refuse("log_level", fmt::format("\"{}\" is none of debug, info, warning, error", text));
}

struct text_option {
  std::string_view key;
  void (*put)(chat_config&, std::string_view);
};
constexpr text_option top_texts[] = {
    {"domain", put_domain},
    {"listen", put_listen},
    {"data_dir", put_data_dir},
    {"log_level", put_log_level},
    {"session_module", put_session_module},
    {"admin", put_admin},
};

/// Reads one table; `prefix` is "" or "limits.".
class table_reader {
 public:
  table_reader(chat_config& config, std::string_view file, std::string prefix)
      : config_{config}, file_{file}, prefix_{std::move(prefix)} {}

  void number(toml::node const& node, number_option const& option) const {
    auto const value = node.value_exact<std::int64_t>();
    if (!value) blame(node, option.key, "must be a whole number");
    if (*value < option.least || *value > option.most)
      blame(node, option.key,
            fmt::format("{} is not within {} and {}", *value, option.least, option.most));
    option.put(config_, *value);
    remember(node, option.key);
  }

  void text(toml::node const& node, text_option const& option) const {
    auto const value = node.value_exact<std::string>();
    if (!value) blame(node, option.key, "must be a text in quotes");
    try {
      option.put(config_, *value);
    } catch (config_error const& e) {
      throw config_error(fmt::format("{}:{}: {}", file_, node.source().begin.line, e.what()));
    }
    remember(node, option.key);
  }

  [[noreturn]] void blame(toml::node const& node, std::string_view key,
                          std::string_view why) const {
    throw config_error(
        fmt::format("{}:{}: {}{}: {}", file_, node.source().begin.line, prefix_, key, why));
  }

  template <std::size_t N>
  bool try_numbers(std::string_view key, toml::node const& node,
                   number_option const (&options)[N]) const {
    auto const* found = std::find_if(std::begin(options), std::end(options),
                                     [&](auto const& o) { return o.key == key; });
    if (found == std::end(options)) return false;
    number(node, *found);
    return true;
  }

  chat_config& config() const { return config_; }

 private:
  void remember(toml::node const& node, std::string_view key) const {
    config_.set_at[prefix_ + std::string{key}] =
        fmt::format("{}:{}", file_, node.source().begin.line);
  }

  chat_config& config_;
  std::string_view file_;
  std::string prefix_;
};

void read_limits(table_reader const& in, toml::table const& table) {
  for (auto const& [key, node] : table)
    if (!in.try_numbers(key.str(), node, limit_numbers)) in.blame(node, key.str(), "unknown key");
}

void read_top(chat_config& config, toml::table const& table, std::string_view file) {
  table_reader const in{config, file, ""};
  for (auto const& [key, node] : table) {
    std::string_view const name = key.str();
    if (in.try_numbers(name, node, top_numbers)) continue;
    auto const* text = std::find_if(std::begin(top_texts), std::end(top_texts),
                                    [&](auto const& o) { return o.key == name; });
    if (text != std::end(top_texts)) {
      in.text(node, *text);
    } else if (name == "insecure_plaintext" || name == "demo_accounts") {
      auto const value = node.value_exact<bool>();
      if (!value) in.blame(node, name, "must be true or false");
      (name == "demo_accounts" ? config.demo_accounts : config.insecure_plaintext) = *value;
    } else if (name == "limits") {
      if (!node.is_table()) in.blame(node, name, "must be a table: [limits]");
      read_limits({config, file, "limits."}, *node.as_table());
    } else {
      in.blame(node, name, "unknown key");
    }
  }
}

}  // namespace

std::string_view to_string(log_level level) noexcept {
  switch (level) {
    case log_level::debug:
      return "debug";
    case log_level::info:
      return "info";
    case log_level::warning:
      return "warning";
    case log_level::error:
      return "error";
  }
  return "info";
}

void read_config_text(chat_config& config, std::string_view text, std::string_view file) {
  toml::table table;
  try {
    table = toml::parse(text, file);
  } catch (toml::parse_error const& e) {
    throw config_error(fmt::format("{}:{}: {}", file, e.source().begin.line, e.description()));
  }
  read_top(config, table, file);
}

void read_config_file(chat_config& config, std::string const& file) {
  std::ifstream in{file, std::ios::binary};
  std::string text;
  for (char piece[4096]; in.read(piece, sizeof piece), in.gcount() > 0;)
    text.append(piece, static_cast<std::size_t>(in.gcount()));
  if (!in.is_open() || in.bad())
    throw config_error(fmt::format("{}: cannot be read: {}", file, std::strerror(errno)));
  read_config_text(config, text, file);
}

void check_config(chat_config const& config) {
  auto const blame = [&](std::string_view key, std::string const& why) {
    auto const place = config.set_at.find(key);
    auto const where = place == config.set_at.end() ? std::string{} : place->second + ": ";
    refuse(where + std::string{key}, why);
  };
  auto const& limits = config.limits;
  if (!config.insecure_plaintext && !is_loopback(config.listen))
    blame("listen", fmt::format("{} is not a loopback address; passwords and messages would travel "
                                "unencrypted. Listen on 127.0.0.1, or say --insecure-plaintext if "
                                "the network is yours",
                                config.listen.host));
  if (limits.element_bytes_before_login > limits.xml.element_bytes)
    blame("limits.stanza_bytes_before_login",
          fmt::format("{} is more than limits.stanza_bytes ({})", limits.element_bytes_before_login,
                      limits.xml.element_bytes));
  if (limits.login_time < limits.header_time)
    blame("limits.login_seconds",
          fmt::format("{} is less than limits.header_seconds ({})", limits.login_time.count(),
                      limits.header_time.count()));
}

command_line read_command_line(std::vector<std::string> arguments) {
  CLI::App app{
      "A chat server that speaks XMPP, built on otter: one process per connection.\n"
      "Any XMPP client can log in. There is no TLS yet, so it listens on this machine only."};
  app.name("otter_chat");
  app.footer(
      "The file has the same names (with _ for -), and a table [limits] besides:\n"
      "  domain = \"otter.test\"\n"
      "  [limits]\n"
      "  stanza_bytes = 65536\n"
      "An option given here wins over the file. Stop the server with Ctrl-C or SIGTERM.");
  std::string file;
  std::string domain;
  std::string listen;
  std::string data_dir;
  std::string log;
  std::string session_module;
  std::string admin;
  unsigned workers = 0;
  bool plaintext = false;
  bool demo_accounts = false;
  bool fault_injection = false;
  app.add_option("-c,--config", file, "read settings from this TOML file");
  app.add_option("-d,--domain", domain,
                 "domain of the accounts, the part behind the @ (localhost)");
  app.add_option("-l,--listen", listen, "address and port to listen on (127.0.0.1:5222)");
  app.add_option("--data-dir", data_dir,
                 "directory for accounts and waiting messages (otter-chat-data)");
  auto* workers_option =
      app.add_option("-w,--workers", workers, "worker threads; 0: one per core (0)")
          ->check(CLI::Range(0U, 1024U));
  app.add_option("--log-level", log, "debug, info, warning or error (info)");
  app.add_option("--session-module", session_module,
                 "file of the module with the sessions (beside the program)");
  app.add_option("--admin", admin,
                 "socket, a file, at which ./dev upgrade can replace the sessions' module (none)");
  app.add_flag("--insecure-plaintext", plaintext,
               "allow an address that is not loopback although nothing is encrypted");
  app.add_flag("--demo-accounts", demo_accounts,
               "create the accounts alice and bob if they are missing, and print their passwords");
  app.add_flag("--fault-injection", fault_injection,
               "for tests: a client that sends a message \"otter: throw\" breaks its own session");
  command_line out;
  try {
    std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
    app.parse(arguments);
  } catch (CLI::ParseError const& e) {
    std::ostringstream text;
    std::ostringstream errors;
    out.exit_status = app.exit(e, text, errors) == 0 ? 0 : 2;
    out.output = text.str() + errors.str();
    return out;
  }
  try {
    chat_config config;
    if (!file.empty()) read_config_file(config, file);
    auto const from_command_line = [](std::string_view option, auto put) {
      try {
        put();
      } catch (config_error const& e) {
        throw config_error(fmt::format("--{}: {}", option, e.what()));
      }
    };
    if (app.count("--domain") > 0) from_command_line("domain", [&] { put_domain(config, domain); });
    if (app.count("--listen") > 0) {
      from_command_line("listen", [&] { put_listen(config, listen); });
      config.set_at.erase("listen");
    }
    if (app.count("--data-dir") > 0)
      from_command_line("data-dir", [&] { put_data_dir(config, data_dir); });
    if (app.count("--log-level") > 0)
      from_command_line("log-level", [&] { put_log_level(config, log); });
    if (app.count("--session-module") > 0)
      from_command_line("session-module", [&] { put_session_module(config, session_module); });
    if (app.count("--admin") > 0) from_command_line("admin", [&] { put_admin(config, admin); });
    if (workers_option->count() > 0) config.workers = workers;
    if (plaintext) config.insecure_plaintext = true;
    if (demo_accounts) config.demo_accounts = true;
    config.fault_injection = fault_injection;
    check_config(config);
    out.config = std::move(config);
  } catch (config_error const& e) {
    out.exit_status = 2;
    out.output = fmt::format("otter_chat: {}\n", e.what());
  }
  return out;
}

}  // namespace chat
