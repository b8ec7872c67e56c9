"""A temporary tree of files, and running a program of the house on it."""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


class in_a_tree(unittest.TestCase):
    """Each test has an empty folder of its own, with a blank in its path."""

    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="otter house ")
        self.addCleanup(holder.cleanup)
        self.tree = pathlib.Path(holder.name)

    def write(self, files):
        for name, text in files.items():
            path = self.tree / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def script(self, name, text):
        path = self.tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
        return path

    def run_program(self, *command, **options):
        options.setdefault("cwd", self.tree)
        return subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=120,
                              stdin=subprocess.DEVNULL, **options)

    def run_python(self, script, *arguments):
        return self.run_program(sys.executable, ROOT / ".ci" / script, *arguments)


def only(*folders):
    """An environment with these folders in PATH and no others."""
    return dict(os.environ, PATH=":".join(str(f) for f in folders))
