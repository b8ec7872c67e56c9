// Configurations of applications out of TOML.

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <otter/application_toml.hpp>
#include <otter/child_spec.hpp>
#include <stdexcept>
#include <string>
#include <vector>

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

// --- what a program consists of ---

namespace {

using application::read_program;

class nothing : public application::callbacks {
 public:
  tl::expected<otter::pid, otter::start_error> start() override { return otter::pid{}; }
};
application::modules const callbacks = {{"shop", application::module_of<nothing>()},
                                        {"shelves", application::module_of<nothing>()}};

/// What is thrown for the description `text`.
std::string refusal_of_program(std::string const& text,
                               std::vector<application::specification> const& known = {}) {
  try {
    static_cast<void>(read_program(text, callbacks, known, "p.toml"));
  } catch (std::runtime_error const& e) {
    return e.what();
  }
  return "none";
}

}  // namespace

TEST_CASE("a file says which applications there are, what they need, and which are started",
          "[application][APP-1][APP-17]") {
  auto const found = read_program(R"(
[store]
description = "keeps what is for sale"
registered = ["shelf", "cellar"]
mod = "shelves"
[store.env]
rows = 100
[store.env.limits]
weight = 2.5

[shop]
vsn = "1.2"
modules = ["till"]
applications = ["store"]
optional_applications = ["coffee"]
start = "transient"
start_phases = ["open", {phase = "greet", whom = "you"}]

[library]
mod = ""
start = "temporary"
)",
                                  callbacks);
  REQUIRE(found.known.size() == 3);
  auto const& store = found.known[0];
  CHECK(store.name == "store");
  CHECK(store.description == "keeps what is for sale");
  CHECK(store.registered == std::vector<std::string>{"shelf", "cellar"});
  CHECK(store.env == application::environment{{"rows", 100}, {"limits.weight", 2.5}});
  CHECK(store.mod);
  auto const& shop = found.known[1];
  CHECK(shop.vsn == "1.2");
  CHECK(shop.modules == std::vector<std::string>{"till"});
  CHECK(shop.applications == std::vector<std::string>{"store"});
  CHECK(shop.optional_applications == std::vector<std::string>{"coffee"});
  CHECK(shop.mod);  // the callbacks of its own name
  REQUIRE(shop.start_phases.size() == 2);
  CHECK(shop.start_phases[0].phase == "open");
  CHECK(shop.start_phases[0].args.empty());
  CHECK(shop.start_phases[1].phase == "greet");
  CHECK(shop.start_phases[1].args == application::environment{{"whom", "you"}});
  CHECK_FALSE(found.known[2].mod);
  CHECK(found.start == std::vector<std::string>{"shop", "library"});
  CHECK(found.types == application::restart_types{{"shop", otter::restart_type::transient},
                                                  {"library", otter::restart_type::temporary}});
}

TEST_CASE("what a description of a program says wrongly is refused by line, name and reason",
          "[application][APP-1][APP-17]") {
  struct refused {
    char const* text;
    char const* why;
  };
  for (refused const& one : std::vector<refused>{
           {"port = 1", "p.toml:1: port: expected the table of an application, as in [shop]"},
           {"[shop]\nvsn = 2", "p.toml:2: shop.vsn: expected text"},
           {"[shop]\nmodules = \"a\"", "p.toml:2: shop.modules: expected a list of names"},
           {"[shop]\nregistered = [1]", "p.toml:2: shop.registered: expected text"},
           {"[shop]\nenv = 1", "p.toml:2: shop.env: expected a table"},
           {"[shop.env]\nday = 1999-12-31",
            "p.toml:2: shop.env.day: expected true or false, a number, text, or a list of those; "
            "write dates as text"},
           {"[shop]\n\nneeds = [\"store\"]",
            "p.toml:3: shop.needs: an application has no such key; it has description, vsn, "
            "modules, "
            "registered, applications, optional_applications, included_applications, env, mod, "
            "start, start_phases"},
           {"[shop]\nmod = \"shp\"",
            "p.toml:2: shop.mod: the program has no callbacks \"shp\"; it has: shelves, shop"},
           {"[shop]\nstart = \"always\"",
            "p.toml:2: shop.start: expected \"permanent\", \"transient\" or \"temporary\"; without "
            "this key it starts if another one needs it"},
           {"[shop]\nstart_phases = [{wait = 3}]",
            "p.toml:2: shop.start_phases: expected a name as `phase`, and its arguments"},
           {"[shop]\napplications = [\"stor\"]\n[store]",
            "p.toml:2: shop.applications: there is no application \"stor\""},
           {"[shop]\nincluded_applications = [\"bar\"]",
            "p.toml:2: shop.included_applications: there is no application \"bar\""},
           {"[shop]\napplications = [\"store\"]\n[store]\napplications = [\"shop\"]",
            "p.toml:2: shop.applications: it needs itself: shop -> store -> shop"},
           {"[shop]\nregistered = [\"till\"]\n[store]\nregistered = [\"till\"]",
            "p.toml:4: store.registered: \"till\" is a name of shop already"},
       })
    CHECK(refusal_of_program(one.text) == one.why);
  CHECK(refusal_of_program("[shop]\n[shop]").substr(0, 9) == "p.toml:2:");
}

TEST_CASE("a description may need applications of the program's own, and not repeat them",
          "[application][APP-17]") {
  std::vector<application::specification> const known = {{.name = "log"}};
  CHECK(refusal_of_program("[shop]\napplications = [\"log\"]", known) == "none");
  CHECK(refusal_of_program("[log]", known) ==
        "p.toml:1: log: the program has an application of that name already");
}

TEST_CASE("a description of a program is read from its file", "[application][APP-17]") {
  auto const path = std::filesystem::temp_directory_path() /
                    ("otter_program_" + std::to_string(::getpid()) + ".toml");
  std::ofstream(path) << "[shop]\nstart = \"permanent\"\n";
  CHECK(application::read_program_file(path, callbacks).start == std::vector<std::string>{"shop"});
  std::filesystem::remove(path);
  CHECK_THROWS_WITH(application::read_program_file(path, callbacks),
                    path.string() + ": cannot be read: No such file or directory");
}
