"""Plugins: how they are found, listed and opened."""

from learnae.plugins.facade import Plugins
from learnae.plugins.listing import Clash, Failure, Listed, Listing, OptionLine, ProviderLine, Source

__all__ = ["Clash", "Failure", "Listed", "Listing", "OptionLine", "Plugins", "ProviderLine", "Source"]
