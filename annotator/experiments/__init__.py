"""The experiments of the paper as functions: ablation, sweep, diagnosis, corruption, transfer."""
