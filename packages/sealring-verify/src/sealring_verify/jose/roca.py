"""RSA keys of a weak generator: the fingerprint of ROCA (CVE-2017-15361), by which smart cards gave their primes away.

Such a prime is k · M + (65537^a mod M), where M is the product of the first 126 primes for keys of 1984 bits and more.
So the modulus, modulo each of these primes, is a power of 65537, which the modulus of any other key is almost never for
all of them.
"""

import functools
from typing import Final

_GENERATOR: Final = 65537
_LARGEST_PRIME: Final = 701


def has_roca_fingerprint(modulus: int) -> bool:
    """Say whether an RSA modulus of 1984 bits or more bears it. One sound key in 10^50 is taken for such a one."""
    # x lies in the group that 65537 makes if and only if x to the power of that group's order is 1: groups modulo a
    # prime are cyclic.
    return all(pow(modulus, order, prime) == 1 for prime, order in _telling_primes())


@functools.cache
def _telling_primes() -> tuple[tuple[int, int], ...]:
    # With the order of 65537. Where it makes every number but 0, the prime tells nothing.
    odd = range(3, _LARGEST_PRIME + 1, 2)
    primes = [number for number in odd if all(number % divisor for divisor in range(2, number))]
    return tuple((prime, order) for prime in primes if (order := _order(prime)) < prime - 1)


def _order(prime: int) -> int:
    power, order = _GENERATOR % prime, 1
    while power != 1:
        power, order = power * _GENERATOR % prime, order + 1
    return order
