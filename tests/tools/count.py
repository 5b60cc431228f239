"""Totals, and how to read them from what GoogleTest, ctest and pytest write."""
import json
import re
import xml.etree.ElementTree as xml


class Totals:
    def __init__(self, passed=0, failed=0, skipped=0, skips=()):
        self.passed, self.failed, self.skipped, self.skips = passed, failed, skipped, list(skips)

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"

    def __sub__(self, other):
        return Totals(self.passed - other.passed, self.failed - other.failed, self.skipped - other.skipped)

    def copy(self):
        return Totals(self.passed, self.failed, self.skipped)

    @staticmethod
    def from_line(line):
        """The totals of a last line of tests/run, or None."""
        found = re.fullmatch(r"(\d+) passed, (\d+) failed, (\d+) skipped\n?", line)
        return Totals(*map(int, found.groups())) if found else None

    def add(self, other):
        self.passed, self.failed, self.skipped = self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped

    def add_ctest(self, results):
        """`results` holds ctest.xml and, for each program that is a GoogleTest one, <program>.json with its cases."""
        try:
            programs = xml.parse(results / "ctest.xml").getroot()
        except (OSError, xml.ParseError):
            self.failed += 1
            return
        for program in programs.iter("testcase"):
            cases = cases_of(results / f"{program.get('name')}.json")
            passed = program.get("status") == "run"
            if program.find("skipped") is not None and passed is False and not cases:
                self.skip(program.get("name"), program.find("skipped").get("message", ""))
            elif not cases:
                self.passed, self.failed = self.passed + passed, self.failed + (not passed)
            else:
                failed = sum(result == "FAILED" for _, result, _ in cases)
                self.passed += sum(result == "PASSED" for _, result, _ in cases)
                self.failed += failed or (not passed)  # a program that dies at its end failed too
                for name, result, reason in cases:
                    if result == "SKIPPED":
                        self.skip(name, reason)

    def add_junit(self, report):
        """What pytest wrote."""
        try:
            cases = list(xml.parse(report).getroot().iter("testcase"))
        except (OSError, xml.ParseError):
            self.failed += 1
            return
        for case in cases:
            if case.find("failure") is not None or case.find("error") is not None:
                self.failed += 1
            elif case.find("skipped") is not None:
                self.skip(case.get("name"), case.find("skipped").get("message", ""))
            else:
                self.passed += 1

    def skip(self, name, reason):
        self.skipped += 1
        self.skips.append(f"{name}: {reason}")


def cases_of(report):
    """[(name, PASSED | FAILED | SKIPPED, reason)] of a GoogleTest program, [] if it wrote no report."""
    try:
        suites = json.loads(report.read_text())["testsuites"]
    except (OSError, ValueError, KeyError):
        return []
    cases = []
    for suite in suites:
        for case in suite["testsuite"]:
            name = f"{suite['name']}.{case['name']}"
            if case["status"] != "RUN":
                cases.append((name, "SKIPPED", "disabled in its source"))
            elif "failures" in case:
                cases.append((name, "FAILED", ""))
            elif case.get("result") == "SKIPPED":
                reason = case.get("skipped", [{}])[0].get("message", "").strip().splitlines()
                cases.append((name, "SKIPPED", reason[-1] if reason else "skipped"))
            else:
                cases.append((name, "PASSED", ""))
    return cases
