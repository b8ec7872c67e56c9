"""promises.py on small ledgers: what is named exists, and what is cited is named."""
from support import in_a_tree

HEAD = "| Promise | Rules | Test |\n|---|---|---|\n"
TEST = ('TEST_CASE("a message, once sent, "\n          "arrives", "[process][P-7]") {}\n'
        'TEST_CASE("another \\"thing\\"", "[process]") {}\n')


class promises(in_a_tree):
    def check(self, ledger, test=TEST):
        self.write({"tests/PROMISES.md": HEAD + ledger + "\n", "tests/runtime/process/signals_test.cpp": test})
        return self.run_python("promises.py", self.tree)

    def test_a_ledger_that_names_what_there_is_passes(self):
        for sentence in ("a message, once sent, arrives", "a message ...", "... once sent"):
            with self.subTest(sentence=sentence):
                done = self.check(f'| It arrives | P-7 | process/signals_test "{sentence}" |')
                self.assertEqual(done.returncode, 0, done.stdout)

    def test_a_test_that_is_gone_is_named(self):
        done = self.check('| It arrives | P-7 | process/signals_test "a message arrives" |')
        self.assertEqual(done.returncode, 1)
        self.assertIn('PROMISES.md:3: process/signals_test has no test "a message arrives"', done.stdout)

    def test_a_file_that_is_gone_is_named(self):
        done = self.check('| It arrives | P-7 | process/signals_test "a message ..."; process/lost_test "x" |')
        self.assertEqual(done.returncode, 1)
        self.assertIn("there is no process/lost_test", done.stdout)

    def test_a_rule_that_a_test_cites_and_no_line_names_is_told(self):
        for rules, good in (("P-7", True), ("P-1 to P-9", True), ("P-8", False), ("", False)):
            with self.subTest(rules=rules):
                done = self.check(f'| It arrives | {rules} | process/signals_test "a message ..." |')
                self.assertEqual(done.returncode, 0 if good else 1, done.stdout)
                if not good:
                    self.assertIn("cites P-7, which PROMISES.md does not name", done.stdout)

    def test_clients_are_named_by_what_they_say_of_themselves(self):
        self.write({"tests/chat/clients/test_login.py": 'def test_plain():\n    """A client logs in."""\n'})
        for sentence, status in (("A client logs in.", 0), ("A client leaves.", 1)):
            with self.subTest(sentence=sentence):
                done = self.check(f'| It arrives | P-7 | process/signals_test "a message ..." |\n'
                                  f'| Login | | chat/clients/test_login "{sentence}" |')
                self.assertEqual(done.returncode, status, done.stdout)

    def test_a_ledger_without_tests_proves_nothing(self):
        self.assertEqual(self.check("| It arrives | P-7 | none |").returncode, 2)
