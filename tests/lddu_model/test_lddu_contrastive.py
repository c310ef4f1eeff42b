"""The contrastive loss against the textbook's full matrix, in value and gradient."""

from copy import deepcopy

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import oracle
from lddu_model.contrastive import BLOCK, CHUNK, NO_CLASS, ContrastiveLoss, contrastive_rows

WIDTH, CLASSES = 8, 6


def rows_of(count: int, generator: torch.Generator) -> Tensor:
    noise = torch.randn(count, 2, WIDTH // 2, generator=generator)
    return F.normalize(noise, dim=2).reshape(count, WIDTH)


def classes_of(count: int, generator: torch.Generator) -> Tensor:
    return torch.randint(NO_CLASS, CLASSES, (count,), generator=generator)


def expected(loss: ContrastiveLoss, rows: Tensor, classes: Tensor, temperature: float):
    """Value and gradient of the full matrix, in double precision."""
    exact = rows.detach().double().requires_grad_()
    every = torch.cat([exact, loss.rows.double()])
    labels = torch.cat([classes, loss.slot_classes])
    value = oracle.supervised_contrastive(every, labels, temperature)
    return value.item(), torch.autograd.grad(value, exact)[0]


@settings(max_examples=40)
@given(
    queue=st.sampled_from([0, 1, 7, 40, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 10]),
    sizes=st.lists(st.integers(2, 60), min_size=1, max_size=6),
    temperature=st.sampled_from([0.03, 0.07, 1.0]),
    seed=st.integers(0, 99),
)
def test_equals_the_full_matrix_step_by_step(queue, sizes, temperature, seed):
    generator = torch.Generator().manual_seed(seed)
    loss = ContrastiveLoss(WIDTH, CLASSES, queue, temperature, seed)
    for size in sizes:
        rows = rows_of(size, generator).requires_grad_()
        classes = classes_of(size, generator)
        value, gradient = expected(loss, rows, classes, temperature)
        found = loss(rows, classes)
        assert found.item() == pytest.approx(value, rel=1e-5, abs=1e-5)
        (slope,) = torch.autograd.grad(found, rows)
        tolerance = 1e-4 * gradient.abs().max().item() + 1e-5
        assert (slope - gradient).abs().max() < tolerance
        loss.enqueue(rows, classes)


def test_equals_the_full_matrix_over_several_chunks():
    generator = torch.Generator().manual_seed(0)
    loss = ContrastiveLoss(WIDTH, CLASSES, queue=2 * CHUNK + 10)
    for size in (CHUNK + 70, CHUNK, 3 * CHUNK):
        rows, classes = rows_of(size, generator).requires_grad_(), classes_of(size, generator)
        value, gradient = expected(loss, rows, classes, 0.07)
        found = loss(rows, classes, enqueue=True)
        assert found.item() == pytest.approx(value, rel=1e-5)
        (slope,) = torch.autograd.grad(found, rows)
        torch.testing.assert_close(slope.double(), gradient, rtol=1e-4, atol=1e-8)


@settings(max_examples=25)
@given(
    queue=st.integers(1, 12 * BLOCK),
    sizes=st.lists(st.integers(1, 400), min_size=1, max_size=8),
)
def test_the_queue_is_a_ring_and_its_sums_do_not_drift(queue, sizes):
    generator = torch.Generator().manual_seed(0)
    loss = ContrastiveLoss(WIDTH, CLASSES, queue)
    ring = oracle.Queue(loss.rows)
    for size in sizes:
        rows, classes = rows_of(size, generator), classes_of(size, generator)
        loss.enqueue(rows, classes)
        # of more rows than slots ours keeps the last in the order they came, from the next slot on
        ring.put(rows[-queue:], classes[-queue:])
        assert torch.equal(loss.rows, ring.rows)
        assert torch.equal(loss.slot_classes, ring.classes)
    similar = torch.exp(loss.rows.double() @ loss.rows.double().T / 2 / 0.07).fill_diagonal_(0)
    torch.testing.assert_close(
        loss.block_sums.sum(1).double(), similar.sum(1), rtol=1e-4, atol=1e-6
    )


def test_rows_and_classes_are_those_of_the_released_code(net, make_batch):
    output = net(**make_batch(5))
    target = (torch.rand(5, 7, generator=torch.Generator().manual_seed(0)) < 0.4).float()
    rows, classes = contrastive_rows(output.mu, output.sigma, target, output.present)
    plain, labels = oracle.contrastive_rows(output, target)
    torch.testing.assert_close(rows, plain)
    assert torch.equal(classes, labels)


def test_absent_modalities_give_no_rows_and_unknown_labels_no_class():
    mu = torch.randn(2, 2, 3, 4)
    target = torch.tensor([[1.0, float("nan")], [0.2, 0.7]])
    present = torch.tensor([[True, False, True], [True, True, True]])
    rows, classes = contrastive_rows(mu, mu.exp(), target, present)
    assert len(rows) == 2 * 2 + 2 * 3
    assert classes.tolist() == [0, 8, NO_CLASS, NO_CLASS, 2, 6, 10, 1, 5, 9]
    _, few = contrastive_rows(mu, mu.exp(), target, present, absent_classes=False)
    assert few.tolist() == [0, 8, *[NO_CLASS] * 5, 1, 5, 9]


def test_a_state_taken_in_the_middle_goes_on_alike():
    generator = torch.Generator().manual_seed(0)
    steps = [(rows_of(90, generator), classes_of(90, generator)) for _ in range(6)]
    loss = ContrastiveLoss(WIDTH, CLASSES, queue=300)
    for rows, classes in steps[:3]:
        loss.enqueue(rows, classes)
    restored = ContrastiveLoss(WIDTH, CLASSES, queue=300, seed=9)
    restored.load_state_dict(deepcopy(loss.state_dict()))
    for copied in (restored, deepcopy(loss)):
        original = deepcopy(loss)
        for rows, classes in steps[3:]:
            assert torch.equal(original(rows, classes), copied(rows, classes))
            original.enqueue(rows, classes)
            copied.enqueue(rows, classes)


@pytest.mark.parametrize("rows", [1, 2])
def test_rows_without_positives_have_no_loss(rows):
    loss = ContrastiveLoss(WIDTH, CLASSES, queue=0)
    given_rows = rows_of(rows, torch.Generator().manual_seed(0)).requires_grad_()
    value = loss(given_rows, torch.arange(rows))
    value.backward()
    assert value == 0
    assert not given_rows.grad.any()


def test_autocast_changes_nothing():
    generator = torch.Generator().manual_seed(0)
    rows, classes = rows_of(30, generator), classes_of(30, generator)
    loss = ContrastiveLoss(WIDTH, CLASSES, queue=50)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(loss(rows, classes), deepcopy(loss)(rows, classes))
        inside = loss(rows, classes)
    assert inside.dtype == torch.float32
    assert torch.equal(inside, loss(rows, classes))


@pytest.mark.parametrize(("queue", "temperature"), [(-1, 0.07), (8, 0.001), (8, float("nan"))])
def test_settings_out_of_range(queue, temperature):
    with pytest.raises(ValueError, match=r"queue must|temperature must"):
        ContrastiveLoss(WIDTH, CLASSES, queue, temperature)
