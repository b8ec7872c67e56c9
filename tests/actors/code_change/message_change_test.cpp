// Messages that were sent with another layout than the one that is known where they arrive. This
// program has the first layout of all of them, as version 1 of the module "orders".

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <memory>
#include <otter/code.hpp>
#include <otter/exit.hpp>
#include <otter/gen.hpp>
#include <otter/gen_event.hpp>
#include <otter/message.hpp>
#include <otter/message_change.hpp>
#include <otter/receive.hpp>
#include <otter/request.hpp>
#include <otter/spawn.hpp>
#include <otter/sys.hpp>
#include <string>
#include <vector>

#include "on_every_driver.hpp"
#include "orders.hpp"

namespace code = otter::code;
namespace sys = otter::sys;
using namespace ordering;

namespace {

using lines = std::vector<std::string>;

void load(int version) {
  code::load(fmt::format("{}/orders-{}.so", CODE_TEST_MODULES, version)).value();
}
otter::pid start(std::string const& what) { return starter("orders", what)().value(); }

/// Version 1 is loaded and purged, version 2 is current: what the node knows of the first layout is
/// in a version that nobody runs.
void load_both() {
  load(1);
  load(2);
  code::purge("orders");
}

bool has(std::string const& text, std::string const& part) {
  return text.find(part) != std::string::npos;
}
std::string joined(lines const& all) { return fmt::format("{}", fmt::join(all, ", ")); }
std::string next_told() {
  return otter::receive([](told t) { return t.text; });
}
template <class Request>
std::string failure_of(otter::pid server, Request request) {
  auto const got = otter::try_call(server, std::move(request));
  return got ? "it did not fail" : to_string(got.error());
}

}  // namespace

TEST_CASE("what was queued by the old version is handled by the new one as its own",
          "[code_change][CL-21]") {
  on_every_driver([](driver_report& report) {
    load(1);
    otter::pid const server = start("shop");
    otter::cast(server, order{1, "tea"});
    report.equal("before", joined(otter::call(server, seen{})), std::string("order 1: 1 tea"));
    sys::suspend(server);
    otter::cast(server, order{2, "milk"});
    auto const asked = otter::send_request(server, ask{40});
    otter::send(server, parcel{3, std::make_unique<std::string>("cups"), otter::self()});
    load(2);
    sys::change_code(server, "orders");
    code::purge("orders");
    sys::resume(server);
    report.equal("a call, whose answer comes back in the layout that this program has",
                 otter::receive_response(asked).value().value().total, 42L);
    report.equal(
        "a cast and a message: new fields have their defaults, pids and what can only be "
        "moved are what they were",
        joined(otter::call(server, seen{})),
        std::string("order 1: 1 tea, order 2: 2 milk x1, parcel 3 cups 1"));
    report.equal("the pid in the message", next_told(), std::string("got cups"));
  });
}

TEST_CASE("an answer of another version becomes the one that is waited for, or the call fails",
          "[code_change][CL-21]") {
  on_every_driver([](driver_report& report) {
    load(1);
    otter::pid const old_server = start("shop");
    otter::pid const old_client = asker("orders", "asker")(old_server, otter::self());
    load(2);
    otter::pid const server = start("shop");
    // Of one layout each, and the other.
    otter::pid const client = asker("orders", "asker")(old_server, otter::self());
    otter::pid const another = asker("orders", "asker")(server, otter::self());
    for (otter::pid const c : {old_client, client}) {
      otter::send(c, go{});
      report.equal("the old server's", next_told(), std::string("5"));
      report.equal("and of the other type", next_told(), std::string("7"));
    }
    otter::send(another, go{});
    report.equal("the new server's", next_told(), std::string("7"));
    report.equal("and of the other type", next_told(), std::string("7"));

    auto const answered = otter::call(server, ask{1});
    report.equal("its field is a long again", answered.total, 3L);
    report.equal("what the new one does not have is the default", answered.gone,
                 std::string("dropped"));
    report.equal("an answer whose type has another name", otter::call(server, count{1000}), 1000);
    std::string const why = failure_of(server, count{5'000'000'000});
    report.check("one that does not fit: " + why,
                 has(why, "bad_return_value") &&
                     has(why, fmt::format("5000000000 ({}) does not fit into int",
                                          otter::type_name<long>())));
    auto const late = otter::send_request(server, count{5'000'000'000});
    report.check("of a request too",
                 has(to_string(otter::receive_response(late).value().error()), "does not fit"));
    report.equal("the server goes on", otter::call(server, count{3}), 3);
  });
}

TEST_CASE("what does not fit is never taken for what the server accepts", "[code_change][CL-21]") {
  on_every_driver([](driver_report& report) {
    load_both();
    otter::pid const server = start("shop");
    otter::cast(server, voucher{"free"});
    std::string const why = failure_of(server, voucher_call{"free"});
    report.check("the call fails at its caller: " + why,
                 has(why, "unknown_request") && has(why, "ordering::voucher_call (32 bytes") &&
                     has(why, "does not become ordering::voucher_call (4 bytes") &&
                     has(why, "int code") && has(why, "code: a text of 4 bytes"));
    report.equal("nothing was handled", otter::call(server, seen{}).size(), std::size_t{0});
    report.equal("it is reported once each", report.count_events("does not handle this"),
                 std::size_t{2});
    report.equal("with both layouts", report.count_events("ordering::voucher (32 bytes"),
                 std::size_t{1});

    otter::pid const open = start("open_shop");
    otter::cast(open, voucher{"free"});
    otter::cast(open, order{1, "tea"});
    report.equal("where there is a handler for any message it gets that",
                 joined(otter::call(open, seen{})),
                 std::string("any ordering::voucher, order 2: 1 tea x1"));
    report.equal("and nothing is reported", report.count_events("does not handle this"),
                 std::size_t{2});
  });
}

TEST_CASE("what a conversion throws stays in its module, and the message is not handled",
          "[code_change][CL-21]") {
  on_every_driver([](driver_report& report) {
    load_both();
    otter::pid const server = start("shop");
    otter::cast(server, note{});
    otter::cast(server, note{{.readable = false}});
    report.equal("the one that can be read", joined(otter::call(server, seen{})),
                 std::string("a note"));
    report.equal("the reason of the other one", report.count_events("not to be read"),
                 std::size_t{1});
  });
}

TEST_CASE("a layout that no version lists is not converted, unless the program says how",
          "[code_change][CL-21]") {
  on_every_driver([](driver_report& report) {
    load(2);
    otter::pid const server = start("shop");
    otter::cast(server, order{1, "tea"});
    report.equal("version 2 alone", otter::call(server, seen{}).size(), std::size_t{0});
    report.equal("why", report.count_events("its layout is listed by no module"), std::size_t{1});
    code::add_messages<order>();
    code::add_messages<order>();
    otter::cast(server, order{2, "milk"});
    report.equal("the program has said how", joined(otter::call(server, seen{})),
                 std::string("order 2: 2 milk x1"));
  });
}

TEST_CASE("a version that was purged converts until it is unmapped", "[code_change][CL-21]") {
  on_every_driver([](driver_report& report) {
    load_both();
    otter::pid const server = start("shop");
    otter::cast(server, order{1, "tea"});
    report.equal("purged", joined(otter::call(server, seen{})), std::string("order 2: 1 tea x1"));
    auto const unloaded = code::unload("orders");
    report.check("nothing of the conversion holds it",
                 unloaded.size() == 1 && unloaded.front().unmapped);
    otter::cast(server, order{2, "milk"});
    report.equal("unmapped", joined(otter::call(server, seen{})), std::string("order 2: 1 tea x1"));
    report.equal("why", report.count_events("its layout is listed by no module"), std::size_t{1});
  });
}

TEST_CASE("a function that waits for one layout gets another one as any_message, and may convert",
          "[code_change][CL-21]") {
  on_every_driver([](driver_report& report) {
    load_both();
    using reader = code::latest<otter::pid(otter::pid)>;
    otter::pid const first = reader("orders", "reader")(otter::self());
    otter::send(first, order{1, "tea"});
    report.equal("it is another type", next_told(), std::string("any, then order 2: 1 tea x1"));
    otter::pid const second = reader("orders", "reader")(otter::self());
    otter::send(second, voucher{"free"});
    std::string const why = next_told();
    report.check("what is no version of it: " + why,
                 has(why, "ordering::voucher is no version of ordering::order"));
    otter::any_message mine = otter::any_message::of(order{3, "jam"});
    report.equal("one's own layout is simply taken", code::convert<order>(mine).value().what,
                 std::string("jam"));
  });
}

TEST_CASE("a state machine handles and postpones what was sent with another layout as its own",
          "[code_change][CL-21]") {
  on_every_driver([](driver_report& report) {
    load_both();
    otter::pid const machine = start("till");
    otter::cast(machine, order{1, "tea"});
    auto const asked = otter::send_request(machine, ask{40});
    otter::cast(machine, voucher{"free"});
    report.equal("what does not fit is any message", joined(otter::call(machine, seen{})),
                 std::string("any ordering::voucher"));
    otter::cast(machine, go{});
    report.equal("a postponed call", otter::receive_response(asked).value().value().total, 42L);
    report.equal("a postponed event", joined(otter::call(machine, seen{})),
                 std::string("any ordering::voucher, order 2: 1 tea x1"));
    std::string const why = failure_of(machine, voucher_call{"free"});
    report.check("what it does not know at all: " + why, has(why, "unknown_request"));
  });
}

TEST_CASE("handlers of events get a copy in their own layout, whatever the others have",
          "[code_change][CL-21]") {
  on_every_driver([](driver_report& report) {
    using ledger = code::latest<bool(otter::pid, otter::pid)>;
    otter::pid const manager = otter::gen_event::start_link().value();
    load(1);
    ledger("orders", "add_ledger")(manager, otter::self());
    load(2);
    ledger("orders", "add_ledger")(manager, otter::self());
    otter::gen_event::notify(manager, order{1, "tea"});
    report.equal("the latest first", next_told(), std::string("order 2: 1 tea x1"));
    report.equal("the other one", next_told(), std::string("order 1: 1 tea"));
    otter::gen_event::sync_notify(manager, order{2, "milk"});
    report.equal("and waited for", next_told(), std::string("order 2: 2 milk x1"));
    report.equal("the other one", next_told(), std::string("order 1: 2 milk"));
    otter::send(manager, order{3, "jam"});
    report.equal("a message", next_told(), std::string("message order 2: 3 jam x1"));
    report.equal("the other one", next_told(), std::string("message order 1: 3 jam"));
    otter::gen_event::sync_notify(manager, voucher{"free"});
    report.equal("what does not fit passes by", next_told(), std::string("a voucher"));
    report.equal("and that is said", report.count_events("does not handle this version of"),
                 std::size_t{1});
    otter::gen_event::sync_notify(manager,
                                  parcel{1, std::make_unique<std::string>("cup"), otter::self()});
    report.equal("what can only be moved is not copied", next_told(), std::string("a parcel"));
    report.equal("and that is said", report.count_events("it is shared, and can only be moved"),
                 std::size_t{1});
  });
}

TEST_CASE("conversions go on while versions of modules come and go", "[code_change][CL-21]") {
  on_every_driver([](driver_report& report) {
    load_both();
    otter::pid const server = start("shop");
    struct done {
      int right;
    };
    otter::pid const test = otter::self();
    constexpr int each = 100;
    for (int client = 0; client != 3; ++client) {
      otter::spawn([server, test] {
        int right = 0;
        for (int i = 0; i != each; ++i) {
          otter::cast(server, order{i, "tea"});
          auto const got = otter::try_call(server, ask{i});
          if (got && got->total == i + 2) ++right;
        }
        otter::send(test, done{right});
      });
    }
    for (int version : {1, 2, 1}) {
      code::load(fmt::format("{}/counter-{}.so", CODE_TEST_MODULES, version)).value();
      code::purge("counter");
    }
    for (int client = 0; client != 3; ++client)
      report.equal("answers", otter::receive([](done d) { return d.right; }), each);
    lines const all = otter::call(server, seen{});
    report.equal("all of them", all.size(), std::size_t{3 * each});
    report.check("as what they are", has(all.back(), " tea x1"));
  });
}
