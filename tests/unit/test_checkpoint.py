import json
import os
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
import yaml
from safetensors.torch import save_file
from transformers import (
    AutoModelForSequenceClassification,
    BertTokenizer,
    PreTrainedModel,
    RobertaConfig,
    RobertaForSequenceClassification,
    RobertaModel,
)

from reviewlens.config import ImportCheckpointConfig
from reviewlens.errors import BundleError, ConfigError, TaxonomyError
from reviewlens.inference.scorer import Scorer
from reviewlens.pipelines.import_checkpoint import run
from reviewlens.taxonomy import Taxonomy
from reviewlens.training.checkpoint import import_model

WEIGHTS = "model.safetensors"
KEYWORDS = ("가격", "배송", "라인(핏)")
MOVED = ["라인(핏)", "가격", unicodedata.normalize("NFD", "배송")]
TEXTS = ["옷은 예쁘지만 배송은 늦어요", "가격 ㅋㅋㅋ", unicodedata.normalize("NFD", "예쁘지만"), "😍", ""]
SPECIAL = ["[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]"]
PIECES = [*SPECIAL, "옷", "##은", "예쁘", "##지만", "배송", "늦어", "##요", "가격", "ㅋㅋㅋ", "😍", "#", ":", "입력"]
TOKENIZER = BertTokenizer(vocab={piece: index for index, piece in enumerate(PIECES)}, do_lower_case=False)
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
WINDOW = {"vocab_size": len(PIECES), "max_position_embeddings": 64 + 2, "type_vocab_size": 1}
CONFIG = RobertaConfig.from_dict({**SIZES, **WINDOW, "pad_token_id": 1, "initializer_range": 0.3})


class BERTClass(torch.nn.Module):
    """The module that the state dicts come from."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.bert_model = RobertaModel(CONFIG)
        self.dropout = torch.nn.Dropout(0.2)
        self.linear = torch.nn.Linear(CONFIG.hidden_size, classes)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        pooled = self.bert_model(input_ids, attention_mask=attention_mask).pooler_output
        logits: torch.Tensor = self.linear(self.dropout(pooled))
        return logits


class Trap(NamedTuple):
    """Pickled, it is a call that makes a directory."""

    path: str

    def __reduce__(self) -> tuple[Callable[..., None], tuple[str]]:
        return os.mkdir, (self.path,)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A Korean encoder's directory as it is published: WordPiece vocabulary, BERT tokenizer, RoBERTa configuration."""
    path = tmp_path / "base"
    CONFIG.save_pretrained(path)
    (path / "vocab.txt").write_text("\n".join(PIECES), encoding="utf-8")
    settings = {"tokenizer_class": "BertTokenizer", "do_lower_case": False, "model_max_length": 64}
    (path / "tokenizer_config.json").write_text(json.dumps(settings))
    return path


def make_module(classes: int = len(KEYWORDS)) -> BERTClass:
    torch.manual_seed(classes)
    return BERTClass(classes).eval()


def write_classifier(path: Path, names: Sequence[str]) -> PreTrainedModel:
    """A Hugging Face directory whose outputs are `names`."""
    torch.manual_seed(len(names))
    labels = {"num_labels": len(names), "id2label": dict(enumerate(names))}
    model: PreTrainedModel = RobertaForSequenceClassification(RobertaConfig.from_dict(CONFIG.to_dict() | labels))
    model.eval()
    model.save_pretrained(path)
    TOKENIZER.save_pretrained(path)
    return model


def save_and_import(document: object, base: Path) -> PreTrainedModel:
    """Save a document as a checkpoint's file, import it, and load the result."""
    torch.save(document, base.parent / "model.pt")
    return import_and_load(base.parent / "model.pt", base)


def import_and_load(source: Path, base: Path | None = None) -> PreTrainedModel:
    out = source.parent / "out"
    import_model(source, base, KEYWORDS, "multi_label_classification", out)
    model: PreTrainedModel = AutoModelForSequenceClassification.from_pretrained(out, dtype="auto", use_safetensors=True)
    model.eval()
    return model


def edit(file: Path, **values: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


@torch.no_grad()
def logits_of(model: torch.nn.Module) -> torch.Tensor:
    """Logits of TEXTS, padded to the longest."""
    batch = TOKENIZER(TEXTS, padding=True, return_tensors="pt")
    assert (batch["attention_mask"] == 0).any()
    output = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
    return output if isinstance(output, torch.Tensor) else output.logits


def test_state_dicts_become_a_bundle_that_scores_as_they_did(tmp_path: Path, base: Path, taxonomy: Taxonomy) -> None:
    """Both stages keep the original modules' logits, and the scorer reads them from the bundle, thresholds included."""
    keyword, sentiment = make_module(len(taxonomy.keywords)), make_module(len(taxonomy.sentiments))
    torch.save(keyword.state_dict(), tmp_path / "keyword.pt")
    torch.save({"epoch": 3, "state_dict": sentiment.state_dict(), "optimizer": {}}, tmp_path / "sentiment.bin")
    thresholds = {unicodedata.normalize("NFD", name): 0.25 for name in taxonomy.keywords}
    (tmp_path / "thresholds.yaml").write_text(yaml.safe_dump(thresholds, allow_unicode=True), encoding="utf-8")

    files = {"keyword": "keyword.pt", "sentiment": "sentiment.bin", "thresholds": "thresholds.yaml"}
    paths = {key: tmp_path / name for key, name in files.items()} | {
        "base": base,
        "bundle": tmp_path / "made" / "bundle",
    }
    bundle = run(ImportCheckpointConfig(**paths, training_set="spring"))

    for stage, module in (("keyword", keyword), ("sentiment", sentiment)):
        model = AutoModelForSequenceClassification.from_pretrained(bundle.path / stage).eval()
        torch.testing.assert_close(logits_of(model), logits_of(module), rtol=1e-6, atol=1e-6)
    scorer = Scorer.load(bundle.path)
    scored = torch.tensor([list(score.probabilities.values()) for score in scorer.score(TEXTS[:2])])
    torch.testing.assert_close(scored, logits_of(keyword).sigmoid()[:2], rtol=1e-5, atol=1e-6)
    prompts = TOKENIZER(taxonomy.write_prompt(TEXTS[0], "배송"), return_tensors="pt")
    with torch.no_grad():
        truth = sentiment(prompts["input_ids"], prompts["attention_mask"]).softmax(-1)[0]
    [judged] = scorer.sentiments([(TEXTS[0], "배송")])
    torch.testing.assert_close(torch.tensor(list(judged.probabilities.values())), truth, rtol=1e-5, atol=1e-6)
    assert bundle.manifest.thresholds == dict.fromkeys(taxonomy.keywords, 0.25)
    assert bundle.manifest.training_set == "spring"
    assert list((tmp_path / "made").iterdir()) == [bundle.path]


@pytest.mark.parametrize("name", ["model.pt", WEIGHTS])
def test_a_state_dict_keeps_its_dtype(name: str, tmp_path: Path, base: Path) -> None:
    """float16 weights are stored as the same float16, and a position_ids buffer of old is left out."""
    halves = {key: value.half() for key, value in make_module().state_dict().items()}
    document = halves | {"bert_model.embeddings.position_ids": torch.arange(66)[None]}
    save = save_file if name.endswith("safetensors") else torch.save
    save(document, tmp_path / name)
    model = import_and_load(tmp_path / name, base)
    assert {tensor.dtype for tensor in model.state_dict().values()} == {torch.float16}
    assert torch.equal(model.get_parameter("classifier.dense.weight"), halves["bert_model.pooler.dense.weight"])
    assert torch.equal(model.get_parameter("classifier.out_proj.bias"), halves["linear.bias"])


def test_tensors_that_share_memory_are_imported(base: Path) -> None:
    """Strided views of one storage, which safetensors would refuse, become tensors of their own."""
    query = "bert_model.encoder.layer.0.attention.self.query.weight"
    fused = torch.randn(64, 32)
    model = save_and_import(
        make_module().state_dict() | {query: fused[:32].T, query.replace("query", "key"): fused[:32]}, base
    )
    assert torch.equal(model.get_parameter(query.replace("bert_model", "roberta")), fused[:32].T)


def test_missing_and_unexpected_keys_are_listed(base: Path) -> None:
    """A state dict that is not exactly the module's is refused, and the message names every key, as the file does."""
    state_dict = make_module().state_dict()
    del state_dict["linear.bias"], state_dict["bert_model.pooler.dense.weight"]
    with pytest.raises(BundleError) as refusal:
        save_and_import(state_dict | {"crf.weight": torch.zeros(1)}, base)
    assert "missing: bert_model.pooler.dense.weight, linear.bias; unexpected: crf.weight" in str(refusal.value)


def test_weights_of_another_form_are_refused(base: Path) -> None:
    """Another vocabulary than the base's is a fault of the weights, another number of outputs one of the taxonomy."""
    words = "bert_model.embeddings.word_embeddings.weight"
    with pytest.raises(BundleError, match=rf"wrong form: {words} of shape \(99, 32\)"):
        save_and_import(make_module().state_dict() | {words: torch.zeros(99, 32)}, base)
    with pytest.raises(TaxonomyError, match="has 5 outputs, and the taxonomy 3"):
        save_and_import(make_module(5).state_dict(), base)


def test_code_in_a_checkpoint_is_refused_unrun(tmp_path: Path, base: Path) -> None:
    """A pickle of more than tensors ends in one BundleError, as a file and in a directory, and does nothing."""
    write_classifier(tmp_path / "hf", KEYWORDS)
    (tmp_path / "hf" / WEIGHTS).unlink()
    trap = Trap(str(tmp_path / "sprung"))
    for document in (trap, {"state_dict": {"linear.weight": trap}}, make_module()):
        with pytest.raises(BundleError, match="more than tensors"):
            save_and_import(document, base)
        torch.save(document, tmp_path / "hf" / "pytorch_model.bin")
        with pytest.raises(BundleError, match="more than tensors"):
            import_and_load(tmp_path / "hf")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 cut short"])
def test_a_damaged_file_is_refused(content: bytes, tmp_path: Path, base: Path) -> None:
    """Whatever the reader trips over, the message names the file; without a base, it names the key to give."""
    (tmp_path / "model.bin").write_bytes(content)
    with pytest.raises(BundleError, match=r"model\.bin was refused"):
        import_and_load(tmp_path / "model.bin", base)
    with pytest.raises(ConfigError, match="--base"):
        import_and_load(tmp_path / "model.bin")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize(("names", "order"), [(MOVED, [1, 2, 0]), (["LABEL_0", "LABEL_1", "LABEL_2"], [0, 1, 2])])
def test_each_class_keeps_its_logit(dtype: torch.dtype, names: list[str], order: list[int], tmp_path: Path) -> None:
    """Outputs go by their names, or stay where those are generic; weights keep their dtype, whatever config says."""
    source = tmp_path / "hf"
    original = write_classifier(source, names)
    torch.nn.Module.to(original, dtype)
    (source / WEIGHTS).unlink()
    torch.save(original.state_dict(), source / "pytorch_model.bin")
    edit(source / "config.json", dtype="float16")

    model = import_and_load(source)

    assert model.dtype == dtype
    assert model.config.id2label == dict(enumerate(KEYWORDS))
    assert model.config.problem_type == "multi_label_classification"
    expected = logits_of(original.float())[:, order]
    torch.testing.assert_close(logits_of(model.float()), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["가격", "배송", "향기"], r"checkpoint: 향기; only in the taxonomy: 라인\(핏\)"),
        (["가격", "배송", "배송"], r"checkpoint: none; only in the taxonomy: 라인\(핏\)"),
        ([*KEYWORDS, "가격"], "has 4 outputs, and the taxonomy 3"),
        (["LABEL_0", "LABEL_1"], "has 2 outputs, and the taxonomy 3"),
    ],
)
def test_classes_that_are_not_the_taxonomys_are_refused(names: list[str], said: str, tmp_path: Path) -> None:
    """Other names are listed, and another number of outputs is said."""
    write_classifier(tmp_path / "hf", names)
    with pytest.raises(TaxonomyError, match=said):
        import_and_load(tmp_path / "hf")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda hf: (hf / WEIGHTS).unlink(), f"no file named {WEIGHTS}"),
        (lambda hf: save_file(RobertaModel(CONFIG).state_dict(), hf / WEIGHTS), r"missing: classifier\.dense\.bias"),
        (lambda hf: edit(hf / "config.json", hidden_size="many"), "not a model's configuration"),
        (lambda hf: edit(hf / "config.json", vocab_size=9), r"wrong form: roberta\.embeddings\.word_embeddings"),
        (lambda hf: edit(hf / "config.json", auto_map={"AutoConfig": "own.C"}), "code of its own"),
        (lambda hf: edit(hf / "tokenizer_config.json", auto_map={"AutoTokenizer": ["own.T", None]}), "code of its own"),
        (lambda hf: [file.unlink() for file in hf.glob("tokenizer*")], "holds no tokenizer"),
        (
            lambda hf: edit(hf / "tokenizer_config.json", mask_token=None, tokenizer_class="PreTrainedTokenizerFast"),
            "a mask token",
        ),
    ],
)
def test_a_directory_that_is_no_classifier_is_refused(spoil: Callable[[Path], None], said: str, tmp_path: Path) -> None:
    """No random head, no code from the directory, no made-up tokenizer: the message says what is wrong."""
    write_classifier(tmp_path / "hf", KEYWORDS)
    spoil(tmp_path / "hf")
    with pytest.raises(BundleError, match=said):
        import_and_load(tmp_path / "hf")


def test_a_target_that_holds_something_is_left_alone(tmp_path: Path, base: Path) -> None:
    """The job never writes over a directory with files in it."""
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "notes.txt").write_text("mine")
    job = ImportCheckpointConfig(keyword=base, sentiment=base, bundle=tmp_path / "bundle")
    with pytest.raises(BundleError, match="stands already"):
        run(job)
    assert [file.name for file in (tmp_path / "bundle").iterdir()] == ["notes.txt"]


def test_a_failed_import_leaves_nothing_behind(tmp_path: Path, taxonomy: Taxonomy) -> None:
    """When the second model fails, neither a half bundle nor a draft stands."""
    write_classifier(tmp_path / "hf", taxonomy.keywords)
    target = tmp_path / "made" / "bundle"
    with pytest.raises(TaxonomyError):
        run(ImportCheckpointConfig(keyword=tmp_path / "hf", sentiment=tmp_path / "hf", bundle=target))
    assert list((tmp_path / "made").iterdir()) == []


@pytest.mark.parametrize(("keywords", "value"), [(13, 0.5), (14, 1.5)])
def test_thresholds_that_do_not_fit_are_refused(keywords: int, value: float, base: Path, taxonomy: Taxonomy) -> None:
    """A threshold is a probability, and every keyword has one."""
    file = base / "thresholds.yaml"
    file.write_text(yaml.safe_dump(dict.fromkeys(taxonomy.keywords[:keywords], value)), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"thresholds\.yaml must"):
        run(ImportCheckpointConfig(keyword=base, sentiment=base, bundle=base / "bundle", thresholds=file))
