"""Reads a model file: the way from a path to a network that is ready to be traced."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import torch.fx
from torch import nn

from snnc.common.errors import ModelError, OptionError, SnncError, UntrustedModelError
from snnc.common.registry import import_all
from snnc.compiler.frontend import files
from snnc.compiler.frontend.files.admitted import check_amount
from snnc.compiler.frontend.files.identify import Format, identify
from snnc.compiler.frontend.files.state import build_network, is_state_dict, load_state, without_parallel_prefix
from snnc.compiler.frontend.files.tensors import MalformedFileError
from snnc.compiler.frontend.plain_layers import unwrapped

__all__ = ["FORMATS", "load_model", "read_state"]

# Each module beside this one that has a FORMAT is one, in the order in which they are tried.
FORMATS: tuple[Format, ...] = tuple(
    sorted(
        (module.FORMAT for module in import_all(files) if hasattr(module, "FORMAT")), key=lambda each: each.precedence
    )
)

_CHECKPOINT_KEYS = ("state_dict", "model_state_dict", "model")
_KEYS_NAMED_AT_MOST = 5


def load_model(
    path: str | Path, *, arch: str | Callable[[], nn.Module] | None = None, trust: bool = False
) -> nn.Module:
    """Read a network from a file: one that ``torch.save`` wrote, or of another format that holds a network or weights.

    A checkpoint that wraps a network or weights under ``state_dict``, ``model_state_dict`` or ``model`` is unwrapped,
    and so is ``nn.DataParallel``.

    Args:
        path: The file.
        arch: For a state_dict: ``module:factory``, where ``factory`` is a callable without arguments that returns the
            network, or a network; ``module`` is searched in the working directory first. The factory's code is run.
            Or such a callable itself.
        trust: Unpickle the file with all that it asks for, which runs whatever code it names. Without it, only tensors
            and the layers of torch.nn and torchvision are admitted, and no code from the file is run. Classes are
            searched in the working directory first.

    Returns:
        The network in eval mode, on the CPU, with float32 parameters.

    Raises:
        UntrustedModelError: The file needs a class or function other than those admitted, or is a TorchScript archive,
            and ``trust`` is not given.
        ModelError: The file is missing or truncated, not a model file, or holds no usable network; or its state_dict
            needs ``arch``, or does not fit it.
        UnsupportedError: The file describes its network as a graph, with an operation that cannot be compiled.
        OptionError: ``arch`` cannot be used, or is given for a file that holds a whole network.
    """
    file = Path(path)
    where = str(file)
    content = _unwrap(_read(file, trust))
    if isinstance(content, nn.Module):
        if arch is not None:
            raise OptionError(
                "is only for a state_dict",
                where="--arch",
                found=f"a whole network of the class {type(content).__name__} in {where}",
                advice="leave --arch out",
            )
        return _ready(content, where)
    if not is_state_dict(content):
        raise ModelError(
            "holds no network",
            where=where,
            expected="a torch.nn.Module or a state_dict",
            found=_describe(content),
            advice="save the network with torch.save(model, path)",
        )
    if arch is None:
        raise ModelError(
            f"is a state_dict of {len(content)} tensors, without the network they belong to",
            where=where,
            advice="give --arch module:factory, where factory() returns the network, or the name of one of ours, which "
            "snnc init looks for",
        )
    network = build_network(arch) if isinstance(arch, str) else arch()
    load_state(network, content, where)
    return _ready(network, where)


def read_state(path: str | Path, *, trust: bool = False) -> Mapping[str, torch.Tensor]:
    """Read the weights that a file holds, as a state_dict or in a network.

    Args:
        path: The file.
        trust: As for ``load_model``.

    Returns:
        The weights by name, without the ``module.`` of ``nn.DataParallel``, on the CPU.

    Raises:
        UntrustedModelError: As for ``load_model``.
        ModelError: The file is missing or damaged, or holds no weights.
    """
    content = _unwrap(_read(Path(path), trust))
    if isinstance(content, torch.fx.GraphModule):
        raise ModelError(
            "its weights have no names",
            where=str(path),
            expected="a state_dict, or a network saved with torch.save",
            found="a network written down as a graph",
        )
    if isinstance(content, nn.Module):
        return _ready(content, str(path)).state_dict()
    if not is_state_dict(content):
        raise ModelError(
            "holds no weights", where=str(path), expected="a torch.nn.Module or a state_dict", found=_describe(content)
        )
    return without_parallel_prefix(content, {})


def _read(file: Path, trust: bool) -> Any:
    """Return what a file holds, read by the reader of its format."""
    kind = identify(file, FORMATS)
    if kind.runs_code is not None and not trust:
        raise UntrustedModelError(
            f"reading it would run code: {kind.runs_code}",
            where=str(file),
            advice=f"if you trust the file, add --trust; else {kind.instead}",
        )
    try:
        return (kind.read_trusted if trust and kind.read_trusted else kind.read)(file)
    except MalformedFileError as error:
        raise ModelError(
            "truncated or damaged",
            where=str(file),
            found=str(error),
            advice="copy or download the file again, or save it with a current torch",
        ) from error
    except SnncError:
        raise
    except Exception as error:  # whatever else damage leads to: the file system's errors, no memory, ...
        raise ModelError("cannot be read", where=str(file), found=f"{type(error).__name__}: {error}") from error


def _unwrap(content: Any) -> Any:
    """Take the network or state_dict out of a checkpoint, where it lies under one of the usual keys."""
    if isinstance(content, Mapping) and not is_state_dict(content):
        for key in _CHECKPOINT_KEYS:
            inner = content.get(key)
            if isinstance(inner, nn.Module) or is_state_dict(inner):
                return inner
    return content


def _describe(content: Any) -> str:
    """Say what a file holds that is neither a network nor a state_dict."""
    if isinstance(content, torch.Tensor):
        return f"a tensor of shape {tuple(content.shape)}"
    if isinstance(content, Mapping):
        if not content:
            return "an empty dict"
        keys = [str(key) for key in content]
        return f"a dict of {', '.join(keys[:_KEYS_NAMED_AT_MOST])}{', ...' if len(keys) > _KEYS_NAMED_AT_MOST else ''}"
    name = type(content).__name__
    return f"an {name}" if name[:1] in "aeiou" else f"a {name}"


def _ready(network: nn.Module, where: str) -> nn.Module:
    """Put a network in eval mode, on the CPU, in float32, and check its parameters."""
    network = unwrapped(network)
    try:
        check_amount(network)
        network = network.to("cpu").float().eval()
        for name, parameter in network.named_parameters():
            if not bool(torch.isfinite(parameter).all()):
                raise ModelError("a parameter holds NaN or infinity", where=where, found=name)
    except SnncError:
        raise
    except Exception as error:
        # A layer without its attributes, one that contains itself, a parameter without values (meta device).
        raise ModelError("its network cannot be used", where=where, found=f"{type(error).__name__}: {error}") from error
    return network
