"""Random changes to training faces: what detectors, cameras and codecs do to a face.

Every function takes faces (n, 48, 48) in 0..1 and the generator that makes it repeatable.
"""

import torch
from torch import Tensor
from torch.nn import functional

from annotator.features.expression import CROP


def augment(faces: Tensor, generator: torch.Generator) -> Tensor:
    """Faces (n, 48, 48) in 0..1 as another detector, camera or codec might have given them."""
    warped = _warp(faces, generator)
    blurred = _resample(warped, generator)
    lit = _relight(blurred, generator)
    noise = torch.randn(lit.shape, generator=generator)
    noisy = lit + noise * _uniform(len(lit), 0.0, 0.025, generator)[:, None, None]
    return _cut_out(noisy, generator)


def _uniform(count: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    return torch.rand(count, generator=generator) * (high - low) + low


def _warp(faces: Tensor, generator: torch.Generator) -> Tensor:
    """Flip, turn by up to 12°, scale by up to 16 % and shift by up to 8 % of the side."""
    count = len(faces)
    angle = _uniform(count, -0.21, 0.21, generator)
    scale = _uniform(count, -0.15, 0.15, generator).exp()
    mirror = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    cosine, sine = scale * angle.cos(), scale * angle.sin()
    shift = [_uniform(count, -0.16, 0.16, generator) for _ in "xy"]  # the side is 2 units long
    rows = [torch.stack([cosine * mirror, -sine, shift[0]], 1)]
    rows.append(torch.stack([sine * mirror, cosine, shift[1]], 1))
    grid = functional.affine_grid(torch.stack(rows, 1), [count, 1, CROP, CROP], False)
    moved = functional.grid_sample(faces[:, None], grid, padding_mode="border", align_corners=False)
    return moved[:, 0]


def _resample(faces: Tensor, generator: torch.Generator) -> Tensor:
    """Shrink a third of the faces and enlarge them again, as small or soft faces come."""
    third = len(faces) // 3
    side = int(torch.randint(20, 44, (1,), generator=generator))
    small = functional.interpolate(faces[:third, None], (side, side), mode="area")
    again = functional.interpolate(small, (CROP, CROP), mode="bilinear", align_corners=False)
    return torch.cat([again[:, 0], faces[third:]])


def _relight(faces: Tensor, generator: torch.Generator) -> Tensor:
    """Gamma, contrast and brightness, clipped as a camera clips."""
    count = len(faces)
    gamma = _uniform(count, -0.3, 0.3, generator).exp()[:, None, None]
    contrast = _uniform(count, 0.7, 1.4, generator)[:, None, None]
    brightness = _uniform(count, -0.15, 0.15, generator)[:, None, None]
    bent = faces.clamp_min(1e-3) ** gamma
    return ((bent - 0.5) * contrast + 0.5 + brightness).clamp(0, 1)


def _cut_out(faces: Tensor, generator: torch.Generator) -> Tensor:
    """Grey out a square of up to 16 pixels (DeVries & Taylor 2017): hands, hair, text."""
    count = len(faces)
    side = _uniform(count, 0, 16, generator)[:, None]
    places = torch.arange(CROP)[None]
    spans = []
    for _ in "xy":
        start = _uniform(count, -8, CROP - 8, generator)[:, None]
        spans.append((places >= start) & (places < start + side))
    hidden = spans[0][:, :, None] & spans[1][:, None, :]
    return torch.where(hidden, faces.mean(dim=(1, 2), keepdim=True), faces)
