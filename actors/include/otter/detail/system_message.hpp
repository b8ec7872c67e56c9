#pragma once

// otter/detail/system_message.hpp - what stop() and otter/sys.hpp send to a behaviour, and what
// comes back. They go ahead of all messages, and are served while the behaviour is suspended.

#include <cstdint>
#include <otter/exit_reason.hpp>
#include <otter/ref.hpp>
#include <string>

namespace otter::detail {

struct system_message {
  enum class kind : std::uint8_t { terminate, suspend, resume, status };
  kind what = kind::terminate;
  exit_reason reason{};   // terminate
  alias_ref answer_to{};  // the others; both a monitor of the asker and the address for the answer
};

struct system_answer {
  ref request;
  std::string text{};  // status
};

}  // namespace otter::detail
