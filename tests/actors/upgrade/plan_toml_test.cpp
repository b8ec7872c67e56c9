// Plans of upgrades out of TOML.

#include <catch2/catch.hpp>
#include <otter/upgrade_toml.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace upgrade = otter::upgrade;

namespace {

/// What is thrown for `text`, whose first line is number 1.
std::string refusal_of(std::string const& text) {
  try {
    static_cast<void>(upgrade::read_plan(text, "next.toml"));
  } catch (std::runtime_error const& e) {
    return e.what();
  }
  return "none";
}

}  // namespace

TEST_CASE("a plan out of TOML has its modules in the order of the file", "[upgrade][CL-16]") {
  upgrade::plan const p = upgrade::read_plan(R"(
application = "shop"
[[module]]
name = "store"
file = "store-2.so"
to = "2"
[[module]]
name = "shop"
file = "/opt/shop-2.so"
from = ["1", "1.1"]
to = "2"
depends_on = ["store 2.0 beta", "log"]
mode = "together"
purge = "brutal"
extra = "keep"
[[module]]
name = "log"
file = "log.so"
from = "1"
to = "2"
mode = "one by one"
purge = "soft"
)",
                                             "/etc/shop/next.toml");
  CHECK(p.application == "shop");
  REQUIRE(p.modules.size() == 3);
  upgrade::module_step const& store = p.modules[0];
  CHECK(store.name == "store");
  CHECK(store.file == "/etc/shop/store-2.so");
  CHECK(store.from.empty());
  CHECK(store.to == "2");
  CHECK(store.mode == upgrade::mode_type::one_by_one);
  CHECK(store.purge == upgrade::purge_type::soft);
  upgrade::module_step const& shop = p.modules[1];
  CHECK(shop.file == "/opt/shop-2.so");
  CHECK(shop.from == std::vector<std::string>{"1", "1.1"});
  REQUIRE(shop.depends_on.size() == 2);
  CHECK(shop.depends_on[0].module == "store");
  CHECK(shop.depends_on[0].version == "2.0 beta");
  CHECK(shop.depends_on[1].version.empty());
  CHECK(shop.mode == upgrade::mode_type::together);
  CHECK(shop.extra == "keep");
  CHECK(shop.purge == upgrade::purge_type::brutal);
  CHECK(p.modules[2].from == std::vector<std::string>{"1"});
}

TEST_CASE("a plan out of TOML that is wrong is refused by line and key", "[upgrade][CL-16]") {
  std::string const whole = "[[module]]\nname = \"a\"\nfile = \"a.so\"\nto = \"2\"\n";
  struct trial {
    std::string text;
    std::string says;
  };
  for (trial const& t : std::vector<trial>{
           {"", "next.toml:1: module: the plan has no modules: [[module]]"},
           {"module = []", "next.toml:1: module: the plan has no modules: [[module]]"},
           {"module = 1", "next.toml:1: module: expected a list of tables, as in [[module]]"},
           {"module = [1]", "next.toml:1: module: expected a list of tables, as in [[module]]"},
           {"\ncheese = 1",
            "next.toml:2: cheese: a plan has no such key; it has application, "
            "[[module]]"},
           {"application = 1", "next.toml:1: application: expected text"},
           {whole + "cheese = 1",
            "next.toml:5: module.cheese: a module has no such key; it has "
            "name, file, from, to, extra, depends_on, mode, purge"},
           {"[[module]]\nname = \"a\"\nfile = \"a.so\"", "next.toml:1: module.to: is missing"},
           {"[[module]]\nname = \"\"", "next.toml:2: module.name: is empty"},
           {"[[module]]\nname = 1", "next.toml:2: module.name: expected text"},
           {whole + "from = 1", "next.toml:5: module.from: expected text"},
           {whole + "from = [\"\"]", "next.toml:5: module.from: is empty"},
           {whole + "mode = \"quick\"",
            "next.toml:5: module.mode: expected \"one by one\" or \"together\""},
           {whole + "purge = \"\"", "next.toml:5: module.purge: expected \"soft\" or \"brutal\""},
           {whole + "depends_on = [\"b \"]",
            "next.toml:5: module.depends_on: \"b \": expected a module, or a module, a blank and "
            "its version"},
           {whole + whole, "next.toml:5: module.name: module a is in the plan already"},
           {whole + "depends_on = [\"a\"]",
            "next.toml:1: module.depends_on: modules need each "
            "other in a circle: a -> a"}})
    CHECK(refusal_of(t.text) == t.says);
  CHECK(refusal_of("[[module]").find("next.toml:1: ") == 0);
  CHECK(refusal_of(std::string((1 << 20) + 1, '#')).find("a plan has at most") !=
        std::string::npos);
  CHECK_THROWS_WITH(upgrade::read_plan_file("/nowhere/plan.toml"),
                    Catch::Contains("/nowhere/plan.toml: cannot be read"));
}
