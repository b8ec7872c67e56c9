// What an exception that left a process means for it.

#include <catch2/catch.hpp>
#include <cstdlib>
#include <new>
#include <otter/exit_reason.hpp>
#include <stdexcept>
#include <string>

using Catch::Matchers::Contains;
using otter::exit_kind;
using otter::exit_reason;

namespace shop {
struct out_of_stock : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct no_exception_at_all {};
struct no_words : std::exception {
  const char* what() const noexcept override { return nullptr; }
};
struct nests_without_words : std::nested_exception {};
}  // namespace shop

namespace {

template <class Exception>
exit_reason reason_of(const Exception& exception) {
  return exit_reason::from_exception(std::make_exception_ptr(exception));
}

[[noreturn]] void nest(int levels) {
  if (levels == 0) throw std::logic_error("innermost");
  try {
    nest(levels - 1);
  } catch (...) {
    std::throw_with_nested(std::runtime_error("level " + std::to_string(levels)));
  }
}

exit_reason nested_reason(int levels) {
  try {
    nest(levels);
  } catch (...) {
    return exit_reason::from_current_exception();
  }
}

}  // namespace

TEST_CASE("an exception becomes an error with its dynamic type and what", "[C0-1]") {
  exit_reason reason;
  try {
    throw shop::out_of_stock("no apples");
  } catch (const std::exception&) {
    reason = exit_reason::from_current_exception("shop.cpp:7");
  }
  CHECK(reason.kind() == exit_kind::error);
  CHECK(reason.type_name() == "shop::out_of_stock");
  CHECK(reason.text() == "no apples");
  CHECK(reason.place() == "shop.cpp:7");
  CHECK(reason == exit_reason::error("shop::out_of_stock", "no apples"));
}

TEST_CASE("what otter::exit throws gives the reason that it carries", "[C0-1]") {
  CHECK(reason_of(otter::process_exit{exit_reason::of(3)}) == exit_reason::of(3));
  CHECK(reason_of(otter::process_exit{exit_reason::normal()}) == exit_kind::normal);
  CHECK_FALSE(std::is_base_of_v<std::exception, otter::process_exit>);
}

TEST_CASE("any object that is thrown becomes an error", "[C0-1]") {
  CHECK(reason_of(42) == exit_reason::error("int", "42"));
  CHECK(reason_of(true) == exit_reason::error("bool", "true"));
  CHECK(reason_of(2.5) == exit_reason::error("double", "2.5"));
  const char* const words = "words";
  CHECK(reason_of(words) == exit_reason::error("char const*", "words"));
  CHECK(reason_of(std::string("words")).text() == "words");
  CHECK(reason_of(shop::no_exception_at_all{}) ==
        exit_reason::error("shop::no_exception_at_all", ""));
}

TEST_CASE("an exception without words is named by its type") {
  CHECK(reason_of(shop::no_words{}) == exit_reason::error("shop::no_words", ""));
  const char* const nothing = nullptr;
  CHECK(reason_of(nothing) == exit_reason::error("char const*", ""));
}

TEST_CASE("no exception is a normal end") {
  CHECK(exit_reason::from_exception(nullptr) == exit_reason::normal());
}

TEST_CASE("what is nested in an exception is told after it") {
  const auto reason = nested_reason(2);
  CHECK_THAT(std::string(reason.type_name()), Contains("std::runtime_error"));
  CHECK_THAT(std::string(reason.text()), Catch::StartsWith("level 2; caused by "));
  CHECK_THAT(std::string(reason.text()),
             Contains("level 1; caused by std::logic_error: innermost"));

  exit_reason foreign;
  try {
    try {
      throw 7;
    } catch (...) {
      throw shop::nests_without_words{};
    }
  } catch (...) {
    foreign = exit_reason::from_current_exception();
  }
  CHECK(foreign == exit_reason::error("shop::nests_without_words", "caused by int: 7"));
}

TEST_CASE("nesting is followed to its bound and no further") {
  const std::string text(nested_reason(20).text());
  CHECK_THAT(text, Contains("level 13"));
  CHECK_THAT(text, !Contains("level 12"));
  CHECK_THAT(text, Catch::EndsWith("; caused by more"));
}

TEST_CASE("a huge what is cut") {
  const auto reason = reason_of(std::runtime_error(std::string(1 << 20, 'x')));
  CHECK(reason.text().size() == exit_reason::max_text);
  CHECK(reason.text().ends_with("xxx..."));
}

TEST_CASE("running out of memory is an exception like others") {
  CHECK(reason_of(std::bad_alloc{}) == exit_reason::error("std::bad_alloc", "std::bad_alloc"));
}
