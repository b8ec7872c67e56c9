// Every byte that a simulated socket moves is in the digest of the run.

#include "tcp_support.hpp"

using namespace tcp_test;
using namespace std::chrono_literals;

namespace {

/// Both ends belong to one process. `read`: whether anybody takes the bytes.
std::uint64_t digest_of_sending(std::string const& bytes, bool read) {
  otter::simulation sim(3);
  auto const end = sim.run([&] {
    pair const p = connect_pair();
    must(p.client.send(bytes), "send");
    if (read) receive_all(p.server, bytes.size());
    p.client.close();
    p.server.close();
    p.listener.close();
  });
  CHECK(end.finished);
  return end.digest;
}

}  // namespace

TEST_CASE("the digest of a run depends on each byte that a simulated socket moves",
          "[io][simulation]") {
  std::string const bytes(300, 'a');
  std::string other = bytes;
  other.back() = 'b';
  for (bool const read : {true, false}) {
    CHECK(digest_of_sending(bytes, read) == digest_of_sending(bytes, read));
    CHECK(digest_of_sending(bytes, read) != digest_of_sending(other, read));
  }
}
