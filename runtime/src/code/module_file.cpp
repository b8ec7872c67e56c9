// The checks, from the outside in: is it a file of this machine, is it as it was built, is it a
// module, of these headers, without a runtime of its own.

#include "code/module_file.hpp"

#include <elf.h>
#include <fmt/format.h>

#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>

#include "code/own_stamp.hpp"
#include "code/sha256.hpp"

namespace otter::rts {

namespace {

using code::load_errc;
using bytes = std::span<std::byte const>;

#if defined(__x86_64__)
constexpr Elf64_Half own_machine = EM_X86_64;
#elif defined(__aarch64__)
constexpr Elf64_Half own_machine = EM_AARCH64;
#elif defined(__riscv)
constexpr Elf64_Half own_machine = EM_RISCV;
#elif defined(__powerpc64__)
constexpr Elf64_Half own_machine = EM_PPC64;
#else
#error "otter: say here which ELF machine this is"
#endif
constexpr unsigned char own_order =
    std::endian::native == std::endian::little ? ELFDATA2LSB : ELFDATA2MSB;

/// What cmake/otter_seal_module.cmake puts behind the end.
constexpr std::string_view seal_begin = "\notter-sha256 ";
constexpr std::size_t digest_size = 64;
constexpr std::size_t seal_size = seal_begin.size() + digest_size + 1;

constexpr std::size_t longest_description = 4096;
constexpr std::string_view description_section = ".otter.module";

/// A `T` at `offset`, if so much is there.
template <class T>
std::optional<T> at(bytes content, std::uint64_t offset) noexcept {
  if (offset > content.size() || content.size() - offset < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, content.data() + offset, sizeof value);
  return value;
}
std::optional<bytes> part(bytes content, std::uint64_t offset, std::uint64_t size) noexcept {
  if (offset > content.size() || content.size() - offset < size) return std::nullopt;
  return content.subspan(offset, size);
}
/// Up to its zero; empty if there is none.
std::string_view text_at(bytes strings, std::uint64_t offset) noexcept {
  if (offset >= strings.size()) return {};
  auto const* const begin = reinterpret_cast<char const*>(strings.data()) + offset;
  void const* const end = std::memchr(begin, 0, strings.size() - offset);
  if (end == nullptr) return {};
  return {begin, static_cast<std::size_t>(static_cast<char const*>(end) - begin)};
}

/// The sections of an ELF file.
class sections {
 public:
  static std::optional<sections> of(bytes content, Elf64_Ehdr const& header) noexcept {
    if (header.e_shentsize != sizeof(Elf64_Shdr) || header.e_shstrndx >= header.e_shnum)
      return std::nullopt;
    sections result(content, header);
    auto const names = result.header_of(header.e_shstrndx);
    if (!names) return std::nullopt;
    auto const strings = result.content_of(*names);
    if (!strings) return std::nullopt;
    result.names_ = *strings;
    return result;
  }

  [[nodiscard]] std::optional<Elf64_Shdr> find(std::string_view name) const noexcept {
    for (unsigned i = 0; i < count_; ++i)
      if (auto const s = header_of(i); s && text_at(names_, s->sh_name) == name) return s;
    return std::nullopt;
  }
  [[nodiscard]] std::optional<Elf64_Shdr> header_of(unsigned index) const noexcept {
    if (index >= count_) return std::nullopt;
    if (offset_ > content_.size()) return std::nullopt;
    return at<Elf64_Shdr>(content_, offset_ + std::uint64_t{index} * sizeof(Elf64_Shdr));
  }
  [[nodiscard]] std::optional<bytes> content_of(Elf64_Shdr const& s) const noexcept {
    if (s.sh_type == SHT_NOBITS) return std::nullopt;
    return part(content_, s.sh_offset, s.sh_size);
  }
  /// Calls f(entry, strings) for each `Entry` of the section, with its table of strings.
  template <class Entry, class F>
  void for_each(std::string_view section, F&& f) const {
    auto const found = find(section);
    auto const entries = found ? content_of(*found) : std::nullopt;
    auto const linked = found ? header_of(found->sh_link) : std::nullopt;
    auto const strings = linked ? content_of(*linked) : std::nullopt;
    if (!entries || !strings) return;
    for (std::uint64_t i = 0; i + sizeof(Entry) <= entries->size(); i += sizeof(Entry))
      f(*at<Entry>(*entries, i), *strings);
  }

 private:
  sections(bytes content, Elf64_Ehdr const& header) noexcept
      : content_(content), offset_(header.e_shoff), count_(header.e_shnum) {}

  bytes content_;
  bytes names_;
  std::uint64_t offset_;
  unsigned count_;
};

/// The value behind `key=` in lines of text.
std::string_view value_of(std::string_view key, std::string_view lines) noexcept {
  while (!lines.empty()) {
    std::size_t const end = lines.find('\n');
    if (end == std::string_view::npos) return {};
    std::string_view const line = lines.substr(0, end);
    if (line.size() > key.size() && line.substr(0, key.size()) == key && line[key.size()] == '=')
      return line.substr(key.size() + 1);
    lines.remove_prefix(end + 1);
  }
  return {};
}

}  // namespace

tl::unexpected<code::load_error> refused(load_errc what, std::string_view file,
                                         std::string_view text) {
  return tl::unexpected(code::load_error{what, fmt::format("{}: {}", file, text)});
}

code::load_result<module_description> read_module_file(bytes content, std::string_view file) {
  auto const header = at<Elf64_Ehdr>(content, 0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
    return refused(load_errc::foreign, file,
                   fmt::format("{} bytes that are no ELF file", content.size()));
  if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != own_order ||
      header->e_machine != own_machine)
    return refused(load_errc::foreign, file,
                   fmt::format("made for another machine: ELF class {}, byte order {}, machine {}; "
                               "this program has class {}, order {}, machine {}",
                               header->e_ident[EI_CLASS], header->e_ident[EI_DATA],
                               header->e_machine, int{ELFCLASS64}, own_order, own_machine));
  if (header->e_type != ET_DYN)
    return refused(load_errc::foreign, file,
                   fmt::format("an ELF file of type {}, not a shared object", header->e_type));

  // The digest next: behind it, what is wrong was built so.
  std::optional<std::string> digest;
  if (content.size() > seal_size) {
    std::string_view const seal(
        reinterpret_cast<char const*>(content.data()) + content.size() - seal_size, seal_size);
    if (seal.substr(0, seal_begin.size()) == seal_begin && seal.back() == '\n')
      digest.emplace(seal.substr(seal_begin.size(), digest_size));
  }
  auto const all = sections::of(content, *header);
  auto const described = all ? all->find(description_section) : std::nullopt;
  if (!digest) {
    return described || !all
               ? refused(load_errc::damaged, file,
                         "does not end with its digest: it was cut off, or changed after it was "
                         "built (by strip?)")
               : refused(load_errc::not_a_module, file,
                         "a shared object, but not built by otter_add_module()");
  }
  std::string found = sha256(content.first(content.size() - seal_size));
  if (found != *digest)
    return refused(
        load_errc::damaged, file,
        fmt::format("its content has the digest {}, and was built with {}", found, *digest));
  auto const text = described ? all->content_of(*described) : std::nullopt;
  if (!text || text->size() > longest_description)
    return refused(load_errc::not_a_module, file, "it has no description of a module");

  std::string_view const lines = text_at(*text, 0);
  module_description result{std::string(value_of("name", lines)),
                            std::string(value_of("version", lines)),
                            std::string(value_of("abi", lines)), std::move(found)};
  if (result.name.empty() || result.version.empty())
    return refused(load_errc::not_a_module, file, "its description has no name or no version");
  if (result.abi != own_stamp)
    return refused(load_errc::other_abi, file,
                   fmt::format("module {} {} was built against \"{}\", this program has \"{}\": "
                               "build both against the same otter",
                               result.name, result.version, result.abi, own_stamp));

  bool own_runtime = false;
  all->for_each<Elf64_Sym>(".dynsym", [&](Elf64_Sym const& s, bytes strings) {
    if (s.st_shndx != SHN_UNDEF && text_at(strings, s.st_name) == "otter_one_runtime")
      own_runtime = true;
  });
  if (own_runtime)
    return refused(load_errc::second_runtime, file,
                   fmt::format("module {} {} has a runtime of its own linked in (it defines "
                               "otter_one_runtime): link headers only, as otter_add_module() does",
                               result.name, result.version));
  return result;
}

}  // namespace otter::rts
