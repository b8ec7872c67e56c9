"""include_direction.py accepts a tree in order and names each breach of it."""
from support import in_a_tree


def lists(*headers):
    return "".join(f"target_sources(x PUBLIC FILES ${{PROJECT_SOURCE_DIR}}/runtime/include/otter/{h})\n" for h in headers)


IN_ORDER = {
    "runtime/include/otter/pid.hpp": "#pragma once\n#include <cstdint>\n",
    "runtime/include/otter/send.hpp": "#pragma once\n#include <otter/pid.hpp>\nvoid send(int);\n",
    "runtime/src/base/CMakeLists.txt": lists("pid.hpp"),
    "runtime/src/process/CMakeLists.txt": lists("send.hpp"),
    "runtime/src/base/slab.hpp": "#pragma once\n",
    "runtime/src/stacks/stack.hpp": '#include "base/slab.hpp"\n#include <boost/context/fiber.hpp>\n',
    "runtime/src/timers/wheel.hpp": '#include "base/slab.hpp"\n',
    "runtime/src/process/inbox.cpp": '#include "stacks/stack.hpp"\n#include <otter/send.hpp>\n#include <otter/pid.hpp>\n',
    "actors/include/otter/gen.hpp": "#include <otter/send.hpp>\n",
    "actors/src/gen.cpp": "#include <otter/gen.hpp>\n",
    "examples/one.cpp": "#include <otter/gen.hpp>\nint main() { otter::send(1); }\n",
}


class include_direction(in_a_tree):
    def look(self, **changes):
        self.write(IN_ORDER)
        self.write({name.replace("__", "/"): text for name, text in changes.items()})
        return self.run_python("include_direction.py", self.tree)

    def breach(self, expected, files):
        self.write(IN_ORDER)
        self.write(files)
        done = self.run_python("include_direction.py", self.tree)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn(expected, done.stdout)

    def test_a_tree_in_order_passes(self):
        done = self.look()
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_an_empty_tree_does_not_pass(self):
        self.assertNotEqual(self.run_python("include_direction.py", self.tree).returncode, 0)

    def test_a_room_must_not_include_one_above_it(self):
        self.breach("above it", {"runtime/src/base/slab.cpp": '#include "process/inbox.hpp"\n',
                                 "runtime/src/process/inbox.hpp": ""})

    def test_a_room_must_not_include_a_sibling(self):
        self.breach("sibling", {"runtime/src/stacks/pool.cpp": '#include "timers/wheel.hpp"\n'})

    def test_the_order_holds_for_the_public_headers_of_the_rooms(self):
        self.breach("above it", {"runtime/src/base/slab.cpp": "#include <otter/send.hpp>\n"})
        self.breach("above it", {"runtime/include/otter/pid.hpp": "#include <otter/send.hpp>\n"})

    def test_a_public_header_must_not_include_boost(self):
        self.breach("Boost", {"runtime/include/otter/pid.hpp": "#include <boost/version.hpp>\n"})

    def test_a_public_header_must_not_include_a_private_one(self):
        self.breach("private", {"runtime/include/otter/pid.hpp": '#include "base/slab.hpp"\n'})

    def test_a_public_header_that_no_list_names_is_found(self):
        self.breach("not installed", {"runtime/include/otter/lost.hpp": "\n"})

    def test_actors_must_not_see_the_insides_of_the_runtime(self):
        self.breach("private header of the runtime", {"actors/src/gen.cpp": '#include "base/slab.hpp"\n'})

    def test_examples_must_not_see_insides(self):
        self.breach("private header", {"examples/one.cpp": '#include "base/slab.hpp"\n'})

    def test_the_runtime_must_not_include_actors(self):
        self.breach("header of actors", {"runtime/src/process/x.cpp": "#include <otter/gen.hpp>\n"})

    def test_a_room_outside_the_order_is_refused(self):
        self.breach("no place", {"runtime/src/attic/x.cpp": "\n"})

    def test_empty_names_are_refused(self):
        self.breach("says nothing", {"runtime/src/base/string_utils.hpp": "\n"})
        self.breach("says nothing", {"tests/helpers/x.cpp": "\n"})

    def test_unqualified_calls_of_posix_names_are_found(self):
        for name in ("exit", "send", "link", "kill", "signal"):
            for line in (f"void f() {{ {name}(1); }}", f"int g() {{ return {name}(1); }}",
                         f"bool h(bool a) {{ return a && {name}(1); }}", f"void i() {{ if (x) {name} (1); }}"):
                with self.subTest(line=line):
                    self.breach(f"unqualified {name}", {"runtime/src/process/x.cpp": line + "\n"})

    def test_declarations_members_and_qualified_calls_are_no_breach(self):
        done = self.look(**{"runtime__src__process__x.cpp": """
            void send(int); T&& link(int); int* kill(int); std::vector<int> exit(int);
            struct list { void link(int); void insert() { link(1); } };
            void f() { otter::send(1); ::kill(1, 2); a.exit(1); b->link(2); this->send(3); }
            // send(this) is a comment, and "kill(9)" below a string

int port::kill(int a) { return kill(a, 2); }
            char const* text = "kill(9)"; char const* raw = R"(exit(1))";
            struct signal { signal(int); }; [[nodiscard]] friend bool link(int);
            """})
        self.assertEqual(done.returncode, 0, done.stdout)


class no_wall_clock(in_a_tree):
    def problems(self, path, line):
        self.write({path: line + "\n"})
        return self.run_python("no_wall_clock.py", self.tree)

    def test_what_a_seed_does_not_decide_is_found(self):
        for line in ("auto t = std::chrono::steady_clock::now();", "clock_gettime(CLOCK_MONOTONIC, &t);",
                     "auto t = time(nullptr);", "std::random_device d;", "std::mt19937 g;", "int r = rand();",
                     "int s = ::socket(AF_INET, SOCK_STREAM, 0);", "auto n = ::recv(fd, p, 10, 0);",
                     "std::map<process*, int> m;", "std::unordered_set<void const*> s;"):
            with self.subTest(line=line):
                done = self.problems("runtime/src/process/x.cpp", line)
                self.assertEqual(done.returncode, 1, line)

    def test_the_rooms_that_implement_the_interfaces_may(self):
        self.assertEqual(self.problems("runtime/src/base/clock.cpp", "x = std::chrono::steady_clock::now();").returncode, 0)
        self.assertEqual(self.problems("runtime/src/poller/epoll.cpp", "int s = epoll_create1(0);").returncode, 0)

    def test_ordinary_code_is_no_breach(self):
        done = self.problems("runtime/src/process/x.cpp", """
            core.clock().now(); time_point time(int); using clock = std::chrono::steady_clock;
            std::map<int, process*> by_number; otter::send(p, 1); // std::mt19937 in a comment
            """)
        self.assertEqual(done.returncode, 0, done.stdout)
