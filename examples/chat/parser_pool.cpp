#include "parser_pool.hpp"

#include <array>
#include <atomic>
#include <utility>

namespace chat {
namespace {

struct pool {
  std::array<std::unique_ptr<xml_stream>, 8> spare;
  std::size_t count = 0;
};

pool& pool_of_this_thread() {
  thread_local pool here;
  return here;
}

std::atomic<std::size_t> lent{0};  // relaxed: a number to look at

}  // namespace

lent_parser borrow_parser() {
  auto& here = pool_of_this_thread();
  auto parser =
      here.count > 0 ? std::move(here.spare[--here.count]) : std::make_unique<xml_stream>();
  lent.fetch_add(1, std::memory_order_relaxed);
  return lent_parser{parser.release()};
}

void return_parser::operator()(xml_stream* parser) const noexcept {
  lent.fetch_sub(1, std::memory_order_relaxed);
  std::unique_ptr<xml_stream> back{parser};
  auto& here = pool_of_this_thread();
  if (here.count < here.spare.size()) here.spare[here.count++] = std::move(back);
}

std::size_t parsers_lent() noexcept { return lent.load(std::memory_order_relaxed); }

}  // namespace chat
