"""The example networks and their training."""

from __future__ import annotations

import copy
import io

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from snnc.common.errors import DataError, OptionError
from snnc.models import accuracy, digits_cnn, lenet, logits, train, vgg16

networks = pytest.mark.parametrize(
    ("build", "shape", "classes"),
    [
        (lenet, (1, 28, 28), 10),
        (lambda: lenet(num_classes=7, in_channels=3), (3, 28, 28), 7),
        (digits_cnn, (1, 8, 8), 10),
        (lambda: vgg16(100), (3, 32, 32), 100),
    ],
    ids=["lenet", "lenet-3-to-7", "digits", "vgg16"],
)


@pytest.fixture(scope="module")
def digits():
    data = load_digits()
    images = torch.tensor(data.images, dtype=torch.float32).unsqueeze(1) / 16
    labels = torch.tensor(data.target)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    return images[order], labels[order]


def small_network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Dropout(0.1), nn.Linear(64, 10))


@networks
def test_networks_map_images_to_logits_and_are_made_of_torch_classes(build, shape, classes):
    network = build().eval()
    assert type(network) is nn.Sequential
    assert all(type(part).__module__.startswith("torch.nn.modules.") for part in network.modules())
    with torch.no_grad():
        assert network(torch.zeros(2, *shape)).shape == (2, classes)


@networks
def test_networks_survive_saving(build, shape, classes):
    network = build().eval()
    file = io.BytesIO()
    torch.save(network, file)
    file.seek(0)
    read = torch.load(file, weights_only=False)
    image = torch.rand(1, *shape)
    with torch.no_grad():
        assert torch.equal(read(image), network(image))


def test_lenet_has_the_sizes_of_the_original():
    parameters = [(tuple(p.shape)) for p in lenet().parameters() if p.ndim > 1]
    assert parameters == [(6, 1, 5, 5), (16, 6, 5, 5), (120, 400), (84, 120), (10, 84)]


@pytest.mark.parametrize(("layers", "sizes"), [(1, [512, 10]), (2, [512, 4096, 10]), (3, [512, 4096, 4096, 10])])
def test_vgg16_has_thirteen_convolutions_and_the_linear_layers_asked_for(layers, sizes):
    with torch.device("meta"):
        network = vgg16(10, linear_layers=layers)
        assert network(torch.zeros(1, 3, 32, 32)).shape == (1, 10)
    kinds = [type(part) for part in network]
    assert kinds.count(nn.Conv2d) == kinds.count(nn.BatchNorm2d) == 13
    assert kinds.count(nn.AvgPool2d) == 5
    linear = [part for part in network if isinstance(part, nn.Linear)]
    assert [part.in_features for part in linear] + [linear[-1].out_features] == sizes


@pytest.mark.parametrize("layers", [0, 4])
def test_vgg16_refuses_other_numbers_of_linear_layers(layers):
    with pytest.raises(OptionError, match=rf"linear_layers.*{layers}"):
        vgg16(10, linear_layers=layers)


def test_digits_network_reaches_98_percent(digits):
    images, labels = digits
    torch.manual_seed(0)
    network = digits_cnn()
    train(network, images[:1400], labels[:1400], epochs=20, batch_size=64, learning_rate=3e-3, threads=1)
    assert accuracy(network, images[1400:], labels[1400:]) >= 0.98


def test_training_depends_on_the_seed_alone(digits):
    images, labels = digits
    results = []
    for seed, disturbance in ((5, 1), (5, 2), (6, 1)):
        network = small_network()
        torch.manual_seed(disturbance)
        train(network, images[:300], labels[:300], epochs=2, batch_size=50, seed=seed, maximum_shift=1)
        results.append(network[2].weight.detach())
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_training_leaves_the_global_state_and_evaluation_mode(digits):
    images, labels = digits
    network = small_network()
    state = torch.get_rng_state()
    threads = torch.get_num_threads()
    during = []
    train(
        network,
        images[:64],
        labels[:64],
        epochs=1,
        threads=threads + 1,
        progress=lambda *_: during.append(torch.get_num_threads()),
    )
    assert during == [threads + 1]
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(part.training for part in network.modules())


def test_training_shows_every_image_once_an_epoch_and_reports_its_loss():
    seen = []

    class Recorder(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.zeros(()))

        def forward(self, x):
            seen.append(x.flatten().tolist())
            return self.scale * x

    reports = []
    images = torch.arange(1.0, 8.0)[:, None].repeat(1, 2)
    train(
        Recorder(),
        images,
        torch.zeros(7, dtype=torch.int64),
        epochs=2,
        batch_size=3,
        progress=lambda *report: reports.append(report),
    )
    assert [len(batch) // 2 for batch in seen] == [3, 3, 1, 3, 3, 1]
    for epoch in (seen[:3], seen[3:]):
        assert sorted(value for batch in epoch for value in batch[::2]) == list(range(1, 8))
    assert seen[:3] != seen[3:]
    # Both logits are equal whatever the scale is, so that the loss is log 2 and never changes.
    assert [report[:2] for report in reports] == [(1, 2), (2, 2)]
    assert [report[2] for report in reports] == pytest.approx([0.6931472] * 2, rel=1e-5)


def test_learning_rate_falls_to_zero_along_a_cosine():
    class Scale(nn.Module):
        def __init__(self):
            super().__init__()
            self.bias = nn.Parameter(torch.zeros(2))

        def forward(self, x):
            values.append(self.bias[0].item())
            return x + self.bias

    values = []
    network = Scale()
    # The gradient keeps its sign and barely its size, where each step of Adam is as long as its learning rate.
    train(network, torch.zeros(100, 2), torch.zeros(100, dtype=torch.int64), epochs=1, batch_size=1, learning_rate=1e-4)
    values.append(network.bias[0].item())
    steps = torch.tensor(values).diff()
    expected = 1e-4 * (1 + torch.cos(torch.pi * torch.arange(100) / 100)) / 2
    torch.testing.assert_close(steps, expected, rtol=0.02, atol=2e-7)


def test_shifted_images_are_the_image_moved_with_its_border_repeated():
    seen = []

    class Recorder(nn.Module):
        def __init__(self):
            super().__init__()
            self.bias = nn.Parameter(torch.zeros(1))

        def forward(self, x):
            seen.extend(x.clone())
            return x.flatten(1)[:, :2] + self.bias

    image = torch.arange(2 * 3 * 4, dtype=torch.float32).reshape(1, 2, 3, 4)
    padded = nn.functional.pad(image, (1, 1, 1, 1), mode="replicate")[0]
    allowed = [padded[:, row : row + 3, column : column + 4] for row in range(3) for column in range(3)]
    train(Recorder(), image.repeat(200, 1, 1, 1), torch.zeros(200, dtype=torch.int64), epochs=1, maximum_shift=1)
    found = [next(i for i, candidate in enumerate(allowed) if torch.equal(candidate, one)) for one in seen]
    assert len(found) == 200
    assert set(found) == set(range(9))


def test_logits_do_not_depend_on_the_batch_size_and_keep_the_mode():
    network = digits_cnn()
    network[1].eval()
    modes = [part.training for part in network.modules()]
    before = copy.deepcopy(network.state_dict())
    images = torch.rand(11, 1, 8, 8)
    whole = logits(network, images)
    assert whole.shape == (11, 10)
    assert not whole.requires_grad
    torch.testing.assert_close(logits(network, images, batch_size=3), whole)
    assert [part.training for part in network.modules()] == modes
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_accuracy_is_the_share_of_right_answers():
    images = torch.eye(4)
    assert accuracy(nn.Identity(), images, torch.tensor([0, 1, 2, 0]), batch_size=3) == 0.75


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (torch.zeros(0, 1, 8, 8), torch.zeros(0, dtype=torch.int64), "no images"),
        (torch.zeros(3, 1, 8, 8), torch.zeros(2, dtype=torch.int64), r"shape \(3,\).*shape \(2\)"),
        (torch.zeros(3, 1, 8, 8, dtype=torch.uint8), torch.zeros(3, dtype=torch.int64), "uint8"),
    ],
)
def test_unusable_data(images, labels, message):
    with pytest.raises(DataError, match=message):
        train(small_network(), images, labels, epochs=1)
    with pytest.raises(DataError, match=message):
        accuracy(small_network(), images, labels)


def test_flat_images_cannot_be_shifted():
    with pytest.raises(DataError, match=r"shifted.*shape \(2, 64\)"):
        train(small_network(), torch.zeros(2, 64), torch.zeros(2, dtype=torch.int64), epochs=1, maximum_shift=1)


def test_training_on_nan_says_so():
    images = torch.full((4, 64), float("nan"))
    network = small_network()
    with pytest.raises(DataError, match=r"epoch 1.*diverged.*nan"):
        train(network, images, torch.zeros(4, dtype=torch.int64), epochs=2)
    assert not network.training


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("batch_size", 0),
        ("maximum_shift", -1),
        ("threads", 0),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
    ],
)
def test_options_out_of_range(name, value):
    options = {"epochs": 1, name: value}
    with pytest.raises(OptionError, match=name):
        train(small_network(), torch.zeros(2, 64), torch.zeros(2, dtype=torch.int64), **options)
