import json

import sentencepiece
from tokenizers import Tokenizer

from reviewlens.bundle import STARTER
from tests.bench.engine.spark_nlp_model import write_pieces

TEXTS = (
    "배송은 하루 만에 왔는데 색이 화면이랑 달라요ㅠㅠ",
    "Size M, 165cm 딱 맞아요!! 👍",
    "뷁 같은 ①번 단추... ﾊﾝｸﾞﾙ 쀍",
)


def test_spark_nlp_gets_the_ids_of_the_bundles_own_tokenizer() -> None:
    """Word by word, 1 added to each id and "▁" left out, as its annotator does; the benchmark compares equal work."""
    file = STARTER / "keyword/tokenizer.json"
    ours = Tokenizer.from_file(str(file))
    pieces = write_pieces(json.loads(file.read_text(encoding="utf-8")))
    theirs = sentencepiece.SentencePieceProcessor(model_proto=pieces)
    dropped = theirs.piece_to_id("▁")

    for text in TEXTS:
        ids = [piece + 1 for word in text.split() for piece in theirs.encode(word) if piece != dropped]
        assert ids == ours.encode(text, add_special_tokens=False).ids
