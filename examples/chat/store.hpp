#pragma once

// store.hpp - accounts, offline messages and the server's secret, in one SQLite file.
//
//   store          open once; used by one writer at a time, on any thread
//   store_error    what was attempted, on which file, and what SQLite said
//
// The calls block on the disk: the chat server gives the store a process of its own and calls it
// under otter::blocking.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "crypto.hpp"
#include "offline.hpp"
#include "sasl.hpp"

namespace chat {

class store_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct offline_limits {
  std::uint32_t messages = 1000;  // per account
  std::size_t bytes = 4194304;    // per account
};

/// Ownership: owns the connection and its statements; the file stays.
/// Threads:   any, but never two at once.
/// Invariant: the file has the schema version that this program writes; every change is a
///            transaction, or part of the one that together() makes, and on disk when that returns.
class store {
 public:
  /// Opens `<directory>/chat.db` and makes both if needed (modes 0700 and 0600). The server secret
  /// is drawn from `random` when the file is new.
  /// Throws: store_error.
  store(std::string const& directory, random_source const& random);
  ~store();
  store(store&&) noexcept;
  store& operator=(store&&) noexcept;

  // --- accounts; `name` is a prepared local part ---

  /// False if the name is taken: nothing has changed then. Throws: store_error.
  [[nodiscard]] bool create_account(std::string_view name, credentials const& keys);
  /// False if there is no such account. Throws: store_error.
  [[nodiscard]] bool change_password(std::string_view name, credentials const& keys);
  /// The account and its offline messages. False if there was none. Throws: store_error.
  [[nodiscard]] bool remove_account(std::string_view name);
  /// Throws: store_error.
  [[nodiscard]] std::optional<credentials> find_account(std::string_view name);
  [[nodiscard]] bool account_exists(std::string_view name);
  [[nodiscard]] std::vector<std::string> account_names();

  // --- offline messages ---

  /// Keeps `xml` for `name`. False if a limit of the account would be passed, or nobody has the
  /// name; nothing is kept then. Throws: store_error.
  [[nodiscard]] bool keep_offline(std::string_view name, std::string_view xml, std::int64_t stamp,
                                  offline_limits const& limits);
  /// The oldest messages behind id `after`, oldest first: `at_most` of them, and no further ones
  /// once they have `bytes`. Throws: store_error.
  [[nodiscard]] std::vector<offline_message> offline_for(std::string_view name,
                                                         std::int64_t after = 0,
                                                         std::size_t at_most = 1000,
                                                         std::size_t bytes = SIZE_MAX);
  /// Forgets those of `name` whose ids are listed; unknown ids are no error. Throws: store_error.
  void delete_offline(std::string_view name, std::span<std::int64_t const> ids);

  // --- both ---

  /// All that `changes` does here becomes one transaction: one wait for the disk instead of many.
  /// If it throws, nothing of it has happened. Not within itself.
  /// Throws: store_error, and what `changes` throws.
  void together(std::function<void()> const& changes);
  /// How many transactions this store has written.
  [[nodiscard]] std::uint64_t transactions() const noexcept;

  /// 32 random bytes, the same for the life of the file.
  [[nodiscard]] std::string const& server_secret() const noexcept;

 private:
  struct database;
  std::unique_ptr<database> db_;
};

}  // namespace chat
