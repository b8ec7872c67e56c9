// 17: stages - events at the pace of those who take them.
//
// A reader has a long list of words, a stage between keeps the long ones, and a printer is slow.
// The reader is never far ahead: it reads what is asked for. Then one reader has two listeners, who
// both get everything.
//
// Try: a larger max_demand; dispatcher<...>::demand() in place of broadcast().

#include <cstddef>
#include <cstdio>
#include <otter/exit.hpp>
#include <otter/gen_server.hpp>
#include <otter/monitor.hpp>
#include <otter/node.hpp>
#include <otter/receive.hpp>
#include <otter/stage.hpp>
#include <string>
#include <utility>
#include <vector>

namespace {

std::vector<std::string> const text = {"a",     "stage", "asks", "for",    "what", "it",
                                       "can",   "take",  "and",  "gets",   "no",   "more",
                                       "while", "who",   "has",  "nothing"};

/// Reads the text, as much as is wanted, and ends when all is read.
class reader : public otter::producer<reader, std::string> {
 public:
  struct position {
    using reply = std::size_t;
  };
  using accepts = with<position>;

  explicit reader(otter::producer_options<std::string> how = {}) : producer(std::move(how)) {}

  std::vector<std::string> handle_demand(std::size_t wanted) {
    if (next_ == text.size()) throw otter::result(stop(otter::exit_reason::normal()));
    std::vector<std::string> words;
    while (words.size() != wanted && next_ != text.size()) words.push_back(text[next_++]);
    return words;
  }
  std::size_t handle_call(position) { return next_; }

 private:
  std::size_t next_ = 0;
};

/// Hands on words of four letters and more.
class long_words
    : public otter::producer_consumer<long_words, std::string, std::pair<std::string, int>> {
 public:
  std::vector<std::pair<std::string, int>> handle_events(std::vector<std::string> words) {
    std::vector<std::pair<std::string, int>> out;
    for (std::string& word : words) {
      ++number_;
      if (word.size() >= 4) out.emplace_back(std::move(word), number_);
    }
    return out;
  }

 private:
  int number_ = 0;
};

/// Prints, and waits for a nod after each word.
class printer : public otter::consumer<printer, std::pair<std::string, int>> {
 public:
  struct nod {};

  explicit printer(otter::pid boss) : boss_(boss) {}
  void handle_events(std::vector<std::pair<std::string, int>> words) {
    for (auto const& [word, number] : words) {
      std::printf("word %d: %s\n", number, word.c_str());
      otter::send(boss_, nod{});
      otter::receive([](nod) {});
    }
  }

 private:
  otter::pid boss_;
};

class listener : public otter::consumer<listener, std::string> {
 public:
  explicit listener(otter::pid boss) : boss_(boss) {}
  void handle_events(std::vector<std::string> words) { letters_ += count(words); }
  void terminate(otter::exit_reason const&) { otter::send(boss_, letters_); }

 private:
  static std::size_t count(std::vector<std::string> const& words) {
    std::size_t n = 0;
    for (std::string const& word : words) n += word.size();
    return n;
  }
  otter::pid boss_;
  std::size_t letters_ = 0;
};

void one_after_the_other() {
  auto const source = reader::start_link().value();
  auto const between = long_words::start_link().value();
  auto const sink = printer::start_link(otter::self()).value();
  auto const end = otter::monitor(sink);
  otter::subscribe(sink, between, {.max_demand = 1, .min_demand = 0});
  otter::subscribe(between, source, {.max_demand = 4, .min_demand = 2});
  otter::receive([](printer::nod) {});
  bool const few = otter::call(source, reader::position{}) <= 6;
  std::printf("at most 6 of %zu words are read: %s\n", text.size(), few ? "yes" : "no");
  otter::send(sink, printer::nod{});
  for (bool more = true; more;)
    more = otter::receive(
        [&](printer::nod n) {
          otter::send(sink, n);
          return true;
        },
        otter::when([&](otter::down const& d) { return d.ref == end; },
                    [](otter::down const& d) {
                      std::printf("the printer ends: %s\n", to_string(d.reason).c_str());
                      return false;
                    }));
}

void to_both() {
  auto const source =
      reader::start_link(otter::producer_options<std::string>{
                             .dispatch = otter::dispatcher<std::string>::broadcast(2)})
          .value();
  for (int i = 0; i != 2; ++i)
    otter::subscribe(listener::start_link(otter::self()).value(), source, {.max_demand = 5});
  for (int i = 0; i != 2; ++i)
    std::printf("a listener has heard %zu letters\n",
                otter::receive([](std::size_t letters) { return letters; }));
}

}  // namespace

int main() {
  return otter::run([] {
    one_after_the_other();
    to_both();
  });
}
