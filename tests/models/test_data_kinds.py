"""Kinds of data sources: each is one file, which is found because it is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from snnc.cli.options import DATA_FORMS
from snnc.common.errors import DataError
from snnc.models.data import load, load_data, sources


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A kind of source of its own file, ``zeros:COUNT``."""
    (tmp_path / "zeros.py").write_text(
        "from pathlib import Path\n"
        "import numpy as np\n"
        "from snnc.models.data import make_dataset\n"
        "FORM = 'zeros:COUNT'\n"
        "PRECEDENCE = 0\n"
        "RUNS_CODE = False\n"
        "def matches(spec, base): return spec.startswith('zeros:')\n"
        "def load(spec, split): return make_dataset(spec, np.zeros((int(spec[6:]), 1, 2, 2), np.uint8))\n"
        "def relocated(spec, base): return spec\n"
    )
    monkeypatch.setattr(sources, "__path__", [*sources.__path__, str(tmp_path)])
    load._sources.cache_clear()
    yield
    load._sources.cache_clear()


def test_a_file_that_is_added_is_a_kind_of_source(added: None) -> None:
    assert len(load_data("zeros:3", split="train")) == 3
    assert load.relocated("zeros:3", Path("elsewhere")) == "zeros:3" and not load.names_code("zeros:3")
    with pytest.raises(DataError, match=r"zeros:COUNT \| digits \| mnist:ROOT"):
        load_data("nonsense", split="train")


def test_sources_are_asked_in_the_order_of_the_documentation() -> None:
    kinds = load._sources()
    names = [kind.__name__.rpartition(".")[2] for kind in kinds]
    assert names == ["digits", "torchvision_sets", "imagenet", "npz", "folder", "reference"]
    assert len({kind.PRECEDENCE for kind in kinds}) == len(kinds)
    assert [kind.RUNS_CODE for kind in kinds] == [name == "reference" for name in names]


def test_help_lists_every_kind_in_the_order_in_which_they_are_asked() -> None:
    sources = load._sources()
    *others, last = (source.HELP for source in sources)
    assert f"{', '.join(others)}, or {last}" == DATA_FORMS
    for source in sources:
        names = [form.strip().partition(":")[0] for form in source.FORM.split("|") if form.strip().endswith(":ROOT")]
        assert all(f"{name}:ROOT" in source.HELP for name in names)
