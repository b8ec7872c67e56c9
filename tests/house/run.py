#!/usr/bin/env python3
"""Tests of the house itself: ./dev, the checks in .ci and the runner of the stages.

A check that never complains is worth nothing, so every one of them is given a small tree that breaks its
rule. The last line of the output is `N passed, M failed`.
"""
import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))


def main():
    suite = unittest.defaultTestLoader.discover(str(HERE), pattern="*_test.py")
    done = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    failed = len(done.failures) + len(done.errors)
    print(f"{done.testsRun - failed - len(done.skipped)} passed, {failed} failed")
    return 1 if failed or not done.testsRun else 0


if __name__ == "__main__":
    sys.exit(main())
