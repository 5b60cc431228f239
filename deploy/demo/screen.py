"""What the quickstart's screen is drawn with: colours only on a terminal, steps that are ticked off, and lanes between three parties."""
import os
import re
import shutil
import sys

COLOURS = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
LEFT, RIGHT = 40, 33  # characters between the three lines of the diagram; all of it fits into 80 columns


def printable(text):
    """Text that cannot upset a terminal."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", "?", text.replace("\t", "    "))


def clipped(text, width):
    return text if len(text) <= width else text[: width - 1] + "…"


class Screen:
    def __init__(self, stream=sys.stdout):
        stream.reconfigure(errors="replace", line_buffering=True)
        self.stream = stream
        self.terminal = stream.isatty()
        self.coloured = self.terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self.pending = False

    def paint(self, text, *styles):
        if not self.coloured or not styles or not text:
            return text
        return f"\033[{';'.join(COLOURS[style] for style in styles)}m{text}\033[0m"

    def line(self, text=""):
        self._clear()
        print(text, file=self.stream)

    def title(self, text):
        self.line()
        self.line(f" {self.paint(text, 'bold')}")

    def doing(self, name, text):
        """A step that takes time: on a terminal one line that is written again, elsewhere nothing until it is done."""
        if self.terminal:
            self._clear()
            room = shutil.get_terminal_size().columns - 16  # a line that wraps could not be written again
            self.stream.write(f" {self.paint('·', 'yellow')} {name:<12}{self.paint(clipped(text, room), 'dim')}")
            self.stream.flush()
            self.pending = True

    def done(self, name, text, seconds=None):
        took = self.paint(f"  {seconds:.0f} s", "dim") if seconds and seconds >= 1 else ""
        self.line(f" {self.paint('✓', 'green')} {name:<12}{text}{took}")

    def failed(self, name, text):
        self.line(f" {self.paint('✗', 'red')} {self.paint(f'{name:<12}', 'bold')}{text}")

    def _clear(self):
        if self.pending:
            self.stream.write("\r\033[K")
            self.pending = False

    # The diagram: client │ left lane │ Gatepost │ right lane │ upstream. A cell is None, or (arrow, text, styles).

    def parties(self, left, middle, right):
        bold = [self.paint(name, "bold") for name in (left, middle, right)]
        gap = LEFT + 1 - len(left) - len(middle) // 2
        rest = RIGHT + 2 - (len(middle) + 1) // 2 - len(right)
        self.line(f"  {bold[0]}{' ' * gap}{bold[1]}{' ' * rest}{bold[2]}")

    def lanes(self, left=None, right=None):
        bar = self.paint("│", "dim")
        self.line(f"  {bar}{self._cell(left, LEFT)}{bar}{self._cell(right, RIGHT)}{bar}")

    def _cell(self, cell, width):
        if cell is None:
            return " " * width
        arrow, text, styles = cell
        text = clipped(printable(text), width - 5)
        fill = width - len(text) - 4
        if arrow == ">":
            return f" {self.paint(text, *styles)} {self.paint('─' * fill + '▸', 'dim')} "
        if arrow == "<":
            return f" {self.paint('◂' + '─' * fill, 'dim')} {self.paint(text, *styles)} "
        side = (width - len(text) - 2) // 2
        rest = width - len(text) - 2 - side
        return f"{self.paint('═' * side, 'dim')} {self.paint(text, *styles)} {self.paint('═' * rest, 'dim')}"
