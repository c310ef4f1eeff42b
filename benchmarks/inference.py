"""What an answer costs, ours against the naive forward pass, and whether both are the same.

    python benchmarks/inference.py

Random data of CMU-MOSEI's aligned shape. The naive pass (`oracle.py`) computes padding too. Passes
are interleaved: read the ratios of the medians.
"""

import argparse

import torch

import oracle
from lddu_model import untrained
from mosei import BUCKETS, CONFIG, bucketed_batches, dense_batch, in_turns, length_text


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
        print(f"probabilities differ by {apart:.1e} at most")
        seconds = in_turns(
            {
                "naive": lambda: oracle.forward(net, full).probability,
                "ours, dense": lambda: net(**full).probability,
                "ours, bucketed": lambda: [net(**batch).probability for batch in buckets],
            },
            options.rounds,
        )
    seconds["ours, bucketed"] /= BUCKETS
    print(length_text(options.batch))
    for name, value in seconds.items():
        per_thousand = value / options.batch * 1000
        ratio = seconds["naive"] / value
        print(f"{name:15} {per_thousand:6.2f} s a thousand, {ratio:5.1f} times as fast")


if __name__ == "__main__":
    main()
