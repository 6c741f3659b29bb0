"""The training engine: one step, one epoch and one test of a network, whatever its loss, optimizer and processes.

:class:`Trainer` is the loop. What differs between kinds of networks is asked of a :class:`Classifier`, and what several
processes have to do together of a :class:`Group`; :mod:`snnc.finetuning` brings its own of both. A whole run, with
checkpoints, is a :class:`snnc.models.training.session.Run`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from snnc.common.errors import DataError
from snnc.common.progress import Progress, Unheard
from snnc.models.training.batches import Batches

__all__ = [
    "ALONE",
    "Classifier",
    "Epoch",
    "Fit",
    "Group",
    "Trainer",
    "device_of",
    "diverged",
    "in_format",
    "set_format",
    "threads_set_to",
]

# Images in a batch of a test; does not change its result.
TEST_BATCH = 256


@dataclass(frozen=True)
class Epoch:
    """What was measured in an epoch.

    Attributes:
        epoch: Its number, from 1.
        loss: Mean loss of the training images, as they were shown.
        train_accuracy: Share of these that were right, 0..1.
        test_accuracy: Share of the test images that are right after the epoch, 0..1.
        learning_rate: That of the epoch's first step.
        seconds: How long the epoch and its test took.
        held_out_accuracy: Share of the held-out images that are right after the epoch, 0..1; None: none were.
    """

    epoch: int
    loss: float
    train_accuracy: float
    test_accuracy: float
    learning_rate: float
    seconds: float
    held_out_accuracy: float | None = None


@dataclass(frozen=True)
class Fit:
    """How well a network fitted the images of an epoch, while it was being trained on them.

    Attributes:
        loss: Mean loss.
        accuracy: Share of images whose largest logit was that of the right class, 0..1.
    """

    loss: float
    accuracy: float


class Classifier:
    """A network that is trained to name the class of an image: what a step computes, and what surrounds it.

    This one is trained on the cross entropy. A subclass replaces what it does in another way.

    Args:
        network: Maps images of shape (n, ...) to logits of shape (n, classes).
        label_smoothing: Share of each label that is spread over all classes, 0..1.

    Attributes:
        network: The network.
        label_smoothing: As given.
        use_of_state: What the state after an epoch is good for when the next one fails, for the error; may be empty.
    """

    use_of_state = ", which may be the --weights of another run"

    def __init__(self, network: nn.Module, label_smoothing: float = 0.0) -> None:
        self.network = network
        self.label_smoothing = label_smoothing

    def prepare(self, device: torch.device, memory_format: torch.memory_format) -> None:
        """Bring whatever a step needs besides the network to a device and into an order in memory."""

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return the parameters to train, as an optimizer takes them."""
        return [{"params": list(self.network.parameters())}]

    def begin_epoch(self, number: int, count: int) -> Tensor:
        """Set the network to training and draw the order of the images.

        Args:
            number: Number of the epoch, from 1.
            count: Number of images.

        Returns:
            A permutation of 0..count-1, int64. Here it comes from torch's global generator, as augmentation and
            dropout do.
        """
        self.network.train()
        return torch.randperm(count)

    def logits(self, images: Tensor) -> Tensor:
        """Return the network's answers, in training and in tests: (n, classes)."""
        answers: Tensor = self.network(images)
        return answers

    def training_logits(self, images: Tensor) -> Tensor:
        """Return the answers that the loss is computed of: those of :meth:`logits`, perhaps in another precision."""
        return self.logits(images)

    def loss(self, images: Tensor, answers: Tensor, labels: Tensor, batch_size: int) -> Tensor:
        """Return the loss of a batch, or what this process's share of the batch adds to it.

        Args:
            images: Shape (n, ...).
            answers: Their logits, (n, classes).
            labels: Their classes, (n,).
            batch_size: Images of the whole batch, of all processes; the loss is a mean over these.
        """
        return functional.cross_entropy(answers, labels, label_smoothing=self.label_smoothing)

    def check_gradients(self, epoch: int) -> None:
        """Look at the gradients of a step before it is taken.

        Raises:
            DataError: They are infinite or NaN where the loss does not show it.
        """

    def after_step(self) -> None:
        """Bring parameters back into their range after a step of the optimizer."""

    def finish(self) -> None:
        """Make the last changes to the network's weights when its training is over."""


class Group:
    """The processes that train one network together, each on its share of every batch: here one alone.

    All processes have to call the same methods in the same order.

    Attributes:
        rank: Which one this is, 0..count-1; only 0 writes and reports.
        count: How many there are.
    """

    rank = 0
    count = 1

    def share(self, index: Tensor) -> Tensor:
        """Return which of a batch's images are this process's."""
        return index[self.rank :: self.count]

    def total(self, values: Tensor) -> Tensor:
        """Return the sum over all processes of a tensor on the CPU, which may be changed."""
        return values

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by its sum over all processes."""

    def average_statistics(self, module: nn.Module) -> None:
        """Replace the running statistics of batch normalisation by their mean over all processes."""


ALONE = Group()


@dataclass(frozen=True)
class Trainer:
    """The training loop.

    Attributes:
        classifier: The network, on the device to train on, and its loss.
        optimizer: Of the network's parameters.
        schedule: Its learning rate; makes a step for each batch.
        batch_size: Images per step of all processes together, at least 1; an epoch's last batch may be smaller.
        memory_format: The order in memory that the network's weights have.
        group: The processes that train.
    """

    classifier: Classifier
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    batch_size: int
    memory_format: torch.memory_format = torch.contiguous_format
    group: Group = ALONE

    def epoch(self, batches: Batches, number: int, progress: Progress = Unheard()) -> Fit:
        """Show every image once, in random order, and take a step of the optimizer for each batch.

        Args:
            batches: The images.
            number: Number of the epoch, from 1.
            progress: Told after each batch how many images were shown so far.

        Returns:
            Loss and accuracy over the epoch, of all processes.

        Raises:
            DataError: The loss, a gradient or a weight became infinite or NaN.
        """
        order = self.classifier.begin_epoch(number, len(batches))
        loss, right, seen = 0.0, 0.0, 0
        for index in torch.split(order, self.batch_size):
            summed, correct = self._step(batches, index, number)
            loss, right, seen = loss + summed, right + correct, seen + len(index)
            progress.advance(seen)
        network = self.classifier.network
        self.group.average_statistics(network)
        if not all(bool(torch.isfinite(each).all()) for each in network.state_dict().values()):
            raise diverged(number, "finite weights", "infinity or NaN")
        return Fit(loss / seen, right / seen)

    def accuracy(self, batches: Batches, epoch: int) -> float:
        """Measure the share of images whose largest logit is that of the right class.

        Args:
            batches: The images.
            epoch: Number of the epoch just trained, for the error.

        Returns:
            The share, 0..1, of the images of all processes. The network is left in evaluation mode.

        Raises:
            DataError: A logit is infinite or NaN.
        """
        self.classifier.network.eval()
        counts = torch.zeros(2, dtype=torch.float64)
        for index in torch.split(torch.arange(len(batches)), TEST_BATCH):
            mine = self.group.share(index)
            if not len(mine):
                continue
            images, labels = self._draw(batches, mine)
            with torch.no_grad():
                answers = self.classifier.logits(images)
            counts[0] += (answers.argmax(1) == labels).sum().cpu()
            counts[1] += (~torch.isfinite(answers)).sum().cpu()
        right, wrong = self.group.total(counts).tolist()
        if wrong:
            raise diverged(epoch, "finite logits for the test images", "infinity or NaN")
        return float(right) / len(batches)

    def _step(self, batches: Batches, index: Tensor, epoch: int) -> tuple[float, float]:
        """Take a step; return the loss summed over the batch, and how many were right, of all processes."""
        mine = self.group.share(index)
        sums = torch.zeros(2, dtype=torch.float64)
        self.optimizer.zero_grad()
        loss: Tensor | None = None
        if len(mine):
            images, labels = self._draw(batches, mine)
            answers = self.classifier.training_logits(images)
            loss = self.classifier.loss(images, answers, labels, len(index))
            sums[0] = loss.item() * len(index)
            sums[1] = (answers.detach().argmax(1) == labels).sum()
        summed, right = self.group.total(sums).tolist()
        if not math.isfinite(summed):
            raise diverged(epoch, "a finite loss", str(summed))
        trained = [each for each in self.classifier.network.parameters() if each.requires_grad]
        if loss is not None:
            torch.autograd.backward(loss)
        else:
            for parameter in trained:
                parameter.grad = torch.zeros_like(parameter)
        self.group.add_gradients(trained)
        self.classifier.check_gradients(epoch)
        self.optimizer.step()
        self.schedule.step()
        self.classifier.after_step()
        return summed, right

    def _draw(self, batches: Batches, index: Tensor) -> tuple[Tensor, Tensor]:
        """Return some of the images, and their labels, on the network's device."""
        images, labels = batches.draw(index)
        device = device_of(self.classifier.network)
        return in_format(images.to(device), self.memory_format), labels.to(device)


def diverged(epoch: int, expected: str, found: str) -> DataError:
    """Return the error of a run whose numbers became infinite or NaN."""
    return DataError(
        "training diverged",
        where=f"epoch {epoch}",
        expected=expected,
        found=found,
        advice="lower the learning rate, or look for NaN in the images",
    )


def in_format(images: Tensor, memory_format: torch.memory_format) -> Tensor:
    """Bring images of rows and columns into an order in memory; leave others as they are."""
    return images.contiguous(memory_format=memory_format) if images.ndim == 4 else images


def set_format(module: nn.Module, memory_format: torch.memory_format) -> None:
    """Bring the weights of a module's convolutions into an order in memory, in place."""
    for parameter in module.parameters():
        parameter.data = in_format(parameter.data, memory_format)


@contextmanager
def threads_set_to(count: int | None) -> Iterator[None]:
    """Let torch use so many threads of the CPU meanwhile; None leaves its setting."""
    before = torch.get_num_threads()
    torch.set_num_threads(before if count is None else count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def device_of(module: nn.Module) -> torch.device:
    """Return the device that a module's parameters are on; the CPU where it has none."""
    parameter = next(module.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device
