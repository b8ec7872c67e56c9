// otter_upgrade - asks a running program to upgrade its modules, over the socket of
// otter/admin.hpp.
//
// Needs nothing of otter, so that it runs wherever the program does. What is spoken stands in
// otter/admin.hpp.

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace {

// What a shell sees; the names are those of sysexits.h.
constexpr int exit_refused = 1;
constexpr int exit_usage = 64;
constexpr int exit_unavailable = 69;

constexpr char const* help_text =
    "usage: otter_upgrade --socket PATH [--dry-run] PLAN.toml\n"
    "       otter_upgrade --socket PATH --modules\n"
    "\n"
    "Asks a running program that has otter's admin endpoint to go to the versions of its modules "
    "that\n"
    "PLAN.toml says, all or none; or what it has.\n"
    "\n"
    "  --socket PATH   where the program listens: admin::options::socket\n"
    "  --dry-run       checks the plan in the program, and changes nothing\n"
    "  --modules       lists its modules, their versions, and how many processes use them\n"
    "\n"
    "Exit status: 0 done, 1 refused (everything is as it was), 64 wrong arguments, 69 no program\n"
    "answers at the socket.\n";

struct request {
  std::string socket;
  std::string plan;
  bool dry_run = false;
  bool modules = false;
};

[[noreturn]] void stop(int status, std::string const& why) {
  std::fprintf(stderr, "otter_upgrade: %s\n", why.c_str());
  std::exit(status);
}
[[noreturn]] void stop_for_usage(std::string const& why) {
  stop(exit_usage, why + "; --help says more");
}

request read_arguments(int argc, char** argv) {
  request r;
  for (int i = 1; i < argc; ++i) {
    std::string_view const word = argv[i];
    constexpr std::string_view socket_is = "--socket=";
    if (word == "--help" || word == "-h") {
      std::fputs(help_text, stdout);
      std::exit(0);
    } else if (word == "--socket") {
      if (++i == argc || *argv[i] == '\0') stop_for_usage("--socket needs a value");
      r.socket = argv[i];
    } else if (word.substr(0, socket_is.size()) == socket_is) {
      r.socket = word.substr(socket_is.size());
    } else if (word == "--dry-run") {
      r.dry_run = true;
    } else if (word == "--modules") {
      r.modules = true;
    } else if (word.substr(0, 1) == "-") {
      stop_for_usage("unknown option " + std::string(word));
    } else if (!r.plan.empty()) {
      stop_for_usage("one plan at a time: " + r.plan + " and " + std::string(word));
    } else {
      r.plan = word;
    }
  }
  if (r.socket.empty()) stop_for_usage("--socket PATH says which program");
  if (r.modules && (r.dry_run || !r.plan.empty())) stop_for_usage("--modules stands alone");
  if (!r.modules && r.plan.empty()) stop_for_usage("which plan? PLAN.toml");
  return r;
}

/// The line for the program, which has another working directory.
std::string line_of(request const& r) {
  if (r.modules) return "modules\n";
  char* const path = ::realpath(r.plan.c_str(), nullptr);
  if (path == nullptr || ::access(path, R_OK) != 0)
    stop(exit_usage, r.plan + ": cannot be read: " + std::strerror(errno));
  std::string line = std::string("upgrade ") + (r.dry_run ? "--dry-run " : "") + path + "\n";
  std::free(path);
  return line;
}

int connect_to(std::string const& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    stop_for_usage(path + ": the path of a socket has at most 107 bytes");
  path.copy(address.sun_path, path.size());
  int const fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0 && ::connect(fd, reinterpret_cast<sockaddr const*>(&address), sizeof address) == 0)
    return fd;
  int const why = errno;
  std::string text = path + ": " + std::strerror(why);
  if (why == ENOENT) text += "; does the program run, and is that its admin::options::socket?";
  if (why == ECONNREFUSED) text += "; the program that made this socket has ended";
  if (why == EACCES) text += "; only the user whom the program runs as may use it, and root";
  stop(exit_unavailable, text);
}

void send_all(int fd, std::string_view text) {
  while (!text.empty()) {
    ssize_t const n = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;  // reading says what there is to say
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

/// Shows the answer; the status to exit with.
int show_answer(int fd) {
  std::string waiting;
  char piece[4096];
  for (;;) {
    ssize_t const n = ::recv(fd, piece, sizeof piece, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    waiting.append(piece, static_cast<std::size_t>(n));
    for (std::size_t end; (end = waiting.find('\n')) != std::string::npos;
         waiting.erase(0, end + 1)) {
      std::string const line = waiting.substr(0, end);
      if (line == "ok") return 0;
      if (line.substr(0, 1) == " ") {
        std::printf("%s\n", line.c_str() + 1);
        std::fflush(stdout);
        continue;
      }
      std::string_view text = line;
      if (text.substr(0, 7) == "error: ") text.remove_prefix(7);
      stop(exit_refused, std::string(text));
    }
  }
  stop(
      exit_unavailable,
      "the program has closed the connection before it was done; what it does goes on if it lives: "
      "--modules shows it");
}

}  // namespace

int main(int argc, char** argv) {
  request const r = read_arguments(argc, argv);
  std::string const line = line_of(r);
  int const fd = connect_to(r.socket);
  send_all(fd, line);
  return show_answer(fd);
}
