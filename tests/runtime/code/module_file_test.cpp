// A file is checked before anything of it runs: whatever is wrong with it is found by reading.

#include "code/module_file.hpp"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "code/sha256.hpp"
#include "modules.hpp"
#include "seeds.hpp"

namespace {

using otter::code::load_errc;
using otter::rts::read_module_file;
using bytes = std::vector<std::byte>;

constexpr std::size_t seal_size = std::string_view("\notter-sha256 \n").size() + 64;

std::string verdict(bytes const& content) {
  auto const read = read_module_file(content, "file");
  return read ? read->name + " " + read->version : std::string(to_string(read.error().what));
}

/// As if it had been built so.
bytes sealed_again(bytes content) {
  content.resize(content.size() - seal_size);
  std::string const seal = "\notter-sha256 " + otter::rts::sha256(content) + "\n";
  auto const* const begin = reinterpret_cast<std::byte const*>(seal.data());
  content.insert(content.end(), begin, begin + seal.size());
  return content;
}

/// The first place of `what`.
std::size_t find(bytes const& content, std::string_view what) {
  std::string_view const text(reinterpret_cast<char const*>(content.data()), content.size());
  return text.find(what);
}
void write(bytes& content, std::size_t at, std::string_view what) {
  std::memcpy(content.data() + at, what.data(), what.size());
}

}  // namespace

TEST_CASE("a module's file says its name and version before anything of it runs", "[code][CL-10]") {
  CHECK(verdict(modules::content("sums-1")) == "sums 1");
  CHECK(verdict(modules::content("sums-2")) == "sums 2");
}

TEST_CASE("a file that was cut off or changed is refused as damaged", "[code]") {
  bytes const good = modules::content("sums-1");
  std::mt19937_64 random(Catch::rngSeed());
  for (int i = 0; i < 40; ++i) {
    bytes shorter = good;
    shorter.resize(sizeof(Elf64_Ehdr) + random() % (good.size() - sizeof(Elf64_Ehdr)));
    std::string const found = verdict(shorter);
    INFO(shorter.size() << " bytes of " << good.size());
    CHECK((found == "damaged" || found == "not_a_module"));
  }
  for (int i = 0; i < 40; ++i) {
    bytes flipped = good;
    // Behind the header, which has checks of its own.
    std::size_t const at = 64 + random() % (good.size() - 64);
    flipped[at] ^= std::byte{1};
    INFO("byte " << at << " of " << good.size());
    CHECK(verdict(flipped) == "damaged");
  }
}

TEST_CASE("what is no shared object of this machine is refused as foreign", "[code]") {
  bytes const good = modules::content("sums-1");
  CHECK(verdict({}) == "foreign");
  CHECK(verdict(bytes(3, std::byte{0x7f})) == "foreign");
  CHECK(verdict(bytes(1000, std::byte{'x'})) == "foreign");
  bytes other = good;
  other[EI_CLASS] = std::byte{ELFCLASS32};
  CHECK(verdict(other) == "foreign");
  other = good;
  other[EI_DATA] =
      other[EI_DATA] == std::byte{ELFDATA2LSB} ? std::byte{ELFDATA2MSB} : std::byte{ELFDATA2LSB};
  CHECK(verdict(other) == "foreign");
  other = good;
  other[offsetof(Elf64_Ehdr, e_machine)] ^= std::byte{0xff};
  CHECK(verdict(other) == "foreign");
  other = good;
  other[offsetof(Elf64_Ehdr, e_type)] = std::byte{ET_REL};
  CHECK(verdict(other) == "foreign");
}

TEST_CASE("a module of other headers is refused, and both stamps are said", "[code]") {
  bytes content = modules::content("sums-1");
  std::size_t const at = find(content, ", headers ") + std::string_view(", headers ").size();
  write(content, at, "0123456789abcdef");
  content = sealed_again(std::move(content));
  auto const read = read_module_file(content, "file");
  REQUIRE(!read);
  CHECK(read.error().what == load_errc::other_abi);
  std::string const& text = read.error().text;
  CHECK(text.find("headers 0123456789abcdef") != std::string::npos);
  auto const own = read_module_file(modules::content("sums-2"), "file");
  CHECK(text.find("this program has \"" + own->abi + "\"") != std::string::npos);
}

TEST_CASE("no offset and no length of a file is believed", "[code]") {
  bytes const good = modules::content("sums-1");
  Elf64_Ehdr header;
  std::memcpy(&header, good.data(), sizeof header);
  std::uint64_t const seed = Catch::rngSeed();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  // Each number that leads somewhere: those of the header, and those of the sections' headers.
  struct field {
    std::size_t at;
    std::size_t size;
  };
  std::vector<field> fields = {{offsetof(Elf64_Ehdr, e_shoff), 8},
                               {offsetof(Elf64_Ehdr, e_shentsize), 2},
                               {offsetof(Elf64_Ehdr, e_shnum), 2},
                               {offsetof(Elf64_Ehdr, e_shstrndx), 2}};
  for (unsigned i = 0; i < header.e_shnum; ++i) {
    std::size_t const section = header.e_shoff + i * sizeof(Elf64_Shdr);
    fields.push_back({section + offsetof(Elf64_Shdr, sh_name), 4});
    fields.push_back({section + offsetof(Elf64_Shdr, sh_type), 4});
    fields.push_back({section + offsetof(Elf64_Shdr, sh_offset), 8});
    fields.push_back({section + offsetof(Elf64_Shdr, sh_size), 8});
    fields.push_back({section + offsetof(Elf64_Shdr, sh_link), 4});
  }
  // The digest of a large file takes time; a good one is needed behind each change.
  std::size_t refused = 0;
  for (int round = 0; round < 60; ++round) {
    bytes wrong = good;
    for (std::uint64_t changes = 1 + random() % 3; changes != 0; --changes) {
      field const f = fields[random() % fields.size()];
      std::uint64_t const values[] = {
          0, 1, good.size() - 1, good.size(), ~std::uint64_t{0}, ~std::uint64_t{0} - 8, random()};
      std::uint64_t const value = values[random() % std::size(values)];
      std::memcpy(wrong.data() + f.at, &value, f.size);
    }
    std::string const found = verdict(sealed_again(std::move(wrong)));
    // Some sections do not matter: then it is read as it was.
    if (found != "sums 1") ++refused;
    CHECK((found == "sums 1" || found == "not_a_module" || found == "damaged"));
  }
  CHECK(refused > 0);
}
