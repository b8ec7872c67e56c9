// 18: names - a registry finds servers by a key of the program's own, and many under one key.
//
// Each account is a server under the name of its holder. One that crashes is started again under
// the same key, and whoever asks finds the new one. Newspapers stand under one key together.
//
// Try: a listener that hears of each registration (registry_options); two accounts for ann in a
// registry with duplicate keys.

#include <algorithm>
#include <cstdio>
#include <otter/gen_server.hpp>
#include <otter/monitor.hpp>
#include <otter/node.hpp>
#include <otter/receive.hpp>
#include <otter/registry.hpp>
#include <otter/spawn.hpp>
#include <otter/supervisor.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

inline const otter::registry<std::string> accounts{"accounts"};
inline const otter::registry<std::string, std::string> readers{"readers"};

struct news {
  std::string text;
};
struct ready {};
struct printed {
  std::string line;
};

void newspaper(std::string name, otter::pid editor) {
  readers.register_key("news", name).value();
  otter::send(editor, ready{});
  otter::receive([&](news const& n) { otter::send(editor, printed{name + ": " + n.text}); });
}

}  // namespace

class account : public otter::gen_server<account> {
 public:
  struct put {
    using reply = int;
    int amount;
  };
  struct lose_the_book {};
  using accepts = otter::accepts<put, lose_the_book>;

  int handle_call(put p) { return balance_ += p.amount; }
  void handle_cast(lose_the_book) { throw std::runtime_error("where is it?"); }

 private:
  int balance_ = 0;
};

int main() {
  otter::node_options quiet;
  quiet.on_event = [](otter::node_event const&) {};  // the crash report would go to stderr
  return otter::run(quiet, [] {
    accounts.start_link().value();
    auto sup =
        otter::supervisor::start_link(
            {}, {{.id = "ann",
                  .start = [] { return account::start_link({.via = accounts.via("ann")}); }}})
            .value();
    otter::via const ann = accounts.via("ann");  // an address, whoever serves there
    otter::call(ann, account::put{5});
    std::printf("ann has %d\n", otter::call(ann, account::put{2}));
    auto const second = account::start({.via = accounts.via("ann")});
    std::printf("a second ann: %s\n", second ? "started" : "there is one already");

    otter::monitor(accounts.lookup("ann").front().process);
    otter::cast(ann, account::lose_the_book{});
    otter::receive([](otter::down const&) {});
    otter::supervisor::which_children(sup);  // answered after the restart
    std::printf("the new ann has %d\n", otter::call(ann, account::put{1}));

    readers.start_link({.keys = otter::registry_keys::duplicate}).value();
    for (std::string const name : {"times", "post"}) {
      otter::spawn(newspaper, name, otter::self());
      otter::receive([](ready) {});
    }
    readers.dispatch("news", [](auto const& entries) {
      for (auto const& e : entries) otter::send(e.process, news{"the otters are back"});
    });
    std::vector<std::string> lines(2);
    for (std::string& line : lines) otter::receive([&](printed p) { line = std::move(p.line); });
    std::sort(lines.begin(), lines.end());
    for (std::string const& line : lines) std::printf("%s\n", line.c_str());
  });
}
