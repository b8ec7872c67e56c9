#pragma once

// code/sha256.hpp - the digest of a module's file, the one that CMake's file(SHA256) computes. It
// guards against damage, not against whoever can write the file.

#include <cstddef>
#include <span>
#include <string>

namespace otter::rts {

/// 64 lower case digits. Throws: std::bad_alloc.
std::string sha256(std::span<std::byte const> content);

}  // namespace otter::rts
