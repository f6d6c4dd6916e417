"""Requests that come together are encoded together, and each gets its own."""

import threading

import numpy as np
import pytest

from interlingua.pipelines.encoders.base import UnknownTextError
from interlingua.pipelines.serve.joined import ClosedError, JoinedEncoder


class Held:
    """An encoder that waits, until it may, with its first batch, and notes the sizes of all."""

    def __init__(self, encoder):
        self._encoder, self.batches, self.first, self.may = encoder, [], threading.Event(), threading.Event()
        self.identity, self.dimension, self.prompts = encoder.identity, encoder.dimension, encoder.prompts

    def encode(self, texts, *, role="symmetric", progress=False):
        self.batches.append((role, len(texts)))
        if len(self.batches) == 1:
            self.first.set()
            self.may.wait(10)
        unknown = [place for place, text in enumerate(texts) if text == "unknown"]
        if unknown:
            raise UnknownTextError(unknown[0], "has no word that is known")
        return self._encoder.encode(texts, role=role)


def test_what_waits_is_one_batch_and_a_bad_text_is_an_error_of_who_sent_it(fake_encoder):
    held, told = Held(fake_encoder), []
    encoder = JoinedEncoder(held, most=8, counted=lambda texts, _: told.append(texts))
    lists = [["first"], *([f"sun{number}", "sea"] for number in range(3)), ["moon", "unknown"]]
    found = {}

    def ask(number, role):
        try:
            found[number] = encoder.encode(lists[number], role=role)
        except UnknownTextError as error:
            found[number] = error

    threads = [threading.Thread(target=ask, args=(0, "query"))]
    threads[0].start()
    assert held.first.wait(10)
    for number in range(1, len(lists)):
        threads.append(threading.Thread(target=ask, args=(number, "query")))
        threads[-1].start()
        while len(encoder._waiting) < number:
            threads[-1].join(0.001)
    held.may.set()
    for thread in threads:
        thread.join(10)
    assert held.batches == [("query", 1), ("query", 8), ("query", 2), ("query", 2), ("query", 2), ("query", 2)]
    for number in range(4):
        np.testing.assert_array_equal(found[number], fake_encoder.encode(lists[number], role="query"))
    assert found[4].position == 1
    assert told == [1, 2, 2, 2]
    encoder.close()
    with pytest.raises(ClosedError):
        encoder.encode(["more", "texts"])


def test_long_lists_go_in_pieces_and_errors_name_the_place_in_the_whole(fake_encoder):
    held = Held(fake_encoder)
    held.may.set()
    encoder = JoinedEncoder(held, most=4)
    texts = [f"word{number}" for number in range(10)]
    np.testing.assert_array_equal(encoder.encode(texts, role="passage"), fake_encoder.encode(texts, role="passage"))
    assert held.batches == [("passage", 4), ("passage", 4), ("passage", 2)]
    with pytest.raises(UnknownTextError) as caught:
        encoder.encode([*texts[:6], "unknown"])
    assert caught.value.position == 6
    assert encoder.encode([]).shape == (0, fake_encoder.dimension)
    encoder.close()


def test_a_question_that_is_asked_again_is_not_encoded_again(fake_encoder):
    held = Held(fake_encoder)
    held.may.set()
    encoder = JoinedEncoder(held)
    first, again = (encoder.encode(["sun.sw"], role="query") for _ in range(2))
    first[:] = 0  # a copy: who gets it may change it
    np.testing.assert_array_equal(again, fake_encoder.encode(["sun.sw"], role="query"))
    encoder.encode(["sun.sw"], role="passage")
    for number in range(300):
        encoder.encode([f"sea{number}"], role="query")
    assert len(held.batches) == 302
    assert len(encoder._kept) <= 256
    encoder.close()
