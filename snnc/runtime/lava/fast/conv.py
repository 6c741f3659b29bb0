"""Lava's Conv as one matrix product a step for each group, where Lava convolves each pair of channels with scipy."""

from __future__ import annotations

from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.conv import utils
from lava.proc.conv.process import Conv
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from snnc.runtime.lava.fast.products import BufferedModel, float_type, largest_message, largest_sum

MEMBRANE_BITS = 24


@implements(proc=Conv, protocol=LoihiProtocol)
@requires(CPU)
@tag("snnc_fast")
class FastConvModel(BufferedModel):
    """The same integers as ``PyConvModelFixed``.

    The patches under the kernel become the rows of a matrix (im2col), in an array that is kept; single precision where
    the sum of the weights' sizes times the largest message is at most 2^24, else double precision, else Lava's own
    convolution.
    """

    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    a_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=24)
    a_buf: NDArray[np.int32] = LavaPyType(np.ndarray, np.int32, precision=24)
    weight: NDArray[np.int32] = LavaPyType(np.ndarray, np.int32, precision=8)
    kernel_size: NDArray[np.int8] = LavaPyType(np.ndarray, np.int8, precision=8)
    stride: NDArray[np.int8] = LavaPyType(np.ndarray, np.int8, precision=8)
    padding: NDArray[np.int8] = LavaPyType(np.ndarray, np.int8, precision=8)
    dilation: NDArray[np.int8] = LavaPyType(np.ndarray, np.int8, precision=8)
    groups: NDArray[np.int8] = LavaPyType(np.ndarray, np.int8, precision=8)
    num_message_bits: NDArray[np.int8] = LavaPyType(np.ndarray, np.int8, precision=5)
    weight_exp: NDArray[np.int32] = LavaPyType(np.ndarray, np.int32, precision=8)
    num_weight_bits: NDArray[np.int8] = LavaPyType(np.ndarray, np.int8, precision=5)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self._products: dict[type[np.floating[Any]], PatchProduct] = {}

    @property
    def products(self) -> list[PatchProduct]:
        """The products that were needed so far, one for each type."""
        return list(self._products.values())

    def prepare(self) -> None:
        """Compute the bound of the weights; the type to multiply in follows from the messages."""
        self._products = {}
        self._largest_sum = largest_sum(self.weight)
        self._is_graded = self.num_message_bits.item() > 0

    def buffered(self) -> NDArray[np.int32]:
        """Return what arrives at the target in this step."""
        return self.a_buf

    def accept_spikes(self) -> None:
        """Convolve what arrived."""
        messages = self.s_in.recv()
        if not self._is_graded:
            messages = messages.astype(bool, copy=False)
        bound = self._largest_sum * (largest_message(messages) if self._is_graded else 1)
        precision = float_type(bound)
        if precision is None:
            # Lava's own sums are then rounded in its own order.
            options = (self.kernel_size, self.stride, self.padding, self.dilation, self.groups[0])
            self.a_buf = utils.signed_clamp(utils.conv(messages, self.weight, *options), bits=MEMBRANE_BITS)
            return
        if precision not in self._products:
            stride, padding, dilation = (_pair(each) for each in (self.stride, self.padding, self.dilation))
            self._products[precision] = PatchProduct(
                self.weight, messages.shape, stride, padding, dilation, int(self.groups[0]), precision
            )
        sums = self._products[precision].convolve(messages)
        if bound < 1 << MEMBRANE_BITS - 1:
            self.a_buf = sums.astype(np.int32)
            return
        # Past 32 bits this cast does what the machine does, in Lava as here.
        with np.errstate(invalid="ignore"):
            self.a_buf = utils.signed_clamp(sums.astype(np.int32), bits=MEMBRANE_BITS)


class PatchProduct:
    """A convolution in one type, with its arrays.

    Args:
        weight: (outputs, width, height, inputs / groups); Lava convolves, so the kernel is turned around.
        shape: Shape of the input, (width, height, inputs).
        stride: Steps of the kernel, horizontal and vertical, and so on for the others.
        padding: Zeros on each side.
        dilation: Distance of the kernel's points.
        groups: Number of groups.
        precision: The type.
    """

    def __init__(
        self,
        weight: NDArray[np.int32],
        shape: tuple[int, ...],
        stride: tuple[int, int],
        padding: tuple[int, int],
        dilation: tuple[int, int],
        groups: int,
        precision: type[np.floating[Any]],
    ) -> None:
        outputs, *kernel, inputs = weight.shape
        width, height, _ = utils.output_shape(shape, outputs, tuple(kernel), stride, padding, dilation)
        self._shape = (int(width), int(height), outputs)
        flipped = weight[:, ::-1, ::-1, :].reshape(groups, outputs // groups, -1)
        # (groups, points of the kernel * inputs, outputs)
        self._weights = np.ascontiguousarray(flipped.transpose(0, 2, 1), dtype=precision)
        (left, top), (columns, rows, channels) = padding, shape
        padded = np.zeros((columns + 2 * left, rows + 2 * top, channels), precision)
        self._interior = padded[left : left + columns, top : top + rows]
        across, down, along = padded.strides
        self._patches = as_strided(
            padded,
            (groups, *self._shape[:2], *kernel, inputs),
            (inputs * along, across * stride[0], down * stride[1], across * dilation[0], down * dilation[1], along),
            writeable=False,
        )
        self._columns = np.empty(self._patches.shape, precision)
        self._rows = self._columns.reshape(groups, self._shape[0] * self._shape[1], -1)
        self._sums = np.empty((groups, self._rows.shape[1], outputs // groups), precision)

    def convolve(self, messages: NDArray[np.generic]) -> NDArray[np.floating[Any]]:
        """Return the sums, (width, height, outputs); their array is used again at the next call."""
        self._interior[...] = messages
        np.copyto(self._columns, self._patches)
        self.multiply()
        return self._sums.transpose(1, 0, 2).reshape(self._shape)

    def multiply(self) -> None:
        """Compute the matrix products alone, of what lies in the arrays."""
        np.matmul(self._rows, self._weights, out=self._sums)


def _pair(values: NDArray[np.int8]) -> tuple[int, int]:
    horizontal, vertical = values.tolist()
    return horizontal, vertical
