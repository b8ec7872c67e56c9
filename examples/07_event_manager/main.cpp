// 07: an event manager.
//
// One process hands each event to any number of handlers, which come and go while it runs. A
// handler that fails is removed; the others do not notice.
//
// Try: add two counters with different handler_ids; let a handler return remove().

#include <cstdio>
#include <otter/gen_event.hpp>
#include <otter/node.hpp>
#include <stdexcept>
#include <string>

struct log_line {
  std::string text;
};

class printer : public otter::event_handler<printer> {
 public:
  using accepts = otter::accepts<log_line>;
  void handle_event(log_line const& l) { std::printf("printer: %s\n", l.text.c_str()); }
};

class counter : public otter::event_handler<counter> {
 public:
  struct lines {
    using reply = int;
  };
  using accepts = otter::accepts<log_line, lines>;
  void handle_event(log_line const&) { ++lines_; }
  int handle_call(lines) { return lines_; }

 private:
  int lines_ = 0;
};

class fragile : public otter::event_handler<fragile> {
 public:
  using accepts = otter::accepts<log_line>;
  void handle_event(log_line const&) { throw std::runtime_error("too much for me"); }
};

int main() {
  otter::node_options quiet;
  quiet.on_event = [](otter::node_event const&) {};  // the report of what `fragile` does
  return otter::run(quiet, [] {
    auto log = otter::gen_event::start_link({.name = "log"}).value();
    otter::gen_event::add_handler<counter>(log);
    otter::gen_event::add_handler<fragile>(log);
    otter::gen_event::add_handler<printer>(log);

    otter::gen_event::sync_notify("log", log_line{"up"});
    otter::gen_event::sync_notify("log", log_line{"and running"});

    std::printf("lines: %d\n", otter::gen_event::call<counter>(log, counter::lines{}).value());
    for (auto const& h : otter::gen_event::which_handlers(log))
      std::printf("handler: %s\n", h.handler.c_str());
    otter::stop(log);
  });
}
