// Values that pass from a field of one type to one of another.

#include <catch2/catch.hpp>
#include <cstdint>
#include <limits>
#include <list>
#include <memory>
#include <optional>
#include <otter/detail/from_plain.hpp>
#include <otter/detail/to_plain.hpp>
#include <string>
#include <vector>

namespace {

/// Empty: it does not fit.
template <class To, class From>
std::optional<To> passed(From const& from) {
  otter::detail::plain_value plain;
  otter::detail::misfit why;
  To to{};
  if (!otter::detail::to_plain(from, plain, why) || !otter::detail::from_plain(plain, to, why))
    return {};
  return to;
}

enum class colour : std::uint8_t { red = 1, blue = 200 };
struct inner_before {
  int a = 0;
  std::string name;
};
struct inner_now {
  std::string name = "none";
  long a = 0;
  int added = 3;
};

}  // namespace

TEST_CASE("a number passes to another type exactly or not at all", "[code_change][CL-13]") {
  CHECK(passed<long>(-5) == -5);
  CHECK(passed<std::uint8_t>(255L) == 255);
  CHECK(!passed<std::uint8_t>(256L));
  CHECK(!passed<unsigned>(-1));
  CHECK(!passed<int>(std::numeric_limits<std::uint64_t>::max()));
  CHECK(passed<std::int64_t>(std::numeric_limits<std::int64_t>::min()) ==
        std::numeric_limits<std::int64_t>::min());
  CHECK(passed<double>(3) == 3.0);
  CHECK(passed<int>(3.0) == 3);
  CHECK(!passed<int>(3.5));
  CHECK(!passed<int>(1e300));
  CHECK(!passed<int>(std::numeric_limits<double>::quiet_NaN()));
  CHECK(!passed<double>((std::int64_t{1} << 53) + 1));
  CHECK(!passed<float>(0.1));
  CHECK(passed<colour>(200) == colour::blue);
  CHECK(passed<int>(colour::red) == 1);
  CHECK(!passed<bool>(1));
  CHECK(!passed<int>(true));
}

TEST_CASE("texts, lists, optionals and structs pass by what is in them", "[code_change][CL-13]") {
  CHECK(!passed<int>(std::string("3")));
  CHECK(!passed<std::string>(3));
  CHECK(passed<std::list<long>>(std::vector<int>{1, 2}) == std::list<long>{1, 2});
  CHECK(!passed<std::vector<std::uint8_t>>(std::vector<int>{1, 1000}));
  CHECK(*passed<std::optional<long>>(4) == 4);
  CHECK(*passed<std::optional<long>>(std::optional<int>()) == std::nullopt);
  CHECK(!passed<int>(std::optional<int>()));
  auto const now = passed<inner_now>(inner_before{4, "x"});
  REQUIRE(now);
  CHECK(now->a == 4);
  CHECK(now->name == "x");
  CHECK(now->added == 3);
  CHECK(!passed<int>(std::unique_ptr<int>()));
}
