"""Near-duplicates: whether a text says again what one of those taken says."""

from collections import Counter, defaultdict

from reviewlens.text import normalize, skeleton

_GRAM = 2


class TakenTexts:
    """The texts taken so far, searched by their character n-grams.

    Two texts are as alike as their sets of n-grams: shared over the root of the product of their sizes (Ochiai's
    coefficient, the cosine of binary vectors). It needs no weights of a corpus, so a pair is as alike in every pool.
    """

    def __init__(self, max_similarity: float) -> None:
        self._max_similarity = max_similarity
        self._keys: set[str] = set()
        self._sizes: list[int] = []
        self._holders: defaultdict[str, list[int]] = defaultdict(list)

    def add(self, text: str) -> None:
        """Take a text."""
        key = _write_key(text)
        self._keys.add(key)
        grams = _cut_grams(key)
        for gram in grams:
            self._holders[gram].append(len(self._sizes))
        self._sizes.append(len(grams))

    def holds_near_duplicate(self, text: str) -> bool:
        """Whether a taken text has the same skeleton, or is more alike than the limit."""
        key = _write_key(text)
        if key in self._keys:
            return True
        grams = _cut_grams(key)
        shared = Counter(holder for gram in grams for holder in self._holders.get(gram, ()))
        limit = self._max_similarity**2 * len(grams)
        return any(count**2 > limit * self._sizes[holder] for holder, count in shared.items())


def _write_key(text: str) -> str:
    """The skeleton; a text without letters, such as one of emoji, is its own."""
    return skeleton(text) or normalize(text).strip()


def _cut_grams(key: str) -> set[str]:
    return {key[start : start + _GRAM] for start in range(max(1, len(key) - _GRAM + 1))}
