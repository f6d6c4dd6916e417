"""How sure a share is that was counted on a sample."""


def share_interval(found: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """Return the interval of Clopper and Pearson for a share of which `found` of n were seen.

    Where `found` is a sum of n values from 0 to 1, which vary less than yes and no of the same mean, it is too wide
    rather than too narrow.

    Examples
    --------
    >>> low, high = share_interval(20, 20)
    >>> round(low, 4), high
    (0.8316, 1.0)
    """
    from scipy.special import betaincinv

    tail = (1 - level) / 2
    low = 0.0 if found <= 0 else float(betaincinv(found, n - found + 1, tail))
    high = 1.0 if found >= n else float(betaincinv(found + 1, n - found, 1 - tail))
    return low, high
