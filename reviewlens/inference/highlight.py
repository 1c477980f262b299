"""Which word carries a keyword."""

import numpy as np

from reviewlens.inference.results import Highlight, WordEffects
from reviewlens.text import Word

_TIE = 1e-6  # two words within this are equally strong, and the earlier one is the highlight


def find_highlight(effects: WordEffects, column: int) -> Highlight | None:
    """The word whose absence lowers keyword number `column` most; the earlier one of a tie; None if none lowers it.

    Words that were not measured, with NaN in `effects.without`, are passed over.
    """
    without = effects.without[:, column]
    if not effects.words or not (least := np.fmin.reduce(without)) < effects.probabilities[column]:
        return None
    index = int(np.argmax(without <= least + _TIE))
    word: Word = effects.words[index]
    return Highlight(word.text, word.start, word.end, float(without[index]))
