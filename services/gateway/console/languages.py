"""Which words a reader is shown: those of the first of his languages that there are words in."""

from collections.abc import Mapping, Sequence


def preferred(accept_language: str) -> list[str]:
    """The languages (ISO 639-1) of an Accept-Language header, the best one first."""
    weighed = []
    for part in accept_language.split(","):
        tag, _, parameters = part.partition(";")
        weight = parameters.strip().removeprefix("q=") or "1"
        try:
            weighed.append((-float(weight), tag.strip().partition("-")[0].lower()))
        except ValueError:
            continue
    # The sort is stable: of equal weights the first one comes first.
    return [language for weight, language in sorted(weighed, key=lambda one: one[0]) if language and weight]


def words(labels: Mapping[str, str], usual: str, languages: Sequence[str]) -> str:
    """A label in one of the languages, or the usual words."""
    return next((labels[one] for one in languages if one in labels), usual)
