"""Networks that decide by a sign or give values: compiled, run, validated, diagnosed and reported as what they are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from support.command_line import Call
from support.tasks import one_logit, regression

import snnc
from snnc.common.errors import DataError
from snnc.program.net import load


def test_one_logit_is_a_class_by_its_sign() -> None:
    module, data = one_logit()
    program = snnc.compile(module, data)
    assert program.provenance.verdict is not None and program.provenance.verdict.task == "sign"
    with torch.no_grad():
        right = ((module(torch.as_tensor(data[0]))[:, 0] > 0).numpy() == data[1]).mean()
    result = snnc.run(program, data)
    assert result.accuracy(data[1]) > right - 0.02 > 0.95
    assert result.accuracy(np.where(data[1] == 1, 1, -1)) == result.accuracy(data[1][:, None])
    found = snnc.diagnose(module, program, data)
    assert found.stages[0].accuracy == pytest.approx(right)
    assert not any("the ANN itself" in each.what for each in found.findings)
    with pytest.raises(DataError, match=r"not one label for each.*400, of samples 0 to 399.*take labels\[0:400\]"):
        result.accuracy(np.zeros(500, np.int64))


def test_regression_has_outputs_in_its_own_units(tmp_path: Path) -> None:
    module, (x, y) = regression()
    program = snnc.compile(module, (x, y), timesteps=32)
    verdict = program.provenance.verdict
    assert verdict is not None and verdict.task == "values" and verdict.agreement is None
    assert verdict.explained is not None and verdict.explained > 0.95
    assert verdict.ann_error is not None and verdict.snn_error is not None
    assert verdict.snn_error.rmse < 1.3 * verdict.ann_error.rmse
    with torch.no_grad():
        wanted = module(torch.as_tensor(x)).numpy()
    outputs = snnc.run(program, x).outputs(program)
    assert outputs.shape == wanted.shape and np.corrcoef(outputs[:, 0], wanted[:, 0])[0, 1] > 0.97
    assert np.abs(outputs - wanted).mean() < 0.2
    found = snnc.diagnose(module, program, (x, y))
    assert found.task == "values" and found.stages[0].accuracy is None and found.stages[0].agreement == 1
    assert found.stages[0].error is not None and not any("the ANN itself" in each.what for each in found.findings)
    report = snnc.report(module, program, (x, y), tmp_path / "page.html")
    assert report.passes[-1].agreement == pytest.approx(report.network.agreement)
    assert report.network.agreement > 0.9 and "R squared" in (tmp_path / "page.html").read_text()


def test_the_command_keeps_the_task_and_the_outputs(tmp_path: Path, works: Call) -> None:
    module, (x, y) = regression()
    torch.save(module, tmp_path / "model.pt")
    # As numbers they could be labels of a sign.
    np.savez(tmp_path / "data.npz", x=x, y=(y > 0).astype(np.int64))
    model, net, data = (str(tmp_path / name) for name in ("model.pt", "model.net", "data.npz"))
    works("compile", model, "--calib", data, "--task", "values", "--threshold", "max")
    assert load(tmp_path / "model.net").provenance.options["task"] == "values"
    ran = json.loads(works("run", net, "--data", data, "--json", "-o", tmp_path / "out.npz"))
    assert ran["task"] == "values" and ran["accuracy"] is None and ran["target_error"]["rmse"] > 0
    with np.load(tmp_path / "out.npz") as kept:
        assert np.allclose(kept["outputs"], ran["outputs"], rtol=1e-4) and kept["targets"].shape == (400, 1)
    shown = works("run", net, "--data", data)
    assert "RMSE" in shown and "R squared" in shown and "accuracy" not in shown
    other = works("run", net, "--data", data, "--task", "sign")
    assert "by the sign of the output" in other
