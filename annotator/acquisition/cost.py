"""What an answer costs: the seconds that a person is thought to spend on a clip."""

import numpy as np

from annotator.acquisition.pool import Floats

EXTRA_S = 5.0  # a clip, beside watching it, before anybody has answered: a guess


def lead_time(seconds: Floats, watched: Floats, lead: Floats) -> Floats:
    """Predicted lead time: a clip's own length and the median of what people needed beyond it.

    Those who answer before a clip has ended make that negative, yet no clip is thought to cost less
    than the quickest answer seen. The median stands up to a task left open over lunch.

    Args:
        seconds: (n,) lengths of the clips to ask about, above 0.
        watched: (k,) lengths of answered clips.
        lead: (k,) seconds a person took for each.

    Returns:
        (n,) seconds, above 0.

    >>> lead_time(np.array([2.0, 30.0]), np.array([4.0, 6.0, 5.0]), np.array([10.0, 11.0, 3600.0]))
    array([10., 36.])
    >>> lead_time(np.array([2.0]), np.array([]), np.array([]))
    array([7.])
    """
    extra = float(np.median(lead - watched)) if len(lead) else EXTRA_S
    least = float(lead.min()) if len(lead) else EXTRA_S
    cost: Floats = np.maximum(seconds + extra, max(least, 0.1))
    return cost
