#pragma once

// What the versions of the module "orders" and message_change_test say to each other.
// ORDERS_VERSION says how the messages look: the program, and version 1, have the first; version 2
// the second. What is below "of all versions" looks the same in all of them.

#include <cstdint>
#include <memory>
#include <optional>
#include <otter/code.hpp>
#include <otter/pid.hpp>
#include <otter/start.hpp>
#include <stdexcept>
#include <string>
#include <tl/expected.hpp>
#include <vector>

namespace ordering {

#if ORDERS_VERSION == 1
/// A cast.
struct order {
  int id = 0;
  std::string what;
};
struct price {
  int cents = 0;
};
struct answer {
  long total = 0;
  std::string gone = "dropped";
};
/// A call.
struct ask {
  using reply = answer;
  int id = 0;
};
/// The request looks the same in both versions, its answer has another type.
struct count {
  using reply = int;
  long how_many = 0;
};
/// A plain message. The pid and the pointer pass as they are.
struct parcel {
  short weight = 0;
  std::unique_ptr<std::string> content;
  otter::pid sender;
};
/// Fits if the text were a number: never.
struct voucher {
  std::string code;
};
struct voucher_call {
  using reply = int;
  std::string code;
};
#else
struct order {
  long id = 0;
  std::optional<std::string> what;
  int copies = 1;
};
struct price {
  double cents = 0;
};
struct answer {
  int total = 0;
  std::string note = "new";
};
struct ask {
  using reply = answer;
  long long id = 0;
  int copies = 2;
};
struct count {
  using reply = long;
  long how_many = 0;
};
struct parcel {
  std::unique_ptr<std::string> content;
  otter::pid sender;
  std::vector<int> weights{1};
  long weight = 0;
};
struct voucher {
  int code = 0;
};
struct voucher_call {
  using reply = int;
  int code = 0;
};
#endif

/// Cannot even be looked at: what that throws is of the module that sent it.
struct secret_error : std::runtime_error {
  using std::runtime_error::runtime_error;
#if ORDERS_VERSION == 1
  char more[64] = {};
#endif
};
struct unreadable {
  using value_type = int;
  bool readable = true;
  int const* begin() const {
    if (!readable) throw secret_error("not to be read");
    return nullptr;
  }
  int const* end() const { return nullptr; }
};
struct note {
#if ORDERS_VERSION == 1
  unreadable text;
#else
  std::vector<int> text;
#endif
};

// --- of all versions ---

/// What the server has seen, oldest first.
struct seen {
  using reply = std::vector<std::string>;
};
struct go {};
/// How a call of the old version ended.
struct told {
  std::string text;
};

using started = tl::expected<otter::pid, otter::start_error>;
using starter = otter::code::latest<started()>;
/// A process that calls `server` when it gets a `go`, and tells `who`.
using asker = otter::code::latest<otter::pid(otter::pid server, otter::pid who)>;
using adder = otter::code::latest<bool(otter::pid manager)>;

}  // namespace ordering
