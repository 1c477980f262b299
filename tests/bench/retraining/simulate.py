"""Does the selection earn its labels? Rounds of picks from a corpus whose labels are hidden until they are asked for.

Each arm starts with the same labelled reviews, trains, draws a pool, chooses, gets the labels and trains again, with
the code that the jobs use. The models are measured on a held-out part that no arm ever sees.

    make bench-retraining [ARGS="--learner encoder --seeds 1 --arms random selection"]
"""

import argparse
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from rich.console import Console
from rich.progress import Progress
from sklearn.metrics import f1_score

from reviewlens.sampling.allocation import allocate
from reviewlens.sampling.criteria import CRITERIA, score_criteria
from reviewlens.sampling.outliers import assign_clusters, fit_clusters
from reviewlens.sampling.rarity import RarityModel
from reviewlens.sampling.selection import select_picks
from reviewlens.sampling.uncertainty import growth_ratios
from reviewlens.taxonomy import Taxonomy, read_taxonomy
from reviewlens.training.dataset import (
    LabelledReview,
    keyword_matrix,
    parse_labelled,
    sentiment_pairs,
    split_reviews,
)
from tests.bench.retraining.figure import draw_curves
from tests.bench.retraining.learners import EncoderLearner, Learner, Model, NgramLearner, train
from tests.bench.retraining.vectors import read_vectors

CORPUS = Path("reviewlens/starter/corpus/reviews.jsonl")
ENCODER = Path(".cache/encoder")
START, ROUNDS, PICKS, POOL = 600, 5, 300, 3_000
HELD_OUT, VALIDATION = 0.2, 0.2
_EVEN = {"keyword": 0.3, "sentiment": 0.3, "rarity": 0.2, "outlier": 0.2}
ARMS: dict[str, tuple[float, Mapping[str, float]]] = {  # random share, shares of the criteria
    "random": (1.0, _EVEN),
    "selection": (0.25, _EVEN),
    **{f"{name} alone": (0.25, {name: 1.0}) for name in CRITERIA},
}


@dataclass(frozen=True, slots=True)
class Corpus:
    """The corpus with its labels: what may be asked for, each with a stratum and a vector, and the held-out part."""

    taxonomy: Taxonomy
    askable: Sequence[LabelledReview]
    strata: Mapping[str, str]
    vectors: npt.NDArray[np.float32]
    held_out: Sequence[LabelledReview]


@dataclass(slots=True)
class Labelled:
    """What an arm has labels for, by index in the askable reviews: round by round, and which were random picks."""

    rounds: list[list[int]] = field(default_factory=list)
    random: set[int] = field(default_factory=set)

    @property
    def all(self) -> list[int]:
        """Every labelled review."""
        return [index for each in self.rounds for index in each]


def read_corpus() -> Corpus:
    """Read the corpus, cut off the held-out part, and embed the rest with the encoder as it was before any training."""
    taxonomy = read_taxonomy(Path("conf/taxonomy.yaml"))
    rows = [json.loads(line) for line in CORPUS.read_text(encoding="utf-8").splitlines()]
    parts = split_reviews(parse_labelled(rows, taxonomy, str(CORPUS)), 0, HELD_OUT, "held out")
    askable = parts["train"]
    vectors = read_vectors([review.text for review in askable], ENCODER, Path(".cache/bench/retraining/vectors.npy"))
    return Corpus(taxonomy, askable, {row["id"]: row["category"] for row in rows}, vectors, parts["test"])


def run_arm(corpus: Corpus, learner: Learner, arm: str, seed: int, progress: Progress) -> tuple[list[Any], list[Any]]:
    """One arm with one seed: its figures after each round, and what is known of each pick."""
    random_share, shares = ARMS[arm]
    start, _ = _draw(corpus, set(), START, f"{seed} start")
    labelled = Labelled([start], set(start))
    rarity = RarityModel.train([corpus.askable[index].text for index in start])
    clusters = fit_clusters(corpus.vectors[start], 64)
    bar = progress.add_task(f"{arm}, seed {seed}", total=ROUNDS + 1)
    figures, picked = [], []
    for number in range(ROUNDS + 1):
        model = _train(corpus, learner, labelled, seed)
        figures.append({"arm": arm, "seed": seed, "labels": len(labelled.all), **measure(model, corpus.held_out)})
        progress.advance(bar)
        if number == ROUNDS:
            break
        pool, frame = _judge_pool(corpus, model, labelled, f"{seed} round {number}", rarity, clusters)
        picks = select_picks(frame, PICKS, random_share, shares).picks
        chosen = [pool[int(row)] for row in picks["review_id"]]
        picked += _describe(corpus, model, arm, seed, number, chosen, picks["reason"].tolist())
        labelled.rounds.append(chosen)
        labelled.random |= {index for index, is_random in zip(chosen, picks["is_random"], strict=True) if is_random}
    return figures, picked


def measure(model: Model, reviews: Sequence[LabelledReview]) -> dict[str, float]:
    """Keyword F1 at the model's thresholds, and F1 of the sentiments of the true keywords."""
    taxonomy = model.cascade.taxonomy
    found = model.cascade.keyword_probabilities([review.text for review in reviews]) >= model.thresholds
    truth = keyword_matrix(reviews, taxonomy)
    pairs = sentiment_pairs(reviews)
    judged = model.cascade.sentiments([(text, label.keyword) for text, label in pairs])
    sentiments = [label.sentiment for _, label in pairs], [score.sentiment for score in judged]
    return {
        "keyword_macro_f1": float(f1_score(truth, found, average="macro", zero_division=0)),
        "keyword_micro_f1": float(f1_score(truth, found, average="micro", zero_division=0)),
        "sentiment_macro_f1": float(f1_score(*sentiments, average="macro", zero_division=0)),
    }


def _train(corpus: Corpus, learner: Learner, labelled: Labelled, seed: int) -> Model:
    """Thresholds are chosen on a share of the random picks, as a frozen training set has it."""
    held = {index for index in labelled.random if _hash("validation", str(index)) < VALIDATION * 2**63}
    validation = [corpus.askable[index] for index in sorted(held)]
    return train(learner, [corpus.askable[index] for index in labelled.all if index not in held], validation, seed)


def _draw(corpus: Corpus, taken: set[int], rows: int, salt: str) -> tuple[list[int], dict[int, int]]:
    """A draw in proportion to the strata, as the job makes it; indices and their places in the draw's order."""
    free = [index for index in range(len(corpus.askable)) if index not in taken]
    order = {index: _hash(salt, corpus.askable[index].review_id) for index in free}
    strata = {index: corpus.strata[corpus.askable[index].review_id] for index in free}
    left = dict(allocate(Counter(strata.values()), rows).sizes)
    drawn = []
    for index in sorted(free, key=order.__getitem__):
        if left[strata[index]] > 0:
            left[strata[index]] -= 1
            drawn.append(index)
    return drawn, order


def _judge_pool(
    corpus: Corpus, model: Model, labelled: Labelled, salt: str, rarity: RarityModel, clusters: Any
) -> tuple[list[int], pd.DataFrame]:
    taken = set(labelled.all)
    pool, order = _draw(corpus, taken, POOL, salt)
    texts = [corpus.askable[index].text for index in pool]
    probabilities = model.cascade.keyword_probabilities(texts)
    names = corpus.taxonomy.keywords
    pairs = [(row, names[column]) for row, column in np.argwhere(probabilities >= model.thresholds).tolist()]
    judged = model.cascade.sentiments([(texts[row], keyword) for row, keyword in pairs])
    found: list[list[tuple[str, str, float]]] = [[] for _ in pool]
    for (row, keyword), score in zip(pairs, judged, strict=True):
        found[row].append((keyword, score.sentiment, score.probability))
    thresholds = dict(zip(names, model.thresholds.tolist(), strict=True))
    numbers, distances = assign_clusters(corpus.vectors[pool], clusters)
    criteria = score_criteria(
        texts, probabilities, thresholds, found, _ratios(corpus, labelled), rarity, numbers, distances
    )
    strata = [corpus.strata[corpus.askable[index].review_id] for index in pool]
    populations = Counter(
        corpus.strata[review.review_id] for index, review in enumerate(corpus.askable) if index not in taken
    )
    frame = pd.DataFrame(
        {
            "review_id": [str(row) for row in range(len(pool))],
            "text": texts,
            "stratum": strata,
            "population": [populations[name] for name in strata],
            "draw_order": [order[index] for index in pool],
        }
    )
    return pool, pd.concat([frame, criteria], axis=1)


def _ratios(corpus: Corpus, labelled: Labelled) -> dict[str, float]:
    """Of the random picks, as the job counts them: the chosen ones would feed the criterion with itself."""
    counts = [
        Counter(label.sentiment for index in each if index in labelled.random for label in corpus.askable[index].labels)
        for each in labelled.rounds[-2:]
    ]
    newest, before = (counts[-1], counts[-2]) if len(counts) > 1 else (None, None)
    return growth_ratios(corpus.taxonomy.sentiment_names, newest, before)


def _describe(
    corpus: Corpus, model: Model, arm: str, seed: int, number: int, chosen: Sequence[int], reasons: Sequence[str]
) -> list[dict[str, Any]]:
    """For each pick, whether the model that chose it was wrong about it, and how much there was to label."""
    reviews = [corpus.askable[index] for index in chosen]
    found = model.cascade.keyword_probabilities([review.text for review in reviews]) >= model.thresholds
    wrong = (found != keyword_matrix(reviews, corpus.taxonomy)).sum(axis=1)
    return [
        {
            "arm": arm,
            "seed": seed,
            "round": number + 1,
            "reason": reason,
            "wrong_keywords": int(errors),
            "keywords": len(review.labels),
            "characters": len(review.text),
        }
        for review, reason, errors in zip(reviews, reasons, wrong, strict=True)
    ]


def summarise(figures: pd.DataFrame, picks: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Means over the seeds: macro-F1 by labels spent, the gain over random, and what each reason's picks were like."""
    curve = figures.pivot_table("keyword_macro_f1", "arm", "labels")
    last = figures[figures["labels"] == figures["labels"].max()]
    gain = last.pivot_table("keyword_macro_f1", "arm", "seed").pipe(lambda table: table - table.loc["random"])
    area = figures.sort_values("labels").groupby(["arm", "seed"])["keyword_macro_f1"].apply(_mean_height)
    ends = last.groupby("arm")[["keyword_micro_f1", "sentiment_macro_f1"]].mean()
    table = curve.join(ends).join(gain.add_prefix("gain, seed ")).join(area.groupby("arm").mean().rename("mean height"))
    reasons = picks.groupby("reason").agg(
        picks=("reason", "size"),
        wrong_about=("wrong_keywords", lambda errors: float((errors > 0).mean())),
        keywords=("keywords", "mean"),
        characters=("characters", "mean"),
    )
    return {"arms": table.round(3), "reasons": reasons.round(3)}


def _mean_height(values: pd.Series) -> float:
    """Mean height of a curve over equal steps: one figure for all of it (trapezoids)."""
    return float(np.mean([(left + right) / 2 for left, right in pairwise(values)]))


def _hash(salt: str, key: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{salt}\x00{key}".encode()).digest()[:8]) >> 1


def main() -> None:
    """Run the arms, print the tables, and write them with the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--learner", choices=["ngrams", "encoder"], default="ngrams")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--out", type=Path, default=Path(".cache/bench/retraining"))
    options = parser.parse_args()
    corpus = read_corpus()
    learner: Learner = (
        NgramLearner(corpus.taxonomy) if options.learner == "ngrams" else EncoderLearner(corpus.taxonomy, ENCODER)
    )
    console = Console()
    figures, picked = [], []
    with Progress(console=console) as progress:
        for seed in range(options.seeds):
            for arm in options.arms:
                measured, described = run_arm(corpus, learner, arm, seed, progress)
                figures += measured
                picked += described
    out = options.out / options.learner
    out.mkdir(parents=True, exist_ok=True)
    tables = {"figures": pd.DataFrame(figures), "picks": pd.DataFrame(picked)}
    for name, table in tables.items():
        table.to_csv(out / f"{name}.csv", index=False)
    for name, table in summarise(**tables).items():
        console.print(f"\n{name}", table.to_string(), highlight=False)
    draw_curves(tables["figures"], tables["picks"]).savefig(out / "curves.png", dpi=150)
    console.print(f"\nTables and figure are in {out}.")


if __name__ == "__main__":
    main()
