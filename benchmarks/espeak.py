"""Speak one line with eSpeak NG: text on stdin, 16-bit mono PCM at 22,050 Hz on stdout.

    python espeak.py en-us 160 50 < line.txt > line.pcm

A program of its own because the library keeps the phase of its oscillators and of its noise from
one call to the next: only a fresh process says the same text with the same bytes every time
(measured on 1.52: neither `espeak_Terminate` nor a random seed resets them). eSpeak NG is
GPL-3: it is run here as a tool and nothing of it is copied into what it makes.
"""

import ctypes
import sys

import espeakng_loader

AUDIO_OUTPUT_SYNCHRONOUS = 2  # the callback is handed the samples before Synth returns
RATE, PITCH = 1, 3  # espeak_PARAMETER
CHARS_UTF8 = 1
SAMPLE_RATE = 22_050  # Hz, of every voice that is not MBROLA
EE_OK = 0

# int callback(short *samples, int count, espeak_EVENT *events); 0 means go on
Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


def synthesise(text: str, voice: str, rate: int, pitch: int) -> bytes:
    """The PCM of `text`; rate in words a minute, pitch from 0 to 99.

    Raises RuntimeError where the library has no such voice, or refuses a value.
    """
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    data = espeakng_loader.get_data_path().encode()
    chunks: list[bytes] = []

    def collect(samples: "ctypes._Pointer[ctypes.c_short]", count: int, _events: int) -> int:
        if count > 0:
            chunks.append(ctypes.string_at(samples, count * ctypes.sizeof(ctypes.c_short)))
        return 0

    callback = Callback(collect)  # a name keeps it alive while C holds it
    found = library.espeak_Initialize(AUDIO_OUTPUT_SYNCHRONOUS, 0, data, 0)
    if found != SAMPLE_RATE:
        raise RuntimeError(f"eSpeak NG gave {found} Hz, expected {SAMPLE_RATE}: reinstall it")
    library.espeak_SetSynthCallback(callback)
    spoken = text.encode()
    checks = {
        f"voice {voice!r}": library.espeak_SetVoiceByName(voice.encode()),
        f"rate {rate}": library.espeak_SetParameter(RATE, rate, 0),
        f"pitch {pitch}": library.espeak_SetParameter(PITCH, pitch, 0),
        "the text": library.espeak_Synth(
            spoken, ctypes.c_size_t(len(spoken) + 1), 0, 1, 0, CHARS_UTF8, None, None
        ),
    }
    refused = [name for name, code in checks.items() if code != EE_OK]
    if refused:
        raise RuntimeError(f"eSpeak NG refused {', '.join(refused)}")
    return b"".join(chunks)


if __name__ == "__main__":
    voice_name, words_per_minute, height = sys.argv[1:]
    line = sys.stdin.buffer.read().decode()
    sys.stdout.buffer.write(synthesise(line, voice_name, int(words_per_minute), int(height)))
