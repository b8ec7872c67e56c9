// Types of a shared object beside those of the program.

#include <dlfcn.h>

#include <catch2/catch.hpp>
#include <otter/exit_reason.hpp>
#include <otter/type_descriptor.hpp>
#include <string>

#include "versions.hpp"

using otter::descriptor_of;
using otter::same_type;
using otter::type_descriptor;
using otter::type_relation;

namespace {

struct own {
  int n;
};

class module {
 public:
  module() :handle_{::dlopen(MESSAGE_TEST_MODULE, RTLD_NOW | RTLD_LOCAL)} {
    if (handle_ == nullptr) FAIL(::dlerror());
  }
  ~module() { ::dlclose(handle_); }
  module(const module&) = delete;
  module& operator=(const module&) = delete;

  template <class Function>
  Function* symbol(const char* name) const {
    return reinterpret_cast<Function*>(::dlsym(handle_, name));
  }
  const type_descriptor& type(const char* name) const {
    return *symbol<const type_descriptor*(const char*)>("type_in_module")(name);
  }

 private:
  void* handle_;
};

}  // namespace

TEST_CASE("a type that a module and the program share is one type") {
  const module m;
  const auto& theirs = m.type("same_in_both");
  const auto& ours = descriptor_of<same_in_both>();
  CHECK(&theirs != &ours);
  CHECK(theirs.module != ours.module);
  CHECK(same_type(theirs, ours));
  CHECK(relate(theirs, ours) == type_relation::same);
  CHECK(same_type(m.type("int"), descriptor_of<int>()));
  CHECK_FALSE(same_type(theirs, descriptor_of<int>()));
}

TEST_CASE("a module's own type is not the program's own type of that name") {
  const module m;
  const auto& theirs = m.type("own");
  const auto& ours = descriptor_of<own>();
  CHECK(theirs.name == ours.name);
  CHECK(theirs.key == ours.key);
  CHECK_FALSE(same_type(theirs, ours));
  CHECK(relate(theirs, ours) == type_relation::different);
}

TEST_CASE("a type with another layout in a module is another version of it") {
  const module m;
  CHECK(relate(m.type("newer_in_module"), descriptor_of<newer_in_module>()) ==
        type_relation::other_layout);
  CHECK(relate(m.type("holds_newer"), descriptor_of<holds_newer>()) == type_relation::other_layout);
  CHECK(relate(m.type("sealed_version"), descriptor_of<sealed_version>()) ==
        type_relation::other_layout);
  CHECK(relate(m.type("newer_in_module"), descriptor_of<same_in_both>()) ==
        type_relation::different);
}

TEST_CASE("the payload of a module's reason is found and compared by the program") {
  const module m;
  otter::exit_reason reason;
  m.symbol<void(otter::exit_reason*)>("reason_of_module")(&reason);
  REQUIRE(reason.get<same_in_both>() != nullptr);
  CHECK(reason.get<same_in_both>()->text == "seven");
  CHECK(reason == otter::exit_reason::of(same_in_both{7, "seven"}));
  CHECK(reason != otter::exit_reason::of(same_in_both{8, "seven"}));
  reason = reason.without_payload();  // the module is about to go
  CHECK(to_string(reason) == "same_in_both{n: 7, text: \"seven\"}");
}

TEST_CASE("a module whose types were described can be unloaded") {
  {
    const module m;
    CHECK(m.type("same_in_both").size == sizeof(same_in_both));
  }
  CHECK(::dlopen(MESSAGE_TEST_MODULE, RTLD_NOW | RTLD_NOLOAD) == nullptr);
}
