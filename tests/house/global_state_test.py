"""global_state.py on small libraries: what nodes would share is found, and constants are not."""
import subprocess

from support import in_a_tree


class global_state(in_a_tree):
    def check(self, source):
        self.write({"one.cpp": source})
        for command in (("g++", "-std=c++20", "-O2", "-c", "one.cpp"), ("ar", "rc", "libotter_one.a", "one.o")):
            subprocess.run(command, cwd=self.tree, check=True)
        return self.run_python("global_state.py", self.tree / "libotter_one.a")

    def test_a_variable_that_nodes_share_is_named(self):
        for variable, name in (
                ("namespace otter { namespace { int count = 1; } int next() { return ++count; } }",
                 "otter::(anonymous namespace)::count"),
                ("namespace otter { int& last() { static int one = 7; return one; } }", "otter::last()::one"),
                ("namespace otter { thread_local int here; }", "otter::here"),
                ("namespace otter { struct a { inline static int sum = 0; }; int* f() { return &a::sum; } }", "otter::a::sum"),
        ):
            with self.subTest(name=name):
                done = self.check(variable)
                self.assertEqual(done.returncode, 1, done.stdout)
                self.assertIn(f"libotter_one.a: {name} exists once for all nodes", done.stdout)

    def test_what_the_page_lists_passes_and_constants_are_nothing(self):
        done = self.check("""
            namespace otter::rts { namespace { thread_local int this_worker; } int* f() { return &this_worker; } }
            namespace otter { int const fixed = 3; char const* const words[] = {"a", "b"}; char const* const* w() { return words; } }
            """)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("1 variables", done.stdout)

    def test_a_library_without_variables_proves_nothing(self):
        self.assertEqual(self.check("int f() { return 1; }").returncode, 2)
