#include "store.hpp"

#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

namespace chat {
namespace {

constexpr int schema_version = 1;
constexpr int application_id = 0x6F747472;  // "ottr"

constexpr char const* schema = R"sql(
CREATE TABLE account (
  name TEXT PRIMARY KEY,
  sha1_salt BLOB NOT NULL, sha1_iterations INTEGER NOT NULL,
  sha1_stored BLOB NOT NULL, sha1_server BLOB NOT NULL,
  sha256_salt BLOB NOT NULL, sha256_iterations INTEGER NOT NULL,
  sha256_stored BLOB NOT NULL, sha256_server BLOB NOT NULL,
  offline_count INTEGER NOT NULL DEFAULT 0,
  offline_bytes INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE offline (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL REFERENCES account(name) ON DELETE CASCADE,
  stamp INTEGER NOT NULL,
  xml BLOB NOT NULL
);
CREATE INDEX offline_by_name ON offline(name, id);
CREATE TABLE secret (id INTEGER PRIMARY KEY CHECK (id = 1), bytes BLOB NOT NULL);
)sql";

}  // namespace

struct store::database {
  std::string path;
  sqlite3* handle = nullptr;
  std::string secret;
  std::uint64_t transactions = 0;
  bool grouped = false;  // within together()

  sqlite3_stmt* begin = nullptr;
  sqlite3_stmt* commit = nullptr;
  sqlite3_stmt* rollback = nullptr;
  sqlite3_stmt* insert_account = nullptr;
  sqlite3_stmt* update_account = nullptr;
  sqlite3_stmt* delete_account = nullptr;
  sqlite3_stmt* select_account = nullptr;
  sqlite3_stmt* select_exists = nullptr;
  sqlite3_stmt* select_names = nullptr;
  sqlite3_stmt* count_offline = nullptr;
  sqlite3_stmt* add_offline = nullptr;
  sqlite3_stmt* insert_offline = nullptr;
  sqlite3_stmt* select_offline = nullptr;
  sqlite3_stmt* size_offline = nullptr;
  sqlite3_stmt* delete_offline = nullptr;

  database() = default;
  database(database const&) = delete;
  database& operator=(database const&) = delete;
  ~database() {
    for (auto* s : statements) sqlite3_finalize(s);  // null is no error
    sqlite3_close(handle);
  }

  [[noreturn]] void fail(std::string_view what) const {
    throw store_error(fmt::format("cannot {} in {}: {} (SQLite error {})", what, path,
                                  handle == nullptr ? "out of memory" : sqlite3_errmsg(handle),
                                  handle == nullptr ? 0 : sqlite3_extended_errcode(handle)));
  }

  void execute(char const* sql, std::string_view what) {
    if (sqlite3_exec(handle, sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail(what);
  }

  sqlite3_stmt* prepare(char const* sql) {
    sqlite3_stmt* out = nullptr;
    if (sqlite3_prepare_v3(handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &out, nullptr) != SQLITE_OK)
      fail(fmt::format("prepare \"{}\"", sql));
    statements.push_back(out);
    return out;
  }

  std::int64_t number(char const* sql, std::string_view what) {
    auto* s = prepare(sql);
    if (sqlite3_step(s) != SQLITE_ROW) fail(what);
    auto const out = sqlite3_column_int64(s, 0);
    sqlite3_reset(s);
    return out;
  }

  std::vector<sqlite3_stmt*> statements;  // all that were prepared, to be finalised
};

namespace {

/// One use of a prepared statement: bind, step, read; reset at the end, whatever happens.
class run_statement {
 public:
  template <typename Database>
  run_statement(Database const& db, sqlite3_stmt* statement, std::string_view what)
      : statement_{statement}, handle_{db.handle}, path_{db.path}, what_{what} {}
  ~run_statement() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }
  run_statement(run_statement const&) = delete;
  run_statement& operator=(run_statement const&) = delete;

  run_statement& text(std::string_view value) {
    return check(sqlite3_bind_text(statement_, ++at_, value.data(), static_cast<int>(value.size()),
                                   SQLITE_TRANSIENT));
  }
  run_statement& blob(std::string_view value) {
    return check(sqlite3_bind_blob(statement_, ++at_, value.empty() ? "" : value.data(),
                                   static_cast<int>(value.size()), SQLITE_TRANSIENT));
  }
  run_statement& number(std::int64_t value) {
    return check(sqlite3_bind_int64(statement_, ++at_, value));
  }
  /// True while there is a row.
  bool step() {
    int const code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    fail();
  }
  /// For a statement without rows: how many it changed.
  int change() {
    step();
    return sqlite3_changes(handle_);
  }
  [[nodiscard]] std::string bytes(int column) const {
    auto const* data = static_cast<char const*>(sqlite3_column_blob(statement_, column));
    auto const size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
    return size == 0 ? std::string{} : std::string{data, size};
  }
  [[nodiscard]] std::int64_t integer(int column) const {
    return sqlite3_column_int64(statement_, column);
  }

 private:
  run_statement& check(int code) {
    if (code != SQLITE_OK) fail();
    return *this;
  }
  [[noreturn]] void fail() const {
    throw store_error(fmt::format("cannot {} in {}: {} (SQLite error {})", what_, path_,
                                  sqlite3_errmsg(handle_), sqlite3_extended_errcode(handle_)));
  }

  sqlite3_stmt* statement_;
  sqlite3* handle_;
  std::string const& path_;
  std::string what_;
  int at_ = 0;
};

/// Rolls back unless commit() was reached. Within together() the outer one decides.
template <typename Database>
class transaction {
 public:
  explicit transaction(Database& db) : db_{db}, done_{db.grouped} {
    if (!done_) run_statement{db, db.begin, "begin a transaction"}.step();
  }
  ~transaction() {
    if (done_) return;
    sqlite3_step(db_.rollback);
    sqlite3_reset(db_.rollback);
  }
  transaction(transaction const&) = delete;
  transaction& operator=(transaction const&) = delete;
  void commit() {
    if (done_) return;
    run_statement{db_, db_.commit, "commit"}.step();
    done_ = true;
    ++db_.transactions;
  }

 private:
  Database& db_;
  bool done_;
};

void bind_keys(run_statement& s, credentials const& keys) {
  for (auto const* k : {&keys.sha1, &keys.sha256})
    s.blob(k->salt).number(k->iterations).blob(k->stored_key).blob(k->server_key);
}

scram_key read_key(run_statement const& s, int column) {
  return {s.bytes(column), static_cast<std::uint32_t>(s.integer(column + 1)), s.bytes(column + 2),
          s.bytes(column + 3)};
}

void make_private_directory(std::string const& directory) {
  std::error_code error;
  bool const made = std::filesystem::create_directories(directory, error);
  if (error)
    throw store_error(
        fmt::format("cannot make the data directory {}: {}", directory, error.message()));
  // Only what was made here is closed to others: a directory that was there may be shared on
  // purpose.
  if (made && ::chmod(directory.c_str(), 0700) != 0)
    throw store_error(fmt::format("cannot set mode 0700 of the data directory {}: {}", directory,
                                  std::strerror(errno)));
}

}  // namespace

store::store(std::string const& directory, random_source const& random)
    : db_{std::make_unique<database>()} {
  auto& db = *db_;
  make_private_directory(directory);
  db.path = (std::filesystem::path{directory} / "chat.db").string();
  // SQLite gives -wal and -shm the mode of the main file, so that one is made private first.
  auto const old_mask = ::umask(0077);
  int const code =
      sqlite3_open_v2(db.path.c_str(), &db.handle,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX, nullptr);
  ::umask(old_mask);
  if (code != SQLITE_OK) db.fail("open the database");
  if (::chmod(db.path.c_str(), 0600) != 0)
    throw store_error(fmt::format("cannot set mode 0600 of {}: {}", db.path, std::strerror(errno)));
  sqlite3_busy_timeout(db.handle, 2000);
  db.execute("PRAGMA journal_mode=WAL", "switch to the write-ahead log");
  db.execute("PRAGMA synchronous=FULL", "ask for durable commits");
  db.execute("PRAGMA foreign_keys=ON", "switch foreign keys on");

  auto const version = db.number("PRAGMA user_version", "read the schema version");
  auto const owner = db.number("PRAGMA application_id", "read the application id");
  auto const tables = db.number("SELECT count(*) FROM sqlite_master", "list the tables");
  if (version == 0 && tables == 0) {
    db.execute("BEGIN IMMEDIATE", "begin making the tables");
    db.execute(schema, "make the tables");
    auto* insert = db.prepare("INSERT INTO secret (id, bytes) VALUES (1, ?)");
    run_statement{db, insert, "keep the server secret"}.blob(random_bytes(random, 32)).step();
    db.execute(fmt::format("PRAGMA user_version={}", schema_version).c_str(), "set the version");
    db.execute(fmt::format("PRAGMA application_id={}", application_id).c_str(), "set the owner");
    db.execute("COMMIT", "finish making the tables");
  } else if (owner != application_id) {
    throw store_error(fmt::format("{} is not a database of this chat server (application id {})",
                                  db.path, owner));
  } else if (version != schema_version) {
    throw store_error(fmt::format("{} has schema version {}, this program writes {}", db.path,
                                  version, schema_version));
  }

  db.begin = db.prepare("BEGIN IMMEDIATE");
  db.commit = db.prepare("COMMIT");
  db.rollback = db.prepare("ROLLBACK");
  db.insert_account = db.prepare(
      "INSERT INTO account (name, sha1_salt, sha1_iterations, sha1_stored, sha1_server, "
      "sha256_salt, sha256_iterations, sha256_stored, sha256_server) "
      "VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT (name) DO NOTHING");
  db.update_account = db.prepare(
      "UPDATE account SET sha1_salt=?, sha1_iterations=?, sha1_stored=?, sha1_server=?, "
      "sha256_salt=?, sha256_iterations=?, sha256_stored=?, sha256_server=? WHERE name=?");
  db.delete_account = db.prepare("DELETE FROM account WHERE name=?");
  db.select_account = db.prepare(
      "SELECT sha1_salt, sha1_iterations, sha1_stored, sha1_server, "
      "sha256_salt, sha256_iterations, sha256_stored, sha256_server FROM account WHERE name=?");
  db.select_exists = db.prepare("SELECT 1 FROM account WHERE name=?");
  db.select_names = db.prepare("SELECT name FROM account ORDER BY name");
  db.count_offline = db.prepare("SELECT offline_count, offline_bytes FROM account WHERE name=?");
  db.add_offline = db.prepare(
      "UPDATE account SET offline_count=offline_count+?, offline_bytes=offline_bytes+? "
      "WHERE name=?");
  db.insert_offline = db.prepare("INSERT INTO offline (name, stamp, xml) VALUES (?,?,?)");
  db.select_offline =
      db.prepare("SELECT id, stamp, xml FROM offline WHERE name=? AND id>? ORDER BY id LIMIT ?");
  db.size_offline = db.prepare("SELECT length(xml) FROM offline WHERE id=? AND name=?");
  db.delete_offline = db.prepare("DELETE FROM offline WHERE id=? AND name=?");

  run_statement secret{db, db.prepare("SELECT bytes FROM secret WHERE id=1"),
                       "read the server secret"};
  if (!secret.step()) throw store_error(fmt::format("{} has no server secret", db.path));
  db.secret = secret.bytes(0);
}

store::~store() = default;
store::store(store&&) noexcept = default;
store& store::operator=(store&&) noexcept = default;

bool store::create_account(std::string_view name, credentials const& keys) {
  run_statement s{*db_, db_->insert_account, fmt::format("create account \"{}\"", name)};
  s.text(name);
  bind_keys(s, keys);
  return s.change() == 1;
}

bool store::change_password(std::string_view name, credentials const& keys) {
  run_statement s{*db_, db_->update_account, fmt::format("change the keys of \"{}\"", name)};
  bind_keys(s, keys);
  s.text(name);
  return s.change() == 1;
}

bool store::remove_account(std::string_view name) {
  run_statement s{*db_, db_->delete_account, fmt::format("remove account \"{}\"", name)};
  return s.text(name).change() == 1;
}

std::optional<credentials> store::find_account(std::string_view name) {
  run_statement s{*db_, db_->select_account, fmt::format("read account \"{}\"", name)};
  if (!s.text(name).step()) return std::nullopt;
  return credentials{read_key(s, 0), read_key(s, 4)};
}

bool store::account_exists(std::string_view name) {
  return run_statement{*db_, db_->select_exists, fmt::format("look for account \"{}\"", name)}
      .text(name)
      .step();
}

std::vector<std::string> store::account_names() {
  run_statement s{*db_, db_->select_names, "list the accounts"};
  std::vector<std::string> out;
  while (s.step()) out.push_back(s.bytes(0));
  return out;
}

bool store::keep_offline(std::string_view name, std::string_view xml, std::int64_t stamp,
                         offline_limits const& limits) {
  auto const what = fmt::format("keep a message of {} bytes for \"{}\"", xml.size(), name);
  transaction all{*db_};
  {
    run_statement have{*db_, db_->count_offline, what};
    if (!have.text(name).step()) return false;
    auto const count = static_cast<std::uint64_t>(have.integer(0));
    auto const bytes = static_cast<std::uint64_t>(have.integer(1));
    if (count + 1 > limits.messages || bytes + xml.size() > limits.bytes) return false;
  }
  run_statement{*db_, db_->insert_offline, what}.text(name).number(stamp).blob(xml).step();
  run_statement{*db_, db_->add_offline, what}
      .number(1)
      .number(static_cast<std::int64_t>(xml.size()))
      .text(name)
      .step();
  all.commit();
  return true;
}

std::vector<offline_message> store::offline_for(std::string_view name, std::int64_t after,
                                                std::size_t at_most, std::size_t bytes) {
  run_statement s{*db_, db_->select_offline, fmt::format("read the messages of \"{}\"", name)};
  s.text(name).number(after).number(static_cast<std::int64_t>(at_most));
  std::vector<offline_message> out;
  std::size_t total = 0;
  while (total < bytes && s.step()) {
    out.push_back({s.integer(0), s.integer(1), s.bytes(2)});
    total += out.back().xml.size();
  }
  return out;
}

void store::delete_offline(std::string_view name, std::span<std::int64_t const> ids) {
  if (ids.empty()) return;
  auto const what = fmt::format("delete {} messages of \"{}\"", ids.size(), name);
  transaction all{*db_};
  std::int64_t count = 0;
  std::int64_t bytes = 0;
  for (auto const id : ids) {
    {
      run_statement size{*db_, db_->size_offline, what};
      if (!size.number(id).text(name).step()) continue;
      bytes += size.integer(0);
    }
    count += run_statement{*db_, db_->delete_offline, what}.number(id).text(name).change();
  }
  run_statement{*db_, db_->add_offline, what}.number(-count).number(-bytes).text(name).step();
  all.commit();
}

void store::together(std::function<void()> const& changes) {
  transaction all{*db_};
  db_->grouped = true;
  try {
    changes();
  } catch (...) {
    db_->grouped = false;
    throw;
  }
  db_->grouped = false;
  all.commit();
}

std::uint64_t store::transactions() const noexcept { return db_->transactions; }

std::string const& store::server_secret() const noexcept { return db_->secret; }

}  // namespace chat
