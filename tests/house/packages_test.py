"""./dev and Debian packages: what it installs, what it says, and that it never removes.

dpkg-query, apt-get, apt-cache, sudo and id are replaced by scripts that play a machine and keep a log.
"""
import os
import pty
import shutil
import subprocess

from support import ROOT, in_a_tree, only

TOOLS = ("bash", "env", "sh", "cat", "sed", "awk", "grep", "dirname", "readlink", "head", "tr", "mkdir", "nproc", "touch", "rm", "true")


class packages(in_a_tree):
    def setUp(self):
        super().setUp()
        self.machine = self.tree / "machine"
        self.machine.mkdir()
        for tool in TOOLS:
            (self.machine / tool).symlink_to(shutil.which(tool))
        (self.tree / "installed").write_text("")
        (self.tree / "log").write_text("")
        self.play(user=0)
        self.script("machine/dpkg-query", """#!/bin/bash
package="${@: -1}"
if [[ "$package" == *'*'* ]]; then
  while read -r one; do echo "installed $one"; done <"$MACHINE/installed"; exit 0
fi
grep -qx -- "$package" "$MACHINE/installed" && printf installed
""")
        self.script("machine/apt-cache", """#!/bin/bash
[[ -e "$MACHINE/lists" ]] && printf '%s:\\n  Candidate: 1.0\\n' "$2"
exit 0
""")
        self.script("machine/apt-get", """#!/bin/bash
echo "apt-get $*" >>"$MACHINE/log"
case "$1" in
  update) touch "$MACHINE/lists" ;;
  -s) [[ -e "$MACHINE/lists" ]] && echo "Remv libboost1.74-dev [1.74]" && echo "Remv libboost-dev [1.74]" ;;
  install)
    if [[ -e "$MACHINE/stale" ]]; then rm "$MACHINE/stale"; exit 100; fi
    for word in "${@:2}"; do [[ "$word" == -* ]] || echo "$word" >>"$MACHINE/installed"; done ;;
esac
exit 0
""")
        (self.tree / "lists").touch()

    def play(self, user, sudo=None):
        self.script("machine/id", f"#!/bin/bash\necho {user}\n")
        if sudo is not None:
            self.script("machine/sudo", '#!/bin/bash\n[[ "$1" == -n ]] && shift\n' + ('exec "$@"\n' if sudo else "exit 1\n"))

    def have(self, *names):
        (self.tree / "installed").write_text("".join(n + "\n" for n in names))

    def need(self, *purposes):
        environment = dict(only(self.machine), MACHINE=str(self.tree))
        return self.run_program(ROOT / "dev", "packages", *purposes, env=environment)

    def need_at_a_terminal(self, *purposes):
        """The same with a terminal, as a user has one. Gives the exit status and all that was shown."""
        environment = dict(only(self.machine), MACHINE=str(self.tree))
        ours, theirs = pty.openpty()
        with subprocess.Popen([str(ROOT / "dev"), "packages", *purposes], cwd=self.tree, env=environment, stdin=theirs,
                              stdout=theirs, stderr=theirs) as process:
            os.close(theirs)
            shown = b""
            while True:
                try:
                    part = os.read(ours, 4096)
                except OSError:  # that is how a terminal ends
                    break
                if not part:
                    break
                shown += part
        os.close(ours)
        return process.returncode, shown.decode()

    def log(self):
        return (self.tree / "log").read_text()

    def test_nothing_is_installed_when_nothing_is_missing(self):
        self.have("catch2")
        done = self.need("simulate")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.log(), "")

    def test_what_is_missing_is_named_and_installed_without_removing(self):
        self.have("g++", "cmake")
        done = self.need("build")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("missing Debian packages: ninja-build pkg-config libboost1.81-dev", done.stdout)
        line = self.log().strip()
        self.assertTrue(line.startswith("apt-get install -y --no-remove "), line)
        self.assertIn(" ninja-build ", line)
        self.assertNotIn(" cmake", line)

    def test_a_machine_without_package_lists_updates_them_once(self):
        (self.tree / "lists").unlink()
        done = self.need("build", "chat")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.log().count("apt-get update"), 1)
        self.assertEqual(self.log().count("apt-get install"), 1)

    def test_stale_package_lists_are_renewed_and_the_install_tried_again(self):
        (self.tree / "stale").touch()
        done = self.need("simulate")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([line.split()[1] for line in self.log().splitlines()], ["install", "update", "install"])

    def test_sudo_is_used_when_it_asks_no_question(self):
        self.play(user=1000, sudo=True)
        done = self.need("simulate")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("apt-get install", self.log())

    def test_without_root_and_sudo_the_one_command_is_printed(self):
        for sudo in (None, False):
            with self.subTest(sudo=sudo):
                self.play(user=1000, sudo=sudo)
                done = self.need("simulate")
                self.assertNotEqual(done.returncode, 0)
                self.assertIn("sudo sh -c 'apt-get update && apt-get install -y --no-remove", done.stderr)
                self.assertIn("catch2'", done.stderr)
                self.assertEqual(self.log(), "")

    def test_at_a_terminal_sudo_may_ask_for_a_password(self):
        for knows, expected in ((True, 0), (False, 1)):
            with self.subTest(knows=knows):
                self.play(user=1000)
                self.have()
                (self.tree / "log").write_text("")
                # -n: no question is allowed, so it fails; -v: it asks, and remembers the answer for a while
                self.script("machine/sudo", "#!/bin/bash\n"
                            'echo "sudo $*" >>"$MACHINE/log"\n'
                            '[[ "$1" != -n ]] || exit 1\n'
                            f'if [[ "$1" == -v ]]; then echo "password for you:"; exit {expected}; fi\n'
                            'exec "$@"\n')
                status, shown = self.need_at_a_terminal("simulate")
                self.assertEqual(status, expected, shown)
                self.assertIn("sudo asks for your password", shown)
                self.assertIn("password for you:", shown)
                if knows:
                    self.assertIn("apt-get install -y --no-remove", self.log())
                else:
                    self.assertIn("run this once: sudo sh -c 'apt-get update && apt-get install", shown)
                    self.assertNotIn("apt-get", self.log())

    def test_the_headers_of_boost_1_74_stop_it_with_one_line(self):
        self.have("libboost1.74-dev", "libboost-dev")
        for lists in (True, False):
            with self.subTest(lists=lists):
                if not lists:
                    (self.tree / "lists").unlink()
                done = self.need("build")
                self.assertNotEqual(done.returncode, 0)
                self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
                for words in ("libboost1.74-dev is installed and conflicts with libboost1.81-dev", "would remove: ",
                              "libboost-dev", "apt-get install libboost1.81-dev libboost-context1.81-dev"):
                    self.assertIn(words, done.stderr)
                self.assertNotIn("apt-get install -y", self.log())

    def test_an_unknown_purpose_is_refused(self):
        self.assertIn("no purpose 'cheese'", self.need("cheese").stderr)

    def test_a_machine_that_is_not_debian_goes_on(self):
        (self.machine / "dpkg-query").unlink()
        done = self.need("build")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("not Debian", done.stdout)
