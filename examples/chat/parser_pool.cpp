#include "parser_pool.hpp"

#include <array>
#include <cstddef>
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

}  // namespace

std::unique_ptr<xml_stream> borrow_parser() {
  auto& here = pool_of_this_thread();
  if (here.count > 0) return std::move(here.spare[--here.count]);
  return std::make_unique<xml_stream>();
}

void return_parser(std::unique_ptr<xml_stream> parser) noexcept {
  auto& here = pool_of_this_thread();
  if (here.count < here.spare.size()) here.spare[here.count++] = std::move(parser);
}

}  // namespace chat
