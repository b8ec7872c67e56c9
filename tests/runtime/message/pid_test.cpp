// Pids, refs and from: plain values.

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <iterator>
#include <otter/error.hpp>
#include <otter/exit_reason.hpp>
#include <otter/pid.hpp>
#include <otter/print.hpp>
#include <otter/ref.hpp>
#include <otter/tcp_address.hpp>
#include <otter/tcp_error.hpp>
#include <type_traits>
#include <unordered_set>

#include "message/pid_access.hpp"

using otter::pid;
using otter::ref;
using otter::rts::make_pid;
using otter::rts::make_ref;

TEST_CASE("a default pid names no process") {
  CHECK_FALSE(pid{});
  CHECK(pid{} == pid{});
  CHECK(make_pid(1, 0, 1));
  CHECK(make_pid(1, 0, 1) != pid{});
}

TEST_CASE("a pid gives back the parts that it was made of, at their limits too") {
  const auto [node, index, generation] =
      GENERATE(table<std::uint32_t, std::uint32_t, std::uint64_t>(
          {{1, 0, 1},
           {255, 812, 3},
           {1, otter::rts::max_process_index, 1},
           {0xffffffff, otter::rts::max_process_index, otter::rts::max_process_generation}}));
  const pid p = make_pid(node, index, generation);
  CHECK(otter::rts::node_of(p) == node);
  CHECK(otter::rts::index_of(p) == index);
  CHECK(otter::rts::generation_of(p) == generation);
}

TEST_CASE("pids differ if node, index or generation do") {
  const pid p = make_pid(1, 2, 3);
  CHECK(p == make_pid(1, 2, 3));
  CHECK(p != make_pid(2, 2, 3));
  CHECK(p != make_pid(1, 3, 3));
  CHECK(p != make_pid(1, 2, 4));
  CHECK((p < make_pid(1, 2, 4)) != (make_pid(1, 2, 4) < p));
}

TEST_CASE("a pid prints as node, index and generation") {
  CHECK(to_string(make_pid(0, 812, 3)) == "<0.812.3>");
  CHECK(fmt::format("{}", make_pid(2, 7, 9)) == "<2.7.9>");
  CHECK(fmt::format("{:>12}|", make_pid(2, 7, 9)) == "     <2.7.9>|");
  CHECK(to_string(make_pid(0xffffffff, otter::rts::max_process_index,
                           otter::rts::max_process_generation)) ==
        "<4294967295.268435455.68719476735>");
}

TEST_CASE("neighbouring pids do not share a hash") {
  std::unordered_set<std::size_t> hashes;
  for (std::uint32_t i = 0; i < 1000; ++i) hashes.insert(std::hash<pid>{}(make_pid(1, i, 1)));
  for (std::uint32_t i = 1; i <= 1000; ++i) hashes.insert(std::hash<pid>{}(make_pid(1, 0, i)));
  CHECK(hashes.size() == 1999);  // <1.0.1> is in both rows
}

TEST_CASE("a default ref names nothing, and a made one its owner and number") {
  CHECK_FALSE(ref{});
  CHECK_FALSE(otter::monitor_ref{});
  const ref r = make_ref(make_pid(1, 2, 3), 4);
  CHECK(r);
  CHECK(r.owner() == make_pid(1, 2, 3));
  CHECK(otter::rts::id_of(r) == 4);
  CHECK(r == make_ref(make_pid(1, 2, 3), 4));
  CHECK(r != make_ref(make_pid(1, 2, 3), 5));
  CHECK(r != make_ref(make_pid(1, 2, 4), 4));
}

TEST_CASE("every kind of ref converts to ref and none to another kind") {
  CHECK(std::is_convertible_v<otter::monitor_ref, ref>);
  CHECK(std::is_convertible_v<otter::alias_ref, ref>);
  CHECK(std::is_convertible_v<otter::timer_ref, ref>);
  CHECK(std::is_convertible_v<otter::request_id, ref>);
  CHECK_FALSE(std::is_convertible_v<otter::monitor_ref, otter::timer_ref>);
  CHECK_FALSE(std::is_convertible_v<ref, otter::timer_ref>);
  CHECK_FALSE(std::is_convertible_v<std::uint64_t, ref>);
  CHECK_FALSE(std::is_convertible_v<ref, std::uint64_t>);
}

TEST_CASE("refs and from are printed and hashed by what they name") {
  const ref r = make_ref(make_pid(1, 2, 3), 4);
  CHECK(to_string(r) == "#<1.2.3>.4");
  CHECK(fmt::format("{}", otter::monitor_ref{r}) == "#<1.2.3>.4");
  CHECK(fmt::format("{}", otter::from{r}) == "#<1.2.3>.4");
  std::unordered_set<otter::monitor_ref> monitors{otter::monitor_ref{r}, otter::monitor_ref{r}};
  CHECK(monitors.size() == 1);
  CHECK(std::hash<otter::from>{}(otter::from{r}) == std::hash<ref>{}(r));
}

TEST_CASE("what can be printed can be printed in every way that fmt has") {
  const ref r = make_ref(make_pid(1, 2, 3), 4);
  const auto every_way = [](const auto& value, const std::string& text) {
    CHECK(otter::to_string(value) == text);
    CHECK(fmt::to_string(value) == text);
    CHECK(fmt::format("{}", value) == text);
    std::string appended;
    fmt::format_to(std::back_inserter(appended), "{}", value);
    CHECK(appended == text);
    CHECK(fmt::format("{:>40}", value) == std::string(40 - text.size(), ' ') + text);
    CHECK(otter::to_text(value) == text);
  };
  every_way(r.owner(), "<1.2.3>");
  every_way(r, "#<1.2.3>.4");
  every_way(otter::monitor_ref{r}, "#<1.2.3>.4");
  every_way(otter::alias_ref{r}, "#<1.2.3>.4");
  every_way(otter::timer_ref{r}, "#<1.2.3>.4");
  every_way(otter::request_id{r}, "#<1.2.3>.4");
  every_way(otter::from{r}, "#<1.2.3>.4");
  every_way(otter::exit_kind::killed, "killed");
  every_way(otter::exit_reason::noproc(), "noproc");
  every_way(otter::errc::badarg, "badarg");
  every_way(otter::tcp_errc::eaddrinuse, "eaddrinuse");
  every_way(otter::tcp_address::loopback(80), "127.0.0.1:80");
}

TEST_CASE("from names the caller and the call") {
  const otter::from f{make_ref(make_pid(1, 2, 3), 4)};
  CHECK(f);
  CHECK(f.caller() == make_pid(1, 2, 3));
  CHECK(f == otter::from{f.call()});
  CHECK(f != otter::from{make_ref(make_pid(1, 2, 3), 5)});
  CHECK_FALSE(otter::from{});
}
