#pragma once

// otter/log_devices.hpp - where a handler's lines may go, on spdlog.
//
//   otter::logger::console()         the terminal, each level in its colour
//   otter::logger::rotating_file()   a file that is replaced when it is large
//   otter::logger::file()            one that grows
//
// For the library otter::logger; handlers are in otter/log_handler.hpp. Of spdlog they use the
// sinks alone: its default logger and its registry stay the program's.

#include <cstddef>
#include <otter/log_handler.hpp>
#include <string>

namespace otter::logger {

struct console_options {
  enum class stream : unsigned char { error, output };
  enum class colours : unsigned char {
    automatic,  ///< if it is a terminal that knows them
    always,
    never,
  };
  stream to = stream::error;
  colours use = colours::automatic;
};
[[nodiscard]] device_opener console(console_options options = {});

struct rotating_file_options {
  std::string path;
  std::size_t max_bytes =
      10u << 20;              ///< before a line would make it longer it is renamed: log.1.txt
  std::size_t max_files = 5;  ///< so many old ones are kept
};
/// Appends to what is there. A missing folder is made. The start fails if it cannot be opened.
[[nodiscard]] device_opener rotating_file(rotating_file_options options);
/// For files that something else rotates, or nothing.
[[nodiscard]] device_opener file(std::string path);

}  // namespace otter::logger
