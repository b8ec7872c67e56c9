// Exit reasons as values: kinds, equality, payloads, text.

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <memory>
#include <otter/exit_reason.hpp>
#include <string>
#include <vector>

using otter::exit_kind;
using otter::exit_reason;

namespace {

struct bad_value {
  std::string what;
};
struct bad_key {
  std::string what;
};
enum class refusal { no_room, no_right };

struct counted {
  std::shared_ptr<int> uses;
  bool operator==(const counted&) const = default;
};

struct alignas(64) wide {
  int n;
};

struct cannot_compare {
  bool operator==(const cannot_compare&) const { throw 1; }
  int n = 0;
};

void* const one_frame[] = {nullptr};

std::vector<exit_reason> all_different() {
  return {exit_reason::normal(),
          exit_reason::shutdown(),
          exit_reason::shutdown("upgrade"),
          exit_reason::shutdown("move"),
          exit_reason::shutdown(bad_value{"x"}),
          exit_reason::kill(),
          exit_reason::killed(),
          exit_reason::noproc(),
          exit_reason::noconnection(),
          exit_reason::timeout(),
          exit_reason::mailbox_full(),
          exit_reason::calling_self(),
          exit_reason::busy(),
          exit_reason::system_limit(),
          exit_reason::system_limit("stacks"),
          exit_reason::bad_return_value("3"),
          exit_reason::abandoned(),
          exit_reason::error("std::runtime_error", "a"),
          exit_reason::error("std::runtime_error", "b"),
          exit_reason::error("std::logic_error", "a"),
          exit_reason::nocatch("a"),
          exit_reason::of("a"),
          exit_reason::of(1),
          exit_reason::of(2),
          exit_reason::of(1L),
          exit_reason::of(bad_value{"x"}),
          exit_reason::of(bad_value{"y"}),
          exit_reason::of(bad_key{"x"}),
          exit_reason::of(refusal::no_room),
          exit_reason::of(refusal::no_right),
          exit_reason::call_failed(exit_reason::noproc(), "counter"),
          exit_reason::call_failed(exit_reason::timeout(), "counter"),
          exit_reason::call_failed(exit_reason::noproc(), "roster"),
          exit_reason::call_failed(exit_reason::of(1), "counter")};
}

}  // namespace

TEST_CASE("reasons are equal if kind, type, text and payload are, and only then") {
  const auto some = all_different();
  const auto same = all_different();
  for (std::size_t i = 0; i < some.size(); ++i) {
    for (std::size_t j = 0; j < same.size(); ++j) {
      INFO(to_string(some[i]) << " and " << to_string(same[j]));
      CHECK((some[i] == same[j]) == (i == j));
    }
  }
}

TEST_CASE("place and backtrace do not count when reasons are compared", "[C0-1]") {
  const auto here = exit_reason::error("std::runtime_error", "a", "here.cpp:1");
  const auto there = exit_reason::error("std::runtime_error", "a", "there.cpp:2");
  CHECK(here == there);
  CHECK(here.place() == "here.cpp:1");
  const auto traced = exit_reason::from_exception(std::make_exception_ptr(1), "x", one_frame);
  CHECK(traced == exit_reason::from_exception(std::make_exception_ptr(1)));
  CHECK(traced.backtrace().size() == 1);
}

TEST_CASE("normal and shutdown are normal ends and everything else is abnormal") {
  for (const exit_reason& reason : all_different()) {
    const bool normal = reason == exit_kind::normal || reason == exit_kind::shutdown ||
                        reason == exit_kind::shutdown_with;
    INFO(to_string(reason));
    CHECK(reason.is_normal_exit() == normal);
    CHECK(reason.abnormal() != normal);
  }
}

TEST_CASE("kill and killed are two reasons") {
  CHECK(exit_reason::kill() != exit_reason::killed());
  CHECK(exit_reason::kill() == exit_kind::kill);
}

TEST_CASE("a default reason and one that was moved from are normal") {
  CHECK(exit_reason{} == exit_reason::normal());
  exit_reason from = exit_reason::of(1);
  const exit_reason to = std::move(from);
  CHECK(to == exit_reason::of(1));
  CHECK(from == exit_kind::normal);
}

TEST_CASE("a payload is found by its type and no other") {
  const auto reason = exit_reason::of(bad_value{"jid is empty"});
  REQUIRE(reason.get<bad_value>() != nullptr);
  CHECK(reason.get<bad_value>()->what == "jid is empty");
  CHECK(reason.get<bad_key>() == nullptr);
  CHECK(exit_reason::of("text").get<std::string>() == nullptr);
  CHECK(exit_reason::normal().get<bad_value>() == nullptr);
  CHECK(exit_reason::shutdown(bad_value{"x"}).get<bad_value>() != nullptr);
}

TEST_CASE("a payload lives as long as a reason that has it and no longer") {
  auto watched = std::make_shared<int>(1);
  std::weak_ptr<int> watch = watched;
  {
    auto first = exit_reason::of(counted{std::move(watched)});
    exit_reason second = first;
    first = exit_reason::normal();
    CHECK_FALSE(watch.expired());
    const auto failed = exit_reason::call_failed(second, "counter");
    second = exit_reason::normal();
    CHECK_FALSE(watch.expired());
    CHECK(failed.cause().get<counted>() != nullptr);
  }
  CHECK(watch.expired());
}

TEST_CASE("a payload is aligned as its type asks") {
  const auto reason = exit_reason::of(wide{3});
  CHECK(reinterpret_cast<std::uintptr_t>(reason.get<wide>()) % 64 == 0);
  CHECK(reason.get<wide>()->n == 3);
}

TEST_CASE("payloads whose comparison throws are not equal") {
  CHECK_FALSE(exit_reason::of(cannot_compare{}) == exit_reason::of(cannot_compare{}));
}

TEST_CASE("a failed call knows why it failed and what was called", "[GC-7]") {
  const auto reason = exit_reason::call_failed(exit_reason::of(bad_value{"x"}), "counter <0.7.1>");
  CHECK(reason.kind() == exit_kind::call_failed);
  CHECK(reason.cause() == exit_reason::of(bad_value{"x"}));
  CHECK(reason.text() == "counter <0.7.1>");
  CHECK(reason.abnormal());
}

TEST_CASE("a long chain of failed calls keeps its first cause and stays short") {
  auto reason = exit_reason::noproc();
  for (int i = 0; i < 10'000; ++i) reason = exit_reason::call_failed(reason, "next");
  std::size_t depth = 0;
  const exit_reason* at = &reason;
  for (; at->kind() == exit_kind::call_failed; at = &at->cause()) ++depth;
  CHECK(depth >= 1);
  CHECK(depth <= exit_reason::max_depth);
  CHECK(*at == exit_reason::noproc());
}

TEST_CASE("a reason says in one line what it is") {
  const auto [reason, text] = GENERATE(table<exit_reason, std::string>({
      {exit_reason::normal(), "normal"},
      {exit_reason::shutdown("upgrade"), "shutdown(upgrade)"},
      {exit_reason::shutdown(refusal::no_right), "shutdown(refusal(1))"},
      {exit_reason::mailbox_full(), "mailbox_full"},
      {exit_reason::system_limit("stacks"), "system_limit(stacks)"},
      {exit_reason::bad_return_value("3"), "bad_return_value(3)"},
      {exit_reason::error("std::runtime_error", "x"), "std::runtime_error(\"x\")"},
      {exit_reason::error("e", "x", "a.cpp:1"), "e(\"x\") at a.cpp:1"},
      {exit_reason::of("crashed"), "crashed"},
      {exit_reason::of(bad_value{"jid is empty"}), "bad_value{what: \"jid is empty\"}"},
      {exit_reason::call_failed(exit_reason::noproc(), "counter"), "noproc in call to counter"},
  }));
  CHECK(to_string(reason) == text);
  CHECK(fmt::format("{}", reason) == text);
}

TEST_CASE("a huge text is cut at the border of a character") {
  std::string text;
  while (text.size() < 2 * exit_reason::max_text) text += "\xc3\xa4";  // two bytes each
  const auto reason = exit_reason::of("x" + text);
  CHECK(reason.text().size() <= exit_reason::max_text);
  CHECK(reason.text().size() >= exit_reason::max_text - 4);
  CHECK(reason.text().ends_with("\xc3\xa4..."));
  CHECK(reason == exit_reason::of("x" + text));
}

TEST_CASE("without its payload a reason keeps type and text") {
  const auto reason = exit_reason::of(bad_value{"x"});
  const auto plain = reason.without_payload();
  CHECK(plain.kind() == exit_kind::user);
  CHECK(plain.get<bad_value>() == nullptr);
  CHECK(plain.type_name() == reason.type_name());
  CHECK(to_string(plain) == to_string(reason));
  CHECK(exit_reason::timeout().without_payload() == exit_reason::timeout());
  const auto nested = exit_reason::call_failed(reason, "counter").without_payload();
  CHECK(nested.cause().get<bad_value>() == nullptr);
  CHECK(to_string(nested) == "bad_value{what: \"x\"} in call to counter");
}
