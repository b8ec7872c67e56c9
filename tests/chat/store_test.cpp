// The store on a real file in a directory of its own.

#include "store.hpp"

#include <sqlite3.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

using chat::store;
namespace fs = std::filesystem;

namespace {

/// A directory that goes away with the test.
struct scratch {
  fs::path path;
  scratch() {
    auto pattern = (fs::temp_directory_path() / "otter-store-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path = pattern;
  }
  ~scratch() { fs::remove_all(path); }
  scratch(scratch const&) = delete;
  scratch& operator=(scratch const&) = delete;
  std::string data() const { return (path / "data").string(); }
};

chat::credentials keys(std::string const& salt = "salt") {
  return {{salt + "1", 4096, "stored1", "server1"},
          {salt + "2", 10000, std::string("a\0b", 3), ""}};
}
std::string mode(fs::path const& p) {
  struct stat s {};
  ::stat(p.c_str(), &s);
  char text[8];
  std::snprintf(text, sizeof text, "%o", s.st_mode & 0777U);
  return text;
}
std::vector<std::string> texts(std::vector<chat::offline_message> const& in) {
  std::vector<std::string> out;
  for (auto const& m : in) out.push_back(m.xml);
  return out;
}

}  // namespace

TEST_CASE("an account is found as it was made, also after the file was opened again",
          "[chat][store]") {
  scratch dir;
  {
    store s{dir.data(), chat::system_random};
    CHECK(s.create_account("alice", keys()));
    CHECK_FALSE(s.create_account("alice", keys("other")));
    CHECK(s.account_exists("alice"));
    CHECK_FALSE(s.account_exists("bob"));
  }
  store s{dir.data(), chat::system_random};
  auto const found = s.find_account("alice");
  REQUIRE(found);
  CHECK(found->sha1.salt == "salt1");
  CHECK(found->sha1.iterations == 4096);
  CHECK(found->sha256.stored_key == std::string("a\0b", 3));
  CHECK(found->sha256.server_key.empty());
  CHECK_FALSE(s.find_account("bob"));
  CHECK(s.account_names() == std::vector<std::string>{"alice"});
}

TEST_CASE("a password can be changed and an account removed", "[chat][store]") {
  scratch dir;
  store s{dir.data(), chat::system_random};
  CHECK_FALSE(s.change_password("alice", keys()));
  CHECK_FALSE(s.remove_account("alice"));
  REQUIRE(s.create_account("alice", keys()));
  CHECK(s.change_password("alice", keys("new")));
  CHECK(s.find_account("alice")->sha1.salt == "new1");
  REQUIRE(s.keep_offline("alice", "<message/>", 1, {}));
  CHECK(s.remove_account("alice"));
  REQUIRE(s.create_account("alice", keys()));
  CHECK(s.offline_for("alice").empty());
}

TEST_CASE("the server secret is drawn once", "[chat][store]") {
  scratch dir;
  std::string first;
  {
    store s{dir.data(), chat::system_random};
    first = s.server_secret();
  }
  CHECK(first.size() == 32);
  CHECK(store{dir.data(), chat::system_random}.server_secret() == first);
  scratch other;
  CHECK(store{other.data(), chat::system_random}.server_secret() != first);
}

TEST_CASE("nobody else can read the files", "[chat][store]") {
  scratch dir;
  store s{dir.data(), chat::system_random};
  REQUIRE(s.create_account("alice", keys()));
  CHECK(mode(dir.data()) == "700");
  std::size_t files = 0;
  for (auto const& entry : fs::directory_iterator{dir.data()}) {
    INFO(entry.path());
    CHECK(mode(entry.path()) == "600");
    ++files;
  }
  CHECK(files >= 2);  // the database and its write-ahead log
}

TEST_CASE("waiting messages come in order and go when they are deleted", "[chat][store]") {
  scratch dir;
  store s{dir.data(), chat::system_random};
  REQUIRE(s.create_account("alice", keys()));
  REQUIRE(s.create_account("bob", keys()));
  for (int i = 0; i < 5; ++i)
    REQUIRE(s.keep_offline("alice", "m" + std::to_string(i), 100 + i, {}));
  REQUIRE(s.keep_offline("bob", "other", 7, {}));
  auto const all = s.offline_for("alice");
  CHECK(texts(all) == std::vector<std::string>{"m0", "m1", "m2", "m3", "m4"});
  CHECK(all[1].stamp == 101);
  CHECK(texts(s.offline_for("alice", all[1].id, 2)) == std::vector<std::string>{"m2", "m3"});
  std::vector<std::int64_t> const ids{all[0].id, all[2].id, 999999, s.offline_for("bob")[0].id};
  s.delete_offline("alice", ids);
  CHECK(texts(s.offline_for("alice")) == std::vector<std::string>{"m1", "m3", "m4"});
  CHECK(s.offline_for("bob").size() == 1);  // another's message is not touched
}

TEST_CASE("an account keeps at most so many messages", "[chat][store]") {
  scratch dir;
  store s{dir.data(), chat::system_random};
  REQUIRE(s.create_account("alice", keys()));
  chat::offline_limits const limits{2, 1000};
  CHECK(s.keep_offline("alice", "a", 0, limits));
  CHECK(s.keep_offline("alice", "b", 0, limits));
  CHECK_FALSE(s.keep_offline("alice", "c", 0, limits));
  std::vector<std::int64_t> const ids{s.offline_for("alice")[0].id};
  s.delete_offline("alice", ids);
  CHECK(s.keep_offline("alice", "c", 0, limits));
  CHECK(texts(s.offline_for("alice")) == std::vector<std::string>{"b", "c"});
}

TEST_CASE("an account keeps at most so many bytes", "[chat][store]") {
  scratch dir;
  store s{dir.data(), chat::system_random};
  REQUIRE(s.create_account("alice", keys()));
  chat::offline_limits const limits{100, 10};
  CHECK(s.keep_offline("alice", "123456", 0, limits));
  CHECK_FALSE(s.keep_offline("alice", "12345", 0, limits));
  CHECK(s.keep_offline("alice", "1234", 0, limits));
  CHECK_FALSE(s.keep_offline("alice", "1", 0, limits));
  std::vector<std::int64_t> const ids{s.offline_for("alice")[0].id};
  s.delete_offline("alice", ids);
  CHECK(s.keep_offline("alice", "123456", 0, limits));
}

TEST_CASE("a message for nobody is not kept", "[chat][store]") {
  scratch dir;
  store s{dir.data(), chat::system_random};
  CHECK_FALSE(s.keep_offline("nobody", "x", 0, {}));
  CHECK(s.offline_for("nobody").empty());
}

TEST_CASE("changes that are made together are one transaction: all of them or none",
          "[chat][store]") {
  scratch dir;
  store s{dir.data(), chat::system_random};
  REQUIRE(s.create_account("alice", keys()));
  REQUIRE(s.keep_offline("alice", "first", 0, {}));
  std::vector<std::int64_t> const first{s.offline_for("alice")[0].id};
  auto const before = s.transactions();
  bool limit_kept = true;
  SECTION("all, and a refusal among them is no failure") {
    s.together([&] {
      s.delete_offline("alice", first);
      CHECK(s.keep_offline("alice", "a", 0, {2, 1000}));
      CHECK(s.keep_offline("alice", "b", 0, {2, 1000}));
      limit_kept = !s.keep_offline("alice", "c", 0, {2, 1000});
    });
    CHECK(limit_kept);
    CHECK(texts(s.offline_for("alice")) == std::vector<std::string>{"a", "b"});
    CHECK(s.transactions() == before + 1);
  }
  SECTION("none") {
    CHECK_THROWS_AS(s.together([&] {
      s.delete_offline("alice", first);
      CHECK(s.keep_offline("alice", "a", 0, {}));
      throw std::runtime_error("stop");
    }),
                    std::runtime_error);
    CHECK(texts(s.offline_for("alice")) == std::vector<std::string>{"first"});
    CHECK(s.transactions() == before);
    CHECK(s.keep_offline("alice", "a", 0, {2, 1000}));  // and they are written as ever
    CHECK(s.transactions() == before + 1);
  }
}

TEST_CASE("a batch of waiting messages ends with the one that fills it", "[chat][store]") {
  scratch dir;
  store s{dir.data(), chat::system_random};
  REQUIRE(s.create_account("alice", keys()));
  for (auto const* m : {"12345", "67890", "x"}) REQUIRE(s.keep_offline("alice", m, 0, {}));
  CHECK(s.offline_for("alice", 0, 10, 6).size() == 2);
  CHECK(s.offline_for("alice", 0, 10, 1).size() == 1);  // always at least one
  CHECK(s.offline_for("alice", 0, 10, 11).size() == 3);
}

TEST_CASE("a file of another kind, or of another version, is refused by name", "[chat][store]") {
  scratch dir;
  fs::create_directories(dir.data());
  auto const file = (fs::path{dir.data()} / "chat.db").string();
  SECTION("no database") {
    std::ofstream{file} << std::string(5000, 'x');
    CHECK_THROWS_WITH((store{dir.data(), chat::system_random}),
                      Catch::Contains(file) && Catch::Contains("not a database"));
  }
  SECTION("another program's") {
    sqlite3* raw = nullptr;
    REQUIRE(sqlite3_open(file.c_str(), &raw) == SQLITE_OK);
    sqlite3_exec(raw, "CREATE TABLE x (y)", nullptr, nullptr, nullptr);
    sqlite3_close(raw);
    CHECK_THROWS_WITH((store{dir.data(), chat::system_random}),
                      Catch::Contains("not a database of this chat server"));
  }
  SECTION("a later version") {
    { store s{dir.data(), chat::system_random}; }
    sqlite3* raw = nullptr;
    REQUIRE(sqlite3_open(file.c_str(), &raw) == SQLITE_OK);
    sqlite3_exec(raw, "PRAGMA user_version=99", nullptr, nullptr, nullptr);
    sqlite3_close(raw);
    CHECK_THROWS_WITH((store{dir.data(), chat::system_random}),
                      Catch::Contains("schema version 99, this program writes 1"));
  }
  SECTION("the directory is a file") {
    std::ofstream{dir.path / "plain"} << "x";
    CHECK_THROWS_AS((store{(dir.path / "plain").string(), chat::system_random}), chat::store_error);
  }
}
