"""Random schemas out of everything that can be enforced, and for each a value that is valid and
written in the order in which the schema names its members."""

import json
import string

LETTERS = string.ascii_letters + string.digits + " _-한글é\"\\\n\t😀"
FORMATS = {"date": ["2024-02-29", "1999-12-31"], "time": ["23:59:59Z", "00:00:00.5+09:00"],
           "date-time": ["2026-11-22T10:00:00Z"], "uuid": ["00112233-4455-6677-8899-aabbccddeeff"],
           "email": ["a.b@example.com"], "ipv4": ["192.168.0.1"],
           "ipv6": ["::1", "2001:db8::ff00:42:8329"], "hostname": ["a.example.org"],
           "uri": ["https://example.org/a?b=c#d"], "duration": ["P1Y2M3DT4H5M6S"]}
PATTERNS = {"^[a-z]+$": "abc", "\\d{2,4}": "x12y", "^(foo|bar)": "foot", "z$": "xyz",
            "^[A-Z][a-z]{0,20}-[0-9]{3}$": "Abc-123", "^[^\\s\"]{1,40}$": "한글-é"}


def text_of(rng, low, high):
    return "".join(rng.choice(LETTERS) for _ in range(rng.randint(low, high)))


class Maker:
    """schema() gives a schema and the JSON text of a valid value."""

    def __init__(self, rng):
        self.rng = rng
        self.defs = {}

    def schema(self, depth):
        kinds = [self.string, self.integer, self.number, self.enum, self.const, self.simple,
                 self.pattern, self.format, self.multiple]
        if depth > 0:
            kinds += [self.object, self.array, self.tuple, self.any_of, self.one_of, self.all_of,
                      self.map, self.reference] * 2
        made, value = self.rng.choice(kinds)(depth - 1)
        if self.rng.random() < 0.1:
            made = {**made, "title": "t", "description": "d", "x-unknown": 1}
        return made, value

    def root(self, depth=3):
        made, value = self.schema(depth)
        if self.defs:
            made = {**made, "$defs": self.defs}
        return made, value

    def simple(self, _):
        return self.rng.choice([({"type": "null"}, "null"), ({"type": "boolean"}, "true"),
                                ({"type": ["null", "boolean"]}, "false"), (True, "[1, {}]")][:3])

    def string(self, _):
        low = self.rng.choice([0, 0, 1, 3, 20])
        high = low + self.rng.choice([0, 1, 5, 300])
        made = {"type": "string"}
        if low:
            made["minLength"] = low
        if self.rng.random() < 0.7:
            made["maxLength"] = high
        return made, json.dumps(text_of(self.rng, low, min(high, low + 30)), ensure_ascii=False)

    def pattern(self, _):
        pattern, value = self.rng.choice(list(PATTERNS.items()))
        made = {"type": "string", "pattern": pattern}
        if self.rng.random() < 0.3:
            made["maxLength"] = len(value) + 5
            made["minLength"] = 1
        return made, json.dumps(value, ensure_ascii=False)

    def format(self, _):
        name = self.rng.choice(list(FORMATS))
        return ({"type": "string", "format": name}, json.dumps(self.rng.choice(FORMATS[name])))

    def integer(self, _):
        low = self.rng.choice([0, 1, -1, -17, 5, 999, -100000, 10**12])
        high = low + self.rng.choice([0, 1, 9, 120, 10**6])
        made = {"type": "integer"}
        keys = self.rng.choice([(), ("minimum",), ("maximum",), ("minimum", "maximum"),
                                ("exclusiveMinimum", "exclusiveMaximum")])
        for key in keys:
            low_key = key.endswith("inimum")
            shift = (-1 if low_key else 1) if key.startswith("excl") else 0
            made[key] = (low if low_key else high) + shift
        return made, str(self.rng.randint(low, high))

    def multiple(self, _):
        divisor = self.rng.choice([1, 2, 3, 7, 10, 25, 360])
        made = {"type": self.rng.choice(["integer", "number"]), "multipleOf": divisor}
        factor = self.rng.randint(-50, 50)
        if self.rng.random() < 0.5:
            made["minimum"] = divisor * factor - self.rng.randint(0, 5)
        return made, str(divisor * factor)

    def number(self, _):
        low = self.rng.choice([0, -1, 0.5, -2.25, 0.001, 100, -1000.125])
        high = low + self.rng.choice([0.25, 1, 17.5, 1000])
        made = {"type": "number"}
        keys = self.rng.choice([(), ("minimum",), ("maximum",), ("minimum", "maximum"),
                                ("exclusiveMinimum", "maximum"), ("minimum", "exclusiveMaximum")])
        for key in keys:
            made[key] = low if key.endswith("inimum") else high
        middle = (low + high) / 2
        return made, f"{middle:.9f}".rstrip("0").rstrip(".")

    def enum(self, _):
        values = [text_of(self.rng, 1, 6), self.rng.randint(-5, 5), None, True, 1.5,
                  [1, "a"], {"k": [False]}]
        chosen = self.rng.sample(values, self.rng.randint(1, 4))
        # Enumerated arrays and objects are written as json.dumps writes them.
        return {"enum": chosen}, json.dumps(chosen[0], ensure_ascii=False)

    def const(self, _):
        value = self.rng.choice([0, "x", None, text_of(self.rng, 0, 9), False])
        return {"const": value}, json.dumps(value, ensure_ascii=False)

    def object(self, depth):
        names = [text_of(self.rng, 1, 5) + str(i) for i in range(self.rng.randint(0, 5))]
        members = {name: self.schema(depth) for name in names}
        made = {"type": "object", "properties": {n: s for n, (s, _) in members.items()}}
        required = [name for name in names if self.rng.random() < 0.5]
        if required or self.rng.random() < 0.5:
            made["required"] = required
        kept = [n for n in names if n in required or self.rng.random() < 0.6]
        if self.rng.random() < 0.6:
            made["additionalProperties"] = False
        if kept and self.rng.random() < 0.3:
            made["minProperties"] = self.rng.randint(0, len(kept))
            made["maxProperties"] = self.rng.randint(len(kept), len(names) + 1)
        return made, self.write_object([(n, members[n][1]) for n in kept])

    def map(self, depth):
        inner, value = self.schema(depth)
        made = {"type": "object", "additionalProperties": inner}
        kind = self.rng.random()
        names = ["aa1", "ab2", "한글"][:self.rng.randint(0, 3)]
        if kind < 0.3:
            made["properties"] = {"known": {"const": 1}}
            return made, self.write_object([("known", "1"), *[(n, value) for n in names]])
        if kind < 0.5:
            made = {"type": "object", "patternProperties": {"^x-": inner, "y$": True},
                    "additionalProperties": False}
            return made, self.write_object([("x-a", value)])
        if kind < 0.7:
            made["propertyNames"] = {"pattern": "^[a-z]{2}[0-9]$"}
            names = ["aa1", "ab2"]
        return made, self.write_object([(n, value) for n in names])

    def array(self, depth):
        inner, value = self.schema(depth)
        low = self.rng.choice([0, 0, 1, 2])
        high = low + self.rng.choice([0, 1, 4, 1000])
        made = {"type": "array", "items": inner}
        if low:
            made["minItems"] = low
        if self.rng.random() < 0.6:
            made["maxItems"] = high
        return made, self.write_array([value] * self.rng.randint(low, min(high, low + 3)))

    def tuple(self, depth):
        parts = [self.schema(depth) for _ in range(self.rng.randint(1, 3))]
        made = {"type": "array", "prefixItems": [s for s, _ in parts]}
        if self.rng.random() < 0.5:
            made["items"] = False
        if self.rng.random() < 0.5:
            made["minItems"] = len(parts)
        return made, self.write_array([value for _, value in parts])

    def any_of(self, depth):
        parts = [self.schema(depth) for _ in range(self.rng.randint(1, 3))]
        return {"anyOf": [s for s, _ in parts]}, self.rng.choice(parts)[1]

    def one_of(self, depth):
        branches = []
        for i in range(self.rng.randint(1, 3)):
            inner, value = self.schema(depth)
            branches.append(({"type": "object", "properties": {"kind": {"const": f"k{i}"},
                                                               "data": inner},
                              "required": ["kind", "data"]},
                             self.write_object([("kind", f'"k{i}"'), ("data", value)])))
        branches.append(({"type": "null"}, "null"))
        return {"oneOf": [s for s, _ in branches]}, self.rng.choice(branches)[1]

    def all_of(self, depth):
        first, value = self.schema(depth)
        second, more = self.schema(depth)
        made = {"allOf": [{"type": "object", "properties": {"a": first}, "required": ["a"]},
                          {"properties": {"b": second}}]}
        return made, self.write_object([("a", value), ("b", more)])

    def reference(self, depth):
        name = f"d{len(self.defs)}"
        self.defs[name] = True
        inner, value = self.schema(depth)
        link = {"$ref": f"#/$defs/{name}"}
        self.defs[name] = {"type": "object", "properties": {"value": inner, "next": link},
                           "required": ["value"], "additionalProperties": False}
        last = self.write_object([("value", value)])
        return link, self.write_object([("value", value), ("next", last)])

    # One of the ways in which white space may stand.
    def write_object(self, members):
        if not members:
            return "{}"
        parts = [f"{json.dumps(name, ensure_ascii=False)}: {value}" for name, value in members]
        return "{" + ", ".join(parts) + "}"

    def write_array(self, values):
        return "[" + self.rng.choice([", ", ",", ",\n  "]).join(values) + "]"
