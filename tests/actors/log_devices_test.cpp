// The devices on spdlog, and that spdlog itself stays the program's.

#include <spdlog/spdlog.h>
#include <stdlib.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <otter/exit.hpp>
#include <otter/gen.hpp>
#include <otter/log_devices.hpp>
#include <otter/logger.hpp>
#include <sstream>
#include <string>

#include "logs.hpp"
#include "on_every_driver.hpp"

namespace logger = otter::logger;

namespace {

constexpr logger::module_log note{"test"};

/// A fresh directory, removed at the end.
class folder {
 public:
  folder() {
    std::string path = (std::filesystem::temp_directory_path() / "otter-log-XXXXXX").string();
    if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = path;
  }
  ~folder() { std::filesystem::remove_all(path_); }
  folder(folder const&) = delete;
  folder& operator=(folder const&) = delete;

  std::string operator/(char const* name) const { return (path_ / name).string(); }
  std::string text_of(char const* name) const {
    std::ifstream in(path_ / name);
    return (std::ostringstream() << in.rdbuf()).str();
  }
  std::size_t files() const {
    std::filesystem::directory_iterator const all(path_);
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
  }

 private:
  std::filesystem::path path_;
};

logger::handler_options plain(logger::device_opener open) {
  logger::handler_options h = logs::on(std::make_shared<logs::paper>());
  h.open = std::move(open);
  return h;
}

}  // namespace

TEST_CASE("a file gets the lines in order, and what was in it stays", "[logger][LOG-1]") {
  on_every_driver([](driver_report& report) {
    folder const dir;
    for (char const* text : {"one", "two"}) {
      auto const logging =
          logger::start_link({.handlers = {plain(logger::file(dir / "test.log"))}}).value();
      note.error(text);
      otter::stop(logging);
    }
    report.equal("text", dir.text_of("test.log"), "error test: one\nerror test: two\n");
  });
}

TEST_CASE("a rotating file is renamed when it is large, and old ones go", "[logger][LOG-1]") {
  on_every_driver([](driver_report& report) {
    folder const dir;
    auto const logging =
        logger::start_link({.handlers = {plain(logger::rotating_file(
                                {.path = dir / "test.log", .max_bytes = 1000, .max_files = 2}))}})
            .value();
    for (int i = 0; i != 100; ++i) note.error("event", {{"i", i}, {"text", std::string(80, 'x')}});
    logger::sync();
    otter::stop(logging);
    report.equal("files", dir.files(), std::size_t{3});
    report.check("the last one is in the newest",
                 dir.text_of("test.log").find("i=99") != std::string::npos);
    report.check("small", dir.text_of("test.1.log").size() <= 1000);
  });
}

TEST_CASE("a file that cannot be opened is a failed start that says why", "[logger][LOG-10]") {
  on_every_driver([](driver_report& report) {
    otter::trap_exit(true);
    folder const dir;
    std::filesystem::create_directory(dir / "test.log");
    auto const started = logger::start_link({.handlers = {plain(logger::file(dir / "test.log"))}});
    report.check("refused",
                 !started && to_string(started.error()).find("test.log") != std::string::npos);
  });
}

TEST_CASE("the console on a file that is no terminal has no colours, unless they are asked for",
          "[logger][LOG-1]") {
  // The program's own stderr: Catch2 writes to stdout.
  std::string seen[2];
  folder const dir;
  for (bool const always : {false, true}) {
    int const mine = ::dup(2);
    REQUIRE(std::freopen((dir / "err").c_str(), "w", stderr) != nullptr);
    {
      otter::node node({.workers = 1});
      node.run([always] {
        using colours = logger::console_options::colours;
        logger::start_link({.handlers = {plain(logger::console(
                                {.use = always ? colours::always : colours::automatic}))}})
            .value();
        note.error("red");
        logger::sync();
      });
    }
    std::fflush(stderr);
    ::dup2(mine, 2);
    ::close(mine);
    seen[always] = dir.text_of("err");
  }
  CHECK(seen[0] == "error test: red\n");
  CHECK(seen[1].find("error test: red") != std::string::npos);
  CHECK(seen[1].find("\033[") != std::string::npos);
}

TEST_CASE("spdlog's default logger and its registry stay as they are", "[logger][LOG-1]") {
  auto const count = [] {
    std::size_t n = 0;
    spdlog::apply_all([&](std::shared_ptr<spdlog::logger> const&) { ++n; });
    return n;
  };
  auto const* const logger_before = spdlog::default_logger_raw();
  auto const level_before = spdlog::get_level();
  auto const sinks_before = spdlog::default_logger()->sinks().size();
  std::size_t const before = count();
  folder const dir;
  otter::node node({.workers = 1});
  node.run([&] {
    auto const logging = logger::start_link({.level = logger::level::debug,
                                             .handlers = {plain(logger::file(dir / "test.log"))}})
                             .value();
    note.debug("an event");
    otter::stop(logging);
  });
  CHECK(dir.text_of("test.log") == "debug test: an event\n");
  CHECK(spdlog::default_logger_raw() == logger_before);
  CHECK(spdlog::get_level() == level_before);
  CHECK(spdlog::default_logger()->sinks().size() == sinks_before);
  CHECK(count() == before);
}
