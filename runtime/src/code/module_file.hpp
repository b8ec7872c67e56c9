#pragma once

// code/module_file.hpp - a module's file, read without running anything of it.
//
//   module_description   name, version, stamp and digest
//   read_module_file()   finds them, or says why this is no module that may be loaded

#include <cstddef>
#include <otter/code.hpp>
#include <span>
#include <string>
#include <string_view>

namespace otter::rts {

struct module_description {
  std::string name;
  std::string version;
  std::string abi;
  std::string digest;
};

/// Everything in `content` may be wrong: each offset and length is compared with what is there
/// before it is used. `file` names it in messages.
///
/// Called from: any thread. Blocks: never. Throws: std::bad_alloc.
code::load_result<module_description> read_module_file(std::span<std::byte const> content,
                                                       std::string_view file);

/// What a function of a file gives that is not to be loaded. Throws: std::bad_alloc.
tl::unexpected<code::load_error> refused(code::load_errc what, std::string_view file,
                                         std::string_view text);

}  // namespace otter::rts
