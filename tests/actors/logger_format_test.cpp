// Events as lines: for people, and as JSON.

#include <catch2/catch.hpp>
#include <limits>
#include <otter/logger.hpp>
#include <string>

namespace logger = otter::logger;
using logger::level;

namespace {

logger::event example() {
  logger::event e;
  e.level = level::warning;
  e.module = "chat.session";
  e.text = "a login has failed";
  e.time = otter::system_time_point(std::chrono::nanoseconds(1'795'858'229'123'456'789));
  e.file = "session.cpp";
  e.line = 17;
  e.fields = {{"from", "127.0.0.1"}, {"tries", std::int64_t{3}}, {"locked", false}};
  return e;
}

std::string plain(logger::event const& e) {
  return logger::text_format({.time = false, .process = false})(e);
}

}  // namespace

TEST_CASE("levels have the names of OTP, and are found by them", "[logger][LOG-1]") {
  CHECK(to_string(level::emergency) == "emergency");
  CHECK(to_string(level::debug) == "debug");
  CHECK(logger::level_of("notice") == level::notice);
  CHECK_FALSE(logger::level_of("loud").has_value());
  CHECK(level::emergency < level::alert);
  CHECK(level::error < level::warning);
}

TEST_CASE("a line for people has time, level, module, text and fields", "[logger][LOG-1]") {
  CHECK(logger::text_format()(example()) ==
        "2026-11-28T09:30:29.123Z warning chat.session: a login has failed from=127.0.0.1 tries=3 "
        "locked=false");
  CHECK(logger::text_format({.time = false, .place = true})(example()) ==
        "warning chat.session session.cpp:17: a login has failed from=127.0.0.1 tries=3 "
        "locked=false");
}

TEST_CASE("a report has a line for each field, and a text in it cannot pretend to be another",
          "[logger][LOG-1]") {
  logger::event e = example();
  e.is_report = true;
  e.fields = {{"initial_call", "counter"}, {"state", "a\nwarning chat: forged"}};
  CHECK(plain(e) ==
        "warning chat.session: a login has failed\n  initial call: counter\n  state: a\n    "
        "warning chat: forged");
}

TEST_CASE("what was logged cannot forge a line or a field", "[logger][LOG-1]") {
  logger::event e = example();
  e.text = "a\nb";
  e.fields = {{"name", "eve\nerror chat: forged"},
              {"more", "x admin=true"},
              {"empty", ""},
              {"quoted", "say \"hi\""}};
  CHECK(plain(e) ==
        "warning chat.session: a\\nb name=\"eve\\nerror chat: forged\" more=\"x admin=true\" "
        "empty=\"\" quoted=\"say \\\"hi\\\"\"");
}

TEST_CASE("a line of JSON keeps the types of values", "[logger][LOG-1]") {
  logger::event e = example();
  e.fields.push_back({"size", std::numeric_limits<std::uint64_t>::max()});
  e.fields.push_back({"ratio", 0.5});
  e.fields.push_back({"none", std::numeric_limits<double>::quiet_NaN()});
  CHECK(logger::json_format()(e) ==
        R"({"time":"2026-11-28T09:30:29.123Z","level":"warning","module":"chat.session",)"
        R"("text":"a login has failed","file":"session.cpp","line":17,"fields":{)"
        R"("from":"127.0.0.1","tries":3,"locked":false,"size":18446744073709551615,"ratio":0.5,)"
        R"("none":"nan"}})");
}

TEST_CASE("JSON is one line of valid UTF-8, whatever was logged", "[logger][LOG-1]") {
  struct {
    std::string text, json;
  } const table[] = {
      {"a\nb\tc", R"(a\nb\u0009c)"},
      {"say \"hi\" \\", R"(say \"hi\" \\)"},
      {std::string("\0", 1), R"(\u0000)"},
      {"\x7f", R"(\u007f)"},
      {"\xc3\xa4 \xe2\x82\xac \xf0\x9f\xa6\xa6", "\xc3\xa4 \xe2\x82\xac \xf0\x9f\xa6\xa6"},
      {"\xff", R"(\ufffd)"},
      {"\xc3", R"(\ufffd)"},                               // cut
      {"\xc0\xaf", R"(\ufffd\ufffd)"},                     // longer than needed
      {"\xed\xa0\x80", R"(\ufffd\ufffd\ufffd)"},           // half of a pair
      {"\xf4\x90\x80\x80", R"(\ufffd\ufffd\ufffd\ufffd)"}  // above the last
  };
  for (auto const& row : table) {
    logger::event e;
    e.text = row.text;
    std::string const line = logger::json_format()(e);
    CHECK(line == R"({"time":"1970-01-01T00:00:00.000Z","level":"notice","module":"","text":")" +
                      row.json + R"(","fields":{}})");
  }
}
