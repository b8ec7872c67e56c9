// 12: looking at a supervision tree, and a child that comes back slowly.
//
// The printer has lost its paper: its supervisor waits longer before each restart, and the tree
// shows it meanwhile.
//
// Try: let most_children be 5; stop the printer with terminate_child() while it waits.

#include <cstdio>
#include <otter/dynamic_supervisor.hpp>
#include <otter/gen_server.hpp>
#include <otter/node.hpp>
#include <otter/supervision_tree.hpp>
#include <otter/supervisor.hpp>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;

class printer : public otter::gen_server<printer> {
 public:
  struct print {};
  using accepts = otter::accepts<print>;

  void handle_cast(print) { throw std::runtime_error("no paper"); }
};

class reader : public otter::gen_server<reader> {
 public:
  using accepts = otter::accepts<>;
};

/// A pid is another one in every run.
void show(otter::supervised const& tree) {
  std::string text = to_string(tree);
  for (std::size_t from; (from = text.find('<')) != std::string::npos;)
    text.replace(from, text.find('>', from) - from + 1, "(pid)");
  std::puts(text.c_str());
}

int main() {
  otter::node_options quiet;
  quiet.on_event = [](otter::node_event const&) {};  // the crash report would go to stderr
  return otter::run(quiet, [] {
    auto top = otter::supervisor::start_link(
                   {.intensity = 10, .period = 10min, .backoff = {.first = 1min, .most = 5min}},
                   {{.id = "readers",
                     .start = [] { return otter::dynamic_supervisor::start_link(); },
                     .type = otter::child_type::supervisor},
                    {.id = "printer", .start = [] { return printer::start_link({.name = "lp0"}); }},
                    {.id = "archive",
                     .start = [] { return reader::start_link(); },
                     .restart = otter::restart_type::transient}},
                   {.name = "library"})
                   .value();
    auto readers = otter::supervisor::which_children(top).back().process;
    for (int i = 0; i != 5; ++i) {
      otter::dynamic_supervisor::start_child(readers, {.start = [] { return reader::start_link(); },
                                                       .restart = otter::restart_type::temporary})
          .value();
    }
    show(otter::supervision_tree(top, {.most_children = 3}));

    auto watch = otter::monitor("lp0");
    otter::cast("lp0", printer::print{});
    otter::receive([&](otter::down const& d) { (void)(d.ref == watch); });
    std::puts("");
    show(otter::supervision_tree("library", {.most_children = 3}));
  });
}
