// What is in the trace of a simulation, and so in its digest: everything that differs between two
// runs but for addresses.

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <otter/message.hpp>
#include <otter/simulation.hpp>
#include <otter/timer.hpp>

#include "message/pid_access.hpp"
#include "process_support.hpp"

using namespace process_test;

namespace {

struct other_number {
  int n;
};
struct holds_pointer {
  int* where;
  int n;
};
/// Nobody can look into it, and its bytes are an address.
class hides_pointer {
 public:
  explicit hides_pointer(void* p) noexcept : where_(p) {}
  void* where() const noexcept { return where_; }

 private:
  void* where_;
};
/// Most of it is a hole with whatever was there before.
struct padded {
  char first;
  long long second;
};

template <class F>
std::uint64_t digest_of(F body) {
  otter::simulation sim(7);
  auto const end = sim.run(std::move(body));
  CHECK(end.finished);
  return end.digest;
}

template <class Message>
std::uint64_t digest_of_sending(Message const& m) {
  return digest_of([m] {
    otter::send(otter::self(), m);
    otter::receive([](Message const&) {});
  });
}

/// The text of the trace of `body`, of one seed.
template <class F>
std::string trace_of(F body) {
  auto const path =
      std::filesystem::temp_directory_path() / fmt::format("otter_trace_{}", ::getpid());
  std::filesystem::remove(path);
  {
    otter::simulation_options options;
    options.trace_file = path.string();
    otter::simulation sim(7, options);
    CHECK(sim.run(std::move(body)).finished);
  }
  std::ifstream file(path);
  std::string const text{std::istreambuf_iterator<char>(file), {}};
  std::filesystem::remove(path);
  return text;
}

bool has(std::string const& text, std::string const& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("the digest of a run depends on what its messages carry", "[simulation]") {
  CHECK(digest_of_sending(number{1}) == digest_of_sending(number{1}));
  CHECK(digest_of_sending(number{1}) != digest_of_sending(number{2}));
  CHECK(digest_of_sending(std::string(5000, 'a')) != digest_of_sending(std::string(5000, 'b')));
  std::vector<int> long_list(10'000, 1);
  std::uint64_t const before = digest_of_sending(long_list);
  long_list.back() = 2;
  CHECK(digest_of_sending(long_list) != before);
}

TEST_CASE("the digest of a run depends on the types of its messages", "[simulation]") {
  CHECK(digest_of_sending(number{1}) != digest_of_sending(other_number{1}));
}

TEST_CASE("no address gets into the digest of a run, and no hole in a struct", "[simulation]") {
  std::vector<int> numbers(2);
  CHECK(digest_of_sending(holds_pointer{&numbers[0], 1}) ==
        digest_of_sending(holds_pointer{&numbers[1], 1}));
  CHECK(digest_of_sending(holds_pointer{&numbers[0], 1}) !=
        digest_of_sending(holds_pointer{&numbers[0], 2}));
  CHECK(digest_of_sending(hides_pointer(&numbers[0])) ==
        digest_of_sending(hides_pointer(&numbers[1])));
  CHECK(digest_of_sending(std::make_shared<int>(1)) == digest_of_sending(std::make_shared<int>(1)));
  auto const in_dirty_memory = [](int dirt) {
    alignas(padded) unsigned char bytes[sizeof(padded)];
    std::fill(std::begin(bytes), std::end(bytes), static_cast<unsigned char>(dirt));
    auto* const p = ::new (static_cast<void*>(bytes)) padded;
    p->first = 'a';
    p->second = 1;
    return digest_of_sending(*p);
  };
  CHECK(in_dirty_memory(0) == in_dirty_memory(0xff));
}

TEST_CASE("the digest of a run depends on messages that nobody gets", "[simulation]") {
  auto const to_the_dead = [](int n) {
    return digest_of([n] {
      otter::spawned const p = otter::spawn_monitor([] {});
      end_of(p.ref);
      otter::send(p, number{n});
    });
  };
  CHECK(to_the_dead(1) == to_the_dead(1));
  CHECK(to_the_dead(1) != to_the_dead(2));
}

TEST_CASE("the digest of a run depends on the reasons of its exits", "[simulation]") {
  auto const ends_with = [](char const* text) {
    return digest_of([text] {
      end_of(otter::spawn_monitor([text] { otter::exit(exit_reason::of(std::string(text))); }).ref);
    });
  };
  CHECK(ends_with("one") == ends_with("one"));
  CHECK(ends_with("one") != ends_with("two"));
}

TEST_CASE("a line of the trace says who sent what to whom", "[simulation]") {
  std::string receiver, sender;
  std::string const text = trace_of([&] {
    otter::pid const me = otter::self();
    otter::pid const child = otter::spawn([me] { otter::send(me, number{17}); });
    otter::receive([](number) {});
    auto const bits = [](otter::pid p) { return otter::rts::pid_access::bits(p); };
    receiver = fmt::format("{}", bits(me));
    sender = fmt::format("{}", bits(child));
  });
  CHECK(has(text,
            "signal " + receiver + " " + sender + " message process_test::number number{n: 17}\n"));
}

TEST_CASE("timers are in the trace when they start, fire and are cancelled", "[simulation]") {
  std::string const text = trace_of([] {
    otter::send_after(5us, otter::self(), number{1});
    otter::timer_ref const late = otter::send_after(1h, otter::self(), number{2});
    otter::receive([](number) {});
    otter::cancel_timer(late);
  });
  auto const line = [&](std::string const& what, std::string const& part) {
    auto const at = text.find("\n" + what);
    return at != std::string::npos && has(text.substr(at), part);
  };
  CHECK(line("timer started", "number{n: 1}"));
  CHECK(line("timer started", "number{n: 2}"));
  CHECK(line("timer fires", "number{n: 1}"));
  CHECK(has(text, "\ntimer cancelled "));
}
