"""The ordinality calibration: whoever errs more must be less sure.

The spread ‖σ‖ of an answer (a sample and a label) is to be ordered like its error |ŷ_dir - y|,
where y is what one rater says, and like the history of its errors over the epochs. As in COLD
fusion (arXiv 2206.05833) both sides become distributions by softmax, here over all answers of the
batch, one simplex for both, and the Kullback-Leibler divergence is taken in both directions. The
errors are targets: no gradient reaches the prediction through them.
"""

import torch
from torch import Tensor, nn


def expected_error(probability: Tensor, share: Tensor) -> Tensor:
    """The error |ŷ - y| to be expected of one rater, where `share` of them say yes: any shape.

    |ŷ - share| would call an answer right that is as undecided as the raters are, and σ would learn
    that a clip they quarrel about is a sure one.

    >>> expected_error(torch.tensor([0.9, 0.5, 0.5]), torch.tensor([1.0, 1.0, 0.5]))
    tensor([0.1000, 0.5000, 0.5000])
    """
    return share * (1 - probability) + (1 - share) * probability


class ErrorHistory(nn.Module):
    """The running mean of each training sample's errors, a buffer: (samples, q), NaN until seen.

    >>> history = ErrorHistory(samples=3, labels=1)
    >>> history.update(torch.tensor([2]), torch.tensor([[1.0]]))
    >>> history.update(torch.tensor([2]), torch.tensor([[0.5]]))
    >>> history.mean.flatten(), history.count
    (tensor([   nan,    nan, 0.7500]), tensor([0, 0, 2]))
    """

    mean: Tensor
    count: Tensor

    def __init__(self, samples: int, labels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.full((samples, labels), torch.nan))
        self.register_buffer("count", torch.zeros(samples, dtype=torch.int64))

    @torch.no_grad()
    def update(self, index: Tensor, error: Tensor) -> None:
        """Take in the errors (B, q) of the samples `index` (B,), each at most once a call."""
        count = self.count[index] + 1
        before = self.mean[index].nan_to_num()
        self.mean[index] = before + (error.detach() - before) / count[:, None]
        self.count[index] = count


def spread(sigma_norm: Tensor, present: Tensor) -> Tensor:
    """(B, q), the root mean square of ‖σ‖ over the modalities a sample has.

    Args:
        sigma_norm: (B, q, 3).
        present: (B, 3) bool.

    >>> spread(torch.tensor([[[3.0, 4.0, 99.0]]]), torch.tensor([[True, True, False]]))
    tensor([[3.5355]])
    """
    weight = present.to(sigma_norm, non_blocking=True)[:, None, :]
    squares = (sigma_norm.square() * weight).sum(2) / weight.sum(2)
    return squares.clamp(min=torch.finfo(squares.dtype).tiny).sqrt()


def ordinality_loss(spreads: Tensor, errors: Tensor, known: Tensor, temperature: float) -> Tensor:
    """½ (KL(e‖s) + KL(s‖e)) of the softmaxes of spreads and errors / temperature.

    Args:
        spreads: (B, q), with gradient.
        errors: (B, q), from 0 to 1, taken as they are.
        known: (B, q) bool; the others take no part.
        temperature: of the errors: the lower, the more the worst errors count.

    Returns:
        A scalar, 0 where the spreads differ from the errors / temperature by a constant only.

    >>> errors = torch.tensor([[0.1, 0.9]])
    >>> ordinality_loss(errors / 0.5 + 7, errors, errors > 0, temperature=0.5).round(decimals=5)
    tensor(0.)
    """
    low = torch.finfo(spreads.dtype).min
    s = spreads.masked_fill(~known, low).flatten().log_softmax(0)
    e = (errors.detach() / temperature).masked_fill(~known, low).flatten().log_softmax(0)
    return 0.5 * ((e.exp() - s.exp()) * (e - s)).masked_fill(~known.flatten(), 0).sum()


def released_calibration(sigma: Tensor, p_direct: Tensor) -> Tensor:
    """The released code's calibration, for ablation: it never sees the labels.

    ‖σ‖ over all modalities goes through a softmax over batch and labels, ŷ_dir through one over
    the labels only, and the mean over all entries of the divergence both ways is halved. (That
    gives the released values to the last digit; on them -ŷ_dir would give the same.)

    Args:
        sigma: (B, q, 3, d).
        p_direct: (B, q).
    """
    norm: Tensor = torch.linalg.vector_norm(sigma.flatten(2), dim=2)
    s = norm.flatten().log_softmax(0)
    d = p_direct.log_softmax(1).flatten()
    return 0.5 * ((d.exp() - s.exp()) * (d - s)).mean()
