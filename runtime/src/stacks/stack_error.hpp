#pragma once

// stacks/stack_error.hpp - no stack could be mapped.

#include <cstddef>
#include <new>

namespace otter::rts {

/// The system refused the memory for a stack. Holds its text itself: nothing is allocated for it.
class stack_mapping_error : public std::bad_alloc {
 public:
  stack_mapping_error(std::size_t bytes, int error, std::size_t stacks, std::size_t slabs) noexcept;
  char const* what() const noexcept override { return text_; }
  int error() const noexcept { return error_; }  ///< errno of the mapping

 private:
  int error_;
  char text_[232];
};

}  // namespace otter::rts
