// 19: asking many - a function with an orderly start, and requests that are awaited together.
//
// The printer is a function: whoever starts it waits until it is ready, or hears why it will not
// be. Three stations are asked at once; one never answers, and the deadline is for all of them.
//
// Try: call the stations one after the other instead; let the printer take too long to start, and
// give its start a timeout.

#include <chrono>
#include <cstdio>
#include <map>
#include <otter/gen_server.hpp>
#include <otter/message.hpp>
#include <otter/node.hpp>
#include <otter/proc_lib.hpp>
#include <otter/receive.hpp>
#include <otter/request.hpp>
#include <string>
#include <utility>

using namespace std::chrono_literals;

namespace {

struct line {
  std::string text;
};
struct finish {
  otter::pid tell;
};
struct finished {};

void printer(bool has_paper) {
  if (!has_paper) otter::proc_lib::init_fail(otter::exit_reason::of("no paper"));
  otter::proc_lib::init_ack();
  for (;;) {
    otter::receive([](line const& l) { std::printf("%s\n", l.text.c_str()); },
                   [](finish f) { otter::send(f.tell, finished{}); });
  }
}

}  // namespace

class station : public otter::gen_server<station> {
 public:
  struct temperature {
    using reply = int;
  };
  using accepts = otter::accepts<temperature>;

  station(int degrees, bool works) : degrees_(degrees), works_(works) {}
  otter::call_outcome<int> handle_call(temperature) {
    if (!works_) return noreply();  // and nobody will
    return reply(degrees_);
  }

 private:
  int degrees_;
  bool works_;
};

int main() {
  otter::node_options quiet;
  quiet.on_event = [](otter::node_event const&) {};  // the crash report would go to stderr
  return otter::run(quiet, [] {
    auto const failed = otter::proc_lib::start({.name = "printer"}, printer, false);
    std::printf("the first printer: %s\n", to_string(failed.error()).c_str());
    auto const paper = otter::proc_lib::start_link({.name = "printer"}, printer, true).value();

    otter::request_ids<int, std::string> asked;
    asked.send(station::start_link(7, true).value(), station::temperature{}, "harbour");
    asked.send(station::start_link(4, true).value(), station::temperature{}, "hill");
    asked.send(station::start_link(0, false).value(), station::temperature{}, "moor");

    auto const deadline = otter::node_clock::now() + 100ms;
    std::map<std::string, int> answers;
    while (!asked.empty()) {
      auto const got = asked.receive(deadline);
      if (got.state == otter::collected_state::timeout) break;  // given up: no answer comes later
      answers[*got.label] = **got.response;
    }
    for (auto const& [where, degrees] : answers)
      otter::send(paper, line{where + ": " + std::to_string(degrees)});
    for (auto const& [request, where] : asked.to_list())
      otter::send(paper, line{where + ": no answer"});
    otter::send(paper, finish{otter::self()});
    otter::receive([](finished) {});
  });
}
