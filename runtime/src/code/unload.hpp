#pragma once

// code/unload.hpp - unmapping purged versions.

#include <otter/code.hpp>
#include <string_view>
#include <vector>

namespace otter::rts {

class code_table;

/// As code::unload(). Called from: the process that is at work on the table (code.cpp).
std::vector<code::unload_result> unload_purged(code_table& modules, std::string_view module,
                                               duration limit);

}  // namespace otter::rts
