"""Checkpoints that somebody trained elsewhere, turned into a bundle's models without loss.

Two forms are read: a Hugging Face sequence classifier's directory, and the state dict of a module that puts `linear`
on the pooled output of a `RobertaModel` named `bert_model`. Pooler and linear of the latter are what
`RobertaForSequenceClassification` calls `classifier.dense` and `classifier.out_proj`: both compute
`linear(tanh(dense(first token)))`. Files are read as tensors only; nothing that they hold is run.
"""

import functools
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import safetensors.torch
import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging

from reviewlens.errors import BundleError, ConfigError, TaxonomyError
from reviewlens.text import normalize

Problem = Literal["multi_label_classification", "single_label_classification"]

_WRAPPERS = ("state_dict", "model_state_dict", "model")
_ROBERTAS = ("roberta", "xlm-roberta", "camembert")  # their heads compute the same
_GENERIC = re.compile(r"LABEL_\d+")
_LISTED = 20  # keys that a message names; the rest it counts


def import_model(source: Path, base: Path | None, classes: Sequence[str], problem: Problem, out: Path) -> None:
    """Write the model and tokenizer of one checkpoint as a bundle's model directory, weights in their own dtype.

    A checkpoint that names the taxonomy's classes in another order gets the rows of its last linear layer put into
    the taxonomy's order, so that each class keeps its logit. One that names none (a state dict, or `LABEL_0` …) is
    taken to have the taxonomy's order already.

    Args:
        source: a Hugging Face sequence classifier's directory, or a state dict's file (PyTorch or safetensors).
        base: directory with the `config.json` and tokenizer of the encoder under a state dict.
        classes: the taxonomy's names for the model's outputs, in order.
        problem: `multi_label_classification` or `single_label_classification`.
        out: directory to write.

    Raises:
        BundleError: the checkpoint is missing, incomplete, more than tensors, or brings code of its own.
        ConfigError: `source` is a state dict, and `base` is not given.
        TaxonomyError: its classes are not the taxonomy's.
    """
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    if source.is_dir():
        model, tokenizer = _load_directory(source, classes), _load_tokenizer(source)
    elif base is None:
        raise ConfigError(
            f"{source} is no directory. If it is a state dict, its encoder's config.json and tokenizer are needed too: "
            "give their directory as base (--base)."
        )
    else:
        model, tokenizer = _load_state_dict(source, base, classes), _load_tokenizer(base)
    if len(tokenizer) > model.config.vocab_size:
        raise BundleError(f"{source}: its tokenizer has more tokens than the model; it belongs to another model.")
    model.config.id2label = dict(enumerate(classes))
    model.config.label2id = {name: index for index, name in enumerate(classes)}
    model.config.problem_type = problem
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)


def read_tensors(file: Path) -> dict[str, torch.Tensor]:
    """Read a state dict from a PyTorch or `.safetensors` file, also where it stands under a key such as `state_dict`.

    Raises:
        BundleError: the file is missing, damaged, or holds more than tensors; no code that it holds is run.
    """
    if not file.is_file():
        raise BundleError(f"No checkpoint at {file}.")
    try:
        if file.suffix == ".safetensors":
            document: Any = safetensors.torch.load_file(file)
        else:
            document = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a hostile or damaged file can make a reader fail in any way
        raise BundleError(
            f"{file} was refused ({type(error).__name__}): it is damaged, or holds more than tensors, such as a whole "
            "module, which could run code. Save the weights alone: torch.save(model.state_dict(), file)."
        ) from error
    for key in _WRAPPERS:
        if isinstance(document, dict) and isinstance(document.get(key), dict):
            document = document[key]
    if not isinstance(document, dict) or not document:
        raise BundleError(f"{file} holds no state dict: save one with torch.save(model.state_dict(), file).")
    strange = [str(key) for key, value in document.items() if not (isinstance(key, str) and torch.is_tensor(value))]
    if strange:
        raise BundleError(f"{file} is not a state dict: no tensors under {_list(strange)}.")
    return document


def _load_directory(path: Path, classes: Sequence[str]) -> PreTrainedModel:
    config = _load_config(path)
    order = _order_outputs(path, [str(config.id2label.get(index)) for index in range(config.num_labels)], classes)
    files = sorted(path.glob("model*.safetensors")) or sorted(path.glob("pytorch_model*.bin"))
    dtypes = {tensor.dtype for file in files for tensor in read_tensors(file).values() if tensor.is_floating_point()}
    try:
        model, report = AutoModelForSequenceClassification.from_pretrained(
            path,
            config=config,
            dtype=functools.reduce(torch.promote_types, dtypes or {torch.float32}),
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            local_files_only=True,
            trust_remote_code=False,
        )
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        raise BundleError(f"{path} is not a sequence classifier that can be loaded: {error}") from error
    mismatched = [f"{name} of shape {tuple(found)}" for name, found, _ in report["mismatched_keys"]]
    _require_same_keys(path, report["missing_keys"], report["unexpected_keys"], mismatched)
    if order != list(range(len(classes))):
        _reorder_outputs(path, model, order)
    return model


def _load_state_dict(file: Path, base: Path, classes: Sequence[str]) -> PreTrainedModel:
    config = _load_config(base)
    if config.model_type not in _ROBERTAS:
        raise BundleError(f"{base} is a {config.model_type}, and a state dict's encoder must be a RoBERTa.")
    config.num_labels = len(classes)
    model: PreTrainedModel = AutoModelForSequenceClassification.from_config(config)
    tensors = {key: value for key, value in read_tensors(file).items() if not key.endswith(".position_ids")}
    wanted = model.state_dict()
    names = {_name_in_state_dict(name, model.base_model_prefix): name for name in wanted}
    _require_same_keys(file, names.keys() - tensors.keys(), tensors.keys() - names.keys(), ())
    outputs = len(tensors["linear.weight"])
    if outputs != len(classes):
        raise TaxonomyError(_say_count(file, outputs, classes))
    wrong = [
        f"{key} of shape {tuple(value.shape)} and {value.dtype}"
        for key, value in tensors.items()
        if value.shape != wanted[names[key]].shape or not value.is_floating_point()
    ]
    _require_same_keys(file, (), (), wrong)
    # Copies, since safetensors takes neither strided tensors nor two that share memory.
    own = {names[key]: value.clone(memory_format=torch.contiguous_format) for key, value in tensors.items()}
    model.load_state_dict(own, assign=True)
    return model


def _name_in_state_dict(name: str, prefix: str) -> str:
    for ours, theirs in (("classifier.dense", "bert_model.pooler.dense"), ("classifier.out_proj", "linear")):
        if name.startswith(ours):
            return theirs + name.removeprefix(ours)
    return "bert_model" + name.removeprefix(prefix)


def _load_config(path: Path) -> Any:
    for name in ("config.json", "tokenizer_config.json"):
        file = path / name
        if not file.is_file():
            continue
        try:
            document = json.loads(file.read_bytes())
        except ValueError as error:
            raise BundleError(f"{file} is not JSON: copy the checkpoint again.") from error
        if "auto_map" in document:
            raise BundleError(f"{file} asks for code of its own (auto_map), which is never run: use a standard model.")
    if not (path / "config.json").is_file():
        raise BundleError(f"No config.json in {path}: give the directory of a Hugging Face model.")
    try:
        return AutoConfig.from_pretrained(path, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # its checks raise classes of their own
        raise BundleError(f"{path / 'config.json'} is not a model's configuration: {error}") from error


def _load_tokenizer(path: Path) -> PreTrainedTokenizerBase:
    try:
        tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # the tokenizers library raises bare exceptions
        raise BundleError(f"{path} holds no tokenizer that can be loaded: {error}") from error
    # Where the files are missing, transformers makes up a tokenizer of special tokens alone.
    if len(tokenizer) <= len(tokenizer.all_special_ids):
        raise BundleError(f"{path} holds no tokenizer: save it there with tokenizer.save_pretrained.")
    if not tokenizer.is_fast or tokenizer.mask_token is None:
        raise BundleError(f"{path}: highlights need a fast tokenizer with a mask token.")
    return tokenizer


def _order_outputs(source: Path, names: Sequence[str], classes: Sequence[str]) -> list[int]:
    """For each class of the taxonomy, the number of the output that the checkpoint has for it."""
    given, wanted = [normalize(name) for name in names], [normalize(name) for name in classes]
    generic = all(_GENERIC.fullmatch(name) for name in given)
    strange, absent = sorted(set(given) - set(wanted)), sorted(set(wanted) - set(given))
    if not generic and (strange or absent):
        raise TaxonomyError(
            f"{source} and the taxonomy name different classes. Only in the checkpoint: {_list(strange)}; only in the "
            f"taxonomy: {_list(absent)}. Choose the taxonomy that it was trained for, or correct its id2label."
        )
    if len(given) != len(wanted):
        raise TaxonomyError(_say_count(source, len(given), classes))
    return list(range(len(wanted))) if generic else [given.index(name) for name in wanted]


def _say_count(source: Path, outputs: int, classes: Sequence[str]) -> str:
    return (
        f"{source} has {outputs} outputs, and the taxonomy {len(classes)} classes for them: choose the taxonomy that "
        "it was trained for, and see that keyword and sentiment model are not swapped."
    )


@torch.no_grad()
def _reorder_outputs(path: Path, model: PreTrainedModel, order: list[int]) -> None:
    body = set(model.base_model.modules())
    heads = [
        module
        for module in model.modules()
        if isinstance(module, nn.Linear) and module.out_features == len(order) and module not in body
    ]
    if not heads:
        raise BundleError(f"{path}: no linear layer gives its outputs, so they cannot be put in the taxonomy's order.")
    for parameter in heads[-1].parameters():
        parameter.copy_(parameter[order].clone())


def _require_same_keys(source: Path, missing: Iterable[str], unexpected: Iterable[str], wrong: Iterable[str]) -> None:
    faults = {"missing": sorted(missing), "unexpected": sorted(unexpected), "of the wrong form": sorted(wrong)}
    said = "; ".join(f"{fault}: {_list(keys)}" for fault, keys in faults.items() if keys)
    if said:
        raise BundleError(f"{source} does not hold the weights that its configuration asks for. Keys {said}.")


def _list(keys: Sequence[str]) -> str:
    more = f" and {len(keys) - _LISTED} more" if len(keys) > _LISTED else ""
    return (", ".join(keys[:_LISTED]) or "none") + more
