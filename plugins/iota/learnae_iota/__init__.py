"""LEARNAE over the Tangle of a private IOTA network: announcements, small files, and MAM v0, the streams of sensors.

What computes is imported when it is first asked for: registering the plugin costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from learnae_iota.providers import learnae_commands, learnae_sensor_sources, learnae_storages, learnae_transports

if TYPE_CHECKING:
    from learnae_iota.mam.channel import Channel, Mode, address_of, channel_root
    from learnae_iota.mam.messages import Signed, create
    from learnae_iota.mam.reading import Message, Reader
    from learnae_iota.trinary.kernel import Kernel, KernelName, choose_kernel
    from learnae_iota.trinary.trytes import decode_bytes, encode_bytes

__all__ = [
    "Channel",
    "Kernel",
    "KernelName",
    "Message",
    "Mode",
    "Reader",
    "Signed",
    "address_of",
    "channel_root",
    "choose_kernel",
    "create",
    "decode_bytes",
    "encode_bytes",
    "learnae_commands",
    "learnae_sensor_sources",
    "learnae_storages",
    "learnae_transports",
]

_MODULES = {
    "mam.channel": ("Channel", "Mode", "address_of", "channel_root"),
    "trinary.kernel": ("Kernel", "KernelName", "choose_kernel"),
    "mam.messages": ("Signed", "create"),
    "mam.reading": ("Message", "Reader"),
    "trinary.trytes": ("decode_bytes", "encode_bytes"),
}


def __getattr__(name: str) -> object:
    """Import what is asked for."""
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"learnae_iota.{module}"), name)
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
