// Looking into plain structs.

#include <any>
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <otter/exit_reason.hpp>
#include <otter/ref.hpp>
#include <otter/reflection.hpp>
#include <string>
#include <tuple>
#include <unordered_set>
#include <variant>
#include <vector>

using otter::field_count;
using otter::field_name;
using otter::field_type;
using otter::reflectable;

namespace shape {

struct no_default {
  explicit no_default(int);
};
struct add {
  int by;
};
struct empty {};
struct with_parts {
  add a;
  std::vector<add> many;
  std::map<std::string, add> named;
  std::optional<add> maybe;
  std::variant<int, add> either;
  std::pair<int, add> both;
  std::tuple<int, std::string> some;
  std::array<add, 3> row;
  std::chrono::milliseconds limit{5};
  std::function<void()> then;
  std::unique_ptr<int> owned;
  const char* text = "x";
};
struct down {
  otter::monitor_ref ref;
  otter::pid process;
  otter::exit_reason reason;
};
struct constant {
  const int a;
  const std::string b;
};
struct needs_value {
  int a;
  no_default b;
  int c;
};
struct with_any_behind {
  int a;
  std::any b;
};
struct full {
  int a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, a19, a20,
      a21, a22, a23, a24, a25, a26, a27, a28, a29, a30, a31, a32;
};
template <class T>
struct box {
  T inside;
};

// --- what cannot be reflected ---

struct too_many {
  full first;
  int b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11, b12, b13, b14, b15, b16, b17, b18, b19, b20,
      b21, b22, b23, b24, b25, b26, b27, b28, b29, b30, b31, b32;
};
struct derived : add {
  int more;
};
struct derived_from_empty : empty {};
struct derived_from_all : std::any {
  int more;
};
class closed {
  [[maybe_unused]] int x_ = 0;
};
struct array_first {
  int a[3];
  int b;
};
struct array_last {
  int a;
  std::string b[2];
};
struct array_of_one {
  int a[1];
};
struct bits {
  int a : 3;
  int b : 5;
};
struct lone_bits {
  int a : 3;
};
struct bits_and_more {
  int a : 3;
  double b;
};
struct lvalue {
  int& r;
};
struct lvalue_to_const {
  const long& r;
  int x;
};
struct rvalue {
  int&& r;
};
union either {
  int a;
  float b;
};
struct with_union {
  int x;
  either e;
};
struct with_nameless_union {
  union {
    int a;
    float b;
  };
  int c;
};
struct no_address {
  [[no_unique_address]] empty e;
  int x;
};
struct with_virtual {
  virtual ~with_virtual() = default;
  int x = 0;
};
enum class colour { red };

}  // namespace shape

using namespace shape;

TEST_CASE("a plain struct shows how many fields it has, of which types, and their names") {
  CHECK(field_count<add> == 1);
  CHECK(field_name<add, 0> == "by");
  CHECK(std::is_same_v<field_type<add, 0>, int>);
  CHECK(field_count<empty> == 0);
  CHECK(field_count<down> == 3);
  CHECK(field_name<down, 0> == "ref");
  CHECK(field_name<down, 1> == "process");
  CHECK(field_name<down, 2> == "reason");
  CHECK(std::is_same_v<field_type<down, 2>, otter::exit_reason>);
}

TEST_CASE("fields of library types are counted as one each") {
  CHECK(field_count<with_parts> == 12);
  CHECK(field_name<with_parts, 4> == "either");
  CHECK(field_name<with_parts, 11> == "text");
  CHECK(std::is_same_v<field_type<with_parts, 7>, std::array<add, 3>>);
}

TEST_CASE("constant fields, fields without a default and templates are no hindrance") {
  CHECK(field_count<constant> == 2);
  CHECK(std::is_same_v<field_type<constant, 0>, int>);
  CHECK(field_count<needs_value> == 3);
  CHECK(field_name<needs_value, 2> == "c");
  CHECK(field_name<box<add>, 0> == "inside");
  CHECK(field_count<with_any_behind> == 2);
}

TEST_CASE("32 fields can be reflected and not one more") {
  CHECK(field_count<full> == 32);
  CHECK(field_name<full, 31> == "a32");
  CHECK_FALSE(reflectable<too_many>);
}

TEST_CASE("local types and those of an unnamed namespace have field names too") {
  struct local {
    int here;
  };
  CHECK(field_name<local, 0> == "here");
}

TEST_CASE("what cannot be reflected says so instead of failing to compile") {
  CHECK_FALSE(reflectable<int>);
  CHECK_FALSE(reflectable<std::string>);
  CHECK_FALSE(reflectable<std::array<int, 3>>);
  CHECK_FALSE(reflectable<std::pair<int, int>>);
  CHECK_FALSE(reflectable<colour>);
  CHECK_FALSE(reflectable<derived>);
  CHECK_FALSE(reflectable<derived_from_empty>);
  CHECK_FALSE(reflectable<derived_from_all>);
  CHECK_FALSE(reflectable<closed>);
  CHECK_FALSE(reflectable<array_first>);
  CHECK_FALSE(reflectable<array_last>);
  CHECK_FALSE(reflectable<array_of_one>);
  CHECK_FALSE(reflectable<bits>);
  CHECK_FALSE(reflectable<lone_bits>);
  CHECK_FALSE(reflectable<bits_and_more>);
  CHECK_FALSE(reflectable<lvalue>);
  CHECK_FALSE(reflectable<lvalue_to_const>);
  CHECK_FALSE(reflectable<rvalue>);
  CHECK_FALSE(reflectable<either>);
  CHECK_FALSE(reflectable<with_union>);
  CHECK_FALSE(reflectable<with_nameless_union>);
  CHECK_FALSE(reflectable<no_address>);
  CHECK_FALSE(reflectable<with_virtual>);
}

TEST_CASE("fields are visited in order and can be changed") {
  struct three {
    int a;
    std::string b;
    double c;
  };
  three value{1, "x", 2.5};
  std::string seen;
  otter::for_each_field(value, [&](std::string_view name, auto& field) {
    seen += name;
    if constexpr (std::is_same_v<decltype(field), int&>) field = 7;
  });
  CHECK(seen == "abc");
  CHECK(value.a == 7);
  const three& constant_value = value;
  const int sum = otter::with_fields(
      constant_value,
      [](const int& a, const std::string& b, double) { return a + static_cast<int>(b.size()); });
  CHECK(sum == 8);
}

TEST_CASE("structs without == are compared field by field, inside containers too") {
  using otter::detail::comparable;
  using otter::detail::equal_values;
  struct holder {
    std::vector<add> many;
    std::variant<int, add> either;
    std::optional<add> maybe;
    std::map<int, add> named;
    std::array<add, 2> row;
    std::pair<int, add> both;
  };
  REQUIRE(comparable<holder>);
  const holder a{{{1}}, add{2}, add{3}, {{4, {5}}}, {{{6}, {7}}}, {8, {9}}};
  holder b = a;
  CHECK(equal_values(a, b));
  b.many[0].by = 0;
  CHECK_FALSE(equal_values(a, b));
  b = a;
  b.many.push_back({1});
  CHECK_FALSE(equal_values(a, b));
  b = a;
  b.either = 2;
  CHECK_FALSE(equal_values(a, b));
  b = a;
  b.maybe.reset();
  CHECK_FALSE(equal_values(a, b));
  b = a;
  b.named[4].by = 0;
  CHECK_FALSE(equal_values(a, b));
  b = a;
  b.row[1].by = 0;
  CHECK_FALSE(equal_values(a, b));
  b = a;
  b.both.second.by = 0;
  CHECK_FALSE(equal_values(a, b));
}

TEST_CASE("unordered containers are equal in any order") {
  std::unordered_set<int> a, b;
  for (int i = 0; i < 100; ++i) a.insert(i);
  for (int i = 99; i >= 0; --i) b.insert(i);
  CHECK(otter::detail::equal_values(a, b));
  b.erase(5);
  CHECK_FALSE(otter::detail::equal_values(a, b));
}

TEST_CASE("a type is called comparable or copyable only if that compiles") {
  using otter::detail::comparable;
  using otter::detail::copyable;
  CHECK_FALSE(comparable<closed>);
  CHECK_FALSE(comparable<std::vector<closed>>);
  CHECK_FALSE(comparable<std::variant<int, closed>>);
  CHECK_FALSE(comparable<box<closed>>);
  CHECK(copyable<box<std::vector<add>>>);
  CHECK_FALSE(copyable<std::vector<std::unique_ptr<int>>>);
  CHECK_FALSE(copyable<box<std::vector<std::unique_ptr<int>>>>);
  CHECK_FALSE(copyable<std::atomic<int>>);
}
