"""What a training step costs, ours against the naive one, and whether both compute the same.

    python benchmarks/train_step.py
    python benchmarks/train_step.py --batch 256 --rounds 3

Forward, loss, backward, clipping and optimiser, on random data of CMU-MOSEI's aligned shape with
the released weights of the losses. The naive step is `oracle.py`'s; it attends to padding, so it
costs the same whatever the lengths are. Steps are interleaved: read the ratios of the medians.
What the matrix products alone would take stands beside.
Peak memory is that of a process of its own which makes a few steps.
"""

import argparse
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

import oracle
from lddu_model import LDDU, untrained
from lddu_model.losses import LossConfig, Objective
from lddu_model.optimisation import adamw
from mosei import (
    BUCKETS,
    CONFIG,
    Batch,
    bucketed_batches,
    dense_batch,
    in_turns,
    length_text,
    product_seconds,
    targets,
)

GAMMA, BETA, LAMBDA, TEMPERATURE = 0.3, 1.0, 0.3, 0.07  # released
LEARNING_RATE, WEIGHT_DECAY, CLIP = 2e-4, 0.01, 1.0  # released
PEAK_STEPS = 3

Step = Callable[[Batch], Tensor]


@dataclass(frozen=True)
class Setting:
    """What both sides share."""

    batch: int
    queue: int
    threads: int

    def objective(self) -> Objective:
        """Our losses, as released."""
        config = LossConfig(
            gamma=GAMMA,
            beta=BETA,
            lambda_=LAMBDA,
            temperature=TEMPERATURE,
            queue=self.queue,
            calibration="released",
        )
        return Objective(CONFIG, config, samples=self.batch)


def ours(net: LDDU, setting: Setting) -> Step:
    """Our training step on a batch; returns the loss."""
    objective = setting.objective()
    optimiser = adamw(net, LEARNING_RATE, WEIGHT_DECAY)
    target, index = targets(setting.batch), torch.arange(setting.batch)
    return partial(_step, net, optimiser, lambda b: objective(net(**b), target, index).total)


def naive(net: LDDU, setting: Setting) -> Step:
    """The naive training step on a batch; returns the loss."""
    queue = setting.objective().contrast.rows
    loss = oracle.Loss(queue, gamma=GAMMA, beta=BETA, lambda_=LAMBDA, temperature=TEMPERATURE)
    optimiser = torch.optim.AdamW(net.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    target = targets(setting.batch)
    return partial(_step, net, optimiser, lambda b: loss(oracle.forward(net, b), target))


def _step(net: LDDU, optimiser: torch.optim.Optimizer, loss_of: Step, batch: Batch) -> Tensor:
    optimiser.zero_grad()
    loss = loss_of(batch)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), CLIP)
    optimiser.step()
    return loss.detach()


def compare(setting: Setting) -> None:
    """Print losses and gradients of both without dropout, for two steps: the queue fills."""
    nets = [untrained(CONFIG, seed=0) for _ in range(2)]
    steps = [make(net, setting) for make, net in zip((ours, naive), nets, strict=True)]
    batch = dense_batch(setting.batch)
    for number in (1, 2):
        ours_loss, naive_loss = (step(batch).item() for step in steps)
        ours_gradient, naive_gradient = map(_gradient, nets)
        apart = (ours_gradient - naive_gradient).norm() / naive_gradient.norm()
        nets[1].load_state_dict(nets[0].state_dict())
        print(
            f"step {number}: loss {ours_loss:.6f} ours, {naive_loss:.6f} naive; "
            f"gradients differ by {apart:.1e} of their norm"
        )


def _gradient(net: LDDU) -> Tensor:
    return torch.cat([p.grad.flatten() for p in net.parameters() if p.grad is not None])


def time_steps(setting: Setting, rounds: int) -> None:
    """Print the medians and ratios."""
    net = untrained(CONFIG, seed=0).train()
    sides = {name: make(deepcopy(net), setting) for name, make in MAKERS.items()}
    full, buckets = dense_batch(setting.batch), bucketed_batches(setting.batch)
    ways: dict[str, Callable[[], object]] = {
        "naive": lambda: sides["naive"](full),
        "ours, dense": lambda: sides["ours"](full),
        "ours, bucketed": lambda: [sides["ours"](batch) for batch in buckets],
    }
    seconds = in_turns(ways, rounds)
    products = {name: product_seconds(way) for name, way in ways.items()}
    for each in (seconds, products):
        each["ours, bucketed"] /= BUCKETS
    print(length_text(setting.batch))
    for name, value in seconds.items():
        ratio, least = seconds["naive"] / value, products[name]
        print(
            f"{name:15} {value:6.2f} s a step, {ratio:5.1f} times as fast; products {least:.2f} s"
        )


def peak_gigabytes(side: str, setting: Setting) -> float:
    """The peak RSS of a process that makes a few steps."""
    sizes = [f"--batch={setting.batch}", f"--queue={setting.queue}", f"--threads={setting.threads}"]
    command = [sys.executable, __file__, f"--peak={side}", *sizes]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def print_peak(side: str, setting: Setting) -> None:
    """Make the steps; print this process's peak RSS in GB."""
    step = MAKERS[side](untrained(CONFIG, seed=0).train(), setting)
    for seed in range(PEAK_STEPS):
        step(dense_batch(setting.batch, seed=seed))
    status = Path("/proc/self/status").read_text(encoding="utf-8")  # getrusage counts the parent
    kibibytes = int(status.partition("VmHWM:")[2].split()[0])
    print(kibibytes * 1024 / 1e9)


MAKERS: dict[str, Callable[[LDDU, Setting], Step]] = {"naive": naive, "ours": ours}


def main() -> None:
    """Compare, time, and measure memory."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--queue", type=int, default=8192)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--peak", choices=MAKERS, help="only print the peak memory of this side")
    options = parser.parse_args()
    setting = Setting(options.batch, options.queue, options.threads)
    torch.set_num_threads(setting.threads)
    if options.peak:
        print_peak(options.peak, setting)
        return
    compare(setting)
    time_steps(setting, options.rounds)
    for side in MAKERS:
        print(f"{side}: peak {peak_gigabytes(side, setting):.2f} GB")


if __name__ == "__main__":
    main()
