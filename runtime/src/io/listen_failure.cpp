// io/listen_failure.cpp - why a listener could not be had, in words: an error code names neither
// the address nor who has it.

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <optional>
#include <otter/tcp.hpp>
#include <sstream>
#include <string>
#include <vector>

namespace otter {
namespace {

namespace fs = std::filesystem;

/// A socket that listens, as the system knows it.
struct holder {
  std::string inode;
  std::string user;  // a number, or nothing
};

std::vector<std::string> words_of(std::string const& line) {
  std::istringstream in(line);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(std::move(word));
  return words;
}

/// A line of /proc/net/tcp or tcp6: number, local and remote address, state, ... user, ..., inode.
std::optional<holder> listener_in(char const* table, std::uint16_t port) {
  std::ifstream in(table);
  std::string line;
  std::getline(in, line);  // the heading
  std::string const wanted = fmt::format(":{:04X}", port);
  while (std::getline(in, line)) {
    auto const words = words_of(line);
    // Listeners stand first, and there may be a million connections behind them.
    if (words.size() < 10 || words[3] != "0A") break;
    if (words[1].ends_with(wanted)) return holder{words[9], words[7]};
  }
  return std::nullopt;
}

/// A line of /proc/net/unix: address, counts, flags, type, state, inode, path.
std::optional<holder> local_listener(std::string path) {
  if (path.front() == '\0') path.front() = '@';
  std::ifstream in("/proc/net/unix");
  std::string line;
  while (std::getline(in, line)) {
    auto const words = words_of(line);
    // The flag 0x10000: it listens.
    if (words.size() > 7 && words[7] == path && words[3] == "00010000") return holder{words[6], {}};
  }
  return std::nullopt;
}

/// "process 17 (nginx)", or nothing if we may not see whose the socket is.
std::string process_with(std::string const& inode) {
  std::string const wanted = "socket:[" + inode + "]";
  std::error_code ignored;
  for (auto const& process : fs::directory_iterator("/proc", ignored)) {
    std::string const number = process.path().filename();
    if (number.find_first_not_of("0123456789") != std::string::npos) continue;
    for (fs::directory_iterator fd(process.path() / "fd", ignored), end; fd != end;
         fd.increment(ignored)) {
      if (fs::read_symlink(fd->path(), ignored) != wanted) continue;
      std::string name;
      std::ifstream comm(process.path() / "comm");
      std::getline(comm, name);
      return fmt::format("process {} ({})", number, name);
    }
  }
  return {};
}

std::string describe(holder const& h) {
  if (std::string const process = process_with(h.inode); !process.empty()) return process;
  if (!h.user.empty())
    return fmt::format("a process of user {}, which only it and root can see", h.user);
  return "a process of another user, or of another container";
}

std::string explain_file(tcp_address const& address) {
  struct stat s {};
  if (::lstat(address.path.c_str(), &s) != 0)
    return "the file was there, and is gone now: try again";
  if (!S_ISSOCK(s.st_mode)) return "a file that is no socket has this name: choose another one";
  return fmt::format(
      "nobody listens there: the file was left by a process that ended without closing its "
      "listener; remove it (rm {}) and start again",
      address.path);
}

std::string explain_in_use(tcp_address const& address) {
  if (address.is_local()) {
    if (auto const h = local_listener(address.path))
      return fmt::format("{} listens there: stop it, or choose another name", describe(*h));
    if (!address.has_file()) return "somebody has this abstract name: choose another one";
    return explain_file(address);
  }
  auto h = listener_in("/proc/net/tcp", address.port);
  if (!h) h = listener_in("/proc/net/tcp6", address.port);
  if (h)
    return fmt::format(
        "port {} is taken by {}: stop it, choose another port, or set "
        "tcp_options::reuse_port in both to share it",
        address.port, describe(*h));
  return fmt::format(
      "port {} is taken, by a connection or a socket that does not listen: choose "
      "another port",
      address.port);
}

std::string explain_access(tcp_address const& address) {
  if (address.is_local())
    return fmt::format("no permission to make a file in {}",
                       fs::path(address.path).parent_path().string());
  return fmt::format(
      "no permission: ports below 1024 need the capability CAP_NET_BIND_SERVICE (the limit: "
      "/proc/sys/net/ipv4/ip_unprivileged_port_start); {} is the port",
      address.port);
}

std::string explain(tcp_address const& address, std::error_code why) {
  if (why == tcp_errc::eaddrinuse) return explain_in_use(address);
  if (why == tcp_errc::eacces || why == std::errc::operation_not_permitted)
    return explain_access(address);
  if (why == tcp_errc::eaddrnotavail) return "no interface of this machine has this address";
  if (why == tcp_errc::enoent) return "there is no such directory";
  if (why == tcp_errc::emfile || why == tcp_errc::enfile)
    return "no descriptor is left: raise RLIMIT_NOFILE (ulimit -n)";
  return {};
}

}  // namespace

std::string explain_listen_failure(tcp_address const& address, std::error_code why) {
  std::string const more = explain(address, why);
  return fmt::format("cannot listen on {}: {}{}{}", to_string(address), why.message(),
                     more.empty() ? "" : "; ", more);
}

}  // namespace otter
