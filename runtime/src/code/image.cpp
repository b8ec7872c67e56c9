#include "code/image.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/sanitizers.hpp"

namespace otter::rts {

namespace {

using code::load_errc;

/// No module is as large, and a file that claims it would be read into memory.
constexpr std::uint64_t largest_file = std::uint64_t{1} << 30;

/// Ownership: of a shared mapping of a whole file.
class mapping {
 public:
  mapping(int fd, std::size_t size) noexcept
      : address_(::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)), size_(size) {}
  mapping(mapping const&) = delete;
  mapping& operator=(mapping const&) = delete;
  ~mapping() {
    if (good()) ::munmap(address_, size_);
  }
  [[nodiscard]] bool good() const noexcept { return address_ != MAP_FAILED; }
  [[nodiscard]] std::span<std::byte> content() const noexcept {
    return {static_cast<std::byte*>(address_), size_};
  }

 private:
  void* const address_;
  std::size_t const size_;
};

tl::unexpected<code::load_error> failed(std::string_view file, char const* what) {
  int const reason = errno;
  return refused(load_errc::unreadable, file, fmt::format("{}: {}", what, std::strerror(reason)));
}

/// A file without a name, in memory.
int anonymous_file() noexcept {
  constexpr unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  constexpr unsigned executable = 0x10;  // MFD_EXEC, which Linux has from 6.3 on
  int const fd = ::memfd_create("otter module", flags | executable);
  return fd >= 0 || errno != EINVAL ? fd : ::memfd_create("otter module", flags);
}

/// Fills `to` from `from`; false with errno if it cannot, EIO if the file has become shorter.
bool read_all(int from, std::span<std::byte> to) noexcept {
  while (!to.empty()) {
    ssize_t const n = ::read(from, to.data(), to.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      if (n == 0) errno = EIO;
      return false;
    }
    to = to.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

/// The addresses of the loaded object that `inside` lies in.
struct object_range {
  void const* inside;
  std::byte const* begin = nullptr;
  std::byte const* end = nullptr;
  std::vector<std::span<std::byte const>> writable{};
};
int find_range(dl_phdr_info* info, std::size_t, void* out) {
  auto& wanted = *static_cast<object_range*>(out);
  auto const page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  std::uintptr_t begin = UINTPTR_MAX;
  std::uintptr_t end = 0;
  std::vector<std::span<std::byte const>> writable;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    ElfW(Phdr) const& p = info->dlpi_phdr[i];
    if (p.p_type != PT_LOAD) continue;
    std::uintptr_t const first = info->dlpi_addr + p.p_vaddr;
    begin = std::min<std::uintptr_t>(begin, first / page * page);
    end = std::max<std::uintptr_t>(end, (first + p.p_memsz + page - 1) / page * page);
    if ((p.p_flags & PF_W) != 0)
      writable.emplace_back(reinterpret_cast<std::byte const*>(first), p.p_memsz);
  }
  auto const inside = reinterpret_cast<std::uintptr_t>(wanted.inside);
  if (inside < begin || inside >= end) return 0;
  wanted.begin = reinterpret_cast<std::byte const*>(begin);
  wanted.end = reinterpret_cast<std::byte const*>(end);
  wanted.writable = std::move(writable);
  return 1;
}

/// Nothing else comes to that place: whoever still has an address there is reported.
void keep_out([[maybe_unused]] void* begin, [[maybe_unused]] std::size_t bytes) noexcept {
#if OTTER_ASAN
  // Never over what somebody else has put there meanwhile, and without memory behind it. What is
  // loaded later gets other addresses from the kernel.
  ::mmap(begin, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE,
         -1, 0);
#endif
}

}  // namespace

std::string unique_path(int descriptor, std::uint64_t inode) {
  std::string path = "/proc/self/fd/";
  for (; inode != 0; inode >>= 1) path += (inode & 1) != 0 ? "./" : "/";
  return path + std::to_string(descriptor);
}

template <class Fill>
code::load_result<checked_file> checked_file::make(std::uint64_t size, std::string file,
                                                   Fill&& fill) {
  if (size == 0 || size > largest_file)
    return refused(load_errc::unreadable, file,
                   fmt::format("has {} bytes; a module has 1 to {}", size, largest_file));
  checked_file result(anonymous_file(), std::move(file));
  if (result.copy_ < 0 || ::ftruncate(result.copy_, static_cast<off_t>(size)) != 0)
    return failed(result.file_, "no memory for a private copy");
  {
    mapping const there(result.copy_, size);
    if (!there.good()) return failed(result.file_, "no memory for a private copy");
    if (!fill(there.content())) return failed(result.file_, "cannot be read");
    auto description = read_module_file(there.content(), result.file_);
    if (!description) return tl::unexpected(std::move(description.error()));
    result.description_ = std::move(*description);
  }
  // What has been checked is what is loaded. Not where somebody still writes, hence the block.
  ::fcntl(result.copy_, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
  return result;
}

checked_file::~checked_file() {
  if (copy_ >= 0) ::close(copy_);
}

code::load_result<checked_file> checked_file::read(std::string file) {
  // Not blocking: a pipe without a writer would be waited for.
  int const source = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (source < 0) return failed(file, "cannot be opened");
  struct closing {
    int fd;
    ~closing() { ::close(fd); }
  } const at_the_end{source};
  struct stat facts {};
  if (::fstat(source, &facts) != 0) return failed(file, "cannot be looked at");
  if (!S_ISREG(facts.st_mode)) return refused(load_errc::unreadable, file, "is no regular file");
  return make(static_cast<std::uint64_t>(facts.st_size), std::move(file),
              [&](std::span<std::byte> to) { return read_all(source, to); });
}

code::load_result<checked_file> checked_file::read(std::span<std::byte const> content,
                                                   std::string file) {
  return make(content.size(), std::move(file), [&](std::span<std::byte> to) {
    std::memcpy(to.data(), content.data(), content.size());
    return true;
  });
}

bool image::unmap() noexcept {
  ::dlclose(handle_);
  // By its name, which no two copies have: another one may have come to that place meanwhile.
  auto const is_it = [](dl_phdr_info* info, std::size_t, void* name) -> int {
    return *static_cast<std::string const*>(name) == info->dlpi_name ? 1 : 0;
  };
  if (::dl_iterate_phdr(is_it, &name_) != 0) return false;
  keep_out(const_cast<std::byte*>(begin_), static_cast<std::size_t>(end_ - begin_));
  return true;
}

code::load_result<image> image::map(checked_file&& from) {
  image result(std::move(from));
  std::string const& file = result.file_;
  struct stat facts {};
  if (::fstat(from.copy(), &facts) != 0) return failed(file, "cannot look at the private copy");
  std::string const title =
      fmt::format("module {} {}", result.description_.name, result.description_.version);
  result.name_ = unique_path(from.copy(), facts.st_ino);
  void* const handle = ::dlopen(result.name_.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    std::string_view why = ::dlerror();
    // `/proc/self/fd//./7: undefined symbol: ...`: the name says nothing to anybody.
    if (std::size_t const colon = why.find(": "); why.substr(0, 6) == "/proc/" && colon != why.npos)
      why.remove_prefix(colon + 2);
    return refused(load_errc::unresolved, file,
                   fmt::format("{}: {}; is it in a library that the module names, or in this "
                               "program, with otter_enable_modules()?",
                               title, why));
  }
  // Nothing but its static objects has run: it can still go.
  auto const give_up = [&](load_errc what, std::string text) {
    ::dlclose(handle);
    return refused(what, file, fmt::format("{}: {}", title, text));
  };
  // Bound to ours, since the program's symbols come first; but is there another one?
  void const* const found = ::dlsym(handle, "otter_one_runtime");
  if (Dl_info whose; found != nullptr && found != &otter_one_runtime)
    return give_up(load_errc::second_runtime,
                   fmt::format("it needs {}, a second runtime beside this program's: link headers "
                               "only, as otter_add_module() does",
                               ::dladdr(found, &whose) != 0 ? whose.dli_fname : "a library"));
  auto const* const table =
      static_cast<detail::module_table const*>(::dlsym(handle, "otter_module_table"));
  if (table == nullptr)
    return give_up(load_errc::not_a_module, "it exports no table: OTTER_MODULE(...) is missing");
  if (table->runtime != &otter_one_runtime)
    return give_up(load_errc::second_runtime,
                   "it is bound to another otter_one_runtime than this program's: it, or a library "
                   "that it needs, has a runtime linked in");
  object_range range{table};
  ::dl_iterate_phdr(&find_range, &range);
  if (table->entry_size != sizeof(detail::module_entry) || range.begin == nullptr)
    return give_up(load_errc::not_a_module, "its table is not of this otter");

  result.handle_ = handle;
  result.table_ = table;
  result.begin_ = range.begin;
  result.end_ = range.end;
  result.variables_ = std::move(range.writable);
  return result;
}

}  // namespace otter::rts
