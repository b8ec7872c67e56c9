// The admin endpoint: what it answers, to whom, and that nothing that is sent to it does harm.

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <otter/admin.hpp>
#include <otter/exit.hpp>
#include <otter/message.hpp>
#include <otter/monitor.hpp>
#include <otter/node.hpp>
#include <otter/process_info.hpp>
#include <otter/random.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <otter/tcp.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "on_every_driver.hpp"
#include "upgrading.hpp"

using namespace upgrading;
namespace admin = otter::admin;

namespace {

std::string socket_path() {
  static int count = 0;
  return (std::filesystem::temp_directory_path() /
          fmt::format("otter-admin-{}-{}", ::getpid(), ++count))
      .string();
}

/// What a plan file would say: the endpoint's reader is the program's business.
upgrade::plan plan_of(std::string const& file) {
  if (file == "/plans/lamp 2") return {.modules = {step("lamp", 2)}};
  if (file == "/plans/unlucky") return {.modules = {step("lamp", 3)}};
  throw std::runtime_error(file + ": there is no such plan\nnor was there ever one");
}

struct client {
  explicit client(std::string const& path)
      : socket(otter::tcp_connect(otter::tcp_address::local(path), {.packet = otter::packet::line})
                   .value()) {}

  std::optional<std::string> line() {
    auto got = socket.recv();
    if (!got) return std::nullopt;
    got->pop_back();
    return *got;
  }
  /// All lines of an answer; "closed" at the end if there is no more.
  std::vector<std::string> answer() {
    std::vector<std::string> lines;
    do {
      auto next = line();
      lines.push_back(next ? *next : "closed");
    } while (!lines.back().empty() && lines.back().front() == ' ');
    return lines;
  }
  std::vector<std::string> ask(std::string const& request) {
    socket.send(request + "\n");
    return answer();
  }

  otter::tcp_socket socket;
};

std::string text(std::vector<std::string> const& all) {
  return fmt::format("{}", fmt::join(all, "|"));
}

}  // namespace

TEST_CASE("the admin endpoint lists the modules, checks plans and applies them",
          "[admin][upgrade]") {
  on_every_driver([](driver_report& report) {
    std::string const path = socket_path();
    auto const endpoint = admin::start_link({.socket = path, .read_plan = plan_of});
    report.check("it has started", endpoint.has_value());
    load("lamp", 1);
    auto const all = start_many("lamp", 2);
    client operator_here(path);
    report.equal("modules", text(operator_here.ask("modules")),
                 std::string(" module  current  processes  old  processes|"
                             " lamp    1        2          -    -|ok"));
    std::string const dry = text(operator_here.ask("upgrade --dry-run /plans/lamp 2"));
    report.check("a dry run says what would be: " + dry,
                 has(dry, " lamp    1 -> 2   checked          2") && has(dry, "|ok"));
    report.equal("and does nothing", look(all), std::string("1: 0, 1: 1"));
    std::string const done = text(operator_here.ask("upgrade /plans/lamp 2"));
    report.check("progress: " + done, has(done, " lamp 2 is current|"));
    report.check("and the report",
                 has(done, " lamp    1 -> 2   changed          2") && has(done, "|ok"));
    report.equal("it is done", look(all), std::string("2: 0, 2: 1"));
    std::string const again = text(operator_here.ask("upgrade /plans/lamp 2"));
    report.check("a second time it is refused: " + again,
                 has(again, "refused: module lamp: version 2 is current already") &&
                     has(again,
                         "|error: the plan is refused; what had been changed was taken "
                         "back"));
    report.equal("old versions are shown", text(operator_here.ask("modules")),
                 std::string(" module  current  processes  old  processes|"
                             " lamp    2        2          1    0|ok"));
  });
}

TEST_CASE("what is no request gets an error, and the endpoint goes on serving", "[admin]") {
  on_every_driver([](driver_report& report) {
    std::string const path = socket_path();
    admin::start_link({.socket = path, .read_plan = plan_of}).value();
    client c(path);
    struct trial {
      std::string request;
      std::string answer;
    };
    for (trial const& t : std::vector<trial>{
             {"", "error: no request: \"\"; try: help"},
             {"cheese", "error: no request: \"cheese\"; try: help"},
             {"modules ", "error: no request: \"modules \"; try: help"},
             {"upgrade", "error: no request: \"upgrade\"; try: help"},
             {"upgrade ", "error: \"\": the file of a plan is a path that begins with /"},
             {"upgrade a.toml",
              "error: \"a.toml\": the file of a plan is a path that begins with /"},
             {"upgrade --dry-run ", "error: \"\": the file of a plan is a path that begins with /"},
             {"upgrade --force /a",
              "error: \"--force /a\": the file of a plan is a path that "
              "begins with /"},
             {"upgrade /a\tb", "error: a request has no control characters"},
             {std::string("mod\0ules", 8), "error: a request has no control characters"},
             // An error is one line, whatever it says.
             {"upgrade /a", "error: /a: there is no such plan nor was there ever one"},
             {"help\r", " modules| upgrade PLAN| upgrade --dry-run PLAN| help|ok"}})
      report.equal("\"" + t.request + "\"", text(c.ask(t.request)), t.answer);
    for (std::string const& line :
         {std::string(4096, 'x'), std::string(1 << 20, 'x'), std::string(5000, '\0')}) {
      client flood(path);
      flood.socket.send(line);
      report.equal("a line that does not end", text(flood.answer()),
                   std::string("error: a request is one line of at most 4095 bytes"));
      report.check("ends the connection", !flood.line());
    }
    report.equal("the longest one is served", text(c.ask(std::string(4095, 'x'))),
                 "error: no request: \"" + std::string(4095, 'x') + "\"; try: help");
    report.equal("nothing has come of it", text(c.ask("modules")),
                 std::string(" module  current  processes  old  processes|ok"));
    client without(path);
    without.socket.send("modules");
    without.socket.shutdown_write();
    report.check("half a request is none", !without.line());
  });
}

TEST_CASE("whatever bytes come, each line gets one answer", "[admin]") {
  on_every_driver([](driver_report& report) {
    std::string const path = socket_path();
    admin::start_link({.socket = path, .read_plan = plan_of}).value();
    client c(path);
    std::vector<std::string> const pieces = {
        "upgrade ", "--dry-run ", "modules", "help", "/",  "/plans/lamp 2",
        "\r",       "\x7f",       "\xff",    " ",    "{}", "%s"};
    bool each = true;
    for (int i = 0; i < 200 && each; ++i) {
      std::string line;
      for (auto n = otter::random_number() % 6; n > 0; --n)
        line += otter::random_number() % 3 == 0
                    ? std::string(1, static_cast<char>(otter::random_number() % 256))
                    : pieces[otter::random_number() % pieces.size()];
      std::erase(line, '\n');
      auto const answer = c.ask(line);
      each = answer.back() == "ok" || answer.back().find("error: ") == 0;
    }
    report.check("ok or an error", each);
  });
}

TEST_CASE("a client that says nothing is told so, and makes room for the next one", "[admin]") {
  in_simulation([](driver_report& report) {
    std::string const path = socket_path();
    admin::start_link({.socket = path, .idle_limit = std::chrono::seconds(60), .clients = 1})
        .value();
    client silent(path);
    client next(path);
    report.equal("the next one is served", text(next.ask("help")).substr(0, 8),
                 std::string(" modules"));
    report.equal("the first was told", text(silent.answer()),
                 std::string("error: nothing came for too long"));
    report.equal("without a reader of plans", text(next.ask("upgrade /plans/lamp 2")),
                 std::string("error: this program reads no plans: admin::options::read_plan is "
                             "not set"));
  });
}

TEST_CASE("an upgrade goes on when its client goes away", "[admin][upgrade]") {
  on_every_driver([](driver_report& report) {
    std::string const path = socket_path();
    admin::start_link({.socket = path, .read_plan = plan_of}).value();
    load("lamp", 1);
    otter::pid const stuck = start("lamp", 5);
    otter::cast(stuck, lamps::get_stuck{otter::self()});
    otter::receive([](lamps::stuck) {});
    client c(path);
    c.socket.send("upgrade /plans/lamp 2\n");
    while (c.line() != " lamp 2 is current") {
    }
    c.socket.close();
    otter::send(stuck, lamps::go_on{});
    report.equal("it is done", look({stuck}), std::string("2: 5"));
    report.equal("the endpoint serves", text(client(path).ask("modules")).substr(0, 7),
                 std::string(" module"));
  });
}

TEST_CASE("the socket is a file for the program's own user, and is gone with the endpoint",
          "[admin]") {
  std::string const path = socket_path();
  std::filesystem::perms allowed{};
  bool is_there_afterwards = true;
  std::string second;
  otter::run({.workers = 1}, [&] {
    otter::trap_exit(true);
    otter::pid const endpoint = admin::start_link({.socket = path}).value();
    allowed = std::filesystem::status(path).permissions();
    auto const other = admin::start_link({.socket = path});
    second = other ? "started" : to_string(other.error());
    otter::exit(endpoint, otter::exit_reason::shutdown());
    otter::receive(otter::when([&](otter::exited const& e) { return e.process == endpoint; },
                               [](otter::exited const&) {}));
    is_there_afterwards = std::filesystem::exists(path);
  });
  CHECK(allowed == std::filesystem::perms(0600));
  CHECK(second.find("cannot_listen") != std::string::npos);
  CHECK(second.find(path) != std::string::npos);
  CHECK_FALSE(is_there_afterwards);
}

TEST_CASE("a socket that a crashed program has left is replaced, another file is not", "[admin]") {
  std::string const path = socket_path();
  std::vector<bool> started;
  {
    // As a crash would leave it.
    int const left = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, path.size());
    REQUIRE(::bind(left, reinterpret_cast<sockaddr const*>(&address), sizeof address) == 0);
    ::close(left);
  }
  std::string const other = socket_path();
  std::ofstream(other) << "precious";
  otter::run({.workers = 1}, [&] {
    otter::trap_exit(true);
    started.push_back(admin::start_link({.socket = path}).has_value());
    started.push_back(admin::start_link({.socket = other}).has_value());
  });
  CHECK(started == std::vector<bool>{true, false});
  CHECK(std::filesystem::file_size(other) == 8);
  std::filesystem::remove(other);
}
