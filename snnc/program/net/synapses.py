"""Synapses out of a .net file: the values of their form, wherever in the file they lie.

Of a dataset nothing is read before its shape is what it should be; all else is asked of the network as a whole
(:func:`snnc.program.validate.validate`).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.program.form import WINDOW, Form
from snnc.program.net.chain import joined_groups, original_groups
from snnc.program.net.fields import GROUPS_MAXIMUM, Fields
from snnc.program.net.stored import SIZE_MAXIMUM, SYNAPSE, Shape, chosen, read


def read_synapse(
    own: Fields, netx: Fields | None, source: int, from_shape: tuple[int, ...], shape: tuple[int, ...]
) -> Form:
    """Read a synapse's form.

    Args:
        own: Its entry in the snnc group.
        netx: The layer of netx that holds its weights; None where its own entry does.
        source: What it reads.
        from_shape: The shape of that.
        shape: The shape of the layer that it feeds.

    Raises:
        FormatError: A field is missing, or of another type or shape.
    """
    kind = netx.choice("type", "conv", "dense") if netx else own.choice("kind", "conv", "dense", "sparse")
    form = {"source": source, "kind": kind}
    if kind == "conv":
        return form | _read_convolution(own, netx, from_shape, shape)
    if kind == "sparse":
        shapes: dict[str, Shape] = {"weight": (None,), "row_starts": (math.prod(shape) + 1,), "columns": (None,)}
        return form | read(own, chosen(SYNAPSE, *shapes), shapes)
    if len(shape) != 1:
        raise own.error("a dense synapse feeds an image", found=str(shape))
    size = (shape[0], math.prod(from_shape))
    form |= read(netx or own, chosen(SYNAPSE, "weight"), {"weight": size})
    if netx:
        netx.integer("inFeatures", size[1], size[1])
        netx.integer("outFeatures", size[0], size[0])
    return form


def read_scaling(own: Fields) -> Form:
    """Read what synapses of spikes have beside that: exponent and hold."""
    return read(own, chosen(SYNAPSE, "exponent", "hold"), {})


def _read_convolution(own: Fields, netx: Fields | None, from_shape: tuple[int, ...], shape: tuple[int, ...]) -> Form:
    weights = netx or own
    if len(from_shape) != 3 or len(shape) != 3:
        raise own.error("a convolution needs images", found=f"{from_shape} to {shape}")
    declared = weights.integer("groups", 1, GROUPS_MAXIMUM if netx else SIZE_MAXIMUM)
    groups = own.integer("groups", 1, SIZE_MAXIMUM)
    if groups % declared or from_shape[0] % groups or shape[0] % groups:
        raise own.error("groups do not divide the channels", found=str(groups))
    kernel = weights.shape_of("weight")[2:]
    if len(kernel) != 2:
        raise weights.error("weight has the wrong shape", expected="four axes", found=str(weights.shape_of("weight")))
    if netx:
        netx.integer("inChannels", from_shape[0], from_shape[0])
        netx.integer("outChannels", shape[0], shape[0])
        named = tuple(netx.integers("kernelSize", (2,), 1, SIZE_MAXIMUM).tolist())
        if named != kernel:
            raise netx.error("kernelSize contradicts the weights", expected=str(kernel), found=str(named))
    shapes: dict[str, Shape] = dict.fromkeys(WINDOW, (2,))
    form = read(weights, chosen(SYNAPSE, *WINDOW), shapes)
    form |= read(weights, chosen(SYNAPSE, "weight"), {"weight": (shape[0], from_shape[0] // declared, *kernel)})
    return {**form, "groups": groups, "weight": _own_groups(weights, form["weight"], declared, groups)}


def _own_groups(weights: Fields, weight: NDArray[Any], declared: int, groups: int) -> NDArray[Any]:
    """Return the weights of a convolution's groups, of which netx may join several."""
    own = original_groups(weight, declared, groups)
    if declared != groups and not np.array_equal(joined_groups(own, groups)[0], weight):
        raise weights.error("weight connects channels of different groups", expected=f"{groups} groups")
    return own
