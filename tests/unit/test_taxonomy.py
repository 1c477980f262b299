"""The taxonomy."""

from pathlib import Path

import pytest

from reviewlens.errors import TaxonomyError
from reviewlens.taxonomy import Taxonomy, read_taxonomy


def test_the_pair_is_written_as_the_models_learned_it(taxonomy: Taxonomy) -> None:
    """The seed's prompt, and braces in a review are text."""
    assert taxonomy.write_prompt("옷은 {keyword} {0}", "배송") == "###입력: 옷은 {keyword} {0} \n###키워드: 배송"


def test_the_shipped_taxonomy_has_the_fourteen_keywords_and_five_levels(taxonomy: Taxonomy) -> None:
    """What the product promises, worst level first."""
    assert len(taxonomy.keywords) == 14
    assert taxonomy.sentiment_names == ("매우부정", "부정", "중립", "긍정", "매우긍정")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"keywords": ["배송", "배송"]}, "each once"),
        ({"prompt": "{keyword} {text}"}, "{text} once"),
        ({"sentiments": [{"name": "긍정", "value": 1}, {"name": "부정", "value": -1}]}, "lowest value"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_malformed_taxonomy_is_refused_by_name(
    taxonomy: Taxonomy, tmp_path: Path, change: dict[str, object], fault: str
) -> None:
    """The error names what is wrong."""
    import yaml

    file = tmp_path / "taxonomy.yaml"
    file.write_text(yaml.safe_dump(taxonomy.model_dump(mode="json") | change, allow_unicode=True))
    with pytest.raises(TaxonomyError, match=fault):
        read_taxonomy(file)
