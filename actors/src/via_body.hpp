#pragma once

// via_body.hpp - a process that first takes a name in a registry of the program's own.

#include <otter/reactive.hpp>
#include <otter/start.hpp>
#include <string>

namespace otter::detail {

/// Registers, then is what it was given; at its own end it gives the name back.
///
/// Ownership: of the inner body. Threads: its own process.
class via_body final : public reactive {
 public:
  via_body(via const& name, alias_ref starter, reactive_ptr inner)
      : registry_(*name.registry), key_(name.key), starter_(starter), inner_(std::move(inner)) {}

  void start() override;
  void handle(event& what) override;
  void ending(exit_reason const& reason) override;
  std::string describe() const override { return inner_->describe(); }
  void* upper_part() noexcept override { return inner_->upper_part(); }
  std::string_view initial_call() const noexcept override { return inner_->initial_call(); }
  reactive_ptr* inner() noexcept override { return &inner_; }

 private:
  name_registry& registry_;
  std::string key_;
  alias_ref starter_;
  reactive_ptr inner_;
  bool registered_ = false;
};

}  // namespace otter::detail
