"""Random templates out of a grammar. What a template writes itself is ASCII; every string of the
context is Korean, so that whoever wrote a character of the output can be told from it."""

import random

CONTEXT = {
    "s": "안녕 세계", "w": " 가나다라 ", "e": "", "n": 7, "z": 0, "f": 2.5, "b": True, "o": None,
    "l": [3, 1, 2], "ws": ["나", "가", "다", "가"], "d": {"키": "값", "수": 5},
    "us": [{"이름": "김", "a": 3}, {"이름": "이", "a": 1, "c": True}, {"이름": "박", "a": 2}],
    "m": [{"role": "사용자", "content": "질문\n둘째 줄"}, {"role": "답변", "content": "대답"}],
}

NUMBERS = ["0", "1", "2", "7", "-3", "2.5", "n", "z", "f", "b", "l|length", "loop.index", "x"]
STRINGS = ["''", "'a'", "'b c'", "\"it's\"", "'A-b'", "s", "w", "e", "ws[0]", "m[0].content",
           "m[1]['role']", "x", "t", "ns.v", "missing", "' pad '", "'%s|%s'", "'a,b,,c'", "'x\\ny'"]
LISTS = ["l", "ws", "us", "m", "[]", "[1, 'a', none]", "d.items()", "d.keys()", "range(4)",
         "us|map(attribute='a')", "'a b c'.split()", "s.split()", "d", "(1, 'q')", "l[1:]",
         "m|selectattr('content')", "missing", "'abc'", "dict(**d)", "dict(d, q=s)"]
STRING_METHODS = [
    ".strip()", ".upper()", ".lower()", ".title()", ".capitalize()", ".lstrip()", ".rstrip()",
    ".replace('a', {s})", ".replace({s}, 'Q', 1)", ".split({s})[0]", ".split()[-1]", "[1:]",
    "[:-1]", "[::-1]", "[0]", ".find({s})", ".count({s})", ".startswith({s})", ".endswith('c')",
    ".center(9, '*')", ".zfill(6)", ".partition(' ')", ".splitlines()", ".join({l})",
    ".rsplit(none, 1)", ".swapcase()", ".removeprefix('a')", ".isdigit()", "[-3:2]"]
STRING_FILTERS = ["trim", "upper", "lower", "title", "capitalize", "length", "list", "reverse",
                  "replace('b', {s})", "indent(2)", "indent(1, true)", "truncate(5, true, '', 0)",
                  "wordcount", "string", "default({s})", "default('dd', true)", "first", "last",
                  "tojson", "e", "safe", "center(8)", "int", "float", "format({s}, {n})",
                  "tojson(ensure_ascii=true)|length", "urlencode", "unique|list"]
LIST_FILTERS = ["length", "list", "first", "last", "join", "join(', ')", "join({s})", "sort",
                "reverse|list", "sort(reverse=true)", "unique|list", "map('string')|list",
                "map('upper')|join", "map('length')|list", "select|list", "reject('none')|list",
                "select('string')|list", "tojson", "tojson(indent=2)", "batch(2)|list",
                "slice(2)|list", "sum", "min", "max", "map(attribute='a')|list",
                "selectattr('a')|list", "rejectattr('c')|list", "string", "groupby('a')",
                "sort(attribute='a')", "map('default', 0)|list", "dictsort", "items|list",
                "batch(3, {s})|list", "select('in', {l})|list"]
TESTS = ["defined", "undefined", "none", "string", "number", "integer", "float", "boolean",
         "mapping", "sequence", "iterable", "true", "false", "odd", "even", "divisibleby(2)",
         "eq({n})", "in {l}", "lower", "upper", "callable", "sameas none", "ne {s}", "gt 1"]
COMPARISONS = ["==", "!=", "<", "<=", ">", ">=", "in", "not in"]


class Grammar:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def fill(self, pattern, depth):
        for kind, make in (("{s}", self.string), ("{l}", self.list), ("{n}", self.number)):
            while kind in pattern:
                pattern = pattern.replace(kind, make(depth - 1), 1)
        return pattern

    def pick(self, options, depth):
        return self.fill(self.random.choice(options), depth)

    def number(self, depth):
        choice = self.random.random()
        if depth <= 0 or choice < 0.5:
            return self.random.choice(NUMBERS)
        if choice < 0.8:
            # No "**": jinja2 reads (-3) ** n as -(3 ** n) when n is not a constant.
            operator = self.random.choice(["+", "-", "*", "/", "//", "%"])
            return f"({self.number(depth - 1)} {operator} {self.number(depth - 1)})"
        return f"({self.any(depth - 1)})|{self.random.choice(['int', 'abs', 'round(1)', 'float'])}"

    def string(self, depth):
        choice = self.random.random()
        if depth <= 0 or choice < 0.3:
            return self.random.choice(STRINGS)
        if choice < 0.45:
            return f"({self.string(depth - 1)} ~ {self.any(depth - 1)})"
        if choice < 0.55:
            return f"({self.string(depth - 1)} + {self.string(depth - 1)})"
        if choice < 0.75:
            return f"({self.string(depth - 1)}){self.pick(STRING_METHODS, depth)}"
        if choice < 0.95:
            return f"({self.string(depth - 1)})|{self.pick(STRING_FILTERS, depth)}"
        return f"({self.string(depth - 1)} % ({self.any(depth - 1)}, {self.any(depth - 1)}))"

    def list(self, depth):
        choice = self.random.random()
        if depth <= 0 or choice < 0.5:
            return self.random.choice(LISTS)
        if choice < 0.7:
            return f"[{self.any(depth - 1)}, {self.any(depth - 1)}]"
        if choice < 0.8:
            key = self.random.choice(["0", "-1", "1:", "::-1", ":2", "5"])
            return f"({self.list(depth - 1)})[{key}]"
        if choice < 0.85:
            return f"{{'k': {self.any(depth - 1)}, {self.string(0)}: {self.any(depth - 1)}}}"
        return f"({self.list(depth - 1)})|{self.pick(LIST_FILTERS, depth)}"

    def condition(self, depth):
        choice = self.random.random()
        if depth <= 0 or choice < 0.2:
            return self.any(depth - 1)
        if choice < 0.5:
            operator = self.random.choice(COMPARISONS)
            return f"({self.any(depth - 1)} {operator} {self.any(depth - 1)})"
        if choice < 0.7:
            negation = self.random.choice(["", "not "])
            return f"({self.any(depth - 1)}) is {negation}{self.pick(TESTS, depth)}"
        if choice < 0.8:
            return f"not {self.condition(depth - 1)}"
        joint = self.random.choice(["and", "or"])
        return f"({self.condition(depth - 1)} {joint} {self.condition(depth - 1)})"

    def any(self, depth):
        choice = self.random.random()
        if choice < 0.3:
            return self.number(depth)
        if choice < 0.65:
            return self.string(depth)
        if choice < 0.85:
            return self.list(depth)
        if choice < 0.93 and depth > 0:
            test = self.condition(depth - 1)
            return f"({self.any(depth - 1)} if {test} else {self.any(depth - 1)})"
        return self.condition(depth - 1) if depth > 0 else "true"

    def tag(self, inside):
        left = self.random.choice(["{%", "{%", "{%-", "{%+"])
        right = self.random.choice(["%}", "%}", "-%}", "+%}"])
        return f"{left} {inside} {right}"

    def space(self):
        return self.random.choice(["", "", " ", "\n", "\n  ", "\n\n", "t \n"])

    def body(self, depth):
        return "".join(self.statement(depth) + self.space()
                       for _ in range(self.random.randint(1, 3)))

    def print(self, depth):
        return self.random.choice(["{{ %s }}", "{{- %s -}}", "{{ %s -}}"]) % self.any(depth)

    def loop(self, depth):
        target = self.random.choice(["x", "x", "x", "x, y", "t"])
        test = f" if {self.condition(1)}" if self.random.random() < 0.2 else ""
        otherwise = self.tag("else") + self.body(depth - 1) if self.random.random() < 0.2 else ""
        inside = self.body(depth - 1)
        if self.random.random() < 0.15:
            leave = self.random.choice(["break", "continue"])
            inside += self.tag(f"if {self.condition(1)}") + self.tag(leave)
            inside += self.tag("endif") + "."
        return (self.tag(f"for {target} in {self.list(2)}{test}") + inside + otherwise
                + self.tag("endfor"))

    def statement(self, depth):
        choice = self.random.random()
        if depth <= 0 or choice < 0.35:
            return self.print(2)
        if choice < 0.45:
            return self.random.choice(["text", "a\nb", " ", "{# note #}", "{#- note -#}", "<|t|>"])
        if choice < 0.6:
            return self.loop(depth)
        if choice < 0.72:
            otherwise = ""
            if self.random.random() < 0.5:
                otherwise = self.tag("else") + self.body(depth - 1)
            return (self.tag(f"if {self.condition(2)}") + self.body(depth - 1) + otherwise
                    + self.tag("endif"))
        if choice < 0.85:
            target = self.random.choice(["t", "x", "s", "ns.v", "n", "t, x"])
            return self.tag(f"set {target} = {self.any(2)}")
        if choice < 0.89:
            return self.tag("set t") + self.body(depth - 1) + self.tag("endset")
        if choice < 0.92:
            return (self.tag("filter " + self.random.choice(["upper", "trim", "indent(1)"]))
                    + self.body(depth - 1) + self.tag("endfilter"))
        if choice < 0.96:
            name = self.random.choice(["f", "g"])
            parameters = self.random.choice(["", "x", "x=1", "x, t='p'"])
            return (self.tag(f"macro {name}({parameters})") + self.body(depth - 1)
                    + self.tag("endmacro") + f"{{{{ {name}({self.any(1)}) }}}}")
        return (self.tag(f"with {self.random.choice(['x', 't', 's'])} = {self.any(1)}")
                + self.body(depth - 1) + self.tag("endwith"))

    def template(self):
        return "{% set ns = namespace(v='v') %}" + self.body(3)


def templates(n, seed):
    """A third are single expressions, where a difference is easiest to see."""
    grammar = Grammar(seed)
    return [f"{{{{ {grammar.any(3)} }}}}" if i % 3 == 0 else grammar.template() for i in range(n)]
