#pragma once

// config.hpp - what the operator decides: a TOML file, overridden by the command line.
//
//   chat_config            the values, with defaults that run on loopback
//   read_config_text()     applies a TOML text; refuses unknown keys and bad values by line
//   read_command_line()    the whole of it: options, the file they name, the final checks
//
// Limits and their defaults: limits.hpp.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "limits.hpp"

namespace chat {

enum class log_level : std::uint8_t { debug, info, warning, error };
[[nodiscard]] std::string_view to_string(log_level level) noexcept;

struct listen_address {
  std::string host = "127.0.0.1";  // an IP literal, without brackets
  std::uint16_t port = 5222;
};

struct chat_config {
  std::string domain = "localhost";  // prepared
  listen_address listen;
  std::string data_dir = "otter-chat-data";
  std::string session_module;       // file; empty: the one that was built with the program
  std::string admin;                // file of the socket for upgrades; empty: none
  bool insecure_plaintext = false;  // allows an address that is not loopback, without TLS
  bool demo_accounts = false;       // creates two and prints their passwords once
  bool fault_injection = false;     // a client may make its own session throw, for tests
  unsigned workers = 0;             // 0: as many as the runtime thinks fit
  log_level log = log_level::info;
  std::uint32_t scram_iterations = 10000;
  std::uint32_t blocking_threads = 4;  // for PBKDF2 and the disk
  chat_limits limits;
  /// Where the file sets what: `file:line` by key, as `limits.depth`. For messages.
  std::map<std::string, std::string, std::less<>> set_at;
};

/// `file:line: key: why`, or without file and line for what the file does not set.
class config_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Applies `text` to `config`. `file` is for messages. Throws: config_error.
void read_config_text(chat_config& config, std::string_view text, std::string_view file);
/// Throws: config_error, also if the file cannot be read.
void read_config_file(chat_config& config, std::string const& file);

/// What only the whole can break: an address that is not loopback needs --insecure-plaintext.
/// Throws: config_error.
void check_config(chat_config const& config);

/// Either a configuration, or text to print and the status to exit with (--help, a refusal).
struct command_line {
  std::optional<chat_config> config;
  int exit_status = 0;
  std::string output;
};

/// `arguments` without the program's name. Throws: never for bad arguments, std::bad_alloc.
[[nodiscard]] command_line read_command_line(std::vector<std::string> arguments);

}  // namespace chat
