"""Which device networks run on, and why it is not the graphics card that is there."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from annotator.doctor.check import Check, ok, warning

NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")  # Linux's driver, with or without nvidia-smi


@dataclass(frozen=True, slots=True)
class Devices:
    """What torch sees, and whether there is an NVIDIA card at all.

    `build` is the CUDA version that torch was built for, None in a build for the CPU. `cards` are
    the names of those it can use.
    """

    torch: str
    build: str | None
    cards: tuple[str, ...]
    mps: bool
    nvidia: bool


def devices() -> Devices:
    """What is on this machine."""
    import torch

    usable = torch.cuda.is_available()
    cards = [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())]
    return Devices(
        torch=str(torch.__version__),
        build=torch.version.cuda,
        cards=tuple(cards) if usable else (),
        mps=torch.backends.mps.is_available(),
        nvidia=NVIDIA_DRIVER.exists() or shutil.which("nvidia-smi") is not None,
    )


def checks() -> Iterator[Check]:
    """What `--device auto` takes, or why it takes the CPU."""
    yield judge(devices())


def judge(seen: Devices) -> Check:
    """What the devices mean.

    >>> judge(Devices("2.13.0+cpu", None, (), mps=False, nvidia=True)).state
    'warning'
    """
    name = f"torch {seen.torch}"
    if seen.cards:
        return ok("device", f"{', '.join(seen.cards)} ({name})")
    if seen.nvidia and seen.build is None:
        return warning(
            "device",
            f"{name} is a build for the CPU, and there is an NVIDIA card",
            "install the CUDA build of torch, as pytorch.org says for your driver",
        )
    if seen.nvidia:
        return warning(
            "device",
            f"{name} cannot use the NVIDIA card",
            f"install a driver that knows CUDA {seen.build}: nvidia-smi says what it knows",
        )
    if seen.mps:
        return ok("device", f"Apple GPU ({name})", "--device mps uses it; auto takes the CPU")
    return ok("device", f"CPU, no graphics card found ({name})")
