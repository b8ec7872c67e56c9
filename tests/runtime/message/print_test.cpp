// Any value as bounded text.

#include <array>
#include <catch2/catch.hpp>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <otter/exit_reason.hpp>
#include <otter/print.hpp>
#include <otter/ref.hpp>
#include <otter/shared.hpp>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "message/pid_access.hpp"

using otter::to_text;

namespace shop {

struct apple {
  int weight;
  std::string sort;
};
struct streamed {
  int n;
};
std::ostream& operator<<(std::ostream& out, const streamed& s) { return out << "no. " << s.n; }
struct formatted {
  int n;
};
struct card {
  using otter_sensitive = void;
  std::string number;
};
struct pin {
  int digits;
};
struct order {
  apple what;
  card paid_with;
  std::optional<pin> code;
};
enum class colour { red, green };
class closed {
  [[maybe_unused]] int x_ = 0;
};
struct tree {
  int n;
  std::vector<tree> below;
};

}  // namespace shop

template <>
inline constexpr bool otter::sensitive<shop::pin> = true;

template <>
struct fmt::formatter<shop::formatted> {
  constexpr auto parse(fmt::format_parse_context& context) { return context.begin(); }
  auto format(const shop::formatted& f, fmt::format_context& context) const {
    return fmt::format_to(context.out(), "f{}", f.n);
  }
};

using namespace shop;

TEST_CASE("simple values print as one writes them") {
  CHECK(to_text(42) == "42");
  CHECK(to_text(true) == "true");
  CHECK(to_text(1.5) == "1.5");
  CHECK(to_text(std::uint8_t{7}) == "7");
  CHECK(to_text(std::string("as it is")) == "as it is");
  CHECK(to_text(colour::green) == "colour(1)");
  CHECK(to_text(std::chrono::milliseconds{250}) == "250ms");
  CHECK(to_text(std::chrono::hours{2}) == "2h");
}

TEST_CASE("a plain struct prints its fields with their names") {
  CHECK(to_text(apple{120, "boskoop"}) == "apple{weight: 120, sort: \"boskoop\"}");
}

TEST_CASE("a text inside something is quoted and its control characters are escaped") {
  CHECK(to_text(apple{1, "a\"b\\c\n\x01"}) == R"(apple{weight: 1, sort: "a\"b\\c\n\x01"})");
}

TEST_CASE("containers print their parts") {
  CHECK(to_text(std::vector<int>{1, 2}) == "[1, 2]");
  CHECK(to_text(std::vector<apple>{{1, "x"}}) == "[apple{weight: 1, sort: \"x\"}]");
  CHECK(to_text(std::array<bool, 2>{true, false}) == "[true, false]");
  CHECK(to_text(std::vector<bool>{true}) == "[true]");
  CHECK(to_text(std::map<std::string, int>{{"a", 1}, {"b", 2}}) == R"({"a": 1, "b": 2})");
  CHECK(to_text(std::tuple<int, std::string>{1, "x"}) == "(1, \"x\")");
  CHECK(to_text(std::optional<int>{3}) == "3");
  CHECK(to_text(std::optional<int>{}) == "nothing");
  CHECK(to_text(std::variant<int, apple>{apple{1, "x"}}) == "apple{weight: 1, sort: \"x\"}");
}

TEST_CASE("a class says how it is printed by a formatter or by a stream operator") {
  CHECK(to_text(streamed{3}) == "no. 3");
  CHECK(to_text(formatted{3}) == "f3");
  CHECK(to_text(std::vector<streamed>{{1}, {2}}) == "[no. 1, no. 2]");
}

TEST_CASE("pids, refs, reasons and shared values print inside others") {
  const auto p = otter::rts::make_pid(0, 7, 1);
  CHECK(to_text(std::vector<otter::pid>{p}) == "[<0.7.1>]");
  CHECK(to_text(otter::monitor_ref{otter::rts::make_ref(p, 2)}) == "#<0.7.1>.2");
  CHECK(to_text(std::optional<otter::exit_reason>{otter::exit_reason::killed()}) == "killed");
  CHECK(to_text(otter::share(apple{1, "x"})) == "apple{weight: 1, sort: \"x\"}");
}

TEST_CASE("values of sensitive types are masked wherever they are") {
  const order o{{1, "x"}, {"4111111111111111"}, pin{1234}};
  CHECK(to_text(o) == "order{what: apple{weight: 1, sort: \"x\"}, paid_with: ***, code: ***}");
  CHECK(to_text(card{"4111"}) == "***");
  CHECK(to_text(std::vector<pin>{{1}}) == "[***]");
}

TEST_CASE("what cannot be printed prints the name of its type, and pointers no address") {
  int n = 0;
  CHECK(to_text(closed{}) == "<closed>");
  CHECK(to_text(static_cast<int*>(nullptr)) == "null");
  CHECK(to_text(&n).find("0x") == std::string::npos);
  CHECK(to_text(&n).starts_with("<int"));
  CHECK(to_text(std::unique_ptr<int>{}) == "null");
  CHECK(to_text(std::make_unique<int>(1)).starts_with("<unique_ptr<int"));
  CHECK_FALSE(otter::detail::printable<closed>);
}

TEST_CASE("a text never exceeds its limit and shows that it was cut") {
  const std::string text = to_text(std::vector<int>(1'000'000, 7), 64);
  CHECK(text.size() == 64);
  CHECK(text.ends_with("..."));
  CHECK(to_text(std::string(100, 'x'), 10) == "xxxxxxx...");
  CHECK(to_text(std::string(10, 'x'), 10) == "xxxxxxxxxx");
  CHECK(to_text(streamed{12}, 5) == "no...");
  CHECK(to_text(std::string("\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"), 6) == "\xc3\xa4...");
  CHECK(to_text(std::string("abc"), 0).empty());
}

TEST_CASE("a deep structure is printed to a bounded depth") {
  tree deep{0, {}};
  for (int i = 1; i < 1000; ++i) {
    tree above{i, {}};
    above.below.push_back(std::move(deep));
    deep = std::move(above);
  }
  const std::string text = to_text(deep);
  CHECK(text.size() < 200);
  CHECK(text.find("{...}") != std::string::npos);
}
