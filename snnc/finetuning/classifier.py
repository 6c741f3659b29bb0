"""What fine-tuning brings to the training engine: the loss of a spiking network, and processes that train together."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from snnc.compiler.options import CompileOptions
from snnc.compiler.parallel import Processes, reduce_tensor
from snnc.finetuning.options import FinetuneOptions
from snnc.finetuning.quantization import WeightQuantizer
from snnc.models.spiking import SpikingNetwork
from snnc.models.training.engine import Classifier, Group, device_of, diverged, set_format
from snnc.program.targets import get_target

__all__ = ["SpikingClassifier", "Together"]

# Whose integers weights are rounded to: the chip that is compiled for unless another is named.
TARGET = CompileOptions.target
# Numbers of more than this many bits are too large for the seed of torch's generators.
_SEEDS = 1 << 62


class Together(Group):
    """Connected processes that train one network.

    Args:
        processes: They, or this process alone.
    """

    def __init__(self, processes: Processes) -> None:
        self.rank = processes.rank
        self.count = processes.count

    def total(self, values: Tensor) -> Tensor:
        """Return the sum over all processes of a tensor on the CPU, where they are connected; the tensor is changed."""
        if self.count > 1:
            reduce_tensor(values)
        return values

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by its sum over all processes."""
        if self.count > 1:
            self._replace([each.grad for each in parameters if each.grad is not None], 1.0)

    def average_statistics(self, module: nn.Module) -> None:
        """Replace the running statistics of batch normalisation by their mean over all processes."""
        if self.count > 1:
            self._replace([each for each in module.buffers() if each.is_floating_point()], 1 / self.count)

    def _replace(self, tensors: list[Tensor], factor: float) -> None:
        if not tensors:
            return
        flat = self.total(torch.cat([each.detach().flatten().cpu() for each in tensors])) * factor
        for tensor, values in zip(tensors, torch.split(flat, [each.numel() for each in tensors]), strict=True):
            tensor.data.copy_(values.reshape(tensor.shape))


class SpikingClassifier(Classifier):
    """A spiking network that is trained by a surrogate gradient.

    Its loss is the cross entropy of the spiking network's logits, or a mix of it with the divergence from a teacher's.

    Args:
        network: The network.
        options: Of the run.
        input_unit: The value of one integer step of the input, before mean and standard deviation were applied.
        teacher: Gives the logits that are distilled; None: none are.
        rank: Which of the processes that train together this is.
    """

    network: SpikingNetwork
    use_of_state = ""

    def __init__(
        self,
        network: SpikingNetwork,
        options: FinetuneOptions,
        *,
        input_unit: float,
        teacher: nn.Module | None = None,
        rank: int = 0,
    ) -> None:
        super().__init__(network, options.label_smoothing)
        self.network = network
        self._options = options
        self._input_unit = input_unit
        self._teacher = teacher
        self._rank = rank
        self._quantizer: WeightQuantizer | None = None

    def prepare(self, device: torch.device, memory_format: torch.memory_format) -> None:
        """Bring the teacher to the device, and look at how weights are rounded there."""
        if self._teacher is not None:
            set_format(self._teacher.to(device).eval(), memory_format)
        for population in self.network.populations:
            population.requires_grad_(self._options.train_thresholds)
        if self._options.quantize:
            unit = self._input_unit / torch.tensor(self._options.stds, device=device)
            self._quantizer = WeightQuantizer(self.network, get_target(TARGET), unit)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return the parameters to train; thresholds and initial potentials do not decay."""
        neurons = {id(each) for population in self.network.populations for each in population.parameters()}
        trained = self._parameters()
        return [
            {"params": [each for each in trained if id(each) not in neurons]},
            {"params": [each for each in trained if id(each) in neurons], "weight_decay": 0.0},
        ]

    def begin_epoch(self, number: int, count: int) -> Tensor:
        """Set the network to training and draw the order of the images.

        Order and augmentation depend on the seed and the number of the epoch alone.
        """
        self._seed(number, 0)
        order = torch.randperm(count)
        # From here on processes augment different images.
        self._seed(number, 1 + self._rank)
        self.network.train()
        if self._options.freeze_statistics:
            for part in self.network.modules():
                if isinstance(part, nn.modules.batchnorm._BatchNorm):
                    part.eval()
        return order

    def logits(self, images: Tensor) -> Tensor:
        """Return the mean over the steps of what the readout receives, (n, classes), perhaps of rounded weights."""
        width = self._options.surrogate_width
        if self._quantizer is None:
            return self.network.spiking_logits(images, width)
        rounded = {f"network.{name}": weight for name, weight in self._quantizer.rounded().items()}
        logits: Tensor = torch.func.functional_call(  # type: ignore[attr-defined]
            _SpikingLogits(self.network), rounded, (images, width)
        )
        return logits

    def training_logits(self, images: Tensor) -> Tensor:
        """Return the logits, with convolutions and linear layers in the precision that was chosen."""
        if self._options.precision == "float32":
            return self.logits(images)
        with torch.autocast(device_of(self.network).type, torch.bfloat16):
            return self.logits(images).float()

    def loss(self, images: Tensor, answers: Tensor, labels: Tensor, batch_size: int) -> Tensor:
        """Return the cross entropy and divergence from the teacher.

        Both are divided by the size of the whole batch: gradients of the processes then add up.
        """
        return self._summed(images, answers, labels) / batch_size

    def check_gradients(self, epoch: int) -> None:
        """Look at the gradients: a neuron that receives NaN is silent, and the loss stays finite."""
        if not math.isfinite(float(nn.utils.clip_grad_norm_(self._parameters(), math.inf))):
            raise diverged(epoch, "finite gradients", "infinity or NaN")

    def after_step(self) -> None:
        """Bring thresholds and initial potentials back into their range."""
        for population in self.network.populations:
            population.keep_in_range()

    def finish(self) -> None:
        """Round the network's weights if that is wanted."""
        if self._quantizer is not None:
            self._quantizer.write()

    def _summed(self, images: Tensor, answers: Tensor, labels: Tensor) -> Tensor:
        share, temperature = self._options.distill, self._options.temperature
        loss = functional.cross_entropy(answers, labels, reduction="sum", label_smoothing=self.label_smoothing)
        if self._teacher is None or not share:
            return loss
        with torch.no_grad():
            wanted = self._teacher(images)
        divergence = functional.kl_div(
            (answers / temperature).log_softmax(1),
            (wanted / temperature).log_softmax(1),
            log_target=True,
            reduction="sum",
        )
        # The factor keeps the gradient's size: Hinton, Vinyals, Dean: "Distilling the knowledge in a neural network",
        # 2015, section 2.
        return (1 - share) * loss + share * temperature**2 * divergence

    def _parameters(self) -> list[nn.Parameter]:
        return [each for each in self.network.parameters() if each.requires_grad]

    def _seed(self, epoch: int, stream: int) -> None:
        torch.manual_seed(((self._options.seed * 1_000_003 + epoch) * 1_000_003 + stream) % _SEEDS)


class _SpikingLogits(nn.Module):
    """``spiking_logits`` as a module's forward(), which is what torch calls with other weights."""

    def __init__(self, network: SpikingNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor, width: float) -> Tensor:
        """Return the logits of the spiking network."""
        return self.network.spiking_logits(images, width)
