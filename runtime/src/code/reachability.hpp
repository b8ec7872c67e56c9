#pragma once

// code/reachability.hpp - what still refers to versions of modules.
//
//   find_holders()   who has an address in the memory of which version
//
// Nothing is counted while messages flow: all is looked through when somebody asks. All workers
// rest, attached threads wait, the pool makes no signals. Then the blocks in use of all slabs
// (where messages, bodies and entries are), the suspended stacks, jobs, payloads of exit reasons,
// variables of modules and what the room above keeps are searched for words that are addresses
// there. A word that only looks like one, or is no longer meant, keeps a version once too long;
// none is missed in what is searched. doc/code_loading.md, "Unmapping a version".

#include <cstdint>
#include <otter/code.hpp>
#include <vector>

namespace otter::rts {

class code_table;
class process_system;
struct module_version;

/// For each of `versions`, which nobody uses any more (code_table): who holds it. Empty: nobody.
/// If it could not look within `limit_ns`, the holders of all are `busy`.
///
/// `finder` are the bits of the process that waits for this, whose own frames are of the runtime.
/// Called from: a job of the pool, one at a time for a node. Throws: std::bad_alloc.
std::vector<std::vector<code::holder>> find_holders(process_system& system, code_table& modules,
                                                    std::vector<module_version*> const& versions,
                                                    std::uint64_t finder, std::int64_t limit_ns);

}  // namespace otter::rts
