"""Imports go down the floors and never in a circle, everything public is described, no file grows too long."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Set
from pathlib import Path

import networkx as nx
import pytest

ROOT = Path(__file__).resolve().parents[2]
# The links at the top lead to the same files.
FILES = sorted((ROOT / "snnc").rglob("*.py"))
SOURCES = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in FILES}
TREES = {name: ast.parse(text) for name, text in SOURCES.items()}
LINES_MAXIMUM = 500
# From the ground; rooms on one floor do not import each other. docs/architecture.md has a paragraph on each.
FLOORS = (
    ("common",),
    ("program", "models"),
    ("runtime",),
    ("compiler",),
    ("inputs",),
    ("analysis",),
    ("reporting",),
    ("api",),
    ("finetuning", "tuning"),
    ("cli",),
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
# Modules of the package itself, which belong to no room.
LOOSE = {"snnc/__init__.py", "snnc/__main__.py"}


def module_of(name: str) -> str:
    """The dotted name of a file."""
    return name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


MODULES = {module_of(name): name for name in SOURCES}


def imports(tree: ast.AST) -> set[str]:
    """Dotted names of all that is imported, wherever it stands; types included."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            found.add(str(node.module))
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def edges(trees: Mapping[str, ast.AST]) -> Iterator[tuple[str, str]]:
    """Which file imports which: the file that a name is taken from, whatever that one imports in turn."""
    for name, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                targets = [
                    below if (below := f"{node.module}.{alias.name}") in MODULES else str(node.module)
                    for alias in node.names
                ]
            else:
                continue
            yield from ((name, MODULES[each]) for each in targets if each in MODULES and MODULES[each] != name)


def circles(found: Set[tuple[str, str]]) -> list[set[str]]:
    """Files that import one another."""
    return [each for each in nx.strongly_connected_components(nx.DiGraph(list(found))) if len(each) > 1]


def going_up(found: Set[tuple[str, str]]) -> list[tuple[str, str]]:
    """Imports of a room on the same floor or above."""
    rooms = [(each, tuple(name.split("/")[1] for name in each)) for each in found if not LOOSE & set(each)]
    return sorted(each for each, (here, there) in rooms if here != there and FLOOR[there] >= FLOOR[here])


EDGES = set(edges(TREES))


def module_level_imports(tree: ast.Module) -> set[str]:
    """Those that run when the module is imported."""
    found: set[str] = set()
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= imports(node)
        waiting.extend(ast.iter_child_nodes(node))
    return found


def below(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def test_every_file_is_in_a_room() -> None:
    rooms = {name.split("/")[1] for name in SOURCES if name not in LOOSE}
    assert len(FILES) > 200 and rooms <= set(FLOOR)


def test_imports_go_down() -> None:
    assert going_up(EDGES) == []


def test_imports_never_go_in_a_circle() -> None:
    assert circles(EDGES) == []


def test_nothing_below_the_top_imports_the_package_itself() -> None:
    assert [each for each in EDGES if each[1] == "snnc/__init__.py"] == []


@pytest.mark.parametrize(
    "room, line",
    [
        ("snnc/program/layer.py", "from snnc.runtime.result import RunResult"),
        ("snnc/runtime/result.py", "def f():\n    import snnc.compiler.pipeline"),
        ("snnc/models/vgg.py", "if TYPE_CHECKING:\n    from snnc.program.layer import Layer"),
    ],
)
def test_an_import_that_goes_up_is_found(room: str, line: str) -> None:
    assert [each for each, _ in going_up(set(edges({room: ast.parse(line)})))] == [room]


def test_a_circle_is_found_even_through_a_function() -> None:
    back = set(edges({"snnc/common/errors.py": ast.parse("def f():\n    import snnc.common.atomic_write")}))
    (found,) = circles(EDGES | back)
    assert {"snnc/common/errors.py", "snnc/common/atomic_write.py"} <= found


def hidden_modules(package: str, tree: ast.Module) -> set[str]:
    """Modules of a package that a name of the package's own hides: ``import package.module`` then gives that name."""
    prefix = f"{module_of(package)}."
    modules = {name.removeprefix(prefix).partition(".")[0] for name in MODULES if name.startswith(prefix)}
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names |= {each.asname or each.name for each in node.names if f"{node.module}.{each.name}" not in MODULES}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
    return names & modules


def test_no_name_of_a_package_hides_one_of_its_modules() -> None:
    packages = [name for name in SOURCES if name.endswith("/__init__.py")]
    assert {name: hidden for name in packages if (hidden := hidden_modules(name, TREES[name]))} == {}


def test_a_hidden_module_is_found() -> None:
    line = "from snnc.compiler.frontend.tracing import trace as tracing"
    assert hidden_modules("snnc/compiler/frontend/__init__.py", ast.parse(line)) == {"tracing"}


def test_no_private_name_of_another_room_is_imported() -> None:
    private = [
        (name, each)
        for name, tree in TREES.items()
        for each in imports(tree)
        if each.startswith("snnc.") and any(part.startswith("_") for part in each.split("."))
    ]
    assert private == []


def test_nobody_imports_the_folders_by_another_name() -> None:
    for name, tree in TREES.items():
        assert not [each for each in imports(tree) if below(each, "compiler", "runtime", "models", "tests")], name


def test_the_solver_imports_nothing_of_the_compiler_but_itself() -> None:
    # Its methods, one file each, are its own.
    solver = ("snnc/compiler/conversion/solver/", "snnc/compiler/conversion/methods/")
    reached = {there for here, there in EDGES if here.startswith(solver)}
    assert all(each.startswith((*solver, "snnc/common/")) for each in reached)


def test_the_laboratory_script_imports_nothing_else_of_snnc() -> None:
    script = "snnc/runtime/hardware/lab_script/"
    assert [each for each in EDGES if each[0].startswith(script) and not each[1].startswith(script)] == []


def test_lava_is_imported_in_its_two_folders_only_and_lazily() -> None:
    for name, tree in TREES.items():
        if any(below(each, "lava") for each in imports(tree)):
            assert name.startswith(("snnc/runtime/lava/", "snnc/runtime/hardware/")), name
    # Importing snnc must not need Lava: whoever imports a file that imports Lava does so inside a function.
    direct = {name for name, tree in TREES.items() if any(below(each, "lava") for each in module_level_imports(tree))}
    assert all(name.startswith(("snnc/runtime/lava/", "snnc/runtime/hardware/")) for name in direct)


@pytest.mark.parametrize(
    "package", ["snnc", "snnc.compiler.pipeline", "snnc.runtime.simulator", "snnc.models", "snnc.cli"]
)
def test_importing_a_package_loads_no_lava(package: str) -> None:
    import subprocess
    import sys

    program = f"import sys, {package}; print([name for name in sys.modules if name.split('.')[0] == 'lava'])"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
    assert result.stdout.strip() == "[]", result.stdout + result.stderr


def undocumented(name: str, tree: ast.Module) -> list[str]:
    found = [] if ast.get_docstring(tree) else [name]

    def visit(node: ast.AST, path: str, *, protocol: bool) -> None:
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or child.name.startswith(
                "_"
            ):
                continue
            overload = any("overload" in ast.unparse(each) for each in child.decorator_list)
            if not ast.get_docstring(child) and not overload:
                found.append(f"{path}.{child.name}")
            if isinstance(child, ast.ClassDef):
                visit(child, f"{path}.{child.name}", protocol=protocol)

    visit(tree, name, protocol=False)
    return found


def test_everything_public_has_a_docstring() -> None:
    assert [each for name, tree in TREES.items() for each in undocumented(name, tree)] == []


def test_no_file_is_longer_than_500_lines() -> None:
    assert {
        name: len(text.splitlines()) for name, text in SOURCES.items() if len(text.splitlines()) > LINES_MAXIMUM
    } == {}
