"""What may be done with a symbol at the venue."""

from msgspec import Struct


class VenueAsset(Struct, frozen=True, kw_only=True):
    """All of it, unless said otherwise."""

    is_tradable: bool = True
    is_marginable: bool = True
    is_shortable: bool = True
    is_easy_to_borrow: bool = True
    is_fractionable: bool = True


ANY_ASSET = VenueAsset()
