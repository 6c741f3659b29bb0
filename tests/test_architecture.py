"""Imports run one way, everything public is described, no file grows too long."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("compiler", "runtime", "models", "snnc")
# snnc/ holds links to the other three: they are looked at once.
FILES = sorted(
    path
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*.py")
    if not any(part.is_symlink() for part in [path, *path.parents])
)
SOURCES = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in FILES}
TREES = {name: ast.parse(text) for name, text in SOURCES.items()}
LINES_MAXIMUM = 500
# They import nothing of snnc but one another, so everybody may import them.
LEAVES = (
    "snnc.available_memory",
    "snnc.errors",
    "snnc.just_in_time",
    "snnc.pictures",
    "snnc.references",
    "snnc.whole_file",
)


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


def ours(folder: str) -> dict[str, set[str]]:
    """For each file of a folder what it imports of snnc."""
    return {
        name: {each for each in imports(tree) if below(each, "snnc")}
        for name, tree in TREES.items()
        if name.startswith(folder)
    }


def test_all_files_are_looked_at() -> None:
    assert len(FILES) > 40 and {name.split("/")[0] for name in SOURCES} == set(FOLDERS)


def test_nobody_imports_the_folders_by_another_name() -> None:
    for name, tree in TREES.items():
        assert not [each for each in imports(tree) if below(each, "compiler", "runtime", "models", "tests")], name


def test_the_compiler_reaches_the_runtime_only_to_measure() -> None:
    reaching = {name for name, found in ours("compiler/").items() if any(below(each, "snnc.runtime") for each in found)}
    assert reaching <= {"compiler/passes/measure_membranes.py", "compiler/sigma_delta/measure.py"}
    assert not any(below(each, "snnc.runtime") for name in reaching for each in module_level_imports(TREES[name]))


def test_the_compiler_knows_neither_models_nor_the_command_line() -> None:
    for name, found in ours("compiler/").items():
        assert all(each == "snnc" or below(each, "snnc.compiler", "snnc.runtime", *LEAVES) for each in found), name


def test_the_runtime_reads_the_file_and_the_targets_never_the_passes() -> None:
    compiler = [f"snnc.compiler.{each}" for each in ("emit", "netx", "placement", "program", "targets")]
    allowed = ("snnc.runtime", *compiler, *LEAVES)
    for name, found in ours("runtime/").items():
        assert all(below(each, *allowed) for each in found), (name, sorted(found))


def test_models_import_neither_compiler_nor_runtime() -> None:
    for name, found in ours("models/").items():
        assert all(below(each, "snnc.models", *LEAVES) for each in found), (name, sorted(found))


def test_the_solver_imports_nothing_of_snnc_but_itself() -> None:
    for name, found in ours("compiler/solver/").items():
        assert all(below(each, "snnc.compiler.solver", "snnc.just_in_time") for each in found), name


def test_the_program_knows_no_passes_and_no_frontend() -> None:
    for name, found in ours("compiler/program/").items():
        allowed = ("snnc.compiler.program", "snnc.compiler.emit.save", "snnc.compiler.emit", "snnc.errors")
        assert all(below(each, *allowed) for each in found), (name, sorted(found))


def test_netx_files_are_read_without_the_rest_of_the_compiler() -> None:
    allowed = ("snnc.compiler.netx", "snnc.compiler.emit", "snnc.compiler.program", "snnc.errors")
    for name, found in ours("compiler/netx/").items():
        assert all(below(each, *allowed) for each in found), (name, sorted(found))


def test_errors_import_nothing() -> None:
    assert imports(TREES["snnc/errors.py"]) <= {"__future__", "__future__.annotations"}


def test_the_leaves_import_nothing_of_snnc_but_leaves() -> None:
    for leaf in LEAVES:
        name = f"{leaf.replace('.', '/')}.py"
        assert all(below(each, *LEAVES) for each in imports(TREES[name]) if below(each, "snnc")), name


def test_lava_is_imported_in_its_two_folders_only_and_lazily() -> None:
    for name, tree in TREES.items():
        if any(below(each, "lava") for each in imports(tree)):
            assert name.startswith(("runtime/lava/", "runtime/hardware/")), name
    # Importing snnc must not need Lava: whoever imports a file that imports Lava does so inside a function.
    direct = {name for name, tree in TREES.items() if any(below(each, "lava") for each in module_level_imports(tree))}
    assert all(name.startswith(("runtime/lava/", "runtime/hardware/")) for name in direct)


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


def test_every_pass_has_a_file_of_its_own() -> None:
    for name, tree in TREES.items():
        if name.startswith("compiler/passes/"):
            passes = [
                node.name
                for node in tree.body
                if isinstance(node, ast.ClassDef) and any(ast.unparse(base) == "Pass" for base in node.bases)
            ]
            assert len(passes) <= 2, name
