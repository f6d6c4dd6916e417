"""The bridge that comes along."""

import numpy as np
import pytest

from interlingua.align.bridge import Bridge, BridgeError
from interlingua.pipelines import load_encoder
from interlingua.pipelines.bridge import load_bridge, map_questions
from interlingua.pipelines.encoders.fingerprint import packed


def test_it_leads_from_the_bundled_encoder_into_minilm():
    bridge = load_bridge("minilm")
    assert bridge.matrix.shape == (384, 384)
    assert any(name.startswith(f"{bridge.source.encoder} |") for name in packed())
    assert bridge.source.name == "bundled"
    assert bridge.target.name == "sentence-transformers/all-MiniLM-L6-v2"
    assert (bridge.language, len(bridge.target.probes)) == ("en", 12)
    assert {"de", "fr", "zh", "ru", "ja", "ar"} <= set(bridge.languages)
    assert len(bridge.provenance["sources"]) == 2


def test_a_question_is_mapped_by_it_and_another_model_refused():
    bridge = load_bridge("minilm")
    found = map_questions(bridge, ["Wie setze ich mein Passwort zurück?"], "de", source=load_encoder())
    assert found.how == "map"
    np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=1), 1, atol=1e-5)
    with pytest.raises(BridgeError, match="index model"):
        map_questions(bridge, ["Wo?"], "de", source=load_encoder(), target=load_encoder())


def test_a_file_of_that_name_goes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    load_bridge("minilm").save("other")
    assert isinstance(load_bridge("other"), Bridge)
    (tmp_path / "minilm").write_bytes(b"no bridge")
    with pytest.raises(BridgeError):
        load_bridge("minilm")
