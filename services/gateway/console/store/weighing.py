"""Whether a closed parcel weighs what its articles do. A warning for who packed it: the scales decide nothing."""

# Of what the articles weigh, as their items say it.
_LEAST_PERCENT, _MOST_PERCENT = 90, 130
# What a box and its padding weigh at most.
_PACKAGING_GRAMS = 500


def is_odd(parcel_grams: int, article_grams: int) -> bool:
    """Lighter than its articles, or heavier than they are in a box. False where their weight is not known."""
    if not article_grams or not parcel_grams:
        return False
    heaviest = article_grams * _MOST_PERCENT // 100 + _PACKAGING_GRAMS
    return not article_grams * _LEAST_PERCENT // 100 <= parcel_grams <= heaviest
