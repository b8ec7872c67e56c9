// The digest of a module's file is the SHA-256 that the build computes, too.

#include <catch2/catch.hpp>
#include <span>
#include <string>

#include "code/sha256.hpp"

namespace {

std::string digest_of(std::string const& text) {
  return otter::rts::sha256(std::as_bytes(std::span(text)));
}

}  // namespace

TEST_CASE("the digest of a module is SHA-256", "[code]") {
  CHECK(digest_of("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(digest_of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(digest_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(digest_of(std::string(1'000'000, 'a')) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}
