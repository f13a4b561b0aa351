"""The text budget: files under 400 lines, functions under 50. Run by `make check`."""

import ast
import statistics
import subprocess
import sys
from pathlib import Path

FILE_MAX = 400
FUNCTION_MAX = 50


def main() -> int:
    """Print the numbers and every excess; return the exit code."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py", "*.js"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    excess, lengths = [], []
    for name in sorted(set(listed)):
        path = Path(name)
        if not path.exists():
            continue
        text = path.read_text()
        lines = text.count("\n")
        if lines > 2:
            lengths.append(lines)
        if lines > FILE_MAX:
            excess.append(f"{name}: {lines} lines, {FILE_MAX} at most")
        if path.suffix == ".py":
            excess += [f"{name}:{each}" for each in _long_functions(text)]
    lengths.sort()
    tenth = lengths[int(len(lengths) * 0.9)]
    sys.stdout.write(
        f"{len(lengths)} files, lines per file: median {statistics.median(lengths):.0f},"
        f" p90 {tenth}, max {lengths[-1]}\n"
    )
    for line in excess:
        sys.stdout.write(line + "\n")
    return 1 if excess else 0


def _long_functions(text: str) -> list[str]:
    return [
        f"{node.lineno}: {node.name} has {length} lines, {FUNCTION_MAX} at most"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_MAX
    ]


if __name__ == "__main__":
    sys.exit(main())
