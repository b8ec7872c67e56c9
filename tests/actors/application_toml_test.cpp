// Configurations of applications out of TOML.

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <otter/application_toml.hpp>
#include <stdexcept>
#include <string>

namespace application = otter::application;
using application::configuration;
using application::read_toml;

namespace {

/// What is thrown for `text`.
std::string refusal_of(std::string const& text) {
  try {
    static_cast<void>(read_toml(text, "shop.toml"));
  } catch (std::runtime_error const& e) {
    return e.what();
  }
  return "none";
}

}  // namespace

TEST_CASE("a TOML file has a table for each application, and tables in it are names with dots",
          "[application][APP-12]") {
  CHECK(read_toml(R"(
[shop]
port = 81
open = true
rate = 0.5
whole = 2.0
sign = "come in"
peers = ["a", "b"]
[shop.limits]
rows = 12
[shop.limits.deep]
er = 1
[store]
)") == configuration{{"shop",
                      {{"port", 81},
                       {"open", true},
                       {"rate", 0.5},
                       {"whole", 2.0},
                       {"sign", "come in"},
                       {"peers", application::list{"a", "b"}},
                       {"limits.rows", 12},
                       {"limits.deep.er", 1}}},
                     {"store", {}}});
  CHECK(read_toml("") == configuration{});
}

TEST_CASE("what a TOML file has that is no configuration is refused by its line",
          "[application][APP-12]") {
  CHECK(refusal_of("[shop]\nport = 1\nport = 2\n").substr(0, 12) == "shop.toml:3:");
  CHECK(refusal_of("\nport = 81") ==
        "shop.toml:2: port: a value belongs into the table of its application, as in [shop]");
  CHECK(refusal_of("[shop]\nday = 1999-12-31") ==
        "shop.toml:2: shop.day: expected true or false, a number, text, or a list of those; write "
        "dates as text");
}

TEST_CASE("a configuration file is read, and one that is not there is named",
          "[application][APP-12]") {
  auto const path = std::filesystem::temp_directory_path() /
                    ("otter_application_" + std::to_string(::getpid()) + ".toml");
  std::ofstream(path) << "[shop]\nport = 81\n";
  CHECK(application::read_toml_file(path) == configuration{{"shop", {{"port", 81}}}});
  std::filesystem::remove(path);
  CHECK_THROWS_WITH(application::read_toml_file(path),
                    path.string() + ": cannot be read: No such file or directory");
}
