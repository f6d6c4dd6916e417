"""A seeded sample of mutants of some modules, each met by the tests of its module; survivors are printed.

    python tests/mutants.py --count 40 --seed 0 align/neighbors.py index/collection/filters.py

Needs cosmic-ray, whose operators make the mutants; run by hand, in a copy of the repository, for files are altered
while it runs (and put back). The tests of ``align/a/b.py`` are ``tests/align/a/test_b.py``, the contract beside it, and
the properties of its room. A mutant that no test notices is a survivor: a missing test, or a change that changes
nothing.
"""

import argparse
import difflib
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
_KINDS = (
    "ReplaceComparisonOperator", "ReplaceBinaryOperator_Add_Sub", "ReplaceBinaryOperator_Sub_Add",
    "ReplaceBinaryOperator_Mul_Div", "ReplaceBinaryOperator_Div_Mul", "ReplaceUnaryOperator_Delete_USub",
    "ReplaceUnaryOperator_Delete_Not", "ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "ReplaceAndWithOr",
    "ReplaceOrWithAnd", "ReplaceBreakWithContinue", "NumberReplacer", "ZeroIterationForLoop", "AddNot",
)  # fmt: skip
_SECONDS = 240  # for the tests of one mutant


def mutants(path):
    """Return (operator, occurrence) of every mutant of a file."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.plugins import get_operator, operator_names

    nodes = list(ast_nodes(get_ast(path.read_text(encoding="utf-8"))))
    names = [each for each in operator_names() if each.partition("/")[2].startswith(_KINDS)]
    counts = {name: sum(len(list(get_operator(name)().mutation_positions(node))) for node in nodes) for name in names}
    return [(name, occurrence) for name, count in counts.items() for occurrence in range(count)]


def mutated(path, name, occurrence):
    """Return the text of a mutant."""
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    made = mutate_code(path.read_bytes(), get_operator(name)(), occurrence)
    return made.decode() if isinstance(made, bytes) else made


def tests_of(path):
    """Return the test files that belong to a module."""
    inside = path.relative_to(ROOT)
    folder = ROOT / "tests" / inside.parent
    named = [folder / f"test_{inside.stem}.py", folder / "test_contract.py"]
    rooms = [ROOT / "tests" / inside.parts[0] / f"test_{each}.py" for each in ("properties", "numerics")]
    return [str(each) for each in dict.fromkeys([*named, *rooms]) if each.exists()]


def fate(path, text, python):
    """Return "SURVIVED", "killed" or "timed out", of the tests of a module with another text of it."""
    source = path.read_bytes()
    path.write_text(text, encoding="utf-8")
    try:
        command = [python, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", "not slow", *tests_of(path)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=_SECONDS)
        return "killed" if done.returncode else "SURVIVED"
    except subprocess.TimeoutExpired:
        return "timed out"
    finally:
        path.write_bytes(source)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("modules", nargs="+", type=lambda each: ROOT / each)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--python", default=sys.executable, help="whose environment has the project's libraries")
    given = parser.parse_args()
    every = [(path, *each) for path in given.modules for each in mutants(path)]
    chosen = random.Random(given.seed).sample(every, min(given.count, len(every)))
    fates = Counter()
    for number, (path, name, occurrence) in enumerate(chosen, 1):
        begun, kind, text = time.perf_counter(), name.partition("/")[2], mutated(path, name, occurrence)
        end = fate(path, text, given.python)
        fates[end] += 1
        told = f"{number}: {path.relative_to(ROOT)}, {kind}: {end}"
        sys.stdout.write(f"{told}, {time.perf_counter() - begun:.0f} s\n")
        if end == "SURVIVED":
            source = path.read_text(encoding="utf-8").splitlines()
            lines = difflib.unified_diff(source, text.splitlines(), lineterm="", n=0)
            sys.stdout.write("".join(f"    {line}\n" for line in list(lines)[2:]))
        sys.stdout.flush()
    sys.stdout.write(f"{dict(fates)} of a sample of {len(chosen)}, of {len(every)} mutants\n")


if __name__ == "__main__":
    main()
