"""What predicting costs, ours against the naive forward pass, and whether both say the same.

    python benchmarks/inference.py
    python benchmarks/inference.py --batch 256 --rounds 5

Random data of CMU-MOSEI's aligned shape. The naive pass is `oracle.py`'s; it attends to padding, so
it costs the same whatever the lengths are. Passes are interleaved: read the ratios of the medians.
What the matrix products alone would take stands beside.
"""

import argparse
from collections.abc import Callable

import torch

import oracle
from lddu_model import untrained
from mosei import (
    BUCKETS,
    CONFIG,
    bucketed_batches,
    dense_batch,
    in_turns,
    length_text,
    product_seconds,
)


def main() -> None:
    """Compare and time."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    net = untrained(CONFIG, seed=0)
    full, buckets = dense_batch(options.batch), bucketed_batches(options.batch)
    with torch.inference_mode():
        apart = (net(**full).probability - oracle.forward(net, full).probability).abs().max()
    print(f"probabilities differ by at most {apart:.1e}")
    ways: dict[str, Callable[[], object]] = {
        "naive": lambda: oracle.forward(net, full),
        "ours, dense": lambda: net(**full),
        "ours, bucketed": lambda: [net(**batch) for batch in buckets],
    }
    with torch.inference_mode():
        seconds = in_turns(ways, options.rounds)
    products = {name: product_seconds(way) for name, way in ways.items()}
    for each in (seconds, products):
        each["ours, bucketed"] /= BUCKETS
    print(length_text(options.batch))
    for name, value in seconds.items():
        ratio, thousand = seconds["naive"] / value, 1000 / options.batch
        print(
            f"{name:15} {thousand * value:6.2f} s for 1,000 samples, {ratio:5.2f} times as fast; "
            f"products {thousand * products[name]:.2f} s"
        )


if __name__ == "__main__":
    main()
