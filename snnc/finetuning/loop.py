"""An epoch of fine-tuning, and a test."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from snnc.common.errors import DataError
from snnc.compiler.parallel import Processes, reduce_tensor
from snnc.finetuning.quantization import WeightQuantizer
from snnc.finetuning.settings import FinetuneSettings
from snnc.models.spiking import SpikingNetwork
from snnc.models.training.batches import Batches
from snnc.models.training.loop import Fit, in_format

__all__ = ["Together", "Trainer"]


class Together:
    """Sums and means over the processes that train one network, each on its share of every batch.

    All processes have to call the same methods in the same order.

    Args:
        processes: Connected processes, or one alone.
    """

    def __init__(self, processes: Processes) -> None:
        self.processes = processes

    def share(self, index: Tensor) -> Tensor:
        """Which of a batch's images are this process's."""
        return index[self.processes.rank :: self.processes.count]

    def total(self, values: Tensor) -> Tensor:
        """The sum over all processes of a tensor on the CPU; only on it, since that is where they are connected."""
        if self.processes.count > 1:
            reduce_tensor(values)
        return values

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replaces each gradient by the sum over all processes."""
        if self.processes.count == 1:
            return
        gradients = [each.grad for each in parameters if each.grad is not None]
        self._replace(gradients, 1.0)

    def average_statistics(self, module: nn.Module) -> None:
        """Replaces the running statistics of batch normalisation by the mean over all processes."""
        if self.processes.count > 1:
            self._replace([each for each in module.buffers() if each.is_floating_point()], 1 / self.processes.count)

    def _replace(self, tensors: list[Tensor], factor: float) -> None:
        if not tensors:
            return
        flat = self.total(torch.cat([each.detach().flatten().cpu() for each in tensors])) * factor
        for tensor, values in zip(tensors, torch.split(flat, [each.numel() for each in tensors]), strict=True):
            tensor.data.copy_(values.reshape(tensor.shape))


# Images in a batch of a test, times T.
TEST_BATCH = 256
# Numbers of more than this many bits are too large for the seed of torch's generators.
_SEEDS = 1 << 62


@dataclass(frozen=True)
class Trainer:
    """A network while it is trained.

    Attributes:
        network: On the device to train on.
        settings: Of the run.
        optimizer: Of the network's parameters.
        schedule: Its learning rate; makes a step for each batch.
        teacher: Gives the logits that are distilled; None: none are.
        quantizer: Rounds the weights as they are used; None: they are used as they are.
        memory_format: The order in memory that the network's weights have.
        device: Where to train.
        together: The processes that train.
    """

    network: SpikingNetwork
    settings: FinetuneSettings
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    teacher: nn.Module | None
    quantizer: WeightQuantizer | None
    memory_format: torch.memory_format
    device: torch.device
    together: Together

    def epoch(self, batches: Batches, number: int, advance: Callable[[int], None] | None) -> Fit:
        """Shows every image once, in random order, and takes a step of the optimizer for each batch.

        Order and augmentation depend on the seed and the number of the epoch alone.

        Args:
            batches: The images.
            number: Number of the epoch, from 1.
            advance: Called after each batch with the number of images shown so far.

        Returns:
            Loss and accuracy over the epoch, of all processes.

        Raises:
            DataError: The loss became infinite or NaN.
        """
        self._seed(number, 0)
        order = torch.randperm(len(batches))
        # From here on processes augment different images.
        self._seed(number, 1 + self.together.processes.rank)
        self._set_mode()
        loss, right, seen = 0.0, 0.0, 0
        for index in torch.split(order, self.settings.batch_size):
            summed, correct = self._step(batches, index, number)
            loss, right, seen = loss + summed, right + correct, seen + len(index)
            if advance is not None:
                advance(seen)
        self.together.average_statistics(self.network)
        if not all(bool(torch.isfinite(each).all()) for each in self.network.state_dict().values()):
            raise _diverged(number, "finite weights", "infinity or NaN")
        return Fit(loss / seen, right / seen)

    def accuracy(self, batches: Batches, epoch: int) -> float:
        """Measures the share of images whose largest logit is that of the right class.

        Raises:
            DataError: A logit is infinite or NaN.
        """
        self.network.eval()
        counts = torch.zeros(2, dtype=torch.float64)
        for index in torch.split(torch.arange(len(batches)), TEST_BATCH):
            mine = self.together.share(index)
            if not len(mine):
                continue
            images, labels = batches.draw(mine)
            with torch.no_grad():
                answers = self._logits(in_format(images.to(self.device), self.memory_format)).cpu()
            counts[0] += (answers.argmax(1) == labels).sum()
            counts[1] += (~torch.isfinite(answers)).sum()
        total = self.together.total(counts)
        right, wrong = float(total[0]), float(total[1])
        if wrong:
            raise _diverged(epoch, "finite logits for the test images", "infinity or NaN")
        return right / len(batches)

    def _step(self, batches: Batches, index: Tensor, epoch: int) -> tuple[float, float]:
        """Loss summed over a batch, and how many were right, of all processes."""
        mine = self.together.share(index)
        sums = torch.zeros(2, dtype=torch.float64)
        self.optimizer.zero_grad()
        loss: Tensor | None = None
        if len(mine):
            images, labels = batches.draw(mine)
            images, labels = in_format(images.to(self.device), self.memory_format), labels.to(self.device)
            answers = self._answers(images)
            # Divided by the size of the whole batch: gradients of the processes then add up.
            loss = self._loss(images, answers, labels) / len(index)
            sums[0] = loss.detach() * len(index)
            sums[1] = (answers.detach().argmax(1) == labels).sum()
        summed, right = self.together.total(sums).tolist()
        if not math.isfinite(summed):
            raise _diverged(epoch, "a finite loss", str(summed))
        if loss is not None:
            torch.autograd.backward(loss)
        else:
            for parameter in self._parameters():
                parameter.grad = torch.zeros_like(parameter)
        self.together.add_gradients(self._parameters())
        # A neuron that receives NaN is silent, so that the loss may stay finite where the weights do not.
        if not math.isfinite(float(nn.utils.clip_grad_norm_(self._parameters(), math.inf))):
            raise _diverged(epoch, "finite gradients", "infinity or NaN")
        self.optimizer.step()
        self.schedule.step()
        for population in self.network.populations:
            population.keep_in_range()
        return summed, right

    def _answers(self, images: Tensor) -> Tensor:
        if self.settings.precision == "float32":
            return self._logits(images)
        with torch.autocast(self.device.type, torch.bfloat16):
            return self._logits(images).float()

    def _logits(self, images: Tensor) -> Tensor:
        width = self.settings.surrogate_width
        if self.quantizer is None:
            return self.network.spiking_logits(images, width)
        rounded = {f"network.{name}": weight for name, weight in self.quantizer.rounded().items()}
        logits: Tensor = torch.func.functional_call(  # type: ignore[attr-defined]
            _SpikingLogits(self.network), rounded, (images, width)
        )
        return logits

    def _loss(self, images: Tensor, answers: Tensor, labels: Tensor) -> Tensor:
        """Cross entropy and divergence from the teacher, summed over the images."""
        share, temperature = self.settings.distill, self.settings.temperature
        loss = functional.cross_entropy(answers, labels, reduction="sum", label_smoothing=self.settings.label_smoothing)
        if self.teacher is None or not share:
            return loss
        with torch.no_grad():
            wanted = self.teacher(images)
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

    def _set_mode(self) -> None:
        self.network.train()
        if self.settings.freeze_statistics:
            for part in self.network.modules():
                if isinstance(part, nn.modules.batchnorm._BatchNorm):
                    part.eval()

    def _seed(self, epoch: int, stream: int) -> None:
        torch.manual_seed(((self.settings.seed * 1_000_003 + epoch) * 1_000_003 + stream) % _SEEDS)


class _SpikingLogits(nn.Module):
    """``spiking_logits`` as a module's forward(), which is what torch calls with other weights."""

    def __init__(self, network: SpikingNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor, width: float) -> Tensor:
        """Logits of the spiking network."""
        return self.network.spiking_logits(images, width)


def _diverged(epoch: int, expected: str, found: str) -> DataError:
    return DataError(
        "training diverged",
        where=f"epoch {epoch}",
        expected=expected,
        found=found,
        advice="lower the learning rate, or look for NaN in the images",
    )
