// Environments of applications: values, and where they come from.

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <otter/application.hpp>
#include <otter/application_main.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "applications.hpp"
#include "on_every_driver.hpp"
#include "process_support.hpp"

using namespace applications;
using application::get_env;
using application::persistence;
using application::read_value;
using application::value;
using otter_test::driver_report;
using otter_test::on_every_driver;
using process_test::errc_of;

namespace {

application::list of_numbers() { return {1, 2, 3}; }

/// "changed: a=1; added: ; removed: b"
std::string in_words(application::environment const& changed, application::environment const& added,
                     names const& removed) {
  std::string all = "changed:";
  for (auto const& [key, what] : changed) all += fmt::format(" {}={}", key, what);
  all += "; added:";
  for (auto const& [key, what] : added) all += fmt::format(" {}={}", key, what);
  all += "; removed:";
  for (auto const& key : removed) all += " " + key;
  return all;
}

}  // namespace

TEST_CASE("a value is of the kind that it was made of, and of no other", "[application][APP-12]") {
  CHECK(value(true).as<bool>() == true);
  CHECK(value(7).as<int>() == 7);
  CHECK(value(7).as<double>() == 7.0);
  CHECK(value(0.5).as<double>() == 0.5);
  CHECK(value("seven").as<std::string>() == "seven");
  CHECK(value(of_numbers()).as<std::vector<int>>() == std::vector<int>{1, 2, 3});
  CHECK(value(application::list{}).as<std::vector<std::string>>() == names{});

  CHECK_FALSE(value(7).as<bool>());
  CHECK_FALSE(value(7).as<std::string>());
  CHECK_FALSE(value("7").as<int>());
  CHECK_FALSE(value(7.0).as<int>());
  CHECK_FALSE(value(true).as<int>());
  CHECK_FALSE(value(-1).as<unsigned>());
  CHECK_FALSE(value(70000).as<std::uint16_t>());
  CHECK_FALSE(value(of_numbers()).as<names>());
  CHECK_FALSE(value(7).as<std::vector<int>>());

  CHECK(to_string(value(of_numbers())) == "[1, 2, 3]");
  CHECK(to_string(value("say \"no\"")) == R"("say \"no\"")");
  CHECK(to_string(value(true)) == "true");
}

TEST_CASE("text becomes a value of the kind that is wanted, or an error says which that is",
          "[application][APP-12]") {
  CHECK(read_value("true") == value(true));
  CHECK(read_value("-12") == value(-12));
  CHECK(read_value("0.5") == value(0.5));
  CHECK(read_value("1e3") == value(1000.0));
  CHECK(read_value("localhost") == value("localhost"));
  CHECK(read_value("nan") == value("nan"));
  CHECK(read_value("12th") == value("12th"));
  CHECK(read_value("") == value(""));

  CHECK(read_value("12", value("text")) == value("12"));
  CHECK(read_value("true", value("text")) == value("true"));
  CHECK(read_value("12", value(0.5)).value().as<double>() == 12.0);
  CHECK(read_value("a, b,c", value(application::list{"x"})) ==
        value(application::list{"a", "b", "c"}));
  CHECK(read_value("1,2", value(of_numbers())) == value(application::list{1, 2}));
  CHECK(read_value("", value(of_numbers())) == value(application::list{}));

  CHECK(read_value("eighty", value(80)).error() ==
        "\"eighty\" is text, and must be a whole number, as 80 is");
  CHECK(read_value("1,b", value(of_numbers())).error() ==
        "\"b\" is text, and must be a whole number, as 1 is");
  CHECK(read_value("yes", value(true)).error() ==
        "\"yes\" is text, and must be true or false, as true is");
}

TEST_CASE("a value is what was set, else what is configured, else what is specified",
          "[application][APP-12]") {
  on_every_driver([](driver_report& report) {
    specification shop = silent("shop");
    shop.env = {{"port", 80}, {"host", "localhost"}, {"open", true}};
    application::start_link({.config = {{"shop", {{"port", 81}, {"more", 1}}}}}).value();
    children::must_succeed(application::load(shop));
    report.equal("specified", get_env<std::string>("shop", "host").value_or("none"), "localhost");
    report.equal("configured", get_env<int>("shop", "port").value_or(0), 81);
    report.equal("only configured", get_env<int>("shop", "more").value_or(0), 1);
    application::set_env("shop", "port", 82);
    report.equal("set", get_env<int>("shop", "port").value_or(0), 82);
    application::unset_env("shop", "open");
    report.check("taken away", !get_env("shop", "open"));
    report.check("not there", !get_env<int>("shop", "size") && !get_env<int>("cellar", "port"));
    report.check("all",
                 application::get_all_env("shop") ==
                     application::environment{{"port", 82}, {"host", "localhost"}, {"more", 1}});
    report.equal("of another kind", errc_of([] { get_env<bool>("shop", "port"); }), "badarg");
  });
}

TEST_CASE("what is set survives unloading if it is persistent, and only then",
          "[application][APP-12]") {
  on_every_driver([](driver_report& report) {
    specification shop = silent("shop");
    shop.env = {{"port", 80}, {"host", "localhost"}};
    application::start_link({.known = {shop}}).value();
    application::set_env("shop", "port", 81, persistence::yes);
    application::set_env("shop", "host", "here");
    children::must_succeed(application::load("shop"));
    report.equal("set before it was loaded", get_env<std::string>("shop", "host").value_or("none"),
                 "here");
    children::must_succeed(application::unload("shop"));
    children::must_succeed(application::load("shop"));
    report.equal("persistent", get_env<int>("shop", "port").value_or(0), 81);
    report.equal("not persistent", get_env<std::string>("shop", "host").value_or("none"),
                 "localhost");
  });
}

TEST_CASE("a new configuration is told to the applications that it changes something for",
          "[application][APP-12]") {
  on_every_driver([](driver_report& report) {
    auto const me = otter::self();
    auto const telling_changes = [me](std::string const& name) {
      auto const tell = [me, name](auto const& changed, auto const& added, auto const& removed) {
        trace::tell(me, name + " " + in_words(changed, added, removed));
      };
      return played(name, {.config_change = tell});
    };
    specification shop = telling_changes("shop");
    shop.env = {{"port", 80}, {"host", "localhost"}};
    auto const failing =
        played("failing", {.config_change = [](auto const&, auto const&, auto const&) {
                 throw std::runtime_error("not now");
               }});
    application::start_link({.known = {shop, telling_changes("store"), failing},
                             .config = {{"shop", {{"old", 1}, {"same", 1}}}}})
        .value();
    must_start("shop");
    must_start("store");
    must_start("failing");
    report.equal(
        "change",
        text(application::change_config({{"shop", {{"port", 81}, {"same", 1}, {"fresh", 2}}}})),
        "done");
    report.equal("told", trace::next(), "shop changed: port=81; added: fresh=2; removed: old");
    report.check("the other was not", trace::mailbox_is_empty());
    report.equal("in force", get_env<int>("shop", "port").value_or(0), 81);

    auto const wrong = application::change_config({{"shop", {{"port", "eighty"}}}});
    report.check("refused", refused(wrong, kind::invalid, "shop"));
    report.equal("as before", get_env<int>("shop", "port").value_or(0), 81);

    auto const failed =
        application::change_config({{"failing", {{"x", 1}}}, {"store", {{"x", 1}}}});
    report.check("one throws", refused(failed, kind::start_failed, "failing"));
    report.equal("the others are told", trace::next(),
                 "shop changed: port=80; added:; removed: fresh same");
    report.equal("all of them", trace::next(), "store changed:; added: x=1; removed:");
    report.equal("and run on", running(), "shop store failing");
  });
}

TEST_CASE("a command line says what applications are to find, and the rest is the program's",
          "[application][APP-12][APP-17]") {
  std::vector<specification> known(2);
  known[0].name = "shop";
  known[0].env = {{"port", 80}, {"sign", "open"}, {"peers", application::list{"a"}}};
  known[1].name = "store";
  auto const read = application::read_arguments(
      {"--shop.port=81", "--store.limits.rows", "12", "--verbose", "--shop.sign=12", "--config",
       "shop.toml", "file", "--shop.peers=b,c"},
      known);
  REQUIRE(read);
  CHECK(read->config ==
        application::configuration{
            {"shop", {{"port", 81}, {"sign", "12"}, {"peers", application::list{"b", "c"}}}},
            {"store", {{"limits.rows", 12}}}});
  CHECK(read->file == "shop.toml");
  CHECK(read->rest == names{"--verbose", "file"});
  CHECK_FALSE(read->help);
  CHECK(application::read_arguments({"-h"}, known)->help);

  auto const refused_as = [&](names const& all) {
    return application::read_arguments(all, known).error();
  };
  CHECK(refused_as({"--cellar.port=1"}) == "--cellar.port: there is no application \"cellar\"");
  CHECK(refused_as({"--shop.port"}) == "--shop.port needs a value");
  CHECK(refused_as({"--shop.port=x"}) ==
        "--shop.port: \"x\" is text, and must be a whole number, as 80 is");
}

TEST_CASE("of two configurations the second counts, value by value", "[application][APP-12]") {
  application::configuration const file = {{"shop", {{"port", 80}, {"host", "here"}}}};
  application::configuration const line = {{"shop", {{"port", 81}}}, {"store", {{"rows", 2}}}};
  CHECK(application::merge(file, line) ==
        application::configuration{{"shop", {{"port", 81}, {"host", "here"}}},
                                   {"store", {{"rows", 2}}}});
}
