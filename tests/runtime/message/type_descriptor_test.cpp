// When two descriptors mean one type, within one program.

#include <catch2/catch.hpp>
#include <memory>
#include <optional>
#include <otter/spawn.hpp>
#include <otter/type_descriptor.hpp>
#include <string>
#include <variant>
#include <vector>

#include "on_every_driver.hpp"
#include "two_files.hpp"

using otter::descriptor_of;
using otter::same_type;
using otter::type_linkage;
using otter::type_relation;

// One name in several versions can only be had in several modules, so digests are compared of
// types that differ in their outer name too, but are put into a class of one name below.
namespace first {
struct entry {
  int count;
  std::string name;
};
}  // namespace first
namespace renamed {
struct entry {
  int total;
  std::string name;
};
}  // namespace renamed
namespace retyped {
struct entry {
  unsigned count;
  std::string name;
};
}  // namespace retyped
namespace reordered {
struct entry {
  std::string name;
  int count;
};
}  // namespace reordered

namespace {

struct in_unnamed {};
template <class T>
struct wraps {
  T value;
};
struct move_only {
  std::vector<std::unique_ptr<int>> parts;
};
struct tree {
  int n;
  std::vector<tree> below;
};
struct can_throw_when_moved {
  can_throw_when_moved(can_throw_when_moved&&) noexcept(false) {}
};

/// The digest of the fields alone.
template <class T>
std::uint64_t fields_of() {
  return otter::detail::digest_fields<T, T>(std::make_index_sequence<otter::field_count<T>>{}, 0);
}

}  // namespace

struct external_outside {
  struct inside {};
};
struct sealed_one {
 private:
  [[maybe_unused]] int secret_ = 0;
};

TEST_CASE("two files' own types of one name are never one type") {
  const auto& one = ping_of_one_file();
  const auto& another = ping_of_another_file();
  CHECK(one.name == another.name);
  CHECK(one.layout == another.layout);
  CHECK_FALSE(same_type(one, another));
  CHECK(relate(one, another) == type_relation::different);
  CHECK(same_type(one, ping_of_one_file()));
}

TEST_CASE("a receive takes the messages of its own file's type, not of another's of that name") {
  on_every_driver([](driver_report& report) {
    send_ping_of_one_file(otter::self(), 1);
    report.equal("the other file finds none", take_ping_of_another_file(), -1);
    send_ping_of_another_file(otter::self(), 2);
    report.equal("its own, behind a stranger", take_ping_of_another_file(), 2);
    report.equal("and once", take_ping_of_another_file(), -1);
    report.equal("the first waits where it was", take_ping_of_one_file(), 1);
    report.equal("and once, too", take_ping_of_one_file(), -1);
  });
}

TEST_CASE("a type that two files share is one type at one address") {
  CHECK(&shared_ping_of_one_file() == &shared_ping_of_another_file());
  CHECK(same_type(shared_ping_of_one_file(), descriptor_of<shared_ping>()));
  CHECK(relate(shared_ping_of_one_file(), shared_ping_of_another_file()) == type_relation::same);
}

TEST_CASE("const and references do not make another type") {
  CHECK(&descriptor_of<const shared_ping&>() == &descriptor_of<shared_ping>());
  CHECK_FALSE(same_type(descriptor_of<int>(), descriptor_of<long>()));
}

TEST_CASE("only types that other files can name have external linkage") {
  struct local {};
  const auto closure = [] {};
  CHECK(linkage_of(descriptor_of<external_outside::inside>()) == type_linkage::external);
  CHECK(linkage_of(descriptor_of<std::vector<shared_ping>>()) == type_linkage::external);
  CHECK(linkage_of(descriptor_of<int>()) == type_linkage::external);
  CHECK(linkage_of(descriptor_of<in_unnamed>()) == type_linkage::internal);
  CHECK(linkage_of(descriptor_of<std::vector<in_unnamed>>()) == type_linkage::internal);
  CHECK(linkage_of(descriptor_of<local>()) == type_linkage::internal);
  CHECK(linkage_of(descriptor_of<std::optional<local>>()) == type_linkage::internal);
  CHECK(linkage_of(descriptor_of<decltype(closure)>()) == type_linkage::internal);
}

TEST_CASE("a field that is renamed, retyped or moved changes the digest") {
  CHECK(fields_of<first::entry>() == fields_of<first::entry>());
  CHECK(fields_of<first::entry>() != fields_of<renamed::entry>());
  CHECK(fields_of<first::entry>() != fields_of<retyped::entry>());
  CHECK(fields_of<first::entry>() != fields_of<reordered::entry>());
}

TEST_CASE("a digest sees what is inside members, containers, optionals and variants") {
  const auto differ = [](auto a, auto b) {
    return fields_of<decltype(a)>() != fields_of<decltype(b)>();
  };
  CHECK(differ(wraps<first::entry>{}, wraps<renamed::entry>{}));
  CHECK(differ(wraps<std::vector<first::entry>>{}, wraps<std::vector<renamed::entry>>{}));
  CHECK(differ(wraps<std::optional<first::entry>>{}, wraps<std::optional<renamed::entry>>{}));
  using one = std::variant<int, first::entry>;
  using two = std::variant<int, renamed::entry>;
  CHECK(differ(wraps<one>{}, wraps<two>{}));
}

TEST_CASE("a type that contains itself has a digest") { CHECK(descriptor_of<tree>().layout != 0); }

TEST_CASE("operations of a descriptor move, copy, compare and destroy") {
  const auto& type = descriptor_of<std::string>();
  alignas(std::string) std::byte moved[sizeof(std::string)];
  alignas(std::string) std::byte copied[sizeof(std::string)];
  std::string from(100, 'x');
  type.copy_construct(copied, &from);
  CHECK(type.equal(copied, &from));
  type.move_construct(moved, &from);
  CHECK(from.empty());
  CHECK(type.equal(copied, moved));
  CHECK_FALSE(type.equal(copied, &from));
  otter::text_sink out;
  type.print(out, moved);
  CHECK(out.text() == std::string(100, 'x'));
  type.destroy(moved);
  type.destroy(copied);
}

TEST_CASE("what a type cannot do is null in its descriptor") {
  CHECK(descriptor_of<move_only>().copy_construct == nullptr);
  CHECK(descriptor_of<move_only>().move_construct != nullptr);
  CHECK(descriptor_of<sealed_one>().equal == nullptr);
  CHECK(descriptor_of<first::entry>().equal != nullptr);
  CHECK(descriptor_of<int>().nothrow_move);
  CHECK_FALSE(descriptor_of<can_throw_when_moved>().nothrow_move);
  CHECK(descriptor_of<int>().trivially_destructible);
  CHECK_FALSE(descriptor_of<std::string>().trivially_destructible);
}
