// 15: table - what many processes read at once, without asking anybody.
//
// A shop's prices: one process owns and changes them, any number read. The till counts what is
// sold in a table that everybody writes. When the owner of the prices crashes, its heir has them.
//
// Try: another column in `article`; a price that is changed while a customer looks; no heir.

#include <cstdio>
#include <otter/exit.hpp>
#include <otter/message.hpp>
#include <otter/monitor.hpp>
#include <otter/node.hpp>
#include <otter/receive.hpp>
#include <otter/spawn.hpp>
#include <otter/table.hpp>
#include <string>

namespace {

struct article {
  int price;
  std::string unit;
};
using prices = otter::ordered_table<std::string, article>;
using sales = otter::table<std::string, long>;

struct ready {};
struct bought {
  std::string line;
};

void clerk(otter::pid manager) {
  prices const shop = prices::create({.name = "prices", .heir = manager, .heir_data = "the shop"});
  shop.insert("apple", {30, "each"});
  shop.insert("bread", {240, "loaf"});
  shop.insert("cheese", {120, "100 g"});
  otter::send(manager, ready{});
  otter::receive([](double) {});  // changes prices when it is told to
}

void customer(std::string what, long many, otter::pid manager) {
  article const a = prices::whereis("prices").lookup(what).value();  // asks nobody
  long const sold = sales::whereis("sales").update_counter(what, many, 0);
  otter::send(manager,
              bought{std::to_string(many) + " " + what + " for " + std::to_string(many * a.price) +
                     ", sold so far " + std::to_string(sold)});
}

}  // namespace

int main() {
  return otter::run([] {
    sales const sold =
        sales::create({.name = "sales", .access = otter::table_access::public_table});
    otter::spawned const owner = otter::spawn_monitor(clerk, otter::self());
    otter::receive([](ready) {});

    for (long many : {2, 3}) {
      otter::spawn(customer, "apple", many, otter::self());
      otter::receive([](bought const& b) { std::printf("%s\n", b.line.c_str()); });
    }

    prices const shop = prices::whereis("prices");
    auto const dear =
        shop.select([](std::string const&, article const& a) { return a.price > 100; });
    for (auto const& o : dear) std::printf("dear: %s, %d\n", o.key.c_str(), o.value.price);
    std::printf("after bread comes %s\n", shop.next("bread").value().c_str());

    otter::exit(owner, otter::exit_reason::kill());
    otter::receive([](otter::table_transfer<prices> const& t) {
      std::printf("inherited: %s, %zu articles\n", t.data.c_str(), t.table.size());
    });
    otter::receive([](otter::down const& d) {
      std::printf("then the clerk is heard to be %s\n", to_string(d.reason).c_str());
    });
    shop.update("apple", [](article& a) { a.price += 5; });  // mine now
    std::printf("an apple is %d\n", shop.lookup("apple").value().price);
  });
}
