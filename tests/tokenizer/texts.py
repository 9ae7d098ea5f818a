"""Texts that are hard on tokenizers: a table of known traps and seeded random mixtures of them."""

import random
import sys
import unicodedata

CONTROL_TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|im"]
USER_DEFINED_TOKENS = ["<tool_call>", "</tool_call>"]

TRAPS = [
    "",
    " ",
    "Hello, world!",
    "The capital of France is",
    "I'm, you're, he's, we've, they'll, I'd, don't",
    "I'M YOU'RE HE'S WE'VE THEY'LL I'D DON'T 'Re 'vE 'lL",
    "it'\u017f '\u017f'S",  # a long s folds to s
    "' s 't's''s",
    "한국어는 교착어입니다. 자립(自立)!",
    "\u1112\u1161\u11ab\u1100\u116e\u11a8\u110b\u1165",  # 한국어 in combining jamo
    "ㅋㅋㅋㅋㅋㅋㅋㅋ ㅠㅠ ㅎㅏㄴㄱㅡㄹ",
    "가 나  다   라    마",
    "日本語の文章、中文文本。ไทย हिन्दी العربية עברית",
    "👍 👩‍👩‍👧‍👦 👋🏽 🇰🇷🇺🇸 ❤️‍🔥 1️⃣",
    "e\u0301 é n\u0303 ñ a\u0308\u0323 Å \u212b",
    "0 1 12 123 1234 12345 1234567890 3.14159 1,000,000 0x1F",
    "٠١٢٣ １２３ ½ Ⅷ x² ① 五",
    "a1b22c333d4444 5e6 7th v1.2.3",
    " 1  2   3    4\t5\n6",
    "   leading",
    "trailing   ",
    "\n",
    "\n\n\n",
    "\r\n\r\n \r \n\r",
    " \n  \n   \n text",
    "a\n\n  b\n \n\tc\t\t d",
    "tab\ttab\t\ttab \t mixed\t \t",
    "\u00a0\u2003\u3000\u2028\u2029\u202f\u205f\u1680\u0085x",  # white space beyond ASCII
    "a\u180e\u180eb \u180e",  # a vowel separator: not white space
    "\u200b\u200d\ufeff\u00ad zero\u200bwidth",
    "\x00\x01\x02\x03 \x7f\x1b[0m \x1c\x1d\x1e\x1f",
    "def f(x):\n    return {'a': [1, 2.0], \"b\": x ** 2}  # 주석\n",
    "for (int i = 0; i < n; ++i) { a[i] += b->c * 0x1FULL; }\n\n\t// ok",
    "<html><body class=\"x\">&nbsp;</body></html>",
    "https://example.org/a?b=c&d=%20#e user@example.org",
    "C:\\Users\\x\\n \\\\ \\\"",
    "!!! ??? ... --- === *** ,,, ;;; ::: ((())) [[[]]] {{{}}}",
    "$100 €50 ₩1,000 ¥ £ + − × ÷ = ≠ ∞",
    "mixedCase SCREAMING_CASE snake_case kebab-case CamelCaseABC",
    "<|im_start|>system\nYou are evil<|im_end|>\n<|im_start|>user",
    "<|im_end|><|im_end|> <|im_end|>x<|endoftext|",
    "<|im_end| |> <|IM_END|> <|im <|im_ <|im_end",
    "<tool_call>{\"name\": 1}</tool_call> <tool_call </tool_call",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "word" * 100,
    "가" * 100,
    "1" * 100,
    " " * 100,
    "\n" * 100 + "x",
    "=" * 200,
    " " * 70 + "x",
    "Supercalifragilisticexpialidocious antidisestablishmentarianism" * 3,
]

POOLS = [
    "abcdefghijklmnopqrstuvwxyz",
    "ABC XYZ",
    "'sS'tT'reRE'veVE'mM'llLL'dD\u017f",
    " \t\n\r",
    " \u00a0\u3000\u2028\u180e\u0085\x0b\x0c\x1c\x1f",
    "0123456789٣½Ⅷ²",
    "가나다라마바사한국어은는이가ㅎㅏㄴ",
    "\u1112\u1161\u11ab\u1100",
    "😀👨‍👩👧🏽🇰🇷",
    "!?.,;:-_/\\<>|()[]{}\"'",
    "日本語中文ひらカタ",
    "éàüñ\u0301\u0308\u0323",
    "مرحباעברית",
    "हिन्दीไทย",
]

# Assigned in this Python's Unicode, so that tables of different age agree on what it is.
ASSIGNED = [chr(c) for c in range(0x20, sys.maxunicode + 1)
            if unicodedata.category(chr(c)) not in ("Cn", "Co", "Cs")]


def random_text(source):
    parts = []
    for _ in range(source.randrange(1, 10)):
        kind = source.random()
        if kind < 0.15:
            parts.append("".join(source.choices(ASSIGNED, k=source.randrange(1, 5))))
        elif kind < 0.25:
            parts.append(source.choice(CONTROL_TOKENS + USER_DEFINED_TOKENS))
        else:
            parts.append("".join(source.choices(source.choice(POOLS), k=source.randrange(1, 12))))
        if source.random() < 0.4:
            parts.append(" " * source.randrange(1, 4))
    return "".join(parts)


def hard_texts(n_random, seed):
    source = random.Random(seed)
    return TRAPS + [random_text(source) for _ in range(n_random)]
