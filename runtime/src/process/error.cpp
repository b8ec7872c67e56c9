// process/error.cpp - the exception of a call that may not be made as it was.

#include <otter/error.hpp>
#include <stdexcept>
#include <string>

namespace otter {

char const* to_string(errc code) noexcept {
  switch (code) {
    case errc::badarg:
      return "badarg";
    case errc::noproc:
      return "noproc";
    case errc::not_in_process:
      return "not_in_process";
    case errc::timeout_value:
      return "timeout_value";
    case errc::system_limit:
      return "system_limit";
    case errc::would_suspend:
      return "would_suspend";
    case errc::exiting:
      return "exiting";
    case errc::mailbox_full:
      return "mailbox_full";
    case errc::abandoned:
      return "abandoned";
    case errc::nolocal:
      return "nolocal";
    case errc::undef:
      return "undef";
  }
  return "?";
}

error::error(errc code, std::string const& text)
    : std::runtime_error(std::string(to_string(code)) + ": " + text), code_(code) {}

}  // namespace otter
