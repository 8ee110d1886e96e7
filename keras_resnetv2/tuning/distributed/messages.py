"""What chief and workers tell each other beside keras-tuner's messages.

It goes into gRPC's metadata, where the names of bytes end in "-bin".
"""

from collections.abc import Iterable, Mapping

from keras_tuner.src.engine import conditions

WORKER = "tuner-id-bin"
TRIAL = "trial-id-bin"
ERROR = "trial-message-bin"
_LONGEST = 4000  # bytes of one text; gRPC takes 8 KiB for all


def pack(texts: Mapping[str, str]) -> tuple[tuple[str, bytes], ...]:
    """Makes metadata of texts; of a long one, its end."""
    return tuple(
        (name, text.encode()[-_LONGEST:]) for name, text in texts.items()
    )


def unpack(metadata: Iterable[tuple[str, str | bytes]]) -> dict[str, str]:
    """The texts in metadata, without gRPC's own."""
    return {
        name: value.decode(errors="replace")
        for name, value in metadata
        if name in (WORKER, TRIAL, ERROR)
    }


def silence_conditions() -> None:
    """Stops keras-tuner from printing a value at every message.

    `Parent.to_proto` has a forgotten `print`; the name is hidden from that
    module, which prints nothing else.
    """
    conditions.print = lambda *values: None
