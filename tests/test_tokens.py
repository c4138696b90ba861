"""How tokens are shown: exact bytes of every kind of tokenizer, nothing invisible, broken or harmful."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    BertTokenizer,
    ByT5Tokenizer,
    GemmaTokenizer,
    LlamaTokenizer,
    OpenAIGPTTokenizer,
    PreTrainedTokenizerFast,
    StopStringCriteria,
    T5Tokenizer,
)

from decoding.errors import TraceFileError
from decoding.tokens.token_table import TokenTable
from tests.counted_work import lines_of
from tests.tiny_tokenizers import TOKENIZERS, tiny_tokenizer_of

BYTE_PIECES = {f"<0x{b:02X}>": 10 + b for b in range(256)}


@pytest.fixture(scope="module")
def tokenizer(lm):
    """SmolLM2's: byte-level BPE, 49,152 tokens."""
    return lm.tokenizer


@pytest.fixture(scope="module")
def table(tokenizer) -> TokenTable:
    return TokenTable.from_tokenizer(tokenizer, 49_152)


@pytest.fixture(scope="module")
def spelled(table) -> set[int]:
    """The bytes this tokenizer has a token for; it silently drops the others (0xF1 and the like)."""
    return {raw[0] for raw in map(table.bytes, range(len(table))) if len(raw) == 1}


def table_of(*pieces: bytes | str, special: tuple[int, ...] = ()) -> TokenTable:
    """A table whose tokens are just these."""
    raw = [p.encode() if isinstance(p, str) else p for p in pieces]
    flags = np.array([3 if i in special else 1 for i in range(len(raw))], dtype=np.uint8)
    offsets = np.cumsum([0, *map(len, raw)])
    flat = np.frombuffer(b"".join(raw), dtype=np.uint8)
    return TokenTable.from_arrays({"bytes": flat, "offsets": offsets, "flags": flags})


def shown(piece: bytes | str) -> str:
    return table_of(piece).text(0)


# ---- from tokenizers to bytes


def test_offline_model_spells_a_space_and_a_newline_as_bytes(tokenizer, table):
    ids = tokenizer(" Paris\n").input_ids
    assert [table.bytes(i) for i in ids] == [b" Paris", b"\n"]
    assert [table.text(i) for i in ids] == ["␠Paris", "⏎"]


@settings(max_examples=150, deadline=None)
@given(text=st.text(max_size=60))
def test_bytes_of_a_byte_level_tokenizer_join_to_the_text(tokenizer, table, spelled, text):
    assume(spelled.issuperset(text.encode()))
    ids = tokenizer(text, add_special_tokens=False).input_ids
    assert b"".join(map(table.bytes, ids)) == text.encode()


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=60))
def test_display_groups_cover_the_sequence_and_join_to_whole_characters(tokenizer, table, spelled, text):
    assume(spelled.issuperset(text.encode()))
    ids = tokenizer(text, add_special_tokens=False).input_ids
    tokens = table.display(ids)
    groups = sorted({t.group for t in tokens})
    assert [i for start, end in groups for i in range(start, end)] == list(range(len(ids)))
    assert all(t.group[0] <= i < t.group[1] for i, t in enumerate(tokens))
    for start, end in groups:
        b"".join(t.raw for t in tokens[start:end]).decode()
        if end > start + 1:  # no smaller range would do
            assert all(t.is_partial or not t.raw for t in tokens[start:end])


def test_every_token_of_the_offline_model_shows_as_something_harmless(table):
    for i in range(len(table)):
        text = table.text(i)
        assert text and "\ufffd" not in text
        assert not {unicodedata.category(c) for c in text} & {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}, repr(text)


def test_special_tokens_of_the_offline_model_are_marked(tokenizer, table):
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert table.is_special(end) and table.text(end) == "<|im_end|>"
    assert not table.is_special(tokenizer(" Paris").input_ids[0])


def test_ids_beyond_the_tokenizer_show_their_number(tokenizer):
    wide = TokenTable.from_tokenizer(tokenizer, 50_000)
    assert len(wide) == 50_000
    assert (wide.text(49_999), wide.bytes(49_999), wide.exists(49_999)) == ("#49999", b"", False)
    assert wide.text(60_000) == "#60000" and wide.text(-100) == "#-100"
    assert wide.plain([49_999]) == "#49999"


def test_a_table_of_49_000_tokens_takes_a_few_lines_of_python_for_each(tokenizer):
    """The page waits for it; `make bench` has the seconds."""
    assert lines_of(lambda: TokenTable.from_tokenizer(tokenizer, 49_152)) < 20 * 49_152


def test_byte_level_tokenizer_built_by_hand():
    vocab = {c: i for i, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    vocab |= {"Ġa": 256, "Ċ": vocab["Ċ"], "not\u2009bytes": 257}
    backend = Tokenizer(models.BPE(vocab=vocab, merges=[("Ġ", "a")]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens(["<|end|>"])
    backend.add_tokens([AddedToken("é à", normalized=False)])
    table = TokenTable.from_tokenizer(PreTrainedTokenizerFast(tokenizer_object=backend))
    single = {table.bytes(vocab[c]) for c in pre_tokenizers.ByteLevel.alphabet()}
    assert single == {bytes([b]) for b in range(256)}
    assert table.bytes(256) == b" a"
    assert table.bytes(257) == "not\u2009bytes".encode()
    assert table.bytes(258) == b"<|end|>" and table.is_special(258)
    # Added tokens are matched in the text as they are: é here is not the byte 0xE9.
    assert table.bytes(259) == "é à".encode() and not table.is_special(259)


def test_without_a_decoder_the_pre_tokenizer_tells_the_spelling():
    backend = Tokenizer(models.BPE(vocab={"Ġ": 0, "Ã": 1, "©": 2}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    table = TokenTable.from_tokenizer(PreTrainedTokenizerFast(tokenizer_object=backend))
    assert [table.bytes(i) for i in range(3)] == [b" ", b"\xc3", b"\xa9"]


@pytest.mark.parametrize("kind", [LlamaTokenizer, GemmaTokenizer])
def test_sentencepiece_with_byte_fallback(kind):
    vocab = {"<unk>": 0, "<s>": 1, "</s>": 2, "<pad>": 3, "<bos>": 4, "<eos>": 5, "▁": 6, "a": 7, "▁a": 8}
    tokenizer = kind(vocab=vocab | BYTE_PIECES, merges=[("▁", "a")])
    table = TokenTable.from_tokenizer(tokenizer)
    ids = [8, 6, 10 + 0xE2, 10 + 0x96, 10 + 0x88, 7, 10 + 0x0A]
    assert [table.bytes(i) for i in ids] == [b" a", b" ", b"\xe2", b"\x96", b"\x88", b"a", b"\n"]
    assert table.plain(ids) == " a █a\n"
    assert table.plain(ids).strip() == tokenizer.decode(ids).strip()
    assert table.text(8) == "␠a" and table.is_special(0)


def test_unigram_without_byte_fallback_takes_hex_pieces_literally():
    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    tokenizer = T5Tokenizer(vocab=[*special, ("▁Wie", -1.0), ("<0x41>", -2.0)])
    table = TokenTable.from_tokenizer(tokenizer)
    assert (table.bytes(3), table.bytes(4)) == (b" Wie", b"<0x41>")
    assert table.is_special(tokenizer.convert_tokens_to_ids("<extra_id_0>"))


def test_unigram_with_byte_fallback_built_by_hand():
    pieces = [("<unk>", 0.0), ("▁caf", -1.0), *((piece, -5.0) for piece in BYTE_PIECES)]
    backend = Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=True))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend)
    table = TokenTable.from_tokenizer(tokenizer)
    ids = tokenizer("café").input_ids
    assert [table.bytes(i) for i in ids] == [b" caf", b"\xc3", b"\xa9"]
    assert [t.joined for t in table.display(ids)] == ["␠caf", "é", "é"]


def test_wordpiece_tokens_hold_the_space_that_their_decoder_writes():
    vocab = {t: i for i, t in enumerate(["[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]", "play", "##ing", "."])}
    tokenizer = BertTokenizer(vocab=vocab)
    table = TokenTable.from_tokenizer(tokenizer)
    assert [table.bytes(i) for i in (5, 6, 7)] == [b" play", b"ing", b"."]
    assert table.plain([5, 6, 5, 7]) == " " + tokenizer.decode([5, 6, 5, 7])


def test_end_of_word_suffix_shows_as_the_space_it_stands_for():
    vocab = {"<unk>": 0, "a": 1, "a</w>": 2, "</w>": 3}
    table = TokenTable.from_tokenizer(OpenAIGPTTokenizer(vocab=vocab, merges=[("a", "</w>")]))
    assert [table.bytes(i) for i in (1, 2)] == [b"a", b"a "]


def test_slow_tokenizer_of_single_bytes():
    tokenizer = ByT5Tokenizer()
    table = TokenTable.from_tokenizer(tokenizer)
    ids = tokenizer("né\n").input_ids
    assert [table.bytes(i) for i in ids] == [b"n", b"\xc3", b"\xa9", b"\n", b"</s>"]
    assert table.is_special(ids[-1])


class SlowTokenizer:
    """No Rust backend, as Mistral's own or a SentencePiece one: public methods only."""

    all_special_ids = [0, None]

    def __init__(self, vocab):
        self.vocab = vocab

    def get_vocab(self):
        return self.vocab


def test_slow_tokenizers_are_told_by_their_vocabulary():
    pieces = {"<▁s>": 0, "▁a": 1, "<0x00>": 2, "<0xE9>": 3}
    table = TokenTable.from_tokenizer(SlowTokenizer(pieces))
    assert [table.bytes(i) for i in range(4)] == ["<▁s>".encode(), b" a", b"\0", b"\xe9"]
    assert table.is_special(0)
    byte_level = {c: i + 1 for i, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet())[:-1])}
    table = TokenTable.from_tokenizer(SlowTokenizer(byte_level | {"<s>": 0, "Ġa": 300}))
    assert table.bytes(300) == b" a" and not table.exists(299)


# ---- the same as decode, for every token


ADDED = ["đem", "Ġodd", "▁new", "##odd", " sp", "é à", "naïve"]
ADDED_SPECIAL = ["‹|đ|>", "<|đ|>", "<▁x>", "[[q]]"]


def with_added_tokens(kind: str):
    tokenizer = tiny_tokenizer_of(kind)
    tokenizer.add_tokens(ADDED)
    tokenizer.add_tokens([AddedToken(content, special=True) for content in ADDED_SPECIAL])
    return tokenizer


def differing_from_decode(tokenizer, ids) -> list[tuple[str, str, str]]:
    """The tokens of which the table says something else than `decode` writes between two others."""
    table = TokenTable.from_tokenizer(tokenizer)
    before = after = tokenizer("x", add_special_tokens=False)["input_ids"]
    wrong = []
    for i in ids:
        around = [*before, i, *after]
        ours = b"".join(map(table.bytes, around)).decode("utf-8", "replace")
        theirs = tokenizer.decode(around)
        if isinstance(tokenizer, ByT5Tokenizer):  # its decode leaves half characters out, the table marks them
            ours = ours.replace("\ufffd", "")
        if ours.strip(" ") != theirs.strip(" "):
            wrong.append((tokenizer.convert_ids_to_tokens(i), ours, theirs))
    return wrong


@pytest.mark.parametrize("kind", sorted(TOKENIZERS))
def test_every_token_is_what_decode_writes_added_and_special_ones_included(kind):
    tokenizer = with_added_tokens(kind)
    ids = sorted(tokenizer.get_vocab().values())
    assert {token.content for token in tokenizer.added_tokens_decoder.values()} >= {*ADDED, *ADDED_SPECIAL}
    assert differing_from_decode(tokenizer, ids) == []


def test_every_token_of_the_offline_model_is_what_decode_writes(tokenizer):
    assert differing_from_decode(tokenizer, range(len(tokenizer))) == []


@pytest.mark.parametrize(
    ("kind", "token", "text"),
    [
        ("gpt2", "đem", "␑em"),  # a byte-level decoder takes đ for the byte 0x11
        ("gpt2", "Ġodd", "␠odd"),
        ("gpt2", "<|đ|>", "<|␑|>"),
        ("gpt2", "‹|đ|>", "‹|đ|>"),  # ‹ spells no byte, so the whole token is literal
        ("llama2", "▁new", "␠new"),
        ("llama2", "<▁x>", "< x>"),
        ("bert uncased", "Ġodd", "␠godd"),  # small letters and no marks: what the normalizer makes of it
        ("llama2", "đem", "đem"),
        ("bert", "##odd", "odd"),
        ("bert", "[SEP]", "␠[SEP]"),
        ("byt5", "đem", "đem"),
    ],
)
def test_added_tokens_are_shown_as_the_tokenizer_decodes_them(kind, token, text):
    tokenizer = with_added_tokens(kind)
    table = TokenTable.from_tokenizer(tokenizer)
    assert table.text(tokenizer.convert_tokens_to_ids(token)) == text


@pytest.mark.parametrize("kind", ["gpt2", "llama3", "llama2", "metaspace always", "t5", "bert"])
def test_a_stop_string_that_is_on_the_screen_fires(kind):
    tokenizer = with_added_tokens(kind)
    table = TokenTable.from_tokenizer(tokenizer)
    before = tokenizer("x", add_special_tokens=False)["input_ids"]
    for token in [*ADDED, *ADDED_SPECIAL]:
        token_id = tokenizer.convert_tokens_to_ids(token)
        [seen] = table.display([token_id])
        if seen.is_partial:
            assert (kind, token, seen.text) == (kind, "naïve", "na‹EF›ve")  # bytes that are no text are marked
            continue
        shown_text = table.plain([token_id], skip_special=False)
        criterion = StopStringCriteria(tokenizer, [shown_text])
        assert criterion(torch.tensor([[*before, token_id]]), None).tolist() == [True], token


def test_stop_strings_see_an_added_token_as_it_was_added_also_where_the_normalizer_changes_it():
    """transformers' own two words for one token: decode writes a space, its stop strings know of none."""
    tokenizer = with_added_tokens("llama2 legacy")
    token_id = tokenizer.convert_tokens_to_ids("đem")
    before = tokenizer("x", add_special_tokens=False)["input_ids"]
    assert tokenizer.decode([*before, token_id]) == "x đem"
    assert TokenTable.from_tokenizer(tokenizer).bytes(token_id) == " đem".encode()
    fires = {text: bool(StopStringCriteria(tokenizer, [text])(torch.tensor([[*before, token_id]]), None)[0])
             for text in ("đem", " đem")}  # fmt: skip
    assert fires == {"đem": True, " đem": False}


# ---- how bytes are shown


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (" Paris", "␠Paris"),
        ("Paris ", "Paris␠"),
        ("New York", "New York"),
        ("a  b", "a␠␠b"),
        ("    ", "␠␠␠␠"),
        ("\n  if", "⏎␠␠if"),
        ("\n x", "⏎␠x"),
        ("\t", "⇥"),
        ("\r\n", "␍⏎"),
        ("\0\x1b\x7f", "␀␛␡"),
        ("\x85", "\\u{85}"),
        ("\u202eabc", "\\u{202e}abc"),
        ("\u2066a\u2069", "\\u{2066}a\\u{2069}"),
        ("a\u200bb", "a\\u{200b}b"),
        ("\ufeff", "\\u{feff}"),
        ("\xa0km", "\\u{a0}km"),
        ("\u3000", "\\u{3000}"),
        ("\u2028", "\\u{2028}"),
        ("\xad", "\\u{ad}"),
        ("\ue000", "\\u{e000}"),
        ("\U000e0041", "\\u{e0041}"),
        ("\u0378", "\\u{378}"),
        ("\u3164", "\\u{3164}"),
        ("␠", "\\u{2420}"),
        ("\u0301", "◌\u0301"),
        ("e\u0301", "e\u0301"),
        (" \u0301", "␠◌\u0301"),
        ("❤\ufe0f", "❤\ufe0f"),
        ("\ufe0f", "\\u{fe0f}"),
        ("e" + "\u0301" * 6, "e" + "\u0301" * 4 + "\\u{301}" * 2),
        ("\ufffd", "‹EF BF BD›"),
        (b"\xe2\x96", "‹E2 96›"),
        (b" \xe2\x96", "␠‹E2 96›"),
        (b"a\xffb\xfe", "a‹FF›b‹FE›"),
        (b"\xed\xa0\x80", "‹ED A0 80›"),
        ("", "‹›"),
        ("<img onerror=x>${a}</script>", "<img onerror=x>${a}</script>"),
        ("日本", "日本"),
        ("שלום", "שלום"),
    ],
)
def test_what_cannot_be_seen_is_shown(raw, text):
    assert shown(raw) == text


@given(raw=st.binary(max_size=12))
def test_any_bytes_show_as_visible_text(raw):
    text = shown(raw)
    assert text and "\ufffd" not in text and text == text.strip()
    assert not {unicodedata.category(c) for c in text} & {"Cc", "Cf", "Cn", "Cs", "Co", "Zl", "Zp"}


def test_tokens_of_one_character_are_shown_with_it():
    table = table_of(b" \xe2", b"\x96", b"\x88", "x")
    tokens = table.display([0, 1, 2, 3])
    assert [t.text for t in tokens] == ["␠‹E2›", "‹96›", "‹88›", "x"]
    assert [t.group for t in tokens] == [(0, 3), (0, 3), (0, 3), (3, 4)]
    assert [t.joined for t in tokens] == ["␠█", "␠█", "␠█", "x"]
    assert [t.is_partial for t in tokens] == [True, True, True, False]


def test_characters_that_share_a_token_are_one_group():
    tokens = table_of(b"\xc3", b"\xa9\xc3", b"\xa8").display([0, 1, 2])
    assert {t.group for t in tokens} == {(0, 3)} and tokens[0].joined == "éè"


def test_a_token_without_bytes_may_lie_inside_a_character():
    tokens = table_of(b"\xc3", b"", b"\xa9").display([1, 0, 1, 2])
    assert [t.group for t in tokens] == [(0, 1), (1, 4), (1, 4), (1, 4)]
    assert [t.is_partial for t in tokens] == [False, True, False, True]


def test_bytes_that_never_become_a_character_stand_alone():
    tokens = table_of(b"\xe2\x96", "a").display([0, 1, 0])
    assert [t.group for t in tokens] == [(0, 1), (1, 2), (2, 3)]
    assert [(t.text, t.joined, t.is_partial) for t in tokens[::2]] == [("‹E2 96›", "‹E2 96›", True)] * 2


@pytest.mark.parametrize("between", [1, 7])
def test_a_special_or_unknown_token_parts_a_character(between):
    tokens = table_of(b"\xc3", "", b"\xa9", special=(1,)).display([0, between, 2])
    assert [t.group for t in tokens] == [(0, 1), (1, 2), (2, 3)]


def test_display_takes_a_tensor():
    assert [t.token_id for t in table_of("a", "b").display(torch.tensor([1, 0]))] == [1, 0]


def test_plain_text_is_the_text_and_says_which_bytes_are_none():
    table = table_of(" caf", b"\xc3", b"\xa9", "\n", "<end>", "\ufffd", special=(4,))
    assert table.plain([0, 1, 2, 3, 4]) == " café\n"
    assert table.plain([0, 1, 3, 4], skip_special=False) == " caf‹C3›\n<end>"
    assert table.plain([5]) == "‹EF BF BD›"
    assert table.plain([]) == "" and table.display([]) == ()


# ---- in a file


def test_arrays_give_the_table_back(table):
    again = TokenTable.from_arrays(table.to_arrays())
    assert again == table and again is not table
    assert TokenTable.from_arrays({k: torch.tensor(v) for k, v in table.to_arrays().items()}) == table
    assert table != table_of("a")


def test_an_empty_table_is_a_table():
    assert len(table_of()) == 0


def arrays(**changes):
    good = {
        "bytes": np.frombuffer(b"abc", dtype=np.uint8),
        "offsets": np.array([0, 1, 3, 3]),
        "flags": np.array([1, 3, 0], dtype=np.uint8),
    }
    return {name: array for name, array in (good | changes).items() if array is not None}


def test_the_arrays_that_the_damaged_ones_differ_from_are_good():
    assert TokenTable.from_arrays(arrays()).bytes(1) == b"bc"


@pytest.mark.parametrize(
    "damaged",
    [
        {"bytes": None},
        {"flags": None},
        {"bytes": np.array([1, 2, 3], dtype=np.int64)},
        {"bytes": np.zeros((1, 3), dtype=np.uint8)},
        {"offsets": np.array([0.0, 1.0, 3.0, 3.0])},
        {"offsets": np.array([0, 1, 3])},
        {"offsets": np.array([], dtype=np.int64)},
        {"offsets": np.array([0, 2, 1, 3])},
        {"offsets": np.array([-1, 1, 3, 3])},
        {"offsets": np.array([0, 1, 3, 4])},
        {"offsets": np.array([0, 1, 2, 2])},
        {"offsets": np.array([0, 2**63 - 1, -2, 3]), "flags": np.ones(3, dtype=np.uint8)},
        {"flags": np.array([1, 8, 0], dtype=np.uint8)},
        {"flags": np.array([1, 0, 0], dtype=np.uint8)},
        {"flags": np.array([1, 1, 1], dtype=np.int32)},
    ],
)
def test_damaged_arrays_are_refused(damaged):
    with pytest.raises(TraceFileError, match="token table"):
        TokenTable.from_arrays(arrays(**damaged))
