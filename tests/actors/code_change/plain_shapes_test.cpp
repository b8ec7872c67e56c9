// Containers, variants, units of time and owned values that pass from one type to another, and what
// is said of those that do not fit.

#include <array>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <otter/detail/from_plain.hpp>
#include <otter/detail/to_plain.hpp>
#include <otter/pid.hpp>
#include <random>
#include <ratio>
#include <set>
#include <string>
#include <tl/expected.hpp>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "seeds.hpp"

namespace {

using namespace std::chrono_literals;
using otter::detail::misfit;
using otter::detail::plain_value;

/// Empty: it does not fit, and `why` says where.
template <class To, class From>
std::optional<To> passed(From const& from, misfit& why) {
  plain_value plain;
  To to{};
  if (!otter::detail::to_plain(from, plain, why) || !otter::detail::from_plain(plain, to, why))
    return {};
  return to;
}
template <class To, class From>
std::optional<To> passed(From const& from) {
  misfit why;
  return passed<To>(from, why);
}
template <class To, class From>
std::string misfit_of(From const& from) {
  misfit why;
  return passed<To>(from, why) ? "it fits" : why.text();
}

struct frame {
  int size = 0;
  std::string name;
};
struct small_frame {
  std::uint8_t size = 0;
  std::string name;
};
template <class Frame>
struct window_list {
  std::vector<Frame> window;
  std::map<std::string, Frame> named;
};
template <class Frame>
struct settings {
  window_list<Frame> limits;
};

/// One of each shape, and the same in wider types.
struct near {
  std::map<std::string, std::vector<small_frame>> by_name;
  std::map<int, std::set<std::uint8_t>> numbers;
  std::array<short, 3> three{};
  std::pair<int, std::string> both;
  std::tuple<bool, float, char> parts;
  std::variant<int, std::string, small_frame> one_of;
  std::chrono::seconds span{};
  std::optional<std::optional<int>> perhaps;
  tl::expected<int, std::string> found;
  std::vector<bool> bits;
  std::unique_ptr<small_frame> owned;
};
struct far {
  std::unique_ptr<frame> owned;
  std::vector<bool> bits;
  tl::expected<long, std::string> found;
  std::optional<std::optional<double>> perhaps;
  std::chrono::nanoseconds span{};
  std::variant<frame, std::string, double> one_of;
  std::tuple<bool, double, int> parts;
  std::tuple<long, std::string> both;
  std::list<int> three;
  std::unordered_map<long, std::list<int>> numbers;
  std::unordered_map<std::string, std::list<frame>> by_name;
  int added = 7;
};

class source_of_values {
 public:
  explicit source_of_values(std::uint64_t seed) : random_(seed) {}

  template <class T>
  T number() {
    // Small numbers and the ends of the range are what goes wrong.
    switch (random_() % 4) {
      case 0:
        return static_cast<T>(random_() % 8);
      case 1:
        return std::numeric_limits<T>::max();
      case 2:
        return std::numeric_limits<T>::min();
      default:
        return static_cast<T>(random_());
    }
  }
  std::size_t up_to(std::size_t n) { return random_() % (n + 1); }
  bool coin() { return random_() % 2 == 0; }
  std::string text() {
    std::string all(up_to(5), ' ');
    for (char& c : all) c = static_cast<char>('a' + random_() % 26);
    return all;
  }
  small_frame a_frame() { return {number<std::uint8_t>(), text()}; }
  near value() {
    near v;
    for (std::size_t n = up_to(3); n != 0; --n)
      for (std::size_t m = up_to(3); m != 0; --m) v.by_name[text()].push_back(a_frame());
    for (std::size_t n = up_to(3); n != 0; --n)
      for (std::size_t m = up_to(3); m != 0; --m)
        v.numbers[number<int>()].insert(number<std::uint8_t>());
    for (short& n : v.three) n = number<short>();
    v.both = {number<int>(), text()};
    v.parts = {coin(), static_cast<float>(number<int>()), number<char>()};
    switch (up_to(2)) {
      case 0:
        v.one_of = number<int>();
        break;
      case 1:
        v.one_of = text();
        break;
      default:
        v.one_of = a_frame();
    }
    v.span = std::chrono::seconds(number<int>());
    if (coin()) v.perhaps = coin() ? std::optional(number<int>()) : std::nullopt;
    if (coin())
      v.found = number<int>();
    else
      v.found = tl::unexpected(text());
    for (std::size_t n = up_to(5); n != 0; --n) v.bits.push_back(coin());
    if (coin()) v.owned = std::make_unique<small_frame>(a_frame());
    return v;
  }

 private:
  std::mt19937_64 random_;
};

bool equal(small_frame const& a, small_frame const& b) {
  return a.size == b.size && a.name == b.name;
}
bool equal(near const& a, near const& b) {
  using otter::detail::equal_values;
  return equal_values(a.by_name, b.by_name) && a.numbers == b.numbers && a.three == b.three &&
         a.both == b.both && a.parts == b.parts && equal_values(a.one_of, b.one_of) &&
         a.span == b.span && a.perhaps == b.perhaps && a.found == b.found && a.bits == b.bits &&
         (a.owned == nullptr) == (b.owned == nullptr) &&
         (a.owned == nullptr || equal(*a.owned, *b.owned));
}

struct chain {
  int number = 0;
  std::unique_ptr<chain> next;
};
chain chain_of(unsigned length) {
  chain first;
  for (unsigned i = 1; i < length; ++i)
    first.next = std::make_unique<chain>(chain{static_cast<int>(i), std::move(first.next)});
  return first;
}

}  // namespace

TEST_CASE("whatever passes to wider types and back is what it was", "[code_change][CL-13]") {
  for (std::uint64_t seed = 1; seed != 300; ++seed) {
    otter_test::run_of const run(seed);
    source_of_values source(seed);
    near const before = source.value();
    misfit why;
    auto const wide = passed<far>(before, why);
    INFO(seed << ": " << why.text());
    REQUIRE(wide);
    REQUIRE(wide->added == 7);
    auto const after = passed<near>(*wide, why);
    INFO(why.text());
    REQUIRE(after);
    REQUIRE(equal(*after, before));
  }
}

TEST_CASE("a number passes to a narrower type if that holds it, whatever it lies in",
          "[code_change][CL-13]") {
  for (std::uint64_t seed = 1; seed != 300; ++seed) {
    otter_test::run_of const run(seed);
    source_of_values source(seed);
    auto const n = source.number<std::int64_t>();
    INFO(seed << ": " << n);
    CHECK(passed<std::int32_t>(n).has_value() == std::in_range<std::int32_t>(n));
    CHECK(passed<std::uint64_t>(n).has_value() == std::in_range<std::uint64_t>(n));
    std::map<int, std::vector<std::int64_t>> const deep{{1, {0, n}}};
    CHECK((passed<std::unordered_map<int, std::list<std::uint8_t>>>(deep).has_value()) ==
          std::in_range<std::uint8_t>(n));
    std::chrono::nanoseconds const span(n);
    auto const whole = passed<std::chrono::milliseconds>(span);
    CHECK(whole.has_value() == (n % 1'000'000 == 0));
    if (whole) CHECK(*whole == span);
    std::int64_t finer = 0;
    bool const holds = !__builtin_mul_overflow(n, 1000, &finer);
    auto const in_milliseconds = passed<std::chrono::milliseconds>(std::chrono::seconds(n));
    CHECK(in_milliseconds.has_value() == holds);
    if (in_milliseconds) CHECK(in_milliseconds->count() == finer);
  }
}

TEST_CASE("lists, sets and maps pass by their elements, arrays by their length too",
          "[code_change][CL-13]") {
  CHECK(passed<std::array<long, 2>>(std::vector<int>{1, 2}) == std::array<long, 2>{1, 2});
  CHECK(!passed<std::array<long, 3>>(std::vector<int>{1, 2}));
  CHECK(!passed<std::array<long, 1>>(std::array<long, 2>{1, 2}));
  CHECK(passed<std::set<int>>(std::vector<int>{2, 1}) == std::set<int>{1, 2});
  CHECK(!passed<std::set<int>>(std::vector<int>{1, 1}));
  CHECK(passed<std::multiset<int>>(std::vector<int>{1, 1})->size() == 2);
  using pairs = std::vector<std::pair<int, std::string>>;
  CHECK(passed<std::map<int, std::string>>(pairs{{1, "a"}, {2, "b"}})->at(2) == "b");
  CHECK(!passed<std::map<int, std::string>>(pairs{{1, "a"}, {1, "b"}}));
  CHECK(passed<pairs>(std::map<int, std::string>{{1, "a"}}) == pairs{{1, "a"}});
  CHECK(passed<std::tuple<long, double>>(std::pair<int, int>(1, 2)) ==
        std::tuple<long, double>(1, 2));
  CHECK(!passed<std::tuple<int>>(std::pair<int, int>(1, 2)));
  CHECK(!passed<std::vector<int>>(std::pair<int, int>(1, 2)));
}

TEST_CASE("a variant goes to the alternative of its type's name, else to the first that fits",
          "[code_change][CL-13]") {
  using before = std::variant<int, std::string>;
  CHECK(passed<std::variant<long, int>>(before(4))->index() == 1);
  CHECK(passed<std::variant<std::string, long>>(before(4)) == std::variant<std::string, long>(4L));
  CHECK(!passed<std::variant<long, bool>>(before("x")));
  CHECK(passed<std::variant<std::uint8_t, long>>(before(300))->index() == 1);
  CHECK(passed<int>(before(4)) == 4);
  CHECK(!passed<int>(before("x")));
  CHECK(passed<std::variant<bool, long>>(7)->index() == 1);
  // What has its name must fit there: it does not become something else.
  CHECK(!passed<std::variant<std::vector<std::uint8_t>, std::string>>(
      std::variant<std::vector<int>, int>(std::vector<int>{300})));
  using twins = std::variant<int, int>;
  CHECK(passed<std::variant<std::string, int, int>>(twins(std::in_place_index<1>, 4))->index() ==
        2);
  CHECK(!passed<std::variant<std::string, int>>(twins(std::in_place_index<1>, 4)));

  using found = tl::expected<int, std::string>;
  CHECK(passed<tl::expected<long, std::string>>(found(4)).value() ==
        tl::expected<long, std::string>(4L));
  CHECK(!passed<int>(found(tl::unexpected(std::string("none")))));
  CHECK(!passed<tl::expected<int, int>>(found(tl::unexpected(std::string("none")))));
  CHECK(passed<found>(4).value() == found(4));
}

TEST_CASE("a duration passes to another unit exactly or not at all", "[code_change][CL-13]") {
  CHECK(passed<std::chrono::milliseconds>(3s) == 3s);
  CHECK(passed<std::chrono::seconds>(3000ms) == 3s);
  CHECK(!passed<std::chrono::seconds>(1500ms));
  CHECK(!passed<std::chrono::nanoseconds>(std::chrono::hours::max()));
  CHECK(passed<std::chrono::hours>(std::chrono::minutes(-120)) == -2h);
  using in_seconds = std::chrono::duration<double>;
  CHECK(passed<in_seconds>(1500ms) == in_seconds(1.5));
  CHECK(!passed<in_seconds>(100ms));
  CHECK(passed<std::chrono::milliseconds>(in_seconds(1.5)) == 1500ms);
  CHECK(!passed<std::chrono::milliseconds>(in_seconds(0.0001)));
  CHECK(!passed<std::chrono::milliseconds>(in_seconds(1e300)));
  CHECK(passed<std::chrono::duration<std::uint8_t>>(255s));
  CHECK(!passed<std::chrono::duration<std::uint8_t>>(256s));
  CHECK(!passed<int>(3s));
  CHECK(!passed<std::chrono::seconds>(3));
  using thirds = std::chrono::duration<int, std::ratio<1, 3>>;
  CHECK(passed<std::chrono::seconds>(thirds(6)) == 2s);
  CHECK(!passed<std::chrono::seconds>(thirds(7)));
}

TEST_CASE("an optional and an owned value are the value or nothing", "[code_change][CL-13]") {
  CHECK(*passed<std::unique_ptr<long>>(std::optional<int>(4)).value() == 4);
  CHECK(passed<std::optional<long>>(std::make_unique<int>(4)).value() == 4);
  CHECK(passed<std::unique_ptr<long>>(std::optional<int>()).value() == nullptr);
  CHECK(passed<long>(std::make_unique<int>(4)) == 4);
  CHECK(!passed<long>(std::unique_ptr<int>()));
  using twice = std::optional<std::optional<int>>;
  CHECK(passed<twice>(twice(std::optional<int>())).value() == twice(std::optional<int>()));
  CHECK(passed<twice>(twice()).value() == twice());
  CHECK(!passed<int>(twice(std::optional<int>())));
  CHECK(!passed<float>(0.1L));
  CHECK(!passed<long double>(0.1L));
}

TEST_CASE("what is no plain value is copied to its own type and fits into no other",
          "[code_change][CL-13]") {
  std::vector<otter::pid> const pids(2);
  CHECK(passed<std::list<otter::pid>>(pids)->size() == 2);
  CHECK(!passed<std::vector<int>>(pids));
  CHECK(!passed<otter::pid>(4));
}

TEST_CASE("values lie within one another 64 deep at most", "[code_change][CL-13]") {
  misfit why;
  CHECK(passed<chain>(chain_of(20), why));
  CHECK(!passed<chain>(chain_of(1000), why));
  CHECK(why.text().find("it lies deeper than 64 values within another") != std::string::npos);
}

TEST_CASE("a value that does not fit is named by the way to it, with both types",
          "[code_change][CL-15]") {
  settings<frame> before;
  before.limits.window = {{1, "a"}, {2, "b"}, {3, "c"}, {300, "d"}};
  CHECK(misfit_of<settings<small_frame>>(before) ==
        "limits.window[3].size: 300 (int) does not fit into unsigned char");
  before.limits.window.clear();
  before.limits.named["tea"] = {-1, "a"};
  CHECK(misfit_of<settings<small_frame>>(before) ==
        "limits.named[\"tea\"].size: -1 (int) does not fit into unsigned char");
  CHECK(misfit_of<std::map<int, int>>(std::map<int, std::string>{{8, "x"}})
            .starts_with("[8]: a text of 1 bytes ("));
  std::string const secret = misfit_of<int>(std::string("secret"));
  CHECK(secret.starts_with("a text of 6 bytes ("));
  CHECK(secret.ends_with(" does not fit into int"));
  CHECK(misfit_of<std::array<int, 2>>(std::vector<int>{1}).ends_with(", the lengths differ"));
  CHECK(misfit_of<std::set<int>>(std::vector<int>{1, 1}) ==
        "[1]: 1 (int) does not fit into int, there is an equal one");
}
