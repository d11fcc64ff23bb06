"""What is said: each text states what its words say, no more and no less."""

import re
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pretrain_cases import is_true, made_up_pack, pronoun_of, random_truth, shown, vocabulary

from nextreid.synthetic.kinds import KINDS, load_kind

WORDS = {kind: vocabulary(kind) for kind in KINDS}


class Chosen:
    """Stands in for a random generator: makes the choices it was given."""

    def __init__(self, choices):
        self.choices = list(choices)

    def integers(self, count):
        return self.choices.pop(0) % count


def wordings(kind, states):
    """Every way in which the grammar says some values: the sentences by group, in order.

    No group has more than three variants.
    """
    grammar = WORDS[kind].grammar
    groups = len(grammar.realise(states))
    return [grammar.realise(states, rng=Chosen(choice)) for choice in product(range(3), repeat=groups)]


def gender_by_word(text):
    return re.search(r"\b(male|female)\b", text.lower()) is not None


def draws(kind, seed, *, rows=4, count=12, known=0.8):
    rng = np.random.default_rng(seed)
    truth = random_truth(WORDS[kind], rows, rng, known=known)
    return truth, WORDS[kind].draw(truth, count, rng)


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_equals_loops(kind):
    pack = made_up_pack(kind, 5)
    words = WORDS[kind]
    table = words.table(pack.values, pack.visible)
    assert table.shape == (15, len(words.columns))
    assert list(words.columns.values()) == list(range(len(words.columns)))
    for row in range(5):
        for m in range(3):
            known = shown(pack, row, m)
            for (name, value), column in words.columns.items():
                assert table[row * 3 + m, column] == (known.get(name) == value)


@pytest.mark.parametrize("kind", KINDS)
def test_labels_equal_loops(kind):
    truth, texts = draws(kind, 3, rows=9)
    pairs = list(WORDS[kind].columns)
    labels = WORDS[kind].labels(truth, texts)
    assert labels.shape == (9, len(texts))
    for b, row in enumerate(truth):
        known = dict(pairs[column] for column in np.flatnonzero(row))
        assert labels[b].tolist() == [is_true(text, known) for text in texts]
    assert labels.any()
    assert not labels.all()


@pytest.mark.parametrize("kind", KINDS)
def test_singles_say_each_value_alone_in_the_order_of_the_columns(kind):
    words, rng = WORDS[kind], np.random.default_rng(0)
    told = [words.singles(rng) for _ in range(60)]
    for column, (name, value) in enumerate(words.columns):
        variants = words.grammar.variants({name: value})
        here = [texts[column] for texts in told]
        assert {text.states for text in here} == {frozenset({(name, value)})}
        assert {text.text for text in here} == set(variants)  # each wording's turn comes
        group = words.schema.group_of(name).name
        assert {part.group for text in here for part in words.grammar.read(text.text)} == {group}
    assert len({text.text for text in told[0]}) == len(words.columns)


@pytest.mark.parametrize("kind", KINDS)
def test_places_are_the_sets_of_parts_of_the_evidence(kind):
    words, evidence = WORDS[kind], load_kind(kind).evidence
    assert list(words.places) == sorted(set(words.places), key=sorted)
    assert set(words.places) == {frozenset(parts) for parts in evidence.values()}
    for text in words.singles(np.random.default_rng(1)):
        ((name, value),) = text.states
        parts = evidence.get(f"{name}={value}", evidence.get(name))
        assert text.place == (None if parts is None else words.places.index(frozenset(parts)))


def test_absence_is_seen_where_the_thing_would_be():
    words = WORDS["vehicle"]
    texts = {text.states: text for text in words.singles(np.random.default_rng(0))}
    there, gone = (texts[frozenset({("spoiler", value)})].place for value in ("present", "not present"))
    assert words.places[there] == {"spoiler"}
    assert words.places[gone] == {"rear_window", "taillight"}


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(KINDS), st.integers(0, 10**6), st.sampled_from([0.1, 0.5, 1.0]))
def test_a_text_says_what_it_states(kind, seed, known):
    """Its words are one of the grammar's ways to say just these values.

    The sentence about gender may be missing where a pronoun says it.
    """
    _, texts = draws(kind, seed, count=8, known=known)
    for text in texts:
        states = dict(text.states)
        ways = {" ".join(part.text for part in parts) for parts in wordings(kind, states)}
        if "gender" in states and pronoun_of(text.text):
            short = {" ".join(p.text for p in parts if p.group != "who") for parts in wordings(kind, states)}
            ways |= short
        assert text.text in ways, (text, sorted(ways))


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 10**6))
def test_a_pronoun_is_stated_and_a_stated_gender_is_said(seed):
    forms = {"he": "male", "she": "female"}
    for text in draws("person", seed)[1]:
        states, pronoun = dict(text.states), pronoun_of(text.text)
        if pronoun:
            assert states["gender"] == forms[pronoun], text
        elif "gender" in states:
            assert re.search(rf"\b{states['gender']}\b", text.text.lower()), text


def test_no_gender_is_said_that_is_not_stated():
    for seed in range(40):
        for text in draws("person", seed)[1]:
            assert not gender_by_word(text.text) or "gender" in dict(text.states), text


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(KINDS), st.integers(0, 10**6))
def test_a_place_is_one_groups_and_common_to_its_values(kind, seed):
    words, evidence = WORDS[kind], load_kind(kind).evidence
    for text in draws(kind, seed, count=8)[1]:
        groups = {part.group for part in words.grammar.read(text.text)}
        said = {p for p in text.states if p[0] != "gender" or len(text.states) == 1}
        parts = {frozenset(evidence.get(f"{n}={v}", evidence.get(n, ()))) for n, v in said}
        if len(groups) > 1 or len(parts) > 1 or parts == {frozenset()}:
            assert text.place is None, text
        else:
            assert text.place == words.places.index(parts.pop()), text


@pytest.mark.parametrize("kind", KINDS)
def test_most_texts_are_true_of_their_picture_and_some_are_nearly(kind):
    """One picture, so all unchanged texts are true of it; a change may draw the same value again."""
    rng = np.random.default_rng(2)
    truth = random_truth(WORDS[kind], 1, rng, known=1.0)
    pairs = list(WORDS[kind].columns)
    known = dict(pairs[column] for column in np.flatnonzero(truth[0]))
    texts = WORDS[kind].draw(truth, 600, rng)
    wrong = [[pair for pair in text.states if known[pair[0]] != pair[1]] for text in texts]
    assert max(map(len, wrong)) == 1  # never two values changed
    share = sum(map(bool, wrong)) / len(texts)
    assert 0.10 < share < 0.30  # 0.3 of them, less the draws of the same value
    groups = [len({WORDS[kind].schema.group_of(n).name for n, _ in t.states if n != "gender"}) for t in texts]
    assert 0.05 < sum(count == 3 for count in groups) / len(texts) < 0.15
    assert sum(count <= 1 for count in groups) / len(texts) > 0.6


def test_draws_are_the_generators_alone():
    for kind in KINDS:
        one, other, third = (draws(kind, seed)[1] for seed in (4, 4, 5))
        assert one == other
        assert one != third


def test_pictures_that_show_nothing_give_no_texts():
    words = WORDS["person"]
    truth = np.zeros((3, len(words.columns)), bool)
    assert words.draw(truth, 10, np.random.default_rng(0)) == []
    truth[1, 0] = True
    texts = words.draw(truth, 30, np.random.default_rng(0))
    assert 0 < len(texts) < 30


def test_the_corpus_knows_every_word():
    """No wording of a value is spelled in bytes: the tokenizer of the run has met all its words."""
    for words in WORDS.values():
        corpus = words.corpus()
        assert corpus == sorted(set(corpus))
        known = set(re.findall(r"[\w-]+", " ".join(corpus).lower()))
        for text in words.singles(np.random.default_rng(0)):
            assert set(re.findall(r"[\w-]+", text.text.lower())) <= known


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_said_of_the_object_leaves_light_and_quality_out(kind):
    words = WORDS[kind]
    truth = random_truth(words, 6, np.random.default_rng(0), known=1.0)
    kept = words.of_the_object(truth)
    for (name, _), before, after in zip(words.columns, truth.T, kept.T, strict=True):
        assert np.array_equal(after, before & words.schema.group_of(name).identity)
    texts = words.draw(kept, 50, np.random.default_rng(1))
    assert {words.schema.group_of(n).identity for text in texts for n, _ in text.states} == {True}
