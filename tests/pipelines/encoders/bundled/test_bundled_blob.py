import numpy as np
import pytest

from interlingua.pipelines.encoders.bundled.blob import BlobError, ModelBlob, dequantize_q4_0


def test_q4_0_is_dequantised_exactly():
    rng = np.random.default_rng(0)
    scales = rng.standard_normal(7).astype(np.float16)
    packed = rng.integers(0, 256, size=(7, 16), dtype=np.uint8)
    raw = b"".join(scale.tobytes() + row.tobytes() for scale, row in zip(scales, packed))
    expected = []
    for scale, row in zip(scales, packed):
        expected += [(int(byte) % 16 - 8) * float(scale) for byte in row]
        expected += [(int(byte) // 16 - 8) * float(scale) for byte in row]
    weights = dequantize_q4_0(raw, 7 * 32)
    assert weights.dtype == np.float32
    np.testing.assert_array_equal(weights.astype(np.float64), expected)


@pytest.mark.parametrize("count", [31, 33, 64])
def test_q4_0_refuses_broken_blocks_and_short_buffers(count):
    with pytest.raises(BlobError, match="blocks of 32"):
        dequantize_q4_0(bytes(18), count)


def test_sizes_tokens_and_weights_are_read(tiny_blob):
    blob = ModelBlob.read(tiny_blob.path)
    sizes = (blob.hidden_size, blob.n_layers, blob.n_heads, blob.intermediate_size)
    assert sizes == (32, 2, 2, 64)
    assert (blob.vocabulary_size, blob.n_positions, blob.n_token_types) == (len(tiny_blob.pieces) + 3, 16, 2)
    assert blob.layer_norm_eps == pytest.approx(1e-12, rel=1e-6)
    assert blob.special_ids == {"bos": 0, "pad": 1, "eos": 2, "unk": 3}
    assert blob.pieces == tuple(tiny_blob.pieces)
    np.testing.assert_array_equal(blob.scores, np.array(tiny_blob.scores, dtype=np.float32))
    for name, expected in tiny_blob.tensors.items():
        found = blob.tensor(name, expected.shape)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, expected)


def test_every_truncation_is_refused(tiny_blob, tmp_path):
    whole = tiny_blob.path.read_bytes()
    path = tmp_path / "cut.bin"
    for length in [*range(0, 2000, 13), *range(2000, len(whole), 997), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(BlobError, match=r"cut\.bin"):
            ModelBlob.read(path)


def test_altered_headers_never_lead_to_another_error(tiny_blob, tmp_path):
    whole = tiny_blob.path.read_bytes()
    rng = np.random.default_rng(1)
    path = tmp_path / "altered.bin"
    refused = 0
    for _ in range(300):
        altered = bytearray(whole)
        for place in rng.integers(0, 1500, size=3):
            altered[place] = rng.integers(0, 256)
        path.write_bytes(altered)
        try:
            blob = ModelBlob.read(path)
            for name, expected in tiny_blob.tensors.items():
                blob.tensor(name, expected.shape)
        except BlobError:
            refused += 1
    assert refused > 100


def test_another_format_is_refused(tmp_path):
    path = tmp_path / "other.bin"
    path.write_bytes(b"GGUF" + bytes(1000))
    with pytest.raises(BlobError, match="GGUF"):
        ModelBlob.read(path)


def test_a_missing_tensor_and_a_wrong_shape_are_named(tiny_blob):
    blob = ModelBlob.read(tiny_blob.path)
    with pytest.raises(BlobError, match=r"'emb\.none' .* no such tensor"):
        blob.tensor("emb.none", (3, 4))
    with pytest.raises(BlobError, match=r"'emb\.ln\.w' should have 33 weights .* found 32"):
        blob.tensor("emb.ln.w", (33,))
