// Configuration: what is taken, and where and why something is refused.

#include "config.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace {

chat::chat_config read(std::string const& text) {
  chat::chat_config c;
  chat::read_config_text(c, text, "chat.toml");
  chat::check_config(c);
  return c;
}
std::string refusal(std::string const& text) {
  try {
    (void)read(text);
    return "taken";
  } catch (chat::config_error const& e) {
    return e.what();
  }
}

}  // namespace

TEST_CASE("the defaults run on loopback", "[chat][config]") {
  auto const line = chat::read_command_line({});
  REQUIRE(line.config);
  CHECK(line.config->domain == "localhost");
  CHECK(line.config->listen.host == "127.0.0.1");
  CHECK(line.config->listen.port == 5222);
  CHECK(line.config->limits.xml.element_bytes == 65536);
  CHECK(line.config->limits.element_bytes_before_login == 8192);
}

TEST_CASE("a file sets every kind of value", "[chat][config]") {
  auto const c = read(R"(
domain = "OTTER.test"
listen = "[::1]:5299"
data_dir = "/tmp/x"
log_level = "debug"
demo_accounts = true
session_module = "/opt/chat_session-7.so"
admin = "/run/chat.socket"
workers = 3
scram_iterations = 20000
[limits]
stanza_bytes = 20000
idle_seconds = 7
bytes_per_second = 0
offline_messages = 5
)");
  CHECK(c.domain == "otter.test");
  CHECK(c.listen.host == "::1");
  CHECK(c.listen.port == 5299);
  CHECK(c.data_dir == "/tmp/x");
  CHECK(c.log == chat::log_level::debug);
  CHECK(c.workers == 3);
  CHECK(c.demo_accounts);
  CHECK(c.session_module == "/opt/chat_session-7.so");
  CHECK(c.admin == "/run/chat.socket");
  CHECK(c.scram_iterations == 20000);
  CHECK(c.limits.xml.element_bytes == 20000);
  CHECK(c.limits.idle_time.count() == 7);
  CHECK(c.limits.bytes.per_second == 0);
  CHECK(c.limits.offline_messages == 5);
}

TEST_CASE("a bad value is refused with file, line and reason", "[chat][config]") {
  struct row {
    char const* text;
    char const* message;
  };
  for (auto const& [text, message] : std::vector<row>{
           {"\nworkers = -1", "chat.toml:2: workers: -1 is not within 0 and 1024"},
           {"workers = \"many\"", "chat.toml:1: workers: must be a whole number"},
           {"workers = 1.5", "chat.toml:1: workers: must be a whole number"},
           {"domain = 7", "chat.toml:1: domain: must be a text in quotes"},
           {"domain = \"a b\"", "chat.toml:1: domain: \"a b\" is not a domain name"},
           {"\n\nlisten = \"5222\"",
            "chat.toml:3: listen: \"5222\" is not an address and port such as 127.0.0.1:5222 or "
            "[::1]:5222"},
           {"listen = \"127.0.0.1:65536\"",
            "chat.toml:1: listen: \"127.0.0.1:65536\" is not an address and port such as "
            "127.0.0.1:5222 or "
            "[::1]:5222"},
           {"listen = \"::1:5222\"",
            "chat.toml:1: listen: \"::1:5222\" is not an address and port such as 127.0.0.1:5222 "
            "or [::1]:5222"},
           {"log_level = \"loud\"",
            "chat.toml:1: log_level: \"loud\" is none of debug, info, warning, error"},
           {"data_dir = \"\"", "chat.toml:1: data_dir: is empty"},
           {"session_module = \"\"", "chat.toml:1: session_module: is empty"},
           {"admin = \"\"", "chat.toml:1: admin: is empty"},
           {"insecure_plaintext = 1", "chat.toml:1: insecure_plaintext: must be true or false"},
           {"domian = \"x\"", "chat.toml:1: domian: unknown key"},
           {"[limits]\nstanzabytes = 1", "chat.toml:2: limits.stanzabytes: unknown key"},
           {"[limits]\nstanza_bytes = 9999",
            "chat.toml:2: limits.stanza_bytes: 9999 is not within 10000 and 67108864"},
           {"[limits]\ndepth = true", "chat.toml:2: limits.depth: must be a whole number"},
           {"limits = 3", "chat.toml:1: limits: must be a table: [limits]"},
           {"[limits]\nstanza_bytes = 10000\nstanza_bytes_before_login = 10001",
            "chat.toml:3: limits.stanza_bytes_before_login: 10001 is more than limits.stanza_bytes "
            "(10000)"},
           {"demo_accounts = \"yes\"", "chat.toml:1: demo_accounts: must be true or false"},
           {"[limits]\nlogin_seconds = 3",
            "chat.toml:2: limits.login_seconds: 3 is less than limits.header_seconds (10)"},
       }) {
    INFO(text);
    CHECK(refusal(text) == message);
  }
  CHECK_THAT(refusal("a = 1\nb ="), Catch::StartsWith("chat.toml:2: "));
}

TEST_CASE("an address that is not loopback needs consent", "[chat][config]") {
  CHECK_THAT(refusal("listen = \"0.0.0.0:5222\""), Catch::Contains("not a loopback address"));
  CHECK_THAT(refusal("\nlisten = \"[::]:5222\""),
             Catch::StartsWith("chat.toml:2: listen: :: is not a loopback address"));
  CHECK(refusal("listen = \"127.3.2.1:5222\"") == "taken");
  CHECK(refusal("listen = \"localhost:5222\"") == "taken");
  CHECK(refusal("listen = \"0.0.0.0:5222\"\ninsecure_plaintext = true") == "taken");
  auto const line = chat::read_command_line({"--listen", "192.168.1.1:5222"});
  CHECK_FALSE(line.config);
  CHECK(line.exit_status == 2);
  CHECK_THAT(line.output, Catch::StartsWith("otter_chat: listen: 192.168.1.1 is not"));
  CHECK_THAT(line.output, Catch::Contains("--insecure-plaintext"));
  CHECK(chat::read_command_line({"--listen", "192.168.1.1:5222", "--insecure-plaintext"}).config);
}

TEST_CASE("the command line wins over the file it names", "[chat][config]") {
  auto const file = std::filesystem::temp_directory_path() / "otter-config-test.toml";
  std::ofstream{file} << "domain = \"file.test\"\nworkers = 2\n";
  auto const line = chat::read_command_line({"-c", file.string(), "--domain", "line.test"});
  std::filesystem::remove(file);
  REQUIRE(line.config);
  CHECK(line.config->domain == "line.test");
  CHECK(line.config->workers == 2);
}

TEST_CASE("an empty file changes nothing", "[chat][config]") {
  CHECK(chat::read_command_line({"-c", "/dev/null"}).config);
}

TEST_CASE("the command line refuses what it does not know", "[chat][config]") {
  struct row {
    std::vector<std::string> arguments;
    char const* part;
  };
  for (auto const& [arguments, part] : std::vector<row>{
           {{"--wat"}, "--wat"},
           {{"stray"}, "stray"},
           {{"--workers", "x"}, "--workers"},
           {{"--workers", "5000"}, "--workers"},
           {{"--domain", "a b"}, "--domain: domain: \"a b\" is not a domain name"},
           {{"--config", "/nowhere/chat.toml"},
            "/nowhere/chat.toml: cannot be read: No such file or directory"},
           {{"--config", "/"}, "/: cannot be read: Is a directory"},
       }) {
    auto const line = chat::read_command_line(arguments);
    INFO(line.output);
    CHECK_FALSE(line.config);
    CHECK(line.exit_status == 2);
    CHECK_THAT(line.output, Catch::Contains(part));
  }
}

TEST_CASE("--help explains and is no failure", "[chat][config]") {
  auto const line = chat::read_command_line({"--help"});
  CHECK_FALSE(line.config);
  CHECK(line.exit_status == 0);
  for (auto const* word : {"--config", "--domain", "--listen", "--data-dir", "--session-module",
                           "--admin", "--insecure-plaintext", "SIGTERM"})
    CHECK_THAT(line.output, Catch::Contains(word));
}
