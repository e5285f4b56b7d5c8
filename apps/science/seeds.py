"""One campaign seed decides every random number.

A seed for a purpose is a hash of the campaign seed and the purpose's name and
counters, so it depends on neither order, worker nor retry.
"""

import hashlib


def derive_seed(campaign_seed: int, purpose: str, *counters: int) -> int:
    """Return a 63-bit seed for ``purpose`` (such as "segment", n_iter, seg_id)."""
    text = ":".join([str(campaign_seed), purpose, *map(str, counters)])
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def openmm_seed(seed: int) -> int:
    """Fold a 63-bit seed into OpenMM's 1..2^31-1 (0 would mean "random")."""
    return seed % (2**31 - 2) + 1
