// The process that writes: what it gathers, and when that is on disk.

#include "store_writer.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <otter/exit.hpp>
#include <otter/node.hpp>
#include <otter/spawn.hpp>
#include <stdexcept>
#include <string>

#include "on_every_driver.hpp"
#include "server_support.hpp"

using namespace chat_test;

namespace {

/// A data directory with an account for alice.
struct data_directory {
  std::string path = (std::filesystem::temp_directory_path() / "otter-writer-XXXXXX").string();
  data_directory() {
    if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("mkdtemp");
    static auto const keys = chat::make_credentials(chat::secret{"pw"}, 4096, chat::system_random);
    static_cast<void>(open().create_account("alice", keys));
  }
  ~data_directory() { std::filesystem::remove_all(path); }
  data_directory(data_directory const&) = delete;
  data_directory& operator=(data_directory const&) = delete;
  [[nodiscard]] chat::store open() const { return {path, chat::system_random}; }
};

auto start(data_directory const& data) {
  return chat::store_writer::start_link(otter::start_options{}, data.path, chat::offline_limits{})
      .value();
}

chat::store_writer::keep message(std::string const& body) {
  chat::stanza what;
  what.to = *chat::jid::parse("alice@localhost");
  what.xml = "<message><body>" + body + "</body></message>";
  return {otter::self(), std::move(what)};
}

}  // namespace

TEST_CASE("messages that come faster than the disk takes them share its commits", "[chat][store]") {
  constexpr int count = 100;
  otter::node_options options;
  options.workers = 1;  // the writer begins when all of them lie in its mailbox
  otter::node node{options};
  chat::store_writer::statistics numbers;
  std::size_t kept = 0;
  auto const reason = node.run([&] {
    data_directory data;
    auto const writer = start(data);
    for (int i = 0; i < count; ++i) otter::cast(writer, message(std::to_string(i)));
    // The first answer comes before the writing, which is behind the question; the second after.
    for (int i = 0; i < 2; ++i) numbers = otter::call(writer, chat::store_writer::count{});
    kept = data.open().offline_for("alice").size();
  });
  CHECK(to_string(reason) == "normal");
  CHECK(kept == count);
  CHECK(numbers.changes == count);
  CHECK(numbers.transactions >= 1);
  CHECK(numbers.transactions < count / 10);
}

TEST_CASE("what the writer was told before its shutdown is on disk after it", "[chat][store]") {
  on_every_driver([](driver_report& report) {
    data_directory data;
    otter::trap_exit(true);
    auto const writer = start(data);
    for (int i = 0; i < 20; ++i) otter::cast(writer, message(std::to_string(i)));
    otter::exit(writer, otter::exit_reason::shutdown());
    report.equal("end", otter::receive([](otter::exited e) { return to_string(e.reason); }),
                 "shutdown");
    auto const kept = data.open().offline_for("alice");
    report.equal("kept", kept.size(), std::size_t{20});
    for (std::size_t i = 0; i < kept.size(); ++i)
      report.check("in order",
                   kept[i].xml.find(">" + std::to_string(i) + "<") != std::string::npos);
  });
}
