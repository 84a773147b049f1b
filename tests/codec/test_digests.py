from learnae.codec.digests import plain_digest


def test_known_answers() -> None:
    # From the BLAKE2 reference implementation (b2sum -l 256).
    assert plain_digest(b"") == "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"
    assert plain_digest(b"abc") == "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319"
