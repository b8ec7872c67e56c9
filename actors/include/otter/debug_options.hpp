#pragma once

// otter/debug_options.hpp - what of a behaviour's process is watched from its start on.
//
//   otter::debug_options        the member `debug` of start_options
//   otter::sys::debug_event     one thing that a process under debugging did
//   otter::sys::debug_function  a function of yours that sees each; its verdict
//
//     auto shop = till::start_link({.name = "till", .debug = {.log = 100, .statistics = true}});
//
// How to begin and end that while the process runs, and how to read what was kept: otter/sys.hpp.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <otter/pid.hpp>
#include <otter/type_descriptor.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace otter {

namespace sys {

/// One thing that a process under debugging did.
class debug_event {
 public:
  enum class kind : unsigned char {
    in,     ///< an event came
    out,    ///< an answer went out
    state,  ///< a machine is in another state
  };
  kind what = kind::in;
  std::string_view how{};  ///< "cast", "call", ...; the name of the state
  pid whom{};              ///< who asked, or is answered; none if that is not known
  type_descriptor const* type = nullptr;
  void const* payload = nullptr;

  /// In one line, bounded. The event itself lives during the call only.
  [[nodiscard]] std::string text() const;
};

/// What an installed function wants: to see more, or to be removed.
enum class verdict : unsigned char { keep, done };
using debug_function = std::function<verdict(debug_event const&)>;

enum class debugging : unsigned char { off, on };
inline constexpr std::size_t default_log_size = 10;

}  // namespace sys

/// Each as the function of that name in otter/sys.hpp says; nothing is on if nothing is said.
struct debug_options {
  struct installed {
    std::string id;
    sys::debug_function function;
  };

  sys::debugging trace = sys::debugging::off;
  std::size_t log = 0;        ///< how many events are kept
  std::string log_to_file{};  ///< one that cannot be opened is reported, and the process runs
  sys::debugging statistics = sys::debugging::off;
  std::vector<installed> install{};

  [[nodiscard]] bool none() const noexcept {
    return trace == sys::debugging::off && log == 0 && log_to_file.empty() &&
           statistics == sys::debugging::off && install.empty();
  }
};

}  // namespace otter
