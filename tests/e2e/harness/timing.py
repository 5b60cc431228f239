"""Whether two sets of measured times can be told apart: the test of Mann and Whitney, and the CPU time of a program."""
import math
import pathlib

# Smaller is "told apart". Chance alone gives it once in a hundred thousand comparisons.
SIGNIFICANT = 1e-5


def mann_whitney(left, right):
    """Two-sided p: how likely these ranks are when both come from the same distribution (normal approximation, n >= 20 each)."""
    ordered = sorted([(value, 0) for value in left] + [(value, 1) for value in right])
    ranks, ties, begin = 0.0, 0.0, 0
    while begin < len(ordered):
        end = begin
        while end < len(ordered) and ordered[end][0] == ordered[begin][0]:
            end += 1
        ranks += sum(1 for _, side in ordered[begin:end] if side == 0) * (begin + 1 + end) / 2
        ties += (end - begin) ** 3 - (end - begin)
        begin = end
    n, m, both = len(left), len(right), len(ordered)
    surplus = ranks - n * (n + 1) / 2 - n * m / 2
    spread = math.sqrt(n * m / 12 * (both + 1 - ties / (both * (both - 1))))
    return math.erfc(abs(surplus) / spread / math.sqrt(2)) if spread else 1.0


def told_apart(classes):
    """Pairs of names whose times differ by more than chance, with p."""
    names = sorted(classes)
    pairs = {(a, b): mann_whitney(classes[a], classes[b]) for i, a in enumerate(names) for b in names[i + 1 :]}
    return {pair: p for pair, p in pairs.items() if p < SIGNIFICANT}


def is_sharp(classes, difference):
    """Whether a class that was slower by `difference` seconds would have been told from every other."""
    for slow in classes:
        moved = {name: [value + difference if name == slow else value for value in values] for name, values in classes.items()}
        if sum(slow in pair for pair in told_apart(moved)) < len(classes) - 1:
            return False
    return True


def cpu_seconds(pid):
    """CPU time of all threads that still run, on the scheduler's nanosecond clock."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in pathlib.Path(f"/proc/{pid}/task").iterdir()) / 1e9
