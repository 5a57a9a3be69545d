"""Adds up test results: python3 tools/tally.py FILE... prints `N passed, N failed`.

Reads GoogleTest XML, JUnit XML (pytest, Node) and lines `ok NAME` / `not ok NAME` of *.tap files.
"""
import sys
import xml.etree.ElementTree as tree


def count(path):
    if path.endswith(".tap"):
        lines = open(path, encoding="utf-8").read().splitlines()
        return sum(l.startswith("ok ") for l in lines), sum(l.startswith("not ok ") for l in lines)
    passed = failed = 0
    for case in tree.parse(path).getroot().iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif case.find("skipped") is None and case.get("status", "run") != "notrun":
            passed += 1
    return passed, failed


totals = [count(p) for p in sys.argv[1:]]
print(f"{sum(p for p, _ in totals)} passed, {sum(f for _, f in totals)} failed")
