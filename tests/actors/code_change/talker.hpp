#pragma once

// What the versions of the module "talker" and code_change_tests say to each other.

#include <otter/code.hpp>
#include <otter/pid.hpp>
#include <otter/tcp.hpp>
#include <string>
#include <utility>

namespace talking {

/// The socket is yours now.
struct begin {};
/// Ask that process, which is a reactive that answers with a text when it likes.
struct ask {
  otter::pid whom;
};
struct question {
  using reply = std::string;
};
/// A time-out comes after an hour.
struct set_timer {};
/// Tells `whom` `waiting`, and waits in the middle of the event for go_on.
struct wait_inside {
  otter::pid whom;
};
struct waiting {};
struct go_on {};
/// All that there is to be seen of the state, whatever the version.
struct look {
  using reply = std::string;
};
/// Throws in the middle of the event.
struct fail {};
/// Ends with the reason "told to".
struct leave {};
/// What terminate() sends to who started it.
struct over {
  std::string why;
};

/// Moves as a whole: what is in it is nobody's business.
class conversation {
 public:
  void said(std::string text) { last_ = std::move(text); }
  [[nodiscard]] std::string const& last() const noexcept { return last_; }

 private:
  std::string last_ = "nothing";
};

using starter = otter::code::latest<otter::pid(otter::tcp_socket, otter::pid)>;

}  // namespace talking
